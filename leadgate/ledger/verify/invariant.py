"""An invariant of the ledger as SQL, and what checking it found.

Belongs here: these two types. Does not belong here: any query.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """``broken`` counts the rows that break it, ``checked`` those it is about; ``words`` says it to a person."""

    name: str
    words: str
    checked: str
    broken: str


@dataclass(frozen=True)
class Finding:
    """What checking an invariant found. Zero ``broken`` is the only good number."""

    name: str
    words: str
    checked: int
    broken: int
