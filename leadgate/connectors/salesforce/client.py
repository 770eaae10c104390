"""Requests to Salesforce's REST API: token, version, limits, and the pages of a query."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from leadgate.connectors.crm import CrmBudget
from leadgate.connectors.salesforce.access import AccessTokens, Credentials
from leadgate.connectors.salesforce.answers import explain, read_budget, read_fault, read_object
from leadgate.connectors.service_session import Answer, ServiceError, ServiceSession
from leadgate.values.json_types import JsonObject, JsonValue, as_object

_VERSION: Final = re.compile(r"[1-9][0-9]\.0")
_NEXT: Final = re.compile(r"/services/data/v[0-9]{1,3}\.0/(?:tooling/)?query(?:All)?/[A-Za-z0-9_-]{1,200}", re.ASCII)
_MOST_PAGES: Final = 1_000  # of one query: a service that always names another page ends as well

#: On every write. Without the first, Salesforce's assignment rules choose the owner, on updates too.
_WRITE_HEADERS: Final = {"Sforce-Auto-Assign": "FALSE"}
_CLOCK_YEARS: Final = range(2000, 3000)  # of a ``Date`` header that is believed


def read_base_url(url: str) -> str:
    """The address without a path. Raises ``ValueError`` unless it is ``https`` or on this machine."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.scheme not in ("https", "http"):
        raise ValueError("the address of Salesforce is https://NAME.my.salesforce.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("the address of Salesforce begins with https://, for tokens are sent to it")
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class RestClient:
    """Sends requests with a token that is valid. Safe to use from several threads."""

    def __init__(
        self, session: ServiceSession, base_url: str, credentials: Credentials, *, version: str, save_duplicates: bool
    ) -> None:
        if not _VERSION.fullmatch(version):
            raise ValueError("a version of Salesforce's API is written like 66.0")
        self._session = session
        self._base = read_base_url(base_url)
        self._root = f"/services/data/v{version}"
        self._tokens = AccessTokens(session, self._base, credentials)
        self._write_headers = {
            **_WRITE_HEADERS,
            "Sforce-Duplicate-Rule-Header": f"allowSave={str(save_duplicates).lower()}; includeRecordDetails=false; "
            "runAsCurrentUser=false",
        }
        self._lock = threading.Lock()
        self._budget = CrmBudget()
        self._clock: datetime | None = None

    @property
    def budget(self) -> CrmBudget:
        return self._budget

    @property
    def clock(self) -> datetime | None:
        """The time of the last answer, by Salesforce's clock; None when it did not tell."""
        return self._clock

    @property
    def user_id(self) -> str | None:
        """The user of this connection; None where Salesforce has not said."""
        return self._tokens.user_id

    def get(self, path: str, params: Mapping[str, str] | None = None) -> JsonObject:
        return read_object(self._send("GET", self._root + path, params=params))

    def write(self, method: str, path: str, body: JsonValue, *, repeatable: bool) -> JsonValue:
        """Send a request that changes records. ``repeatable``: sending it twice changes nothing more."""
        answer = self._send(method, self._root + path, json=body, headers=self._write_headers, repeatable=repeatable)
        return answer.parse_json()

    def query(self, soql: str, *, include_deleted: bool = False, tooling: bool = False) -> Iterator[JsonObject]:
        """The records that a query finds, page after page as they are asked for."""
        path = f"{self._root}{'/tooling' if tooling else ''}/{'queryAll' if include_deleted else 'query'}"
        answer = read_object(self._send("GET", path, params={"q": soql}))
        for _ in range(_MOST_PAGES):
            records = answer.get("records")
            if not isinstance(records, list):
                raise ServiceError("Salesforce answered a query without records")
            yield from (as_object(record) for record in records)
            following = answer.get("nextRecordsUrl")
            if answer.get("done") is not False:
                return
            if not isinstance(following, str) or not _NEXT.fullmatch(following):
                raise ServiceError("Salesforce names a next page that is none of its own")
            answer = read_object(self._send("GET", following))
        raise ServiceError("Salesforce answers a query with pages that do not end")

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: JsonValue = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        def send(token: str) -> Answer:
            return self._session.send(
                method,
                self._base + path,
                params=params,
                json=json,
                headers={**(headers or {}), "Authorization": f"Bearer {token}", "Accept": "application/json"},
                repeatable=repeatable,
            )

        token = self._tokens.get_token()
        answer = send(token)
        if answer.status == 401 and read_fault(answer)[0] in ("INVALID_SESSION_ID", "INVALID_AUTH_HEADER", ""):
            answer = send(self._tokens.replace_token(token))
        if (budget := read_budget(answer)) is not None:
            with self._lock:
                self._budget = budget
        self._clock = _read_date(answer.headers.get("Date"))
        if not answer.is_ok:
            raise explain(answer)
        return answer


def _read_date(text: str | None) -> datetime | None:
    """The moment of a ``Date`` header; None for none, and for one that no clock tells: days are added to it."""
    try:
        told = parsedate_to_datetime(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told if told.year in _CLOCK_YEARS else None
