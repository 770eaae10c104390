"""Facebook's Graph API, as far as leads of lead ads are read by it: what one person answered, by the lead's id.

Belongs here: the request, its proof, and what an answer or an error means. Does not belong here: what the webhook says
(``leadgate.mapping.webhooks.facebook``, which reads the answers, too), or when a lead is asked for (``tasks``).

The request: https://developers.facebook.com/docs/marketing-api/guides/lead-ads/retrieving. Errors:
https://developers.facebook.com/docs/graph-api/guides/error-handling. The proof (``appsecret_proof``) says that the
request is from who has the app's secret: https://developers.facebook.com/docs/graph-api/guides/secure-requests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import requests

from leadgate.connectors.service_session import Answer, Policy, ServiceError, ServiceSession
from leadgate.values.json_types import JsonObject, JsonValue, as_object

#: What is asked of a lead.
FIELDS: Final = (
    "id", "created_time", "field_data", "form_id", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id",
    "campaign_name", "platform", "is_organic",
)  # fmt: skip
_MAX_BYTES: Final = 1024**2  # of an answer
_SHORTEST_WAIT, _LONGEST_WAIT = 60.0, 3_600.0  # seconds after a limit
_MESSAGE: Final = 500  # characters of Facebook's message

#: Codes of errors. Limits of an app, a user, a page and a call; those from 80000 on are of one use, such as leads.
_LIMITS: Final = frozenset({4, 17, 32, 341, 368, 613, *range(80_000, 80_100)})
_TEMPORARY: Final = frozenset({1, 2})
#: The token, the app or its version is refused, whichever lead is asked for.
_REFUSED: Final = frozenset({3, 10, 12, 102, 104, 190, 2_635, *range(200, 300)})
_UNKNOWN: Final = frozenset({100, 803})
_PROOF: Final = "appsecret_proof"


class LeadAdsRefusedError(ServiceError):
    """Facebook refuses the source's token, its proof or the version: no lead can be read.

    ``code`` and ``vendor_message`` are Facebook's own; the message goes to work items only.
    """

    def __init__(self, message: str, *, code: str = "", vendor_message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.vendor_message = vendor_message


class LeadAdsLimitError(ServiceError):
    """A limit is reached. Nobody should ask for another lead for ``wait_seconds``."""

    def __init__(self, message: str, *, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class LeadUnknownError(ServiceError):
    """Facebook gives nothing about this lead: it has none by that id, or the token may not read it."""


class LeadFailedError(ServiceError):
    """Facebook failed to give this lead, and may give it later."""


@dataclass(frozen=True)
class _Error:
    """``error`` of an answer. Each part of it may be missing."""

    code: int
    subcode: int
    message: str
    is_transient: bool

    @property
    def words(self) -> str:
        return f"{self.code}/{self.subcode}" if self.subcode else f"{self.code}"


class LeadAds:
    """Reads leads of one source. ``secrets`` are those of its app: two, while one is replaced by the other."""

    def __init__(self, url: str, token: str, secrets: Sequence[str], *, allow_private: bool = False) -> None:
        self._url = url.rstrip("/")
        proofs = [hmac.new(each.encode(), token.encode(), hashlib.sha256).hexdigest() for each in secrets]
        policy = Policy(
            connect=5, read=10, whole=20, repeats=1, max_bytes=_MAX_BYTES, connections=2, allow_private=allow_private
        )
        self._sessions = [
            ServiceSession("Facebook", auth=_Signed(token, proof), policy=policy, secrets=[token, proof, *secrets])
            for proof in proofs
        ]

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def check_token(self) -> None:
        """Ask whose the token is, which needs the token, the proof and the version. Raises ``ServiceError``."""
        self._ask("me", ("id",))

    def read_lead(self, lead_id: str) -> JsonObject:
        """The lead with its answers, as Facebook gives it. Raises ``ServiceError``."""
        given = self._ask(lead_id, FIELDS)
        if str(given.get("id")) != lead_id or not isinstance(given.get("field_data"), list):
            raise LeadUnknownError("Facebook gave the lead without its answers, which the token may not read")
        return given

    def _ask(self, path: str, fields: Sequence[str]) -> JsonObject:
        while True:
            answer = self._sessions[0].send("GET", f"{self._url}/{path}", params={"fields": ",".join(fields)})
            given, error = _read(answer)
            if error is None:
                break
            if _is_about_proof(error) and len(self._sessions) > 1:  # the app has its other secret by now
                self._sessions.pop(0).close()
                continue
            raise _judge(error, answer)
        if not answer.is_ok:
            raise LeadFailedError(f"Facebook answered {answer.status} without an error of its own")
        return given


@dataclass(frozen=True)
class _Signed:
    """Adds token and proof to a request, so that they are in no argument that could be shown."""

    token: str = field(repr=False)
    proof: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.prepare_url(request.url or "", {"access_token": self.token, _PROOF: self.proof})
        return request


def _read(answer: Answer) -> tuple[JsonObject, _Error | None]:
    """What an answer holds, and the error in it. Raises ``ServiceError``."""
    try:
        given = as_object(answer.parse_json())
    except ServiceError:
        if answer.status == 429:
            raise LeadAdsLimitError("Facebook's limit is reached (429)", wait_seconds=_find_wait(answer)) from None
        raise LeadFailedError(f"Facebook answered {answer.status} with a body that is no JSON") from None
    if not isinstance(given.get("error"), dict):
        return given, None
    error = as_object(given.get("error"))
    message = error.get("message")
    return given, _Error(
        _read_number(error.get("code")),
        _read_number(error.get("error_subcode")),
        message[:_MESSAGE] if isinstance(message, str) else "",
        error.get("is_transient") is True,
    )


def _judge(error: _Error, answer: Answer) -> ServiceError:
    """What an error means: for every lead of the source, or for this one."""
    if error.code in _LIMITS or answer.status == 429:
        return LeadAdsLimitError(f"Facebook's limit is reached ({error.words})", wait_seconds=_find_wait(answer))
    if error.code in _TEMPORARY or error.is_transient:
        return LeadFailedError(f"Facebook failed for a moment ({error.words})")
    told = {"code": error.words, "vendor_message": error.message}
    if error.code == 190:
        return LeadAdsRefusedError(
            f"Facebook refuses the token, which has expired or was revoked ({error.words}): make a new one", **told
        )
    if _is_about_proof(error):
        return LeadAdsRefusedError(f"Facebook refuses the proof by the app's secret ({error.words})", **told)
    if error.code in _REFUSED:
        return LeadAdsRefusedError(f"Facebook refuses the request: rights, app or version ({error.words})", **told)
    if error.code in _UNKNOWN:
        return LeadUnknownError(f"Facebook knows no lead by this id, or the token may not read it ({error.words})")
    return LeadFailedError(f"Facebook answered {answer.status} with error {error.words}")


def _is_about_proof(error: _Error) -> bool:
    """Whether the error is that of a wrong or missing proof: its code is that of any wrong parameter."""
    return error.code == 100 and _PROOF in error.message


def _find_wait(answer: Answer) -> float:
    """For how many seconds Facebook asks to wait: the longest that it names of any use, in minutes."""
    waits = [answer.retry_after or 0.0]
    try:
        uses = as_object(orjson.loads(answer.headers.get("X-Business-Use-Case-Usage") or "{}"))
    except orjson.JSONDecodeError:
        uses = {}
    for listed in uses.values():
        for each in listed if isinstance(listed, list) else ():
            minutes = as_object(each).get("estimated_time_to_regain_access")
            if isinstance(minutes, int | float) and not isinstance(minutes, bool):
                waits.append(60.0 * minutes)
    return min(max(*waits, _SHORTEST_WAIT), _LONGEST_WAIT)


def _read_number(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
