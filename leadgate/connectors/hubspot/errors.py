"""HubSpot's errors, of a request and of one row of a batch. Every part of one may be missing, or be of a wrong type.

Belongs here: reading them, and what an error means for a row. Does not belong here: waiting and repeating (``client``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from leadgate.connectors.crm import CrmRefusedError, RowError, RowFault
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.values.json_types import JsonValue, as_object

_LONGEST: Final = 2_000  # characters of a message that are kept
_MOST: Final = 200  # details, and values of one context
_CODE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,80}")
_EXISTING: Final = re.compile(r"[Ee]xisting ID: (\d{1,20})")
_HOLDER: Final = re.compile(r"^(\d{1,20}) already has that value")

_DUPLICATES: Final = frozenset({"CONFLICT", "OBJECT_ALREADY_EXISTS", "CONFLICTING_UNIQUE_VALUE"})
_GONE: Final = frozenset({"OBJECT_NOT_FOUND", "NOT_FOUND"})
_TEMPORARY: Final = frozenset({"RATE_LIMITS", "RATE_LIMIT", "LOCKED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"})


@dataclass(frozen=True)
class ErrorDetail:
    """One of the errors in an error. ``field`` is the property that it is about."""

    message: str
    code: str
    field: str | None
    context: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ApiError:
    """An error as HubSpot told it. ``status`` is that of HTTP; 0 where there is none."""

    status: int
    category: str = ""
    message: str = ""
    policy: str = ""  # the limit that was reached
    details: Sequence[ErrorDetail] = ()
    context: Mapping[str, Sequence[str]] = ()  # type: ignore[assignment]

    @property
    def code(self) -> str:
        """The most exact code there is."""
        return next((detail.code for detail in self.details if detail.code), self.category or str(self.status))

    def list_context(self, name: str) -> Iterator[str]:
        """The values of ``name`` in every context of the error."""
        for context in (self.context, *(detail.context for detail in self.details)):
            yield from context.get(name, ())


class HubSpotRefusedError(CrmRefusedError):
    """HubSpot refuses a request, or one of its rows; ``error`` is what it says."""

    def __init__(self, message: str, error: ApiError) -> None:
        super().__init__(message, code=error.code, vendor_message=error.message)
        self.error = error


class HubSpotFailedError(ServiceUnreachableError):
    """HubSpot answered with a fault of its own, each time that it was asked."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, sent=True)
        self.status = status


def read_error(status: int, body: JsonValue) -> ApiError:
    """The error in the body of an answer, or in ``errors`` of an answer about several rows.

    >>> read_error(409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 7"}).code
    'CONFLICT'
    >>> read_error(500, [None]).code
    '500'
    """
    found = as_object(body)
    own_status = found.get("status")
    if not status and isinstance(own_status, str) and own_status.isdecimal() and len(own_status) == 3:
        status = int(own_status)
    message = _read_text(found.get("message"))
    given = found.get("errors")
    details = [_read_detail(one) for one in given[:_MOST]] if isinstance(given, list) else []
    return ApiError(
        status=status,
        category=_read_code(found.get("category")) or _read_code(found.get("errorType")),
        message=message,
        policy=_read_code(found.get("policyName")).upper(),
        details=details or _read_quoted(message),
        context=_read_context(found.get("context")),
    )


def judge_row(error: ApiError) -> RowError:
    """What an error means for the row that it is about."""
    codes = {error.category, *(detail.code for detail in error.details)}
    if error.status == 409 or codes & _DUPLICATES:
        fault = RowFault.DUPLICATE
    elif error.status in (404, 410) or codes & _GONE:
        fault = RowFault.GONE
    elif error.status in (423, 429, 477) or error.status >= 500 or codes & _TEMPORARY:
        fault = RowFault.TEMPORARY
    else:
        fault = RowFault.PERMANENT
    messages = [error.message, *(detail.message for detail in error.details)]
    return RowError(
        fault=fault,
        code=error.code,
        message=next((message for message in messages if message), "HubSpot did not say why"),
        field=next((detail.field for detail in error.details if detail.field), None),
        other_id=_find_holder(messages) if fault is RowFault.DUPLICATE else None,
    )


def _find_holder(messages: Sequence[str]) -> str | None:
    for message in messages:
        if found := _EXISTING.search(message) or _HOLDER.search(message):
            return found.group(1)
    return None


def _read_detail(given: JsonValue) -> ErrorDetail:
    found = as_object(given)
    context = _read_context(found.get("context"))
    named = [*context.get("propertyName", ()), *context.get("properties", ()), *context.get("propertyNames", ())]
    field = named[0] if named else _read_text(found.get("in")) or _read_text(found.get("name")) or None
    code = _read_code(found.get("code")) or _read_code(found.get("error")) or _read_code(found.get("subCategory"))
    return ErrorDetail(_read_text(found.get("message")), code, field, context)


def _read_quoted(message: str) -> list[ErrorDetail]:
    """The details that older answers hold as JSON inside of the message."""
    start, end = message.find("[{"), message.rfind("}]")
    if start < 0 or end < start:
        return []
    try:
        given = orjson.loads(message[start : end + 2])
    except orjson.JSONDecodeError:
        return []
    return [_read_detail(one) for one in given[:_MOST]] if isinstance(given, list) else []


def _read_context(given: JsonValue) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, values in list(as_object(given).items())[:_MOST]:
        several = values if isinstance(values, list) else [values]
        found[_read_text(name)] = [_read_text(value) for value in several[:_MOST] if isinstance(value, str)]
    return found


def _read_text(given: JsonValue) -> str:
    """A text without control characters, and not longer than a person reads."""
    if not isinstance(given, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in given[:_LONGEST]).strip()


def _read_code(given: JsonValue) -> str:
    return given if isinstance(given, str) and _CODE.fullmatch(given) else ""
