"""A case that was tried: what was expected and is not so, and comparing values and points.

Belongs here: what cases of leads and of records share. Does not belong here: what is compared (``playbook_cases``,
``record_cases``), or what is shown of it (``console.case_words``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd

from leadgate.plain_text import format_line
from leadgate.playbook.cases import Points, Value, format_value

#: Found, where a stage was not reached or a field has no value.
NOTHING: Final = "nothing"
_LONGEST: Final = 200  # characters of a value in words


@dataclass(frozen=True)
class Mismatch:
    """Something that a case expects, and what was found instead, in words. ``line`` is where it is expected."""

    key: str
    expected: str
    found: str
    line: int

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class TriedCase:
    """A case, where it is written, and what was not as expected."""

    name: str
    file: str
    line: int
    mismatches: tuple[Mismatch, ...]

    @property
    def failed(self) -> bool:
        return bool(self.mismatches)


def is_within(number: int, wanted: Points) -> bool:
    return (wanted.at_least is None or number >= wanted.at_least) and (
        wanted.at_most is None or number <= wanted.at_most
    )


def describe_range(wanted: Points) -> str:
    if wanted.at_least == wanted.at_most:
        return str(wanted.at_least)
    if wanted.at_most is None:
        return f"at least {wanted.at_least}"
    return f"at most {wanted.at_most}" if wanted.at_least is None else f"{wanted.at_least} to {wanted.at_most}"


def is_same(expected: Value, found: Any) -> bool:
    if expected is None or found is None:
        return expected is None and found is None
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return expected == found
    return _format(expected) == _format(found)


def _format(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return format_value(value)


def write_value(value: Any) -> str:
    return "no value" if value is None else format_line(_format(value), _LONGEST)


def write_moment(moment: datetime | None) -> str:
    return NOTHING if moment is None else f"{moment:%Y-%m-%dT%H:%MZ}"
