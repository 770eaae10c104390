"""Signing in and out with a local account, and the one-time links that make the first admin or set a password.

Belongs here: these pages, and the limits of attempts. Does not belong here: passwords and links (``leadgate.ledger``),
or other ways to sign in (``open_id``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from console.http.addresses import find_client_address, find_sender
from console.http.rates import MOST_ADDRESSES, TokenBucket
from console.web.rendering import render
from console.web.site import Site, TheSite
from console.web.trusted_header import find_vouched_login
from console.web.visitors import end_session, start_session
from leadgate.errors import LeadgateError
from leadgate.ledger import Ledger, accounts
from leadgate.ledger.account_rows import Account

router = APIRouter()
WRONG: Final = "The name or the password is wrong."
_TRIES: Final = 20  # at once
_TRIES_PER_SECOND: Final = 0.2
_MOST_LOGIN: Final = 320  # characters
_MOST_AT_ONCE: Final = 2  # passwords that are verified at one time: each takes 64 MiB and a core for a moment
_turns = threading.BoundedSemaphore(_MOST_AT_ONCE)


class TooManyAttemptsError(LeadgateError):
    """A password is not even looked at: too many were wrong."""

    http_status = HTTPStatus.TOO_MANY_REQUESTS


class Attempts:
    """Passwords that are tried: so many at once by one sender and for one account, then one every few seconds. A right
    one costs nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()
        self._clock, self._lock = clock, threading.Lock()

    def verify(self, ledger: Ledger, sender: str, login: str, password: str) -> Account | None:
        """The account, if it has this password. Raises ``TooManyAttemptsError``, whatever the password."""
        with self._lock:
            waits = [bucket.take(1) for bucket in self._find(sender, login)]
        if any(waits):
            raise TooManyAttemptsError("Too many attempts. Try again in a minute.")
        with _turns:
            account = accounts.verify_password(ledger, login, password)
        if account is not None:
            with self._lock:
                for bucket in self._find(sender, login):
                    bucket.give_back(1)
        return account

    def _find(self, sender: str, login: str) -> list[TokenBucket]:
        found = []
        for key in (("sender", sender), ("login", login.casefold()[:_MOST_LOGIN])):
            bucket = self._buckets.pop(key, None) or TokenBucket(_TRIES_PER_SECOND, _TRIES, self._clock)
            self._buckets[key] = bucket
            found.append(bucket)
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return found


@router.get("/sign-in")
def show_sign_in(request: Request, site: TheSite, after: str = "/") -> Response:
    """The form; whom a trusted proxy vouches for needs none."""
    login = find_vouched_login(request)
    if login is None:
        return render(request, "sign_in.html", after=make_local(after), problem=None, login="")
    account = accounts.find_account(site.ledger, login)
    if account is None or account.disabled_at is not None:
        return _show_problem(request, 403, "There is no account for you here. Ask an admin to add one.", after, login)
    response = RedirectResponse(make_local(after), 303)
    start_session(response, site, account, site.now())
    return response


@router.post("/sign-in")
def sign_in(
    request: Request,
    site: TheSite,
    login: Annotated[str, Form(max_length=_MOST_LOGIN)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    after: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    attempts: Attempts = request.app.state.attempts
    try:
        account = attempts.verify(site.ledger, _find_sender(request, site), login.strip(), password)
    except TooManyAttemptsError as error:
        return _show_problem(request, error.http_status, str(error), after, login)
    if account is None:
        return _show_problem(request, 401, WRONG, after, login)
    response = RedirectResponse(make_local(after), 303)
    start_session(response, site, account, site.now())
    return response


@router.post("/sign-out")
def sign_out(request: Request, site: TheSite) -> Response:
    response = RedirectResponse("/sign-in", 303)
    end_session(request, response, site)
    return response


def _show_problem(request: Request, status: int, problem: str, after: str, login: str) -> Response:
    return render(request, "sign_in.html", status=status, after=make_local(after), problem=problem, login=login)


def make_local(address: str) -> str:
    """``address`` if it is one of ours, as a path; else the first page. A sign-in leads nowhere else."""
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if ours and address.isprintable() else "/"


def _find_sender(request: Request, site: Site) -> str:
    peer = request.client.host if request.client else ""
    forwarded = [value.encode("latin-1") for value in request.headers.getlist("x-forwarded-for")]
    return find_sender(find_client_address(peer, forwarded, site.settings.trusted_proxies))
