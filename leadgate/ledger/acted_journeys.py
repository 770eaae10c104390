"""The journeys of an action as they are now, beside the action as it was recorded: the basis for undoing it.

Belongs here: this query. Does not belong here: whether the action can be undone (``undo``), or the effects of undoing
it (``undo_effects``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import OPEN, EndReason, JourneyKind, JourneyStatus, StageName


@dataclass(frozen=True, slots=True)
class ActedJourney:
    """A journey of an action.

    The fields ``then_…`` are of the assignment that the action ended, accepted or touched. ``begun_ended_at`` is when
    the wait ended that the action began, ``ended_until`` until when the one was that the action ended, and ``again``
    a wait that goes on. ``other_journey``: another open one of the lead; of a record an owned one, or that of a later
    update. ``held_alone``: the work item that holds the journey holds no other. ``activity_id``,
    ``logged`` and ``occurred_at`` are of the activity that a touch logged. ``then_owned_in`` is the generation of the
    journey in which it has, or had, the assignment of then. ``task_closed_in`` names a CRM in which the follow-up
    task of the assignment is closed.
    """

    id: int
    kind: JourneyKind
    lead_id: int | None
    record_id: int | None
    status: JourneyStatus
    stage: StageName
    generation: int
    version: int
    held_by: int | None
    what: str
    by: str
    acted_for: str | None
    at: datetime
    then_generation: int
    then_version: int | None
    work_item_id: int | None
    owner: str | None
    accepted_at: datetime | None
    touched_at: datetime | None
    assignee: str | None
    route: str | None
    resolution: str | None
    then_assignment: int | None
    then_owner: str | None
    then_ended_at: datetime | None
    then_end_reason: str | None
    then_playbook_hash: str | None
    then_owned_in: int | None
    then_touched_at: datetime | None
    then_last_touched_at: datetime | None
    held_alone: bool | None
    begun_ended_at: datetime | None
    ended_until: datetime | None
    again: int | None
    undone: bool
    other_journey: int | None
    activity_id: int | None
    logged: str | None
    occurred_at: datetime | None
    task_closed_in: str | None

    @property
    def is_first_touch(self) -> bool:
        return self.occurred_at is not None and self.then_touched_at == self.occurred_at

    @property
    def is_ended_by_touch(self) -> bool:
        """The touch has ended the journey, which is over still."""
        if self.status != JourneyStatus.DONE or self.logged is None or self.then_owned_in != self.generation:
            return False
        if self.then_end_reason == EndReason.TOUCHED:
            return self.is_first_touch
        return self.then_end_reason == EndReason.OUTCOME.add(self.logged)


def read_acted_journeys(connection: Connection, number: int, *, lock: bool = True) -> list[ActedJourney]:
    """Each journey of the action ``number``, in order and locked."""
    if lock:
        # before the statement that reads: one that waits for a lock sees what other tables had before it waited
        connection.execute(
            text(
                "SELECT id FROM journey WHERE id IN (SELECT journey_id FROM action WHERE number = :number) "
                "ORDER BY id FOR UPDATE"
            ),
            {"number": number},
        )
    return read_rows(
        connection,
        ActedJourney,
        f"""
        SELECT j.id, j.kind, j.lead_id, j.record_id, j.status, j.stage, j.generation, j.version,
            j.work_item_id AS held_by, x.what, x.by, x.acted_for, x.at, x.generation AS then_generation,
            x.version AS then_version,
            x.work_item_id, a.owner, a.accepted_at, a.touched_at, w.assignee, w.route, w.resolution,
            then_.id AS then_assignment, then_.owner AS then_owner, then_.ended_at AS then_ended_at,
            then_.end_reason AS then_end_reason, then_.playbook_hash AS then_playbook_hash,
            then_.generation AS then_owned_in, then_.touched_at AS then_touched_at,
            then_.last_touched_at AS then_last_touched_at,
            (SELECT h.journey_id FROM work_item h WHERE h.id = j.work_item_id) = j.id AS held_alone,
            begun.ended_at AS begun_ended_at, ended.until AS ended_until, again.id AS again,
            EXISTS (SELECT 1 FROM action u WHERE u.undoes = x.number AND u.journey_id = j.id) AS undone,
            coalesce(
                (SELECT min(o.id) FROM journey o WHERE o.lead_id = j.lead_id AND o.id <> j.id
                    AND o.status = ANY(:open)),
                (SELECT min(o.id) FROM journey o WHERE o.record_id = j.record_id AND o.id <> j.id
                    AND (o.status = 'owned'
                        OR o.id > j.id AND EXISTS (SELECT 1 FROM record_version v WHERE v.journey_id = o.id)))
            ) AS other_journey,
            x.activity_id, t.kind AS logged, t.occurred_at,
            (SELECT min(c.crm) FROM crm_task c WHERE c.journey_id = j.id AND c.generation = then_.generation
                AND c.is_done) AS task_closed_in
        FROM action x JOIN journey j ON j.id = x.journey_id
        LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        LEFT JOIN work_item w ON w.id = x.work_item_id
        LEFT JOIN activity t ON t.id = x.activity_id
        LEFT JOIN LATERAL (SELECT p.* FROM assignment p WHERE p.journey_id = j.id AND {ENDED_OR_NOT}
            AND CASE x.what WHEN 'accept' THEN x.at = p.accepted_at
                WHEN 'touch' THEN x.at BETWEEN p.assigned_at AND coalesce(p.ended_at, x.at) ELSE x.at = p.ended_at END
            ORDER BY p.id DESC LIMIT 1) then_ ON true
        LEFT JOIN LATERAL (SELECT p.ended_at FROM pause p WHERE p.journey_id = j.id AND p.started_at = x.at
            ORDER BY p.id DESC LIMIT 1) begun ON true
        LEFT JOIN LATERAL (SELECT p.until FROM pause p WHERE p.journey_id = j.id AND p.ended_at = x.at
            ORDER BY p.id DESC LIMIT 1) ended ON true
        LEFT JOIN LATERAL (SELECT p.id FROM pause p WHERE p.journey_id = j.id AND p.ended_at IS NULL) again ON true
        WHERE x.number = :number ORDER BY j.id""",
        number=number,
        open=list(OPEN),
    )
