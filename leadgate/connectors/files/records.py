"""JSON documents that hold records, and JSON lines.

Belongs here: finding the records in a document, and one record a line.
Does not belong here: nested values, which are kept as they are (``leadgate.mapping.headers.flatten`` names them).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from leadgate.connectors.files.json_values import Element, Values, decode
from leadgate.connectors.files.recognise import UNDECODABLE, Text
from leadgate.connectors.files.table import FileError, Format, Limits, Row, Table
from leadgate.mapping.headers import flatten
from leadgate.regular_files import open_regular
from leadgate.values.json_types import JsonValue

_LISTS: Final = ("records", "results", "data", "leads", "contacts")  # where exports keep their records
_SNIFFED = 50
_FLATTENED: Final = 1_000  # records of a document whose nested names are all told, those below by a new key only


def open_table(path: Path, text: Text, limits: Limits) -> Table:
    """JSON lines when the first line is an object of its own, else one document.

    A document is read to its end here, record by record, so that a mistake at its end is known before any row is
    given out.
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
        return DocumentTable(path, text, limits)
    except RecursionError as error:
        raise FileError(path, "this JSON is nested too deeply to be a list of records") from error
    except ValueError as error:
        if text.head.lstrip("\ufeff \t\r\n").startswith("{") and any(_find_objects(text)):
            return LinesTable(path, text, limits)  # whose first line happens to be broken
        raise FileError(path, f"this is not valid JSON: {error}") from error


def _is_lines(path: Path, text: Text, limits: Limits) -> bool:
    """Is the first line an object of its own, and not the only one?"""
    with open_regular(path) as binary, text.open(binary) as stream:
        lines = (line for line in iter(lambda: stream.readline(limits.row_chars), "") if line.strip("\ufeff \t\r\n"))
        return isinstance(_try(next(lines, "")), dict) and next(lines, None) is not None


def _find_objects(text: Text) -> Iterator[dict[str, JsonValue]]:
    """The objects among the first lines."""
    for line in text.head.split("\n")[:_SNIFFED]:
        if isinstance(record := _try(line), dict):
            yield record


@dataclass(slots=True)
class _Found:
    """What a first look at records found."""

    most_names: int
    items: int = 0
    objects: int = 0
    filled: bool = False  # whether any record holds anything
    names: dict[str, None] = field(default_factory=dict)  # flattened
    keys: set[str] = field(default_factory=set)

    def add(self, item: Element) -> None:
        self.items += 1
        self.filled = self.filled or bool(item.value) or not item.fits
        if isinstance(item.value, dict):
            self.objects += 1
            # further names are in the rows all the same, and to flatten every record would take as long as to read it
            if len(self.names) < self.most_names and (self.objects <= _FLATTENED or not self.keys >= item.value.keys()):
                self.names.update(dict.fromkeys(flatten(item.value)))
                self.keys.update(item.value)


class DocumentTable(Table):
    """A list of objects, an object that has one under a usual name, or one object.

    Raises ``FileError`` when it is none of them, ``ValueError`` when it is no JSON.
    """

    format: Format = "json"

    def __init__(self, path: Path, text: Text, limits: Limits) -> None:
        super().__init__(path, (), text.size)
        self.encoding = text.encoding
        self._text, self._limits = text, limits
        self._is_list, self._key = True, ""  # the key that the list has in an object; empty: it is the document
        self._chars, self._read = 1, 0
        found = self._look()
        if found.items and not found.objects:
            raise FileError(path, "this JSON is no list of objects; each lead must be an object with named fields")
        if not found.filled:
            raise FileError(path, "this JSON holds no records")
        self.headers = tuple(found.names)[: limits.columns]

    def __iter__(self) -> Iterator[Row]:
        self.blank = self._read = 0
        with self._open_values() as values:
            for number, item in enumerate(self._read_records(values), start=1):
                self._read = values.chars
                row = self._read_row(number, item)
                if row is None:
                    self.blank += 1
                else:
                    yield row
        self._read = self._chars

    def position(self) -> int:
        return self.bytes_total * self._read // self._chars

    @contextmanager
    def _open_values(self) -> Iterator[Values]:
        with open_regular(self.path) as binary, self._text.open(binary) as stream:
            values = Values(stream, self._limits.row_chars)
            while values.take("\ufeff"):
                pass
            yield values

    def _look(self) -> _Found:
        """Find the records, and read the document to its end."""
        with self._open_values() as values:
            is_object = values.peek_sign() == "{"
            lists = self._find_lists(values) if is_object else {"": self._collect(self._read_records(values))}
            values.require_end()
            self._chars = values.chars
        if not is_object:
            return lists[""]
        of_objects = [key for key, found in lists.items() if found.objects]
        if len(of_objects) == 1:
            self._key = of_objects[0]
            return lists[self._key]
        if not of_objects and any(found.items == 0 for found in lists.values()):
            return self._collect(())
        self._is_list = False
        with self._open_values() as values:
            return self._collect(self._read_records(values))

    def _find_lists(self, values: Values) -> dict[str, _Found]:
        """The lists of an object that may be its records, by their keys."""
        lists: dict[str, _Found] = {}
        for key in values.read_keys():
            if key in _LISTS and key not in lists and values.peek_sign() == "[":
                lists[key] = self._collect(values.items())
            else:
                values.read_value()
        return lists

    def _collect(self, items: Iterable[Element]) -> _Found:
        found = _Found(self._limits.columns)
        for item in items:
            found.add(item)
        return found

    def _read_records(self, values: Values) -> Iterator[Element]:
        if self._key:
            for key in values.read_keys():
                if key == self._key and values.peek_sign() == "[":
                    yield from values.items()
                    return
                values.read_value()
        elif self._is_list and values.peek_sign() == "[":
            yield from values.items()
        else:
            yield values.read_value()

    def _read_row(self, number: int, item: Element) -> Row | None:
        where, limit = f"record {number}", self._limits.row_chars
        if not item.fits:
            problem = f"longer than the {limit:,} characters allowed; the rest of it is left out"
        elif not self._text.clean and UNDECODABLE.search(item.raw):
            problem = f"bytes that are not {self.encoding}"
        else:
            return _build_row(number, item.value, self._limits, where, self._text.show_raw(item.raw))
        return Row(number, None, self._text.show_raw(item.raw), f"{where}: {problem}")


class LinesTable(Table):
    format: Format = "json lines"

    def __init__(self, path: Path, text: Text, limits: Limits) -> None:
        super().__init__(path, _list_names(_find_objects(text)), text.size)
        self.encoding = text.encoding
        self._text, self._limits = text, limits
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[Row]:
        limit, self.blank = self._limits.row_chars, 0
        with open_regular(self.path) as self._file, self._text.open(self._file) as stream:
            number = 0
            while line := stream.readline(limit):
                number += 1
                if len(line) == limit:
                    self._text.skip_line(stream.readline, line)
                    yield self._build_unreadable(number, line, f"longer than the {limit:,} characters allowed")
                elif not self._text.clean and UNDECODABLE.search(line):
                    yield self._build_unreadable(number, line, f"bytes that are not {self.encoding}")
                elif (row := self._parse_line(number, line.lstrip("\ufeff"))) is not None:
                    yield row
                else:
                    self.blank += 1

    def _parse_line(self, number: int, line: str) -> Row | None:
        if not line.strip():
            return None
        try:
            record = decode(line)
        except RecursionError:
            return self._build_unreadable(number, line, "JSON that is nested too deeply")
        except json.JSONDecodeError as error:
            return self._build_unreadable(number, line, f"not valid JSON: {error.msg} at character {error.colno}")
        except ValueError as error:
            return self._build_unreadable(number, line, f"not valid JSON: {error}")
        return _build_row(number, record, self._limits, f"line {number}", self._text.show_raw(line))

    def _build_unreadable(self, number: int, line: str, problem: str) -> Row:
        return Row(number, None, self._text.show_raw(line), f"line {number}: {problem}")

    def position(self) -> int:
        if self._file is None:
            return 0
        return self.bytes_total if self._file.closed else self._file.tell()


def _build_row(number: int, record: JsonValue, limits: Limits, where: str, raw: str) -> Row | None:
    """``record`` as a row; None when it is an object without anything in it."""
    if not isinstance(record, dict):
        problem = "a JSON value that is no object, so its fields have no names"
    elif not _is_deeper_than(record, limits.json_depth):
        return Row(number, record) if record else None
    else:
        problem = f"JSON that is nested more than {limits.json_depth} levels deep"
    return Row(number, None, raw, f"{where}: {problem}")


def _list_names(records: Iterable[dict[str, JsonValue]]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(flatten(record)))
    return tuple(names)


def _try(line: str) -> JsonValue:
    try:
        return decode(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _is_deeper_than(value: dict[str, JsonValue], levels: int) -> bool:
    """Level by level, not by recursion, which a hostile file would exhaust."""
    layer: list[dict[str, JsonValue] | list[JsonValue]] = [value]
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
