"""What CRMs were told of a lead, as evidence: the record, what was written and read back, the follow-up tasks.

Belongs here: pure functions from ``ledger.lead_history.Story`` to words, unescaped. Does not belong here: messages and
work items (``evidence``), or values of a CRM's records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from console.answers import Answer
from console.screen import format_moment
from leadgate.ledger.lead_history import Story
from leadgate.ledger.outbox import CRM_NOT_KEPT, CRM_REFUSED
from leadgate.playbook.crm import CRM_TARGET

if TYPE_CHECKING:
    from leadgate.ledger.crm_history import CrmRecordRow, CrmTaskRow

_FOUND_BY: Final = {
    "created": "which Leadgate created",
    "key": "found by Leadgate's key",
    "address": "found by its e-mail address",
}
_SHOWN: Final = 12  # names of fields in one sentence


def tell_writes(answer: Answer, story: Story) -> None:
    """Say what each CRM was told, and what came of it."""
    for record in story.crm_records:
        _tell_record(answer, record)
    for task in story.crm_tasks:
        answer.say(_describe_task(task, story))
    for item in story.work_items:
        if item.closed_at is None and item.reason in (CRM_NOT_KEPT, CRM_REFUSED):
            crm = (item.promise or "").removeprefix(CRM_TARGET).partition(":")[0]
            answer.say(f"{crm}: work item W{item.id} ({item.reason}) waits for a person.")


def _tell_record(answer: Answer, record: CrmRecordRow) -> None:
    found = _FOUND_BY.get(record.found_by, f"found by {record.found_by}")
    answer.say(f"{record.crm}: it is the record {record.record_id}, {found}, {format_moment(record.linked_at)} UTC.")
    if record.gone_at is not None:
        answer.say(
            f"{record.crm}: the record is gone, noticed {format_moment(record.gone_at)} UTC; "
            "it is written no more until a person reruns the work item about that."
        )
    elif record.written_at is not None:
        answer.say(
            f"{record.crm}: last written {format_moment(record.written_at)} UTC"
            f"{': ' + _join(record.fields) if record.fields else ''}; {_describe_read_back(record)}."
        )


def _describe_read_back(record: CrmRecordRow) -> str:
    if record.read_at is None:
        return "not read back yet"
    at = f"read back {format_moment(record.read_at)} UTC"
    return f"{at}, and {_join(record.differing)} had another value" if record.differing else f"{at}, all as written"


def _describe_task(task: CrmTaskRow, story: Story) -> str:
    owner = next(
        (a.owner for a in story.assignments if (a.journey_id, a.generation) == (task.journey_id, task.generation)),
        None,
    )
    whose = f" for {owner}" if owner else ""
    at = f"{format_moment(task.written_at)} UTC"
    if task.task_id is None:
        return f"{task.crm}: a follow-up task{whose} was sent, {at}, and the CRM has not confirmed it."
    return f"{task.crm}: follow-up task {task.task_id}{whose}, {'done' if task.is_done else 'open'}, written {at}."


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
