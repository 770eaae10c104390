"""What an owner does while they have a lead: wait for it, go on, log what they did.

Belongs here: these transitions, each one transaction. Does not belong here: accepting a lead or giving it back
(``actions``), or what follows for its clocks (follow-up).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import text

from leadgate.ledger import pauses
from leadgate.ledger.actions import ActionError, look_now, owned_journey, record
from leadgate.ledger.database import Ledger

#: The source of activities that a rep logged by hand.
BY_HAND: Final = "by_hand"


def wait(ledger: Ledger, journey_id: int, *, until: datetime, reason: str, by: str, now: datetime) -> None:
    """Wait for the lead: until then its clocks stand still. One that is waited for already is waited for anew.

    Raises ``ActionError`` when nobody owns the lead, or ``until`` is not ahead.
    """
    if until <= now:
        raise ActionError(f"{until:%Y-%m-%d %H:%M} UTC is not ahead; --until names when the clock runs on")
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "wait for")
        pauses.end_open(connection, journey.id, by, now)
        pauses.begin(connection, journey.id, until=until, reason=reason, by=by, now=now)
        look_now(connection, journey.id, now)
        record(connection, [journey], "wait", by, now)


def resume(ledger: Ledger, journey_id: int, *, by: str, now: datetime) -> None:
    """The wait is over: the lead's clocks run on. Raises ``ActionError`` when nobody waits for it."""
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "resume")
        if not pauses.end_open(connection, journey.id, by, now):
            raise ActionError(f"nobody waits for journey {journey_id}: its clocks run")
        look_now(connection, journey.id, now)
        record(connection, [journey], "resume", by, now)


def touch(
    ledger: Ledger, journey_id: int, *, kind: str, by: str, at: datetime, seconds: int | None, now: datetime
) -> bool:
    """Log what ``by`` did about the lead ``at`` a moment. The same again is no second touch: then it returns False.

    Raises ``ActionError`` when nobody owns the lead, or ``at`` is ahead.
    """
    if at > now:
        raise ActionError(f"{at:%Y-%m-%d %H:%M} UTC is ahead: what has not happened yet cannot be logged")
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "touch")
        values: Mapping[str, Any] = {
            "source": BY_HAND,
            "key": f"{journey.lead_id}:{kind}:{by}:{at.isoformat()}",
            "kind": kind,
            "by": by,
            "lead": journey.lead_id,
            "at": at,
            "seconds": seconds,
            "payload": orjson.dumps({"kind": kind, "seconds": seconds}).decode(),
            "now": now,
        }
        new = connection.execute(
            text(
                "INSERT INTO activity (source, key, kind, actor, rep, lead_id, occurred_at, payload, received_at, "
                "seconds) VALUES (:source, :key, :kind, 'rep', :by, :lead, :at, :payload, :now, :seconds) "
                "ON CONFLICT (source, key) DO NOTHING"
            ),
            values,
        ).rowcount
        look_now(connection, journey.id, now)
    return bool(new)
