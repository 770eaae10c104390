"""The columns of an export, read page by page: few bytes a row, and of what kind each one is.

Belongs here: a column as codes of its distinct values, its numbers and days, and its kind. Does not belong here: which
field a column is (``tasks.suggesting``), or what it tells of winning (``separation``).

A file may have a million rows and different texts in each: of a column only so many distinct values are kept, each no
longer than ``LONGEST_VALUE``. A value beyond them is known to be there, and its number or day is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from leadgate.mapping.headers import as_text, split_words
from leadgate.values.figures import read_number
from leadgate.values.json_types import JsonValue
from leadgate.values.moments import read_moment
from leadgate.values.text import clean_line

#: Codes of a row without a value, and of one whose value is not kept.
MISSING: Final = -1
NOT_KEPT: Final = -2
#: Characters of a value that is told apart from others; a longer one is a text that is there.
LONGEST_VALUE: Final = 200
#: Distinct values that are kept of all columns together, and of one.
MOST_KEPT: Final = 1_000_000
MOST_OF_ONE: Final = 10_000
_TRIED: Final = 200  # values after which a column that has hardly a number is asked for none
_MOSTLY: Final = 0.95  # the share of the values that makes a column one of numbers, of dates, or of ids
_FEW: Final = 2  # values of a column of numbers that are rather names of two things
_LEAST_OF_IDS: Final = 50
_ID_WORDS: Final = frozenset({"id", "ids", "uuid", "guid", "key", "number", "no", "nr", "num", "hash", "token"})
_DAY: Final = 86_400.0

Kind = Literal["nothing", "one value", "id", "number", "date", "category", "text"]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """``codes``: of each row the place of its value in ``values``. ``numbers`` and ``days`` (since 1970) are of each
    row, NaN where it has none; None where the column has hardly any."""

    header: str
    codes: Codes
    values: list[str]
    numbers: Floats | None
    days: Floats | None

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = self.codes != MISSING
        return found

    @property
    def kind(self) -> Kind:
        filled = int(self.filled.sum())
        if not filled:
            return "nothing"
        if len(self.values) == 1 and filled == len(self.codes) and not (self.codes == NOT_KEPT).any():
            return "one value"
        if self._has_ids(filled):
            return "id"
        if self._has_mostly(self.numbers, filled) and len(self.values) > _FEW:
            return "number"
        if self._has_mostly(self.days, filled):
            return "date"
        return "category" if filled - (self.codes == NOT_KEPT).sum() >= filled / 2 and self._repeats(filled) else "text"

    def _has_mostly(self, found: Floats | None, filled: int) -> bool:
        return found is not None and int((~np.isnan(found)).sum()) >= _MOSTLY * filled

    def _has_ids(self, filled: int) -> bool:
        """Whether nearly every row has a value of its own that only names the row."""
        not_kept = int((self.codes == NOT_KEPT).sum())
        if filled < _LEAST_OF_IDS or len(self.values) + not_kept < _MOSTLY * filled:
            return False
        if not _ID_WORDS.isdisjoint(split_words(self.header)):
            return True
        if self.numbers is not None or self.days is not None:
            return False
        return all(" " not in value for value in self.values[:_TRIED])

    def _repeats(self, filled: int) -> bool:
        """Whether the values that come more than a few times make up a good part of the rows."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=1)
        return int(counts[counts >= max(5, filled // 1_000)].sum()) >= filled / 5


class ColumnReader:
    """Reads one column. ``clean`` gives a cell as the lead's field has it, None for no value; ``number`` its number."""

    def __init__(
        self,
        header: str,
        most_values: int,
        *,
        rows_before: int = 0,
        clean: Callable[[str], str | None] = clean_line,
        number: Callable[[str], float | None] = read_number,
    ) -> None:
        self._header, self._most, self._clean = header, most_values, clean
        self._codes: list[Codes] = [np.full(rows_before, MISSING, dtype=np.int32)]
        self._code_of: dict[str, int] = {"": MISSING}  # of cells as they are written
        self._place_of: dict[str, int] = {}  # of values
        self._numbers = _Amounts(number, rows_before)
        self._days = _Amounts(_read_day, rows_before)

    def add(self, cells: Sequence[JsonValue]) -> None:
        """The cells of the next rows."""
        known = self._code_of
        codes = np.empty(len(cells), dtype=np.int32)
        beyond: dict[int, str] = {}  # row of the page -> a value that is not kept
        for row, cell in enumerate(cells):
            text = cell if isinstance(cell, str) else as_text(cell)
            code = known.get(text)
            if code is None:
                code = self._read(text, row, beyond)
            codes[row] = code
        self._codes.append(codes)
        values = list(self._place_of) if self._numbers.asked or self._days.asked else []
        numbers = self._numbers.add(values, codes, beyond)
        self._days.add(values, codes, beyond, numbers)

    def build(self) -> Column:
        return Column(
            self._header,
            np.concatenate(self._codes),
            list(self._place_of),
            self._numbers.build(),
            self._days.build(),
        )

    def _read(self, text: str, row: int, beyond: dict[int, str]) -> int:
        value = self._clean(text)
        if value is None:
            code = MISSING
        elif value in self._place_of:
            code = self._place_of[value]
        elif len(value) > LONGEST_VALUE or len(self._place_of) >= self._most:
            beyond[row] = value
            return NOT_KEPT  # not remembered: there may be any number of them
        else:
            code = self._place_of[value] = len(self._place_of)
        if len(text) <= LONGEST_VALUE and len(self._code_of) <= 2 * self._most:
            self._code_of[text] = code
        return code


class _Amounts:
    """What the values of a column are as numbers, or as days: asked until it shows that hardly any is one."""

    def __init__(self, read: Callable[[str], float | None], rows_before: int) -> None:
        self._read = read
        self._pages: list[Floats] = [np.full(rows_before, np.nan)]
        self._of_values: list[float] = []
        self._tried = self._found = 0
        self.asked = True

    def add(
        self, values: Sequence[str], codes: Codes, beyond: dict[int, str], known: Floats | None = None
    ) -> Floats | None:
        """``values`` are all that are kept by now; where ``known`` has a number, nothing is asked."""
        if not self.asked:
            return None
        skip = set() if known is None else set(codes[~np.isnan(known) & (codes >= 0)].tolist())
        for place in range(len(self._of_values), len(values)):
            self._of_values.append(math.nan if place in skip else self._ask(values[place]))
        page = np.full(len(codes), np.nan)
        kept = codes >= 0
        if kept.any():
            page[kept] = np.array(self._of_values)[codes[kept]]
        for row, value in beyond.items():
            if known is None or math.isnan(known[row]):
                page[row] = self._ask(value)
        self._pages.append(page)
        if self._tried >= _TRIED and self._found < self._tried / 2:
            self.asked, self._pages = False, []
        return page

    def _ask(self, value: str) -> float:
        if self._tried >= _TRIED and self._found < self._tried / 2:
            return math.nan
        found = self._read(value)
        self._tried += 1
        self._found += found is not None
        return math.nan if found is None else float(found)

    def build(self) -> Floats | None:
        return np.concatenate(self._pages) if self.asked and self._found else None


def _read_day(text: str) -> float | None:
    """The moment that ``text`` names, in days since 1970; a relative one ("yesterday") names none here."""
    found = read_moment(text, day_first=True, relative_to=datetime(1, 1, 1, tzinfo=UTC))
    return None if found is None else found.timestamp() / _DAY
