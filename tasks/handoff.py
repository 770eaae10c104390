"""The one protocol of a stage: gather (and ask others, where it does), decide, gate, apply.

Belongs here: what every handoff does, whatever the stage: hold what broke a promise, park what a
breaker stops, record the handoffs, all in one transaction behind the batch's fence.
Does not belong here: what a stage decides or stores (its own file), what is reported of it (``stage_reports``), what
happens when that fails (``bisecting``), or any Prefect (``stage_task``).

Killed anywhere, nothing or everything of a stage is there: running it again finds no journey ready for
it and does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from expectations.findings import CHECK_FAILED, BatchProblem, GateResult
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, bulk, decision_inputs, gates, outbox, races
from leadgate.ledger.batches import Conflict, applying, fence
from leadgate.ledger.gates import NewGateResult
from leadgate.ledger.journeys.locking import lock_journeys
from leadgate.ledger.journeys.stage_moves import advance
from leadgate.vocabulary import JourneyStatus, Outcome, StageName
from tasks.decision_inputs import RECORDED_STAGES, encode
from tasks.source_breaker import park
from tasks.stage import Alert, AnyStage, Decided, StageReport, Work
from tasks.stage_reports import summarise
from tasks.work_items import open_recovery_tasks, open_work_items


@dataclass(frozen=True)
class Prepared:
    """What a stage decided, and what it decided from as the ledger keeps it; None for a stage of which nothing is."""

    decided: Decided[Any]
    inputs: bytes | None


def prepare(stage: AnyStage, ledger: Ledger, work: Work) -> Prepared | None:
    """Gather, ask and decide. ``None`` when no journey of the batch is ready for the stage."""
    with ledger.transaction(plan_by_index=True) as connection:
        gathered = stage.gather(connection, work)
    if gathered.frame.empty:
        return None
    if stage.ask is not None:
        gathered = stage.ask(ledger, gathered, work)
    inputs = encode(gathered) if stage.name in RECORDED_STAGES else None
    return Prepared(stage.decide(gathered, work), inputs)


def apply(
    stage: AnyStage, ledger: Ledger, work: Work, prepared: Prepared, result: GateResult, *, locked: bool = False
) -> StageReport:
    """Store what was decided, what it was decided from and what the gate found, in one transaction.

    ``locked``: the caller holds the lock on all pools. Raises ``LeaseLost`` when the batch was taken
    over, and ``Conflict`` when the ledger changed since it was read; nothing is written then.
    """
    decided = prepared.decided
    frame = apply_gate(stage, decided.frame, result)
    alerts: list[Alert] = []
    # what a crash of PostgreSQL takes away of a stage is done again; an owner is on the disk before anybody hears
    with applying(ledger, flushed=stage.name == StageName.ASSIGNMENT) as connection:
        fence(connection, work.batch, work.lease_seconds)
        lock_journeys(connection, work.batch, stage.name, stage.works_on, frame)
        if stage.breaks:
            frame, alerts = park(connection, stage, work, frame, result)
        on = frame["outcome"].isin((Outcome.HOLD, Outcome.REVIEW, Outcome.PARKED))
        passed = stage.store(connection, work, Decided(frame[~on] if on.any() else frame, decided.context, locked))
        if on.any():
            passed = pd.concat([passed, frame[on]]).sort_values("journey_id", ignore_index=True)
        frame = passed
        if stage.works_on == JourneyStatus.OWNED:
            open_recovery_tasks(connection, stage, work, frame, result)
        frame = open_work_items(connection, stage, work, frame, result)
        _advance(connection, stage, work, frame)
        if stage.finish is not None:
            stage.finish(connection, work, frame)
        _keep_evidence(connection, stage, work, frame, result)
        if prepared.inputs is not None:
            decision_inputs.insert(connection, work.batch.id, stage.name, len(frame), work.now, prepared.inputs)
        if work.rules.crm:
            outbox.tell_crms(connection, _find_told_of(stage, frame), work.now)
        if work.rules.events:
            outbox.tell_events(connection, [int(journey) for journey in frame["journey_id"]], work.now)
        failpoint("apply.commit.before")
    failpoint("apply.commit.after")
    return summarise(stage, work, frame, result, alerts)


@dataclass(frozen=True)
class Judging:
    """What a stage asks its gate: ``rows`` of ``work``'s batch."""

    gate: str
    work: Work
    rows: pd.DataFrame


#: The protocol of a stage as a generator. It asks its gate, is sent what the gate found, and returns its report: so
#: the same protocol runs with a plain gate and with one that is a task of its own (``stage_task``).
Steps = Generator[Judging, GateResult, StageReport]


class UncheckedError(Exception):
    """The gate raised an error of its own over these rows; ``problem`` says what it could not check."""

    def __init__(self, problem: BatchProblem) -> None:
        super().__init__(f"the gate could not check {problem.promise or 'these rows'}")
        self.problem = problem


def attempt(stage: AnyStage, ledger: Ledger, work: Work, *, accept_unchecked: bool = False) -> Steps:
    """Gather, decide, gate, apply, over all that waits for the stage; again when a race was lost.

    ``accept_unchecked``: an error inside the gate holds all of them, instead of being raised as ``UncheckedError``.
    """
    for race in races.make_attempts(ledger):
        with race as locked:
            started = time.perf_counter()
            prepared = prepare(stage, ledger, work)
            if prepared is None:
                return StageReport(stage.name, work.batch.id)
            decided_at = time.perf_counter()
            result = yield Judging(stage.gate, work, prepared.decided.gated)
            gated_at = time.perf_counter()
            problem = result.batch_problem
            if problem is not None and problem.reason == CHECK_FAILED and not accept_unchecked:
                raise UncheckedError(problem)
            report = apply(stage, ledger, work, prepared, result, locked=locked)
            report.seconds["gather and decide"] = decided_at - started
            report.seconds["gate"] = gated_at - decided_at
            report.seconds["apply"] = time.perf_counter() - gated_at
            return report
    raise Conflict(f"{stage.name} of batch {work.batch.id} lost the race {races.MAX_ATTEMPTS} times; run it again")


def apply_gate(stage: AnyStage, frame: pd.DataFrame, result: GateResult) -> pd.DataFrame:
    """The decided frame with the rows that broke a critical promise on hold, or all that were judged."""
    told = ("outcome", "reason", "item_message", "value", "detail", "promise", "proposal")
    lacking = [column for column in told if column not in frame]
    # a block of objects: from ``None`` alone pandas makes a column at a time
    empty = pd.DataFrame(np.full((len(frame), len(lacking)), None, dtype=object), index=frame.index, columns=lacking)
    frame = pd.concat([frame, empty], axis=1)
    for column in told:
        if column not in lacking and frame[column].dtype != object:
            frame[column] = frame[column].astype(object)
    if stage.works_on == JourneyStatus.OWNED:
        # nobody is taken off a lead because a promise broke: it becomes a recovery task, and nothing else is done
        broken = frame["journey_id"].isin(result.stopped["journey_id"]) | (result.batch_problem is not None)
        frame.loc[broken, "outcome"] = Outcome.STAY
        return frame.assign(broken=broken)
    if result.batch_problem is not None:
        judged = ~frame["outcome"].isin((Outcome.HOLD, Outcome.WAIT))
        frame.loc[judged, "outcome"] = Outcome.HOLD
        frame.loc[judged, "reason"] = result.batch_problem.reason
        return frame
    critical = result.critical
    if critical.empty:
        return frame
    first = _drop_waived(critical, frame).drop_duplicates("journey_id").set_index("journey_id")
    broke = frame["journey_id"].isin(first.index)
    order = frame.loc[broke, "journey_id"]
    frame.loc[broke, "outcome"] = Outcome.HOLD
    for column in ("reason", "promise", "value", "detail"):
        frame.loc[broke, column] = first[column].reindex(order).to_numpy()
    frame.loc[broke, "item_message"] = first["broken"].reindex(order).to_numpy()
    return frame


def _drop_waived(critical: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """``critical`` failures without the promises that a person answers for (a rerun "done by hand")."""
    if critical.empty or "waived" not in frame or not frame["waived"].notna().any():
        return critical
    answered = zip(frame["journey_id"], bulk.list_values(frame["waived"]), strict=True)
    waived = {(journey, promise) for journey, promises in answered for promise in promises or ()}
    return critical[[pair not in waived for pair in zip(critical["journey_id"], critical["promise"], strict=True)]]


def _advance(connection: Connection, stage: AnyStage, work: Work, frame: pd.DataFrame) -> None:
    """Most rows go on together; those that end up elsewhere, or with another lead, are moved apart."""
    outcome = frame["outcome"]
    together = outcome.isin((Outcome.CONTINUE, Outcome.OWNED)) & ~_find_changed(frame)
    apart = ~together & (outcome != Outcome.STAY)
    advance(
        connection,
        work.batch,
        stage=stage.name,
        status=stage.works_on,
        now=work.now,
        apart=frame[apart] if apart.any() else frame.iloc[:0],
        together=int(together.sum()),
    )


#: The stages from which on CRMs are told of a lead, if it does not simply go on to the next.
_TELL_CRMS: Final = (StageName.QUALIFICATION, StageName.ASSIGNMENT, StageName.FOLLOW_UP)


def _find_told_of(stage: AnyStage, frame: pd.DataFrame) -> list[int]:
    """The journeys whose leads are not what CRMs know any more: they ended, are held, have an owner, were touched."""
    if stage.name == StageName.VALIDATION and "joined_to" in frame:  # what joins a lead changes its fields
        return [int(journey) for journey in frame.loc[frame["outcome"] == Outcome.JOINED, "joined_to"].dropna()]
    if stage.name not in _TELL_CRMS:
        return []
    told = ~frame["outcome"].isin((Outcome.CONTINUE, Outcome.STAY))
    if "touches" in frame:
        told |= frame["touches"].map(bool).astype(bool) | frame["pauses"].map(bool).astype(bool)
    return [int(journey) for journey in frame.loc[told, "journey_id"]]


def _find_changed(frame: pd.DataFrame) -> pd.Series:
    if "changed_lead" not in frame:
        return pd.Series(False, index=frame.index)
    return frame["changed_lead"].fillna(False).astype(bool)


def _keep_evidence(
    connection: Connection, stage: AnyStage, work: Work, frame: pd.DataFrame, result: GateResult
) -> None:
    warnings = result.warnings
    stopped = frame["outcome"].isin((Outcome.HOLD, Outcome.PARKED))
    if len(warnings):
        passed = frame.loc[~stopped].set_index("journey_id")["generation"]
        shown = warnings[warnings["journey_id"].isin(passed.index)]
        shown = shown.assign(gate=stage.gate, generation=shown["journey_id"].map(passed), words=shown["broken"])
    else:
        shown = warnings
    gates.insert_gate_result(
        connection,
        NewGateResult(
            batch_id=work.batch.id,
            gate=stage.gate,
            rows=result.rows,
            held=int(stopped.sum()),
            warned=int(warnings["journey_id"].nunique()),
            evidence=result.evidence,
            seconds=result.seconds,
            at=work.now,
        ),
        shown,
    )
