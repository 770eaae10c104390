"""My leads, the page that a rep works on, and the list of all leads that somebody may see.

Belongs here: what was asked for, and what each row may show and offer. Does not belong here: the list
(``ledger.lead_list``), or doing something to a lead (``lead_actions``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from console.listed_leads import describe_standing, list_reasons, mask_lead
from console.web.contacts import build_contact_link
from console.web.downloads import answer_csv
from console.web.rendering import build_address, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import ActorError, find_scope, may, require
from leadgate.errors import LeadgateError
from leadgate.ledger import absences, lead_list
from leadgate.ledger.lead_list import Due, LeadFilter, ListedLead, Part, Place
from leadgate.permissions import Permission, Scope
from leadgate.vocabulary import ActionKind, JourneyStatus
from tasks.advice import BY_CHANCE, BY_DUE_TIME, is_advising

router = APIRouter()
_ROWS: Final = 50
_MOST_EXPORTED: Final = 5_000
_EXPORTED: Final = (
    "lead_id", "name", "job_title", "company", "email", "phone", "grade", "score", "source", "owner", "assigned_at",
    "due_at", "accepted_at", "touched_at", "waits_until",
)  # fmt: skip
_Text = Annotated[str, Query(max_length=200)]
_PLACE: Final = re.compile(
    r"([0-4])_([0-9T:.+-]{0,40})_([0-9]{1,18})(?:_([01]\.[0-9]{1,25}|[0-9.]{1,25}e-[0-9]{1,3}))?"
)


class ListError(LeadgateError):
    """The address asks for a list that there is not."""


@dataclass(frozen=True)
class Row:
    """A lead as the visitor may see it, and what they are offered. ``acts_for``: for whom they would act."""

    lead: ListedLead
    standing: str
    due: Due | None
    reasons: list[str]
    call: str | None
    mail: str | None
    decides: bool
    notes: bool
    acts_for: str | None


@router.get("/leads/mine")
def show_my_leads(request: Request, site: TheSite, visitor: SignedIn, due: _Text = "", after: _Text = "") -> Response:
    """The leads of the rep who is signed in; of a manager who is no rep, those of their team."""
    wanted = LeadFilter(_list_own_reps(visitor), _read_due(due))
    return _show(request, site, visitor, wanted, after, mine=True, query={"search": "", "rep": "", "due": due})


@router.get("/leads")
def show_leads(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    search: _Text = "",
    rep: _Text = "",
    due: _Text = "",
    after: _Text = "",
) -> Response:
    """All leads that have an owner, or those that a search finds among the leads that the visitor may read."""
    wanted, query = _read_filter(visitor, search, rep, due)
    return _show(request, site, visitor, wanted, after, mine=False, query=query)


@router.get("/leads.csv")
def export_leads(
    site: TheSite,
    visitor: SignedIn,
    search: _Text = "",
    rep: _Text = "",
    due: _Text = "",
    mine: bool = False,
) -> Response:
    """The leads of a list as a file, without pages: as the visitor may see them there."""
    if mine:
        wanted = LeadFilter(_list_own_reps(visitor), _read_due(due))
    else:
        wanted, _ = _read_filter(visitor, search, rep, due)
    wanted = replace(wanted, by_chance=is_advising(site.ledger, site.playbook))
    found = lead_list.list_leads(site.ledger, wanted, visitor.now, _MOST_EXPORTED)
    rows = (_build_row(visitor, lead) for lead in found)
    lines = ([getattr(row.lead, name) for name in _EXPORTED] + [row.standing] for row in rows)
    return answer_csv("leads", [[*_EXPORTED, "stands"], *lines])


def _list_own_reps(visitor: Visitor) -> tuple[str, ...]:
    """Whose leads are the visitor's. Raises ``ActorError``."""
    actor = visitor.actor
    if find_scope(actor, Permission.DECIDE_LEADS) is Scope.NO:
        require(actor, Permission.DECIDE_LEADS)
    owners = (actor.rep,) if actor.rep is not None else tuple(sorted(actor.reps))
    if not owners:
        raise ActorError("your account is no rep and no manager of the playbook; an admin says who you are there")
    return owners


def _read_filter(visitor: Visitor, search: str, rep: str, due: str) -> tuple[LeadFilter, dict[str, str]]:
    """The filter of the address, as far as the visitor may have it, and the query of its links."""
    require(visitor.actor, Permission.SEE_LEADS)
    words, rep = " ".join(search.replace("\x00", " ").split()), rep.replace("\x00", "").strip()
    owners: tuple[str, ...] | None = (rep,) if rep else None
    if words and find_scope(visitor.actor, Permission.READ_LEADS) is not Scope.ALL:
        # a search among values that are masked would tell them, letter by letter
        owners = tuple(sorted(visitor.actor.reps if owners is None else visitor.actor.reps & {*owners}))
    return LeadFilter(owners, _read_due(due), words or None), {"search": words, "rep": rep, "due": due}


def _show(
    request: Request,
    site: Site,
    visitor: Visitor,
    wanted: LeadFilter,
    after: str,
    *,
    mine: bool,
    query: dict[str, str],
) -> Response:
    wanted = replace(wanted, by_chance=is_advising(site.ledger, site.playbook))
    found = lead_list.list_leads(site.ledger, wanted, visitor.now, _ROWS + 1, _read_place(after))
    rows = [_build_row(visitor, lead) for lead in found[:_ROWS]]
    path = "/leads/mine" if mine else "/leads"
    more = None
    if len(found) > _ROWS:
        more = build_address(
            path, **query, after=_write_place(lead_list.find_place(found[_ROWS - 1], wanted, visitor.now))
        )
    counts = None
    if wanted.search is None:
        counts = lead_list.count_leads(site.ledger, wanted.owners, visitor.now)
    reps = [(rep.name, site.names.name_rep(rep.name)) for rep in site.playbook.reps]
    return render(
        request,
        "my_leads.html",
        visitor=visitor,
        rows=rows,
        counts=counts,
        most_counted=lead_list.MOST_COUNTED,
        mine=mine,
        by_chance=wanted.by_chance,
        order=BY_CHANCE if wanted.by_chance else BY_DUE_TIME,
        away=absences.find_absences(site.ledger, [visitor.actor.rep], visitor.now) if visitor.actor.rep else [],
        path=path,
        query=query,
        more=more,
        first=build_address(path, **query) if after else None,
        here=build_address(path, **query, after=after),
        export=build_address("/leads.csv", **query, mine=mine and "true"),
        reps=sorted(reps, key=lambda each: each[1]),
        limited=not mine and find_scope(visitor.actor, Permission.READ_LEADS) is not Scope.ALL,
    )


def _build_row(visitor: Visitor, lead: ListedLead) -> Row:
    actor = visitor.actor
    readable = may(actor, Permission.READ_LEADS, lead.owner)
    shown = lead if readable else mask_lead(lead)
    owned = lead.status == JourneyStatus.OWNED and lead.owner is not None
    decides = owned and may(actor, ActionKind.ACCEPT, lead.owner)
    acts_for = lead.owner if owned and not decides and may(actor, Permission.ACT_FOR_OTHERS) else None
    return Row(
        shown,
        describe_standing(lead, visitor.now),
        lead.is_due(visitor.now),
        list_reasons(lead),
        build_contact_link(shown.phone),
        build_contact_link(shown.email),
        decides=decides or acts_for is not None,
        notes=may(actor, Permission.NOTE_LEADS, lead.owner),
        acts_for=acts_for,
    )


def _read_due(text: str) -> Due | None:
    try:
        return Due(text) if text else None
    except ValueError:
        raise ListError("due is one of: due, overdue; without it all leads are listed") from None


def _read_place(text: str) -> Place | None:
    """Where a page begins, as the address of its link says. Raises ``ListError``."""
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        at = datetime.fromisoformat(found[2]) if found[2] else None
        if at is not None and at.tzinfo is None:
            raise ValueError
        chance = float(found[4]) if found[4] else None
    except ValueError:
        raise ListError("this is not where a page of the list begins; go back to its first page") from None
    return Place(Part(int(found[1])), at, int(found[3]), chance)


def _write_place(place: Place) -> str:
    written = f"{int(place.part)}_{'' if place.at is None else place.at.isoformat()}_{place.number}"
    return written if place.chance is None else f"{written}_{place.chance!r}"
