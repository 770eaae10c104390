"""The forecast: what opportunities come to by owner and forecast category, and what moved between two moments.

Belongs here: figures of states, and each opportunity's movement in parts that sum exactly; pure. Does not belong here:
which days a period has (``forecast_periods``), or the states that were known at a moment (``ledger.forecasts``).

Money is whole cents: there is no rounding in any sum. For every owner and category, the figures before and the parts of
all movements come to the figures after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from leadgate.records.forecast_periods import Period
from leadgate.vocabulary import ForecastCategory, MovementReason

#: The categories that a total has; ``omitted`` is beside it.
COUNTED: Final = (
    ForecastCategory.CLOSED,
    ForecastCategory.COMMIT,
    ForecastCategory.BEST_CASE,
    ForecastCategory.PIPELINE,
)
#: From the surest category to the least sure.
_ORDER: Final = {category: place for place, category in enumerate((*COUNTED, ForecastCategory.OMITTED))}


@dataclass(frozen=True, slots=True)
class RecordState:
    """An opportunity as it was known at a moment. ``cents``: its amount; None where nobody has told one.

    ``category`` of one that is not open: ``closed`` is won, any other is lost.
    """

    record_id: int
    owner: str | None
    cents: int | None
    close_date: date | None
    category: ForecastCategory
    is_open: bool
    sales_stage: str | None = None

    @property
    def bucket(self) -> ForecastCategory | None:
        """The category under which it is counted; None: it is lost. An open one is not won, whatever its category."""
        if not self.is_open:
            return ForecastCategory.CLOSED if self.category is ForecastCategory.CLOSED else None
        return ForecastCategory.COMMIT if self.category is ForecastCategory.CLOSED else self.category

    @property
    def is_won(self) -> bool:
        return self.bucket is ForecastCategory.CLOSED

    def has_slipped(self, today: date) -> bool:
        """Whether it is still open although its close date has passed."""
        return self.is_open and self.close_date is not None and self.close_date < today


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a movement: ``cents`` more (or less) for an owner in a category. What only changed a date has 0."""

    reason: MovementReason
    owner: str | None
    category: ForecastCategory
    cents: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What became of an opportunity between two moments. ``before`` is None where it was not known then."""

    record_id: int
    before: RecordState | None
    after: RecordState | None
    parts: tuple[Part, ...]

    @property
    def reasons(self) -> tuple[MovementReason, ...]:
        """Each once, as they come in the parts."""
        return tuple(dict.fromkeys(part.reason for part in self.parts))

    @property
    def cents(self) -> int:
        """What the movement adds to the total."""
        return sum(part.cents for part in self.parts if part.category in COUNTED)


@dataclass(frozen=True, slots=True)
class Figure:
    """How many opportunities, and what they come to. ``without_amount``: of how many nobody has told an amount."""

    count: int = 0
    cents: int = 0
    without_amount: int = 0

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.count + other.count, self.cents + other.cents, self.without_amount + other.without_amount)


Figures = dict[tuple[str | None, ForecastCategory], Figure]
Sums = dict[tuple[str | None, ForecastCategory], int]


def compute_figures(states: Iterable[RecordState], period: Period) -> Figures:
    """What the opportunities that are expected to close in ``period`` come to, by owner and category."""
    figures: Figures = {}
    for state in states:
        category = _find_bucket(state, period)
        if category is not None:
            key = (state.owner, category)
            figures[key] = figures.get(key, Figure()) + Figure(1, state.cents or 0, int(state.cents is None))
    return figures


def compute_movements(
    before: Mapping[int, RecordState],
    after: Mapping[int, RecordState],
    period: Period,
    day_before: date,
    day_after: date,
) -> list[Movement]:
    """The movement of each opportunity whose figures or dates have changed, by its id.

    The days are those of the two moments: by them a close date has passed. An opportunity that counts at neither moment
    has no movement.
    """
    movements = []
    for record_id in sorted(before.keys() | after.keys()):
        was, now = before.get(record_id), after.get(record_id)
        parts = (
            *_split(was, now, period),
            *_list_date_changes(was, now, period, day_before, day_after),
        )
        if parts:
            movements.append(Movement(record_id, was, now, parts))
    return movements


def sum_parts(parts: Iterable[Part]) -> Sums:
    """By owner and category, in cents."""
    sums: Sums = {}
    for part in parts:
        key = (part.owner, part.category)
        sums[key] = sums.get(key, 0) + part.cents
    return sums


def sum_by_reason(parts: Iterable[Part]) -> dict[MovementReason, dict[ForecastCategory, int]]:
    """By reason, in the order of ``MovementReason``, and category, in cents."""
    sums: dict[MovementReason, dict[ForecastCategory, int]] = {}
    for part in parts:
        of_reason = sums.setdefault(part.reason, dict.fromkeys(ForecastCategory, 0))
        of_reason[part.category] += part.cents
    return {reason: sums[reason] for reason in MovementReason if reason in sums}


def keep_owners(movements: Iterable[Movement], owners: Collection[str | None]) -> list[Movement]:
    """The movements of these owners, each with their parts alone: what goes from one to another is in both."""
    kept = []
    for movement in movements:
        parts = tuple(part for part in movement.parts if part.owner in owners)
        if parts:
            kept.append(Movement(movement.record_id, movement.before, movement.after, parts))
    return kept


def _find_bucket(state: RecordState | None, period: Period) -> ForecastCategory | None:
    return state.bucket if state is not None and period.has(state.close_date) else None


def _split(was: RecordState | None, now: RecordState | None, period: Period) -> Iterable[Part]:
    """What changed in the figures. Who comes into the period counts with what they are now, who leaves it with what
    they were; else one thing changes after another: the amount, the owner, the category."""
    left, entered = _find_bucket(was, period), _find_bucket(now, period)
    if left is None or was is None:
        if now is not None and entered is not None:
            yield Part(_find_entrance(was, now), now.owner, entered, now.cents or 0)
        return
    cents = was.cents or 0
    if now is None or entered is None:
        yield Part(_find_exit(now), was.owner, left, -cents)
        return
    more = (now.cents or 0) - cents
    if more:
        yield Part(MovementReason.AMOUNT_UP if more > 0 else MovementReason.AMOUNT_DOWN, was.owner, left, more)
    cents += more
    if now.owner != was.owner:
        yield Part(MovementReason.OWNER, was.owner, left, -cents)
        yield Part(MovementReason.OWNER, now.owner, left, cents)
    if entered is not left:
        reason = _find_category_change(left, entered)
        yield Part(reason, now.owner, left, -cents)
        yield Part(reason, now.owner, entered, cents)


def _find_entrance(was: RecordState | None, now: RecordState) -> MovementReason:
    if now.is_won:
        return MovementReason.WON
    if was is None:
        return MovementReason.NEW
    return MovementReason.MOVED_IN if was.is_open else MovementReason.REOPENED


def _find_exit(now: RecordState | None) -> MovementReason:
    if now is None:
        return MovementReason.DELETED
    return MovementReason.LOST if now.bucket is None else MovementReason.MOVED_OUT


def _find_category_change(left: ForecastCategory, entered: ForecastCategory) -> MovementReason:
    if entered is ForecastCategory.CLOSED:
        return MovementReason.WON
    if left is ForecastCategory.CLOSED:
        return MovementReason.REOPENED
    up = _ORDER[entered] < _ORDER[left]
    return MovementReason.CATEGORY_UP if up else MovementReason.CATEGORY_DOWN


def _list_date_changes(
    was: RecordState | None, now: RecordState | None, period: Period, day_before: date, day_after: date
) -> Iterable[Part]:
    """What changed no figure and is still told: a close date that moved within the period, or passed."""
    category = _find_bucket(now, period)
    if now is None or category is None or not now.is_open:
        return
    if _find_bucket(was, period) is not None and was is not None and was.close_date != now.close_date:
        later = was.close_date is None or (now.close_date is not None and now.close_date > was.close_date)
        if was.close_date is not None and now.close_date is not None:
            yield Part(MovementReason.PUSHED if later else MovementReason.PULLED_IN, now.owner, category, 0)
    known = was is not None and was.close_date == now.close_date and was.has_slipped(day_before)
    if now.has_slipped(day_after) and not known:
        yield Part(MovementReason.SLIPPED, now.owner, category, 0)
