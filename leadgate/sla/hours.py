"""Business time: how far a duration reaches when only working hours count.

Belongs here: one pool's clock (its time zone, week, public holidays and closed days), for one moment or a
whole column of them. Does not belong here: which SLA runs on which clock (``routing``), nor what is done
when it has run out.

The office is open while the clock on its wall shows a time inside one of the day's spans. Everything
follows from that, daylight saving included: a span of 00:00 to 24:00 lasts 23 hours on the day the clocks
go forward and 25 on the day they go back, and a time the wall clock skips is not waited for. Durations are
real elapsed time; arithmetic is on whole microseconds since 1970, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from leadgate.errors import LeadgateError
from leadgate.nearest import propose
from leadgate.playbook import Hours
from leadgate.sla.moments import NEVER, Micros
from leadgate.sla.zones import FIRST_YEAR, LAST_YEAR, list_time_zones

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US

#: How far past a start a due time is looked for. Hours that open less than that are a mistake.
HORIZON_YEARS = 16

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class HoursError(LeadgateError, ValueError):
    """Working hours that make no sense, or a moment or duration that they cannot answer for."""


@dataclass(frozen=True, slots=True)
class _OpenTimes:
    """Open spans, sorted and apart. ``before[i]`` is the open time ahead of span i. All microseconds, UTC."""

    first_year: int
    last_year: int  # included
    starts: Micros
    ends: Micros
    before: Micros

    @property
    def total(self) -> int:
        return int(self.before[-1] + self.ends[-1] - self.starts[-1]) if self.starts.size else 0

    def compute_elapsed(self, at: Micros) -> Micros:
        """Open time from the table's beginning up to each moment."""
        if not self.starts.size:
            return np.zeros(at.shape, dtype=np.int64)
        last = np.searchsorted(self.starts, at, side="right") - 1
        span = np.maximum(last, 0)
        passed: Micros = self.before[span] + np.minimum(at, self.ends[span]) - self.starts[span]
        passed[last < 0] = 0
        return passed

    def find_reached(self, elapsed: Micros) -> Micros:
        """The earliest moment with that much open time behind it: a span's end, not the next one's start."""
        through = self.before + (self.ends - self.starts)
        span = np.searchsorted(through, elapsed, side="left")
        moments: Micros = self.ends[span] + elapsed - through[span]
        return moments


class Clock:
    """A business clock; ``Clock(None)`` is the wall clock, on which every moment is open.

    Moments are time-zone-aware; answers are in UTC. Raises ``HoursError`` for hours that cannot be meant:
    an unknown time zone or holiday calendar, a week without a span, a span without length. Keep the object:
    it remembers the open spans it has worked out, and may be shared between threads.
    """

    def __init__(self, hours: Hours | None) -> None:
        self._wall = hours is None
        self._open_times: _OpenTimes | None = None
        self._days: tuple[int, int, Micros, pd.DatetimeIndex] | None = None
        if hours is not None:
            self._closed = set(hours.closed)
            self._zone = _load_zone(hours.time_zone)
            self._calendar = _find_calendar(hours.holidays)
            self._spans = _list_spans(hours)

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The moment when ``duration`` of open time has passed since ``start``.

        It is inside an open span or at its end: eight hours from Friday 09:00 end on Friday at 17:00, not on
        Monday morning. A duration of zero gives ``start`` back. ``HoursError`` when the duration is negative
        or the hours do not open for so long within ``HORIZON_YEARS``.
        """
        return _compute_moment(int(self._advance(_compute_micros(start), duration)[0]))

    def add_many(self, starts: Micros, duration: timedelta) -> Micros:
        """``add`` for many moments (``leadgate.sla.moments``); ``NEVER`` stays so."""
        known = starts != NEVER
        if known.all():
            return self._advance(starts, duration) if starts.size else starts.copy()
        due = starts.copy()
        if known.any():
            due[known] = self._advance(starts[known], duration)
        return due

    def measure_between(self, first: datetime, second: datetime) -> timedelta:
        """Open time from ``first`` to ``second``; negative when ``second`` is the earlier one."""
        at = np.concatenate([_compute_micros(first), _compute_micros(second)])
        elapsed = at if self._wall else self._cover(at).compute_elapsed(at)
        return int(elapsed[1] - elapsed[0]) * _MICROSECOND

    def add_days(self, starts: pd.Series[pd.Timestamp], days: int) -> pd.Series[pd.Timestamp]:
        """The end of the last hour of the ``days``-th working day that begins after each start's own day.

        A working day is a date, in the clock's time zone, on which it opens; on the wall clock every date of UTC
        is one, and ends at midnight. Same index, in UTC; no start may be missing.
        """
        at = starts.dt.tz_convert("UTC")
        if self._wall:
            return at.dt.floor("D") + pd.Timedelta(days=days + 1)
        first, ahead = int(at.dt.year.min()), 1
        dates = at.dt.tz_convert(self._zone).dt.tz_localize(None).to_numpy("datetime64[D]").astype(np.int64)
        while ahead <= HORIZON_YEARS:
            working, ends = self._find_working_days(first, int(at.dt.year.max()) + ahead)
            place = np.searchsorted(working, dates, side="right") + days - 1
            if place.max() < working.size:
                return pd.Series(ends[place], index=starts.index, name=starts.name)
            ahead *= 2
        raise HoursError(f"these hours have no {days} working days in the {HORIZON_YEARS} years from {first}")

    def _find_working_days(self, first_year: int, last_year: int) -> tuple[Micros, pd.DatetimeIndex]:
        """The dates on which the clock opens, as days since 1970, and when the last hour of each ends."""
        if (known := self._days) is None or known[0] > first_year or known[1] < last_year:
            free = self._closed | _list_public_holidays(self._calendar, first_year, last_year)
            dates = _list_working_days(free, first_year, last_year)
            close = np.array(
                [max((end for day, _, end in self._spans if day == each), default=-1) for each in range(7)]
            )
            closes = close[_compute_weekday(dates)]
            dates, closes = dates[closes >= 0], closes[closes >= 0]
            local = pd.DatetimeIndex((dates * _DAY_US + closes).view("datetime64[us]"))
            twice = np.zeros(local.size, dtype=bool)  # an hour that the clocks show twice ends the second time
            ends = local.tz_localize(self._zone, ambiguous=twice, nonexistent="shift_forward").tz_convert("UTC")
            self._days = known = (first_year, last_year, dates, ends)
        return known[2], known[3]

    def is_open(self, at: datetime) -> bool:
        """Whether ``at`` is inside a span; its first moment is, its end is not."""
        return self.measure_between(at, at.astimezone(UTC) + _MICROSECOND) > timedelta(0)

    def find_next_open(self, at: datetime) -> datetime:
        """``at`` itself when it is open, else the next opening. ``HoursError`` beyond ``HORIZON_YEARS``."""
        # the next microsecond of work ends at the opening and that microsecond
        return self.add(at, _MICROSECOND) - _MICROSECOND

    def _advance(self, starts: Micros, duration: timedelta) -> Micros:
        span = duration // _MICROSECOND
        if span < 0:
            raise HoursError(f"a clock does not run backwards: {duration} is negative")
        if span == 0 or self._wall:
            return starts + span
        ahead = 1
        while ahead <= HORIZON_YEARS:
            table = self._cover(starts, ahead)
            target = table.compute_elapsed(starts) + span
            if target.max() <= table.total:
                return table.find_reached(target)
            ahead *= 2
        raise HoursError(
            f"these hours are not open for {duration} in all of the {HORIZON_YEARS} years from "
            f"{_compute_moment(int(starts.max())):%Y-%m-%d}; check their week, holidays and closed days"
        )

    def _cover(self, at: Micros, ahead: int = 0) -> _OpenTimes:
        """The open spans from the first year of ``at`` to ``ahead`` years past its last; grows as needed."""
        first, last = _compute_moment(int(at.min())).year, _compute_moment(int(at.max())).year
        if first < FIRST_YEAR or last > LAST_YEAR:
            raise HoursError(f"business hours are known from {FIRST_YEAR} to {LAST_YEAR}, not in {first}-{last}")
        last += ahead
        table = self._open_times
        if table is not None:
            if table.first_year <= first and last <= table.last_year:
                return table
            first, last = min(first, table.first_year), max(last, table.last_year)
        free = self._closed | _list_public_holidays(self._calendar, first, last)
        self._open_times = table = _build(self._spans, self._zone, free, first, last)
        return table


_clocks: dict[str, Clock] = {}


def make_clock(hours: Hours | None) -> Clock:
    """The clock of these hours. Equal hours share one, and with it the open spans already worked out."""
    key = "" if hours is None else hours.model_dump_json()
    if key not in _clocks:
        _clocks[key] = Clock(hours)
    return _clocks[key]


def _compute_micros(at: datetime) -> Micros:
    if at.tzinfo is None:
        raise HoursError(f"{at.isoformat()} has no time zone; a clock needs to know which moment is meant")
    return np.array([(at - _EPOCH) // _MICROSECOND], dtype=np.int64)


def _compute_moment(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def _load_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path out of the zone folder, a folder of zones
        raise HoursError(f"{name!r} is not a time zone; {propose(name, list_time_zones())}") from None


def _list_spans(hours: Hours) -> tuple[tuple[int, int, int], ...]:
    """(weekday, start, end) in microseconds of that day; an end past 24 hours belongs to the day it began."""
    spans = []
    for day, listed in hours.week.items():
        for start, end in listed:
            if start.tzinfo is not None or end.tzinfo is not None:
                raise HoursError(f"{day}: write times without a zone; they are in {hours.time_zone}")
            if start == end != time(0):
                raise HoursError(f"{day}: the span {start:%H:%M} to {end:%H:%M} has no length")
            opens, closes = _compute_time_of_day(start), _compute_time_of_day(end)
            spans.append((_WEEKDAYS.index(day), opens, closes if closes > opens else closes + _DAY_US))
    if not spans:
        raise HoursError("a week without a single span never opens; list at least one, like mon: [09:00-17:00]")
    return tuple(spans)


def _compute_time_of_day(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * _SECOND_US + at.microsecond


def _find_calendar(code: str | None) -> tuple[str, str | None] | None:
    """``DE`` or ``DE-BY`` as country and subdivision, known to the holidays package."""
    if code is None:
        return None
    import holidays  # 0.12 s, and only for those whose playbook names a calendar

    supported: dict[str, list[str]] = holidays.list_supported_countries()
    country, _, subdivision = code.partition("-")
    if country not in supported:
        raise HoursError(f"{code!r}: there is no holiday calendar for {country!r}; {propose(country, supported)}")
    if subdivision and subdivision not in supported[country]:
        known = propose(subdivision, supported[country])
        raise HoursError(f"{code!r}: {country} has no holiday calendar for {subdivision!r}; {known}")
    return country, subdivision or None


def _list_public_holidays(calendar: tuple[str, str | None] | None, first_year: int, last_year: int) -> set[date]:
    if calendar is None:
        return set()
    import holidays

    country, subdivision = calendar
    return set(holidays.country_holidays(country, subdiv=subdivision, years=range(first_year - 1, last_year + 2)))


def _build(
    spans: tuple[tuple[int, int, int], ...], zone: ZoneInfo, free: set[date], first_year: int, last_year: int
) -> _OpenTimes:
    """Every open span of these UTC years: spans on the wall clock first, then moved to UTC."""
    lower = _compute_micros(datetime(first_year, 1, 1, tzinfo=UTC))[0]
    upper = _compute_micros(datetime(last_year + 1, 1, 1, tzinfo=UTC))[0]
    # days around both ends: zones are up to 14 hours ahead, and a night shift began the evening before
    working = _list_working_days(free, first_year, last_year)
    weekday = _compute_weekday(working)
    opens = [working[weekday == day] * _DAY_US + start for day, start, _ in spans]
    closes = [working[weekday == day] * _DAY_US + end for day, _, end in spans]
    local_starts, local_ends = _merge(np.concatenate(opens), np.concatenate(closes))

    starts, ends = [], []
    for since, until, offset in _find_offsets(zone, int(lower), int(upper)):
        starts.append(np.maximum(local_starts - offset, since))
        ends.append(np.minimum(local_ends - offset, until))
    utc_starts, utc_ends = np.concatenate(starts), np.concatenate(ends)
    some = utc_starts < utc_ends
    utc_starts, utc_ends = _merge(utc_starts[some], utc_ends[some])
    before = np.cumsum(utc_ends - utc_starts) - (utc_ends - utc_starts)
    return _OpenTimes(first_year, last_year, utc_starts, utc_ends, before)


def _list_working_days(free: set[date], first_year: int, last_year: int) -> Micros:
    """The dates around these years that are not free, as days since 1970."""
    days = np.arange(f"{first_year - 1}-12-29", f"{last_year + 1}-01-04", dtype="datetime64[D]")
    return days[~np.isin(days, np.array(sorted(free), dtype="datetime64[D]"))].astype(np.int64)


def _compute_weekday(days: Micros) -> Micros:
    return (days + 3) % 7  # day 0, 1970-01-01, was a Thursday


def _merge(starts: Micros, ends: Micros) -> tuple[Micros, Micros]:
    """Spans that overlap or touch become one; sorted."""
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    fresh = np.concatenate([[True], starts[1:] > reach[:-1]])[: starts.size]
    last_of_each = np.concatenate([fresh[1:], [True]])[: starts.size]
    return starts[fresh], reach[last_of_each]


def _find_offsets(zone: ZoneInfo, lower: int, upper: int) -> Iterator[tuple[int, int, int]]:
    """(since, until, offset from UTC) in microseconds for the stretches that keep one offset, in order.

    Looks once a day and bisects to the second where two days differ; no zone has ever changed its offset
    and changed it back within a day.
    """

    def find_offset(second: int) -> int:
        away = datetime.fromtimestamp(second, zone).utcoffset()
        return 0 if away is None else away // _MICROSECOND

    since, current = lower, find_offset(lower // _SECOND_US)
    for day_start in range(lower // _SECOND_US, upper // _SECOND_US, 86_400):
        before, after = day_start, day_start + 86_400
        if find_offset(after) == current:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if find_offset(middle) == current else (before, middle)
        yield since, after * _SECOND_US, current
        since, current = after * _SECOND_US, find_offset(after)
    yield since, upper, current
