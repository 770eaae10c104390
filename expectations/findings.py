"""The result of a gate: the rows that pass, the promises that each other row broke, and the evidence.

Belongs here: the shape of a gate's result, and building it from verdicts. Does not belong here: reaching a verdict
(``gate``), or masking: ``value`` and ``detail`` are personal, and the caller decides who sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pandas as pd

from expectations.promises import JUDGE_MISSING, Promise
from leadgate.deadlines import CHECK_TIMED_OUT
from leadgate.json_columns import CheckedPromise
from leadgate.vocabulary import GateName, Severity

#: A value is cut to this many characters where it is shown.
MAX_SHOWN: Final = 200

#: The reasons for holding a whole batch that come from the gate itself and not from a promise.
COLUMN_TWICE, COLUMN_MISSING, ID_MISSING, ID_TWICE, CHECK_FAILED = (
    "column_twice", "column_missing", "id_missing", "id_twice", "check_failed",
)  # fmt: skip
WHOLE_BATCH: Final = (COLUMN_TWICE, COLUMN_MISSING, ID_MISSING, ID_TWICE, CHECK_FAILED, CHECK_TIMED_OUT)


@dataclass(frozen=True)
class BatchProblem:
    """Why the whole batch is held: a promise broke without naming rows, or could not be checked."""

    promise: str | None  # None: the frame itself is unfit
    reason: str
    words: str
    detail: str | None = None  # what Great Expectations said; may quote a value, so personal


@dataclass(frozen=True)
class GateResult:
    """What a gate found. ``passed`` is a mask aligned with the frame: ``frame[result.passed]`` goes on.

    ``failures`` has a row for each journey and broken promise, by the frame's order and then the suite's:
    the key, ``promise``, ``severity``, ``reason``, ``broken`` (what is wrong, in words), ``value`` (text of at
    most 200 characters, or None; personal) and ``detail`` (what the stage found wrong, or None; personal). With
    a ``batch_problem`` nothing passes and there are no failures. ``evidence`` has an entry for each promise:
    ``promise``, ``severity``, ``words`` (what is promised; what is wrong when it is broken), ``checked`` and
    ``failed`` (rows), ``ok``.
    """

    gate: GateName
    passed: pd.Series[bool]
    failures: pd.DataFrame
    batch_problem: BatchProblem | None
    evidence: list[CheckedPromise]
    seconds: float

    @property
    def rows(self) -> int:
        return len(self.passed)

    @cached_property
    def stopped(self) -> pd.DataFrame:
        """For each journey that may not go on, the failure that is its reason: its first critical one."""
        return self.critical.drop_duplicates(self.failures.columns[0]) if len(self.failures) else self.failures

    @cached_property
    def critical(self) -> pd.DataFrame:
        """The failures that stop a journey."""
        return self._select_failures(Severity.CRITICAL)

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """The failures that a journey passes with."""
        return self._select_failures(Severity.WARNING)

    def _select_failures(self, severity: Severity) -> pd.DataFrame:
        """Select without a copy where there are no failures, as in most batches: each stage asks several times."""
        return self.failures[self.failures["severity"] == severity] if len(self.failures) else self.failures


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations said about one promise."""

    ok: bool = True
    positions: Sequence[int] = ()  # of rows that broke the promise; with ``mostly`` it may be kept all the same
    error: str | None = None  # why the promise could not be checked


def find_broken_batch(promises: Sequence[Promise], verdicts: Mapping[str, Verdict]) -> BatchProblem | None:
    """Find the first promise that broke for the batch as a whole, or could not be checked."""
    for promise in promises:
        verdict = verdicts[promise.name]
        if verdict.error is not None:
            words = f"{promise.words}: this could not be checked"
            return BatchProblem(promise.name, CHECK_FAILED, words, verdict.error[:MAX_SHOWN])
        if not verdict.ok and not verdict.positions and promise.severity == Severity.CRITICAL:
            return BatchProblem(promise.name, promise.reason, promise.broken)
    return None


def find_passed(
    frame: pd.DataFrame,
    promises: Sequence[Promise],
    verdicts: Mapping[str, Verdict],
    problem: BatchProblem | None,
) -> pd.Series[bool]:
    """Build a mask aligned with ``frame``: true where a row broke no critical promise; all false with a ``problem``."""
    mask = np.full(len(frame), problem is None)
    for promise in promises:
        verdict = verdicts.get(promise.name, Verdict())
        if promise.severity == Severity.CRITICAL and not verdict.ok:
            mask[list(verdict.positions)] = False
    return pd.Series(mask, index=frame.index)


def list_failures(
    frame: pd.DataFrame, promises: Sequence[Promise], verdicts: Mapping[str, Verdict], key: str
) -> pd.DataFrame:
    """A row for each row of ``frame`` and promise that it broke; see ``GateResult``."""
    found: list[tuple[Any, ...]] = []
    for promise in promises:
        verdict = verdicts.get(promise.name, Verdict())
        if verdict.ok:
            continue
        rows = frame.iloc[list(verdict.positions)]
        shown, explained = _read_texts(rows, promise.shown_column), _read_texts(rows, promise.explained_by)
        same = (promise.name, promise.severity, promise.reason, promise.broken)
        found += [
            (position, identity, *same, value, detail)
            for position, identity, value, detail in zip(verdict.positions, rows[key], shown, explained, strict=True)
        ]
    none = _make_empty_failures(key)
    if not found:
        return none.copy()
    found.sort(key=itemgetter(0))  # stable: within a row the suite's order stays
    table = pd.DataFrame([failure[1:] for failure in found], columns=none.columns, dtype=object)
    return table.astype({key: frame[key].dtype})


@lru_cache(maxsize=8)
def _make_empty_failures(key: str) -> pd.DataFrame:
    """Make the empty table of failures. Cached: most batches break no promise, and a copy is faster to make."""
    return pd.DataFrame([], columns=[key, "promise", "severity", "reason", "broken", "value", "detail"], dtype=object)


def _read_texts(rows: pd.DataFrame, column: str | None) -> list[str | None]:
    if column is None or column not in rows.columns:
        return [None] * len(rows)
    missing = rows[column].isna()
    return [None if absent else str(v)[:MAX_SHOWN] for v, absent in zip(rows[column], missing, strict=True)]


def build_evidence(promise: Promise, verdict: Verdict | None, frame: pd.DataFrame) -> CheckedPromise:
    """Count the rows that were checked and that failed; no value is kept.

    ``verdict`` is None when nothing was checked: there were no rows, or the frame was not fit.
    """
    checked = failed = 0
    if verdict is not None and verdict.error is None:
        columns = list(promise.columns)
        skips_missing = columns and not (
            promise.required or promise.problem_column or promise.expectation in JUDGE_MISSING
        )
        present = [frame[column].notna().to_numpy() for column in columns] if skips_missing else []
        checked = int(np.logical_or.reduce(present).sum()) if present else len(frame)
        failed = len(verdict.positions) or (0 if verdict.ok else len(frame))
    return {
        "promise": promise.name,
        "severity": promise.severity,
        "words": promise.broken if verdict is not None and not verdict.ok else promise.words,
        "checked": checked,
        "failed": failed,
        "ok": verdict.ok if verdict is not None else not len(frame),
    }
