"""Work items that nobody took in time: who is told, once.

Belongs here: the check that follow-up makes beside the owned leads. Does not belong here: a lead whose first
touch is late (``follow_up``), or who decides an item in the first place (``work_items``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from leadgate.ledger import Ledger, faults, reviews
from leadgate.ledger.clock import read_time
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.playbook import Playbook
from leadgate.vocabulary import StageName
from tasks.failing_rows import run_without_failing_rows
from tasks.work_items import find_fallback, find_route


def escalate_overdue(ledger: Ledger, playbook: Playbook, now: datetime | None = None) -> int:
    """Escalate every item that holds leads, is due, and that nobody has taken or decided. Returns how many.

    Each is escalated once, however many processes check, and however often; one that somebody has taken is not.
    """
    try:
        with ledger.transaction() as connection:
            return _escalate(connection, playbook, read_time(connection, now), ALL)
    except Exception as error:
        if not faults.is_ours(error):
            raise
    # one item that cannot be escalated stops neither the others nor the check of owned leads; the next check tries it
    with ledger.transaction() as connection:
        at = read_time(connection, now)
        late = [item.id for item in reviews.lock_overdue(connection, at)]
    failed = list(run_without_failing_rows(ledger, late, partial(_escalate_some, playbook, at)))
    return len(late) - len(failed)


def _escalate_some(playbook: Playbook, now: datetime, connection: Connection, ids: Sequence[int]) -> None:
    _escalate(connection, playbook, now, RowFilter(among=tuple(ids)))


def _escalate(connection: Connection, playbook: Playbook, now: datetime, only: RowFilter) -> int:
    late = [
        reviews.Escalated(item.id, item.journey_id, find_addressee(playbook, item.reason, StageName(item.stage)))
        for item in reviews.lock_overdue(connection, now, only)
    ]
    if late:
        reviews.escalate(connection, late, now)
    return len(late)


def find_addressee(playbook: Playbook, reason: str, stage: StageName) -> str:
    """Whom the route of ``reason`` at ``stage`` names, else the role of the route without reasons."""
    return find_route(playbook, reason, stage).escalate_to or find_fallback(playbook).to
