"""What is kept of many journeys, as arrays of whole numbers: some bytes of a journey, where objects take a kilobyte.

Belongs here: keeping and finding rows by journey, and values as codes. Does not belong here: what the columns mean
(``journey_ends``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers: TypeAlias = npt.NDArray[np.signedinteger[Any]]

#: The code of a value that is missing, and the place of a journey that is not there.
NONE: Final = -1


class Codes:
    """A whole number for each distinct value, the same for values that are equal. ``values`` has the value of each."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._known: dict[Hashable, int] = {}

    def encode(self, column: pd.Series) -> npt.NDArray[np.int32]:
        """The code of each cell of ``column``, ``NONE`` where it is missing."""
        places, distinct = pd.factorize(column, use_na_sentinel=True)
        codes = [self._find_or_add(value) for value in distinct.tolist()]
        return np.array([*codes, NONE], dtype=np.int32)[places]  # the place of a missing one is -1: the last

    def decode(self, codes: npt.NDArray[np.int32]) -> list[Any]:
        """The values of ``codes``, None for ``NONE``."""
        values = [*self.values, None]
        return [values[code] for code in codes.tolist()]

    def read(self, code: int) -> Any:
        """The value of a code, None for ``NONE``."""
        return None if code == NONE else self.values[code]

    def _find_or_add(self, value: Hashable) -> int:
        code = self._known.setdefault(value, len(self.values))
        if code == len(self.values):
            self.values.append(value)
        return code


class JourneyTable:
    """A row of whole numbers for each journey, in the order of their ids. ``missing``: by the name of a column, what it
    has where nothing was put; its type is that of the column."""

    def __init__(self, missing: Mapping[str, np.integer[Any]]) -> None:
        self._missing = missing
        self.ids: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.columns: dict[str, Numbers] = {name: np.empty(0, dtype=value.dtype) for name, value in missing.items()}

    def put(self, ids: npt.NDArray[np.int64], cells: Mapping[str, Numbers]) -> None:
        """Set the columns of ``cells`` for these journeys, each of which is there once."""
        places = self.find(ids)
        new = np.sort(ids[places == NONE])
        if len(new):
            among = np.searchsorted(self.ids, new)
            self.ids = np.insert(self.ids, among, new)
            for name, column in self.columns.items():
                self.columns[name] = _insert(column, among, self._missing[name])
            places = self.find(ids)
        for name, given in cells.items():
            self.columns[name][places] = given

    def find(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """The place of each journey, ``NONE`` where it is not there."""
        if not len(self.ids):
            return np.full(len(ids), NONE, dtype=np.intp)
        places = np.searchsorted(self.ids, ids)
        there = self.ids[np.minimum(places, len(self.ids) - 1)] == ids
        return np.where(there, places, NONE)

    def take(self, places: npt.NDArray[np.intp]) -> JourneyTable:
        """A table of the rows at these places."""
        table = JourneyTable(self._missing)
        table.ids = self.ids[places]
        table.columns = {name: column[places] for name, column in self.columns.items()}
        return table

    @property
    def nbytes(self) -> int:
        """Of all its rows."""
        return self.ids.nbytes + sum(column.nbytes for column in self.columns.values())


def _insert(column: Numbers, places: npt.NDArray[np.intp], value: np.integer[Any]) -> Numbers:
    inserted: Numbers = np.insert(column, places, value)
    return inserted
