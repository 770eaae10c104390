"""The report as pages: its sections, with a period, a source, a rep and a time zone that its address keeps.

Belongs here: reading the address, and where numbers lead to. Does not belong here: what a report holds
(``console.report``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from console.report.request import Options, choose_sections, compute_period, describe_request
from console.report.tables import Column, Section, Table
from console.report.zones import choose_zone
from console.screen import CommandError
from console.web.downloads import answer_csv
from console.web.rendering import build_address, reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.ledger.figures import Asked
from leadgate.nearest import propose
from leadgate.permissions import Permission

router = APIRouter()
_LAST: Final = 300.0  # seconds for which the figures of a view are kept
_PATIENCE: Final = 10.0  # seconds for which a file waits for figures that are not there yet
_YOUNG: Final = 10.0  # seconds: younger figures are not computed again because somebody asks for it
PERIODS: Final = {7: "7 days", 30: "30 days", 90: "90 days", 365: "a year"}
_TITLES: Final = {
    "funnel": "Funnel", "conversion": "Conversion", "speed": "Speed and SLA", "load": "Load and fairness",
    "paths": "Clean paths", "overdue": "Overdue now",
}  # fmt: skip

_Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class View:
    """What the address asks for, as written; its fields are the parameters of the address."""

    section: str = ""
    days: int = 30
    since: str = ""
    until: str = ""
    source: str = ""
    rep: str = ""
    zone: str = ""

    def build_address(self, path: str = "/reports", *, table: str = "", **changes: Any) -> str:
        """The address of this view; it is what people save and send to one another. ``table``: of one table's file."""
        view = replace(self, **changes)
        default = View()
        given = {name: value for name, value in vars(view).items() if value != getattr(default, name)}
        return build_address(path, **given, table=table)


async def read_view(
    section: _Text = "",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    since: _Text = "",
    until: _Text = "",
    source: _Text = "",
    rep: _Text = "",
    zone: _Text = "",
) -> View:
    return View(section, days, since.strip(), until.strip(), source.strip(), rep.strip(), zone.strip())


async def read_sent_view(
    section: Annotated[str, Form(max_length=200)] = "",
    days: Annotated[int, Form(ge=1, le=3660)] = 30,
    since: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=200)] = "",
    source: Annotated[str, Form(max_length=200)] = "",
    rep: Annotated[str, Form(max_length=200)] = "",
    zone: Annotated[str, Form(max_length=200)] = "",
) -> View:
    return await read_view(section, days, since, until, source, rep, zone)


@router.get("/reports")
def show_report(
    request: Request, site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_view)]
) -> Response:
    actors.require(visitor.actor, Permission.READ_REPORTS)
    options = _read_options(view, site)
    sections = choose_sections(replace(options, sections=()))
    chosen = _choose_section(view, sections)
    asked, whose = _read_asked(options, site, visitor)
    kept = site.figures.ask(_build_key(asked), lambda: _compute(site, asked, sections), keep=_LAST)
    report = None if kept is None else kept.figures
    shown = report.sections if report else []
    section = next((each for each in shown if each.key == chosen), None)
    response = render(
        request, "reports.html", visitor=visitor, view=view, report=report, section=section, chosen=chosen,
        tabs=[(name, _TITLES[name], view.build_address(section=name)) for name in sections],
        tiles=_list_tiles(shown, section, view), groups=list(group_cards(section.tables)) if section else [],
        link=_build_links(view),
        export=lambda table: view.build_address("/reports.csv", section=chosen, table=table.key),
        about="" if report is None else describe_request(report.asked, whose, site.playbook),
        periods=PERIODS, sources=_list_sources(site, view), reps=_list_reps(site, view), asked=asked,
        last_day=_last_day(asked), address_of_view=view.build_address(), renewing=kept is not None and kept.renewing,
    )  # fmt: skip
    return reload_until_there(response, report)


@router.get("/reports.csv")
def export_table(
    site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_view)], table: _Text = ""
) -> Response:
    """A table of a view as a file; the page instead while its figures are being computed."""
    actors.require(visitor.actor, Permission.READ_REPORTS)
    options = _read_options(view, site)
    sections = choose_sections(replace(options, sections=()))
    chosen = _choose_section(view, sections)
    asked, _ = _read_asked(options, site, visitor)
    kept = site.figures.ask(_build_key(asked), lambda: _compute(site, asked, sections), _LAST, _PATIENCE)
    if kept is None:
        return RedirectResponse(view.build_address(), 303)
    tables = {each.key: each for section in kept.figures.sections if section.key == chosen for each in section.tables}
    if table not in tables:
        raise HTTPException(404)
    return answer_csv(f"{chosen}_{table}", list_lines(tables[table]))


@router.post("/reports/refresh")
def refresh(site: TheSite, visitor: SignedIn, view: Annotated[View, Depends(read_sent_view)]) -> Response:
    """Compute the figures of a view again."""
    actors.require(visitor.actor, Permission.READ_REPORTS)
    asked, _ = _read_asked(_read_options(view, site), site, visitor)
    site.figures.forget(_build_key(asked), older_than=_YOUNG)
    return RedirectResponse(view.build_address(), 303)


def _read_options(view: View, site: Site) -> Options:
    rep = site.names.find_rep(view.rep) if view.rep else None
    return Options(
        view.since or None, view.until or None, view.zone or None, view.source or None, rep,
        days=view.days,
    )  # fmt: skip


def _choose_section(view: View, sections: list[str]) -> str:
    """The section to show; the first, where a rep has not the one that was shown of all. Raises ``CommandError``."""
    if view.section in sections or not view.section:
        return view.section or sections[0]
    if view.section in _TITLES:
        return sections[0]
    raise CommandError(f"there is no section {view.section!r}; {propose(view.section, sections)}")


def _read_asked(options: Options, site: Site, visitor: Visitor) -> tuple[Asked, str]:
    """What is asked for, and whose time zone that is. The number of days holds where no day is named."""
    name = site.names.name_rep(options.rep) if options.rep else ""
    zone, whose = choose_zone(site.playbook, options.zone, options.rep, name)
    asked = compute_period(options, visitor.now, zone)
    return replace(asked, lost=site.playbook.follow_up.lost_outcomes), whose


def _build_key(asked: Asked) -> tuple[object, ...]:
    return ("report", asked.since, asked.until, asked.zone, asked.source, asked.rep)


def _compute(site: Site, asked: Asked, sections: list[str]) -> Report:
    return read_report(site.ledger, replace(asked, now=site.now()), sections, site.playbook)


def _last_day(asked: Asked) -> date:
    return (asked.until - timedelta(seconds=1)).astimezone(ZoneInfo(asked.zone)).date()


def _list_tiles(shown: list[Section], section: Section | None, view: View) -> list[tuple[Any, str | None]]:
    """The figures of the section that is shown; each leads to what it is of."""
    if section is None:
        return []
    links = {
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
                return view.build_address(section="speed", rep=row["owner"])
            case "reasons", ("reason" | "open"):
                return build_address("/queue", reason=row["reason"])
            case _, "source" if row["source"]:
                return view.build_address(source=row["source"])
            case "late", "journey":
                return f"/leads/{row['journey']}"
            case _:
                return None

    return link


def _list_sources(site: Site, view: View) -> list[tuple[str, str]]:
    names = dict.fromkeys([*site.playbook.sources, *filter(None, [view.source])])
    return [(name, site.names.name_source(name)) for name in names]


def _list_reps(site: Site, view: View) -> list[tuple[str, str]]:
    names = dict.fromkeys([*(rep.name for rep in site.playbook.reps), *filter(None, [view.rep])])
    return [(name, site.names.name_rep(name)) for name in names]
