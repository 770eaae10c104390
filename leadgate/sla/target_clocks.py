"""Owned leads as arrays, and when the clock of each of their SLA targets starts and stops.

Belongs here: the touches, answers and ends that start and stop a target's clock. Does not belong here: what a target
is, what was missed, and which steps are to be taken (``sla_targets``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final, Self, TypeAlias

import numpy as np
import pandas as pd

from leadgate.playbook import Target
from leadgate.sla.hours import Clock
from leadgate.sla.moments import NEVER, Micros, read_column, read_moments
from leadgate.sla.pauses import Pause, compute_due_many

_MOMENTS: Final = (
    "assigned_at", "clock_from", "due_at", "due_soon_at", "accepted_at", "finished_at", "active_at", "stale_since",
    "last_touched_at",
)  # fmt: skip
#: Later than any moment.
FAR: Final = int(np.iinfo(np.int64).max)

Rows: TypeAlias = "np.ndarray[Any, np.dtype[np.intp]]"  # places in the frame


@dataclass(frozen=True, slots=True)
class OwnedLeads:
    """The frame that is checked, as arrays with an entry for each row; ``_shift`` and ``_go_stale`` change them."""

    at: dict[str, Micros]  # the columns of ``_MOMENTS``
    touches: list[tuple[datetime, ...]]
    pauses: list[tuple[Pause, ...]]
    touched: Micros  # the first touch
    last_touched: Micros
    paused_until: Micros
    taken: dict[Target, np.ndarray[Any, np.dtype[np.int64]]]  # the steps of each target
    stale_at: Micros

    @classmethod
    def read(cls, frame: pd.DataFrame, counters: Mapping[Target, str]) -> Self:
        """``frame`` as in ``sla_targets.check``; ``counters``: the column that counts the steps of each target."""
        at = {name: read_column(frame[name]) for name in _MOMENTS}
        touches, spans = frame["touches"].tolist(), frame["pauses"].tolist()
        last = read_moments([each[-1] if each else None for each in touches])
        taken = {target: np.array(frame[column].tolist(), dtype=np.int64) for target, column in counters.items()}
        # each touch begins a new count
        taken["next_touch"][(last == NEVER) | (last != at["last_touched_at"])] = 0
        return cls(
            at=at,
            touches=touches,
            pauses=spans,
            touched=read_moments([each[0] if each else None for each in touches]),
            last_touched=last,
            paused_until=read_moments([max(end for _, end in each) if each else None for each in spans]),
            taken=taken,
            stale_at=np.full(len(frame), NEVER, dtype=np.int64),
        )

    def pick_pauses(self, rows: Rows) -> list[tuple[Pause, ...]]:
        return [self.pauses[row] for row in rows.tolist()]


@dataclass(frozen=True, slots=True)
class TargetClocks:
    """When a target's clock started and stopped, as often as it did for each of the rows (``Checked.targets``)."""

    target: Target
    rows: Rows
    since: Micros
    closed: Micros  # ``NEVER`` while it runs
    due: Micros
    pauses: list[tuple[Pause, ...]]
    taken: np.ndarray[Any, np.dtype[np.int64]]

    def select(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> TargetClocks:
        if chosen.all():
            return self
        spans = [self.pauses[place] for place in np.flatnonzero(chosen).tolist()]
        return TargetClocks(
            self.target,
            self.rows[chosen],
            self.since[chosen],
            self.closed[chosen],
            self.due[chosen],
            spans,
            self.taken[chosen],
        )


def join_clocks(found: Sequence[TargetClocks]) -> tuple[Rows, Micros, Micros, Micros]:
    """``rows``, ``since``, ``closed`` and ``due`` of all clocks."""
    none = np.array([], dtype=np.int64)
    since, closed, due = (
        np.concatenate([none, *(getattr(each, name) for each in found)]) for name in ("since", "closed", "due")
    )
    return np.concatenate([none.astype(np.intp), *(each.rows for each in found)]), since, closed, due


def list_clocks(leads: OwnedLeads, rows: Rows, clock: Clock, target: Target, length: timedelta) -> TargetClocks:
    finished, accepted, touched = leads.at["finished_at"], leads.at["accepted_at"], leads.touched
    if target == "next_touch":
        pairs = [
            (row, *pair) for row in rows.tolist() for pair in zip_longest(leads.touches[row], leads.touches[row][1:])
        ]
        rows = np.array([row for row, _, _ in pairs], dtype=np.intp)
        since, closed = (read_moments([pair[place] for pair in pairs]) for place in (1, 2))
        closed = np.where(closed == NEVER, finished[rows], closed)
        goes_on = (finished[rows] == NEVER) | (finished[rows] > since)
        rows, since, closed = rows[goes_on], since[goes_on], closed[goes_on]
    else:
        stops = {
            "first_touch": (touched, finished),
            "acceptance": (accepted, touched, finished),
            "stage": (accepted, finished),
        }
        since, closed = leads.at["clock_from"][rows], _find_earliest([each[rows] for each in stops[target]])
    spans = leads.pick_pauses(rows)
    due = leads.at["due_at"][rows] if target == "first_touch" else compute_due_many(clock, since, length, spans)
    return TargetClocks(target, rows, since, closed, due, spans, leads.taken[target][rows])


def _find_earliest(moments: Sequence[Micros]) -> Micros:
    """The earliest moment in each place; ``NEVER`` where there is none."""
    earliest: Micros = np.min([np.where(each == NEVER, FAR, each) for each in moments], axis=0)
    return np.where(earliest == FAR, NEVER, earliest)
