"""Signing in by an OpenID Connect server: to it and back.

Belongs here: the two addresses, the cookie between them, and whose account it is. Does not belong here: the server
(``open_id_provider``), or accounts (``ledger.accounts``).

What belongs to one attempt (state, nonce, the verifier of PKCE) is in a cookie that the browser alone has, signed with
the installation's key: nothing is kept here for those who never come back, and any console process can go on.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.web.open_id_provider import OpenIdError, OpenIdProvider
from console.web.sign_in import make_local
from console.web.sign_in_settings import OpenIdSettings
from console.web.site import Site, TheSite
from console.web.visitors import start_session
from leadgate.ledger import accounts
from leadgate.ledger.account_rows import Account
from leadgate.playbook import Playbook
from leadgate.vocabulary import Role

router = APIRouter()
START: Final = "/sign-in/open-id"
BACK: Final = "/sign-in/open-id/back"
_LASTS: Final = timedelta(minutes=10)
_MOST: Final = 4_000  # characters of a cookie, or of a parameter that comes back


@dataclass(frozen=True)
class _Attempt:
    """One sign-in, from the click to the way back. ``until`` is a POSIX time."""

    state: str
    nonce: str
    verifier: str
    after: str
    until: float


@router.get(START)
def start(request: Request, site: TheSite, after: str = "/") -> Response:
    """Send the browser to the server."""
    provider, now = _find_provider(request), site.now()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    attempt = _Attempt(state, nonce, verifier, make_local(after[:1_000]), (now + _LASTS).timestamp())
    address = provider.build_redirect(
        _build_back(site), state=attempt.state, nonce=attempt.nonce, verifier=attempt.verifier
    )
    response = RedirectResponse(address, 303)
    response.set_cookie(
        _name_cookie(site),
        _seal(attempt, site),
        max_age=int(_LASTS.total_seconds()),
        path="/",
        secure=site.options.secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(BACK)
def come_back(request: Request, site: TheSite, state: str = "", code: str = "", error: str = "") -> Response:
    """Who came back from the server: their session, or why there is none."""
    provider, now = _find_provider(request), site.now()
    attempt = _unseal(request.cookies.get(_name_cookie(site), ""), site, now)
    if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise OpenIdError("this sign-in was not begun in this browser, or too long ago; begin it again")
    if error or not code or len(code) > _MOST:
        raise OpenIdError("the OpenID Connect server did not let you in; try it again, or ask an admin")
    claims = provider.read_claims(code, _build_back(site), nonce=attempt.nonce, verifier=attempt.verifier, now=now)
    account = _admit(site, provider.settings, claims, now)
    response = RedirectResponse(attempt.after, 303)
    start_session(response, site, account, now)
    response.delete_cookie(
        _name_cookie(site), path="/", secure=site.options.secure, httponly=True, samesite="lax"
    )  # an attempt is for one session
    return response


def _admit(site: Site, settings: OpenIdSettings, claims: Mapping[str, Any], now: datetime) -> Account:
    """The account of somebody of whom the server says ``claims``. Raises ``OpenIdError`` and ``AccountError``."""
    login = claims.get(settings.login_claim)
    if not isinstance(login, str) or not login.strip():
        raise OpenIdError(f"the OpenID Connect server does not give your {settings.login_claim}; ask an admin")
    if settings.login_claim == "email" and claims.get("email_verified") is not True:
        raise OpenIdError("the OpenID Connect server has not verified your e-mail address; ask an admin")
    roles = read_roles(settings, claims)
    if roles is not None and not roles:
        raise OpenIdError("the OpenID Connect server gives you no role in Leadgate; ask an admin")
    name, email = claims.get("name"), claims.get("email")
    return accounts.admit(
        site.ledger,
        subject=f"{settings.issuer} {claims['sub']}",
        login=login,
        name=name if isinstance(name, str) and name.strip() else login,
        email=email if isinstance(email, str) and email.strip() else None,
        roles=roles,
        rep=_find_rep(login, site.playbook),
        now=now,
    )


def read_roles(settings: OpenIdSettings, claims: Mapping[str, Any]) -> frozenset[Role] | None:
    """The roles that a server's claims give; None where an admin gives them. A claim may be a list, or one value."""
    if not settings.roles:
        return None
    given = claims.get(settings.roles_claim)
    values = given if isinstance(given, list) else [given]
    return frozenset(role for value, role in settings.roles.items() if value in values)


def _find_rep(login: str, playbook: Playbook) -> str | None:
    """The rep whose ``login`` it is by the playbook. A name alone makes nobody that rep."""
    return next((rep.name for rep in playbook.reps if rep.login and rep.login.lower() == login.strip().lower()), None)


def _find_provider(request: Request) -> OpenIdProvider:
    provider: OpenIdProvider | None = request.app.state.open_id
    if provider is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return provider


def _build_back(site: Site) -> str:
    return f"{site.options.url}{BACK}"


def _name_cookie(site: Site) -> str:
    return "__Host-leadgate-open-id" if site.options.secure else "leadgate-open-id"


def _seal(attempt: _Attempt, site: Site) -> str:
    body = urlsafe_b64encode(orjson.dumps(asdict(attempt)))
    return f"{body.decode()}.{_sign(body, site)}"


def _unseal(cookie: str, site: Site, now: datetime) -> _Attempt | None:
    """The attempt of a cookie; None for one that is not ours, or too old."""
    body, _, signature = cookie[:_MOST].partition(".")
    if not cookie.isascii() or not hmac.compare_digest(signature, _sign(body.encode(), site)):
        return None
    attempt = _Attempt(**orjson.loads(urlsafe_b64decode(body)))
    return attempt if now.timestamp() <= attempt.until else None


def _sign(body: bytes, site: Site) -> str:
    return hmac.new(site.ledger.key, b"open-id attempt " + body, sha256).hexdigest()
