"""Work items: who has to decide what, and by when.

Belongs here: turning held rows into work items, and the playbook's exception routes.
Does not belong here: whether a row is held (the gates and the stages' decisions).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from expectations.findings import GateResult
from leadgate.ledger import work_items
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import ExceptionRoute, Playbook
from leadgate.vocabulary import JourneyStatus, Outcome, StageName, WorkItemKind
from tasks.stage import AnyStage, Work

#: What a person is asked about a row that a stage leaves so.
_ASKED: Final = {Outcome.HOLD: WorkItemKind.EXCEPTION, Outcome.REVIEW: WorkItemKind.REVIEW}


def open_work_items(
    connection: Connection, stage: AnyStage, work: Work, frame: pd.DataFrame, result: GateResult
) -> pd.DataFrame:
    """A work item for each held row, and its id in the frame; one for all rows that a broken gate holds."""
    if "work_item_id" not in frame:
        frame["work_item_id"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    held = frame["outcome"].isin((Outcome.HOLD, Outcome.REVIEW))
    problem = result.batch_problem
    if problem is not None and stage.works_on == JourneyStatus.READY:
        item = build_work_item(
            work.rules,
            stage.name,
            work.now,
            kind=WorkItemKind.EXCEPTION,
            blocking=True,
            batch_id=work.batch.id,
            reason=problem.reason,
            promise=problem.promise,
            message=f"{problem.words}. The whole batch is held.",
            detail=problem.detail,
        )
        together = held & (frame["reason"] == problem.reason)
        frame.loc[together, "work_item_id"] = work_items.open_work_items(connection, pd.DataFrame([item]))[0]
        held &= ~together
    if held.any():
        rows = frame[held]
        reasons = rows["reason"].astype(str)
        routes = {reason: find_route(work.rules, reason, stage.name) for reason in reasons.unique()}
        items = pd.DataFrame(
            {
                "kind": rows["outcome"].map(_ASKED),
                "blocking": True,
                "reason": reasons,
                "stage": stage.name,
                "batch_id": work.batch.id,
                "route": _choose_deciders(rows, reasons.map({reason: route.to for reason, route in routes.items()})),
                "due_at": reasons.map({reason: work.now + route.within for reason, route in routes.items()}),
                "opened_at": work.now,
                "message": rows["item_message"],  # of the frame's own, because a lead has a message, too
                **{
                    name: rows[name]
                    for name in (
                        "promise", "source", "journey_id", "generation", "value", "detail", "proposal"
                    )
                },
            }
        )  # fmt: skip
        if "learned_chance" in rows:
            items["chance"] = rows["learned_chance"]
        ids = work_items.open_work_items(connection, items)
        frame.loc[held, "work_item_id"] = pd.Series(ids, index=rows.index, dtype=object)
    return frame


def _choose_deciders(rows: pd.DataFrame, routed: pd.Series) -> pd.Series:
    """Who decides about each row: whom the stage names (``item_route``), else whom the playbook's exceptions do."""
    if "item_route" not in rows:
        return routed
    return rows["item_route"].where(rows["item_route"].notna(), routed)


def open_recovery_tasks(
    connection: Connection, stage: AnyStage, work: Work, frame: pd.DataFrame, result: GateResult
) -> None:
    """A recovery task for each broken promise of an owned lead that has none yet; its owner keeps it.

    A gate that cannot be checked gets one, which closes when it can be again.
    """
    problem = result.batch_problem
    if problem is not None:
        item = build_work_item(
            work.rules, stage.name, work.now, batch_id=work.batch.id, reason=problem.reason,
            promise=problem.promise, message=problem.words, detail=problem.detail,
        )  # fmt: skip
        items = [] if problem.promise in work_items.gate_recoveries(connection, stage.name) else [item]
    else:
        work_items.close_gate_recoveries(connection, stage.name, work.now)
        about = frame.set_index("journey_id")[["source", "generation"]]
        known = work_items.open_recoveries(connection, [int(journey) for journey in result.stopped["journey_id"]])
        stopped: list[Any] = list(result.stopped.itertuples())
        items = [
            build_work_item(
                work.rules, stage.name, work.now, batch_id=work.batch.id, reason=row.reason, promise=row.promise,
                message=row.broken, detail=row.detail, value=row.value, journey_id=row.journey_id,
                source=about["source"][row.journey_id], generation=int(about["generation"][row.journey_id]),
            )
            for row in stopped
            if (row.journey_id, row.promise) not in known
        ]  # fmt: skip
    if items:
        work_items.open_work_items(connection, pd.DataFrame(items))


def build_work_item(
    playbook: Playbook,
    stage: StageName,
    now: datetime,
    *,
    kind: WorkItemKind = WorkItemKind.RECOVERY,
    blocking: bool = False,
    reason: str,
    promise: str | None = None,
    message: str,
    detail: str | None = None,
    value: str | None = None,
    journey_id: int | None = None,
    generation: int = 0,
    source: str | None = None,
    batch_id: int | None = None,
    to: str | None = None,
) -> NewWorkItem:
    """A work item that goes ``to`` whom its route names; without more, a recovery task, which holds nothing."""
    route = find_route(playbook, reason, stage)
    return {
        "kind": kind,
        "blocking": blocking,
        "reason": reason,
        "stage": stage,
        "promise": promise,
        "source": source,
        "journey_id": journey_id,
        "batch_id": batch_id,
        "generation": generation,
        "message": message,
        "value": value,
        "detail": detail,
        "proposal": None,
        "route": to or route.to,
        "due_at": now + route.within,
        "opened_at": now,
    }


def find_route(playbook: Playbook, reason: str, stage: StageName) -> ExceptionRoute:
    """Who decides about ``reason`` at ``stage``: the first route that names it, else the first that names none."""
    fitting = [route for route in playbook.exceptions if not route.stages or stage in route.stages]
    for route in fitting:
        if reason in route.reasons:
            return route
    for route in fitting:
        if not route.reasons:
            return route
    return _NOBODY_NAMED


def find_fallback(playbook: Playbook) -> ExceptionRoute:
    """The playbook's last route: it takes what the others do not name, and what nobody took in time."""
    return playbook.exceptions[-1] if playbook.exceptions else _NOBODY_NAMED


_NOBODY_NAMED: Final = ExceptionRoute(to="revenue_operations")
