"""``when:`` expressions over a batch's frame.

Belongs here: trying an expression against typed columns, and matching many of them at once.
Does not belong here: which syntax is allowed (``syntax``), or what a match means (``scoring``,
``routing``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from leadgate.deadlines import DeadlinePassed
from leadgate.expressions.evaluation import Deadline, group_expressions, interrupted_after, split_rows
from leadgate.expressions.syntax import (
    CLOCK,
    NO_CLOCK,
    TEXT_SEEN,
    Expression,
    RuleError,
    connect,
    find_number_comparisons,
    is_contradiction,
    parse,
)
from leadgate.fields import FieldType
from leadgate.nearest import propose

__all__ = ["RuleError", "check", "is_always_true", "is_never_true", "match_rows"]

#: Up to so many rows a question is prepared once, and the values are sent with it.
FEW: Final = 12
_MOST_PREPARED: Final = 64
_ROW: Final = '"#"'  # no field of a lead has such a name

_SQL_TYPES: Final[dict[FieldType, str]] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}

# A connection belongs to one thread: DuckDB's are not safe to share, and opening one takes milliseconds.
_local = threading.local()


def check(expression: str, columns: Mapping[str, FieldType]) -> None:
    """Raises ``RuleError`` unless ``expression`` is safe and yields true or false over ``columns``.

    It is parsed, allow-listed, and bound to an empty table with these columns.
    """
    _check(expression, columns)


def is_never_true(expression: str, columns: Mapping[str, FieldType]) -> bool:
    """Whether ``expression`` provably matches no lead. Raises ``RuleError`` like ``check``.

    Sound, not complete: what DuckDB's optimizer, or a comparison of its constants, proves.
    """
    return _is_never_true(expression, tuple(sorted(columns.items())))


def is_always_true(expression: str, columns: Mapping[str, FieldType]) -> bool:
    """Whether ``expression`` provably matches every lead; the counterpart of ``is_never_true``."""
    return _is_always_true(expression, tuple(sorted(columns.items())))


def match_rows(expressions: Mapping[str, str], frame: pd.DataFrame, columns: Mapping[str, FieldType]) -> pd.DataFrame:
    """Which row matches which expression: booleans, one column a name, with the frame's index.

    ``columns`` gives the type of each column an expression may use; the frame holds at least those
    that are used, in whatever dtype: a value that is not of its type counts as missing. Unknown
    (a comparison with a missing value) and an error on a row's value both count as no match.
    Timestamps are compared in UTC. Raises ``RuleError`` for an expression that is not allowed, and
    ``DeadlinePassed``, which names the expression, when they take longer than so many rows may.
    """
    if not expressions or frame.empty:
        return pd.DataFrame(False, index=frame.index, columns=list(expressions), dtype=bool)
    parsed = {name: parse(text) for name, text in expressions.items()}
    used = sorted(set().union(*(expression.columns for expression in parsed.values())))
    for name in used:
        _require_known(name, columns)
    if missing := [name for name in used if name not in frame.columns]:
        raise RuleError(f"the frame has no column {', '.join(missing)}, which an expression uses")
    deadline = Deadline(len(frame))
    found = {name: np.zeros(len(frame), dtype=bool) for name in expressions}
    for group in group_expressions(parsed):
        chosen = {name: parsed[name] for name in group}
        types = {name: columns[name] for name in used if any(name in each.columns for each in chosen.values())}
        for start, end in split_rows(chosen.values(), frame, types):
            rows = frame.iloc[start:end] if end - start < len(frame) else frame
            for name, answers in _evaluate(chosen, rows, types, deadline).items():
                found[name][start:end] = answers
    return pd.DataFrame(found, index=frame.index)


def _evaluate(
    expressions: Mapping[str, Expression], frame: pd.DataFrame, types: Mapping[str, FieldType], deadline: Deadline
) -> dict[str, Any]:
    """The answers of ``expressions`` for rows that fit into memory. Raises ``DeadlinePassed``."""
    asked = _build_query(expressions.values(), types)
    try:
        with interrupted_after(deadline.left, _open_connection("matching")):
            found = _query_few(asked, frame, types) if len(frame) <= FEW else _query_many(asked, frame, types)
    except DeadlinePassed as error:
        _forget_connection()
        slow = _find_slowest(expressions, frame, types, deadline.seconds)
        words = f"the expressions took longer than {deadline.seconds:,.0f} s, most of it {slow}"
        raise DeadlinePassed(words) from error
    except duckdb.Error as error:
        raise RuleError(_format_error(error)) from error
    return {name: np.asarray(found[f"r{position}"], dtype=bool) for position, name in enumerate(expressions)}


def _find_slowest(
    expressions: Mapping[str, Expression], frame: pd.DataFrame, types: Mapping[str, FieldType], seconds: float
) -> str:
    """The expression that takes longest by itself; each has an equal share of ``seconds`` to show."""
    taken: dict[str, float] = {}
    for name, expression in expressions.items() if len(expressions) > 1 else ():
        began = time.monotonic()
        try:
            with interrupted_after(seconds / len(expressions), _open_connection("matching")):
                _query_many(_build_query([expression], types), frame, types)
        except (DeadlinePassed, duckdb.Error):
            _forget_connection()
        taken[name] = time.monotonic() - began
    return max(taken, key=lambda name: taken[name], default=next(iter(expressions)))


def _build_query(expressions: Iterable[Expression], types: Mapping[str, FieldType]) -> str:
    selected = ", ".join(
        f"coalesce(TRY((\n{expression.text}\n)), false) AS r{position}"
        for position, expression in enumerate(expressions)
    )
    typed = ", ".join(f'{_cast(name, type_)} AS "{name}"' for name, type_ in types.items()) or "true"
    return f"SELECT {selected} FROM (SELECT {typed} FROM lead_frame)"


def _forget_connection() -> None:
    """An interruption may reach a connection after what it was meant for."""
    _local.matching, _local.prepared = connect(), {}


def _query_many(asked: str, frame: pd.DataFrame, types: Mapping[str, FieldType]) -> dict[str, Any]:
    """The answers to ``asked``, which reads the columns ``types`` from ``lead_frame``."""
    # a frame without a single column has no rows for DuckDB, so an index goes along
    plain = pd.DataFrame(
        {"row": np.arange(len(frame)), **{name: _convert_column(frame[name], types[name]) for name in types}}
    )
    connection = _open_connection("matching")
    connection.register("lead_frame", plain)
    try:
        found: dict[str, Any] = connection.execute(asked).fetchnumpy()
    finally:
        connection.unregister("lead_frame")
    return found


def _query_few(asked: str, frame: pd.DataFrame, types: Mapping[str, FieldType]) -> dict[str, Any]:
    """The same, of a question that was prepared before: binding it takes longer than answering for a few rows.

    An optimisation: for one row it takes two thirds of the CPU time of ``_query_many``, 5 ms less for each question of
    a batch, and hardly less for ``FEW`` rows (``make bench-optimisations``).
    """
    connection = _open_connection("matching")
    prepared: dict[str, str] = getattr(_local, "prepared", {})
    if (name := prepared.get(asked)) is None:
        if len(prepared) >= _MOST_PREPARED:  # a process that outlives many playbooks
            _forget_connection()
            return _query_many(asked, frame, types)
        name = f"asked_{len(prepared)}"
        declared = [f"{_ROW} BIGINT"]
        declared += [
            f'"{column}" {"TIMESTAMP" if type_ == "timestamp" else "VARCHAR"}' for column, type_ in types.items()
        ]
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({', '.join(declared)})")
        one_after_the_other = asked.replace("FROM lead_frame)", f"FROM {name} ORDER BY {_ROW})")
        connection.execute(f"PREPARE {name} AS {one_after_the_other}")
        _local.prepared = prepared | {asked: name}
    cells = [range(len(frame)), *(_list_cells(frame[column], type_) for column, type_ in types.items())]
    rows = list(zip(*cells, strict=True))
    row = f"({', '.join('?' * len(cells))})"
    connection.execute(f"TRUNCATE {name}")
    connection.execute(f"INSERT INTO {name} VALUES {', '.join([row] * len(rows))}", list(chain.from_iterable(rows)))
    found: dict[str, Any] = connection.execute(f"EXECUTE {name}").fetchnumpy()
    return found


def _list_cells(series: pd.Series[Any], type_: FieldType) -> list[Any]:
    """The values as ``_convert_column`` gives them, one by one: text, or moments in UTC; missing ones None."""
    values = (_convert_column(series, type_) if type_ == "timestamp" else series).to_numpy(dtype=object)
    missing = pd.isna(values)
    if type_ == "timestamp":
        return [None if gone else pd.Timestamp(value) for value, gone in zip(values, missing, strict=True)]
    return [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]


# a playbook is checked whenever a command starts work, and most of its expressions were proved before


@lru_cache(maxsize=4096)
def _is_never_true(expression: str, shape: tuple[tuple[str, FieldType], ...]) -> bool:
    connection = _check(expression, dict(shape))
    return is_contradiction(parse(expression)) or _is_empty(connection, f"(\n{expression}\n)")


@lru_cache(maxsize=4096)
def _is_always_true(expression: str, shape: tuple[tuple[str, FieldType], ...]) -> bool:
    connection = _check(expression, dict(shape))
    return _is_empty(connection, f"NOT coalesce((\n{expression}\n), false)")


def _check(text: str, columns: Mapping[str, FieldType]) -> duckdb.DuckDBPyConnection:
    """Judges ``text`` and leaves an empty table ``lead`` with ``columns`` on the returned connection."""
    expression = parse(text)
    for name in sorted(expression.columns):
        _require_known(name, columns)
    for comparison in find_number_comparisons(expression):
        if columns[comparison.column] == "text":
            raise RuleError(
                f"{comparison.column} is text and is compared with a number (at {comparison.where!r}); write "
                f"try_cast({comparison.column} as double), or put the number in single quotes"
            )
    connection = _prepare_table(columns)
    try:
        # over one lead of which nothing is known, so that a constant that cannot be computed shows
        row = connection.execute(
            f"SELECT typeof((\n{text}\n)), (\n{text}\n) FROM lead RIGHT JOIN (SELECT 1) ON true"
        ).fetchone()
    except duckdb.Error as error:
        raise RuleError(_format_error(error)) from error
    kind = row[0] if row else "nothing"
    if kind != "BOOLEAN":
        raise RuleError(f"the expression gives {kind}, not true or false; compare it with something")
    return connection


def _require_known(name: str, columns: Mapping[str, FieldType]) -> None:
    if name in columns:
        return
    if name in CLOCK:
        raise RuleError(f"{name} is not allowed: {NO_CLOCK}")
    raise RuleError(f"unknown column {name!r}; {propose(name, columns)}")


def _prepare_table(columns: Mapping[str, FieldType]) -> duckdb.DuckDBPyConnection:
    connection = _open_connection("checking")
    shape = tuple(sorted(columns.items()))
    if getattr(_local, "shape", None) != shape:
        declared = ", ".join(f'"{name}" {_SQL_TYPES[type_]}' for name, type_ in shape) or "none BOOLEAN"
        connection.execute(f"CREATE OR REPLACE TABLE lead ({declared})")
        _local.shape = shape
    return connection


def _open_connection(use: str) -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection | None = getattr(_local, use, None)
    if connection is None:
        # statistics of the empty table would prove that no condition on it ever holds
        settings = ("disabled_optimizers='statistics_propagation'",) if use == "checking" else ()
        connection = connect(*settings)
        setattr(_local, use, connection)
    return connection


def _is_empty(connection: duckdb.DuckDBPyConnection, condition: str) -> bool:
    """Whether the optimizer proves that no row of ``lead`` ever meets ``condition``."""
    try:
        plan = connection.execute(f"EXPLAIN SELECT 1 FROM lead WHERE {condition}").fetchall()[0][1]
    except duckdb.Error as error:  # a constant part that cannot be computed, such as cast('x' as integer)
        raise RuleError(_format_error(error)) from error
    return "empty" in plan.casefold()


def _cast(name: str, type_: FieldType) -> str:
    if type_ == "text":
        return f'left("{name}", {TEXT_SEEN})'
    return f'TRY_CAST("{name}" AS {_SQL_TYPES[type_]})'


def _convert_column(series: pd.Series[Any], type_: FieldType) -> pd.Series[Any]:
    """The series in a dtype that DuckDB reads without guessing: object columns travel as text.

    DuckDB guesses an object column's type from a sample, which fails on mixed values and on None alone.
    """
    if type_ == "timestamp":
        moments = pd.to_datetime(series, utc=True, errors="coerce", format="ISO8601")
        return moments.dt.tz_localize(None)
    if type_ == "text" or series.dtype == object:
        return series.astype("str")
    return series


def _format_error(error: duckdb.Error) -> str:
    line = str(error).splitlines()[0]
    return line.split(" Error: ", 1)[-1]
