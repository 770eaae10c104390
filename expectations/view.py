"""The view of a frame that Great Expectations checks: only the columns that promises need, prepared for them.

Belongs here: refusing a frame that cannot be checked, and preparing columns, so that a missing value, a known problem
or a very long value is judged as the promise means it. Does not belong here: judging (``gate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from expectations.findings import COLUMN_MISSING, COLUMN_TWICE, ID_MISSING, ID_TWICE, BatchProblem
from expectations.promises import JUDGE_MISSING, PATTERNS, Promise

#: Patterns look at no more than this many characters of a value, so that a whole batch is matched in time.
MAX_MATCHED: Final = 1_000

#: Stands for a value that is missing or known to be wrong. It is in no set of values, and no pattern matches it.
_REFUSED: Final = "\x00refused"


def find_batch_problem(frame: pd.DataFrame, promises: Sequence[Promise], key: str) -> BatchProblem | None:
    """Find why the frame cannot be checked at all, such as a missing column; None when it can."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        return BatchProblem(None, COLUMN_TWICE, f"The batch has the column {twice} more than once")
    if key not in frame.columns:
        return BatchProblem(None, COLUMN_MISSING, f"The batch has no column {key}")
    if frame[key].isna().any():
        count = int(frame[key].isna().sum())
        return BatchProblem(None, ID_MISSING, f"{count} of {len(frame)} rows have no {key}")
    if frame[key].duplicated().any():
        twice = frame.loc[frame[key].duplicated(), key].iloc[0]
        return BatchProblem(None, ID_TWICE, f"{key} {twice} is in the batch more than once")
    for promise in promises:
        missing = [column for column in promise.columns if column not in frame.columns]
        if missing:
            words = f"{promise.words}: the batch has no column {missing[0]}"
            return BatchProblem(promise.name, COLUMN_MISSING, words)
    return None


def build_view(frame: pd.DataFrame, promises: Sequence[Promise]) -> pd.DataFrame:
    """The columns that the promises look at, prepared, and indexed by position.

    Great Expectations fingerprints every column it is given, twice a run, and strings are slow to hash:
    the view has no column that no promise needs, and no strings where a promise only asks whether a value is present.
    """
    plain = frame.reset_index(drop=True)
    columns: dict[str, pd.Series[Any]] = {}
    for promise in promises:
        own = name_own_column(promise)
        if own is not None:
            columns[own] = _prepare_values(plain, promise)
        elif "column_A" in promise.arguments:
            a, b = promise.arguments["column_A"], promise.arguments["column_B"]
            columns[a], columns[b] = _make_comparable(plain[a], plain[b])
        else:
            columns = {column: plain[column] for column in promise.columns} | columns
    return pd.DataFrame(columns, index=plain.index)


def name_own_column(promise: Promise) -> str | None:
    """Name the prepared column that only this promise checks; None when it checks the frame's own."""
    if promise.expectation in (*PATTERNS, *JUDGE_MISSING) or promise.problem_column or promise.required:
        return f"{promise.arguments['column']} for {promise.name}"
    return None


def _prepare_values(frame: pd.DataFrame, promise: Promise) -> pd.Series[Any]:
    """Build the column that a promise checks in place of the frame's. Values known to break it become ``_REFUSED``."""
    values: pd.Series[Any] = frame[promise.arguments["column"]]
    if promise.expectation in JUDGE_MISSING:
        return pd.Series(np.where(values.isna(), np.nan, 1.0), index=values.index)
    if promise.expectation in PATTERNS:
        cut = [v[:MAX_MATCHED] if isinstance(v, str) else v for v in values.to_numpy(dtype=object)]
        values = pd.Series(cut, index=values.index, dtype=object)
    refused = values.isna() if promise.required else pd.Series(data=False, index=values.index)
    if promise.problem_column:
        refused |= frame[promise.problem_column].notna()
    return values.astype(object).mask(refused, _REFUSED) if refused.any() else values


def _make_comparable(a: pd.Series[Any], b: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Two columns with types that can be compared.

    A batch in which every row lacks the value has a column of None: comparing it would be an error that
    holds the batch, where each row should get its own reason. Times that both have a zone are given in
    UTC without one, which Great Expectations can list without losing it.
    """
    a, b = a.infer_objects(), b.infer_objects()
    if a.isna().all():
        a = b.iloc[:0].reindex(a.index)
    elif b.isna().all():
        b = a.iloc[:0].reindex(b.index)
    if isinstance(a.dtype, pd.DatetimeTZDtype) and isinstance(b.dtype, pd.DatetimeTZDtype):
        return a.dt.tz_convert(None), b.dt.tz_convert(None)
    return a, b
