"""What a report is asked for: its period, whose days, and of which source or rep; for the command and the console.

Belongs here: reading what was asked for, and telling it in a line. Does not belong here: what a report holds
(``reading``, the sections), or where it goes (``command``, ``console.web``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from console.display_names import DisplayNames
from console.report.tables import SECTIONS
from console.screen import CommandError
from leadgate.ledger import Ledger, figures, record_figures
from leadgate.ledger.figures import Asked
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.report_periods import PERIODS, compute_days, count_days
from leadgate.sla.zones import FIRST_YEAR, LAST_YEAR, list_time_zones

DAYS: Final = 30  # of the period, today included
_OF_A_REP: Final = ("speed", "load", "overdue")
_OVER_TIME: Final = "trend"


@dataclass(frozen=True)
class Options:
    """As typed. Days are of ``zone``; both ends of the period are included. ``rep`` may be written as on a page."""

    since: str | None = None
    until: str | None = None
    zone: str | None = None
    source: str | None = None
    rep: str | None = None
    sections: Sequence[str] = ()
    period: str = f"{DAYS}_days"  # where no day is given


def compute_period(options: Options, now: datetime, zone_name: str) -> Asked:
    """What is asked for, in moments. Raises ``CommandError``."""
    if zone_name not in list_time_zones():
        raise CommandError(f"{zone_name!r} is not a time zone; {propose(zone_name, list_time_zones())}")
    zone = ZoneInfo(zone_name)
    today = now.astimezone(zone).date()
    if options.since is None and options.until is None:
        days = compute_days(options.period, today)
        if days is None:
            raise CommandError(f"there is no period {options.period[:80]!r}; {propose(options.period[:80], PERIODS)}")
        before = _find_moments(days.before_first, days.before_last, zone)
        return Asked(
            *_find_moments(days.first, days.last, zone), now, zone_name, options.source, options.rep, before=before
        )
    last = _parse_day(options.until) or today
    first = _parse_day(options.since) or last - timedelta(days=(count_days(options.period) or DAYS) - 1)
    if first > last:
        raise CommandError(f"the period ends ({last}) before it begins ({first}); --since comes first")
    return Asked(*_find_moments(first, last, zone), now, zone_name, options.source, options.rep)


def _find_moments(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From the beginning of the first day to the end of the last."""
    return datetime.combine(first, time(0), zone), datetime.combine(last + timedelta(days=1), time(0), zone)


def add_outcomes(asked: Asked, playbook: Playbook) -> Asked:
    """With the outcomes of the playbook, and which of them lose a lead."""
    rules = playbook.follow_up
    return replace(asked, outcomes=rules.outcomes, lost=rules.lost_outcomes)


def compute_period_before(asked: Asked) -> Asked:
    """The one that the period names, else that of as many days which ends where ``asked`` begins."""
    if asked.before is not None:
        since, until = asked.before
        return replace(asked, since=since, until=until, before=None)
    zone = ZoneInfo(asked.zone)
    first, following = (moment.astimezone(zone).date() for moment in (asked.since, asked.until))
    since = datetime.combine(first - (following - first), time(0), zone)
    return replace(asked, since=since, until=asked.since)


def _parse_day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day; write it like 2026-03-02") from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise CommandError(f"{text} is no day of this ledger; years are from {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
    return day


def choose_sections(options: Options, told: Collection[str] = (), *, over_time: bool = False) -> list[str]:
    """The sections to show, in their order. Unless sections are named, those of records are the ones in ``told``, and
    ``over_time`` says whether that is one of them.

    Raises ``CommandError`` for one that does not exist.
    """
    known = (*(SECTIONS if options.rep is None else _OF_A_REP), *RECORD_SECTIONS, _OVER_TIME)
    for name in options.sections:
        if name not in known:
            of = "" if options.rep is None else " of a rep"
            raise CommandError(f"there is no section {name!r}{of}; {propose(name, known)}")
    left_out = {*RECORD_SECTIONS} - {*told} | (set() if over_time else {_OVER_TIME})
    chosen = options.sections or [name for name in known if name not in left_out]
    return [name for name in known if name in chosen]


def require_known(ledger: Ledger, asked: Asked, playbook: Playbook) -> None:
    """A source and a rep that neither the playbook nor the ledger knows are misspelt. Raises ``CommandError``."""
    if asked.source is not None and asked.source not in playbook.sources:
        sources = sorted({*playbook.sources, *figures.list_sources(ledger), *record_figures.list_sources(ledger)})
        if asked.source not in sources:
            raise CommandError(f"there is no source {asked.source!r}; {propose(asked.source, sources)}")
    known = {rep.name for rep in playbook.reps}
    if asked.rep is not None and asked.rep not in known:
        reps = sorted({*known, *figures.list_owners(ledger)})
        if asked.rep not in reps:
            raise CommandError(f"there is no rep {asked.rep!r}; {propose(asked.rep, reps)}")


def describe_request(asked: Asked, whose: str, playbook: Playbook) -> str:
    """What the report is about, in a line. ``whose`` says why the days are those of its zone."""
    names, zone = DisplayNames(playbook), ZoneInfo(asked.zone)
    parts = [f"{_format_days(asked)}, days and hours of {asked.zone}" + (f" ({whose})" if whose else "")]
    parts += [f"source {names.name_source(asked.source)}"] if asked.source else []
    parts += [f"rep {names.name_rep(asked.rep)}"] if asked.rep else []
    over = "" if asked.until <= asked.now else "; the last day is not over"
    parts += [f"as of {asked.now.astimezone(zone):%Y-%m-%d %H:%M}{over}"]
    return " · ".join(
        [
            *parts,
            f"the period before: {_format_days(compute_period_before(asked))}; its leads have had longer to be "
            "answered",
        ]
    )


def _format_days(asked: Asked) -> str:
    zone = ZoneInfo(asked.zone)
    first, last = asked.since.astimezone(zone).date(), asked.until.astimezone(zone).date() - timedelta(days=1)
    return f"{first} to {last}"
