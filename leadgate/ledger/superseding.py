"""Journeys of a record that a later update takes the place of: they end, and what waits because of them is closed.

Belongs here: what such a journey leaves behind, in every table. Does not belong here: when a journey takes another's
place (``tasks.records``), or the transitions (``journeys.record_moves``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection

from leadgate.ledger import assignments, handoffs, pauses, work_items
from leadgate.ledger.journeys import record_moves
from leadgate.vocabulary import EndReason, HandoffOutcome, JourneyStatus, StageName, Trigger


def supersede(
    connection: Connection,
    record_ids: Sequence[int],
    journey_ids: Sequence[int],
    statuses: Sequence[JourneyStatus],
    now: datetime,
    *,
    in_time: Collection[int] = (),
) -> None:
    """End the journeys of these records that have one of ``statuses`` (held, owned), without ``journey_ids``.

    ``in_time``: records that were looked at because their time had come. That answers no question about an update, so
    held journeys that an update started stay.
    """
    if not record_ids:
        return
    found = [
        each
        for each in record_moves.lock_earlier(connection, record_ids, journey_ids)
        if each.status in statuses
        and (each.record_id not in in_time or each.trigger == Trigger.DUE or each.status == JourneyStatus.OWNED)
    ]
    owned = [each for each in found if each.status == JourneyStatus.OWNED]
    held = [each for each in found if each.status == JourneyStatus.HELD]
    if owned:
        ids = [each.id for each in owned]
        handoffs.record(
            connection,
            [(each.id, each.generation, each.playbook_hash or "") for each in owned],
            stage=StageName.FOLLOW_UP,
            outcome=HandoffOutcome.DONE,
            reason=EndReason.SUPERSEDED,
            now=now,
        )
        for journey_id in pauses.list_open(connection, ids):
            pauses.end_open(connection, journey_id, "leadgate", now)
        assignments.end(connection, ids, EndReason.SUPERSEDED, now)
        work_items.close_escalations(connection, ids, now)
        record_moves.supersede_owned(connection, ids, now)
    if held:
        record_moves.supersede_held(connection, [each.id for each in held])
        work_items.close_empty(connection, sorted({each.work_item_id for each in held if each.work_item_id}), now)
