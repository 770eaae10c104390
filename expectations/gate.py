"""The gate: checks a decided frame against a suite of promises, and tells the rows that passed from those that failed.

Belongs here: which questions Great Expectations is asked, and in what order. It is imported when the first gate runs
(that takes seconds; ``preload`` does it early), and every thread has suites of its own.
Does not belong here: calling Great Expectations (``prepared``), the promises (one suite a file), the columns that it
sees (``view``), the results for rows and batches (``findings``), or the handling of a failed row (``tasks``).

A gate fails closed: a promise that cannot be checked, or not in time, holds the batch, whatever its severity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from expectations import PROMISES, PROMISES_OF, matching
from expectations.findings import (
    CHECK_FAILED,
    MAX_SHOWN,
    BatchProblem,
    GateResult,
    Verdict,
    build_evidence,
    find_broken_batch,
    find_passed,
    list_failures,
)
from expectations.promises import Promise, build_promise
from expectations.view import build_view, find_batch_problem
from leadgate.deadlines import CHECK_TIMED_OUT, compute_seconds
from leadgate.playbook import GateRules, Playbook
from leadgate.playbook.check.added_expectations import check_expectation
from leadgate.vocabulary import GateName, JourneyKind

if TYPE_CHECKING:
    from expectations.prepared import PreparedSuite

__all__ = [
    "BatchProblem",
    "GateResult",
    "RefusedExpectationError",
    "build_timed_out_result",
    "list_promises",
    "preload",
    "run",
]

#: A verdict without row positions takes half the time, and most promises are kept.
_VERDICT_ONLY: Final[dict[str, Any]] = {"result_format": "BOOLEAN_ONLY"}

#: Failing rows by their positions: with ``unexpected_index_column_names`` Great Expectations looks up every failing
#: row separately, which takes most of the time of a large batch. No values: they are personal.
_ROW_POSITIONS: Final[dict[str, Any]] = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


class RefusedExpectationError(ValueError):
    """The playbook adds an expectation, or a severity, that gates do not allow."""


def run(
    name: GateName,
    frame: pd.DataFrame,
    *,
    playbook: Playbook | None,
    key: str = "journey_id",
    seconds: float | None = None,
) -> GateResult:
    """Check ``frame``, one row a journey, against the suite ``name`` and the playbook's additions to it.

    ``key`` names the column of row ids. ``seconds`` limits the matching of patterns (by default to what
    ``leadgate.deadlines`` allows for so many rows); after that the batch has the problem ``check_timed_out``. Raises
    ``RefusedExpectationError`` when the playbook's additions are not allowed, and nothing else: an error in Great
    Expectations becomes a ``batch_problem``.
    """
    started = time.perf_counter()
    deadline = time.monotonic() + (compute_seconds(len(frame)) if seconds is None else seconds)
    promises = list_promises(name, playbook)
    verdicts: dict[str, Verdict] = {}
    problem: BatchProblem | None = None
    if len(frame):
        try:
            problem = find_batch_problem(frame, promises, key)
            if problem is None:
                verdicts = _judge(promises, build_view(frame, promises), deadline)
                problem = find_broken_batch(promises, verdicts)
        except Exception as error:  # any error: some rows were not judged, so all of them are held
            words = "The batch could not be checked"
            problem = BatchProblem(None, CHECK_FAILED, words, repr(error)[:MAX_SHOWN])
    if problem is not None and problem.reason == CHECK_FAILED and time.monotonic() > deadline:
        problem = replace(problem, reason=CHECK_TIMED_OUT)
    return GateResult(
        gate=name,
        passed=find_passed(frame, promises, verdicts, problem),
        failures=list_failures(frame, promises if problem is None else (), verdicts, key),
        batch_problem=problem,
        evidence=[build_evidence(promise, verdicts.get(promise.name), frame) for promise in promises],
        seconds=time.perf_counter() - started,
    )


def build_timed_out_result(
    name: GateName, frame: pd.DataFrame, *, playbook: Playbook | None, seconds: float
) -> GateResult:
    """The result when the gate itself gave none within ``seconds``: every row is held, as after any failed check."""
    promises = list_promises(name, playbook)
    words = "The batch could not be checked in time"
    problem = BatchProblem(None, CHECK_TIMED_OUT, words, f"the gate gave no answer in {seconds:,.0f} s")
    return GateResult(
        gate=name,
        passed=find_passed(frame, promises, {}, problem),
        failures=list_failures(frame, (), {}, "journey_id"),
        batch_problem=problem,
        evidence=[build_evidence(promise, None, frame) for promise in promises],
        seconds=seconds,
    )


def preload(playbook: Playbook | None = None) -> None:
    """Import Great Expectations and run every suite once, so that this thread's first gates are fast."""
    for name in PROMISES:
        columns = {column: [None] for promise in list_promises(name, playbook) for column in promise.columns}
        run(name, pd.DataFrame(columns).assign(journey_id=0), playbook=playbook)


def list_promises(name: GateName, playbook: Playbook | None) -> tuple[Promise, ...]:
    """The promises of a gate with the playbook's severities and additions; of two broken ones, the first is the reason.

    Raises ``RefusedExpectationError``. `leadgate playbook check` finds the same problems with file and line, but an
    unchecked playbook must not reach Great Expectations either (a ``row_condition`` can run any code).
    """
    rules = playbook.gates.get(name, GateRules()) if playbook else GateRules()
    suites = PROMISES_OF[playbook.kind if playbook else JourneyKind.LEAD]
    promises = [*suites[name], *(build_promise(expect) for expect in rules.expect)]
    names = [promise.name for promise in promises]
    duplicates = {duplicate for duplicate in names if names.count(duplicate) > 1}
    if duplicates:
        raise RefusedExpectationError(f"gate {name}: two promises are called {min(duplicates)!r}; rename one of them")
    unknown = set(rules.severity) - set(names)
    if unknown:
        known = ", ".join(names)
        raise RefusedExpectationError(f"gate {name} has no promise {min(unknown)!r}; its promises are {known}")
    for expect in rules.expect:
        problem = next(check_expectation(expect, _collect_texts(expect.arguments)), None)
        if problem is not None:
            raise RefusedExpectationError(f"gate {name}, promise {expect.name!r}: {problem[1]}")
    return tuple(replace(p, severity=rules.severity.get(p.name, p.severity)) for p in promises)


def _collect_texts(arguments: dict[str, Any]) -> set[str]:
    """Every text in the arguments, as the known columns of ``check_expectation``: a column that is missing from the
    frame is found later, as a problem of the batch."""
    values = [item for value in arguments.values() for item in (value if isinstance(value, list) else [value])]
    return {value for value in values if isinstance(value, str)}


# -- Great Expectations ----------------------------------------------------------------------------------

_this_thread = threading.local()
_import_lock = threading.Lock()  # for the import of Great Expectations, and for registering our expectations


def _prepare_suite(promises: Sequence[Promise]) -> PreparedSuite:
    """This thread's suite of ``promises``, built at the first use; the key holds every field of every promise."""
    suites: dict[str, PreparedSuite] | None = getattr(_this_thread, "suites", None)
    if suites is None:
        suites = _this_thread.suites = {}
    key = repr(promises)
    if key not in suites:
        if len(suites) >= 64:  # a process that outlives many playbooks
            suites.clear()
        with _import_lock:
            from expectations.prepared import PreparedSuite

            suites[key] = PreparedSuite(promises)
    return suites[key]


def _judge(promises: Sequence[Promise], view: pd.DataFrame, deadline: float) -> dict[str, Verdict]:
    """Ask Great Expectations which promises are kept, then which rows break the others."""
    suite = _prepare_suite(promises)
    matching.current_gate.deadline = deadline
    verdicts = [_read_verdict(answer) for answer in suite.ask(view, _VERDICT_ONLY)]
    broken = [
        number
        for number, (promise, verdict) in enumerate(zip(promises, verdicts, strict=True))
        if verdict.error is None and (not verdict.ok or "mostly" in promise.arguments)
    ]
    if broken:
        for number, answer in zip(broken, suite.ask(view, _ROW_POSITIONS, broken), strict=True):
            verdicts[number] = _read_verdict(answer)
    return {promise.name: verdict for promise, verdict in zip(promises, verdicts, strict=True)}


def _read_verdict(answer: Any) -> Verdict:
    error = _find_error(answer.exception_info or {})
    if error is not None:
        return Verdict(ok=False, error=error)
    rows = (answer.result or {}).get("unexpected_index_list") or ()
    return Verdict(ok=bool(answer.success), positions=rows)


def _find_error(info: dict[str, Any]) -> str | None:
    """The message of an exception: at the top, or nested under the metric that raised it."""
    for part in (info, *(value for value in info.values() if isinstance(value, dict))):
        if part.get("raised_exception"):
            return str(part.get("exception_message"))
    return None
