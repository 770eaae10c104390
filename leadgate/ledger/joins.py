"""What a person says about two records: they are the same person, they are not, or they should not have been joined.

Belongs here: verdicts, and the way back from a join, each one transaction. Does not belong here: finding out who
may be the same (``identities``), or other decisions about work items (``reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.ledger import actions, assignments, identities, leads, reruns, work_items
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import HeldJourney, LockedJourney, lock_held_by, lock_journey
from leadgate.ledger.reruns import Item, RerunReport
from leadgate.matching import ASKS, CONFLICT, LIKELY
from leadgate.permissions import Permission
from leadgate.vocabulary import ActionKind, EndReason, ItemResolution, JourneyStatus, StageName


@dataclass(frozen=True)
class Unjoined:
    """A journey that goes its own way again. ``lead_id`` is the lead that it was taken for; ``restored`` names the
    fields of that lead that are as they were before. ``action`` is the number of the action."""

    journey_id: int
    lead_id: int
    restored: Sequence[str]
    action: int


def decide_same(
    ledger: Ledger, work_item_ids: Sequence[int], lead_id: int | None, *, by: Actor, now: datetime
) -> RerunReport:
    """The signals that these work items hold are about ``lead_id``: they join its open journey, or take it up again.

    None: each is about the likeliest of the leads that it was compared with. Signals that carry evidence of the same
    two leads go there, too, from now on. Raises ``ActionError`` for an item that asks something else, or when
    ``lead_id`` is not one of the leads in question.
    """
    report = RerunReport()
    with ledger.transaction() as connection:
        for item in _require_asking(connection, work_item_ids, by, report):
            journeys = lock_held_by(connection, [item.id])
            for journey in journeys:
                possible = _find_compared_leads(connection, journey)
                if item.reason == CONFLICT:
                    possible.append(_lead_of(journey))
                same = possible[0] if lead_id is None and item.reason == LIKELY else lead_id
                if same is None or same not in possible:
                    known = " or ".join(map(str, possible))
                    asked = f"is not about lead {same}" if same is not None else "is about leads that are known"
                    raise ActionError(f"work item W{item.id} {asked}; it may be lead {known}: say which, with --same")
                others = possible if item.reason == CONFLICT else [_lead_of(journey)]
                for other in {*others, _lead_of(journey)} - {same}:
                    identities.record_verdict(
                        connection, journey.id, same, other, keep=same, item=item.id, by=by.name, now=now
                    )
            person_moves.release(connection, journeys, stage=StageName.CAPTURE, now=now)
            reruns.conclude(connection, [item], journeys, ItemResolution.SAME_PERSON, by, now, None)
            report.count([item], journeys)
    return report


def decide_different(ledger: Ledger, work_item_ids: Sequence[int], *, by: Actor, now: datetime) -> RerunReport:
    """The signals that these work items hold are about somebody else: they go on, and are not compared with these
    leads again. Raises ``ActionError`` for an item that asks something else."""
    report = RerunReport()
    with ledger.transaction() as connection:
        for item in _require_asking(connection, work_item_ids, by, report):
            journeys = lock_held_by(connection, [item.id])
            if item.reason == CONFLICT:
                possible = " or ".join(map(str, _find_compared_leads(connection, journeys[0])))
                raise ActionError(
                    f"what work item W{item.id} carries belongs to known leads, so it is about one of them: say which, "
                    f"with --same {possible}; or correct the wrong value with --set"
                )
            for journey in journeys:
                for lead in _find_compared_leads(connection, journey):
                    identities.record_verdict(
                        connection, journey.id, _lead_of(journey), lead, keep=None, item=item.id, by=by.name, now=now
                    )
            person_moves.release(connection, journeys, stage=StageName.CAPTURE, now=now)
            reruns.conclude(connection, [item], journeys, ItemResolution.DIFFERENT_PERSON, by, now, None)
            report.count([item], journeys)
    return report


def unjoin(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime) -> Unjoined:
    """Undo a join: the signal gets a lead and a journey of its own again, and does not join this lead again.

    The lead's fields that the signal changed are as before, unless they have changed since; the identities that it
    brought are the signal's own. Who owned the journey loses it. Raises ``ActionError`` when the journey has not been
    taken for another lead's, or waits for a person.
    """
    with ledger.transaction() as connection:
        journey = lock_journey(connection, journey_id)
        if journey is None:
            raise ActionError(f"there is no journey J{journey_id}")
        require(by, Permission.DECIDE_ITEMS, journey.owner)
        made = connection.execute(
            text(
                "SELECT lead_id, changed, claimed FROM lead_join WHERE journey_id = :id AND lead_id = :lead "
                "ORDER BY generation DESC LIMIT 1"
            ),
            {"id": journey_id, "lead": journey.lead_id},
        ).first()
        if made is None or journey.lead_id == journey.id:
            raise ActionError(_explain_no_join(connection, journey))
        if journey.status == JourneyStatus.HELD:
            raise ActionError(f"journey J{journey_id} waits for a person; decide its work item first")
        identities.record_verdict(
            connection, journey.id, journey.id, made.lead_id, keep=None, item=None, by=by.name, now=now
        )
        restored = leads.restore(connection, made.lead_id, made.changed or {}, now)
        identities.release(connection, made.lead_id, made.claimed or ())
        assignments.end(connection, [journey_id], EndReason.UNJOINED, now)
        work_items.close_escalations(connection, [journey_id], now)
        person_moves.unjoin(connection, journey_id, now)
        number = actions.record(connection, [journey], ActionKind.UNJOIN, by, now)
    return Unjoined(journey_id, made.lead_id, restored, number)


def _require_asking(connection: Connection, ids: Sequence[int], by: Actor, report: RerunReport) -> list[Item]:
    items = reruns.open_items(connection, ids, by, report)
    for item in items:
        if item.reason not in ASKS:
            raise ActionError(
                f"work item W{item.id} ({item.reason}) does not ask who somebody is; `leadgate review W{item.id}` "
                "tells what can be done"
            )
    return items


def _lead_of(journey: HeldJourney) -> int:
    """A journey that waits for such a decision has a lead. Raises ``ValueError`` where one has none."""
    if journey.lead_id is None:
        raise ValueError(f"journey J{journey.id} has no lead")
    return journey.lead_id


def _find_compared_leads(connection: Connection, journey: HeldJourney) -> list[int]:
    """The leads that the held signal was compared with, the likeliest first."""
    return list(
        connection.execute(
            text("SELECT lead_id FROM lookalike WHERE journey_id = :id AND generation = :generation ORDER BY id"),
            {"id": journey.id, "generation": journey.generation},
        ).scalars()
    )


def _explain_no_join(connection: Connection, journey: LockedJourney) -> str:
    """Why there is nothing to undo, and what there might be."""
    others = connection.execute(
        text("SELECT id FROM journey WHERE lead_id = :lead AND id <> :id AND id <> lead_id ORDER BY id LIMIT 10"),
        {"lead": journey.lead_id, "id": journey.id},
    ).scalars()
    joined = ", ".join(f"J{each}" for each in others)
    hint = f"; of the same lead: {joined}" if joined else ""
    return f"journey J{journey.id} was not taken for another lead's, so there is nothing to undo{hint}"
