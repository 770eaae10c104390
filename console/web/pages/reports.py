"""The report as pages: its sections, with a period, a source, a rep and a time zone that its address keeps.

Belongs here: reading the address, and where numbers lead to. Does not belong here: what a report holds
(``console.report``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.report.files import list_lines
from console.report.page import group_cards
from console.report.reading import Report, read_report
from console.report.request import choose_sections, describe_request
from console.report.tables import Column, Section, Table
from console.report.view import TITLES, View, build_view_request
from console.web.downloads import answer_csv
from console.web.pages.report_leads import build_link, build_tile_link
from console.web.pages.report_views import list_saved
from console.web.rendering import build_address, reload_until_there, render
from console.web.site import Site, TheSite
from console.web.view_address import read_view
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.record_figures import list_sections
from leadgate.permissions import Permission
from leadgate.report_periods import PERIODS, describe_period

router = APIRouter()
_LAST: Final = 300.0  # seconds for which the figures of a view are kept
_PATIENCE: Final = 10.0  # seconds for which a file waits for figures that are not there yet
_YOUNG: Final = 10.0  # seconds: younger figures are not computed again because somebody asks for it
_Text = Annotated[str, Query(max_length=200)]


async def read_sent_view(
    section: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=3660)] = 30,
    period: Annotated[str, Form(max_length=200)] = "",
    since: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=200)] = "",
    source: Annotated[str, Form(max_length=200)] = "",
    rep: Annotated[str, Form(max_length=200)] = "",
    zone: Annotated[str, Form(max_length=200)] = "",
) -> View:
    return await read_view(section, days, period, since, until, source, rep, zone)


@router.get("/reports")
def show_report(
    request: Request, site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_view)]
) -> Response:
    actors.require(visitor.actor, Permission.READ_REPORTS)
    options = view.read_options(site.names)
    sections = choose_sections(options, list_sections(site.ledger), with_trend=True)
    chosen = view.choose_section(sections)
    asked, whose = build_view_request(options, site.names, site.playbook, visitor.now)
    kept = site.figures.ask(_build_key(asked, sections), lambda: _compute(site, asked, sections), keep=_LAST)
    report = None if kept is None else kept.figures
    shown = report.sections if report else []
    section = next((each for each in shown if each.key == chosen), None)
    response = render(
        request, "reports.html", visitor=visitor, view=view, report=report, section=section, chosen=chosen,
        tabs=[(name, TITLES[name], build_view_address(view, section=name)) for name in sections],
        tiles=_list_tiles(shown, section, view), groups=list(group_cards(section.tables)) if section else [],
        link=_build_links(view),
        export=lambda table: build_view_address(view, "/reports.csv", table=table.key, section=chosen),
        about="" if report is None else describe_request(report.asked, whose, site.playbook),
        periods=list_periods(view.relative), sources=_list_sources(site, view), reps=_list_reps(site, view),
        asked=asked, last_day=_last_day(asked), address_of_view=build_view_address(view),
        renewing=kept is not None and kept.renewing, saved=list_saved(site, visitor),
        save_address=build_address("/reports/views/new", **view.list_query()),
    )  # fmt: skip
    return reload_until_there(response, report)


@router.get("/reports.csv")
def export_table(
    site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_view)], table: _Text = ""
) -> Response:
    """A table of a view as a file; the page instead while its figures are being computed."""
    actors.require(visitor.actor, Permission.READ_REPORTS)
    options = view.read_options(site.names)
    sections = choose_sections(options, list_sections(site.ledger), with_trend=True)
    chosen = view.choose_section(sections)
    asked, _ = build_view_request(options, site.names, site.playbook, visitor.now)
    kept = site.figures.ask(_build_key(asked, sections), lambda: _compute(site, asked, sections), _LAST, _PATIENCE)
    if kept is None:
        return RedirectResponse(build_view_address(view), 303)
    tables = {each.key: each for section in kept.figures.sections if section.key == chosen for each in section.tables}
    if table not in tables:
        raise HTTPException(404)
    return answer_csv(f"{chosen}_{table}", list_lines(tables[table]))


@router.post("/reports/refresh")
def refresh(site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_sent_view)]) -> Response:
    """Compute the figures of a view again."""
    actors.require(visitor.actor, Permission.READ_REPORTS)
    options = view.read_options(site.names)
    sections = choose_sections(options, list_sections(site.ledger), with_trend=True)
    asked, _ = build_view_request(options, site.names, site.playbook, visitor.now)
    site.figures.forget(_build_key(asked, sections), older_than=_YOUNG)
    return RedirectResponse(build_view_address(view), 303)


def build_view_address(view: View, path: str = "/reports", *, table: str = "", **changes: Any) -> str:
    """The address of a view; it is what people save and send to one another. ``table``: of one table's file."""
    return build_address(path, **replace(view, **changes).list_query(), table=table)


def list_periods(chosen: str) -> list[tuple[str, str]]:
    """The periods to choose from, with the one that is chosen."""
    return [(name, describe_period(name)) for name in dict.fromkeys([*PERIODS, chosen])]


def _build_key(asked: ReportRequest, sections: list[str]) -> tuple[object, ...]:
    return ("report", *sections, asked.since, asked.until, asked.before, asked.zone, asked.source, asked.rep)


def _compute(site: Site, asked: ReportRequest, sections: list[str]) -> Report:
    return read_report(site.ledger, replace(asked, now=site.now()), sections, site.playbook)


def _last_day(asked: ReportRequest) -> date:
    return (asked.until - timedelta(seconds=1)).astimezone(ZoneInfo(asked.zone)).date()


def _list_tiles(shown: list[Section], section: Section | None, view: View) -> list[tuple[Any, str | None]]:
    """The figures of the section that is shown; each leads to what it is of."""
    if section is None:
        return []
    links = {
        ("funnel", "signals"): build_tile_link(view, "signals"),
        ("funnel", "qualified"): build_tile_link(view, "qualified"),
        ("funnel", "owned"): build_tile_link(view, "owned"),
        ("funnel", "touched"): build_tile_link(view, "touched"),
        ("load", "open"): build_address("/leads", rep=view.rep),
        ("load", "overdue"): build_address("/leads", rep=view.rep, due="overdue"),
        ("overdue", "overdue"): build_address("/leads", rep=view.rep, due="overdue"),
    }
    return [(tile, links.get((section.key, tile.key))) for tile in section.tiles]


def _build_links(view: View) -> Callable[[Table, Column, Mapping[str, Any]], str | None]:
    """Where a cell leads to: the leads, the work items or the report behind its number."""

    def link(table: Table, column: Column, row: Mapping[str, Any]) -> str | None:
        match table.key, column.key:
            case (("reps" | "turns"), "rep"):
                return f"/team/{quote(row['rep'], safe='')}"
            case "reps", "open":
                return build_address("/leads", rep=row["rep"])
            case "reps", "overdue":
                return build_address("/leads", rep=row["rep"], due="overdue")
            case "by_rep", "owner" if row["owner"]:
                return build_view_address(view, section="speed", rep=row["owner"])
            case "reasons", ("reason" | "open"):
                return build_address("/queue", reason=row["reason"])
            case _, "source" if row["source"]:
                return build_view_address(view, source=row["source"])
            case "late", "journey":
                return f"/leads/{row['journey']}"
            case _:
                return build_link(view, table.key, column.key, row)

    return link


def _list_sources(site: Site, view: View) -> list[tuple[str, str]]:
    names = dict.fromkeys([*site.playbook.sources, *filter(None, [view.source])])
    return [(name, site.names.name_source(name)) for name in names]


def _list_reps(site: Site, view: View) -> list[tuple[str, str]]:
    names = dict.fromkeys([*(rep.name for rep in site.playbook.reps), *filter(None, [view.rep])])
    return [(name, site.names.name_rep(name)) for name in names]
