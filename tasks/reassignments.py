"""Leads and records that a person gives to somebody else, takes away, or moves with a leaver's whole book.

Belongs here: one transaction for each of them, and the race for a pool's turns. Does not belong here: who gets
each (``leadgate.assignment.reassignment``), the queries (``ledger.reassignments``), or the words for a screen.

Pools keep their turns for each kind of journey apart, and each kind has its own SLAs: what is of one kind is placed
together, by the playbook as it is for the kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

import pandas as pd
from sqlalchemy import Connection

from leadgate.actors import Actor, OwnersAction, require
from leadgate.assignment import reassignment
from leadgate.assignment.absences import add_absences
from leadgate.assignment.assignment_result import Assigned
from leadgate.assignment.availability import Load, find_pools_sharing_reps
from leadgate.assignment.rotation import PoolState
from leadgate.ledger import Ledger, absences, ownership, pools, races, reassignments
from leadgate.ledger.actions import ActionError
from leadgate.ledger.batches import Conflict, applying
from leadgate.ledger.pools import StoredTurns
from leadgate.ledger.reassignments import TakenAway
from leadgate.ledger.work_items import NewWorkItem
from leadgate.masking import mask_within
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.routing import SlaClock
from leadgate.vocabulary import ActionKind, AssignmentMethod, JourneyKind, StageName, WorkItemKind
from tasks import playbook_in_use
from tasks.assignment import read_loads
from tasks.handed_over import Handed, list_handed
from tasks.work_items import build_work_item

UNASSIGNED: Final = "unassigned"

_T = TypeVar("_T")


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
        """How many leads and records each new owner gets, most first."""
        return dict(Counter(str(each.owner) for each in self.placed).most_common())


@dataclass(frozen=True)
class _Turns:
    """What was placed of one kind, and the pools' turns of the kind before and after."""

    view: Playbook
    frame: pd.DataFrame
    before: dict[str, StoredTurns]
    after: dict[str, PoolState]


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
    """The lead or record to ``rep``, or to whose turn it is in ``pool``. Raises ``ActionError`` when that cannot be.

    ``generation`` is the journey's that ``by`` has seen: one that has changed hands since is not handed over.
    """
    reason = _clean_reason(reason)
    playbook = loaded.playbook
    _require_pool(playbook, pool)

    def attempt(connection: Connection, *, locked: bool) -> Handed:
        frame = _read_owned(connection, journey_id, by, ActionKind.REASSIGN)
        if generation is not None and int(frame["generation"].iloc[0]) != generation:
            raise ActionError(f"journey J{journey_id} has changed hands meanwhile: {frame['had_it'].iloc[0]} has it")
        view = playbook.for_kind(JourneyKind(frame["kind"].iloc[0]))
        before, loads, book = _read_state(connection, view, now)
        if rep is not None:
            if frame["had_it"].iloc[0] == rep:
                raise ActionError(f"{rep} has journey J{journey_id} already")
            assigned = _assign_to_rep(frame, rep, book, loads, now, anyway=anyway)
        else:
            states = {name: PoolState.from_dict(state) for name, (state, _) in before.items()}
            method = AssignmentMethod.REASSIGN
            assigned = reassignment.to_pools(frame, [pool], book, states, loads, now, method=method)
        decided = _apply_assignment(frame, assigned, playbook.reassignments.on_reassign, book, now)
        (handed,) = list_handed(decided)
        if handed.owner is None:
            raise ActionError(f"nobody in pool {pool} can take it: {handed.why}")
        turns = [_Turns(view, decided, before, assigned.pools)]
        number = _store(connection, loaded, turns, AssignmentMethod.REASSIGN, reason, by, now, locked=locked)
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
        view = playbook.for_kind(JourneyKind(frame["kind"].iloc[0]))
        before, loads, book = _read_state(connection, view, now)
        assigned = _assign_to_rep(frame, rep, book, loads, now, anyway=True)
        decided = _apply_assignment(frame, assigned, playbook.reassignments.on_reassign, book, now)
        (handed,) = list_handed(decided)
        turns = [_Turns(view, decided, before, assigned.pools)]
        number = _store(connection, loaded, turns, AssignmentMethod.REASSIGN, reason, Actor(by), now, locked=locked)
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
    """The lead or record has no owner any more: a work item asks where it goes, or it is nurtured.

    Raises ``ActionError`` when nobody owns it, and ``ActorError`` when it is not theirs to give.
    """
    reason = _clean_reason(reason)

    def attempt(connection: Connection, *, locked: bool) -> TakenAway:
        frame = _read_owned(connection, journey_id, by, ActionKind.UNASSIGN)
        view = loaded.playbook.for_kind(JourneyKind(frame["kind"].iloc[0]))
        item = None if nurture else _build_work_item(frame, view, reason, now)
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
        turns = [
            _place(connection, playbook.for_kind(kind), frame[frame["kind"] == kind], rep, to_pool, to_rep, now)
            for kind in JourneyKind
            if (frame["kind"] == kind).any()
        ]
        told = [each for of_kind in turns for each in list_handed(of_kind.frame)]
        number = None
        if not dry_run:
            placed = [replace(each, frame=each.frame[each.frame["owner"].notna()]) for each in turns]
            number = _store(connection, loaded, placed, AssignmentMethod.TRANSFER, reason, by, now, locked=locked)
        return Transfer(
            rep,
            clock,
            [each for each in told if each.owner is not None],
            [each for each in told if each.owner is None],
            number,
        )

    return _retry_races(ledger, loaded, now, attempt)


def _place(
    connection: Connection,
    view: Playbook,
    frame: pd.DataFrame,
    leaver: str,
    to_pool: str | None,
    to_rep: str | None,
    now: datetime,
) -> _Turns:
    """What ``leaver`` has of the kind of ``view``, placed. What nobody can take has no owner in the frame."""
    before, loads, book = _read_state(connection, view, now)
    states = {name: PoolState.from_dict(state) for name, (state, _) in before.items()}
    if to_rep is not None:
        assigned = _assign_to_rep(frame, to_rep, book, loads, now, anyway=False)
    else:
        pools, why = reassignment.find_target_pools(frame, leaver, book, to_pool), f"{leaver}'s {view.kind.plural}"
        assigned = reassignment.to_pools(
            frame, pools, book, states, loads, now, method=AssignmentMethod.TRANSFER, why=why, leaver=leaver
        )
    decided = _apply_assignment(frame, assigned, view.reassignments.on_transfer, book, now)
    return _Turns(view, decided, before, assigned.pools)


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
    """The stored turns of the kind that ``playbook`` is for, the loads, and the playbook with those who have said that
    they are away."""
    book = add_absences(playbook, absences.read_absences(connection, now))
    pools.add_pools(connection, [pool.name for pool in playbook.pools], playbook.kind)
    return pools.read_stored_turns(connection, playbook.kind), read_loads(connection, playbook, now), book


def _read_owned(connection: Connection, journey_id: int, by: Actor, action: OwnersAction) -> pd.DataFrame:
    ownership.lock_owned_by(connection, journey_id, by, action)
    return reassignments.lock_owned(connection, journey_id)


def _apply_assignment(
    frame: pd.DataFrame, assigned: Assigned, clock: SlaClock, playbook: Playbook, now: datetime
) -> pd.DataFrame:
    """``frame`` with the new owner and everything about them; what they were drawn from wins over what was."""
    new = reassignment.with_clock(assigned.frame, frame, clock, playbook, now)
    kept = frame[[name for name in frame.columns if name not in new.columns]]
    return pd.concat([kept, new], axis=1)


def _store(
    connection: Connection,
    loaded: LoadedPlaybook,
    turns: Sequence[_Turns],
    method: AssignmentMethod,
    reason: str,
    by: Actor,
    now: datetime,
    *,
    locked: bool,
) -> int | None:
    """Take the turns of each kind, and hand all of it over as one action: its number. None for nothing."""
    taken = [each for each in turns if not each.frame.empty]
    if not taken:
        return None
    for each in taken:
        _take_turns(connection, each, locked=locked)
    decided = pd.concat([each.frame for each in taken]).sort_values("journey_id", ignore_index=True)
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


def _take_turns(connection: Connection, turns: _Turns, *, locked: bool) -> None:
    before, frame = turns.before, turns.frame
    states = {
        name: state.to_dict()
        for name, state in turns.after.items()
        if name not in before or state != PoolState.from_dict(before[name][0])
    }
    used = find_pools_sharing_reps(turns.view, {*states, *frame["pool"].dropna()}, set(frame["owner"]))
    versions = {name: before[name][1] for name in used if name in before}
    pools.take_turns(connection, versions=versions, states=states, locked=locked, kind=turns.view.kind)


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
