"""How journeys went, portion by portion: of each what its last decision was, and its last score.

Belongs here: what is kept of a journey, and how it is read again. Does not belong here: comparing (``comparison``), or
deciding (``tasks.replay``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadgate.fields import QUALIFIED
from leadgate.replay.journey_table import NONE, Codes, JourneyTable

#: The columns of a decision and of a score, each beside ``journey``.
_WORDS: Final = ("stage", "outcome", "reason", "owner", "route", "pool", "sla")
_MOMENTS: Final = ("at", "due_at")
_SCORES: Final = (*QUALIFIED, "contributions")
ENDS: Final = ("journey", *_MOMENTS, *_WORDS)
SCORES: Final = ("journey", *_SCORES)

_NEVER: Final = np.iinfo(np.int64).min  # microseconds: as pandas writes a moment that is missing
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MISSING: Final[Mapping[str, np.integer[Any]]] = {
    **{name: np.int64(_NEVER) for name in _MOMENTS},
    **{name: np.int32(NONE) for name in (*_WORDS, *_SCORES)},
}

#: The codes of each column: two ways that journeys went share them, so that equal codes are equal values.
SharedCodes: TypeAlias = defaultdict[str, Codes]


def share_codes() -> SharedCodes:
    return defaultdict(Codes)


class JourneyEnds:
    """Where journeys are, one way that they went. Some eighty bytes of a journey, and each distinct text once."""

    def __init__(self, codes: SharedCodes) -> None:
        self.codes = codes
        self.table = JourneyTable(_MISSING)

    def note(self, ends: pd.DataFrame, scores: pd.DataFrame) -> None:
        """Keep what came last of these journeys: ``ends`` with the columns ``ENDS`` and ``scores`` with ``SCORES``, a
        row for each journey. One that has a score has an end, now or before."""
        if len(ends):
            moments = {name: _count_microseconds(ends[name]) for name in _MOMENTS}
            words = {name: self.codes[name].encode(ends[name]) for name in _WORDS}
            self.table.put(_list_ids(ends), {**moments, **words})
        if len(scores):
            self.table.put(_list_ids(scores), {name: self.codes[name].encode(scores[name]) for name in _SCORES})

    def find_scores(self, journeys: Collection[int]) -> dict[int, tuple[Any, ...]]:
        """``QUALIFIED`` of those of ``journeys`` that have a score."""
        found = self.select(np.fromiter(set(journeys), dtype=np.int64))
        scored = found.take(np.flatnonzero(found.table.columns["score"] != NONE))
        return dict(zip(scored.ids, zip(*(scored.read(name) for name in QUALIFIED), strict=True), strict=True))

    def select(self, journeys: npt.NDArray[np.int64]) -> JourneyEnds:
        """Those of ``journeys`` that are there, in the order of their ids."""
        places = np.sort(self.table.find(journeys))
        return self.take(places[places != NONE])

    def take(self, places: npt.NDArray[np.intp]) -> JourneyEnds:
        """Those at these places."""
        taken = JourneyEnds(self.codes)
        taken.table = self.table.take(places)
        return taken

    @property
    def ids(self) -> list[int]:
        """The journeys, in the order of which ``read`` gives their values."""
        listed: list[int] = self.table.ids.tolist()
        return listed

    def read(self, name: str) -> list[Any]:
        """The values of a column."""
        cells = self.table.columns[name]
        if name in _MOMENTS:
            return [None if each == _NEVER else _BEGIN + timedelta(microseconds=each) for each in cells.tolist()]
        return self.codes[name].decode(cells.astype(np.int32, copy=False))

    def read_moments(self, name: str) -> pd.DatetimeIndex:
        """A column of moments, NaT where there is none."""
        return pd.DatetimeIndex(self.table.columns[name].view("M8[us]")).tz_localize(UTC)


def _list_ids(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    return frame["journey"].to_numpy(dtype=np.int64)


def _count_microseconds(moments: pd.Series) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us").asi8
    return found
