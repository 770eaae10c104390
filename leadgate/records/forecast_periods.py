"""Periods of a forecast: a month, a quarter or a year of the team's fiscal year, or all days.

Belongs here: which days a period has, by its name; pure. Does not belong here: periods of the report, which look back
(``leadgate.report_periods``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

#: What people read, by the name that addresses and options have.
FORECAST_PERIODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "this_month": "This month",
        "next_month": "Next month",
        "last_month": "Last month",
        "this_quarter": "This quarter",
        "next_quarter": "Next quarter",
        "last_quarter": "Last quarter",
        "this_year": "This year",
        "next_year": "Next year",
        "last_year": "Last year",
        "all": "All days",
    }
)
_STEPS: Final = MappingProxyType({"this": 0, "next": 1, "last": -1})
_LENGTHS: Final = MappingProxyType({"month": 1, "quarter": 3, "year": 12})  # in months
_MONTH: Final = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)
_QUARTER: Final = re.compile(r"([12][0-9]{3})-q([1-4])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """From its first day to its last, both included; None: it has no such end. All days: also who has no close date."""

    first: date | None = None
    last: date | None = None

    def has(self, day: date | None) -> bool:
        if day is None:
            return self.first is None and self.last is None
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


ALL_DAYS: Final = Period()


def find_period(name: str, today: date, fiscal_start: int = 1) -> Period | None:
    """The days of ``this_quarter``, ``2026-11``, ``2026-q4`` or ``all`` as of ``today``; None: there is no such period.

    ``fiscal_start`` is the month in which the fiscal year begins. A fiscal year has the number of the year in which it
    ends: with 4, ``2026-q1`` is April to June of 2025. The quarters and years of ``today`` must be years of Python.
    """
    if name == "all":
        return ALL_DAYS
    if found := _MONTH.fullmatch(name):
        return _build(int(found[1]) * 12 + int(found[2]) - 1, 1)
    if found := _QUARTER.fullmatch(name):
        return _build(_find_year_start(int(found[1]), fiscal_start) + 3 * (int(found[2]) - 1), 3)
    step, _, length = name.partition("_")
    if step not in _STEPS or length not in _LENGTHS:
        return None
    months, month = _LENGTHS[length], today.year * 12 + today.month - 1
    begins = month - (month - (fiscal_start - 1)) % months
    return _build(begins + _STEPS[step] * months, months)


def describe_period(name: str, period: Period, fiscal_start: int = 1) -> str:
    """``This quarter``, ``Q1 of fiscal year 2026``, ``November 2026``."""
    if (words := FORECAST_PERIODS.get(name)) is not None:
        return words
    if found := _QUARTER.fullmatch(name):
        return f"Q{found[2]} of {'' if fiscal_start == 1 else 'fiscal year '}{found[1]}"
    return name if period.first is None else f"{period.first:%B} {period.first.year}"


def _find_year_start(year: int, fiscal_start: int) -> int:
    """The first month of the fiscal year that ends in ``year``, counted from the year 0."""
    return (year - (fiscal_start > 1)) * 12 + fiscal_start - 1


def _build(month: int, months: int) -> Period:
    """``months`` from ``month`` on, which is counted from January of the year 0."""
    first = _first_day(month)
    return Period(first, _first_day(month + months) - timedelta(days=1))


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
