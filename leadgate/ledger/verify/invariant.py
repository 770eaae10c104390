"""An invariant of the ledger as SQL, and what checking it found.

Belongs here: these types. Does not belong here: any query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Tally(NamedTuple):
    """A number that is counted while the rows of a large table are read.

    ``rows`` is what follows FROM, ``aggregate`` the number. All tallies of the same rows are counted in one pass.
    """

    rows: str
    aggregate: str


#: Statements that give one number each, and tallies: their sum.
Counted = tuple[str | Tally, ...]


@dataclass(frozen=True)
class Invariant:
    """``broken`` counts the rows that break it, ``checked`` those it is about; ``words`` says it to a person."""

    name: str
    words: str
    checked: str | Tally
    broken: str | Tally | Counted

    @property
    def checks(self) -> Counted:
        return (self.checked,)

    @property
    def breaks(self) -> Counted:
        return self.broken if isinstance(self.broken, tuple) and not isinstance(self.broken, Tally) else (self.broken,)


@dataclass(frozen=True)
class Finding:
    """What checking an invariant found. Zero ``broken`` is the only good number."""

    name: str
    words: str
    checked: int
    broken: int
