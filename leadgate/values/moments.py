"""Dates and times as exports and people write them.

Belongs here: text to a moment in UTC or a day. Does not belong here: working hours (``hours``), and the
clock: "12 days ago" is relative to a moment the caller gives.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Any, Final

from dateutil import parser  # type: ignore[import-untyped]  # publishes no types

from leadgate.values.text import fold

_LONGEST: Final = 64
_YEARS: Final = range(1900, 2101)

_SHORT: Final = re.compile(
    r"(?P<first>\d{1,2})(?P<sign>[/.\-])(?P<second>\d{1,2})[/.\-](?P<year>\d{4})(?:[,T\s]+(?P<time>.+))?"
)
_EPOCH: Final = re.compile(r"(\d{10}|\d{13})(?:\.0+)?")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|\d[/.\- ']\d\d(?!\d)")
_YEAR_FIRST: Final = re.compile(r"\d{4}\D")
_NUMBER_ONLY: Final = re.compile(r"[\d.]+")

_UNITS: Final = {
    "minute": "minutes", "minutes": "minutes", "min": "minutes", "mins": "minutes", "minuten": "minutes",
    "minutos": "minutes", "hour": "hours", "hours": "hours", "heure": "hours", "heures": "hours",
    "stunde": "hours", "stunden": "hours", "hora": "hours", "horas": "hours",
    "day": "days", "days": "days", "jour": "days", "jours": "days", "tag": "days", "tage": "days",
    "tagen": "days", "dia": "days", "dias": "days", "week": "weeks", "weeks": "weeks", "semaine": "weeks",
    "semaines": "weeks", "woche": "weeks", "wochen": "weeks", "semana": "weeks", "semanas": "weeks",
}  # fmt: skip
_AGO: Final = re.compile(r"(?:il y a |vor |hace )?(\d{1,5}|an?|one|une?|einem|einer) ([a-z]+)(?: ago)?")
_NAMED_DAYS: Final = {
    "today": 0, "now": 0, "just now": 0, "heute": 0, "hoy": 0, "aujourd hui": 0,
    "yesterday": 1, "gestern": 1, "ayer": 1, "hier": 1,
}  # fmt: skip

#: Hours east of UTC of the abbreviations that are unambiguous in practice; others count as UTC.
_ZONES: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "CET": 1, "WEST": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9, "AEST": 10,
}  # fmt: skip


def read_moment(text: str, *, day_first: bool, relative_to: datetime) -> datetime | None:
    """The moment ``text`` names, aware and in UTC, or ``None`` when it names none.

    A time without a zone is taken as UTC, a day as its midnight. ``day_first`` decides "05/07/2025" only:
    "02/15/2025" and "15/02/2025" say themselves what they are, and with points ("5.7.2025") the day is first. Numbers
    of 10 or 13 digits are seconds or milliseconds since 1970 (HubSpot exports the latter).

    >>> now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    >>> for text in ("05/07/2025", "02/15/2025", "19-Mar-2025", "12 days ago", "soon"):
    ...     print(read_moment(text, day_first=True, relative_to=now))
    2025-07-05 00:00:00+00:00
    2025-02-15 00:00:00+00:00
    2025-03-19 00:00:00+00:00
    2026-02-26 12:00:00+00:00
    None
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    try:
        found = _read(text, day_first, relative_to)
        if found is None:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, IndexError):
        return None  # dateutil raises all of these for one text or another
    return found if found.year in _YEARS else None


def read_date(text: str, *, day_first: bool, relative_to: datetime) -> date | None:
    """The day ``text`` names, on the calendar it was written by, or ``None``.

    >>> read_date("2025-03-19T23:30:00-05:00", day_first=True, relative_to=datetime(2026, 3, 10, tzinfo=UTC))
    datetime.date(2025, 3, 19)
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    try:
        found = _read(text, day_first, relative_to)
    except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, IndexError):
        return None
    return found.date() if found is not None and found.year in _YEARS else None


def _read(text: str, day_first: bool, relative_to: datetime) -> datetime | None:
    if epoch := _EPOCH.fullmatch(text):
        seconds = int(epoch[1]) if len(epoch[1]) == 10 else int(epoch[1]) / 1000
        return datetime.fromtimestamp(seconds, UTC)
    if short := _SHORT.fullmatch(text):
        return _read_short_date(short, day_first)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if (ago := _read_relative(text)) is not None:
        return relative_to - ago
    # dateutil fills what a text leaves out from a default date; without a year in sight it would make one up
    if _NUMBER_ONLY.fullmatch(text) or not _YEAR.search(text):
        return None
    return _parse_by_dateutil(text, day_first)


def _read_short_date(short: re.Match[str], day_first: bool) -> datetime | None:
    first, second, year = int(short["first"]), int(short["second"]), int(short["year"])
    day_first = day_first or short["sign"] == "."  # nobody writes the month first with points
    day, month = (first, second) if (day_first and second <= 12) or first > 12 else (second, first)
    at = datetime(year, month, day)  # noqa: DTZ001 - moment_of gives it the zone
    if short["time"] is None:
        return at
    with_time: datetime = _build_reader().parse(short["time"], default=at, tzinfos=_build_zone)
    return with_time if with_time.date() == at.date() else None


def _read_relative(text: str) -> timedelta | None:
    plain = fold(text)
    if (days := _NAMED_DAYS.get(plain)) is not None:
        return timedelta(days=days)
    ago = _AGO.fullmatch(plain)
    if ago is None or (unit := _UNITS.get(ago[2])) is None or plain == f"{ago[1]} {ago[2]}":
        return None
    return timedelta(**{unit: int(ago[1]) if ago[1].isdigit() else 1})


def _parse_by_dateutil(text: str, day_first: bool) -> datetime | None:
    # Two defaults that share no part: a text that leaves out day or month gives two answers, so none.
    read = _build_reader()
    day_first = day_first and not _YEAR_FIRST.match(text)  # it would read 2025-03-04 as the 3rd of April
    first, second = (
        read.parse(text, default=default, dayfirst=day_first, tzinfos=_build_zone)
        for default in (datetime(2000, 1, 1), datetime(2001, 2, 2))  # noqa: DTZ001
    )
    return first if first == second else None


@cache
def _build_reader() -> Any:
    return parser.parser()


def _build_zone(name: str | None, offset: int | None) -> tzinfo:
    seconds = offset if offset is not None else 3600 * _ZONES.get((name or "").upper(), 0)
    return timezone(timedelta(seconds=seconds)) if abs(seconds) < 86_400 else UTC
