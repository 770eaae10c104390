"""Claiming what waits, and starting what is due before: one row that PostgreSQL refuses stops neither.

Belongs here: leaving such a row out, and saying so in a work item. Does not belong here: the statements
(``ledger.batches``, ``ledger.journeys``, ``ledger.activities``), or a row that breaks a stage (``bisecting``).

Each of these statements covers all rows at once. When one of them fails for a fault of ours, it is repeated over
halves until the rows to blame are known; they are left out for a while, as this process remembers.
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
from leadgate.ledger.only import Only
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import Playbook
from leadgate.vocabulary import BatchKind, StageName, WorkItemKind
from tasks.apart import MOST_ALONE, do_apart, halve
from tasks.failed_batches import FAILED
from tasks.work_items import find_route

LEFT_OUT_FOR: Final = 600.0  # seconds; then a row is tried again

_ALL: Final = 0  # no row's id: the step fails whatever the rows

_Step = Literal["match_activities", "start_rescores", "start_recycles", "claim_intake", "claim_follow_up"]


@dataclass
class LeftOut:
    """The rows that a step leaves out, each until a moment of the monotonic clock. Shared by the threads of a process:
    every change is one operation on a dictionary."""

    until: dict[tuple[_Step, int], float] = field(default_factory=dict)

    def list_ids(self, step: _Step) -> frozenset[int]:
        """The ids to leave out now."""
        now = time.monotonic()
        return frozenset(id_ for (of, id_), until in list(self.until.items()) if of == step and until > now)

    def add(self, step: _Step, id_: int) -> None:
        """Leave this one out from now on."""
        self.until[step, id_] = time.monotonic() + LEFT_OUT_FOR


def start_what_is_due(ledger: Ledger, playbook: Playbook, left_out: LeftOut, now: datetime | None) -> None:
    """Match activities, start journeys for leads with news and for those that come back from nurture."""
    steps = [each for each in _STEPS if _ALL not in left_out.list_ids(each[0])]
    try:
        with ledger.transaction(of_batch=True) as connection:
            at = read_time(connection, now)
            for step, _, do in steps:
                do(connection, at, Only(left_out.list_ids(step)))
        return
    except Exception as error:
        if not faults.is_ours(error):
            raise
    at = ask_time(ledger, now)
    for step, candidates, do in steps:
        with ledger.transaction() as connection:
            ids = sorted(set(candidates(connection, at)) - left_out.list_ids(step))
        failures = list(do_apart(ledger, ids, partial(_do_some, do, at)))
        if len(failures) >= MOST_ALONE:  # the fault is not in the rows
            failures = [(_ALL, failures[0][1])]
        for failed, why in failures:
            left_out.add(step, failed)
            _tell(ledger, playbook, step, failed, why, at)


def _do_some(do: Callable[..., object], now: datetime, connection: Connection, some: Sequence[int]) -> None:
    do(connection, now, Only(among=tuple(some)))


def claim_waiting(
    ledger: Ledger, playbook: Playbook, left_out: LeftOut, *, kind: BatchKind, **how: Any
) -> Batch | None:
    """``batches.claim``, without the journeys that cannot be claimed."""
    step: _Step = "claim_intake" if kind == BatchKind.INTAKE else "claim_follow_up"
    with contextlib.suppress(RowsRefused):
        return batches.claim(ledger, kind=kind, only=Only(left_out.list_ids(step)), **how)
    at = ask_time(ledger, how.get("now"))
    waiting = [claiming.list_claimable(ledger, kind, at, how["limit"], Only(left_out.list_ids(step)))]
    alone = 0
    while waiting and alone < MOST_ALONE:
        some = waiting.pop()
        try:
            batch = batches.claim(ledger, kind=kind, only=Only(among=tuple(some)), **how)
        except RowsRefused as error:
            if len(some) == 1:
                alone += 1
                left_out.add(step, some[0])
                _tell(ledger, playbook, step, some[0], error.__cause__ or error, at)
            waiting += halve(some)
        else:
            if batch is not None:
                return batch
    return None


_STEPS: Final[tuple[tuple[_Step, Callable[[Connection, datetime], list[int]], Callable[..., object]], ...]] = (
    ("match_activities", lambda connection, now: activities.list_unmatched(connection), activities.match_activities),
    ("start_rescores", starting.list_due_rescores, starting.start_rescores),
    ("start_recycles", starting.list_due_recycles, starting.start_recycles),
)


#: What a step is about, and the stage that has to do without it.
_ABOUT: Final[dict[_Step, tuple[str, StageName]]] = {
    "match_activities": ("Activity {id} cannot be given to its lead", StageName.VALIDATION),
    "start_rescores": ("Lead {id} cannot be scored again", StageName.QUALIFICATION),
    "start_recycles": ("Lead {id} cannot come back from nurture", StageName.QUALIFICATION),
    "claim_intake": ("Journey J{id} cannot be taken on", StageName.CAPTURE),
    "claim_follow_up": ("Journey J{id} cannot be checked", StageName.FOLLOW_UP),
}


def _tell(ledger: Ledger, playbook: Playbook, step: _Step, id_: int, error: BaseException, now: datetime) -> None:
    """A recovery task about the row, unless one is open."""
    words, stage = _ABOUT[step]
    route = find_route(playbook, FAILED, stage)
    item: NewWorkItem = {
        "kind": WorkItemKind.RECOVERY,
        "blocking": False,
        "reason": FAILED,
        "stage": stage,
        "promise": f"{step}:{id_}",
        "source": None,
        "journey_id": None,
        "batch_id": None,
        "generation": 0,
        "message": (
            f"{words.format(id=id_ or 'of any number')}: {faults.describe(error)} at {faults.format_place(error)}. "
            f"Everything else goes on. This is tried again every {LEFT_OUT_FOR / 60:.0f} minutes; remove the "
            "cause, then rerun this work item"
        ),
        "value": None,
        "detail": faults.describe(error),
        "proposal": None,
        "route": route.to,
        "due_at": now + route.within,
        "opened_at": now,
    }
    with ledger.transaction() as connection:
        if not work_items.is_open(connection, FAILED, f"{step}:{id_}"):
            work_items.open_work_items(connection, pd.DataFrame([item]))
