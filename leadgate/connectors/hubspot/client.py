"""Sends requests to HubSpot's CRM API: addresses by version, limits, and answers that refuse.

Belongs here: what holds for every request. Does not belong here: what a request is about.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Final

from leadgate.connectors.crm import CrmBudget, CrmLimitError, CrmObject, CrmRefusedError
from leadgate.connectors.hubspot.errors import ApiError, HubSpotFailedError, HubSpotRefusedError, read_error
from leadgate.connectors.hubspot.limiter import Limiter, Pace
from leadgate.connectors.service_session import Answer, ServiceError, ServiceSession
from leadgate.values.json_types import JsonObject, JsonValue

#: What HubSpot calls the kinds of records in addresses.
KINDS: Final = {
    CrmObject.LEAD: "contacts",
    CrmObject.TASK: "tasks",
    CrmObject.DEAL: "deals",
    CrmObject.OPPORTUNITY: "deals",
    CrmObject.CALL: "calls",
    CrmObject.EMAIL: "emails",
    CrmObject.MEETING: "meetings",
}

_SIGNS: Final = str.maketrans("", "", "._-")  # that the names of scopes have
_LOCKED: Final = 423
_LIMITED: Final = 429
_MOVING: Final = 477  # the account is moved to another place, which takes up to a day


class Client:
    """A connection to one account. ``version`` is a dated version, or ``v3``. Safe to use from several threads."""

    def __init__(self, base_url: str, session: ServiceSession, version: str, pace: Pace) -> None:
        if not version.replace("-", "").isalnum():
            raise CrmRefusedError("the version of HubSpot's API is no version, such as 2026-09")
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._version = version
        self._pace = pace
        self._limiter = Limiter(pace)

    @property
    def budget(self) -> CrmBudget:
        return self._limiter.budget

    def find_path(self, area: str, *rest: str) -> str:
        """The address of an area: ``objects``, ``properties``, ``owners``, ``pipelines`` or ``associations``."""
        if self._version.startswith("v"):
            version = "v4" if area == "associations" else self._version
            head: tuple[str, ...] = ("crm", version, area)
        else:
            head = ("crm", area, self._version)
        return "/".join((self._base_url, *head, *rest))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> JsonObject:
        return self._ask("GET", path, params=params)

    def post(
        self,
        path: str,
        body: JsonObject,
        *,
        params: Mapping[str, str] | None = None,
        is_search: bool = False,
        is_repeatable: bool = True,
    ) -> JsonObject:
        """Send ``body``. ``is_repeatable``: sending it twice does what sending it once does."""
        return self._ask("POST", path, params=params, body=body, is_search=is_search, is_repeatable=is_repeatable)

    def close(self) -> None:
        self._session.close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        is_search: bool = False,
        is_repeatable: bool = True,
    ) -> JsonObject:
        """An answer of 200 to 299 as an object. Raises ``ServiceError`` and the errors of ``crm`` and ``errors``."""
        ends = time.monotonic() + self._pace.longest_wait
        while True:
            self._wait(self._limiter.reserve(is_search=is_search), ends)
            answer = self._session.send(method, path, params=params, json=body, repeatable=is_repeatable)
            self._limiter.learn(answer.headers)
            if answer.is_ok:
                parsed = answer.parse_json()
                if not isinstance(parsed, Mapping):
                    raise ServiceError("HubSpot answered with something that is not an object")
                return parsed
            error = read_error(answer.status, _parse_leniently(answer))
            self._wait(self._judge(answer, error, is_search=is_search), ends)

    def _judge(self, answer: Answer, error: ApiError, *, is_search: bool) -> float:
        """The seconds after which the request may be sent again. Raises what the error means otherwise."""
        status = answer.status
        if status == _LIMITED and error.policy == "DAILY":
            wait = answer.retry_after or self._pace.daily_wait
            raise CrmLimitError("HubSpot's limit of requests a day is reached", wait_seconds=wait, is_daily=True)
        if status == _LIMITED:
            wait = answer.retry_after or self._guess_wait(is_search=is_search)
            self._limiter.pause(wait, is_search=is_search)
            return wait
        if status == _LOCKED:
            return max(answer.retry_after or 0.0, self._pace.lock_wait)
        if status == _MOVING:
            wait = self._pace.daily_wait if answer.retry_after is None else answer.retry_after
            if wait > self._pace.longest_wait:
                raise CrmLimitError("HubSpot moves the account to another place", wait_seconds=wait)
            return wait
        if status >= 500:
            raise HubSpotFailedError(f"HubSpot answered {status}", status)
        raise HubSpotRefusedError(_explain(status, error), error)

    def _guess_wait(self, *, is_search: bool) -> float:
        """Long enough for some room, and not the same for every process that waits."""
        interval = self._pace.search_interval if is_search else self._pace.interval / 10
        return interval * random.uniform(0.7, 1.3)  # noqa: S311 - spreads waits, guards nothing

    def _wait(self, seconds: float, ends: float) -> None:
        if time.monotonic() + seconds > ends:
            raise CrmLimitError("HubSpot's limit of requests is reached", wait_seconds=seconds)
        if seconds > 0:
            time.sleep(seconds)


def _parse_leniently(answer: Answer) -> JsonValue:
    """The body of an answer that refuses; None where a gateway's page stands in for HubSpot's."""
    try:
        return answer.parse_json()
    except ServiceError:
        return None


def _explain(status: int, error: ApiError) -> str:
    """What happened, without anything that may quote a value."""
    if status == 401:
        return "HubSpot does not know the token: it is wrong, has expired, or was revoked"
    if status == 403:
        scopes = sorted(set(list_scopes(error)))
        return "HubSpot refuses the token's rights" + (f"; scopes that are missing: {', '.join(scopes)}" * bool(scopes))
    if status == 404:
        return "HubSpot does not know the address: a wrong version, or a record that is gone"
    return f"HubSpot refuses the request ({status} {error.code})"


def list_scopes(error: ApiError) -> list[str]:
    """The scopes that an error of missing rights names."""
    named = [*error.list_context("requiredGranularScopes"), *error.list_context("missingScopes")]
    return [scope for scope in named if len(scope) < 100 and scope.translate(_SIGNS).isalnum()]
