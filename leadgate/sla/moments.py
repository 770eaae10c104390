"""Columns of moments as arrays of whole microseconds since 1970, in UTC.

Belongs here: reading a column of a frame as such an array, and writing one as a column. Does not belong here: what is
computed with moments (``hours``, ``sla_targets``).

An operation on an array takes about a microsecond and one on a column of a frame fifty, however few rows there are: a
check of one lead has a hundred of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Micros = npt.NDArray[np.int64]

#: No moment; it is earlier than any moment, and numpy and pandas write NaT so.
NEVER: Final[int] = int(np.iinfo(np.int64).min)

_DTYPE: Final = "datetime64[us, UTC]"
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FEW: Final = 100  # values, up to which one after another takes less time than making an index of them


def read_column(column: pd.Series) -> Micros:
    """The moments of a column of timestamps, or of aware datetimes; ``NEVER`` where there is none."""
    if column.dtype == object:
        return read_moments(column.tolist())
    return np.array(column.astype(_DTYPE), dtype="datetime64[us]").view(np.int64)


def read_moments(values: Iterable[datetime | None]) -> Micros:
    """The same, of plain values."""
    given = list(values)
    if len(given) <= _FEW and all(each is None or (type(each) is datetime and each.tzinfo) for each in given):
        return np.array([NEVER if each is None else (each - _START) // _MICROSECOND for each in given], dtype=np.int64)
    return np.array(pd.DatetimeIndex(given, dtype=_DTYPE), dtype="datetime64[us]").view(np.int64)


def build_column(moments: Micros, index: pd.Index | None = None) -> pd.Series:
    """A column of timestamps in UTC; NaT for ``NEVER``."""
    return pd.Series(pd.DatetimeIndex(moments.view("datetime64[us]"), tz="UTC"), index=index)


def build_moment(micros: int) -> Any:
    """One moment of an array as a timestamp; NaT for ``NEVER``."""
    return pd.Timestamp(micros, unit="us", tz="UTC")


def find_moment(micros: int) -> datetime | None:
    """The same as a plain value, None for ``NEVER``."""
    return None if micros == NEVER else _START + micros * _MICROSECOND
