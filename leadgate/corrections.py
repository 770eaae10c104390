"""Corrections before they are stored: read by the code that validation reads a lead's values with.

Belongs here: which of them validation would not take, and why. Does not belong here: storing them (``ledger.actions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadgate.playbook import Playbook

if TYPE_CHECKING:
    import pandas as pd

#: Standard fields whose problems have a column of their own.
_OWN_COLUMN: Final = ("email", "phone", "country", "website", "consent")
#: Columns with the problems of several fields, each as ``field: problem``.
_SHARED: Final = ("field_problem", "unreadable_problem")


@dataclass(frozen=True)
class Corrected:
    """``corrections`` to the fields of a lead from ``source`` in ``country``."""

    corrections: Mapping[str, str]
    source: str | None
    country: str | None


def find_correction_problems(leads: Sequence[Corrected], playbook: Playbook, now: datetime) -> list[dict[str, str]]:
    """For each of ``leads`` what is wrong with its corrected fields, with the nearest right values.

    An empty correction clears its field, and is wrong only where the playbook requires the field.
    """
    import pandas as pd  # slow to import, and commands that only read correct nothing

    from leadgate.mapping.normalise import normalise

    rows = [{"source": lead.source, "country": lead.country, **lead.corrections} for lead in leads]
    frame = pd.DataFrame([{name: value or None for name, value in row.items()} for row in rows], dtype=object)
    read = normalise(frame.where(frame.notna(), None), playbook, now)
    return [_find_problems(read.iloc[index], lead.corrections) for index, lead in enumerate(leads)]


def _find_problems(result: pd.Series, corrections: Mapping[str, str]) -> dict[str, str]:
    found = {name: result[f"{name}_problem"] for name in _OWN_COLUMN if corrections.get(name)}
    for column in _SHARED:
        for part in str(result[column] or "").split("; "):
            name, _, problem = part.partition(": ")
            found[name] = problem
    proposed = result["proposal"] or {}
    return {
        name: f"{problem}; did you mean {proposed[name]!r}?" if name in proposed else str(problem)
        for name, problem in found.items()
        if name in corrections and problem
    }
