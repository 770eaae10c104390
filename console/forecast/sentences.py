"""What moved in a forecast, as a manager would say it: money, dates, and a sentence for each opportunity.

Belongs here: pure functions from movements to words. Does not belong here: which movements there are
(``leadgate.records.forecast``), or a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from leadgate.records.forecast import Movement, RecordState
from leadgate.vocabulary import ForecastCategory, MovementReason

#: What a column of the forecast is called.
CATEGORY_WORDS: Final[Mapping[ForecastCategory, str]] = MappingProxyType(
    {
        ForecastCategory.CLOSED: "Won",
        ForecastCategory.COMMIT: "Commit",
        ForecastCategory.BEST_CASE: "Best case",
        ForecastCategory.PIPELINE: "Pipeline",
        ForecastCategory.OMITTED: "Omitted",
    }
)
#: What a row of the movements is called.
REASON_WORDS: Final[Mapping[MovementReason, str]] = MappingProxyType(
    {
        MovementReason.NEW: "New",
        MovementReason.MOVED_IN: "Moved in",
        MovementReason.REOPENED: "Open again",
        MovementReason.AMOUNT_UP: "Amount up",
        MovementReason.AMOUNT_DOWN: "Amount down",
        MovementReason.OWNER: "Another owner",
        MovementReason.CATEGORY_UP: "Surer",
        MovementReason.CATEGORY_DOWN: "Less sure",
        MovementReason.WON: "Won",
        MovementReason.LOST: "Lost",
        MovementReason.MOVED_OUT: "Moved out",
        MovementReason.DELETED: "Deleted",
        MovementReason.PUSHED: "Pushed",
        MovementReason.PULLED_IN: "Pulled in",
        MovementReason.SLIPPED: "Slipped",
    }
)

NameRep = Callable[[str], str]


def format_money(cents: int, *, sign: bool = False) -> str:
    """``40,000``, or ``40,000.50`` where there are cents; with ``sign`` also ``+40,000``.

    >>> format_money(4_000_000), format_money(-50, sign=True), format_money(0, sign=True)
    ('40,000', '-0.50', '0')
    """
    whole, part = divmod(abs(cents), 100)
    mark = "-" if cents < 0 else "+" if sign and cents else ""
    return f"{mark}{whole:,}" + (f".{part:02}" if part else "")


def format_day(day: date | None, year: int | None = None) -> str:
    """``Wed 25 Nov``, with the year where it is another than ``year``."""
    if day is None:
        return "no date"
    return f"{day:%a} {day.day} {day:%b}" + ("" if day.year == year else f" {day.year}")


def name_owner(owner: str | None, name_rep: NameRep) -> str:
    return "No owner" if owner is None else name_rep(owner)


def explain_movement(movement: Movement, name_rep: NameRep, year: int) -> str:
    """A sentence: what happened to the opportunity, and what that makes of its amount."""
    told = [_explain_reason(reason, movement, name_rep, year) for reason in movement.reasons]
    words = "; ".join(dict.fromkeys(told))
    return f"{words[:1].upper()}{words[1:]}."


def _explain_reason(reason: MovementReason, movement: Movement, name_rep: NameRep, year: int) -> str:
    before, after = movement.before, movement.after
    # a reason says which of the two there is; a state stands in where there is none
    was, now = before or after, after or before
    assert was is not None  # noqa: S101 - a movement has one of them
    assert now is not None  # noqa: S101
    match reason:
        case MovementReason.NEW:
            return f"new in {_name_category(now)}: {_format_amount(now)}, to close {_format_close(now, year)}"
        case MovementReason.MOVED_IN:
            return f"moved into the period with {_format_amount(now)}: {_explain_dates(was, now, year)}"
        case MovementReason.MOVED_OUT:
            return f"moved out of the period with {_format_amount(was)}: {_explain_dates(was, now, year)}"
        case MovementReason.REOPENED:
            return f"open again in {_name_category(now)} with {_format_amount(now)}"
        case MovementReason.AMOUNT_UP | MovementReason.AMOUNT_DOWN:
            return f"amount from {_format_amount(was)} {_say_direction(was, now)} to {_format_amount(now)}"
        case MovementReason.OWNER:
            return f"owner from {name_owner(was.owner, name_rep)} to {name_owner(now.owner, name_rep)}"
        case MovementReason.CATEGORY_UP:
            return f"from {_name_category(was)} up to {_name_category(now)}"
        case MovementReason.CATEGORY_DOWN:
            return f"from {_name_category(was)} down to {_name_category(now)}"
        case MovementReason.WON:
            return f"won with {_format_amount(now)}{_say_before(before)}"
        case MovementReason.LOST:
            return f"lost with {_format_amount(was)}{_say_before(before)}"
        case MovementReason.DELETED:
            return f"deleted where it came from, with {_format_amount(was)}"
        case MovementReason.PUSHED | MovementReason.PULLED_IN:
            return f"{reason.replace('_', ' ')} {_count_days(was, now)}: {_explain_dates(was, now, year)}"
        case MovementReason.SLIPPED:
            return f"slipped: was to close {_format_close(now, year)} and is still open"


def _name_category(state: RecordState) -> str:
    category = state.bucket
    return "lost" if category is None else CATEGORY_WORDS[category].lower()


def _format_amount(state: RecordState) -> str:
    return "no amount" if state.cents is None else format_money(state.cents)


def _format_close(state: RecordState, year: int) -> str:
    return "on no date" if state.close_date is None else f"on {format_day(state.close_date, year)}"


def _explain_dates(was: RecordState, now: RecordState, year: int) -> str:
    return f"close date from {format_day(was.close_date, year)} to {format_day(now.close_date, year)}"


def _say_direction(was: RecordState, now: RecordState) -> str:
    return "up" if (now.cents or 0) > (was.cents or 0) else "down"


def _say_before(before: RecordState | None) -> str:
    if before is None:
        return ""
    return f", was {_name_category(before)}"


def _count_days(was: RecordState, now: RecordState) -> str:
    if was.close_date is None or now.close_date is None:
        return ""
    days = abs((now.close_date - was.close_date).days)
    return "1 day" if days == 1 else f"{days:,} days"
