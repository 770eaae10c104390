"""Who is signed in: the account behind a request's cookie, and as whom it acts.

Belongs here: the cookie, and turning it into a visitor. Does not belong here: signing in (``sign_in``), keeping
accounts and sessions (``leadgate.ledger``), or what a visitor may do (``leadgate.actors``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.responses import Response

from console.web.site import Site, TheSite, find_site
from console.web.trusted_header import find_vouched_login
from leadgate import actors
from leadgate.actors import Actor
from leadgate.ledger import web_sessions
from leadgate.ledger.account_rows import Account
from leadgate.sla.zones import find_rep_zone

#: Browsers keep a cookie of this prefix only for this host, with a secure connection, for every path.
COOKIE: Final = "__Host-leadgate"
#: Where the console is reached without HTTPS on another machine, browsers refuse the prefix.
PLAIN_COOKIE: Final = "leadgate"


class SignInNeededError(Exception):
    """The request has no session that lasts; a page sends its visitor to the sign-in."""


@dataclass(frozen=True)
class Visitor:
    """A signed-in person. ``now`` is the ledger's time of their request; their times are shown in ``zone``."""

    account: Account
    actor: Actor
    zone: ZoneInfo
    now: datetime


def name_cookie(site: Site) -> str:
    return COOKIE if site.options.secure else PLAIN_COOKIE


def read_token(request: Request) -> str | None:
    """The token of the visitor's session, as their browser sends it; not verified."""
    token = request.cookies.get(name_cookie(find_site(request)))
    return token if token and len(token) <= 200 else None


def find_visitor(request: Request, site: TheSite) -> Visitor | None:
    """Who is signed in; None without a session that lasts."""
    token = read_token(request)
    if token is None:
        return None
    found = web_sessions.read_session(site.ledger, token, site.options.as_of)
    if found is None:
        return None
    account, now = found
    vouched = find_vouched_login(request)
    if vouched is not None and vouched.casefold() != account.login.casefold():
        return None  # somebody else sits at this browser now, and the proxy knows
    return build_visitor(account, site, now)


def build_visitor(account: Account, site: Site, now: datetime) -> Visitor:
    actor = actors.identify_account(account.login, account.roles, account.rep, site.playbook)
    return Visitor(account, actor, ZoneInfo(account.time_zone or find_rep_zone(site.playbook, account.rep)), now)


async def require_visitor(visitor: Annotated[Visitor | None, Depends(find_visitor)]) -> Visitor:
    """Raises ``SignInNeededError``."""
    if visitor is None:
        raise SignInNeededError
    return visitor


#: A parameter of the function of a page that only signed-in people see.
SignedIn = Annotated[Visitor, Depends(require_visitor)]


def start_session(response: Response, site: Site, account: Account, now: datetime) -> None:
    """Open a session and give its cookie to the browser, which keeps it until it is closed."""
    token = web_sessions.open_session(site.ledger, account.id, now)
    response.set_cookie(name_cookie(site), token, path="/", secure=site.options.secure, httponly=True, samesite="lax")


def end_session(request: Request, response: Response, site: Site) -> None:
    """End the session of the request, if there is one, and take its cookie back."""
    token = read_token(request)
    if token is not None:
        web_sessions.end_session(site.ledger, token, site.now())
    response.delete_cookie(name_cookie(site), path="/", secure=site.options.secure, httponly=True, samesite="lax")
