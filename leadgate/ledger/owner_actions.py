"""What an owner does while they have a lead: wait for it, go on, log what they did.

Belongs here: these transitions, each one transaction. Does not belong here: accepting a lead or giving it back
(``actions``), or what follows for its clocks (follow-up).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import text

from leadgate.actors import Actor, require
from leadgate.ledger import pauses
from leadgate.ledger.actions import ActionError, look_now, owned_journey, record
from leadgate.ledger.database import Ledger

#: The source of activities that a rep logged by hand.
BY_HAND: Final = "by_hand"


@dataclass(frozen=True)
class Touched:
    """Whether a touch was ``new``, and the action's number when it was."""

    new: bool
    action: int | None


def wait(ledger: Ledger, journey_id: int, *, until: datetime, reason: str, by: Actor, now: datetime) -> int:
    """Wait for the lead: until then its clocks stand still. One that is waited for already is waited for anew.

    Returns the action's number. Raises ``ActionError`` when nobody owns the lead, or ``until`` is not ahead, and
    ``ActorError`` when it is not theirs.
    """
    if until <= now:
        raise ActionError(f"{until:%Y-%m-%d %H:%M} UTC is not ahead; --until names when the clock runs on")
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "wait for")
        require(by, "wait", journey.owner)
        pauses.end_open(connection, journey.id, by.decides_as, now)
        pauses.begin(connection, journey.id, until=until, reason=reason, by=by.decides_as, now=now)
        look_now(connection, [journey.id], now)
        return record(connection, [journey], "wait", by, now)


def resume(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime) -> int:
    """The wait is over: the lead's clocks run on. Returns the action's number.

    Raises ``ActionError`` when nobody waits for it, and ``ActorError`` when it is not theirs.
    """
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "resume")
        require(by, "resume", journey.owner)
        if not pauses.end_open(connection, journey.id, by.decides_as, now):
            raise ActionError(f"nobody waits for journey J{journey_id}: its clocks run")
        look_now(connection, [journey.id], now)
        return record(connection, [journey], "resume", by, now)


def touch(
    ledger: Ledger, journey_id: int, *, kind: str, rep: str, by: Actor, at: datetime, seconds: int | None, now: datetime
) -> Touched:
    """Log what ``rep`` did about the lead ``at`` a moment, as ``by`` says. The same again is no second touch.

    Raises ``ActionError`` when nobody owns the lead, or ``at`` is ahead.
    """
    if at > now:
        raise ActionError(f"{at:%Y-%m-%d %H:%M} UTC is ahead: what has not happened yet cannot be logged")
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "touch")
        values: Mapping[str, Any] = {
            "source": BY_HAND,
            "key": f"{journey.lead_id}:{kind}:{rep}:{at.isoformat()}",
            "kind": kind,
            "by": rep,
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
        look_now(connection, [journey.id], now)
        action = record(connection, [journey], "touch", by, now, note=kind) if new else None
    return Touched(bool(new), action)
