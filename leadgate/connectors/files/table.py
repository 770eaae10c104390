"""What every format has in common: a table, its rows, its limits, and why a file is refused.

Belongs here: the types that readers of files share, and how column names are made distinct.
Does not belong here: anything about one format.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"(?:tel:|p:|t:)?\+?\(?\d[\d\s().\-/]{5,23}\d")

Format = Literal["csv", "json", "json lines", "xlsx"]


class FileError(Exception):
    """The whole file is refused. The message names the file and says what to do about it."""

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
    json_bytes: int = 256 * 1024**2  # a JSON document is parsed whole; JSON lines are not limited
    json_depth: int = 64  # levels inside one record
    unpacked_bytes: int = 512 * 1024**2  # all parts of an XLSX together
    ratio: int = 200  # unpacked to packed, for parts of an XLSX larger than ``ratio_from``
    ratio_from: int = 10 * 1024**2
    rows: int = 1_048_576  # of a sheet: the most that Excel itself can hold
    cells: int = 50_000_000


class Row(NamedTuple):
    """One record of a file, readable or not.

    ``line`` is where it starts: the line of a text file, the row of a sheet, the place in a JSON list,
    all counted from 1. A readable row has a ``payload`` (column -> value exactly as received). An
    unreadable one has ``raw``, bytes that are no text shown as ``\\xNN``, and the ``problem`` in words.
    """

    line: int
    payload: dict[str, Any] | None
    raw: str | None = None
    problem: str | None = None


class Table(ABC):
    """An open-ended run of rows. Holds no file open between iterations."""

    format: ClassVar[Format]

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


def column_names(cells: Iterable[str]) -> tuple[str, ...]:
    """Headers as distinct names: a second ``Email`` is ``Email (2)``, an empty one ``column 3``."""
    taken: set[str] = set()
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        names.append(distinct(" ".join(cell.strip("\ufeff").split()) or f"column {number}", taken))
    return tuple(names)


def distinct(name: str, taken: set[str]) -> str:
    """``name``, or the first of ``name (2)``, ``name (3)``… that is not taken yet. Takes it."""
    candidate, copy = name, 1
    while candidate in taken:
        copy += 1
        candidate = f"{name} ({copy})"
    taken.add(candidate)
    return candidate


def refuse_data_as_headers(path: Path, where: str, headers: Iterable[str]) -> None:
    """``FileError`` when what should be headers holds a contact: then the first lead would be lost in it."""
    for header in headers:
        for what, pattern in (("an e-mail address", _EMAIL), ("a phone number", _PHONE)):
            if pattern.fullmatch(header.strip()):
                raise FileError(
                    path,
                    f"{where} holds {what}, so it names no columns; add a header line above it that does",
                )
