"""Saved views of the report: a name, filters and a period, and when they come by e-mail.

Belongs here: their forms, and what is done with them. Does not belong here: keeping them (``ledger.saved_views``),
their e-mails (``ledger.report_mails``, ``console.report.mail``), or the report itself (``reports``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from console.report.request import choose_sections, require_known
from console.report.view import TITLES, View, build_view_request
from console.web.rendering import build_address, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.ledger import report_mails, saved_views
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.ledger.report_mails import MailStep
from leadgate.ledger.saved_views import SavedView, ViewError, ViewSettings
from leadgate.permissions import Permission
from leadgate.report_periods import PERIODS, describe_period
from leadgate.report_schedule import WEEKDAYS, MailSchedule, find_next_due
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import ReportMailStep, ViewSchedule

router = APIRouter(prefix="/reports/views")
_Text = Annotated[str, Query(max_length=200)]
_Id = Annotated[int, "a view's number"]
_MOST_ID: Final = 2**63 - 1
#: A due moment that nobody has taken for so long: no process sends e-mails.
_LATE: Final = timedelta(minutes=15)
_DONE: Final = "/reports#saved"


@dataclass(frozen=True)
class ListedView:
    """A saved view as its person sees it. ``trouble``: why its last e-mail was not sent."""

    view: SavedView
    address: str
    about: str
    next_due: datetime | None
    sent_at: datetime | None
    waits: bool
    trouble: str | None


def list_saved(site: Site, visitor: Visitor) -> list[ListedView]:
    """The saved views of the visitor, by name."""
    views = saved_views.list_views(site.ledger, visitor.actor)
    last = report_mails.list_last(site.ledger, [view.id for view in views])
    return [_describe(site, view, last.get(view.id), visitor.now) for view in views]


async def read_settings(
    name: Annotated[str, Form()] = "",
    section: Annotated[str, Form()] = "",
    period: Annotated[str, Form()] = "30_days",
    source: Annotated[str, Form()] = "",
    rep: Annotated[str, Form()] = "",
    zone: Annotated[str, Form()] = "",
    every: Annotated[str, Form()] = "",
    weekday: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
    at: Annotated[str, Form()] = "",
    time_zone: Annotated[str, Form()] = "",
) -> ViewSettings:
    """A view as the form sends it. Raises ``ViewError`` for a schedule that cannot be read."""
    schedule = _read_schedule(every, weekday, day, at, time_zone)
    return ViewSettings(name, section, period, source.strip(), rep.strip(), zone.strip(), schedule)


#: A parameter of the functions that take the form.
SentSettings = Annotated[ViewSettings, Depends(read_settings)]


@router.get("/new")
def show_new(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    section: _Text = "",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    period: _Text = "",
    source: _Text = "",
    rep: _Text = "",
    zone: _Text = "",
) -> Response:
    """The form that saves the view of this address."""
    actors.require(visitor.actor, Permission.READ_REPORTS)
    view = View(section, days, period.strip(), "", "", source.strip(), rep.strip(), zone.strip())
    settings = ViewSettings("", section, view.relative, view.source, view.rep, view.zone)
    return _show_form(request, site, visitor, settings, None)


@router.post("")
def save(site: TheSite, visitor: SignedIn, settings: SentSettings) -> Response:
    _require_known(site, settings, visitor.now)
    saved_views.save_view(site.ledger, settings, by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


@router.get("/{view_id}")
def show_view(request: Request, site: TheSite, visitor: SignedIn, view_id: _Id) -> Response:
    """The form that changes a view."""
    view = saved_views.find_view(site.ledger, _check_id(view_id), visitor.actor)
    settings = ViewSettings(view.name, view.section, view.period, view.source, view.rep, view.zone, view.schedule)
    return _show_form(request, site, visitor, settings, view.id)


@router.post("/{view_id}")
def change(site: TheSite, visitor: SignedIn, view_id: _Id, settings: SentSettings) -> Response:
    _require_known(site, settings, visitor.now)
    saved_views.change_view(site.ledger, _check_id(view_id), settings, by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


@router.post("/{view_id}/pause")
def pause(site: TheSite, visitor: SignedIn, view_id: _Id) -> Response:
    saved_views.pause_view(site.ledger, _check_id(view_id), by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


@router.post("/{view_id}/resume")
def resume(site: TheSite, visitor: SignedIn, view_id: _Id) -> Response:
    saved_views.resume_view(site.ledger, _check_id(view_id), by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


@router.post("/{view_id}/delete")
def delete(site: TheSite, visitor: SignedIn, view_id: _Id) -> Response:
    saved_views.delete_view(site.ledger, _check_id(view_id), by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


@router.post("/{view_id}/send")
def send(site: TheSite, visitor: SignedIn, view_id: _Id) -> Response:
    """Have the view sent to its person now, by the process that sends e-mails."""
    if not visitor.account.email:
        raise ViewError("your account has no e-mail address; an admin adds it")
    report_mails.ask_now(site.ledger, _check_id(view_id), by=visitor.actor, now=visitor.now)
    return RedirectResponse(_DONE, 303)


def _show_form(request: Request, site: Site, visitor: Visitor, settings: ViewSettings, view_id: int | None) -> Response:
    sources = dict.fromkeys([*site.playbook.sources, *filter(None, [settings.source])])
    reps = dict.fromkeys([*(rep.name for rep in site.playbook.reps), *filter(None, [settings.rep])])
    return render(
        request, "saved_view.html", visitor=visitor, settings=settings, view_id=view_id,
        periods=[(name, describe_period(name)) for name in dict.fromkeys([*PERIODS, settings.period])],
        titles=TITLES, weekdays=list(enumerate(WEEKDAYS)), zones=sorted(list_time_zones()),
        sources=[(name, site.names.name_source(name)) for name in sources],
        reps=[(name, site.names.name_rep(name)) for name in reps],
        at=f"{settings.schedule.at:%H:%M}" if settings.schedule else "08:00",
        time_zone=settings.schedule.time_zone if settings.schedule else visitor.zone.key,
    )  # fmt: skip


def _describe(site: Site, view: SavedView, last: MailStep | None, now: datetime) -> ListedView:
    shown = View.of_saved(view)
    parts = [TITLES.get(view.section, "Funnel"), describe_period(view.period)]
    parts += [site.names.name_source(view.source)] if view.source else []
    parts += [site.names.name_rep(view.rep)] if view.rep else []
    schedule = view.schedule if view.paused_at is None else None
    due = report_mails.find_due(view, last, now)
    trouble = last.failure if last is not None and last.step is not ReportMailStep.SENT else None
    if trouble is None and due is not None and due < now - _LATE:
        trouble = "no process has taken it yet; a consumer sends it once LEADGATE_MAIL_SERVER is set for it"
    return ListedView(
        view,
        build_address("/reports", **shown.list_query()),
        ", ".join(parts),
        None if schedule is None else find_next_due(schedule, now),
        last.at if last is not None and last.step is ReportMailStep.SENT else None,
        last is not None and last.step in (ReportMailStep.ASKED, ReportMailStep.CLAIMED, ReportMailStep.FAILED),
        trouble,
    )


def _read_schedule(every: str, weekday: str, day: str, at: str, time_zone: str) -> MailSchedule | None:
    """Raises ``ViewError``."""
    if not every:
        return None
    try:
        how_often = ViewSchedule(every)
    except ValueError:
        raise ViewError("a view is sent daily, weekly, monthly or not at all") from None
    try:
        local = time.fromisoformat(at.strip())
    except ValueError:
        raise ViewError("the time of the day is written like 08:00") from None
    if local.tzinfo is not None:
        raise ViewError("the time of the day has no zone of its own; it is written like 08:00")
    return MailSchedule(
        how_often, local, time_zone.strip(), weekday=_read_number(weekday, "weekday"), day=_read_number(day, "day")
    )


def _read_number(written: str, what: str) -> int | None:
    if not written.strip():
        return None
    if not (written.strip().isascii() and written.strip().isdecimal() and len(written.strip()) <= 2):
        raise ViewError(f"the {what} of the schedule is a number")
    return int(written)


def _require_known(site: Site, settings: ViewSettings, now: datetime) -> None:
    """Raises ``CommandError`` for a section, source, rep, period or time zone that there is not."""
    view = View(settings.section, source=settings.source, rep=settings.rep, zone=settings.zone)
    options = view.with_period(settings.period).read_options(site.names)
    view.choose_section(choose_sections(options, RECORD_SECTIONS, with_trend=True))
    asked, _ = build_view_request(options, site.names, site.playbook, now)
    require_known(site.ledger, asked, site.playbook)


def _check_id(view_id: int) -> int:
    if not 0 < view_id <= _MOST_ID:
        raise saved_views.NoViewError("there is no saved view of this number")
    return view_id
