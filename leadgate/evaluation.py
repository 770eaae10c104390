"""Evaluating expressions over a batch within limits of memory and time.

Belongs here: which expressions and rows are evaluated together, and ending an evaluation whose time has passed.
Does not belong here: the questions put to DuckDB and the types of columns (``rules``), how large an expression can
become (``expression_size``).

An expression sees one row at a time, so any grouping of rows and expressions gives the same answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from leadgate.deadlines import DeadlinePassed, seconds_for
from leadgate.expression_size import Amount, measure
from leadgate.expressions import TEXT_SEEN, Expression
from leadgate.fields import FieldType

#: Bytes of text that one question to DuckDB may build.
MEMORY: Final = 128_000_000
#: Of them, for each character that is read: two copies, and time, for DuckDB looks between blocks of rows only
#: whether it was interrupted.
_READ: Final = 32.0
_PLAIN: Final = 64.0  # characters of a value that is no text


class Deadline:
    """The moment at which the evaluation of so many rows is given up."""

    def __init__(self, rows: int) -> None:
        self.seconds = seconds_for(rows)
        self._until = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        return self._until - time.monotonic()


@contextmanager
def interrupted_after(seconds: float, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Whatever ``connection`` does inside is ended after ``seconds``; raises ``DeadlinePassed`` then."""
    if seconds <= 0:
        raise DeadlinePassed("there was no time left")
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise DeadlinePassed(f"DuckDB was interrupted after {seconds:,.1f} s") from error
    finally:
        timer.cancel()
        timer.join()  # else it may be there, with the connection, when the process ends


def groups(expressions: Mapping[str, Expression]) -> Iterator[list[str]]:
    """The names in groups, each of which may be evaluated for a row of any size at once."""
    group: list[str] = []
    columns: frozenset[str] = frozenset()
    built = 0.0
    for name, expression in expressions.items():
        one = float(measure(expression.tree, lambda _: TEXT_SEEN).built)
        reads = _READ * TEXT_SEEN * len(columns | expression.columns)
        if group and built + one + reads > MEMORY:
            yield group
            group, columns, built = [], frozenset(), 0.0
        group.append(name)
        columns |= expression.columns
        built += one
    yield group


def parts(
    expressions: Collection[Expression], frame: pd.DataFrame, types: Mapping[str, FieldType]
) -> Sequence[tuple[int, int]]:
    """The rows of ``frame`` as (first, behind the last), each part of which may be evaluated at once."""
    lengths = {name: _lengths(frame[name]) for name, type_ in types.items() if type_ == "text"}
    rows = len(frame)
    longest = {name: float(length.max()) for name, length in lengths.items()}
    if rows * float(np.max(_bytes(expressions, longest))) <= MEMORY:
        return [(0, rows)]
    needed = np.cumsum(np.broadcast_to(_bytes(expressions, lengths), rows))
    borders = [0]
    while borders[-1] < rows:
        start = borders[-1]
        spent = float(needed[start - 1]) if start else 0.0
        borders.append(max(start + 1, int(np.searchsorted(needed, spent + MEMORY, side="right"))))
    return list(pairwise(borders))


def _bytes(expressions: Collection[Expression], lengths: Mapping[str, Any]) -> Amount:
    """Bytes that evaluating ``expressions`` takes, for texts of these lengths."""
    needed: Amount = _READ * sum(lengths.values(), start=0.0)
    for expression in expressions:
        needed = needed + measure(expression.tree, lambda name: lengths.get(name, _PLAIN)).built
    return needed


def _lengths(series: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = series.to_numpy(dtype=object)
    lengths = (min(len(v), TEXT_SEEN) if isinstance(v, str) else _PLAIN for v in values)
    return np.fromiter(lengths, dtype=np.float64, count=len(values))
