"""Frames into and out of PostgreSQL, fast: COPY in, plain rows out.

Belongs here: moving many rows. Does not belong here: which rows, or what they mean.
A stage of 20,000 leads writes through COPY into a temporary table and one ``UPDATE … FROM`` or
``INSERT … SELECT``, measured several times faster than any per-row form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger import faults

if TYPE_CHECKING:
    import pandas as pd

_NULL = r"\N"
_BOOLEANS = {True: "t", False: "f", None: _NULL}
#: What COPY's text format writes otherwise, the backslash first.
_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
_AT_A_TIME = 1_000  # rows that are put together before they are sent


def select(connection: Connection, statement: str, **parameters: object) -> pd.DataFrame:
    """The rows of ``statement`` as a frame of plain Python objects; NULL is ``None``."""
    import numpy as np
    import pandas as pd

    result = connection.execute(text(statement), parameters)
    columns = list(result.keys())
    rows = result.fetchall()
    # one block of objects: pandas would otherwise look at every value to guess a type, or make each column apart
    block = np.empty((len(columns), len(rows)), dtype=object)
    for place, column in enumerate(zip(*rows, strict=True)):
        block[place] = np.fromiter(column, dtype=object, count=len(rows))  # a list in a cell stays one cell
    return pd.DataFrame(block.T, columns=columns, dtype=object)


def fill_temporary(connection: Connection, name: str, types: Mapping[str, str], frame: pd.DataFrame) -> None:
    """Fill the temporary table ``name`` with the columns of ``types`` from ``frame``; emptied at commit."""
    definition = ", ".join(f"{column} {kind}" for column, kind in types.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({definition}) ON COMMIT DELETE ROWS"))
    # not DELETE: after TRUNCATE PostgreSQL makes new plans, by the size that the table has now
    connection.execute(text(f"TRUNCATE {name}"))
    copy(connection, name, list(types), frame)


def copy(connection: Connection, table: str, columns: Sequence[str], frame: pd.DataFrame) -> None:
    """COPY ``columns`` of ``frame`` into ``table``. Missing values become NULL."""
    if frame.empty:
        return
    _write(connection, table, columns, [list_values(frame[column]) for column in columns])


def _write(connection: Connection, table: str, columns: Sequence[str], values: Sequence[list[object]]) -> None:
    texts = copy_texts(values)
    with _copying(connection, table, columns) as writer:
        if texts is None:
            for row in zip(*values, strict=True):
                writer.write_row(row)
        else:
            for start in range(0, len(texts[0]), _AT_A_TIME):
                rows = zip(*(column[start : start + _AT_A_TIME] for column in texts), strict=True)
                writer.write("\n".join(map("\t".join, rows)) + "\n")


def copy_texts(columns: Sequence[list[Any]]) -> list[list[str]] | None:
    """Each value of ``columns`` as COPY's text format has it; ``None`` when one is of a type that psycopg has to write.

    A column at a time, because most have one type: several times faster than psycopg, which asks of each value what it
    is and how it is written.
    """
    import pandas as pd

    texts: list[list[str]] = []
    for values in columns:
        kinds = {str if issubclass(kind, StrEnum) else kind for kind in set(map(type, values))}
        written: list[str] | None = None
        if kinds <= {str, type(None)}:
            written = _escape(values)
        elif kinds <= {int, float, type(None)}:
            written = (
                list(map(str, values)) if type(None) not in kinds else [_NULL if v is None else str(v) for v in values]
            )
        elif kinds <= {bool, type(None)}:
            written = [_BOOLEANS[value] for value in values]
        elif kinds <= {datetime, pd.Timestamp, type(None)}:  # most are the batch's own moment
            known = {value: str(value) for value in set(values)} | {None: _NULL}
            written = [known[value] for value in values]
        if written is None:
            return None
        texts.append(written)
    return texts


def _escape(values: list[Any]) -> list[str] | None:
    """Texts (or None) with what COPY's text format gives a meaning to escaped; ``None`` for those with a NUL."""
    together = "".join(filter(None, values))
    if "\x00" in together:
        return None
    for character, escape in _ESCAPES:
        if character in together:
            values = [value and value.replace(character, escape) for value in values]
    return [_NULL if value is None else value for value in values]


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """COPY ``rows`` of plain values into ``table``."""
    if values := [list(column) for column in zip(*rows, strict=True)]:
        _write(connection, table, columns, values)


def make_ids(connection: Connection, table: str, count: int) -> list[int]:
    """``count`` fresh ids of ``table``, ascending."""
    statement = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count) ORDER BY 1")
    return [row[0] for row in connection.execute(statement, {"table": table, "count": count})]


def list_values(series: pd.Series) -> list[Any]:
    """The values as Python objects, anything missing as ``None``."""
    import pandas as pd

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
