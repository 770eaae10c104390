"""Frames into and out of PostgreSQL, fast: COPY in, plain rows out.

Belongs here: moving many rows. Does not belong here: which rows, or what they mean.
A stage of 20,000 leads writes through COPY into a temporary table and one ``UPDATE … FROM`` or
``INSERT … SELECT``, measured several times faster than any per-row form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import faults

NUL_SHOWN = "\u2400"  # PostgreSQL text cannot hold U+0000; this is the character that stands for it


def storable(value: str) -> str:
    r"""``value`` as PostgreSQL's text can hold it: a NUL is shown by its sign, half a surrogate pair as its escape.

    >>> storable("a\x00b"), storable("\ud800"), storable("Ann 😀")
    ('a␀b', '\\ud800', 'Ann 😀')
    """
    if value.isascii():
        return value.replace("\x00", NUL_SHOWN) if "\x00" in value else value
    return value.replace("\x00", NUL_SHOWN).encode("utf-8", "backslashreplace").decode()


def select(connection: Connection, statement: str, **parameters: Any) -> pd.DataFrame:
    """The rows of ``statement`` as a frame of plain Python objects; NULL is ``None``."""
    result = connection.execute(text(statement), parameters)
    columns = list(result.keys())
    rows = result.fetchall()
    # one block of objects: pandas would otherwise look at every value to guess a type, or make each column apart
    block = np.empty((len(columns), len(rows)), dtype=object)
    for place, column in enumerate(zip(*rows, strict=True)):
        block[place] = np.fromiter(column, dtype=object, count=len(rows))  # a list in a cell stays one cell
    return pd.DataFrame(block.T, columns=columns, dtype=object)


def temporary(connection: Connection, name: str, types: Mapping[str, str], frame: pd.DataFrame) -> None:
    """Fill the temporary table ``name`` with the columns of ``types`` from ``frame``; emptied at commit."""
    definition = ", ".join(f"{column} {kind}" for column, kind in types.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({definition}) ON COMMIT DELETE ROWS"))
    connection.execute(text(f"TRUNCATE {name}"))
    copy(connection, name, list(types), frame)


def copy(connection: Connection, table: str, columns: Sequence[str], frame: pd.DataFrame) -> None:
    """COPY ``columns`` of ``frame`` into ``table``. Missing values become NULL."""
    if frame.empty:
        return
    with _copying(connection, table, columns) as writer:
        for row in zip(*(plain(frame[column]) for column in columns), strict=True):
            writer.write_row(row)


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY ``rows`` of plain values into ``table``."""
    with _copying(connection, table, columns) as writer:
        for row in rows:
            writer.write_row(row)


def new_ids(connection: Connection, table: str, count: int) -> list[int]:
    """``count`` fresh ids of ``table``, ascending."""
    statement = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count) ORDER BY 1")
    return [row[0] for row in connection.execute(statement, {"table": table, "count": count})]


def plain(series: pd.Series) -> list[Any]:
    """The values as Python objects, anything missing as ``None``."""
    values = series.to_numpy(dtype=object)
    missing = pd.isna(values)
    if missing.any():
        values = values.copy()
        values[missing] = None
    listed: list[Any] = values.tolist()
    return listed


@contextmanager
def _copying(connection: Connection, table: str, columns: Sequence[str]) -> Iterator[psycopg.Copy]:
    """COPY goes past SQLAlchemy; its errors come as SQLAlchemy's all the same, so that callers know one kind."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor().copy(statement) as writer:
            yield writer
    except psycopg.Error as error:
        faults.clean(error)
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, connection_invalidated=bool(driver.closed)
        ) from error
