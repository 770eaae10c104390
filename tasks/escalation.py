"""Chasing: whom a step of the ladder tells, in a message, a work item, or an alert.

Belongs here: what follows from the steps that a follow-up check found due, and from leads that went stale. Does not
belong here: which steps those are (``leadgate.sla.sla_targets``), or storing any of it (``follow_up``).
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from leadgate.ledger.outbox import NewMessage
from leadgate.ledger.work_items import NewWorkItem
from leadgate.masking import mask
from leadgate.playbook import Playbook, Target
from leadgate.sla.sla_targets import Step
from leadgate.vocabulary import MessageKind, StageName, WorkItemKind
from tasks.stage import Alert, Work
from tasks.work_items import build_work_item, find_route

_NOT_YET = {
    "first_touch": "has not touched the lead yet; the first touch",
    "acceptance": "has neither accepted nor rejected the lead yet; the answer",
    "next_touch": "has not touched the lead again; the next touch",
    "stage": "still has the lead, neither accepted nor finished; that",
}


_STALE: Final = {
    "remind": MessageKind.LEAD_STALE,
    "recycle": MessageKind.LEAD_RECYCLED,
    "reassign": MessageKind.LEAD_TAKEN_BACK,
}


def name_overdue(target: Target) -> MessageKind:
    """The reason of an escalation, and the kind of its message."""
    return MessageKind(f"{target}_overdue")


def escalate(frame: pd.DataFrame, work: Work) -> tuple[list[NewMessage], list[NewWorkItem]]:
    """The messages and the work items that the steps of these rows ask for."""
    messages: list[NewMessage] = []
    items: list[NewWorkItem] = []
    for row in _select_rows(frame, frame["steps"].map(bool).astype(bool) | frame["stale_does"].notna()):
        for step in row.steps:
            messages.append(_build_message(row, step, work.rules))
            if step.step.do == "escalate":
                items.append(_build_escalation(row, step, work))
        if row.stale_does is not None:
            messages.append(
                {
                    "key": f"stale:{row.journey_id}:{row.generation}:{int(row.active_at.timestamp())}",
                    "journey_id": row.journey_id,
                    "target": row.owner,
                    "kind": _STALE[row.stale_does],
                }
            )
    return messages, items


def build_alerts(frame: pd.DataFrame, work: Work) -> list[Alert]:
    """An alert for each lead that was escalated just now."""
    found = []
    chased = frame["steps"].map(bool).astype(bool) & ~frame["broken"].astype(bool)
    for row in _select_rows(frame, chased):
        for step in row.steps:
            if step.step.do == "escalate":
                to = _find_addressee(row, step, work.rules)
                facts = {"journey": int(row.journey_id), "owner": row.owner, "ladder_step": step.number}
                facts |= {"reason": name_overdue(step.target), "to": mask(to) if "@" in to else to}
                found.append(Alert("lead.escalated", facts | {"due_at": step.due_at.isoformat()}))
    return found


def _select_rows(frame: pd.DataFrame, which: pd.Series) -> list[Any]:
    """The rows that ``which`` marks. Mostly there are none, and to name so many columns takes time."""
    return list(frame[which].itertuples()) if which.any() else []


def _build_message(row: Any, step: Step, playbook: Playbook) -> NewMessage:
    kinds = {
        "remind": MessageKind(f"{step.target}_due"),
        "escalate": name_overdue(step.target),
        "reassign": MessageKind.LEAD_TAKEN_BACK,
    }
    parts = [step.step.do, row.journey_id, row.generation, step.number]
    if step.target != "first_touch":  # a first touch's key is as long as it was before there were others
        parts += [step.target, int(step.since.timestamp())]
    return {
        "key": ":".join(map(str, parts)),
        "journey_id": row.journey_id,
        "target": _find_addressee(row, step, playbook) if step.step.do == "escalate" else row.owner,
        "kind": kinds[step.step.do],
    }


def _find_addressee(row: Any, step: Step, playbook: Playbook) -> str:
    """The step's addressee, else the owner's manager, else the role to which the playbook routes overdue leads."""
    manager = next((rep.manager for rep in playbook.reps if rep.name == row.owner), None)
    return step.step.to or manager or find_route(playbook, name_overdue(step.target), StageName.FOLLOW_UP).to


def _build_escalation(row: Any, step: Step, work: Work) -> NewWorkItem:
    return build_work_item(
        StageName.FOLLOW_UP,
        work,
        kind=WorkItemKind.ESCALATION,
        blocking=False,
        reason=name_overdue(step.target),
        promise=f"ladder_step_{step.number}",
        message=f"{row.owner} {_NOT_YET[step.target]} was due {step.due_at:%Y-%m-%d %H:%M} UTC",
        journey_id=row.journey_id,
        generation=row.generation,
        source=row.source,
        to=_find_addressee(row, step, work.rules),
    )
