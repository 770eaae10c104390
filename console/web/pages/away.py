"""The switch by which a rep says that they are away, and back.

Belongs here: its form, and doing it. Does not belong here: keeping it (``ledger.absences``), or who is away (``team``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from console.ends_of_waits import find_end
from console.web.rendering import render
from console.web.site import TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import ActorError
from leadgate.ledger import absences
from leadgate.sla.zones import find_rep_zone

router = APIRouter()
_Text = Annotated[str, Form(max_length=100)]
_BACK: Final = "/leads/mine"


@router.get("/away")
def show_form(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    rep = _require_rep(visitor)
    today = visitor.now.astimezone(ZoneInfo(find_rep_zone(site.playbook, rep))).date()
    ends = (("tomorrow", today + timedelta(days=1)), ("Monday", today + timedelta(days=7 - today.weekday())))
    return render(
        request,
        "away.html",
        visitor=visitor,
        lasting=absences.find_absences(site.ledger, [rep], visitor.now),
        ends=[(words, day.isoformat()) for words, day in ends],
        back=_BACK,
    )


@router.post("/away")
def go_away(site: TheSite, visitor: SignedIn, until: _Text = "", day: _Text = "") -> Response:
    """``until`` is a button's day, none for an open end, and ``day`` the field's, which wins."""
    rep = _require_rep(visitor)
    end = find_end(day or until, rep, site.playbook) if day or until else None
    absences.go_away(site.ledger, rep, until=end, by=visitor.actor, now=visitor.now, playbook=site.playbook)
    return RedirectResponse(_BACK, 303)


@router.post("/back")
def come_back(site: TheSite, visitor: SignedIn) -> Response:
    absences.come_back(site.ledger, _require_rep(visitor), by=visitor.actor, now=visitor.now)
    return RedirectResponse(_BACK, 303)


def _require_rep(visitor: Visitor) -> str:
    if visitor.actor.rep is None:
        raise ActorError("your account is no rep of the playbook, so there are no leads that you could be away for")
    return visitor.actor.rep
