"""Corrections before they are stored: read by the code that validation reads a lead's values with.

Belongs here: which of them validation would not take, and why. Does not belong here: storing them (``ledger.actions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import pandas as pd

from leadgate.normalise import normalise
from leadgate.playbook import Playbook

#: Standard fields whose problems have a column of their own.
_OWN_COLUMN: Final = ("email", "phone", "country", "website", "consent")
#: Columns with the problems of several fields, each as ``field: problem``.
_SHARED: Final = ("field_problem", "unreadable_problem")


def problems_of(
    corrections: Mapping[str, str], playbook: Playbook, now: datetime, *, source: str | None, country: str | None
) -> dict[str, str]:
    """What is wrong with each corrected field of a lead from ``source`` in ``country``, with the nearest right value.

    An empty correction clears its field, and is wrong only where the playbook requires the field.
    """
    row = {"source": source, "country": country, **corrections}
    frame = normalise(pd.DataFrame([{name: value or None for name, value in row.items()}], dtype=object), playbook, now)
    result = frame.iloc[0]
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
