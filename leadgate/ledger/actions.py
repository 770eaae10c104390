"""What people do: rerun, correct, continue by hand, discard; accept and reject.

Belongs here: the transitions that a person makes, each one transaction that compares what it found.
Does not belong here: finding the work items (``reports``) or asking for confirmation (the console).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Row, text

from leadgate.actors import Actor, require
from leadgate.errors import LeadgateError
from leadgate.fields import STANDARD
from leadgate.ledger import bulk, handoffs, leads, outbox, pauses, work_items
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import held_by, lock_journey, raise_versions
from leadgate.ledger.journeys.person_moves import release
from leadgate.ledger.journeys.transitions import REJECT, REJECT_FOR_GOOD, REJECT_TO_NURTURE, handed_off
from leadgate.ledger.work_items import close_work_items
from leadgate.limits import too_long
from leadgate.matching import ASKS
from leadgate.nearest import proposal
from leadgate.vocabulary import StageName

if TYPE_CHECKING:
    from leadgate.playbook import Playbook

#: The reason of a work item about a message that was given up. It holds no lead, and a rerun sends the message again.
UNDELIVERABLE: Final = "undeliverable"

_Group = TypeVar("_Group")


class ActionError(LeadgateError):
    """The action cannot be taken; the message says why, and what can be done instead."""

    http_status = HTTPStatus.CONFLICT


@dataclass
class RerunReport:
    """``released`` journeys wait again; ``skipped`` says which work items were left alone, and why."""

    work_items: int = 0
    released: int = 0
    skipped: list[str] = field(default_factory=list)
    journeys: dict[int, int] = field(default_factory=dict)  # each with the work item that held it
    action: int | None = None  # the number that `leadgate undo` takes; none: it cannot be undone

    def count(self, items: Sequence[Row[Any]], journeys: Sequence[Row[Any]]) -> None:
        self.work_items += len(items)
        self.released += len(journeys)
        self.journeys |= {journey.id: journey.work_item_id for journey in journeys}

    def add(self, other: RerunReport) -> None:
        self.work_items += other.work_items
        self.released += other.released
        self.skipped += other.skipped
        self.journeys |= other.journeys


def rerun(
    ledger: Ledger,
    work_item_ids: Sequence[int],
    *,
    by: str,
    now: datetime,
    playbook: Playbook,
    corrections: Mapping[str, str] | None = None,
) -> RerunReport:
    """Let the journeys of these work items try their stage again, with ``corrections`` to the lead's fields.

    What is held up to validation starts from its signal again, so that a mapping that was mended in the
    playbook counts. A corrected lead is validated again, however far it had come. Rerunning a breaker's
    work item closes the breaker; that of a message that was given up has it delivered. Raises
    ``ActionError`` for a field that does not exist, and for a value that is too long for its field.
    """
    corrections = _accepted(corrections or {}, playbook)
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, report)
        journeys = held_by(connection, [item.id for item in items])
        for item in items:
            if item.reason == UNDELIVERABLE:
                outbox.try_again(connection, item.promise)
        _correct(connection, journeys, corrections, by, now)
        for stage, held in _grouped(journeys, lambda each: _restart(each.stage, corrected=bool(corrections))):
            release(connection, held, stage=stage, now=now)
        conclude(connection, items, journeys, "corrected" if corrections else "rerun", by, now, None)
        report.count(items, journeys)
    return report


def done_by_hand(ledger: Ledger, work_item_ids: Sequence[int], *, by: str, now: datetime, evidence: str) -> RerunReport:
    """A person did what the stage could not, or approves, and answers for it: the journeys go on.

    At validation and enrichment the stage runs again with the broken promise waived, so that the lead is
    still cleaned and identified; from qualification the journey goes on to assignment, as approved.
    Raises ``ActionError`` where nothing can be done by hand: at capture there is no lead yet to go on
    with, and an owner is given by assignment.
    """
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, report)
        for item in items:
            if item.kind == "recovery" and item.reason != UNDELIVERABLE:
                raise ActionError(
                    f"work item W{item.id} is about a run that did not finish, which nobody can do by hand; rerun it"
                )
            if item.reason in ASKS:
                raise ActionError(
                    f"work item W{item.id} asks whether two records are one person: `leadgate review W{item.id} "
                    "--same LEAD`, or --different"
                )
            if item.stage in ("capture", "assignment"):
                instead = (
                    "correct it with --set" if item.stage == "capture" else "add capacity to the pool and rerun it"
                )
                raise ActionError(
                    f"work item W{item.id} is held at {item.stage}, which nobody can do by hand; {instead}"
                )
        journeys = held_by(connection, [item.id for item in items])
        approved = {item.id for item in items if item.stage == "qualification"}
        _approve(connection, [each for each in journeys if each.work_item_id in approved], now)
        waived = {item.id: item.promise for item in items}

        def passes(journey: Row[Any]) -> tuple[str, str | None]:
            if journey.work_item_id in approved:
                return "assignment", None
            return journey.stage, waived[journey.work_item_id]

        for (stage, promise), held in _grouped(journeys, passes):
            release(connection, held, stage=stage, now=now, waived=promise)
        conclude(connection, items, journeys, "done_by_hand", by, now, evidence)
        report.count(items, journeys)
    return report


def discard(ledger: Ledger, work_item_ids: Sequence[int], *, by: str, now: datetime, reason: str) -> RerunReport:
    """End the journeys of these work items for a reason. What was captured stays."""
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, report)
        journeys = held_by(connection, [item.id for item in items])
        person_moves.discard(connection, journeys)
        report.action = conclude(connection, items, journeys, "discarded", by, now, reason)
        report.count(items, journeys)
    return report


def accept(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime) -> int:
    """The owner takes the lead. Returns the action's number.

    Raises ``ActionError`` when nobody owns it, or it was accepted before, and ``ActorError`` when it is not theirs.
    """
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "accept")
        require(by, "accept", journey.owner)
        accepted = connection.execute(
            text(
                "UPDATE assignment SET accepted_at = :now "
                "WHERE journey_id = :id AND ended_at IS NULL AND accepted_at IS NULL"
            ),
            {"id": journey.id, "now": now},
        ).rowcount
        if not accepted:
            raise ActionError(_accepted_before(connection, journey))
        look_now(connection, [journey.id], now)
        return record(connection, [journey], "accept", by, now)


def _accepted_before(connection: Connection, journey: Row[Any]) -> str:
    row = connection.execute(
        text(
            "SELECT a.accepted_at, a.owner, x.by, x.acted_for FROM assignment a LEFT JOIN action x "
            "ON x.journey_id = a.journey_id AND x.what = 'accept' AND x.at = a.accepted_at "
            "WHERE a.journey_id = :id AND a.ended_at IS NULL ORDER BY x.id DESC LIMIT 1"
        ),
        {"id": journey.id},
    ).one()
    who = f"{row.by} accepted it for {row.acted_for}" if row.acted_for else f"{row.by or row.owner} accepted it"
    return f"cannot accept journey J{journey.id} again: {who} at {row.accepted_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Rejected:
    """Where a rejected lead goes, in words, and the number that undoes it. ``waits``: another owner is to be found."""

    goes_to: str
    action: int
    waits: bool


#: Where a rejected lead goes: the journey's transition, and in words.
_REJECTED: Final = {
    "nurture": (REJECT_TO_NURTURE, "nurture"),
    "recycle": (REJECT_TO_NURTURE, "nurture until {:%Y-%m-%d}, and through qualification again then"),
    "disqualify": (REJECT_FOR_GOOD, "the disqualified leads"),
    "reassign": (REJECT, "another owner"),
}


def reject(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime, reason: str, playbook: Playbook) -> Rejected:
    """The owner gives the lead back, for one of the playbook's reasons.

    Raises ``ActionError`` when nobody owns it, or the reason is none of the playbook's, and ``ActorError`` when it is
    not theirs.
    """
    rules = playbook.follow_up
    reasons = {each.name: each for each in rules.reject_reasons}
    if reason not in reasons:
        raise ActionError(f"{reason!r} is no reason of the playbook; {proposal(reason, reasons)}")
    then = reasons[reason].then or rules.rejected
    transition, goes_to = _REJECTED[then]
    back_at = now + (reasons[reason].after or rules.recycle_after)
    with ledger.transaction() as connection:
        journey = owned_journey(connection, journey_id, "reject")
        require(by, "reject", journey.owner)
        connection.execute(
            text(
                "UPDATE assignment SET ended_at = :now, end_reason = :reason "
                "WHERE journey_id = :id AND ended_at IS NULL"
            ),
            {"id": journey.id, "now": now, "reason": f"rejected: {reason}"},
        )
        handoffs.record(
            connection,
            [(journey.id, journey.generation, journey.playbook_hash)],
            stage=StageName.FOLLOW_UP,
            outcome=handed_off(transition),
            reason=f"rejected: {reason}",
            now=now,
        )
        person_moves.reject(connection, journey.id, transition, now)
        pauses.end_open(connection, journey.id, by.name, now)
        work_items.close_escalations(connection, [journey.id], now)
        leads.forget_news(connection, [journey.lead_id])
        if then == "recycle":
            leads.recycle(connection, [journey.lead_id], back_at)
        number = record(connection, [journey], "reject", by, now, note=reason)
    return Rejected(goes_to.format(back_at), number, waits=transition is REJECT)


def look_now(connection: Connection, journeys: Sequence[int], now: datetime) -> None:
    """The next follow-up check looks at the journeys; one that has read them already decides again."""
    ids = list(journeys)
    raise_versions(connection, ids)
    connection.execute(
        text("UPDATE assignment SET next_check_at = :now WHERE journey_id = ANY(:ids) AND ended_at IS NULL"),
        {"ids": ids, "now": now},
    )


def _restart(stage: str, *, corrected: bool) -> str:
    """Where a journey that was held at ``stage`` starts again."""
    if stage in ("capture", "validation"):
        return "capture"
    return "validation" if corrected else stage


def _accepted(corrections: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """The corrections as the ledger can hold them. Raises ``ActionError`` for a field or a value that it cannot."""
    known = [*STANDARD, *playbook.fields]
    for name, value in corrections.items():
        if name not in known:
            raise ActionError(f"a lead has no field {name!r}; {proposal(name, known)}")
        if (problem := too_long(name, value)) is not None:
            raise ActionError(f"the correction does not fit its field ({problem}); give a shorter one")
    return {name: bulk.storable(value) for name, value in corrections.items()}


def open_items(connection: Connection, ids: Sequence[int], report: RerunReport) -> list[Row[Any]]:
    """The open ones of ``ids`` that a person can decide, locked in order; the others are noted as skipped."""
    rows = connection.execute(
        text(
            "SELECT id, kind, stage, reason, promise, blocking, closed_at, resolution FROM work_item "
            "WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"
        ),
        {"ids": list(ids)},
    ).fetchall()
    for missing in sorted(set(ids) - {row.id for row in rows}):
        report.skipped.append(f"work item W{missing} does not exist")
    usable = []
    for row in rows:
        if row.closed_at is not None:
            report.skipped.append(f"work item W{row.id} is closed already ({row.resolution})")
        elif not row.blocking and row.reason != UNDELIVERABLE:
            report.skipped.append(
                f"work item W{row.id} ({row.reason}) holds no journey; it closes when the lead is followed up"
            )
        else:
            usable.append(row)
    return usable


def owned_journey(connection: Connection, journey_id: int, what: str) -> Row[Any]:
    """The journey, locked. Raises ``ActionError`` when nobody owns it, so that nobody can ``what`` it."""
    row = lock_journey(connection, journey_id)
    if row is None:
        raise ActionError(f"there is no journey J{journey_id}")
    if row.status != "owned" or row.owner is None:
        raise ActionError(f"cannot {what} journey J{journey_id}: it is {row.status}, so nobody owns it now")
    return row


def _grouped(journeys: Sequence[Row[Any]], by: Callable[[Row[Any]], _Group]) -> Iterable[tuple[_Group, list[Row[Any]]]]:
    """The journeys that have the same answer to ``by``, together."""
    groups: dict[_Group, list[Row[Any]]] = {}
    for journey in journeys:
        groups.setdefault(by(journey), []).append(journey)
    return groups.items()


#: Journeys as rows ``j`` of a statement with the parameters of ``_listed``.
_JOURNEYS: Final = "unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[])) AS j(id, generation)"


def _listed(journeys: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        "ids": [journey.id for journey in journeys],
        "generations": [journey.generation for journey in journeys],
    }


def _correct(
    connection: Connection, journeys: Sequence[Row[Any]], corrections: Mapping[str, str], by: str, now: datetime
) -> None:
    """Keep the corrections, and write them to the leads as if they had been captured so."""
    # a journey that is still at capture has no lead, and reads the corrections itself
    leads = [journey.lead_id for journey in journeys if journey.lead_id is not None]
    for name, value in corrections.items():
        connection.execute(
            text(
                "INSERT INTO correction (journey_id, generation, field, value, by, at) "
                "SELECT id, generation + 1, CAST(:field AS text), CAST(:value AS text), CAST(:by AS text), :now "
                f"FROM {_JOURNEYS} ORDER BY id"
            ),
            _listed(journeys) | {"field": name, "value": value, "by": by, "now": now},
        )
        if name in STANDARD:
            statement, written = f"UPDATE lead SET {name} = :value WHERE id = ANY(:leads)", value or None
        else:
            statement = (
                "UPDATE lead SET custom = coalesce(custom, '{}') || CAST(:value AS jsonb) WHERE id = ANY(:leads)"
            )
            written = orjson.dumps({name: value}).decode()
        connection.execute(text(statement), {"leads": leads, "value": written})


_APPROVED: Final = "A person approved the lead"


def _approve(connection: Connection, journeys: Sequence[Row[Any]], now: datetime) -> None:
    """The verdict after a review: the same score, qualified by a person."""
    connection.execute(
        text(
            f"""
            INSERT INTO qualification (journey_id, generation, fit, engagement, score, fit_grade, engagement_grade,
                grade, contributions, details, was, qualified_as, outcome, reasons, evidence, playbook_hash, at)
            SELECT q.journey_id, j.generation + 1, q.fit, q.engagement, q.score, q.fit_grade, q.engagement_grade,
                q.grade, q.contributions, q.details, q.was, 'marketing_qualified', 'continue',
                CAST(:reasons AS jsonb), q.evidence, q.playbook_hash, :now
            FROM {_JOURNEYS} CROSS JOIN LATERAL (SELECT * FROM qualification each WHERE each.journey_id = j.id
                ORDER BY each.generation DESC LIMIT 1) q
            ORDER BY j.id"""
        ),
        _listed(journeys) | {"reasons": orjson.dumps([_APPROVED]).decode(), "now": now},
    )


def conclude(
    connection: Connection,
    items: Sequence[Row[Any]],
    journeys: Sequence[Row[Any]],
    resolution: str,
    by: str,
    now: datetime,
    note: str | None,
) -> int:
    """Close ``items``, and keep what was done to the ``journeys`` that they held (rows of ``locking.held_by``).

    Returns the action's number.
    """
    ids = [item.id for item in items]
    close_work_items(connection, ids, by=by, resolution=resolution, now=now)
    connection.execute(text("UPDATE work_item SET note = :note WHERE id = ANY(:ids)"), {"ids": ids, "note": note})
    connection.execute(
        text("UPDATE breaker SET state = '{}', work_item_id = NULL WHERE work_item_id = ANY(:ids)"), {"ids": ids}
    )
    return _keep_actions(
        connection, journeys, [journey.work_item_id for journey in journeys], resolution, Actor(by), now
    )


def record(
    connection: Connection,
    journeys: Sequence[Row[Any]],
    what: str,
    by: Actor,
    now: datetime,
    work_item_id: int | None = None,
    *,
    note: str | None = None,
    undoes: int | None = None,
) -> int:
    """Keep who did ``what`` to each journey (``id``, and ``generation`` before the action), once it is done.

    Append-only. Returns the action's number.
    """
    items = [work_item_id] * len(journeys)
    return _keep_actions(connection, journeys, items, what, by, now, note=note, undoes=undoes)


def _keep_actions(
    connection: Connection,
    journeys: Sequence[Row[Any]],
    items: Sequence[int | None],
    what: str,
    by: Actor,
    now: datetime,
    *,
    note: str | None = None,
    undoes: int | None = None,
) -> int:
    number: int = connection.execute(text("SELECT nextval(pg_get_serial_sequence('action', 'id'))")).scalar_one()
    connection.execute(
        text(
            "INSERT INTO action (journey_id, work_item_id, generation, what, by, acted_for, at, note, version, number, "
            "undoes) SELECT j.id, acted.item, acted.generation, CAST(:what AS text), CAST(:by AS text), "
            "CAST(:acted_for AS text), :now, CAST(:note AS text), j.version, :number, CAST(:undoes AS bigint) "
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[]), CAST(:items AS bigint[])) "
            "AS acted(id, generation, item) JOIN journey j ON j.id = acted.id ORDER BY j.id"
        ),
        _listed(journeys)
        | {
            "items": list(items),
            "what": what,
            "by": by.name,
            "acted_for": by.acts_for,
            "now": now,
            "note": note,
            "number": number,
            "undoes": undoes,
        },
    )
    return number
