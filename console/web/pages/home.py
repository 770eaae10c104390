"""The first page: a visitor is led to the page that they work on."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from console.web.visitors import SignedIn, Visitor
from leadgate.vocabulary import Role

router = APIRouter()
#: By role, the first that a visitor has.
_FIRST: Final = (
    (Role.REP, "/leads/mine"),
    (Role.MANAGER, "/team"),
    (Role.REVIEWER, "/queue"),
    (Role.OPERATOR, "/operations"),
    (Role.PRIVACY_OFFICER, "/leads"),
    (Role.ADMIN, "/accounts"),
)


@router.get("/")
def show_home(visitor: SignedIn) -> Response:
    return RedirectResponse(find_first_page(visitor), 303)


def find_first_page(visitor: Visitor) -> str:
    return next((address for role, address in _FIRST if role in visitor.actor.roles), "/account")
