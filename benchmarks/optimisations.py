"""What each optimisation gains over the plain way that it replaces: CPU time of both in one process, as a ratio.

- A gate's suite that is planned once (``expectations.prepared``), beside a plain validation by Great Expectations; and
  its expectations that remember their configuration, beside Great Expectations' own.
- A question to DuckDB that is prepared once (``leadgate.expressions.rules``), beside one that is bound anew.

Both ways take turns, so that a busy machine slows both. Needs no ledger and no Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from expectations import PROMISES, gate, prepared
from expectations.prepared import PreparedSuite
from expectations.view import build_view
from leadgate import playbook as playbooks
from leadgate.expressions import rules
from leadgate.expressions.syntax import parse
from leadgate.scoring.points import list_scoring_columns
from leadgate.vocabulary import GateName

TURNS = 15
ROWS = (1, 12)


def compare(plain: Callable[[], Any], faster: Callable[[], Any]) -> tuple[float, float]:
    """CPU seconds of one call of each, at best."""
    taken: dict[Callable[[], Any], list[float]] = {plain: [], faster: []}
    for _ in range(TURNS):
        for call, times in taken.items():
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
    return min(taken[plain]), min(taken[faster])


def tell(what: str, plain: float, faster: float) -> None:
    print(f"{what:60} {plain * 1e3:8.2f} ms {faster * 1e3:8.2f} ms  {plain / faster:5.1f} times")


def compare_gates() -> None:
    """All gates of a batch, with what they ask of every row."""
    for rows in ROWS:
        frames = {name: _frame(name, rows) for name in PROMISES}
        suites = {name: PreparedSuite(PROMISES[name]) for name in PROMISES}
        remembering = prepared._register_cached
        prepared._register_cached = lambda expectation: expectation  # type: ignore[assignment]
        plain = {name: PreparedSuite(PROMISES[name]) for name in PROMISES}
        prepared._register_cached = remembering
        ask = partial(_ask, suites, frames)
        tell(f"six gates, {rows} rows: planned and remembered", *compare(partial(_validate, plain, frames), ask))
        tell("    of it, expectations that remember their configuration", *compare(partial(_ask, plain, frames), ask))


def _validate(suites: Mapping[GateName, PreparedSuite], frames: Mapping[GateName, pd.DataFrame]) -> None:
    for name, suite in suites.items():
        prepared.validate(frames[name], suite.configurations, gate._VERDICT_ONLY)


def _ask(suites: Mapping[GateName, PreparedSuite], frames: Mapping[GateName, pd.DataFrame]) -> None:
    for name, suite in suites.items():
        suite.ask(frames[name], gate._VERDICT_ONLY)


def _frame(name: GateName, rows: int) -> pd.DataFrame:
    given: dict[str, list[Any]] = {column: [None] * rows for each in PROMISES[name] for column in each.columns}
    return build_view(pd.DataFrame(given).assign(journey_id=range(rows)), PROMISES[name])


def compare_questions() -> None:
    """The scoring rules of the bundled playbook, which are one question."""
    playbook = playbooks.load_default().playbook
    expressions = [parse(rule.when) for rule in playbook.scoring.fit]
    used = sorted(set().union(*(each.columns for each in expressions)))
    types = {name: kind for name, kind in list_scoring_columns(playbook).items() if name in used}
    asked = rules._build_query(expressions, types)
    for rows in ROWS:
        frame = pd.DataFrame({name: [None] * rows for name in types}, dtype=object)
        plain, faster = (partial(answer, asked, frame, types) for answer in (rules._query_many, rules._query_few))
        tell(f"{len(expressions)} expressions, {rows} rows: prepared once", *compare(plain, faster))


if __name__ == "__main__":
    print(f"{'':60} {'plain':>11} {'here':>11}")
    compare_gates()
    compare_questions()
