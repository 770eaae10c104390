"""Writes the follow-up tasks of leads to a CRM: of assignments that need one, and those that have changed or are done.

Belongs here: which tasks are sent, and keeping their ids. Does not belong here: which assignments need a task
(``ledger.crm_tasks``), or what a task says (``leadgate.crm``).

A task is kept also where its lead was overtaken meanwhile: what is kept is what was sent last, so the write that
follows sends what differs from it.
"""

from __future__ import annotations

import hashlib
from zoneinfo import ZoneInfo

from leadgate.connectors.crm import CrmTask, RowFault
from leadgate.crm.writes import build_task_key, build_task_texts
from leadgate.failpoints import failpoint
from leadgate.ledger import crm_tasks
from leadgate.ledger.crm_tasks import NeededTask, WrittenTask
from leadgate.playbook import Rep
from tasks.crm.access import CrmAccess, LeadWrite


def write_tasks(access: CrmAccess, leads: list[LeadWrite]) -> None:
    """Write the tasks of leads that have a record."""
    if access.connection.task is None or not leads:
        return
    of = {lead.lead_id: lead for lead in leads}
    built: dict[str, tuple[NeededTask, CrmTask, str]] = {}
    for needed in crm_tasks.read_needed_tasks(access.ledger, access.name, list(of)):
        task = _build_task(access, of[needed.lead_id], needed)
        if task is not None and (content := _hash(task)) != needed.content:
            built[task.key] = (needed, task, content)
    if not built:
        return
    with access.ledger.transaction() as connection:
        announced = [(needed, task.owner_id) for needed, task, _ in built.values()]
        crm_tasks.announce_tasks(connection, access.name, announced, access.read_time())
    failpoint("crm.tasks.before")
    results = access.send([(of[needed.lead_id], task) for needed, task, _ in built.values()], access.crm.write_tasks)
    failpoint("crm.tasks.after")
    written: list[WrittenTask] = []
    refused: list[NeededTask] = []
    for key, result in results.items():
        needed, task, content = built[key]
        if result.error is not None:
            access.take_error(of[needed.lead_id], result.error, "its follow-up task: ")
            if result.error.fault is RowFault.PERMANENT:
                refused.append(needed)
            continue
        written.append(
            WrittenTask(
                needed.lead_id, needed.journey_id, needed.generation, result.id or "", task.owner_id, content,
                task.is_done,
            )
        )  # fmt: skip
    with access.ledger.transaction() as connection:
        if written:
            crm_tasks.keep_tasks(connection, access.name, written, access.read_time())
        if refused:
            crm_tasks.withdraw_tasks(connection, access.name, refused)


def _build_task(access: CrmAccess, lead: LeadWrite, needed: NeededTask) -> CrmTask | None:
    """The task of an assignment; None while the CRM does not know its owner."""
    rep: Rep | None = access.reps.get(needed.owner)
    owner = (needed.owner_id if needed.is_done else None) or access.find_owner(needed.owner)
    if owner is None or access.connection.task is None or lead.link is None:
        return None
    subject, body = build_task_texts(access.connection.task, lead.known_facts)
    return CrmTask(
        key=build_task_key(needed.journey_id, needed.generation),
        record_id=lead.link.record_id,
        owner_id=owner,
        subject=subject,
        body=body,
        due_at=needed.due_at.astimezone(ZoneInfo(rep.time_zone if rep else "UTC")),
        id=needed.task_id,
        is_done=needed.is_done,
    )


def _hash(task: CrmTask) -> str:
    whole = "\x1f".join(map(str, (task.subject, task.body, task.owner_id, task.due_at.isoformat(), task.is_done)))
    return hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()
