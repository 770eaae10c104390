"""The values of records as plain Python values, whatever a frame or a stored version holds.

Belongs here: one cell read by its field's type, with everything that is missing or of no use as None. Does not belong
here: text as people write it (``leadgate.values``), which validation has read by then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from leadgate.fields import FieldType

Cell = str | int | float | bool | date | datetime | None
Row = dict[str, Cell]

_MOST_SHOWN: Final = 60
_TOO_LARGE: Final = 2.0**63  # for a whole number of the ledger, and of JSON
_DAY: Final = timedelta(days=1)


def read_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(value) if math.isfinite(value) else None


def read_number(value: Any) -> float | None:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, Decimal, str, np.number)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_integer(value: Any) -> int | None:
    number = read_number(value)
    return None if number is None or abs(number) >= _TOO_LARGE else int(number)


def read_boolean(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, np.bool_)) else None


def read_moment(value: Any) -> datetime | None:
    """An aware moment in UTC. One without a zone is in UTC."""
    try:
        if isinstance(value, (np.datetime64, pd.Timestamp)):
            value = None if pd.isna(value) else pd.Timestamp(value).to_pydatetime(warn=False)
        elif isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        if not isinstance(value, datetime) or pd.isna(value):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_date(value: Any) -> date | None:
    """A day; of a moment, its day in UTC."""
    if type(value) is date:
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    moment = read_moment(value)
    return None if moment is None else moment.date()


_READERS: Final[Mapping[FieldType, Callable[[Any], Cell]]] = {
    "text": read_text,
    "integer": read_integer,
    "number": read_number,
    "boolean": read_boolean,
    "date": read_date,
    "timestamp": read_moment,
}


def read_row(values: Mapping[str, Any] | None, columns: Mapping[str, FieldType]) -> Row | None:
    """The values of a stored version, by field; None where there is no version."""
    if not isinstance(values, Mapping):
        return None
    return {name: _READERS[type_](values.get(name)) for name, type_ in columns.items()}


def read_rows(frame: pd.DataFrame, columns: Mapping[str, FieldType]) -> list[Row]:
    """The rows of ``frame``, in its order. A column that it does not have is missing in every row."""
    read = [
        [_READERS[type_](value) for value in frame[name].tolist()] if name in frame else [None] * len(frame)
        for name, type_ in columns.items()
    ]
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*read, strict=True)]


def read_column(frame: pd.DataFrame, name: str) -> list[Any]:
    """The cells of a column as they are; a column that ``frame`` does not have is missing in every row."""
    return frame[name].tolist() if name in frame else [None] * len(frame)


def find_day_after(day: date | None) -> datetime | None:
    """The first moment at which ``day`` has passed, in UTC."""
    if day is None or day >= date.max:
        return None
    return datetime.combine(day + _DAY, time(), UTC)


def add(moment: datetime | None, length: timedelta | None) -> datetime | None:
    """``length`` after ``moment``; None where either is missing, or there is no such moment."""
    if moment is None or length is None:
        return None
    try:
        return moment + length
    except OverflowError:
        return None


def find_next(now: datetime, moments: Iterator[datetime | None]) -> datetime | None:
    """The first of ``moments`` after ``now``."""
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def show(value: Cell) -> str:
    """A value in a sentence, cut where it is long."""
    if isinstance(value, float):
        return f"{value:,.2f}".removesuffix(".00")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = " ".join(str(value).split())
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def join_words(words: Sequence[str]) -> str:
    """
    >>> join_words(["need", "budget", "amount"])
    'need, budget and amount'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def to_json(value: Cell) -> str | int | float | bool | None:
    return value.isoformat() if isinstance(value, (date, datetime)) else value
