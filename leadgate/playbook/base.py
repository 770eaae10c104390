"""What the parts of a playbook are written in: names, durations, spans of hours, and what a part is.

Belongs here: the types that several parts share. Does not belong here: any part itself (a file each).
"""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,62}$")]
Expression = Annotated[str, Field(min_length=1, max_length=2000)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)\s*$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _parse_duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number and s, m, h or d, like 30m or 4h")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


#: ``30m``, ``4h``, ``2d``. On a business clock it is business time: a working day of 8 hours is ``8h``.
Duration = Annotated[
    timedelta,
    BeforeValidator(_parse_duration),
    PlainSerializer(lambda d: f"{d / timedelta(seconds=1):.6f}".rstrip("0").rstrip(".") + "s", return_type=str),
]


def _parse_span(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not dash:
        raise ValueError(f"{value!r} is not a span of hours; write it like 09:00-17:30")
    last = last.strip()
    return first.strip(), "00:00" if last == "24:00" else last


#: ``09:00-17:30``, or the two times as a list. The end of the day is ``24:00`` or ``00:00``.
Span = Annotated[tuple[time, time], BeforeValidator(_parse_span)]


class Part(BaseModel):
    """A part of the playbook: immutable, and a key that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)
