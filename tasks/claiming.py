"""Start the journeys that are due, and claim waiting journeys, even when PostgreSQL refuses one of the rows.

Belongs here: skipping such a row, and a work item about it. Does not belong here: the statements (``ledger.batches``,
``ledger.journeys``, ``ledger.activities``), or a row that makes a stage fail (``bisecting``).

Each statement covers all waiting rows at once. When one fails, and the server is not to blame, it is repeated over
halves of the rows until the failing rows are known. This process then skips them for a while (``SkippedRows``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import Ledger, activities, batches, faults, work_items
from leadgate.ledger.batches import Batch
from leadgate.ledger.clock import ask_time, read_time
from leadgate.ledger.journeys import claiming, starting
from leadgate.ledger.journeys.claiming import RowsRefused
from leadgate.ledger.row_filter import RowFilter
from leadgate.playbook import Playbook
from leadgate.vocabulary import BatchKind, StageName
from tasks.failed_batches import FAILED
from tasks.failing_rows import MAX_FAILURES_IN_A_ROW, halve, run_without_failing_rows
from tasks.work_items import build_work_item

SKIP_SECONDS: Final = 600.0  # then a row is tried again

_EVERY_ROW: Final = 0  # in place of a row's id: the step fails for all rows and is skipped as a whole

_Step = Literal[
    "match_activities",
    "start_rescores",
    "start_recycles",
    "start_enrichments",
    "start_due_records",
    "claim_intake",
    "claim_follow_up",
]


@dataclass
class SkippedRows:
    """The rows that a step skips, each until a moment of the monotonic clock. Threads share it without a lock, because
    every change is one operation on a dictionary."""

    until: dict[tuple[_Step, int], float] = field(default_factory=dict)

    def list_ids(self, step: _Step) -> frozenset[int]:
        """The ids that the step skips now."""
        now = time.monotonic()
        return frozenset(id_ for (of, id_), until in list(self.until.items()) if of == step and until > now)

    def add(self, step: _Step, id_: int) -> None:
        """Skip this row for the next ``SKIP_SECONDS``."""
        self.until[step, id_] = time.monotonic() + SKIP_SECONDS


def start_due_work(ledger: Ledger, playbook: Playbook, skipped_rows: SkippedRows, now: datetime | None) -> None:
    """Match activities to leads, and start journeys for leads to score or look up again, and that leave nurture."""
    steps = [entry for entry in _STEPS if _EVERY_ROW not in skipped_rows.list_ids(entry[0])]
    try:
        with ledger.transaction(plan_by_index=True) as connection:
            at = read_time(connection, now)
            for step, _, run_step in steps:
                run_step(connection, at, RowFilter(skipped_rows.list_ids(step)))
        return
    except Exception as error:
        if not faults.is_ours(error):
            raise
    at = ask_time(ledger, now)
    for step, list_candidates, run_step in steps:
        with ledger.transaction() as connection:
            ids = sorted(set(list_candidates(connection, at)) - skipped_rows.list_ids(step))
        failures = list(run_without_failing_rows(ledger, ids, partial(_run_step_for, run_step, at)))
        if len(failures) >= MAX_FAILURES_IN_A_ROW:  # the fault is not in the rows
            failures = [(_EVERY_ROW, failures[0][1])]
        for failed, failure in failures:
            skipped_rows.add(step, failed)
            _open_recovery_task(ledger, playbook, step, failed, failure, at)


def _run_step_for(run_step: Callable[..., object], now: datetime, connection: Connection, ids: Sequence[int]) -> None:
    run_step(connection, now, RowFilter(among=tuple(ids)))


def claim_waiting(
    ledger: Ledger, playbook: Playbook, skipped_rows: SkippedRows, *, kind: BatchKind, **arguments: Any
) -> Batch | None:
    """``batches.claim`` with these arguments, without the journeys that cannot be claimed."""
    step: _Step = "claim_intake" if kind == BatchKind.INTAKE else "claim_follow_up"
    with contextlib.suppress(RowsRefused):
        return batches.claim(ledger, kind=kind, only=RowFilter(skipped_rows.list_ids(step)), **arguments)
    at = ask_time(ledger, arguments.get("now"))
    waiting = [claiming.list_claimable(ledger, kind, at, arguments["limit"], RowFilter(skipped_rows.list_ids(step)))]
    failures = 0
    while waiting and failures < MAX_FAILURES_IN_A_ROW:
        ids = waiting.pop()
        try:
            batch = batches.claim(ledger, kind=kind, only=RowFilter(among=tuple(ids)), **arguments)
        except RowsRefused as error:
            if len(ids) == 1:
                failures += 1
                skipped_rows.add(step, ids[0])
                _open_recovery_task(ledger, playbook, step, ids[0], error.__cause__ or error, at)
            waiting += halve(ids)
        else:
            if batch is not None:
                return batch
    return None


#: Each step of ``start_due_work``: its name, the ids of its candidate rows, and the statement that runs it.
_STEPS: Final[tuple[tuple[_Step, Callable[[Connection, datetime], list[int]], Callable[..., object]], ...]] = (
    ("match_activities", lambda connection, now: activities.list_unmatched(connection), activities.match_activities),
    ("start_rescores", starting.list_due_rescores, starting.start_rescores),
    ("start_recycles", starting.list_due_recycles, starting.start_recycles),
    ("start_enrichments", starting.list_due_enrichments, starting.start_enrichments),
    ("start_due_records", starting.list_due_records, starting.start_due_records),
)


#: The beginning of a recovery task's message for each step, and the stage by which the task is routed.
_STEP_MESSAGES: Final[dict[_Step, tuple[str, StageName]]] = {
    "match_activities": ("Activity {id} cannot be given to its lead", StageName.VALIDATION),
    "start_rescores": ("Lead {id} cannot be scored again", StageName.QUALIFICATION),
    "start_recycles": ("Lead {id} cannot come back from nurture", StageName.QUALIFICATION),
    "start_enrichments": ("Lead {id} cannot be looked up again", StageName.ENRICHMENT),
    "start_due_records": ("Record R{id} cannot be looked at again", StageName.ENRICHMENT),
    "claim_intake": ("Journey J{id} cannot be taken on", StageName.CAPTURE),
    "claim_follow_up": ("Journey J{id} cannot be checked", StageName.FOLLOW_UP),
}


def _open_recovery_task(
    ledger: Ledger, playbook: Playbook, step: _Step, id_: int, error: BaseException, now: datetime
) -> None:
    """Open a recovery task about the row, unless one is open already."""
    words, stage = _STEP_MESSAGES[step]
    item = build_work_item(
        playbook,
        stage,
        now,
        reason=FAILED,
        promise=f"{step}:{id_}",
        message=(
            f"{words.format(id=id_ or 'of any number')}: {faults.describe(error)} at {faults.format_place(error)}. "
            f"All other leads go on. Leadgate tries this again every {SKIP_SECONDS / 60:.0f} minutes; remove the "
            "cause, then rerun this work item"
        ),
        detail=faults.describe(error),
    )
    with ledger.transaction() as connection:
        if not work_items.is_open(connection, FAILED, f"{step}:{id_}"):
            work_items.open_work_items(connection, pd.DataFrame([item]))
