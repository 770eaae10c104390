"""The request of a report: its period, time zone, source and rep; for the command and the console.

Belongs here: building a request from options, and describing it in a line. Does not belong here: the content of a
report (``reading``, the sections), or its output (``command``, ``console.web``).
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
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.report_periods import PERIODS, compute_days, count_days
from leadgate.sla.zones import FIRST_YEAR, LAST_YEAR, list_time_zones

DEFAULT_DAYS: Final = 30  # the length of the period, today included
_REP_SECTIONS: Final = ("speed", "load", "overdue")
_TREND_SECTION: Final = "trend"


@dataclass(frozen=True)
class ReportOptions:
    """The options of a report, as typed. Days are days of ``zone``, and the period includes ``since`` and ``until``.

    ``rep`` is a name of the playbook, or the name that pages show.
    """

    since: str | None = None
    until: str | None = None
    zone: str | None = None
    source: str | None = None
    rep: str | None = None
    sections: Sequence[str] = ()
    period: str = f"{DEFAULT_DAYS}_days"  # used when neither ``since`` nor ``until`` is given


def build_request(options: ReportOptions, now: datetime, zone_name: str) -> ReportRequest:
    """Build the request of a report, with its period in moments. Raises ``CommandError`` for a wrong day or zone."""
    if zone_name not in list_time_zones():
        raise CommandError(f"{zone_name!r} is not a time zone; {propose(zone_name, list_time_zones())}")
    zone = ZoneInfo(zone_name)
    today = now.astimezone(zone).date()
    if options.since is None and options.until is None:
        days = compute_days(options.period, today)
        if days is None:
            raise CommandError(f"there is no period {options.period[:80]!r}; {propose(options.period[:80], PERIODS)}")
        before = _compute_bounds(days.before_first, days.before_last, zone)
        return ReportRequest(
            *_compute_bounds(days.first, days.last, zone), now, zone_name, options.source, options.rep, before=before
        )
    last = _parse_day(options.until) or today
    first = _parse_day(options.since) or last - timedelta(days=(count_days(options.period) or DEFAULT_DAYS) - 1)
    if first > last:
        raise CommandError(f"the period ends ({last}) before it begins ({first}); --since comes first")
    return ReportRequest(*_compute_bounds(first, last, zone), now, zone_name, options.source, options.rep)


def _compute_bounds(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Compute the beginning of the first day and the end of the last."""
    return datetime.combine(first, time(0), zone), datetime.combine(last + timedelta(days=1), time(0), zone)


def add_outcomes(request: ReportRequest, playbook: Playbook) -> ReportRequest:
    """Add the outcomes of the playbook, and which of them lose a lead."""
    rules = playbook.follow_up
    return replace(request, outcomes=rules.outcomes, lost=rules.lost_outcomes)


def build_previous_request(request: ReportRequest) -> ReportRequest:
    """Build the request for the period before: the one that belongs to a named period, else one of as many days."""
    if request.before is not None:
        since, until = request.before
        return replace(request, since=since, until=until, before=None)
    zone = ZoneInfo(request.zone)
    first, following = (moment.astimezone(zone).date() for moment in (request.since, request.until))
    since = datetime.combine(first - (following - first), time(0), zone)
    return replace(request, since=since, until=request.since)


def _parse_day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not a day; write it like 2026-03-02") from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise CommandError(
            f"{text} is outside the years of the ledger, {FIRST_YEAR + 1} to {LAST_YEAR - 1}; give another day"
        )
    return day


def choose_sections(
    options: ReportOptions, record_sections: Collection[str] = (), *, with_trend: bool = False
) -> list[str]:
    """Choose the sections to show, in their order: those that ``options`` names, else all that apply.

    ``record_sections``: the sections of records that apply. ``with_trend``: whether the section ``trend`` applies.
    Raises ``CommandError`` for a section that does not exist.
    """
    known = (*(SECTIONS if options.rep is None else _REP_SECTIONS), *RECORD_SECTIONS, _TREND_SECTION)
    for name in options.sections:
        if name not in known:
            of = "" if options.rep is None else " of a rep"
            raise CommandError(f"there is no section {name!r}{of}; {propose(name, known)}")
    left_out = {*RECORD_SECTIONS} - {*record_sections} | (set() if with_trend else {_TREND_SECTION})
    chosen = options.sections or [name for name in known if name not in left_out]
    return [name for name in known if name in chosen]


def require_known(ledger: Ledger, request: ReportRequest, playbook: Playbook) -> None:
    """Raise ``CommandError`` for a source or a rep that neither the playbook nor the ledger knows."""
    if request.source is not None and request.source not in playbook.sources:
        sources = sorted({*playbook.sources, *figures.list_sources(ledger), *record_figures.list_sources(ledger)})
        if request.source not in sources:
            raise CommandError(f"there is no source {request.source!r}; {propose(request.source, sources)}")
    known = {rep.name for rep in playbook.reps}
    if request.rep is not None and request.rep not in known:
        reps = sorted({*known, *figures.list_owners(ledger)})
        if request.rep not in reps:
            raise CommandError(f"there is no rep {request.rep!r}; {propose(request.rep, reps)}")


def describe_request(request: ReportRequest, zone_origin: str, playbook: Playbook) -> str:
    """Describe the period and the filters in one line. ``zone_origin``: where the time zone is from, or empty."""
    names, zone = DisplayNames(playbook), ZoneInfo(request.zone)
    parts = [
        f"{_format_days(request)}, days and hours of {request.zone}" + (f" ({zone_origin})" if zone_origin else "")
    ]
    parts += [f"source {names.name_source(request.source)}"] if request.source else []
    parts += [f"rep {names.name_rep(request.rep)}"] if request.rep else []
    over = "" if request.until <= request.now else "; the last day is not over"
    parts += [f"as of {request.now.astimezone(zone):%Y-%m-%d %H:%M}{over}"]
    return " · ".join(
        [
            *parts,
            f"the period before: {_format_days(build_previous_request(request))}; its leads have had longer to be "
            "answered",
        ]
    )


def _format_days(request: ReportRequest) -> str:
    zone = ZoneInfo(request.zone)
    first, last = request.since.astimezone(zone).date(), request.until.astimezone(zone).date() - timedelta(days=1)
    return f"{first} to {last}"
