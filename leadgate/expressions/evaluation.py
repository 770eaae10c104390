"""Evaluating expressions over a batch within limits of memory and time.

Belongs here: which expressions and rows are evaluated together, and ending an evaluation whose time has passed.
Does not belong here: the questions put to DuckDB and the types of columns (``rules``), how large an expression can
become (``size``).

An expression sees one row at a time, so any grouping of rows and expressions gives the same answers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from leadgate.deadlines import DeadlinePassed, compute_seconds
from leadgate.expressions.size import Amount, Size, measure
from leadgate.expressions.syntax import TEXT_SEEN, Expression, parse
from leadgate.fields import FieldType

#: Bytes that evaluating one block of rows may take. DuckDB evaluates a block after the other, keeps what it builds
#: until the next, and looks between them whether it was interrupted.
MEMORY: Final = 128_000_000
BLOCK: Final = 2_048
_READ: Final = 8.0  # of them, for each character that is read: two copies
_MATCHED: Final = 32.0  # ... and that a regular expression looks at: no memory but time, of which it takes most
_PLAIN: Final = 64.0  # characters of a value that is no text


_Texts = np.ndarray[Any, np.dtype[np.object_]]


class Deadline:
    """The moment at which the evaluation of so many rows is given up."""

    def __init__(self, rows: int) -> None:
        self.seconds = compute_seconds(rows)
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


def group_expressions(expressions: Mapping[str, Expression]) -> Iterator[list[str]]:
    """The names in groups, each of which may be evaluated for a row of any size at once."""
    if _estimate_most(expressions.values()) <= MEMORY:  # as any ordinary playbook's
        yield list(expressions)
        return
    group: dict[str, Expression] = {}
    for name, expression in expressions.items():
        if group and _estimate_most([*group.values(), expression]) > MEMORY:
            yield list(group)
            group = {}
        group[name] = expression
    yield list(group)


def split_rows(
    expressions: Collection[Expression], frame: pd.DataFrame, types: Mapping[str, FieldType]
) -> Iterator[tuple[int, int]]:
    """The rows of ``frame`` as (first, behind the last), each part of which may be evaluated at once.

    Whole blocks go together, however many; one that takes too much is divided.
    """
    rows = len(frame)
    at_once = min(rows, BLOCK)
    texts = {name: frame[name].to_numpy(dtype=object) for name, type_ in types.items() if type_ == "text"}
    if at_once * _estimate_most(expressions) <= MEMORY or at_once * _estimate_longest(expressions, texts) <= MEMORY:
        yield 0, rows
        return
    spent = np.cumsum(_estimate_each(expressions, texts, rows))
    begun = 0
    for start in range(0, rows, BLOCK):
        end = min(start + BLOCK, rows)
        before = float(spent[start - 1]) if start else 0.0
        if float(spent[end - 1]) - before <= MEMORY:
            continue
        if begun < start:
            yield begun, start
        while start < end:
            before = float(spent[start - 1]) if start else 0.0
            until = min(end, max(start + 1, int(np.searchsorted(spent, before + MEMORY, side="right"))))
            yield start, until
            start = until
        begun = end
    if begun < rows:
        yield begun, rows


def _estimate_most(expressions: Collection[Expression]) -> float:
    """Bytes that evaluating ``expressions`` takes for one row, whatever it holds."""
    columns: frozenset[str] = frozenset().union(*(expression.columns for expression in expressions))
    return _estimate_one(expressions, dict.fromkeys(columns, float(TEXT_SEEN)))


def _estimate_longest(expressions: Collection[Expression], texts: Mapping[str, _Texts]) -> float:
    """... for one row that has the longest text of each column."""
    try:
        longest = {name: max(map(len, filter(None, values)), default=0) for name, values in texts.items()}
    except TypeError:  # not only texts: each is looked at
        return math.inf
    # up to a power of two, so that what was measured once serves most batches
    rounded = {name: float(min(max(16, 1 << (length - 1).bit_length()), TEXT_SEEN)) for name, length in longest.items()}
    return _estimate_one(expressions, rounded)


def _estimate_one(expressions: Collection[Expression], lengths: Mapping[str, float]) -> float:
    """... for one row with texts of these lengths."""
    each = (
        _estimate_expression(
            expression.text, tuple((name, lengths.get(name, _PLAIN)) for name in sorted(expression.columns))
        )
        for expression in expressions
    )
    return _READ * sum(lengths.values()) + sum(each)


@lru_cache(maxsize=4096)
def _estimate_expression(expression: str, lengths: tuple[tuple[str, float], ...]) -> float:
    known = dict(lengths)
    return float(_compute_bytes(measure(parse(expression).tree, lambda name: known[name])))


def _estimate_each(expressions: Collection[Expression], texts: Mapping[str, _Texts], rows: int) -> Amount:
    """... for each row."""
    lengths = {name: _measure_lengths(values) for name, values in texts.items()}
    needed: Amount = _READ * sum(lengths.values(), start=np.zeros(rows))
    for expression in expressions:
        needed = needed + _compute_bytes(measure(expression.tree, lambda name: lengths.get(name, _PLAIN)))
    return needed


def _compute_bytes(size: Size) -> Amount:
    return size.built + _MATCHED * size.matched


def _measure_lengths(values: _Texts) -> np.ndarray[Any, np.dtype[np.float64]]:
    lengths = np.zeros(len(values))
    given = ~pd.isna(values)
    each = (len(value) if isinstance(value, str) else _PLAIN for value in values[given])
    lengths[given] = np.fromiter(each, dtype=np.float64, count=int(given.sum()))
    return np.minimum(lengths, TEXT_SEEN)
