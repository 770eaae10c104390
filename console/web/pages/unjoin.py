"""Parting a signal from the lead that it was taken for: what becomes of it, and doing it.

Belongs here: the form, and its answer. Does not belong here: which signals there are (``console.web.joined_signals``),
or what parting does (``ledger.joins``).
"""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from console.web.done_actions import add_done
from console.web.going_on import GoingOn
from console.web.joined_signals import list_joined_signals
from console.web.pages.lead import read_view
from console.web.rendering import render
from console.web.site import TheSite
from console.web.visitors import SignedIn
from leadgate.actors import require
from leadgate.expressions.wording import name_field
from leadgate.ledger import joins
from leadgate.ledger.actions import ActionError
from leadgate.permissions import Permission
from leadgate.references import parse_number

router = APIRouter()


@router.get("/leads/{lead}/unjoin/{journey}")
def show_form(request: Request, site: TheSite, visitor: SignedIn, lead: str, journey: str) -> Response:
    view = read_view(site, visitor, str(parse_number(lead, "lead")))
    number = parse_number(journey, "journey")
    join = next((each for each in list_joined_signals(view.story, visitor.actor) if each.journey_id == number), None)
    if join is None:
        owner = next((each.owner for each in view.story.assignments if each.journey_id == number), None)
        require(visitor.actor, Permission.DECIDE_ITEMS, owner)
        raise HTTPException(404)
    return render(
        request,
        "unjoin.html",
        visitor=visitor,
        view=view,
        join=join,
        fields=[name_field(name) for name in join.changed],
    )


@router.post("/leads/{lead}/unjoin/{journey}")
def unjoin(request: Request, site: TheSite, visitor: SignedIn, lead: str, journey: str) -> Response:
    number, lead_id = parse_number(journey, "journey"), parse_number(lead, "lead")
    view = read_view(site, visitor, str(lead_id))
    if number not in {each.id for each in view.story.journeys}:
        raise ActionError(f"J{number} is not lead {lead_id}'s, or not any more: nothing was changed")
    done = joins.unjoin(site.ledger, number, by=visitor.actor, now=visitor.now)
    going_on: GoingOn = request.app.state.going_on
    going_on.release([number])
    return RedirectResponse(add_done(f"/leads/{lead_id}", done.action), 303)
