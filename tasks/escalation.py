"""Escalation: the messages, work items and alerts for the steps of an SLA's ladder.

Belongs here: building these for steps that a follow-up check found due, and for leads that went stale. Does not
belong here: deciding which steps are due (``leadgate.sla.sla_targets``), or storing anything (``follow_up``).
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

#: The middle of a work item's message: "OWNER … was due DATE".
_MISSED_TEXTS: Final = {
    "first_touch": "has not touched the lead yet; the first touch",
    "acceptance": "has neither accepted nor rejected the lead yet; the answer",
    "next_touch": "has not touched the lead again; the next touch",
    "stage": "still has the lead, neither accepted nor finished; that",
}

#: The message for each action on a stale lead.
_STALE_MESSAGES: Final = {
    "remind": MessageKind.LEAD_STALE,
    "recycle": MessageKind.LEAD_RECYCLED,
    "reassign": MessageKind.LEAD_TAKEN_BACK,
}


def find_overdue_kind(target: Target) -> MessageKind:
    """The reason of the escalation of a missed ``target``, which is also the kind of its message."""
    return MessageKind(f"{target}_overdue")


def escalate(frame: pd.DataFrame, work: Work) -> tuple[list[NewMessage], list[NewWorkItem]]:
    """Build the messages and the work items for the due steps and the stale leads of these rows."""
    messages: list[NewMessage] = []
    items: list[NewWorkItem] = []
    for row in _select_rows(frame, frame["steps"].map(bool).astype(bool) | frame["stale_action"].notna()):
        for step in row.steps:
            messages.append(_build_message(row, step, work.rules))
            if step.step.do == "escalate":
                items.append(_build_escalation(row, step, work))
        if row.stale_action is not None:
            messages.append(
                {
                    "key": f"stale:{row.journey_id}:{row.generation}:{int(row.active_at.timestamp())}",
                    "journey_id": row.journey_id,
                    "target": row.owner,
                    "kind": _STALE_MESSAGES[row.stale_action],
                }
            )
    return messages, items


def build_alerts(frame: pd.DataFrame, work: Work) -> list[Alert]:
    """An alert for each lead that was escalated just now."""
    alerts = []
    with_steps = frame["steps"].map(bool).astype(bool) & ~frame["broken"].astype(bool)
    for row in _select_rows(frame, with_steps):
        for step in row.steps:
            if step.step.do == "escalate":
                to = _find_addressee(row, step, work.rules)
                facts = {"journey": int(row.journey_id), "owner": row.owner, "ladder_step": step.number}
                facts |= {"reason": find_overdue_kind(step.target), "to": mask(to) if "@" in to else to}
                alerts.append(Alert("lead.escalated", facts | {"due_at": step.due_at.isoformat()}))
    return alerts


def _select_rows(frame: pd.DataFrame, mask: pd.Series) -> list[Any]:
    """The rows where ``mask`` is true. Mostly there are none, and ``itertuples`` over so many columns takes time."""
    return list(frame[mask].itertuples()) if mask.any() else []


def _build_message(row: Any, step: Step, playbook: Playbook) -> NewMessage:
    kinds = {
        "remind": MessageKind(f"{step.target}_due"),
        "escalate": find_overdue_kind(step.target),
        "reassign": MessageKind.LEAD_TAKEN_BACK,
    }
    parts = [step.step.do, row.journey_id, row.generation, step.number]
    if step.target != "first_touch":  # keys of first touches keep the form of versions without other targets
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
    return step.step.to or manager or find_route(playbook, find_overdue_kind(step.target), StageName.FOLLOW_UP).to


def _build_escalation(row: Any, step: Step, work: Work) -> NewWorkItem:
    return build_work_item(
        work.rules,
        StageName.FOLLOW_UP,
        work.now,
        kind=WorkItemKind.ESCALATION,
        batch_id=work.batch.id,
        reason=find_overdue_kind(step.target),
        promise=f"ladder_step_{step.number}",
        message=f"{row.owner} {_MISSED_TEXTS[step.target]} was due {step.due_at:%Y-%m-%d %H:%M} UTC",
        journey_id=row.journey_id,
        generation=row.generation,
        source=row.source,
        to=_find_addressee(row, step, work.rules),
    )
