"""Reading what Salesforce answers, which may lack anything, and telling its errors apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leadgate.connectors.crm import CrmBudget, CrmLimitError, CrmRefusedError, RowError, RowFault
from leadgate.connectors.service_session import TEMPORARY, Answer, ServiceError, ServiceUnreachableError
from leadgate.plain_text import format_line
from leadgate.values.json_types import JsonObject, JsonValue, as_object

_MOST_TEXT: Final = 1_000  # characters of a vendor's message
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_USAGE: Final = re.compile(r"(?:^|[\s,;])api-usage=(\d{1,12})/(\d{1,12})", re.ASCII)
_DUPLICATE_OF: Final = re.compile(r"record with id: ([A-Za-z0-9]+)\b")

#: The day's limit is that of the last 24 hours, so a part of it comes back before the day is over.
DAILY_WAIT: Final = 1_800.0  # seconds
_MOMENT: Final = 20.0  # seconds that a request may run which counts against the limit of concurrent ones

#: A row that meets one of these may be taken a moment later.
TEMPORARY_ROW_CODES: Final = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}
)
_DUPLICATE_CODES: Final = frozenset({"DUPLICATES_DETECTED", "DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"})
_GONE_CODES: Final = frozenset({"ENTITY_IS_DELETED", "CANNOT_UPDATE_CONVERTED_LEAD", "NOT_FOUND"})


def clean_text(text: object) -> str:
    """A vendor's text that can be shown."""
    return format_line(str(text), _MOST_TEXT)


def read_id(value: JsonValue) -> str | None:
    """A record's id; None when the value is none."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_object(answer: Answer, *, hide_secrets: bool = True) -> JsonObject:
    """The body as a JSON object. Raises ``ServiceError``."""
    parsed = answer.parse_json(hide_secrets=hide_secrets)
    if not isinstance(parsed, Mapping):
        raise ServiceError(f"{answer.service} answered {answer.status} with something else than an object")
    return parsed


def read_budget(answer: Answer) -> CrmBudget | None:
    """What ``Sforce-Limit-Info`` says; None when the answer does not tell."""
    found = _USAGE.search(answer.headers.get("Sforce-Limit-Info") or "")
    if found is None:
        return None
    used, limit = int(found[1]), int(found[2])
    return CrmBudget(day_limit=limit, day_left=max(0, limit - used))


def read_fault(answer: Answer) -> tuple[str, str]:
    """The code and the message of an error; empty where the answer does not tell. The message is as it was sent."""
    try:
        parsed = answer.parse_json()
    except ServiceError:  # a gateway's page
        return "", ""
    first = as_object(parsed[0] if isinstance(parsed, list) and parsed else parsed)
    code = first.get("errorCode") or first.get("error")
    message = first.get("message") or first.get("error_description")
    return read_code(code), message if isinstance(message, str) else ""


def read_code(value: JsonValue) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def explain(answer: Answer) -> ServiceError:
    """The error for an answer that is not OK."""
    code, message = read_fault(answer)
    service = answer.service
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in message.lower():
            return CrmLimitError(f"{service} runs too many of our long requests at once", wait_seconds=_MOMENT)
        return CrmLimitError(
            f"the limit of {service} for API requests in 24 hours is reached",
            wait_seconds=answer.retry_after or DAILY_WAIT,
            is_daily=True,
        )
    if answer.status == 429:
        return CrmLimitError(f"{service} asks for fewer requests", wait_seconds=answer.retry_after or _MOMENT)
    if answer.status in TEMPORARY or answer.status == 408:
        return ServiceUnreachableError(f"{service} is away for a moment (status {answer.status})", sent=True)
    shown = f"{answer.status} {code}".strip()
    if 300 <= answer.status < 400:
        return CrmRefusedError(f"{service} answered {shown}: its address is not that of an API", code=code)
    return CrmRefusedError(f"{service} refused the request ({shown})", code=code, vendor_message=clean_text(message))


def read_row_error(raw: JsonValue, *, by_id: bool) -> RowError:
    """The error of one row of a write. ``by_id``: the row named the record by its id."""
    listed = as_object(raw).get("errors")
    first = as_object(listed[0]) if isinstance(listed, list) and listed else {}
    if not first:
        return RowError(RowFault.PERMANENT, "UNKNOWN", "Salesforce gives no reason")
    code = read_code(first.get("statusCode") or first.get("errorCode")) or "UNKNOWN"
    message = clean_text(first.get("message") or "")
    named = first.get("fields")
    field = read_code(named[0]) if isinstance(named, list) and named else ""
    duplicate = _DUPLICATE_OF.search(message)
    return RowError(
        _judge(code, message, by_id and not field),
        code,
        message,
        field=field or None,
        other_id=read_id(duplicate[1]) if duplicate else _find_duplicate(first),
    )


def _judge(code: str, message: str, about_record: bool) -> RowFault:
    if code in TEMPORARY_ROW_CODES or "UNABLE_TO_LOCK_ROW" in message:  # a trigger that met the lock quotes it
        return RowFault.TEMPORARY
    if code in _DUPLICATE_CODES:
        return RowFault.DUPLICATE
    if code in _GONE_CODES or (code == "INVALID_CROSS_REFERENCE_KEY" and about_record):
        return RowFault.GONE
    return RowFault.PERMANENT


def _find_duplicate(error: JsonObject) -> str | None:
    """The id of the first record that a duplicate rule names."""
    found: JsonValue = error.get("duplicateResult")
    for name in ("matchResults", "matchRecords"):
        listed = as_object(found).get(name)
        found = listed[0] if isinstance(listed, list) and listed else None
    return read_id(as_object(as_object(found).get("record")).get("Id"))
