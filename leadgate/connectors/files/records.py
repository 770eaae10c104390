"""JSON documents that hold records, and JSON lines.

Belongs here: finding the records in a document, and one record a line.
Does not belong here: nested values, which are kept as they are (``leadgate.headers.flatten`` names them).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from leadgate.connectors.files.recognise import UNDECODABLE, Text
from leadgate.connectors.files.table import FileError, Format, Limits, Row, Table, distinct
from leadgate.headers import flatten

_LISTS: Final = ("records", "results", "data", "leads", "contacts")  # where exports keep their records
_SNIFFED = 50
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def open_table(path: Path, text: Text, limits: Limits) -> Table:
    """JSON lines when the first line is an object of its own, else one document.

    A document is parsed here, whole, so that a mistake at its end is known before any row is given out.
    """
    if _is_lines(path, text, limits):
        return LinesTable(path, text, limits)
    if text.size > limits.json_bytes:
        raise FileError(
            path,
            f"a JSON document of {text.size:,} bytes is more than the {limits.json_bytes:,} allowed; "
            "export it as JSON lines or CSV",
        )
    try:
        with path.open("rb") as binary, text.open(binary) as stream:
            document = _parse(stream.read().lstrip("\ufeff"))
    except RecursionError as error:
        raise FileError(path, "this JSON is nested too deeply to be a list of records") from error
    except ValueError as error:
        if text.head.lstrip("\ufeff \t\r\n").startswith("{") and any(_objects(text)):
            return LinesTable(path, text, limits)  # whose first line happens to be broken
        raise FileError(path, f"this is not valid JSON: {error}") from error
    return DocumentTable(path, text, limits, _records_of(path, document))


def _is_lines(path: Path, text: Text, limits: Limits) -> bool:
    """Is the first line an object of its own, and not the only one?"""
    with path.open("rb") as binary, text.open(binary) as stream:
        lines = (line for line in iter(lambda: stream.readline(limits.row_chars), "") if line.strip("\ufeff \t\r\n"))
        return isinstance(_try(next(lines, "")), dict) and next(lines, None) is not None


def _objects(text: Text) -> Iterator[dict[str, Any]]:
    """The objects among the first lines."""
    for line in text.head.split("\n")[:_SNIFFED]:
        if isinstance(record := _try(line), dict):
            yield record


class DocumentTable(Table):
    format: ClassVar[Format] = "json"

    def __init__(self, path: Path, text: Text, limits: Limits, records: list[Any]) -> None:
        super().__init__(path, _names(record for record in records if isinstance(record, dict)), text.size)
        self.encoding = text.encoding
        self._records, self._limits, self._given = records, limits, 0

    def __iter__(self) -> Iterator[Row]:
        self.blank = 0
        for number, record in enumerate(self._records, start=1):
            self._given = number
            row = _row(number, record, self._limits, f"record {number}", None)
            if row is None:
                self.blank += 1
            else:
                yield row

    def position(self) -> int:
        return self.bytes_total * self._given // len(self._records)


class LinesTable(Table):
    format: ClassVar[Format] = "json lines"

    def __init__(self, path: Path, text: Text, limits: Limits) -> None:
        super().__init__(path, _names(_objects(text)), text.size)
        self.encoding = text.encoding
        self._text, self._limits = text, limits
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[Row]:
        limit, self.blank = self._limits.row_chars, 0
        with self.path.open("rb") as self._file, self._text.open(self._file) as stream:
            number = 0
            while line := stream.readline(limit):
                number += 1
                if len(line) == limit:
                    self._text.skip_line(stream.readline, line)
                    yield self._unreadable(number, line, f"longer than the {limit:,} characters allowed")
                elif not self._text.clean and UNDECODABLE.search(line):
                    yield self._unreadable(number, line, f"bytes that are not {self.encoding}")
                elif (row := self._parsed(number, line.lstrip("\ufeff"))) is not None:
                    yield row
                else:
                    self.blank += 1

    def _parsed(self, number: int, line: str) -> Row | None:
        if not line.strip():
            return None
        try:
            record = _parse(line)
        except RecursionError:
            return self._unreadable(number, line, "JSON that is nested too deeply")
        except json.JSONDecodeError as error:
            return self._unreadable(number, line, f"not valid JSON: {error.msg} at character {error.colno}")
        except ValueError as error:
            return self._unreadable(number, line, f"not valid JSON: {error}")
        return _row(number, record, self._limits, f"line {number}", self._text.shown(line))

    def _unreadable(self, number: int, line: str, problem: str) -> Row:
        return Row(number, None, self._text.shown(line), f"line {number}: {problem}")

    def position(self) -> int:
        if self._file is None:
            return 0
        return self.bytes_total if self._file.closed else self._file.tell()


def _row(number: int, record: Any, limits: Limits, where: str, raw: str | None) -> Row | None:
    """``record`` as a row; None when it is an object without anything in it."""
    problem = None
    if not isinstance(record, dict):
        problem = "a JSON value that is no object, so its fields have no names"
    elif _deeper_than(record, limits.json_depth):
        problem = f"JSON that is nested more than {limits.json_depth} levels deep"
    if problem is None:
        return Row(number, record) if record else None
    return Row(number, None, json.dumps(record, ensure_ascii=False) if raw is None else raw, f"{where}: {problem}")


def _records_of(path: Path, document: Any) -> list[Any]:
    records: Any = document
    if isinstance(document, dict):
        lists = [document[key] for key in _LISTS if _is_list_of_objects(document.get(key))]
        empty = any(document.get(key) == [] for key in _LISTS)
        records = lists[0] if len(lists) == 1 else [] if empty and not lists else [document]
    if not isinstance(records, list) or (records and not _is_list_of_objects(records)):
        raise FileError(path, "this JSON is no list of objects; each lead must be an object with named fields")
    if not any(records):
        raise FileError(path, "this JSON holds no records")
    return records


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _names(records: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(flatten(record)))
    return tuple(names)


def _try(line: str) -> Any:
    try:
        return _parse(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _parse(source: str) -> Any:
    value = _DECODER.decode(source)
    return _without_surrogates(value) if _LONE_SURROGATE.search(source) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal keys ``json`` would keep the last only; here the second is ``key (2)``."""
    record = dict(pairs)
    if len(record) < len(pairs):
        taken: set[str] = set()
        record = {distinct(key, taken): value for key, value in pairs}
    return record


def _finite(digits: str) -> float | str:
    """Neither a database nor JSON itself knows infinity: ``1e999`` stays as it was written."""
    number = float(digits)
    return number if math.isfinite(number) else digits


#: ``NaN`` and ``Infinity`` are no JSON, yet some exporters write them: kept as text.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=str)


def _without_surrogates(value: Any) -> Any:
    r"""Half a surrogate pair (``\ud800``) cannot be stored as UTF-8: written out as text again."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    """Level by level, not by recursion, which a hostile file would exhaust."""
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for container in layer
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
        if not layer:
            return False
    return True
