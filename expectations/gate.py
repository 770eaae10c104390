"""The gate: runs a suite over a decided frame and splits the rows.

Belongs here: everything that touches Great Expectations. It is imported when the first gate runs (that
takes seconds; ``preload`` does it early), and every thread has a context of its own, because a shared one
returns wrong results without an error.
Does not belong here: what is promised (one suite a file), what of a frame is looked at (``view``), what
follows from the verdicts (``findings``), and what happens to a row that fails (``tasks``).

A gate fails closed. A promise that could not be checked, or not in time, holds the batch, whatever its severity.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import pandas as pd

from expectations import PROMISES, matching
from expectations.findings import (
    CHECK_FAILED,
    SHOWN,
    BatchProblem,
    GateResult,
    Verdict,
    batch_problem,
    evidence,
    failures,
    passed,
)
from expectations.promises import Promise, from_playbook
from expectations.view import own_column, unfit, view
from leadgate.deadlines import CHECK_TIMED_OUT, seconds_for
from leadgate.playbook import Gate, GateRules, Playbook
from leadgate.playbook.check.added_expectations import wrong_with

__all__ = ["BatchProblem", "GateResult", "RefusedExpectation", "give_up", "preload", "promises_of", "run"]

#: The answer to "did it hold?" alone takes half the time of naming the rows, and most promises hold.
_HELD: Final[dict[str, Any]] = {"result_format": "BOOLEAN_ONLY"}

#: Rows are named by their position: with ``unexpected_index_column_names`` Great Expectations looks up
#: every failing row by itself, which is most of the time of a large batch. No values: they are personal.
_ROWS: Final[dict[str, Any]] = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


class RefusedExpectation(ValueError):  # noqa: N818 - the design's word for it
    """The playbook asks a gate for something that gates do not do."""


def run(
    name: Gate,
    frame: pd.DataFrame,
    *,
    playbook: Playbook | None,
    key: str = "journey_id",
    seconds: float | None = None,
) -> GateResult:
    """Check ``frame``, one row a journey, against the suite ``name`` and the playbook's additions to it.

    ``key`` names the column of row ids. ``seconds`` is how long patterns may be matched (by default, what
    ``leadgate.deadlines`` gives so many rows); then the batch has the problem ``check_timed_out``. Raises
    ``RefusedExpectation`` when the playbook's additions are not allowed, and nothing else: what goes wrong in
    Great Expectations is a ``batch_problem``.
    """
    started = time.perf_counter()
    until = time.monotonic() + (seconds_for(len(frame)) if seconds is None else seconds)
    promises = promises_of(name, playbook)
    verdicts: dict[str, Verdict] = {}
    problem: BatchProblem | None = None
    if len(frame):
        try:
            problem = unfit(frame, promises, key)
            if problem is None:
                verdicts = _judge(promises, view(frame, promises), until)
                problem = batch_problem(promises, verdicts)
        except Exception as error:  # whatever it was, not every row was judged: hold them all
            words = "The batch could not be checked"
            problem = BatchProblem(None, CHECK_FAILED, words, repr(error)[:SHOWN])
    if problem is not None and problem.reason == CHECK_FAILED and time.monotonic() > until:
        problem = replace(problem, reason=CHECK_TIMED_OUT)
    return GateResult(
        gate=name,
        passed=passed(frame, promises, verdicts, problem),
        failures=failures(frame, promises if problem is None else (), verdicts, key),
        batch_problem=problem,
        evidence=[evidence(promise, verdicts.get(promise.name), frame) for promise in promises],
        seconds=time.perf_counter() - started,
    )


def give_up(name: Gate, frame: pd.DataFrame, *, playbook: Playbook | None, seconds: float) -> GateResult:
    """The result of a gate that gave none in ``seconds``: every row is held, as with any check that fails."""
    promises = promises_of(name, playbook)
    words = "The batch could not be checked in time"
    problem = BatchProblem(None, CHECK_TIMED_OUT, words, f"the gate gave no answer in {seconds:,.0f} s")
    return GateResult(
        gate=name,
        passed=passed(frame, promises, {}, problem),
        failures=failures(frame, (), {}, "journey_id"),
        batch_problem=problem,
        evidence=[evidence(promise, None, frame) for promise in promises],
        seconds=seconds,
    )


def preload(playbook: Playbook | None = None) -> None:
    """Import Great Expectations and run every suite once, so that this thread's first gates are fast."""
    for name in PROMISES:
        columns = {column: [None] for promise in promises_of(name, playbook) for column in promise.columns}
        run(name, pd.DataFrame(columns).assign(journey_id=0), playbook=playbook)


def promises_of(name: Gate, playbook: Playbook | None) -> tuple[Promise, ...]:
    """The promises of a gate with the playbook's severities and additions, in the order of reasons.

    Raises ``RefusedExpectation``: the playbook's check says the same with file and line, but a playbook
    that went past it must not reach Great Expectations either (a ``row_condition`` can run any code).
    """
    rules = playbook.gates.get(name, GateRules()) if playbook else GateRules()
    promises = [*PROMISES[name], *(from_playbook(expect) for expect in rules.expect)]
    names = [promise.name for promise in promises]
    twice = {own for own in names if names.count(own) > 1}
    if twice:
        raise RefusedExpectation(f"gate {name}: two promises are called {min(twice)!r}; rename one of them")
    unknown = set(rules.severity) - set(names)
    if unknown:
        known = ", ".join(names)
        raise RefusedExpectation(f"gate {name} has no promise {min(unknown)!r}; its promises are {known}")
    for expect in rules.expect:
        refused = next(wrong_with(expect, _texts_in(expect.arguments)), None)
        if refused is not None:
            raise RefusedExpectation(f"gate {name}, promise {expect.name!r}: {refused[1]}")
    return tuple(replace(p, severity=rules.severity.get(p.name, p.severity)) for p in promises)


def _texts_in(arguments: dict[str, Any]) -> set[str]:
    """Every text in the arguments: here any column will do, a missing one is the batch's problem."""
    values = [item for value in arguments.values() for item in (value if isinstance(value, list) else [value])]
    return {value for value in values if isinstance(value, str)}


# -- Great Expectations ----------------------------------------------------------------------------------


@dataclass
class _Bench:
    """One thread's own context. Suites are kept by their promises, which name every argument."""

    batches: Any  # the batch definition
    suites: dict[str, list[Any]] = field(default_factory=dict)


_this_thread = threading.local()
_one_at_a_time = threading.Lock()  # importing, and making a context, which sets the process's project


def _bench() -> _Bench:
    bench: _Bench | None = getattr(_this_thread, "bench", None)
    if bench is None:
        with _one_at_a_time:
            os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read on import
            import great_expectations as gx

            # it tells of every temporary folder that a context makes, and sets its own level on import
            logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
            context = gx.get_context(mode="ephemeral")
            context.variables.progress_bars = {"globally": False}
            asset = context.data_sources.add_pandas("leadgate").add_dataframe_asset("handoff")
            bench = _Bench(asset.add_batch_definition_whole_dataframe("batch"))
        _this_thread.bench = bench
    return bench


def _expectations(promises: Sequence[Promise]) -> list[Any]:
    """The promises as this thread's expectations, in order; built once for each gate and playbook."""
    bench = _bench()
    key = repr(promises)
    if key not in bench.suites:
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        if len(bench.suites) >= 64:  # a process that outlives many playbooks
            bench.suites.clear()
        bench.suites[key] = [
            ExpectationConfiguration(
                type=_remembering(promise.expectation),
                kwargs={**promise.arguments, **({"column": own} if (own := own_column(promise)) else {})},
                meta={"promise": promise.name},
                severity=promise.severity,
            ).to_domain_obj()
            for promise in promises
        ]
    return bench.suites[key]


@cache
def _remembering(expectation: str) -> str:
    """The name of an expectation that does what ``expectation`` does, and makes its configuration once.

    Great Expectations asks an expectation for its configuration some eighty times a validation, and makes it
    anew each time: that is half the time of a gate. Ours never change once they are made.
    """
    from great_expectations.expectations.registry import get_expectation_impl
    from pydantic.v1 import PrivateAttr

    kind: Any = matching.linear(expectation) or get_expectation_impl(expectation)

    def configuration(self: Any) -> Any:
        if self._made is None:
            self._made = kind.configuration.fget(self)
        return self._made

    name = f"Remembering{kind.__name__}"
    body = {"__module__": __name__, "_made": PrivateAttr(None), "configuration": property(configuration)}
    remembering = type(kind)(name, (kind,), body)  # being made, it is registered
    return str(remembering.expectation_type)


def _judge(promises: Sequence[Promise], view: pd.DataFrame, until: float) -> dict[str, Verdict]:
    """Ask Great Expectations: first which promises held, then which rows broke the others."""
    expectations = _expectations(promises)
    matching.this_gate.until = until
    batch = _bench().batches.get_batch(batch_parameters={"dataframe": view})
    from great_expectations import ExpectationSuite

    def ask(which: list[Any], detail: dict[str, Any]) -> dict[str, Verdict]:
        suite = ExpectationSuite(name="handoff", expectations=which)
        answers = batch.validate(suite, result_format=dict(detail)).results  # it changes what it is given
        return {answer.expectation_config.meta["promise"]: _verdict(answer) for answer in answers}

    def rows_wanted(promise: Promise, verdict: Verdict) -> bool:
        return verdict.error is None and (not verdict.ok or "mostly" in promise.arguments)

    unanswered = Verdict(ok=False, error="no answer")
    first = ask(expectations, _HELD)
    verdicts = {promise.name: first.get(promise.name, unanswered) for promise in promises}
    broken = [
        expectation
        for promise, expectation in zip(promises, expectations, strict=True)
        if rows_wanted(promise, verdicts[promise.name])
    ]
    return verdicts | ask(broken, _ROWS) if broken else verdicts


def _verdict(answer: Any) -> Verdict:
    error = _error(answer.exception_info or {})
    if error is not None:
        return Verdict(ok=False, error=error)
    rows = (answer.result or {}).get("unexpected_index_list") or ()
    return Verdict(ok=bool(answer.success), positions=rows)


def _error(info: dict[str, Any]) -> str | None:
    """The message of an exception: at the top, or nested under the metric that raised it."""
    for part in (info, *(value for value in info.values() if isinstance(value, dict))):
        if part.get("raised_exception"):
            return str(part.get("exception_message"))
    return None
