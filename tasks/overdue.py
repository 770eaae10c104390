"""Work items that nobody took in time: who is told, once.

Belongs here: the check that follow-up makes beside the owned leads. Does not belong here: a lead whose first
touch is late (``follow_up``), or who decides an item in the first place (``exceptions``).
"""

from __future__ import annotations

from datetime import datetime

from leadgate.ledger import Ledger, reviews
from leadgate.ledger.clock import read_time
from leadgate.playbook import Playbook
from tasks.exceptions import fallback, route_of


def escalate_overdue(ledger: Ledger, playbook: Playbook, now: datetime | None = None) -> int:
    """Escalate every item that holds leads, is due, and that nobody has taken or decided. Returns how many.

    Each is escalated once, whoever checks and however often; one that somebody has taken is not.
    """
    with ledger.transaction() as connection:
        at = read_time(connection, now)
        late = [
            {"id": item.id, "journey_id": item.journey_id, "target": escalated_to(playbook, item.reason, item.stage)}
            for item in reviews.overdue(connection, at)
        ]
        if late:
            reviews.escalate(connection, late, at)
    return len(late)


def escalated_to(playbook: Playbook, reason: str, stage: str) -> str:
    """Whom the route of ``reason`` at ``stage`` names, else whoever decides what no other route names."""
    return route_of(playbook, reason, stage).escalate_to or fallback(playbook).to
