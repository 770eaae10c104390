"""Building SOQL from names and values that are not ours: every name is checked, every value escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus

from leadgate.connectors.crm import CrmRefusedError

#: Salesforce takes 16,384 bytes of address and headers together, and a token may be long.
MOST_ENCODED: Final = 6_000  # bytes of a query in an address
#: No field that can be searched holds more.
_LONGEST_VALUE: Final = 255
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,119}", re.ASCII)
_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
_ESCAPED: Final = re.compile("[\\\\'\"\n\r\t\f]")
_NOT_SEARCHABLE: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\ud800-\udfff]")


def require_name(name: str) -> str:
    """A name of a field or an object as it is. Raises ``CrmRefusedError`` for anything that could not be one."""
    if not _NAME.fullmatch(name):
        raise CrmRefusedError("a field's name is none that Salesforce could have", code="INVALID_FIELD")
    return name


def quote_text(text: str) -> str:
    return "'" + _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text) + "'"


def write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def build_query(fields: Sequence[str], of: str, where: str = "", order: str = "", limit: int | None = None) -> str:
    parts = [f"SELECT {', '.join(require_name(field) for field in fields)} FROM {require_name(of)}"]
    if where:
        parts.append(f"WHERE {where}")
    if order:
        parts.append(f"ORDER BY {order}")
    if limit is not None:
        parts.append(f"LIMIT {limit}")
    return " ".join(parts)


def split_list(field: str, values: Iterable[str], others: int) -> Iterator[str]:
    """Conditions ``field IN (…)`` that together ask for all values, each short enough for an address.

    ``others`` is how many bytes the rest of the query takes. Values that no field can hold are left out, and the empty
    text too: to SOQL that means every record whose field is empty.
    """
    require_name(field)
    room = max(1_000, MOST_ENCODED - others)
    part: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        if not value.strip() or len(value) > _LONGEST_VALUE or _NOT_SEARCHABLE.search(value):
            continue
        quoted = quote_text(value)
        size = len(quote_plus(quoted)) + len("%2C+")
        if part and used + size > room:
            yield f"{field} IN ({', '.join(part)})"
            part, used = [], 0
        part.append(quoted)
        used += size
    if part:
        yield f"{field} IN ({', '.join(part)})"
