"""How the columns of one file write dates and numbers, by all its rows.

Belongs here: which columns of a file are looked at, and counting. Does not belong here: what a value tells
(``leadgate.values.notations``), reading a value by it, or telling a person (``console.captured_columns``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from leadgate.connectors.files import FileError, Row
from leadgate.fields import FieldType
from leadgate.mapping.column_notations import find_kind, holds_amounts
from leadgate.playbook import Playbook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.records.reading import list_field_types, map_record_headers
from leadgate.values.notations import ColumnValues, Notation
from leadgate.vocabulary import JourneyKind
from tasks.activities import map_activity_headers
from tasks.capture import map_lead_headers


class Pages(Protocol):
    """A file that can be read more than once."""

    def read_pages(self) -> Iterator[list[Row]]: ...


@dataclass(frozen=True)
class FileColumn:
    """A column of dates or numbers, and the field that it fills."""

    header: str
    field: str
    values: ColumnValues
    of_amounts: bool

    @property
    def has_amounts(self) -> bool:
        """Whether three digits after a sign are thousands where nothing tells."""
        return self.values.kind == "number" and (self.of_amounts or self.values.is_money)

    @property
    def found(self) -> Notation | None:
        """What the file settles: by all values of the column, or for amounts that nothing else tells of."""
        if self.values.settled is not None:
            return self.values.settled
        return Notation.THOUSANDS if self.has_amounts and self.values.either and not self.values.telling else None


class FileNotations:
    """The columns of dates and numbers of one file of ``source``. Each page of its rows is looked at once."""

    def __init__(self, source: str, playbook: Playbook) -> None:
        self._source, self._playbook = source, playbook
        self._columns: dict[tuple[str, str], FileColumn] = {}
        self._by_headers: dict[tuple[str, ...], list[FileColumn]] = {}
        self.has_looked = False

    @property
    def columns(self) -> list[FileColumn]:
        """Those in which some value may be read in two ways."""
        return [each for each in self._columns.values() if each.values.either]

    @property
    def found(self) -> dict[str, str]:
        """Header -> notation, where the file settles it."""
        return {each.header: each.found.value for each in self.columns if each.found is not None}

    def read_pages(self, file: Pages) -> Iterator[list[Row]]:
        """The pages of a file, which was looked through to its end before, if a value on its first page may be read in
        two ways: another page may settle it. A column that needs nothing on the first page is not looked at again."""
        pages = file.read_pages()
        first = next(pages, None)
        if first is None:
            return
        self.look(first)
        following = next(pages, None) if self.columns else None
        if following is None:
            yield from chain([first], pages)
            return
        try:
            for page in chain([following], pages):
                self.look(page)
        except FileError:
            pass  # it is told where the rows before it have been stored
        yield from file.read_pages()

    def look(self, rows: Sequence[Row]) -> None:
        self.has_looked = True
        for row in rows:
            if row.payload is None:
                continue
            for column in self._list_columns(tuple(row.payload)):
                value = row.payload[column.header]
                if isinstance(value, str) and value:
                    column.values.add(row.line, value)

    def _list_columns(self, headers: tuple[str, ...]) -> list[FileColumn]:
        known = self._by_headers.get(headers)
        if known is None:
            if len(self._by_headers) > 100:  # rows of ever new shapes
                self._by_headers.clear()
            known = self._by_headers[headers] = list(self._find_columns(headers))
        return known

    def _find_columns(self, headers: tuple[str, ...]) -> Iterator[FileColumn]:
        mapping, types = self._map(headers)
        for header, field in mapping.items():
            kind = find_kind(field, types.get(field))
            if kind is not None:
                of_amounts = types.get(field) == "integer" or any(
                    holds_amounts(*each) for each in ((field, self._playbook.fields.get(field)), (header,))
                )
                new = FileColumn(header, field, ColumnValues(kind), of_amounts)
                yield self._columns.setdefault((header, field), new)

    def _map(self, headers: tuple[str, ...]) -> tuple[dict[str, str], Mapping[str, FieldType]]:
        declared = self._playbook.sources[self._source]
        if declared.kind == "activities":
            return map_activity_headers(headers, declared), {"occurred_at": "timestamp"}
        kind = SOURCE_KINDS[declared.kind]
        if kind is not JourneyKind.LEAD:
            view = self._playbook.for_kind(kind)
            return map_record_headers(headers, self._source, view), list_field_types(view)
        types = {name: each.type for name, each in self._playbook.fields.items()}
        return map_lead_headers(headers, self._source, self._playbook), types
