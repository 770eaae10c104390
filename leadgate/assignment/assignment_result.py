"""What assignment decided, lead by lead, and as a frame.

Belongs here: the columns of a decision. Does not belong here: deciding (``routing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import pandas as pd

from leadgate.assignment.availability import Load
from leadgate.assignment.rotation import PoolState
from leadgate.vocabulary import Outcome

AssignmentOutcome = Literal[Outcome.OWNED, Outcome.WAIT, Outcome.HOLD]

#: Reasons of rows that are held or wait.
NO_ROUTE: Final = "no_route"
NOBODY_AVAILABLE: Final = "nobody_available"


@dataclass(frozen=True, slots=True)
class Assigned:
    """What ``assign`` decided.

    ``frame`` has the index of the frame that was decided, and the columns

    - ``outcome``: owned, wait or hold; ``reasons``: a tuple of reason codes, empty when owned;
    - ``owner``, ``rule`` (the route that decided), ``pool`` (the one whose clock runs, or None);
    - ``turn``: whether a turn of ``pool`` was taken;
    - ``candidates``: JSON text, a list of ``{"rep", "eligible", "reason", "pool", "turns", "weight"}`` in
      the order they were considered; ``turns`` are those of the epoch before this lead, and both it and
      ``weight`` are null for a rep who was named rather than drawn;
    - ``why``: the same in plain words;
    - ``pointer``: JSON text where a turn was taken, ``{"epoch", "position": [before, after], "turns": [before,
      after]}``: the turns of the pool's epoch, and the owner's among them;
    - ``run_after``: when a waiting lead is tried again; ``sla``, ``due_at`` and ``due_soon_at``: its first
      touch. Timestamps in UTC, NaT where there is none.

    ``pools`` holds every state that went in or was made, equal to the old one where no turn was taken;
    ``loads`` every rep of the playbook.
    """

    frame: pd.DataFrame
    pools: dict[str, PoolState]
    loads: dict[str, Load]


class Decision(NamedTuple):
    """One row of the frame that ``Assigned`` describes."""

    outcome: AssignmentOutcome
    owner: str | None
    rule: str | None
    pool: str | None
    turn: bool
    candidates: str
    why: str
    pointer: str | None
    run_after: datetime | None
    sla: str | None
    due_at: datetime | None
    due_soon_at: datetime | None
    reasons: tuple[str, ...]


def build_decision_frame(decisions: list[Decision], index: pd.Index[Any]) -> pd.DataFrame:
    cells = zip(*decisions, strict=True) if decisions else [()] * len(Decision._fields)
    columns: dict[str, Any] = {}
    for name, values in zip(Decision._fields, cells, strict=True):
        if name in ("run_after", "due_at", "due_soon_at"):
            columns[name] = _build_timestamps(values)
        else:
            columns[name] = pd.Series(values, index=index, dtype="bool" if name == "turn" else "object")
    return pd.DataFrame(columns, index=index)


def _build_timestamps(values: Sequence[datetime | None]) -> pd.DatetimeIndex:
    """Timestamps in UTC. All come from one ``now``, so a few are converted and the rest looked up."""
    place = {value: i for i, value in enumerate(dict.fromkeys(values))}
    distinct = pd.DatetimeIndex(list(place), dtype="datetime64[us, UTC]")
    return distinct.take([place[value] for value in values])
