"""Names as people write them: of reps, pools and sources by the playbook's labels, of everything else by its words.

Belongs here: a name in a report. Does not belong here: data (JSON and CSV keep the names of the playbook).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from leadgate.playbook import Playbook

_NAME: Final = re.compile(r"[a-z0-9]+([_.-][a-z0-9]+)*")


class Names:
    """How the reps, pools and sources of a playbook are called. Two reps with one label keep their names beside it."""

    def __init__(self, playbook: Playbook) -> None:
        labels = {rep.name: rep.label or write_as_person(rep.name) for rep in playbook.reps}
        often = Counter(labels.values())
        self._reps = {name: label if often[label] == 1 else f"{label} ({name})" for name, label in labels.items()}
        self._pools = {pool.name: pool.label for pool in playbook.pools if pool.label}
        self._sources = {name: source.label for name, source in playbook.sources.items() if source.label}

    def rep(self, name: str) -> str:
        return self._reps.get(name) or write_as_person(name)

    def pool(self, name: str) -> str:
        return self._pools.get(name) or write_as_words(name)

    def source(self, name: str) -> str:
        return self._sources.get(name) or write_as_words(name)

    def find_rep(self, written: str) -> str:
        """The rep who is called so, in whichever way; ``written`` itself when nobody is."""
        if written in self._reps:
            return written
        found = [
            name
            for name, label in self._reps.items()
            if written.casefold() in (label.casefold(), write_as_person(name).casefold())
        ]
        return found[0] if len(found) == 1 else written


def write_as_person(name: str) -> str:
    """``sofia_marin`` is Sofia Marin. What is no such name is left alone: an address, or one with capitals."""
    return " ".join(part.capitalize() for part in re.split("[_.-]", name)) if _NAME.fullmatch(name) else name


def write_as_words(name: str) -> str:
    """``large_company`` is large company."""
    return name.replace("_", " ")
