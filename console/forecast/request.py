"""What a forecast is asked for: since when, until when, which period and whose; for the command and the console.

Belongs here: reading what was asked for, and telling it in a line. Does not belong here: what a forecast holds
(``reading``), or where it goes (``command``, ``console.web``).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from console.screen import CommandError
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.records.forecast_periods import FORECAST_PERIODS, Period, describe_period, find_period
from leadgate.sla.zones import FIRST_YEAR, LAST_YEAR, list_time_zones

DEFAULT_PERIOD: Final = "this_quarter"
DEFAULT_SINCE: Final = "monday"
#: The days that are named by a word, as how many days before today.
_DAYS_AGO: Final[Mapping[str, int]] = MappingProxyType({"today": 0, "yesterday": 1})
_WEEKDAYS: Final = tuple(name.lower() for name in calendar.day_name)
#: Days that a page offers to choose from.
SINCE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {"today": "Today", "yesterday": "Yesterday", "monday": "Monday", "7_days": "7 days ago", "30_days": "30 days ago",
     "90_days": "90 days ago"}
)  # fmt: skip


@dataclass(frozen=True)
class ForecastOptions:
    """As typed. ``since`` begins with its day, ``until`` ends with it; days are of ``zone``."""

    since: str = DEFAULT_SINCE
    until: str | None = None
    period: str = DEFAULT_PERIOD
    fiscal_start: int = 1


@dataclass(frozen=True)
class AskedForecast:
    """What is compared, in moments. ``owners``: whose opportunities; None: everybody's, also those without an owner."""

    since: datetime
    until: datetime
    now: datetime
    zone: str
    period: Period
    period_words: str
    owners: frozenset[str] | None = None

    @property
    def day_before(self) -> date:
        return self.since.astimezone(ZoneInfo(self.zone)).date()

    @property
    def day_after(self) -> date:
        return self.until.astimezone(ZoneInfo(self.zone)).date()


def ask_forecast(
    options: ForecastOptions, now: datetime, zone_name: str, owners: frozenset[str] | None
) -> AskedForecast:
    """What is asked for, in moments. Raises ``CommandError``."""
    if zone_name not in list_time_zones():
        raise CommandError(f"{zone_name!r} is not a time zone; {propose(zone_name, list_time_zones())}")
    zone = ZoneInfo(zone_name)
    today = now.astimezone(zone).date()
    since = _find_begin(_read_day(options.since, today), zone)
    last = today if options.until is None else _read_day(options.until, today)
    until = min(now, _find_begin(last + timedelta(days=1), zone))
    if since >= until:
        raise CommandError(
            f"--since ({options.since}) begins at {_format_moment(since, zone)}, which is not before "
            f"{_format_moment(until, zone)}, where the comparison ends; name an earlier day"
        )
    name = options.period.replace("-", "_") if options.period[:1].isalpha() else options.period.lower()
    period = find_period(name, min(last, today), options.fiscal_start)
    if period is None:
        proposed = propose(name[:80], FORECAST_PERIODS)
        raise CommandError(
            f"there is no period {options.period[:80]!r}; {proposed}. A month is written 2026-11, a quarter 2026-q4"
        )
    words = describe_period(name, period, options.fiscal_start)
    return AskedForecast(since, until, now, zone_name, period, words, owners)


def find_owners(playbook: Playbook, owner: str | None, team: str | None) -> frozenset[str] | None:
    """Whose opportunities: those of a rep, or of a manager's reps, or None, everybody's. Raises ``CommandError``."""
    if owner is not None and team is not None:
        raise CommandError("--owner names one rep and --team a manager with all their reps; leave one of them out")
    if team is not None:
        managers = {rep.manager for rep in playbook.reps if rep.manager}
        if team not in managers:
            raise CommandError(f"there is no manager {team[:80]!r}; {propose(team[:80], managers)}")
        return frozenset(rep.name for rep in playbook.reps if team in (rep.manager, rep.name))
    if owner is None:
        return None
    return frozenset({owner})


def require_rep(owner: str, playbook: Playbook, known: Iterable[str]) -> None:
    """A rep who is in neither the playbook nor the forecast is misspelt. Raises ``CommandError``."""
    reps = sorted({*(rep.name for rep in playbook.reps), *known})
    if owner not in reps:
        raise CommandError(f"there is no rep {owner[:80]!r}; {propose(owner[:80], reps)}")


def describe_days(period: Period) -> str:
    """``1 Oct to 31 Dec 2026``; nothing for all days."""
    if period.first is None or period.last is None:
        return ""
    same = period.first.year == period.last.year
    return f"{_format_day(period.first, year=not same)} to {_format_day(period.last, year=True)}"


def _format_day(day: date, *, year: bool) -> str:
    return f"{day.day} {day:%b}{f' {day.year}' if year else ''}"


def _read_day(typed: str, today: date) -> date:
    """The day that ``typed`` names: a date, ``today``, ``yesterday``, ``7_days``, or the last such weekday before
    today. Raises ``CommandError``."""
    word = typed.strip().lower().replace("-", "_")
    if word in _DAYS_AGO:
        return today - timedelta(days=_DAYS_AGO[word])
    if word in _WEEKDAYS:
        return today - timedelta(days=(today.weekday() - _WEEKDAYS.index(word) - 1) % 7 + 1)
    number, _, unit = word.partition("_")
    if unit == "days" and number.isascii() and number.isdecimal() and 0 < int(number[:5]) <= 3_660:
        return today - timedelta(days=int(number))
    try:
        day = date.fromisoformat(typed.strip())
    except ValueError:
        raise CommandError(
            f"{typed[:80]!r} is not a day; write it like 2026-03-02, or monday, yesterday or 7_days"
        ) from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise CommandError(f"{day} is outside the years of the ledger, {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
    return day


def _find_begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def _format_moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
