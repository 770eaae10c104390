"""The flow ``deliver``: send the messages that wait in the outbox.

Belongs here: one round of delivery as a flow that people can watch. Does not belong here: the round itself
(``tasks.outbox``), which ``leadgate deliver`` runs without Prefect.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from prefect import flow

from flows import evidence
from flows.runtime import session
from leadgate.ledger import outbox
from tasks.outbox import DeliveryReport
from tasks.outbox_task import deliver_task
from tasks.quoting import quote


@flow(name="deliver", persist_result=False, validate_parameters=False)
async def deliver(now: datetime | None = None) -> DeliveryReport | None:
    """Send the messages of the outbox that are due, to the addresses of the playbook's notifications.

    Returns None, and starts no task, when no message waits.

    Args:
        now: The time to use in place of the clock, for tests.
    """
    async with session.open_session() as here:
        ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
        waiting = await asyncio.to_thread(outbox.count_waiting_messages, ledger, now)
        if not waiting:
            return None
        due = sum(each.due for each in waiting)
        total = sum(each.messages for each in waiting)
        report = await deliver_task(due, total, quote(ledger), quote(playbook), now)
        await evidence.publish_delivery(report)
        return report
