"""Values of a CRM's record: as the ledger keeps them, and whether two of them are the same.

Belongs here: comparing what was written with what was read back. Does not belong here: what is written (``writes``), or
how a vendor spells a value (``connectors``).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from leadgate.plain_text import format_line, make_storable
from leadgate.values.json_types import JsonValue

#: A value of a record; None: the field is empty. A ``datetime`` is aware, in UTC when a connector gives it.
CrmValue = str | int | float | bool | datetime | date | None

_SHOWN: Final = 120  # characters of a value that a work item shows
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class Difference:
    """A field that does not hold what was written. The values are personal: they belong into erasable columns."""

    field: str
    written: CrmValue
    read: CrmValue

    def describe(self) -> str:
        """Both values in words."""
        return f"{self.field}: written {describe(self.written)}, the CRM has {describe(self.read)}"


def compare(written: Mapping[str, CrmValue], read: Mapping[str, CrmValue]) -> list[Difference]:
    """The fields of ``written`` that ``read`` has otherwise, in their order."""
    return [
        Difference(name, value, read.get(name)) for name, value in written.items() if not is_same(value, read.get(name))
    ]


def compare_kept(written: Mapping[str, JsonValue], read: Mapping[str, CrmValue]) -> list[Difference]:
    """``compare`` of values as the ledger keeps them, in which moments and days are texts."""
    return compare({name: _decode(value, read.get(name)) for name, value in written.items()}, read)


def compare_stored(written: Mapping[str, JsonValue], read: Mapping[str, JsonValue]) -> list[str]:
    """The fields of ``written`` that ``read`` has otherwise, both as the ledger keeps them: moments are texts."""
    values = {name: _decode(read.get(name), _read_moment(value)) for name, value in written.items()}
    return [each.field for each in compare_kept(written, values)]


def _read_moment(kept: JsonValue) -> CrmValue:
    """A value that the ledger keeps; a text that tells a moment as that moment."""
    try:
        if isinstance(kept, str):
            return datetime.fromisoformat(kept)
    except ValueError:
        pass
    return kept if isinstance(kept, (str, int, float)) else None


def _decode(kept: JsonValue, read: CrmValue) -> CrmValue:
    """A value that the ledger keeps, of the type of the one that was read where it can be one."""
    if not isinstance(kept, str):
        return kept if isinstance(kept, (int, float)) else None
    try:
        if isinstance(read, datetime):
            return datetime.fromisoformat(kept)
        return date.fromisoformat(kept) if isinstance(read, date) else kept
    except ValueError:
        return kept


def is_same(written: CrmValue, read: CrmValue) -> bool:
    """Whether a value that was read is the one that was written, however the CRM stores it.

    An empty text is no value. A CRM keeps moments to the second, a date without a time, numbers as decimals, and texts
    without the white space at their ends.
    """
    if is_empty(written) or is_empty(read):
        return is_empty(written) and is_empty(read)
    if isinstance(written, bool) or isinstance(read, bool):
        return _read_truth(written) is _read_truth(read)
    if isinstance(written, datetime) and isinstance(read, datetime):
        return abs(_in_utc(written) - _in_utc(read)) < timedelta(seconds=1)
    if isinstance(written, date) and isinstance(read, date):
        return _find_day(written) == _find_day(read)
    if isinstance(written, (int, float)) or isinstance(read, (int, float)):
        return _is_same_number(written, read)
    return _fold(written) == _fold(read)


def is_empty(value: CrmValue) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _read_truth(value: CrmValue) -> bool | None:
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().casefold())
    return value if isinstance(value, bool) else None


def _is_same_number(written: CrmValue, read: CrmValue) -> bool:
    try:
        first, second = float(str(written)), float(str(read))
    except (ValueError, OverflowError):
        return False
    return math.isfinite(first) and math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-9)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _find_day(value: date) -> date:
    return _in_utc(value).date() if isinstance(value, datetime) else value


def _fold(value: CrmValue) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def describe(value: CrmValue) -> str:
    """A value as a person reads it: one line, without control characters, cut where it is long."""
    if is_empty(value):
        return "nothing"
    if isinstance(value, datetime):
        return f"{_in_utc(value):%Y-%m-%d %H:%M:%S} UTC"
    return f"'{format_line(value, _SHOWN)}'" if isinstance(value, str) else str(value)


def encode(values: Mapping[str, CrmValue], longest: int | None = None) -> dict[str, JsonValue]:
    """Values as the ledger keeps them as JSON, texts no longer than ``longest``.

    What JSON or PostgreSQL cannot hold (a NUL, half a character, a number that is none) is kept as a text.
    """
    return {name: _encode(value, longest) for name, value in values.items()}


def _encode(value: CrmValue, longest: int | None) -> JsonValue:
    if isinstance(value, str):
        return make_storable(value[:longest])
    if isinstance(value, date):
        return (_in_utc(value) if isinstance(value, datetime) else value).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value
