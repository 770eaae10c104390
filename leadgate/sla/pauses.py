"""Business time that leaves out pauses: while a lead is waited for, its owner's clock stands still.

Belongs here: due times and elapsed time with pauses in them. Does not belong here: working hours (``hours``), or
when a pause begins and ends (``ledger.pauses``).

A pause is (start, end): the start is in it, the end is not. Pauses of a lead do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from leadgate.sla.hours import Clock
from leadgate.sla.moments import Micros, build_moment, read_moments

Pause = tuple[datetime, datetime]


def compute_due(clock: Clock, start: datetime, length: timedelta, pauses: Sequence[Pause]) -> datetime:
    """The earliest moment when ``length`` of open time outside of ``pauses`` has passed since ``start``."""
    if not length:
        return start
    at, left = start, length
    for first, end in sorted(pauses):
        if clock.add(at, left) <= first:
            break
        if end > at:
            left -= clock.measure_between(at, max(at, first))
            at = end
    return clock.add(at, left)


def compute_due_many(clock: Clock, starts: Micros, length: timedelta, pauses: Sequence[Sequence[Pause]]) -> Micros:
    """``compute_due`` for many starts; ``pauses`` has a sequence for each, mostly an empty one."""
    due = clock.add_many(starts, length)
    for place, own in enumerate(pauses):
        if own:
            due[place] = read_moments([compute_due(clock, build_moment(starts[place]), length, own)])[0]
    return due


def compute_elapsed(clock: Clock, start: datetime, end: datetime, pauses: Sequence[Pause]) -> timedelta:
    """Open time from ``start`` to a later ``end``, less what of it lies in ``pauses``."""
    passed = clock.measure_between(start, end)
    for first, last in pauses:
        first, last = max(first, start), min(last, end)
        if first < last:
            passed -= clock.measure_between(first, last)
    return passed


def add_working_days(
    clock: Clock, starts: pd.Series[pd.Timestamp], days: int, pauses: pd.Series
) -> pd.Series[pd.Timestamp]:
    """``Clock.add_days`` without the working days whose last moment lies in a pause."""
    moments = clock.add_days(starts, days)
    for index in pauses.index[pauses.map(bool).astype(bool)]:
        start, left, number = starts.loc[[index]], days, 0
        while left:
            number += 1
            end = clock.add_days(start, number)[index]
            left -= not any(first < end <= last for first, last in pauses[index])
        moments[index] = end
    return moments
