"""The team: what each rep has and how fast they follow up, one rep in detail, and giving their leads to others.

Belongs here: reading what was asked for, and whose team it is. Does not belong here: the figures (``console.team``,
``ledger.team_figures``), or who gets which lead (``tasks.reassignments``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.listed_leads import mask_lead
from console.report import charts
from console.report.tables import format_percent
from console.screen import format_span
from console.team import TeamNow, TeamRow, build_rows, list_reps, read_team_now
from console.web.kept_figures import Kept
from console.web.rendering import build_address, reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.counting import count_kinds
from leadgate.ledger.actions import ActionError
from leadgate.ledger.lead_list import LeadFilter, ListedLead, list_leads
from leadgate.ledger.team_figures import WEEKS, RepSpeed, list_handed, read_speeds
from leadgate.permissions import Permission
from leadgate.references import parse
from leadgate.vocabulary import ActionKind
from tasks import reassignments
from tasks.reassignments import Transfer

router = APIRouter()

#: Seconds for which counts and speeds are kept: many look at the same ones at a time.
_COUNTS_LAST: Final = 2.0
_SPEEDS_LAST: Final = 300.0
_MOST_LEADS: Final = 200  # of one rep, on their page
_BOOK: Final = "turns"  # where leads go: to whose turn it is in the pool that each came by

Journeys = Annotated[list[Annotated[int, Query(ge=1, lt=2**63)]], Query(max_length=_MOST_LEADS)]
SentJourneys = Annotated[list[Annotated[int, Form(ge=1, lt=2**63)]], Form(max_length=_MOST_LEADS)]
Target = Annotated[str, Query(max_length=200)]


@router.get("/team")
def show_team(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    actors.require(visitor.actor, Permission.READ_TEAM, _any_of(visitor))
    counts, speeds = _ask_counts(site), _ask_speeds(site)
    reps = list_reps(visitor.actor, site.playbook)
    rows = [] if counts is None else _build_rows(site, counts.figures, speeds, reps)
    response = render(
        request, "team.html", visitor=visitor, rows=rows, counts=counts, speeds=speeds,
        totals={name: sum(getattr(row.standing, name) for row in rows) for name in ("open", "soon", "overdue")},
        away=[row for row in rows if row.away],
    )  # fmt: skip
    return reload_until_there(response, counts, speeds)


@router.get("/team/{rep}")
def show_rep(request: Request, site: TheSite, visitor: SignedIn, rep: str, did: str = "") -> Response:
    _require_rep(visitor, rep)
    counts, speeds = _ask_counts(site), _ask_speeds(site)
    leads = list_leads(site.ledger, LeadFilter(owners=(rep,)), visitor.now, _MOST_LEADS + 1)
    found = [] if counts is None else _build_rows(site, counts.figures, speeds, frozenset({rep}))
    if counts is not None and not found:
        raise HTTPException(404)
    row = found[0] if found else None
    response = render(
        request, "team_rep.html", visitor=visitor, rep=rep, row=row, counts=counts, speeds=speeds,
        leads=_mask(leads[:_MOST_LEADS], visitor, rep), more=len(leads) > _MOST_LEADS,
        charts=_draw_weeks(row.weeks) if row else [], targets=_list_targets(site, rep),
        may_transfer=_may_transfer(visitor, rep), done=_read_done(site, did, rep), did=did,
    )  # fmt: skip
    return reload_until_there(response, counts, speeds)


@router.get("/team/{rep}/reassign")
def preview_reassignment(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    rep: str,
    to: Target,
    lead: Journeys = [],  # noqa: B006 - FastAPI copies it
    every: bool = False,
) -> Response:
    """What each lead would become. Nothing is stored."""
    _require_transfer(visitor, rep)
    plan = _transfer(site, visitor, rep, to, None if every else lead, reason="a look at what would be", dry_run=True)
    return render(
        request, "team_reassign.html", visitor=visitor, rep=rep, plan=plan, to=to, chosen=lead, every=every,
        where=_name_target(site, to), given=count_kinds(each.kind for each in plan.placed),
    )  # fmt: skip


@router.post("/team/{rep}/reassign")
def reassign(
    site: TheSite,
    visitor: SignedIn,
    rep: str,
    to: Annotated[str, Form(max_length=200)],
    reason: Annotated[str, Form(max_length=1000)],
    lead: SentJourneys = [],  # noqa: B006 - FastAPI copies it
    every: Annotated[bool, Form()] = False,
) -> Response:
    _require_transfer(visitor, rep)
    done = _transfer(site, visitor, rep, to, None if every else lead, reason=reason, dry_run=False)
    if done.action is None:
        raise ActionError("nobody can take any of these leads at the moment; nothing was changed")
    site.figures.forget(_COUNTS)
    return RedirectResponse(build_address(f"/team/{quote(rep, safe='')}", did=f"A{done.action}"), 303)


_COUNTS: Final = ("team", "counts")
_SPEEDS: Final = ("team", "speeds")


def _ask_counts(site: Site) -> Kept[TeamNow] | None:
    return site.figures.ask(_COUNTS, lambda: read_team_now(site.ledger, site.playbook, site.now()), keep=_COUNTS_LAST)


def _ask_speeds(site: Site) -> Kept[tuple[datetime, list[RepSpeed]]] | None:
    def compute() -> tuple[datetime, list[RepSpeed]]:
        now = site.now()
        return now, read_speeds(site.ledger, now)

    return site.figures.ask(_SPEEDS, compute, keep=_SPEEDS_LAST)


def _build_rows(
    site: Site, team: TeamNow, speeds: Kept[tuple[datetime, list[RepSpeed]]] | None, reps: frozenset[str] | None
) -> list[TeamRow]:
    return build_rows(team, [] if speeds is None else speeds.figures[1], site.playbook, reps)


def _any_of(visitor: Visitor) -> str | None:
    """Somebody of the visitor's team: the page shows no others."""
    return min(visitor.actor.reps, default=None)


def _require_rep(visitor: Visitor, rep: str) -> None:
    """Raises ``ActorError`` for a rep of another team, whether there is one of that name or not."""
    actors.require(visitor.actor, Permission.READ_TEAM, rep)
    if "\x00" in rep or len(rep) > 200:
        raise HTTPException(404)


def _may_transfer(visitor: Visitor, rep: str) -> bool:
    return all(actors.may(visitor.actor, what, rep) for what in (Permission.TRANSFER_LEADS, ActionKind.TRANSFER))


def _require_transfer(visitor: Visitor, rep: str) -> None:
    _require_rep(visitor, rep)
    actors.require(visitor.actor, Permission.TRANSFER_LEADS, rep)
    actors.require(visitor.actor, ActionKind.TRANSFER, rep)


def _transfer(
    site: Site, visitor: Visitor, rep: str, to: str, journeys: Sequence[int] | None, *, reason: str, dry_run: bool
) -> Transfer:
    kind, _, name = to.partition(":")
    if (kind, name) != (_BOOK, "") and (kind not in ("rep", "pool") or not name):
        raise ActionError("choose who gets the leads: a rep, a pool, or whose turn it is")
    if journeys is not None and not journeys:
        raise ActionError("choose the leads first, or all of them")
    return reassignments.transfer(
        site.ledger, site.loaded, rep, to_pool=name if kind == "pool" else None, to_rep=name if kind == "rep" else None,
        journeys=journeys, dry_run=dry_run, reason=reason, by=visitor.actor, now=visitor.now,
    )  # fmt: skip


def _list_targets(site: Site, rep: str) -> list[tuple[str, str]]:
    """Who may get leads of ``rep``: the value of a form, and its words."""
    pools = [(f"pool:{pool.name}", f"Pool {site.names.name_pool(pool.name)}, by turns") for pool in site.playbook.pools]
    reps = [(f"rep:{each.name}", site.names.name_rep(each.name)) for each in site.playbook.reps if each.name != rep]
    return [(_BOOK, "By turns of the pools that they came by"), *pools, *reps]


def _name_target(site: Site, to: str) -> str:
    kind, _, name = to.partition(":")
    if kind == "rep":
        return site.names.name_rep(name)
    return f"pool {site.names.name_pool(name)}, by turns" if kind == "pool" else "by turns of the pools they came by"


def _read_done(site: Site, did: str, rep: str) -> list[tuple[str, int, bool]]:
    named = parse(did)
    if named is None or named[0] != "action":
        return []
    return [(each.owner, each.leads, each.undone) for each in list_handed(site.ledger, named[1], rep)]


def _mask(leads: Sequence[ListedLead], visitor: Visitor, rep: str) -> list[ListedLead]:
    """As the visitor may see them: masked where they may not read values."""
    if actors.may(visitor.actor, Permission.READ_LEADS, rep):
        return list(leads)
    return [mask_lead(lead) for lead in leads]


def _draw_weeks(weeks: Sequence[RepSpeed]) -> list[Markup]:
    """The median to the first touch and the share in time, week by week; the last seven days are on the right."""
    by_week = {each.week: each for each in weeks}
    labels = [(number, "7 days" if number == 0 else f"{number} w ago") for number in reversed(range(WEEKS))]
    medians, shares = [], []
    for number, label in labels:
        week = by_week.get(number)
        median = None if week is None else week.p50
        due = 0 if week is None else week.kept + week.missed
        words = "no touch"
        if week is not None and median is not None:
            words = f"median {format_span(median)}, 95 % within {format_span(week.p95)}, {week.touched:,} touched"
        medians.append((label, median, words))
        share = week.kept / due if week and due else None
        shares.append((label, share, f"{format_percent(share)} of {due:,} that were due"))
    return [
        charts.add_heading(
            "Owner to first touch, median by week",
            charts.draw_columns("Owner to first touch, median by week", medians, format_span),
        ),
        charts.add_heading(
            "First touch in time, by week",
            charts.draw_columns("First touches in time, by week", shares, format_percent),
        ),
    ]
