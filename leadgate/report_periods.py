"""Periods of a report that are named by the day on which somebody looks: the last 30 days, last week, this month.

Belongs here: which days such a period has, and those that it is compared with; pure. Does not belong here: two days
that somebody names, or moments (``console.report.request``).
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

#: What people read, by the name that addresses and options have.
PERIODS: Final = MappingProxyType(
    {
        "today": "Today",
        "yesterday": "Yesterday",
        "this_week": "This week",
        "last_week": "Last week",
        "7_days": "Last 7 days",
        "this_month": "This month",
        "last_month": "Last month",
        "30_days": "Last 30 days",
        "90_days": "Last 90 days",
        "365_days": "Last 365 days",
    }
)
_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})_days")
_MOST_DAYS: Final = 3_660


@dataclass(frozen=True)
class PeriodDays:
    """The first and the last day of a period, and of the one before it; all included."""

    first: date
    last: date
    before_first: date
    before_last: date


def count_days(period: str) -> int | None:
    """How many days ``period`` has, today included, where it is named by that (``30_days``)."""
    found = _DAYS.fullmatch(period)
    return int(found[1]) if found and int(found[1]) <= _MOST_DAYS else None


def describe_period(period: str) -> str:
    """``last_week`` is "Last week", ``45_days`` "Last 45 days"."""
    days = count_days(period)
    return PERIODS.get(period) or (f"Last {days} days" if days is not None else period)


def compute_days(period: str, today: date) -> PeriodDays | None:
    """The days of ``period`` as of ``today``; None where there is no such period. A week begins on Monday.

    A week or month that is not over is compared with as much of the one before: Monday to Wednesday with Monday to
    Wednesday.
    """
    day, week = timedelta(days=1), timedelta(days=7)
    monday, month = today - timedelta(days=today.weekday()), today.replace(day=1)
    last_of_before = month - day
    month_before = last_of_before.replace(day=1)
    match period:
        case "today":
            return PeriodDays(today, today, today - day, today - day)
        case "yesterday":
            return PeriodDays(today - day, today - day, today - 2 * day, today - 2 * day)
        case "this_week":
            return PeriodDays(monday, today, monday - week, today - week)
        case "last_week":
            return PeriodDays(monday - week, monday - day, monday - 2 * week, monday - week - day)
        case "this_month":
            same_day = min(today.day, count_days_of_month(month_before))
            return PeriodDays(month, today, month_before, month_before.replace(day=same_day))
        case "last_month":
            end = month_before - day
            return PeriodDays(month_before, last_of_before, end.replace(day=1), end)
    days = count_days(period)
    if days is None:
        return None
    first = today - timedelta(days=days - 1)
    return PeriodDays(first, today, first - timedelta(days=days), first - day)


def count_days_of_month(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
