"""A fake of Facebook's Graph API, as far as leads of lead ads are read by it.

Belongs here: leads, tokens with their proof, limits, and errors in Facebook's form. Does not belong here: webhooks
(``made_webhooks``). Written by Facebook's documentation of reading leads, of secure requests and of errors.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from crm_fakes.serving import FakeService, Request, Response

VERSION: Final = "v25.0"
_FIELDS: Final = frozenset(
    {
        "id", "created_time", "field_data", "form_id", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id",
        "campaign_name", "platform", "is_organic", "custom_disclaimer_responses", "partner_name", "post", "vehicle",
    }
)  # fmt: skip
_PARAMETERS: Final = frozenset({"fields", "access_token", "appsecret_proof"})


class FakeLeadAds(FakeService):
    """One app with one page. ``token`` is good until it is ``expired``; ``app_secret`` proves each request."""

    def __init__(self, token: str, app_secret: str) -> None:
        super().__init__()
        self.token, self.app_secret = token, app_secret
        self.expired = False
        self.leads: dict[str, dict[str, Any]] = {}
        self.left: int | None = None  # requests until the limit of the page's leads is reached
        self.minutes = 7  # for which the limit then holds

    def add(self, lead_id: int, **answers: str) -> None:
        """A lead of a form, with its ad. ``created_time`` is as Facebook writes times."""
        self.leads[str(lead_id)] = {
            "id": str(lead_id), "created_time": "2026-03-02T09:14:59+0000", "ad_id": "555", "form_id": "333",
            "ad_name": "Spring", "campaign_id": "777", "campaign_name": "Mills", "platform": "fb", "is_organic": False,
            "field_data": [{"name": name, "values": [value]} for name, value in answers.items()],
        }  # fmt: skip

    def answer(self, request: Request) -> Response:
        query = request.query
        if request.method != "GET":
            return _refuse(100, "Unsupported post request.", subcode=33)
        if len(request.segments) != 2 or request.segments[0] != VERSION:
            return _refuse(2635, f"You are calling a deprecated version, not {VERSION}", kind="OAuthException")
        if query.keys() - _PARAMETERS:
            return _refuse(100, f"Unknown parameters {sorted(query.keys() - _PARAMETERS)}", kind="OAuthException")
        refused = self._sign_in(query)
        if refused is not None:
            return refused
        if self.left == 0:
            usage = b'{"222": [{"type": "leadgen", "call_count": 100, "estimated_time_to_regain_access": %d}]}'
            headers = {"X-Business-Use-Case-Usage": (usage % self.minutes).decode()}
            return _refuse(80005, "(#80005) There have been too many leadgen api calls", headers=headers)
        if self.left is not None:
            self.left -= 1
        return self._read(request.segments[1], query.get("fields", "id"))

    def _sign_in(self, query: dict[str, str]) -> Response | None:
        given = query.get("access_token")
        if given is None:
            return _refuse(104, "An access token is required to request this resource.", kind="OAuthException")
        if given != self.token:
            return _refuse(190, f"Invalid OAuth access token {given}", kind="OAuthException")
        proof = hmac.new(self.app_secret.encode(), given.encode(), hashlib.sha256).hexdigest()
        if "appsecret_proof" not in query:
            return _refuse(100, "API calls from the server require an appsecret_proof argument")
        if query["appsecret_proof"] != proof:
            return _refuse(100, "Invalid appsecret_proof provided in the API argument")
        if self.expired:
            return _refuse(
                190, f"Error validating access token {given}: Session has expired", subcode=463, kind="OAuthException"
            )
        return None

    def _read(self, lead_id: str, fields: str) -> Response:
        if lead_id == "me":
            return Response(200, {"id": "222"})
        lead = self.leads.get(lead_id)
        if lead is None:
            words = (
                f"Unsupported get request. Object with ID '{lead_id}' does not exist, cannot be loaded due to missing "
                "permissions, or does not support this operation."
            )
            return _refuse(100, words, subcode=33)
        names = fields.split(",")
        if unknown := [name for name in names if name not in _FIELDS]:
            return _refuse(100, f"(#100) Tried accessing nonexisting field ({unknown[0]})", kind="OAuthException")
        return Response(200, {name: lead[name] for name in dict.fromkeys(["id", *names]) if name in lead})


def _refuse(
    code: int, message: str, *, subcode: int | None = None, kind: str = "GraphMethodException", headers: Any = None
) -> Response:
    error = {"message": message, "type": kind, "code": code, "fbtrace_id": "AbCdEfGhIjK"}
    if subcode is not None:
        error["error_subcode"] = subcode
    status = 403 if code == 80005 else 400
    return Response(status, {"error": error}, headers or {})
