"""Journeys of a record that a later update takes the place of, or whose record is gone: they end, and what waits
because of them is closed.

Belongs here: what such a journey leaves behind, in every table. Does not belong here: when a journey takes another's
place (``tasks.records``), which records are gone (``record_deletions``), or the transitions
(``journeys.record_moves``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection

from leadgate.ledger import assignments, handoffs, pauses, playbook_activations, work_items
from leadgate.ledger.journeys import record_moves
from leadgate.ledger.journeys.record_moves import EarlierJourney
from leadgate.vocabulary import EndReason, HandoffOutcome, JourneyStatus, StageName, Trigger


def supersede(
    connection: Connection,
    record_ids: Sequence[int],
    journey_ids: Sequence[int],
    statuses: Sequence[JourneyStatus],
    now: datetime,
    *,
    in_time: Collection[int] = (),
    reason: EndReason = EndReason.SUPERSEDED,
) -> None:
    """End the journeys of these records that have one of ``statuses``, without ``journey_ids``; ready ones from
    validation on, whatever run has them.

    ``in_time``: records that were looked at because their time had come. That answers no question about an update, so
    held journeys that an update started stay.
    """
    if not record_ids:
        return
    found = [
        each
        for each in record_moves.lock_earlier(connection, record_ids, journey_ids, statuses)
        if (each.record_id not in in_time or each.trigger == Trigger.DUE or each.status == JourneyStatus.OWNED)
    ]
    owned = [each for each in found if each.status == JourneyStatus.OWNED]
    held = [each for each in found if each.status == JourneyStatus.HELD]
    _end_ready(connection, [each for each in found if each.status == JourneyStatus.READY], reason, now)
    if owned:
        ids = [each.id for each in owned]
        handoffs.record(
            connection,
            [(each.id, each.generation, each.playbook_hash or "") for each in owned],
            stage=StageName.FOLLOW_UP,
            outcome=HandoffOutcome.DONE,
            reason=reason,
            now=now,
        )
        for journey_id in pauses.list_open(connection, ids):
            pauses.end_open(connection, journey_id, "leadgate", now)
        assignments.end(connection, ids, reason, now)
        work_items.close_escalations(connection, ids, now)
        record_moves.supersede_owned(connection, ids, now)
    if held:
        record_moves.supersede_held(connection, [each.id for each in held])
        work_items.close_empty(connection, sorted({each.work_item_id for each in held if each.work_item_id}), now)


def _end_ready(connection: Connection, ready: Sequence[EarlierJourney], reason: EndReason, now: datetime) -> None:
    """One that starts at capture again is left to validation, which ends it."""
    ready = [each for each in ready if each.stage != StageName.CAPTURE]
    if not ready:
        return
    playbook_hash = playbook_activations.find_hash(connection)
    for stage in dict.fromkeys(each.stage for each in ready):
        handoffs.record(
            connection,
            [(each.id, each.generation, playbook_hash) for each in ready if each.stage == stage],
            stage=stage,
            outcome=HandoffOutcome.DONE,
            reason=reason,
            now=now,
        )
    record_moves.supersede_ready(connection, [each.id for each in ready], now)
