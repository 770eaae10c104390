"""What a run cannot take further: a batch that was cancelled or failed again and again, journeys that broke a stage.

Belongs here: putting these behind work items, so that they neither run again by themselves nor are lost. Does not
belong here: rows that break a promise (``handoff``), finding the journeys that break a stage (``bisecting``), or
trying again after a server was away (``leases``).

Nobody is taken off an owned lead for it: that gets a recovery task, and the next look at it comes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.deadlines import CHECK_TIMED_OUT
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, assignments, outbox, work_items
from leadgate.ledger.batches import applying, close, fence
from leadgate.ledger.clock import read_time
from leadgate.ledger.journeys import locking
from leadgate.ledger.journeys.locking import AboutJourney, lock_batch_journeys, lock_waiting_stages
from leadgate.ledger.journeys.stage_moves import hold_rest
from leadgate.vocabulary import JourneyStatus, Outcome, StageName, WorkItemKind
from tasks.stage import Alert, AnyStage, StageReport, Work
from tasks.work_items import build_work_item

#: After so many failed runs a batch waits for a person instead of failing once more.
MAX_FAILURES: Final = 3
#: So many journeys that fail alone, alike and one after the other, are no accident: the fault is not in them.
ENOUGH: Final = 8
CANCELLED: Final = "run_cancelled"
FAILED: Final = "stage_failed"
_LOOK_AGAIN: Final = timedelta(hours=1)  # at an owned lead whose follow-up check failed
_WORDS: Final = {
    CANCELLED: "The run was cancelled ({why}). Rerun this work item to let its leads go on where they are.",
    FAILED: (
        f"The stage failed {MAX_FAILURES} times ({{why}}). Find the cause in the failed flow runs, then rerun this "
        "work item: its leads go on where they are."
    ),
}
_ONE: Final = (
    "The stage {stage} fails for this lead: {why}. The others went on without it. Correct the lead, or remove the "
    "cause and rerun this work item."
)
_ALL: Final = (
    "The stage {stage} fails for every lead: {why}. Remove the cause, then rerun this work item: its leads go on "
    "where they are."
)
_LATE: Final = (
    "The stage {stage} was not done in time: {why}. Change what takes so long, then rerun this work item: its leads go "
    "on where they are."
)


def hold_batch(ledger: Ledger, work: Work, *, reason: str, why: str, now: datetime | None = None) -> int:
    """Hold what is left of the batch, behind one work item for each stage, and close it. Returns how many.

    ``reason``: ``CANCELLED`` or ``FAILED``; ``why`` is shown to the people who decide, and must hold nothing personal.
    Owned leads stay with their owners and are looked at by the next check: at once, or later if the last ones failed.
    Raises ``LeaseLost``.
    """
    held = 0
    with applying(ledger) as connection:
        fence(connection, work.batch, work.lease_seconds)
        at = read_time(connection, now)
        waiting = lock_batch_journeys(connection, work.batch, JourneyStatus.READY)
        for stage in lock_waiting_stages(connection, work.batch):
            item = build_work_item(
                work.rules,
                stage,
                work.now,
                blocking=True,
                batch_id=work.batch.id,
                reason=reason,
                message=_WORDS[reason].format(why=why),
            )
            (item_id,) = work_items.open_work_items(connection, pd.DataFrame([item]))
            held += hold_rest(connection, work.batch, stage=stage, reason=reason, work_item_id=item_id, now=at)
        outbox.tell_events(connection, waiting, at)
        if reason == FAILED and (owned := lock_batch_journeys(connection, work.batch, JourneyStatus.OWNED)):
            _put_off(connection, work, owned, _WORDS[reason].format(why=why))
    close(ledger, work.batch, at)
    return held


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, without values. ``kind`` is what failures have in common, ``place`` where it was;
    ``unchecked``: it was an error inside the gate. ``late``: it took too long, and so would every further attempt."""

    kind: str
    place: str = ""
    unchecked: bool = False
    late: bool = False

    @property
    def reason(self) -> str:
        return CHECK_TIMED_OUT if self.late else FAILED

    def __str__(self) -> str:
        return f"{self.kind} at {self.place}" if self.place else self.kind


def hold_failed(ledger: Ledger, stage: AnyStage, work: Work, why: Failure) -> StageReport:
    """Hold all journeys of the batch that wait at ``stage``, where each fails, or all of them do, because of ``why``.

    One journey gets a work item of its own. Several share one; and so does one that fails like ``ENOUGH`` others that
    wait for a person already. Raises ``LeaseLost``.
    """
    alerts: list[Alert] = []
    with applying(ledger) as connection:
        fence(connection, work.batch, work.lease_seconds)
        failed = lock_batch_journeys(connection, work.batch, stage.works_on)
        alone = len(failed) == 1
        if stage.works_on == JourneyStatus.OWNED:
            _put_off(connection, work, failed, (_ONE if alone else _ALL).format(stage=stage.name, why=why))
        elif failed:
            item, own = _ensure_item(connection, stage, work, failed, why)
            if not own:
                facts = {"reason": why.reason, "promise": None, "held": len(failed), "work_items": [item]}
                alerts.append(Alert("batch.held", {"stage": stage.name, "gate": stage.gate} | facts))
            hold_rest(connection, work.batch, stage=stage.name, reason=why.reason, work_item_id=item, now=work.now)
            outbox.tell_events(connection, failed, work.now)
        failpoint("held.before")
    failpoint("held.after")
    outcome = Outcome.STAY if stage.works_on == JourneyStatus.OWNED else Outcome.HOLD
    reasons = {why.reason: len(failed)} if outcome == Outcome.HOLD else {}
    counts = {outcome.value: len(failed)}
    return StageReport(stage.name, work.batch.id, stage.gate, len(failed), counts, reasons, alerts=alerts)


def _ensure_item(
    connection: Connection, stage: AnyStage, work: Work, failed: list[int], why: Failure
) -> tuple[int, bool]:
    """The work item that holds ``failed``, and whether it is about one journey alone: a new one, or the one that is
    open for the same failure of the stage."""
    shared, alike = work_items.open_failures(connection, stage.name, why.reason, why.kind)
    if shared is not None:
        return shared, False
    own = len(failed) == 1 and alike < ENOUGH
    about: AboutJourney = locking.read_journey_origin(connection, failed[0]) if own else {}
    item = build_work_item(
        work.rules,
        stage.name,
        work.now,
        kind=WorkItemKind.EXCEPTION if own else WorkItemKind.RECOVERY,
        blocking=True,
        batch_id=work.batch.id,
        reason=why.reason,
        message=(_ONE if own else _LATE if why.late else _ALL).format(stage=stage.name, why=why),
        detail=why.kind,
        **about,
    )
    return work_items.open_work_items(connection, pd.DataFrame([item]))[0], own


def _put_off(connection: Connection, work: Work, owned: list[int], message: str) -> None:
    """Look at owned leads again later; a recovery task says why, unless an open one does."""
    assignments.look_again(connection, owned, work.now + _LOOK_AGAIN)
    about: AboutJourney = {}
    if len(owned) == 1:
        known = (owned[0], FAILED) in work_items.open_recoveries(connection, owned)
        about = locking.read_journey_origin(connection, owned[0])
    else:
        known = FAILED in work_items.gate_recoveries(connection, StageName.FOLLOW_UP)
    if not known:
        item = build_work_item(
            work.rules,
            StageName.FOLLOW_UP,
            work.now,
            batch_id=work.batch.id,
            reason=FAILED,
            promise=FAILED,
            message=message,
            **about,
        )
        work_items.open_work_items(connection, pd.DataFrame([item]))
