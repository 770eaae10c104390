"""Which rep is meant by a word of a file, a form or a CRM: a name, a label, an e-mail address, an id in a CRM.

Belongs here: this one look-up, and who a rep's manager is. Does not belong here: which user of a CRM a rep is
(``tasks.crm.owners``), whom somebody who types a command means (``console.display_names``), or who gets what
(``leadgate.assignment``).
"""

from __future__ import annotations

from collections.abc import Iterable

from leadgate.playbook.routing import Rep


class RepNames:
    """The reps by all that they are called, in any case. A rep's own name in the playbook is theirs alone; any other
    word that means two of them means nobody."""

    def __init__(self, reps: Iterable[Rep]) -> None:
        self._reps = {rep.name: rep for rep in reps}
        meant: dict[str, set[str]] = {}
        for rep in self._reps.values():
            for word in (rep.label, rep.email or "", *rep.crm_ids.values()):
                if folded := _fold(word):
                    meant.setdefault(folded, set()).add(rep.name)
        self._by_word = {word: next(iter(names)) for word, names in meant.items() if len(names) == 1}
        self._by_word |= {_fold(name): name for name in self._reps}

    def find(self, told: object) -> str | None:
        """The rep that ``told`` means; None where it means none."""
        return self._by_word.get(_fold(told)) if isinstance(told, str) else None

    def find_manager(self, rep: str | None) -> str | None:
        """The manager of a rep, if that is a rep too."""
        known = self._reps.get(rep or "")
        return None if known is None else self.find(known.manager)


def _fold(word: str) -> str:
    return " ".join(word.split()).casefold()
