"""What every request and every answer of the console must pass, whoever sends it.

Belongs here: headers of answers, requests that come from other sites, the size of a body. Does not belong here: who is
signed in (``visitors``), or connections (``console.http.connections``).

Requests from other sites are refused as Go's ``net/http.CrossOriginProtection`` refuses them, without tokens in forms:
browsers say by ``Sec-Fetch-Site`` where a request comes from, older ones by ``Origin``; what sends neither is no
browser, and has no cookie that somebody else could use.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY: Final = 1024 * 1024  # bytes of a form
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = {
    # scripts and styles are files of ours; nothing is fetched from elsewhere, and nobody frames a page
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: Pages hold personal values: no cache keeps them, a shared computer's neither.
_PRIVATE: Final = "no-store"


class Guard:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE and (why := find_cross_site_refusal(headers)) is not None:
            await _refuse(403, why)(scope, receive, _with_headers(send))
            return
        await self._app(scope, _with_limit(receive), _with_headers(send))


def find_cross_site_refusal(headers: Headers) -> str | None:
    """Why a request that changes something is refused, or None when it comes from our own pages."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else "this form was sent by another site; open the page here"
    origin = headers.get("origin")
    if origin is None or origin.partition("://")[2] == headers.get("host"):
        return None
    return "this form was sent by another site; open the page here"


def _with_limit(receive: Receive) -> Receive:
    """``receive``, which gives no more than ``MOST_BODY`` bytes of a body."""
    count = 0

    async def receive_limited() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > MOST_BODY:
            raise HTTPException(413)
        return message

    return receive_limited


def _with_headers(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", _PRIVATE)
        await send(message)

    return send_guarded


def _refuse(status: int, why: str) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status)
