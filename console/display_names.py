"""Display names of reps, pools and sources: the playbook's label, or the name without its underscores.

Belongs here: how pages and reports show a name. Does not belong here: data (JSON and CSV keep the playbook's names).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import Final

from leadgate.playbook import Playbook

_NAME: Final = re.compile(r"[a-z0-9]+([_.-][a-z0-9]+)*")


class DisplayNames:
    """The display names of a playbook's reps, pools and sources. Reps with one label are shown as ``label (name)``."""

    def __init__(self, playbook: Playbook) -> None:
        labels = {rep.name: rep.label or write_as_person(rep.name) for rep in playbook.reps}
        uses = Counter(labels.values())
        self._reps = {name: label if uses[label] == 1 else f"{label} ({name})" for name, label in labels.items()}
        self._pools = {pool.name: pool.label for pool in playbook.pools if pool.label}
        self._sources = {name: source.label for name, source in playbook.sources.items() if source.label}

    def name_rep(self, name: str) -> str:
        return self._reps.get(name) or write_as_person(name)

    def name_pool(self, name: str) -> str:
        return self._pools.get(name) or write_as_words(name)

    def name_source(self, name: str) -> str:
        return self._sources.get(name) or write_as_words(name)

    def find_rep(self, written: str) -> str:
        """The name of the rep whose name or label is ``written``; ``written`` itself unless exactly one rep matches."""
        if written in self._reps:
            return written
        matches = [
            name
            for name, label in self._reps.items()
            if written.casefold() in (label.casefold(), write_as_person(name).casefold())
        ]
        return matches[0] if len(matches) == 1 else written

    @cached_property
    def _in_sentences(self) -> re.Pattern[str] | None:
        """The reps whose names cannot be a word of a sentence, such as ``anna_keller``."""
        names = sorted((name for name in self._reps if "_" in name), key=len, reverse=True)
        return re.compile(rf"\b({'|'.join(map(re.escape, names))})\b") if names else None

    def write_names(self, sentence: str) -> str:
        """``sentence`` with the names of reps as their display names, where nothing else can be meant."""
        found = self._in_sentences
        if found is None or "_" not in sentence:
            return sentence
        return found.sub(lambda match: self._reps[match[0]], sentence)


def write_as_person(name: str) -> str:
    """``sofia_marin`` is Sofia Marin. A name in any other form (an address, or with capitals) is returned unchanged."""
    return " ".join(part.capitalize() for part in re.split("[_.-]", name)) if _NAME.fullmatch(name) else name


def write_as_words(name: str) -> str:
    """``large_company`` is large company."""
    return name.replace("_", " ")
