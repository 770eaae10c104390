"""The kinds of columns in the ledger's tables, and the notes that are declared with columns and tables.

Belongs here: functions that declare a column, and notes for erasure and retention. Does not belong here: a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from leadgate.vocabulary import list_in_sql

#: The ``info`` of a column that holds a value of a lead, or the name of a colleague.
PERSONAL: Final = {"holds": "personal"}
STAFF: Final = {"holds": "staff"}
#: The ``info`` of a table whose rows are never changed.
APPEND_ONLY: Final = {"append_only": True}

COLUMN_TYPES: Final[dict[str, type[Any]]] = {
    "text": Text,
    "bigint": BigInteger,
    "double precision": Double,
    "boolean": Boolean,
    "jsonb": JSONB,
}


def list_allowed(column: str, words: Iterable[StrEnum]) -> str:
    """The condition of a CHECK constraint that ``column`` has one of ``words``."""
    return f"{column} IN ({list_in_sql(words)})"


def declare_id() -> Any:
    return Field(default=None, sa_column=Column(BigInteger, Identity(always=False), primary_key=True))


def declare_foreign_key(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    """An id that PostgreSQL checks against ``target``."""
    column: Column[int] = Column(BigInteger, ForeignKey(target), nullable=nullable, index=index)
    return Field(default=None, sa_column=column)


def declare_unchecked_id(*, nullable: bool = False, index: bool = False) -> Any:
    """An id without a foreign key: a check costs as much as the insert, and these rows are written for every lead at
    every stage. The rows that they refer to are never deleted, and ``verify`` looks for orphans."""
    return Field(default=None, sa_column=Column(BigInteger, nullable=nullable, index=index))


def declare_moment(*, nullable: bool = False, server_default: Any = None) -> Any:
    return Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=nullable, server_default=server_default)
    )


def declare_counter() -> Any:
    return Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))


def declare_json(default: str | None = None) -> Any:
    server = None if default is None else text(f"'{default}'::jsonb")
    return Field(default=None, sa_column=Column(JSONB, nullable=default is None, server_default=server))


def declare_json_or_none(info: dict[str, str] | None = None) -> Any:
    return Field(default=None, sa_column=Column(JSONB, nullable=True, info=info))


def declare_personal(default: Any = ...) -> Any:
    """Text that may be a personal value."""
    return Field(default=default, sa_column_kwargs={"info": PERSONAL})


def declare_staff(default: Any = ..., **more: Any) -> Any:
    """Text that names a colleague."""
    return Field(default=default, sa_column_kwargs={"info": STAFF}, **more)


def index_requests(table: str) -> Index:
    """Finds what came with an id that its sender gave; a file's rows are no part of it."""
    return Index(f"{table}_request", "source", "request_id", postgresql_where=text("request_hash IS NOT NULL"))
