"""Leads that a person gives to somebody else, takes away, or moves with a leaver's whole book.

Belongs here: one transaction for each of them, and the race for a pool's turns. Does not belong here: who gets a
lead (``leadgate.assignment.reassignment``), the queries (``ledger.reassignments``), or the words for a screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.actors import Actor, OwnersAction, require
from leadgate.assignment import reassignment
from leadgate.assignment.absences import add_absences
from leadgate.assignment.assignment_result import Assigned
from leadgate.assignment.availability import Load, find_pools_sharing_reps
from leadgate.assignment.pool_assignment import describe_candidates
from leadgate.assignment.rotation import PoolState
from leadgate.ledger import Ledger, absences, bulk, ownership, pools, races, reassignments
from leadgate.ledger.actions import ActionError
from leadgate.ledger.batches import Conflict, applying
from leadgate.ledger.pools import StoredTurns
from leadgate.ledger.reassignments import TakenAway
from leadgate.ledger.work_items import NewWorkItem
from leadgate.masking import mask_within
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.routing import SlaClock
from leadgate.vocabulary import ActionKind, AssignmentMethod, StageName, WorkItemKind
from tasks import playbook_in_use
from tasks.assignment import read_loads
from tasks.work_items import build_work_item

UNASSIGNED: Final = "unassigned"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Handed:
    """One lead: who had it, and who has it now (``owner``), or ``why`` it stays with whom it was."""

    journey_id: int
    lead_id: int
    had_it: str
    owner: str | None
    pool: str | None
    why: str
    due_at: datetime | None = None
    action: int | None = None  # the number that undoes it


@dataclass(frozen=True)
class Transfer:
    """A leaver's book: what was ``placed``, and what is ``left`` with them."""

    rep: str
    clock: SlaClock
    placed: list[Handed] = field(default_factory=list)
    left: list[Handed] = field(default_factory=list)
    action: int | None = None  # the number that undoes it

    @property
    def by_owner(self) -> dict[str, int]:
        """How many leads each new owner gets, most first."""
        return dict(Counter(str(each.owner) for each in self.placed).most_common())


def reassign(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    journey_id: int,
    *,
    rep: str | None = None,
    pool: str | None = None,
    anyway: bool = False,
    reason: str,
    by: Actor,
    now: datetime,
    generation: int | None = None,
) -> Handed:
    """The lead to ``rep``, or to whose turn it is in ``pool``. Raises ``ActionError`` when that is not possible.

    ``generation`` is the journey's that ``by`` has seen: one that has changed hands since is not handed over.
    """
    reason = _clean_reason(reason)
    playbook = loaded.playbook
    _require_pool(playbook, pool)

    def attempt(connection: Connection, *, locked: bool) -> Handed:
        frame = _read_owned(connection, journey_id, by, ActionKind.REASSIGN)
        if generation is not None and int(frame["generation"].iloc[0]) != generation:
            raise ActionError(f"journey J{journey_id} has changed hands meanwhile: {frame['had_it'].iloc[0]} has it")
        before, loads, book = _read_state(connection, playbook, now)
        if rep is not None:
            if frame["had_it"].iloc[0] == rep:
                raise ActionError(f"{rep} has journey J{journey_id} already")
            assigned = _assign_to_rep(frame, rep, book, loads, now, anyway=anyway)
        else:
            states = {name: PoolState.from_dict(state) for name, (state, _) in before.items()}
            method = AssignmentMethod.REASSIGN
            assigned = reassignment.to_pools(frame, [pool], book, states, loads, now, method=method)
        decided = _apply_assignment(frame, assigned, playbook.reassignments.on_reassign, book, now)
        (handed,) = _list_handed(decided)
        if handed.owner is None:
            raise ActionError(f"nobody in pool {pool} can take it: {handed.why}")
        number = _store(
            connection, loaded, decided, before, assigned, AssignmentMethod.REASSIGN, reason, by, now, locked=locked
        )
        return replace(handed, action=number)

    return _retry_races(ledger, loaded, now, attempt)


def follow_owner(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    journey_id: int,
    assignment_id: int,
    rep: str,
    *,
    reason: str,
    by: str,
    now: datetime,
) -> Handed | None:
    """The lead to ``rep``, whom somebody has given it to in a CRM already, also when they are away or at a cap.

    None when the assignment is not the open one any more: what has happened since is later.
    """
    playbook = loaded.playbook

    def attempt(connection: Connection, *, locked: bool) -> Handed | None:
        frame = reassignments.lock_owned(connection, journey_id)
        if frame.empty or frame["assignment_id"].iloc[0] != assignment_id or frame["had_it"].iloc[0] == rep:
            return None
        before, loads, book = _read_state(connection, playbook, now)
        assigned = _assign_to_rep(frame, rep, book, loads, now, anyway=True)
        decided = _apply_assignment(frame, assigned, playbook.reassignments.on_reassign, book, now)
        (handed,) = _list_handed(decided)
        method = AssignmentMethod.REASSIGN
        number = _store(connection, loaded, decided, before, assigned, method, reason, Actor(by), now, locked=locked)
        return replace(handed, action=number)

    return _retry_races(ledger, loaded, now, attempt)


def _assign_to_rep(
    frame: pd.DataFrame, rep: str, playbook: Playbook, loads: dict[str, Load], now: datetime, *, anyway: bool
) -> Assigned:
    chosen = frame.assign(excluded=pd.Series([()] * len(frame), index=frame.index, dtype=object))
    return reassignment.to_rep(chosen, rep, playbook, loads, now, anyway=anyway)


def unassign(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    journey_id: int,
    *,
    nurture: bool = False,
    reason: str,
    by: Actor,
    now: datetime,
) -> TakenAway:
    """The lead has no owner any more: a work item asks where it goes, or it is nurtured.

    Raises ``ActionError`` when nobody owns it, and ``ActorError`` when it is not theirs to give.
    """
    reason = _clean_reason(reason)

    def attempt(connection: Connection, *, locked: bool) -> TakenAway:
        frame = _read_owned(connection, journey_id, by, ActionKind.UNASSIGN)
        item = None if nurture else _build_work_item(frame, loaded.playbook, reason, now)
        return reassignments.take_away(
            connection, frame, work_item=item, reason=reason, by=by, now=now, playbook_hash=loaded.hash
        )

    return _retry_races(ledger, loaded, now, attempt)


def transfer(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    rep: str,
    *,
    to_pool: str | None = None,
    to_rep: str | None = None,
    journeys: Collection[int] | None = None,
    dry_run: bool = False,
    reason: str,
    by: Actor,
    now: datetime,
) -> Transfer:
    """All that ``rep`` has to the other members of their pools, or to ``to_pool``, by fair turns; or to ``to_rep``.

    With ``journeys`` only what they have of these. What nobody can take, because everybody is away or at a cap, stays,
    and says why. ``dry_run`` stores nothing. Raises ``ActionError`` for nobody of that name, and when ``rep`` has none
    of ``journeys`` any more.
    """
    reason = _clean_reason(reason)
    playbook = loaded.playbook
    _require_pool(playbook, to_pool)
    if to_rep == rep:
        raise ActionError(f"{rep} has them already")

    def attempt(connection: Connection, *, locked: bool) -> Transfer:
        frame = reassignments.lock_all_owned(connection, rep, journeys)
        clock = playbook.reassignments.on_transfer
        if frame.empty and journeys is not None:
            raise ActionError(f"{rep} has none of these leads any more; look at the list again")
        if frame.empty:
            known = {each.name for each in playbook.reps}
            if rep not in known:
                raise ActionError(f"{rep!r} is no rep, and has no leads; {propose(rep, known)}")
            return Transfer(rep, clock)
        if not dry_run:
            require(by, ActionKind.TRANSFER, rep)
        before, loads, book = _read_state(connection, playbook, now)
        states = {name: PoolState.from_dict(state) for name, (state, _) in before.items()}
        pools, method = reassignment.find_target_pools(frame, rep, book, to_pool), AssignmentMethod.TRANSFER
        if to_rep is not None:
            assigned = _assign_to_rep(frame, to_rep, book, loads, now, anyway=False)
        else:
            assigned = reassignment.to_pools(
                frame, pools, book, states, loads, now, method=method, why=f"{rep}'s leads", leaver=rep
            )
        decided = _apply_assignment(frame, assigned, clock, book, now)
        told = _list_handed(decided)
        number = None
        if not dry_run:
            placed = decided[decided["owner"].notna()]
            number = _store(connection, loaded, placed, before, assigned, method, reason, by, now, locked=locked)
        return Transfer(
            rep,
            clock,
            [each for each in told if each.owner is not None],
            [each for each in told if each.owner is None],
            number,
        )

    return _retry_races(ledger, loaded, now, attempt)


def _retry_races(ledger: Ledger, loaded: LoadedPlaybook, now: datetime, attempt: Callable[..., _T]) -> _T:
    """``attempt`` in a transaction, again when somebody else took a turn meanwhile; in the end without rivals."""
    playbook_in_use.keep(ledger, loaded, now)
    for race in races.make_attempts(ledger):
        with race as locked:
            try:
                with applying(ledger) as connection:
                    return attempt(connection, locked=locked)
            except reassignment.ReassignmentError as error:
                raise ActionError(str(error)) from error
    raise Conflict(f"lost the race for a pool's turn {races.MAX_ATTEMPTS} times; try it again")


def _read_state(
    connection: Connection, playbook: Playbook, now: datetime
) -> tuple[dict[str, StoredTurns], dict[str, Load], Playbook]:
    """The stored turns, the loads, and the playbook with those who have said that they are away."""
    book = add_absences(playbook, absences.read_absences(connection, now))
    return pools.read_stored_turns(connection), read_loads(connection, playbook, now), book


def _read_owned(connection: Connection, journey_id: int, by: Actor, action: OwnersAction) -> pd.DataFrame:
    ownership.lock_owned_by(connection, journey_id, by, action).require_lead(ActionKind(action))
    return reassignments.lock_owned(connection, journey_id)


def _apply_assignment(
    frame: pd.DataFrame, assigned: Assigned, clock: SlaClock, playbook: Playbook, now: datetime
) -> pd.DataFrame:
    """``frame`` with the new owner and everything about them; what they were drawn from wins over what was."""
    new = reassignment.with_clock(assigned.frame, frame, clock, playbook, now)
    kept = frame[[name for name in frame.columns if name not in new.columns]]
    return pd.concat([kept, new], axis=1)


def _list_handed(decided: pd.DataFrame) -> list[Handed]:
    columns = ("journey_id", "lead_id", "had_it", "owner", "pool", "candidates", "due_at")
    rows = zip(*(bulk.list_values(decided[name]) for name in columns), strict=True)
    return [
        Handed(journey, lead, had_it, owner, pool, "" if owner else _explain_unassigned(candidates, pool), due)
        for journey, lead, had_it, owner, pool, candidates, due in rows
    ]


def _explain_unassigned(candidates: str, pool: str | None) -> str:
    considered = describe_candidates(orjson.loads(candidates))
    if considered:
        return considered
    return f"nobody else is in pool {pool}" if pool else "it came by no pool; name one with --to-pool"


def _store(
    connection: Connection,
    loaded: LoadedPlaybook,
    decided: pd.DataFrame,
    before: dict[str, StoredTurns],
    assigned: Assigned,
    method: AssignmentMethod,
    reason: str,
    by: Actor,
    now: datetime,
    *,
    locked: bool,
) -> int | None:
    if decided.empty:
        return None
    states = {
        name: state.to_dict()
        for name, state in assigned.pools.items()
        if name not in before or state != PoolState.from_dict(before[name][0])
    }
    used = find_pools_sharing_reps(loaded.playbook, {*states, *decided["pool"].dropna()}, set(decided["owner"]))
    versions = {name: before[name][1] for name in used if name in before}
    pools.take_turns(connection, versions=versions, states=states, locked=locked)
    next_check_at = decided["due_soon_at"].where(decided["clock_from"].isna(), now)
    return reassignments.hand_over(
        connection,
        decided.assign(next_check_at=next_check_at),
        method=method,
        reason=reason,
        by=by,
        now=now,
        playbook_hash=loaded.hash,
    )


def _build_work_item(frame: pd.DataFrame, playbook: Playbook, reason: str, now: datetime) -> NewWorkItem:
    row = frame.iloc[0]
    return build_work_item(
        playbook,
        StageName.ASSIGNMENT,
        now,
        kind=WorkItemKind.EXCEPTION,
        blocking=True,
        reason=UNASSIGNED,
        source=row["source"],
        journey_id=int(row["journey_id"]),
        generation=int(row["generation"]) + 1,
        message=f"It was taken from {row['had_it']} and has no owner; a rerun finds one.",
        detail=reason,
    )


def _clean_reason(reason: str) -> str:
    """A person's words, which may name the lead. They are shown in lists: an address or a number in them is masked."""
    plain = mask_within(" ".join(reason.replace("\x00", "").split()))[:200]
    if not plain:
        raise ActionError("a reason is needed: it is kept with the lead")
    return plain


def _require_pool(playbook: Playbook, pool: str | None) -> None:
    known = [each.name for each in playbook.pools]
    if pool is not None and pool not in known:
        raise ActionError(f"{pool!r} is no pool of the playbook; {propose(pool, known)}")
