"""Values as HubSpot keeps them, which are texts, and as Leadgate does.

Belongs here: one value, by the type of its property. Does not belong here: what a property is (``records``).

HubSpot keeps times to the millisecond, empties a property by an empty text, and writes several choices with ``;``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from leadgate.connectors.crm import CrmField, CrmFieldType
from leadgate.crm.values import CrmValue
from leadgate.values.json_types import JsonValue

_MILLISECONDS: Final = re.compile(r"-?\d{1,15}")
_INTEGER: Final = re.compile(r"[+-]?\d{1,300}")


class UnfitValueError(ValueError):
    """A value that its property cannot hold. The message names the property and not the value."""

    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"{field} takes {wanted}")
        self.field = field


def format_value(value: CrmValue, field: CrmField) -> str:
    """``value`` as HubSpot takes it. Raises ``UnfitValueError``.

    >>> format_value(datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC), CrmField("at", "At", CrmFieldType.DATETIME))
    '2026-01-02T03:04:05.678Z'
    """
    if value is None:
        return ""
    if field.type is CrmFieldType.NUMBER:
        return _format_number(value, field.name)
    if field.type is CrmFieldType.BOOLEAN:
        if not isinstance(value, bool):
            raise UnfitValueError(field.name, "true or false")
        return str(value).lower()
    if field.type in (CrmFieldType.DATE, CrmFieldType.DATETIME):
        return _format_time(value, field)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitValueError(field.name, "a finite number")
    return _format_plain(value)


def parse_value(text: JsonValue, field: CrmField | None) -> CrmValue:
    """A value as HubSpot gives it. What does not fit the type stays the text that it is, for a person to see.

    >>> parse_value("12", CrmField("n", "N", CrmFieldType.NUMBER)), parse_value("", None)
    (12, None)
    """
    if isinstance(text, bool):
        text = str(text).lower()
    elif isinstance(text, int | float):
        text = _format_plain(text)
    if not isinstance(text, str) or text == "":
        return None
    kind = field.type if field is not None else CrmFieldType.TEXT
    parsed: CrmValue = None
    if kind is CrmFieldType.NUMBER:
        parsed = _parse_number(text)
    elif kind is CrmFieldType.BOOLEAN:
        parsed = {"true": True, "false": False}.get(text.strip().lower())
    elif kind is CrmFieldType.DATETIME:
        parsed = parse_time(text)
    elif kind is CrmFieldType.DATE:
        moment = parse_time(text)
        parsed = moment.date() if moment is not None else None
    return text if parsed is None else parsed


def store_values(values: Mapping[str, CrmValue], fields: Mapping[str, CrmField]) -> dict[str, CrmValue]:
    """``values`` as they come back when they are read after they were written. Raises ``UnfitValueError``."""
    return {
        name: parse_value(_trim(format_value(value, fields[name]), name), fields[name])
        for name, value in values.items()
    }


def _trim(text: str, name: str) -> str:
    return text.strip().lower() if name == "email" else text.strip()


def parse_time(text: JsonValue) -> datetime | None:
    """A time in UTC: ISO 8601, or milliseconds since 1970. None for what is none."""
    if not isinstance(text, str):
        return None
    try:
        if _MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _format_number(value: CrmValue, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitValueError(name, "a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitValueError(name, "a finite number")
    return _format_plain(value)


def _format_plain(value: CrmValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # more digits than Python writes
            return ""
    if isinstance(value, datetime):
        return format_time(value)
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _format_time(value: CrmValue, field: CrmField) -> str:
    if isinstance(value, str) or not isinstance(value, date):
        raise UnfitValueError(field.name, "a date" if field.type is CrmFieldType.DATE else "a date with a time")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise UnfitValueError(field.name, "a time with a zone")
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise UnfitValueError(field.name, "a time of our age") from None
        return value.date().isoformat() if field.type is CrmFieldType.DATE else format_time(value)
    if field.type is CrmFieldType.DATE:
        return value.isoformat()
    return format_time(datetime.combine(value, time(), UTC))


def _parse_number(text: str) -> int | float | None:
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
