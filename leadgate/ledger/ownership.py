"""An owner decides about a lead or a record: accepts it, gives it back, waits for it, goes on, logs what they did.

Belongs here: these decisions, each one transaction that compares what it found and composes what the entities write.
Does not belong here: a statement that writes a table, or what follows for its clocks (follow-up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, ActorError, OwnersAction, may, require
from leadgate.ledger import activities, assignments, handoffs, leads, pauses, pools, records, work_items
from leadgate.ledger.actions import ActionError, record
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import lock_journey, raise_versions
from leadgate.ledger.journeys.transitions import REJECT, REJECT_FOR_GOOD, REJECT_TO_NURTURE, find_handoff
from leadgate.nearest import propose
from leadgate.sla.zones import LAST_YEAR
from leadgate.vocabulary import ActionKind, EndReason, JourneyKind, JourneyStatus, StageName

if TYPE_CHECKING:
    from leadgate.playbook import Playbook


@dataclass(frozen=True, slots=True)
class OwnedJourney:
    """A journey that somebody owns, locked."""

    id: int
    kind: JourneyKind
    lead_id: int | None  # none: it is about a record
    record_id: int | None
    generation: int
    owner: str
    playbook_hash: str  # of the open assignment


def accept(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime) -> int:
    """The owner takes the lead. Returns the action's number.

    Raises ``ActionError`` when nobody owns it, or it was accepted before, and ``ActorError`` when it is not theirs.
    """
    with ledger.transaction() as connection:
        journey = lock_owned_by(connection, journey_id, by, ActionKind.ACCEPT)
        if not assignments.accept(connection, journey.id, now):
            raise ActionError(_explain_accepted(connection, journey))
        schedule_check_now(connection, [journey.id], now)
        return record(connection, [journey], ActionKind.ACCEPT, by, now)


def _explain_accepted(connection: Connection, journey: OwnedJourney) -> str:
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
    """Where a rejected lead goes, in words, and the number that undoes it. ``waits``: another owner is to be found.
    ``turn_back_in``: the pool whose turn the owner has again."""

    goes_to: str
    action: int
    waits: bool
    turn_back_in: str | None = None


#: Where a rejected lead goes: the journey's transition, and in words. A record comes back by its next update, too.
_REJECTED: Final = {
    "nurture": (REJECT_TO_NURTURE, "nurture"),
    "recycle": (REJECT_TO_NURTURE, "nurture until {:%Y-%m-%d}, and through qualification again then"),
    "disqualify": (REJECT_FOR_GOOD, "those that are disqualified"),
    "reassign": (REJECT, "another owner"),
}


def reject(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime, reason: str, playbook: Playbook) -> Rejected:
    """The owner gives the lead or the record back, for one of the reasons that ``playbook``, the whole one, has for it.

    Raises ``ActionError`` when nobody owns it, or the reason is none of the playbook's, and ``ActorError`` when it is
    not theirs.
    """
    ended_as = EndReason.REJECTED.add(reason)
    with ledger.transaction() as connection:
        pools.hold(connection)
        journey = lock_owned_by(connection, journey_id, by, ActionKind.REJECT)
        rules = playbook.for_kind(journey.kind).follow_up
        reasons = {each.name: each for each in rules.reject_reasons}
        if reason not in reasons:
            raise ActionError(f"{reason!r} is no reason of the playbook; {propose(reason, reasons)}")
        given_back = None
        if reasons[reason].gives_turn_back:
            by_turns = [pool.name for pool in playbook.pools if pool.order == "turns"]
            given_back = assignments.give_turn_back(connection, journey.id, by_turns)
        then = reasons[reason].then or rules.rejected
        transition, goes_to = _REJECTED[then]
        back_at = now + (reasons[reason].after or rules.recycle_after)
        assignments.end(connection, [journey.id], ended_as, now)
        handoffs.record(
            connection,
            [(journey.id, journey.generation, journey.playbook_hash)],
            stage=StageName.FOLLOW_UP,
            outcome=find_handoff(transition),
            reason=ended_as,
            now=now,
        )
        person_moves.reject(connection, journey.id, transition, now)
        pauses.end_open(connection, journey.id, by.name, now)
        work_items.close_escalations(connection, [journey.id], now)
        _leave(connection, journey, then, back_at)
        if given_back is not None:
            pools.give_turns_back(connection, [given_back])
        number = record(connection, [journey], ActionKind.REJECT, by, now, note=reason)
    turn_back_in = None if given_back is None else given_back.pool
    return Rejected(goes_to.format(back_at), number, waits=transition is REJECT, turn_back_in=turn_back_in)


def _leave(connection: Connection, journey: OwnedJourney, then: str, back_at: datetime) -> None:
    """When what was given back is looked at again by itself."""
    if journey.lead_id is not None:
        leads.drop_pending_rescores(connection, [journey.lead_id])
        if then == "recycle":
            leads.recycle(connection, [journey.lead_id], back_at)
    elif journey.record_id is not None and then in ("recycle", "disqualify"):
        records.look_again(connection, [journey.record_id], [back_at if then == "recycle" else None])


def schedule_check_now(connection: Connection, journeys: Sequence[int], now: datetime) -> None:
    """Make the next follow-up check of these journeys due now; a check that has read them already decides again."""
    ids = list(journeys)
    raise_versions(connection, ids)
    assignments.look_again(connection, ids, now)


def lock_owned_by(connection: Connection, journey_id: int, by: Actor, action: OwnersAction) -> OwnedJourney:
    """The journey, locked, for an action that is its owner's.

    Raises ``ActionError`` when nobody owns it, and ``ActorError`` when ``by`` may not decide about the owner's leads.
    """
    journey = lock_owned_journey(connection, journey_id, action)
    require(by, action, journey.owner)
    return journey


#: An action as a sentence says it of a journey, where that is not its own word.
_SAID: Final = {ActionKind.WAIT: "wait for"}


def lock_owned_journey(connection: Connection, journey_id: int, action: ActionKind) -> OwnedJourney:
    """The journey, locked. Raises ``ActionError`` when nobody owns it, so that ``action`` cannot be done."""
    row = lock_journey(connection, journey_id)
    if row is None:
        raise ActionError(f"there is no journey J{journey_id}")
    owned = row.status == JourneyStatus.OWNED
    if not owned or row.owner is None or row.playbook_hash is None:
        raise ActionError(
            f"cannot {_SAID.get(action, action)} journey J{journey_id}: it is {row.status}, so nobody owns it now"
        )
    return OwnedJourney(row.id, row.kind, row.lead_id, row.record_id, row.generation, row.owner, row.playbook_hash)


@dataclass(frozen=True)
class Touched:
    """Whether a touch was ``new``, and the action's number when it was."""

    new: bool
    action: int | None


def wait(ledger: Ledger, journey_id: int, *, until: datetime, reason: str, by: Actor, now: datetime) -> int:
    """Wait for the lead: until then its clocks stand still. One that is waited for already is waited for anew, but not
    when the same person asks for the same again: a form that was sent twice. ``reason`` may be empty.

    Returns the action's number. Raises ``ActionError`` when nobody owns the lead, or ``until`` is not ahead, and
    ``ActorError`` when it is not theirs.
    """
    if until.year >= LAST_YEAR:
        raise ActionError(f"a wait ends before {LAST_YEAR}; --until names when the clock runs on")
    if until <= now:
        raise ActionError(f"{until:%Y-%m-%d %H:%M} UTC is not ahead; --until names when the clock runs on")
    with ledger.transaction() as connection:
        journey = lock_owned_by(connection, journey_id, by, ActionKind.WAIT)
        asked = pauses.find_same(connection, journey.id, until=until, reason=reason, by=by.decides_as)
        if asked is not None:
            return asked
        pauses.end_open(connection, journey.id, by.decides_as, now)
        pauses.begin(connection, journey.id, until=until, reason=reason, by=by.decides_as, now=now)
        schedule_check_now(connection, [journey.id], now)
        return record(connection, [journey], ActionKind.WAIT, by, now)


def resume(ledger: Ledger, journey_id: int, *, by: Actor, now: datetime) -> int:
    """The wait is over: the lead's clocks run on. Returns the action's number.

    Raises ``ActionError`` when nobody waits for it, and ``ActorError`` when it is not theirs.
    """
    with ledger.transaction() as connection:
        journey = lock_owned_by(connection, journey_id, by, ActionKind.RESUME)
        if not pauses.end_open(connection, journey.id, by.decides_as, now):
            raise ActionError(f"nobody waits for journey J{journey_id}: its clocks run")
        schedule_check_now(connection, [journey.id], now)
        return record(connection, [journey], ActionKind.RESUME, by, now)


def touch(
    ledger: Ledger, journey_id: int, *, kind: str, rep: str, by: Actor, at: datetime, seconds: int | None, now: datetime
) -> Touched:
    """Log what ``rep`` did about it ``at`` a moment, as ``by`` says. The same again is no second touch.

    Raises ``ActionError`` when nobody owns it, or ``at`` is ahead, and ``ActorError`` when ``by`` may not decide
    about what the owner has, or ``rep`` is somebody else for whom they do not act.
    """
    if at > now:
        raise ActionError(f"{at:%Y-%m-%d %H:%M} UTC is ahead: what has not happened yet cannot be logged")
    with ledger.transaction() as connection:
        journey = lock_owned_by(connection, journey_id, by, ActionKind.TOUCH)
        if not may(by, ActionKind.TOUCH, rep):
            raise ActorError(f"{by.in_words} did not do what {rep} did; only {rep} or their manager may log it")
        logged = activities.log_touch(
            connection, journey.lead_id, journey.record_id, kind=kind, rep=rep, at=at, seconds=seconds, now=now
        )
        schedule_check_now(connection, [journey.id], now)
        if logged is None:
            return Touched(False, None)
        return Touched(True, record(connection, [journey], ActionKind.TOUCH, by, now, note=kind, activity_id=logged))
