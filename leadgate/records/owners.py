"""Which rep an update means by the owner that it names.

Belongs here: this look-up; pure. Does not belong here: who gets a record (``leadgate.assignment``).
"""

from __future__ import annotations

from collections.abc import Mapping

from leadgate.playbook import Playbook
from leadgate.values.json_types import JsonValue


def index_reps(playbook: Playbook) -> dict[str, str]:
    """The reps by all that a CRM or an export calls them: name, label, e-mail address, id in a CRM; in any case.

    What two reps are called is nobody's.
    """
    known: dict[str, set[str]] = {}
    for rep in playbook.reps:
        for word in {rep.name, rep.label, rep.email or "", *rep.crm_ids.values()}:
            if word.strip():
                known.setdefault(_fold(word), set()).add(rep.name)
    return {word: next(iter(names)) for word, names in known.items() if len(names) == 1}


def find_rep(told: JsonValue, reps: Mapping[str, str]) -> str | None:
    """The rep that ``told`` means; None where it means none."""
    return reps.get(_fold(told)) if isinstance(told, str) else None


def _fold(word: str) -> str:
    return " ".join(word.split()).casefold()
