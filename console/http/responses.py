"""Answers of the HTTP side: JSON bodies of one shape, and refusals with their status.

Belongs here: how an answer looks. Does not belong here: why a request is refused (``authentication``, ``body_reader``,
``capture_api``).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response

from leadgate.errors import LeadgateError

RETRY_AFTER: Final = 5  # seconds to wait for a PostgreSQL that is away


class RefusedError(LeadgateError):
    """A request that is not taken. Nothing of it is stored.

    ``error`` is one word for programs, ``message`` says what was wrong and what to do; it never repeats a
    value, because answers end up in the sender's logs. ``retry_after`` is in seconds.
    """

    def __init__(
        self, status: int, error: str, message: str, *, retry_after: int | None = None, close: bool = False
    ) -> None:
        super().__init__(message)
        self.http_status = HTTPStatus(status)
        self.error = error
        self.message = message
        self.retry_after = retry_after
        self.close = close  # nothing can follow on this connection
        self.headers: dict[str, str] = {}

    def build_response(self) -> Response:
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.http_status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return answer(self.http_status, {"error": self.error, "message": self.message}, headers)


#: The only answer to an unknown sender: it tells nothing about which sources there are.
UNAUTHORISED: Final = (
    "the credentials are missing, wrong or out of date; see how the source signs in, and check this machine's clock"
)


def build_unauthorised_error() -> RefusedError:
    return RefusedError(401, "unauthorised", UNAUTHORISED, close=True)


def build_unexpected_error() -> RefusedError:
    """The answer to a request that met a fault of ours."""
    words = "something went wrong here; nothing of this request is known to be stored, so send it again"
    return RefusedError(500, "unexpected", words)


def build_ledger_away_error() -> RefusedError:
    words = "the ledger cannot be reached; send the same again"
    return RefusedError(503, "ledger_away", words, retry_after=RETRY_AFTER)


def build_id_reused_error() -> RefusedError:
    """The id of this request named another body before. That one is kept, and nothing of this one is."""
    words = "the id of this request named another body before; send each body under an id of its own"
    return RefusedError(409, "id_reused", words)


def answer(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """``body`` as JSON."""
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
