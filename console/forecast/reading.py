"""A forecast, read: figures by owner, what moved from one moment to the other by reason, and each opportunity's part.

Belongs here: putting states, movements and names together. Does not belong here: the arithmetic
(``leadgate.records.forecast``), the queries (``ledger.forecasts``), or words (``sentences``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from console.forecast.request import AskedForecast
from leadgate.ledger import Ledger, forecasts
from leadgate.ledger.forecasts import RecordFacts
from leadgate.records.forecast import (
    COUNTED,
    Figure,
    Figures,
    Movement,
    RecordState,
    compute_figures,
    compute_movements,
    keep_owners,
    sum_by_reason,
)
from leadgate.vocabulary import ForecastCategory, MovementReason

_NOTHING: Final = Figure()


@dataclass(frozen=True)
class OwnerLine:
    """What an owner's opportunities come to at the end, and what all of them came to at the beginning, in cents."""

    owner: str | None
    figures: Mapping[ForecastCategory, Figure]
    total_before: int

    @property
    def total(self) -> int:
        return sum(self.figures[category].cents for category in COUNTED)

    @property
    def change(self) -> int:
        return self.total - self.total_before


@dataclass(frozen=True)
class MovedLine:
    """What moved for one reason, in cents by category. The lines of all reasons come from the beginning to the end."""

    reason: MovementReason
    cents: Mapping[ForecastCategory, int]
    count: int

    @property
    def total(self) -> int:
        return sum(self.cents[category] for category in COUNTED)


@dataclass(frozen=True)
class MovedRecord:
    """An opportunity that moved. ``cents``: what that adds to the total of the owners who are looked at."""

    movement: Movement
    facts: RecordFacts

    @property
    def record_id(self) -> int:
        return self.movement.record_id

    @property
    def cents(self) -> int:
        return self.movement.cents

    @property
    def size(self) -> int:
        return max(abs(part.cents) for part in self.movement.parts)


@dataclass(frozen=True)
class Forecast:
    """``known``: how many opportunities were ever told, of anybody, and ``known_owners`` whose they are.

    ``overdue``: open ones whose close date was before the period, ``undated``: open ones without a close date; neither
    is in a figure of the period.
    """

    asked: AskedForecast
    known: int
    known_owners: frozenset[str]
    start: Mapping[ForecastCategory, int]
    end: Mapping[ForecastCategory, Figure]
    owners: Sequence[OwnerLine]
    moved: Sequence[MovedLine]
    records: Sequence[MovedRecord]
    overdue: Figure
    undated: Figure

    @property
    def total_before(self) -> int:
        return sum(self.start[category] for category in COUNTED)

    @property
    def total(self) -> int:
        return sum(self.end[category].cents for category in COUNTED)


def read_forecast(ledger: Ledger, asked: AskedForecast) -> Forecast:
    """The forecast of ``asked``, all of it of one moment of the ledger."""
    with ledger.snapshot() as connection:
        before, after = (forecasts.read_states(connection, at) for at in (asked.since, asked.until))
        movements = compute_movements(before, after, asked.period, asked.day_before, asked.day_after)
        if asked.owners is not None:
            movements = keep_owners(movements, asked.owners)
        facts = forecasts.read_facts(connection, [each.record_id for each in movements], asked.since, asked.until)
        known = forecasts.count_opportunities(connection)
    return build_forecast(asked, known, before, after, movements, facts)


def build_forecast(
    asked: AskedForecast,
    known: int,
    before: Mapping[int, RecordState],
    after: Mapping[int, RecordState],
    movements: Sequence[Movement],
    facts: Mapping[int, RecordFacts],
) -> Forecast:
    """Pure. What moved most money comes first, also from one column to another; of the same size the later one."""
    theirs = [_keep(states.values(), asked.owners) for states in (before, after)]
    start, end = (compute_figures(states, asked.period) for states in theirs)
    moved = [MovedRecord(each, facts[each.record_id]) for each in movements if each.record_id in facts]
    counts: dict[MovementReason, int] = {}
    for each in movements:
        for reason in each.reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return Forecast(
        asked=asked,
        known=known,
        known_owners=frozenset(state.owner for state in (*before.values(), *after.values()) if state.owner is not None),
        start={category: figure.cents for category, figure in _sum_owners(start).items()},
        end=_sum_owners(end),
        owners=_build_owner_lines(start, end),
        moved=[
            MovedLine(reason, cents, counts[reason])
            for reason, cents in sum_by_reason(part for each in movements for part in each.parts).items()
        ],
        records=sorted(moved, key=lambda each: (-each.size, -each.record_id)),
        overdue=_sum_figures(_list_overdue(theirs[1], asked)),
        undated=_sum_figures(
            state for state in theirs[1] if state.is_open and state.close_date is None and asked.period.first
        ),
    )


def _keep(states: Collection[RecordState], owners: frozenset[str] | None) -> list[RecordState]:
    return [state for state in states if owners is None or state.owner in owners]


def _list_overdue(states: Iterable[RecordState], asked: AskedForecast) -> Iterable[RecordState]:
    first = asked.period.first
    return (state for state in states if first is not None and state.has_slipped(min(first, asked.day_after)))


def _sum_figures(states: Iterable[RecordState]) -> Figure:
    total = _NOTHING
    for state in states:
        total += Figure(1, state.cents or 0, int(state.cents is None))
    return total


def _sum_owners(figures: Figures) -> dict[ForecastCategory, Figure]:
    sums = dict.fromkeys(ForecastCategory, _NOTHING)
    for (_, category), figure in figures.items():
        sums[category] += figure
    return sums


def _build_owner_lines(start: Figures, end: Figures) -> list[OwnerLine]:
    """Who has most comes first, what has no owner last."""
    owners = dict.fromkeys(owner for owner, _ in (*end, *start))
    lines = [
        OwnerLine(
            owner,
            {category: end.get((owner, category), _NOTHING) for category in ForecastCategory},
            sum(start.get((owner, category), _NOTHING).cents for category in COUNTED),
        )
        for owner in owners
    ]
    return sorted(lines, key=lambda line: (line.owner is None, -line.total, line.owner or ""))
