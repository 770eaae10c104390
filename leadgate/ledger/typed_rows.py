"""Rows of a statement as instances of a dataclass: its fields are the columns of the statement, in the same order.

Belongs here: reading such rows. Does not belong here: the dataclasses (with the query that makes them), or large reads:
a frame is made by ``bulk.select``.

A field that is declared as an enumeration of the vocabulary gets a member of it, so that mypy finds a word of another.
A caller writes ``item.reason``, and mypy finds a name that is none. Names that differ from those of the statement are
found the first time that it runs, whatever it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from sqlalchemy import Connection, TextClause, text

from leadgate import vocabulary

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Row = TypeVar("_Row", bound="DataclassInstance")


@cache
def list_fields(row_type: type[DataclassInstance]) -> tuple[str, ...]:
    """The columns that ``row_type`` declares, in order."""
    return tuple(each.name for each in fields(row_type))


def list_columns(row_type: type[DataclassInstance], table: str) -> str:
    """What a statement selects of ``table`` (its name or alias) for rows of ``row_type``."""
    return ", ".join(f"{table}.{name}" for name in list_fields(row_type))


@lru_cache(maxsize=1_000)
def read_statement(statement: str) -> TextClause:
    """``statement`` with its parameters found, once for all of its uses."""
    return text(statement)


def read_rows(connection: Connection, row_type: type[_Row], statement: str, **parameters: object) -> list[_Row]:
    """The rows of ``statement``. Raises ``TypeError`` when its columns are not the fields of ``row_type``."""
    result = connection.execute(read_statement(statement), parameters)
    make = choose_maker(row_type, result.keys())
    return [make(*row) for row in result]


def read_row(connection: Connection, row_type: type[_Row], statement: str, **parameters: object) -> _Row | None:
    """The first row of ``statement``, if there is one. Raises as ``read_rows`` does."""
    result = connection.execute(read_statement(statement), parameters)
    make, row = choose_maker(row_type, result.keys()), result.first()
    return None if row is None else make(*row)


@dataclass
class Read(Generic[_Row]):
    """A statement that is still to be read: ``rows`` has what it gave, once it was called with a connection."""

    row_type: type[_Row]
    statement: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        self.rows = read_rows(connection, self.row_type, self.statement, **self.parameters)


def choose_maker(row_type: type[_Row], given: Iterable[str]) -> Callable[..., _Row]:
    """What makes a row of the values of a statement's columns. Raises ``TypeError`` for other columns."""
    columns = tuple(given)
    if columns != list_fields(row_type):
        raise TypeError(f"a row of {row_type.__name__} has {list_fields(row_type)}, and the statement gives {columns}")
    if not (words := _find_enumerations(row_type)):
        return row_type

    def make(*row: object) -> _Row:
        values = list(row)
        for place, enumeration in words.items():
            if values[place] is not None:
                values[place] = enumeration(str(values[place]))
        return row_type(*values)

    return make


@cache
def _find_enumerations(row_type: type[DataclassInstance]) -> dict[int, type[StrEnum]]:
    """The places of the columns that are declared as enumerations of the vocabulary."""
    declared = [str(each.type).removesuffix(" | None") for each in fields(row_type)]
    return {
        place: enumeration
        for place, name in enumerate(declared)
        if isinstance(enumeration := getattr(vocabulary, name, None), type) and issubclass(enumeration, StrEnum)
    }
