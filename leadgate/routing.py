"""Assignment: who gets each lead, by which rule, and why everybody else was passed over.

Belongs here: routes, pools, and what happens when nobody is available. Does not belong here: matching
``when:`` expressions (``rules``), who can take a lead (``roster``), the order of turns (``turns``, ``seats``),
due times (``sla``), and storing any of it.

Rows are decided in the frame's order, because each one changes what is fair and possible for the next.
The state goes in and comes out, so two batches in a row decide what one would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import pandas as pd

from leadgate.nearest import proposal
from leadgate.playbook import Playbook, Route
from leadgate.roster import Load, Roster
from leadgate.seats import HAD_IT, Seats, Trail, candidate
from leadgate.sla import NEVER_DUE, Due, first_due
from leadgate.turns import PoolState

Outcome = Literal["owned", "wait", "hold"]

#: Reasons of rows that are held or wait.
NO_ROUTE: Final = "no_route"
NOBODY_AVAILABLE: Final = "nobody_available"


@dataclass(frozen=True, slots=True)
class Assigned:
    """What ``assign`` decided.

    ``frame`` has the index of the frame that was decided, and the columns

    - ``outcome``: owned, wait or hold; ``reasons``: a tuple of reason codes, empty when owned;
    - ``owner``, ``rule`` (the route that decided), ``pool`` (the one whose clock runs, or None);
    - ``turn``: whether a turn of ``pool`` was taken;
    - ``candidates``: JSON text, a list of ``{"rep", "eligible", "reason", "pool", "turns", "weight"}`` in
      the order they were considered; ``turns`` are those of the epoch before this lead, and both it and
      ``weight`` are null for a rep who was named rather than drawn;
    - ``why``: the same in plain words;
    - ``run_after``: when a waiting lead is tried again; ``sla``, ``due_at`` and ``due_soon_at``: its first
      touch. Timestamps in UTC, NaT where there is none.

    ``pools`` holds every state that went in or was made, equal to the old one where no turn was taken;
    ``loads`` every rep of the playbook.
    """

    frame: pd.DataFrame
    pools: dict[str, PoolState]
    loads: dict[str, Load]


def assign(
    frame: pd.DataFrame,
    playbook: Playbook,
    pools: Mapping[str, PoolState],
    loads: Mapping[str, Load],
    now: datetime,
) -> Assigned:
    """Give every row of ``frame`` an owner, or a reason why not.

    ``frame`` brings ``routes`` (a tuple of the names of all routes that match, in the playbook's order) and
    may bring ``account_owner`` (a rep's name or e-mail address) and ``excluded`` (reps who must not get
    this lead). Pools and reps missing from ``pools`` and ``loads`` start from nothing. ``now`` is aware.

    The first matching route decides. One to the account's owner is passed over when there is no such rep,
    or the rep cannot take it; one to a named rep is not: that lead is held. ``ValueError`` when the
    playbook or the frame names a route, rep, pool, SLA or hours that do not exist.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone: absences and due times depend on it")
    desk = _Desk(playbook, pools, loads, now)
    nothing = [None] * len(frame)
    account_owners = frame["account_owner"].tolist() if "account_owner" in frame else nothing
    excluded = frame["excluded"].tolist() if "excluded" in frame else nothing
    decisions = [
        desk.decide(routes, account_owner, without)
        for routes, account_owner, without in zip(
            map(_names, frame["routes"].tolist()), account_owners, map(_names, excluded), strict=True
        )
    ]
    return Assigned(_framed(decisions, frame.index), desk.states(), desk.roster.loads())


def _names(cell: Any) -> Sequence[str]:
    """A cell that lists names; a missing one lists none."""
    return cell if isinstance(cell, (tuple, list)) else ()


class _Decision(NamedTuple):
    outcome: Outcome
    owner: str | None
    rule: str | None
    pool: str | None
    turn: bool
    candidates: str
    why: str
    run_after: datetime | None
    sla: str | None
    due_at: datetime | None
    due_soon_at: datetime | None
    reasons: tuple[str, ...]


def _framed(decisions: list[_Decision], index: pd.Index[Any]) -> pd.DataFrame:
    cells = zip(*decisions, strict=True) if decisions else [()] * len(_Decision._fields)
    columns: dict[str, Any] = {}
    for name, values in zip(_Decision._fields, cells, strict=True):
        if name in ("run_after", "due_at", "due_soon_at"):
            columns[name] = _moments(values)
        else:
            columns[name] = pd.Series(values, index=index, dtype="bool" if name == "turn" else "object")
    return pd.DataFrame(columns, index=index)


def _moments(values: Sequence[datetime | None]) -> pd.DatetimeIndex:
    """Timestamps in UTC. All come from one ``now``, so a few are converted and the rest looked up."""
    place = {value: i for i, value in enumerate(dict.fromkeys(values))}
    distinct = pd.DatetimeIndex(list(place), dtype="datetime64[us, UTC]")
    return distinct.take([place[value] for value in values])


class _Way(NamedTuple):
    """A route, read once for all leads that match it."""

    kind: str
    target: str
    text: str

    @classmethod
    def of(cls, route: Route) -> _Way:
        kind, _, target = route.to.partition(" ")
        return cls(
            kind,
            target,
            f"Route {route.name}: {route.why.rstrip('.')}." if route.why else f"Route {route.name}.",
        )


class _Desk:
    """Everything that changes while a batch is assigned, and what each lead is decided from."""

    def __init__(
        self, playbook: Playbook, pools: Mapping[str, PoolState], loads: Mapping[str, Load], now: datetime
    ) -> None:
        self.now = now
        self.roster = Roster(playbook, loads, now)
        self.routes = {route.name: _Way.of(route) for route in playbook.routing}
        self.given = pools
        self.seats = {pool.name: Seats(pool, pools.get(pool.name, PoolState()), self.roster) for pool in playbook.pools}
        self.due = {pool.name: first_due(playbook, pool, now) for pool in playbook.pools}
        self.home: dict[str, Due] = {}  # a rep who is named is due as in their first pool with an SLA
        for pool in playbook.pools:
            for member in pool.members:
                if pool.sla is not None:
                    self.home.setdefault(member.rep, self.due[pool.name])

    def states(self) -> dict[str, PoolState]:
        changed = {name: seats.rotation.state() for name, seats in self.seats.items() if seats.drawn}
        return {**self.given, **changed}

    def decide(self, routes: Sequence[str], account_owner: Any, excluded: Sequence[str]) -> _Decision:
        trail = Trail(excluded)
        for name in routes:
            if name not in self.routes:
                raise ValueError(f"the frame names route {name!r}; {proposal(name, self.routes)}")
            kind, target, text = self.routes[name]
            trail.why.append(text)
            if kind == "pool":
                return self._to_pool(name, target, trail)
            if kind == "rep":
                if self._can_take(target, f"route {name}", trail):
                    trail.why.append(f"It names {target}.")
                    return self._owned(name, target, None, trail, self.home.get(target, NEVER_DUE))
                return self._held(name, None, trail)
            owner = self._account_owner(name, account_owner, trail)
            if owner is not None:
                trail.why.append(f"{owner} owns the account.")
                return self._owned(name, owner, None, trail, self.home.get(owner, NEVER_DUE))
        if trail.candidates:
            return self._held(routes[-1], None, trail)
        trail.why.append("No further route matches." if routes else "No route matches.")
        return self._without_owner("hold", None, None, trail, NO_ROUTE)

    def _account_owner(self, route: str, account_owner: Any, trail: Trail) -> str | None:
        if not isinstance(account_owner, str) or not account_owner.strip():
            trail.why.append("The account has no owner.")
            return None
        rep = self.roster.named(account_owner)
        if rep is None:
            trail.why.append("The account's owner is none of the reps.")
            return None
        return rep if self._can_take(rep, f"route {route}", trail) else None

    def _can_take(self, rep: str, named_by: str, trail: Trail, *, even_when_full: bool = False) -> bool:
        self.roster.check(rep, named_by)
        hindered = self.roster.absent[rep] if even_when_full else self.roster.hindered[rep]
        if rep in trail.excluded:
            hindered = HAD_IT
        reason = hindered or f"named by {named_by}"
        trail.candidates.append(candidate(rep, reason, eligible=hindered is None))
        if hindered is not None:
            trail.why.append(f"{rep}: {hindered}.")
        return hindered is None

    def _to_pool(self, rule: str, entry: str, trail: Trail) -> _Decision:
        """The next rep of the pool, or what its policy says when there is none."""
        name, seen = entry, {entry}
        while (rep := self._draw(name, trail)) is None:
            policy = self.seats[name].pool.nobody_available
            trail.why.append(f"Nobody in pool {name} is available.")
            if policy.do == "overflow" and policy.pool is not None and policy.pool not in seen:
                trail.why.append(f"It overflows to pool {policy.pool}.")
                name = policy.pool
                seen.add(name)
            elif policy.do == "assign" and policy.rep is not None:
                trail.why.append(f"Then {policy.rep} is to take it.")
                if self._can_take(policy.rep, f"pool {name}", trail, even_when_full=True):
                    return self._owned(rule, policy.rep, name, trail, self._due_in(name, entry))
                return self._held(rule, name, trail)
            elif policy.do == "wait" and trail.available_later:
                trail.why.append("It is tried again later.")
                again = self.now + policy.retry_after
                return self._without_owner("wait", rule, name, trail, NOBODY_AVAILABLE, again)
            else:
                if policy.do == "wait":
                    trail.why.append("Waiting would change nothing: every member had the lead before.")
                return self._held(rule, name, trail)
        return self._owned(rule, rep, name, trail, self._due_in(name, entry), turn=True)

    def _draw(self, name: str, trail: Trail) -> str | None:
        if name not in self.seats:
            raise ValueError(f"the playbook sends leads to pool {name!r}; {proposal(name, self.seats)}")
        return self.seats[name].draw(trail)

    def _due_in(self, pool: str, entry: str) -> Due:
        """An overflow pool without an SLA of its own does not lift the one of the pool it helps."""
        return self.due[pool] if self.due[pool].sla is not None else self.due[entry]

    def _owned(
        self, rule: str, owner: str, pool: str | None, trail: Trail, due: Due, *, turn: bool = False
    ) -> _Decision:
        if self.roster.give(owner):
            for seats in self.seats.values():
                seats.stale = True
        candidates, why = trail.told()
        return _Decision(
            "owned", owner, rule, pool, turn, candidates, why, None, due.sla, due.due_at, due.due_soon_at, ()
        )

    def _held(self, rule: str, pool: str | None, trail: Trail) -> _Decision:
        return self._without_owner("hold", rule, pool, trail, NOBODY_AVAILABLE)

    def _without_owner(
        self,
        outcome: Outcome,
        rule: str | None,
        pool: str | None,
        trail: Trail,
        reason: str,
        run_after: datetime | None = None,
    ) -> _Decision:
        candidates, why = trail.told()
        return _Decision(outcome, None, rule, pool, False, candidates, why, run_after, None, None, None, (reason,))
