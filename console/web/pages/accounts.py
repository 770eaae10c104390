"""Accounts: the page of one's own, the list for admins, and the pages behind one-time links.

Belongs here: these pages. Does not belong here: signing in (``console.web.sign_in``), or who may manage accounts
(``leadgate.actors``, asked by ``ledger.accounts``).
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from console.web.rendering import build_address, render
from console.web.site import TheSite
from console.web.visitors import SignedIn, end_session, start_session
from leadgate.actors import require
from leadgate.ledger import accounts, invitations, web_sessions
from leadgate.ledger.accounts import AccountError
from leadgate.permissions import Permission
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import Role

router = APIRouter()
_MOST: Final = 1_000  # characters of a field of these forms
_Text = Annotated[str, Form(max_length=_MOST)]
_DONE: Final = {
    "password": "The password is changed. Sessions in other browsers have ended.",
    "zone": "The time zone is changed.",
    "added": "The account is there. Give its link to the person: it works once, within 24 hours.",
    "roles": "The roles are changed.",
    "disabled": "The account is disabled, and its sessions have ended.",
    "enabled": "The account is enabled again.",
}


@router.get("/account")
def show_account(request: Request, site: TheSite, visitor: SignedIn, done: str = "") -> Response:
    zones = sorted(list_time_zones())
    return render(request, "account.html", visitor=visitor, zones=zones, done=_DONE.get(done))


@router.post("/account/password")
def change_password(request: Request, site: TheSite, visitor: SignedIn, current: _Text, password: _Text) -> Response:
    """A new password, for who knows the one before. It ends all sessions, so this browser gets a new one."""
    if not request.app.state.attempts.verify(
        site.ledger, f"account {visitor.account.id}", visitor.account.login, current
    ):
        raise AccountError("the present password is wrong; nothing was changed")
    accounts.set_password(site.ledger, visitor.account.login, password, by=visitor.actor, now=visitor.now)
    response = RedirectResponse("/account?done=password", 303)
    start_session(response, site, visitor.account, visitor.now)
    return response


@router.post("/account/time-zone")
def change_time_zone(site: TheSite, visitor: SignedIn, zone: _Text = "") -> Response:
    accounts.set_time_zone(site.ledger, visitor.account.login, zone or None, by=visitor.actor, now=visitor.now)
    return RedirectResponse("/account?done=zone", 303)


@router.post("/account/end-sessions")
def end_all_sessions(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    """Sign out everywhere, here too."""
    web_sessions.end_sessions(site.ledger, visitor.account.id, visitor.now)
    response = RedirectResponse("/sign-in", 303)
    end_session(request, response, site)
    return response


@router.get("/accounts")
def list_accounts(request: Request, site: TheSite, visitor: SignedIn, done: str = "") -> Response:
    require(visitor.actor, Permission.MANAGE_ACCOUNTS)
    return _show_list(request, site, visitor, done=_DONE.get(done))


@router.post("/accounts")
def add_account(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    login: _Text,
    name: _Text,
    email: _Text = "",
    rep: _Text = "",
    role: Annotated[list[str], Form()] = [],  # noqa: B006 - read by FastAPI, never changed
) -> Response:
    """A new account, and the link by which its person sets a password; the link is shown this once."""
    accounts.add_account(
        site.ledger,
        login=login,
        name=name,
        roles=_read_roles(role),
        email=email or None,
        rep=rep or None,
        by=visitor.actor,
        now=visitor.now,
    )
    return _show_link(request, site, visitor, login)


@router.post("/accounts/link")
def make_link(request: Request, site: TheSite, visitor: SignedIn, login: _Text) -> Response:
    require(visitor.actor, Permission.MANAGE_ACCOUNTS)
    return _show_link(request, site, visitor, login)


@router.post("/accounts/roles")
def change_roles(
    site: TheSite,
    visitor: SignedIn,
    login: _Text,
    rep: _Text = "",
    role: Annotated[list[str], Form()] = [],  # noqa: B006 - read by FastAPI, never changed
) -> Response:
    accounts.set_roles(site.ledger, login, _read_roles(role), rep=rep or None, by=visitor.actor, now=visitor.now)
    return RedirectResponse("/accounts?done=roles", 303)


@router.post("/accounts/disable")
def disable_account(site: TheSite, visitor: SignedIn, login: _Text) -> Response:
    accounts.disable_account(site.ledger, login, by=visitor.actor, now=visitor.now)
    return RedirectResponse("/accounts?done=disabled", 303)


@router.post("/accounts/enable")
def enable_account(site: TheSite, visitor: SignedIn, login: _Text) -> Response:
    accounts.enable_account(site.ledger, login, by=visitor.actor, now=visitor.now)
    return RedirectResponse("/accounts?done=enabled", 303)


@router.get("/welcome")
def show_welcome(request: Request, site: TheSite, token: str = "") -> Response:
    """The page behind a one-time link. Only its form uses the link: programs that look at links do not."""
    found = invitations.find_link(site.ledger, token, site.now())
    if found is None:
        raise AccountError("This link cannot be used any more. Ask an admin for another one.")
    return render(request, "welcome.html", token=token, account=found.account)


@router.post("/welcome")
def use_link(site: TheSite, token: _Text, password: _Text, login: _Text = "", name: _Text = "") -> Response:
    now = site.now()
    account = invitations.use_link(site.ledger, token, now, password=password, login=login or None, name=name or None)
    response = RedirectResponse("/", 303)
    start_session(response, site, account, now)
    return response


def _read_roles(given: list[str]) -> list[Role]:
    try:
        return [Role(each) for each in given]
    except ValueError:
        raise AccountError("there is no such role; choose among those of the form") from None


def _show_link(request: Request, site: TheSite, visitor: SignedIn, login: _Text) -> Response:
    account = accounts.find_account(site.ledger, login)
    if account is None:
        raise AccountError("there is no such account; go back to the list")
    token = invitations.create_link(site.ledger, visitor.now, account_id=account.id, by=visitor.actor)
    link = f"{site.options.url}{build_address('/welcome', token=token)}"
    return _show_list(request, site, visitor, done=_DONE["added"], link=link, link_of=account.name)


def _show_list(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    *,
    done: str | None,
    link: str | None = None,
    link_of: str | None = None,
) -> Response:
    people = sorted(
        {rep.name for rep in site.playbook.reps} | {rep.manager for rep in site.playbook.reps if rep.manager}
    )
    found = accounts.list_accounts(site.ledger)
    return render(
        request,
        "accounts.html",
        visitor=visitor,
        accounts=found,
        roles=list(Role),
        people=people,
        done=done,
        link=link,
        link_of=link_of,
    )
