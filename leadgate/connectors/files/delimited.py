"""CSV and its relatives: comma, semicolon, tab or pipe between the cells.

Belongs here: which delimiter, where a record ends, and going on after one that is broken.
Does not belong here: encodings (``recognise``).
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from leadgate.connectors.files.recognise import UNDECODABLE, Text
from leadgate.connectors.files.table import (
    FileError,
    Format,
    Limits,
    Row,
    Table,
    build_column_names,
    check_headers,
)
from leadgate.regular_files import open_regular

_DELIMITERS: Final = ",;\t|"  # on a tie, the earlier
_SNIFFED = 50  # records looked at to choose a delimiter
_FEW_WORDS = 8  # of a value: a column of longer ones is running text
_SHORT_ROPE = 100  # lines a quoted value may always span, however many quotes ran away before it

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's way to name the delimiter

#: line, its cells or None, and for the latter its raw text and the problem.
_Record = tuple[int, list[str] | None, str, str]


def open_table(path: Path, text: Text, limits: Limits) -> Table:
    """Find delimiter and headers in the head of ``text``. Raises ``FileError`` when it is no table."""
    csv.field_size_limit(max(csv.field_size_limit(), limits.row_chars))  # process-wide: only ever raised
    table = DelimitedTable(path, text, limits)
    if next(iter(table), None) is None:
        raise FileError(path, "there are only headers, and no rows below them")
    return table


class DelimitedTable(Table):
    format: Format = "csv"

    def __init__(self, path: Path, text: Text, limits: Limits) -> None:
        head = text.head if text.whole else text.head[: text.head.rfind("\n") + 1] or text.head
        named = _SEPARATOR_LINE.fullmatch(text.open_head(head).readline())
        self._preamble = 1 if named else 0  # lines above the headers that belong to the format
        delimiters = named[1] if named else _DELIMITERS
        self._separator, cells = _find_layout(path, text, head, delimiters, limits, self._preamble)
        super().__init__(path, build_column_names(cells), text.size)
        self.encoding = text.encoding
        self.delimiter = self._separator if len(cells) > 1 else None
        self._text, self._limits = text, limits
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[Row]:
        headers, self.blank = self.headers, 0
        with open_regular(self.path) as self._file, self._text.open(self._file) as stream:
            records = _read_records(stream.readline, self._separator, self._text, self._limits, below=self._preamble)
            next(records)  # the headers
            for line, cells, raw, problem in records:
                if cells is None:
                    yield Row(line, None, raw, f"line {line}: {problem}")
                elif any(cells):
                    yield Row(line, dict(zip(headers, cells, strict=True)))
                else:
                    self.blank += 1

    def position(self) -> int:
        if self._file is None:
            return 0
        return self.bytes_total if self._file.closed else self._file.tell()


def _find_layout(
    path: Path, text: Text, head: str, delimiters: str, limits: Limits, preamble: int
) -> tuple[str, list[str]]:
    """The delimiter that explains most cells of the first records, and the headers as received."""

    def sniff(delimiter: str, below: int) -> list[_Record]:
        records = _read_records(text.open_head(head).readline, delimiter, text, limits, below=below)
        return [record for record in islice(records, _SNIFFED) if record[1] is None or any(record[1])]

    tried = {delimiter: records for delimiter in delimiters if (records := sniff(delimiter, preamble))}
    if not tried:
        raise FileError(path, "the file holds nothing but blank lines")
    delimiter = max(tried, key=lambda d: _rate_delimiter(tried[d]))
    (line, headers, _, problem), *rows = tried[delimiter]
    if headers is None:
        raise FileError(path, f"line {line} should be the headers, but cannot be read: {problem}")
    check_headers(path, f"line {line}", headers, limits)
    if len(headers) == 1:
        values = [cells[0] for _, cells, _, _ in rows if cells]
        if _is_long(headers[0]) or 2 * sum(map(_is_long, values)) > len(rows):
            raise FileError(path, "this is running text, not a table; export it as CSV, XLSX or JSON")
        lower = [records for name in delimiters if len(records := sniff(name, line)) > 1]
        if any(_rate_delimiter(records)[0] >= 1 for records in lower):
            raise FileError(
                path,
                f"line {line} has one cell and the lines below it have more; remove what is above the headers",
            )
    if len(rows) > 2 and all(cells is None for _, cells, _, _ in rows):
        raise FileError(
            path,
            f"this is not a table: line {line} has {len(headers)} cells, and none of the next {len(rows)} rows "
            "has as many; check that the first line names every column",
        )
    return delimiter, headers


def _is_long(value: str) -> bool:
    return len(value.split()) > _FEW_WORDS


def _rate_delimiter(records: list[_Record]) -> tuple[float, int, float]:
    """How well a delimiter fits: first its columns times the share of rows that have as many as the headers."""
    width = len(records[0][1] or ())
    fitting = sum(record[1] is not None for record in records[1:])
    share = fitting / (len(records) - 1) if len(records) > 1 else 1.0
    return share * (width - 1), width, share


def _read_records(
    readline: Callable[[int], str], delimiter: str, text: Text, limits: Limits, *, below: int = 0
) -> Iterator[_Record]:
    """Every record from the first one with a value on, which sets how many cells the others must have.

    ``below`` is the number of lines to pass over at the top. A blank record has cells without a value.
    A broken one costs its own line only: when a quote is never closed, or closed where no value can end,
    reading goes on at the line after the one that opened it.
    """
    too_long = limits.row_chars
    rope = limits.quoted_lines
    taken: list[str] = []  # the lines of the record at hand
    again: deque[str] = deque()  # lines to be read once more

    def read_lines() -> Iterator[str]:
        size = 0
        while True:
            if not taken:
                size = 0
            elif len(taken) > rope or size >= too_long:
                return  # inside a quote: to the strict reader, the file ends here
            if again:
                line = again.popleft()
            elif len(line := readline(too_long)) == too_long:
                text.skip_line(readline, line)
            if not line:
                return
            taken.append(line)
            size += len(line)
            yield line

    for _ in range(below):
        text.skip_line(readline, readline(too_long))
    reader = csv.reader(read_lines(), delimiter=delimiter, strict=True)
    width, line, clean = -1, 1 + below, text.clean  # no width yet, and none that a blank line could have
    while True:
        line += len(taken)
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem, runaway = _explain_error(error), True
        else:
            if len(taken[-1]) < too_long and (clean or not any(map(UNDECODABLE.search, taken))):
                if len(cells) == width:
                    yield line, cells, "", ""
                    continue
                if not any(cells) or (len(cells) == 1 and not cells[0].strip()):
                    if width > 0:
                        yield line, [], "", ""
                    continue
                if width < 0:
                    width = len(cells)
                    yield line, cells, "", ""
                    continue
            problem = f"{len(cells)} cells, the header has {width}"
            runaway = len(taken) > 1 and any(_is_own_record(later, delimiter, width) for later in taken[1:])
            if runaway:
                problem = "a quote that is opened and never closed"
        if len(taken[0]) >= too_long:
            problem = f"longer than the {too_long:,} characters allowed; what is above them is left out"
        elif not clean and any(map(UNDECODABLE.search, taken)):
            problem = f"bytes that are not {text.encoding}"
        if runaway:
            if len(taken) > _SHORT_ROPE:  # or a file full of stray quotes would be read over and over
                rope = max(_SHORT_ROPE, rope // 2)
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
            reader = csv.reader(read_lines(), delimiter=delimiter, strict=True)
        yield line, None, text.show_raw("".join(taken)), problem


def _explain_error(error: csv.Error) -> str:
    reason = str(error)
    if "expected after" in reason:
        return "a quote in the middle of a quoted value"
    if "new-line character" in reason:
        return "a carriage return in the middle of a value without quotes"
    if "field larger" in reason:
        return "a value that is too long"
    return "a quote that is opened and never closed"


def _is_own_record(line: str, delimiter: str, width: int) -> bool:
    """Does ``line`` look like a record of its own? Then a quote before it ran away."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter, strict=True), [])) == width > 1
    except csv.Error:
        return False
