"""What every format has in common: a table, its rows, its limits, and why a file is refused.

Belongs here: the types that readers of files share, and which column names are refused.
Does not belong here: anything about one format.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, NamedTuple

from leadgate.errors import LeadgateError
from leadgate.mapping.headers import make_distinct
from leadgate.values.json_types import JsonValue

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"(?:tel:|p:|t:)?\+?\(?\d[\d\s().\-/]{5,23}\d")

_PAGE_ROWS: Final = 5_000
_PAGE_CHARS: Final = 4 * 1024**2
_PAGE_SECONDS: Final = 1.0  # a page of slow rows ends early, so that progress is seen

Format = Literal["csv", "json", "json lines", "xlsx"]


class FileError(LeadgateError):
    """The whole file is refused. The message names the file and says what to do about it."""

    http_status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name or path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. A row past its limit is unreadable, a file past its limit is refused."""

    row_chars: int = 4 * 1024**2  # one record of a text file, line breaks in quotes included
    quoted_lines: int = 50_000  # lines that one quoted value may span
    columns: int = 5_000
    header_chars: int = 1_000  # of one column's name, which every row repeats when it is stored
    headers_chars: int = 250_000  # of all of them
    json_bytes: int = 256 * 1024**2  # a JSON document is read twice; JSON lines are not limited
    json_depth: int = 64  # levels inside one record
    unpacked_bytes: int = 512 * 1024**2  # all parts of an XLSX together
    ratio: int = 200  # unpacked to packed, for parts of an XLSX larger than ``ratio_from``
    ratio_from: int = 10 * 1024**2
    rows: int = 1_048_576  # of a sheet: the most that Excel itself can hold
    cells: int = 50_000_000
    elements: int = 250_000  # XML elements of the parts that are read whole: styles, names, relations
    strings: int = 3_000_000  # XML elements of a workbook's different texts: two of each, more of one with formats
    text_chars: int = 1024**3  # all values of a workbook: any number of cells may show the same long text
    memory_mb: int = 1024  # of the process that reads the file
    silent_seconds: float = 120.0  # for which that process may give no row
    seconds: float = 1800.0  # for which it may read in all; while its rows are stored, the clock stands


class Row(NamedTuple):
    """One record of a file, readable or not.

    ``line`` is where it starts: the line of a text file, the row of a sheet, the place in a JSON list,
    all counted from 1. A readable row has a ``payload`` (column -> value exactly as received). An
    unreadable one has ``raw``, bytes that are no text shown as ``\\xNN``, and the ``problem`` in words.
    """

    line: int
    payload: dict[str, JsonValue] | None
    raw: str | None = None
    problem: str | None = None


class Table(ABC):
    """An open-ended run of rows. Holds no file open between iterations."""

    format: Format

    def __init__(self, path: Path, headers: tuple[str, ...], bytes_total: int) -> None:
        self.path = path
        self.headers = headers  # of JSON: flattened; of JSON lines: those of the first lines
        self.bytes_total = bytes_total
        self.encoding: str | None = None
        self.delimiter: str | None = None
        self.sheet: str | None = None
        self.blank = 0  # rows without any value, skipped by the iteration so far

    @abstractmethod
    def __iter__(self) -> Iterator[Row]: ...

    @abstractmethod
    def position(self) -> int:
        """How far the iteration is, in bytes of ``bytes_total``. Costs nothing per row."""

    def read_pages(self) -> Iterator[list[Row]]:
        """The rows in lists that are bounded in number, size and time, and never empty."""
        page: list[Row] = []
        chars, since, start = 0, time.monotonic(), 0
        # in memory, as when they are stored, every row of a grid has the names of its columns
        most_rows = (
            min(_PAGE_ROWS, 1 + _PAGE_CHARS // (1 + sum(map(len, self.headers)))) if self.is_grid else _PAGE_ROWS
        )
        try:
            for row in self:
                page.append(row)
                if self.format == "xlsx":  # any number of cells may show the same long text
                    chars += (
                        len(row.raw or "")
                        if row.payload is None
                        else sum(len(str(each)) for each in row.payload.values())
                    )
                else:
                    chars = self.position() - start
                if len(page) >= most_rows or chars >= _PAGE_CHARS or time.monotonic() - since >= _PAGE_SECONDS:
                    yield page
                    page, chars, since, start = [], 0, time.monotonic(), self.position()
        except FileError:
            if page:
                yield page  # the rows above the damage
            raise
        if page:
            yield page

    @property
    def is_grid(self) -> bool:
        """Whether every row has the same columns, and text in each of them."""
        return self.format in ("csv", "xlsx")


def build_column_names(cells: Iterable[str]) -> tuple[str, ...]:
    """Headers as distinct names: a second ``Email`` is ``Email (2)``, an empty one ``column 3``."""
    taken: dict[str, int] = {}
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        names.append(make_distinct(" ".join(cell.strip("\ufeff").split()) or f"column {number}", taken))
    return tuple(names)


def check_headers(path: Path, where: str, headers: Sequence[str], limits: Limits) -> None:
    """``FileError`` for headers past a limit, or that hold a contact: then the first lead would be lost in them."""
    if len(headers) > limits.columns:
        raise FileError(path, f"{len(headers):,} columns are more than the {limits.columns:,} allowed")
    lengths = [len(header) for header in headers]
    for number, length in enumerate(lengths, start=1):
        if length > limits.header_chars:
            raise FileError(
                path,
                f"the name of column {number} in {where} has {length:,} characters, more than the "
                f"{limits.header_chars:,} allowed; shorten it",
            )
    if sum(lengths) > limits.headers_chars:
        raise FileError(
            path,
            f"the names of the columns in {where} have {sum(lengths):,} characters together, more than the "
            f"{limits.headers_chars:,} allowed; shorten them, or leave columns out",
        )
    for header in headers:
        for what, pattern in (("an e-mail address", _EMAIL), ("a phone number", _PHONE)):
            if pattern.fullmatch(header.strip()):
                raise FileError(
                    path,
                    f"{where} holds {what}, so it names no columns; add a header line above it that does",
                )
