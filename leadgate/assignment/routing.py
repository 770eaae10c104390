"""Assignment: who gets each lead, by which rule, and why everybody else was passed over.

Belongs here: routes, pools, and what happens when nobody is available. Does not belong here: matching
``when:`` expressions (``rules``), who can take a lead (``availability``), the order of turns
(``rotation``, ``pool_assignment``), due times (``sla_targets``), and storing any of it.

Rows are decided in the frame's order, because each one changes what is fair and possible for the next.
The state goes in and comes out, so two batches in a row decide what one would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import pandas as pd

from leadgate.assignment.assignment_result import (
    NO_ROUTE,
    NOBODY_AVAILABLE,
    Assigned,
    AssignmentOutcome,
    Decision,
    build_decision_frame,
)
from leadgate.assignment.availability import Availability, Load
from leadgate.assignment.pool_assignment import HAD_IT, TRY_AGAIN, DecisionTrace, PoolAssignment, format_candidate
from leadgate.assignment.rotation import PoolState
from leadgate.assignment.skill_match import NO_REQUIREMENTS, Requirements, read_requirements
from leadgate.nearest import propose
from leadgate.playbook import Playbook, Route
from leadgate.sla.sla_targets import NEVER_DUE, Due, compute_first_due
from leadgate.vocabulary import AssignmentMethod, Outcome


def assign(
    frame: pd.DataFrame,
    playbook: Playbook,
    pools: Mapping[str, PoolState],
    loads: Mapping[str, Load],
    now: datetime,
    method: AssignmentMethod = AssignmentMethod.ROUTE,
    *,
    alone: bool = False,
) -> Assigned:
    """Give every row of ``frame`` an owner, or a reason why not.

    ``frame`` brings ``routes`` (a tuple of the names of all routes that match, in the playbook's order) and
    may bring ``account_owner``, ``earlier_owner`` and ``record_owner`` (a rep's name or e-mail address), ``language``
    and ``product`` (what the lead asks for), and ``excluded`` (reps who must not get this lead). Pools and reps
    missing from ``pools`` and ``loads`` start from nothing. ``now`` is aware. ``method``: whether a person chose the
    routes; the reasons say so. ``alone``: every row is decided as if it were the only one.

    The first matching route decides. One to a person is passed over when there is no such rep, and does what
    it says when the rep cannot take the lead (``when_away``). ``ValueError`` when the playbook or the frame
    names a route, rep, pool, SLA or hours that do not exist.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone: absences and due times depend on it")
    leads = read_leads(frame)
    if alone:
        each = [choose_owners([lead], playbook, pools, loads, now, method) for lead in leads]
        decisions, last = [one.decisions[0] for one in each], choose_owners([], playbook, pools, loads, now, method)
    else:
        last = choose_owners(leads, playbook, pools, loads, now, method)
        decisions = last.decisions
    return Assigned(build_decision_frame(decisions, frame.index), last.pools, last.loads)


def read_leads(frame: pd.DataFrame) -> list[LeadToAssign]:
    """The rows of a frame that ``assign`` takes."""
    names = ("routes", *LeadToAssign._fields[1:])
    cells = [frame[name].tolist() if name in frame else [None] * len(frame) for name in names]
    return [
        LeadToAssign(_list_names(routes), account, earlier, record, language, product, _list_names(excluded))
        for routes, account, earlier, record, language, product, excluded in zip(*cells, strict=True)
    ]


class Chosen(NamedTuple):
    """A decision for each lead, and the turns and loads after them."""

    decisions: list[Decision]
    pools: dict[str, PoolState]
    loads: dict[str, Load]


def choose_owners(
    leads: Sequence[LeadToAssign],
    playbook: Playbook,
    pools: Mapping[str, PoolState],
    loads: Mapping[str, Load],
    now: datetime,
    method: AssignmentMethod = AssignmentMethod.ROUTE,
) -> Chosen:
    """``assign``, of leads that are no frame."""
    router = _Router(playbook, pools, loads, now, method)
    decisions = [router.decide(lead.routes, lead) for lead in leads]
    return Chosen(decisions, router.list_states(), router.availability.loads())


def _list_names(cell: object) -> Sequence[str]:
    """A cell that lists names; a missing one lists none."""
    return cell if isinstance(cell, (tuple, list)) else ()


class LeadToAssign(NamedTuple):
    """What of a lead decides: the routes that match it, whom they may mean, what it asks for, who must not get it."""

    routes: Sequence[str]
    account_owner: str | None
    earlier_owner: str | None
    record_owner: str | None
    language: str | None
    product: str | None
    excluded: Sequence[str]


#: How a route to a person says whom it means.
_SAYS: Final = {
    "rep": "It names {}.",
    "account_owner": "{} owns the account.",
    "earlier_owner": "{} had the lead when it came before.",
    "record_owner": "{} owns the record.",
}
#: What it is that has an owner, and whom a route means by it. Nothing is said of a lead without an earlier owner.
_WHOSE: Final = {"account_owner": "account", "earlier_owner": "lead", "record_owner": "record"}
_OWNER: Final = {
    "account_owner": "account's owner",
    "earlier_owner": "lead's earlier owner",
    "record_owner": "record's owner",
}


class _Way(NamedTuple):
    """A route, read once for all leads that match it."""

    kind: str
    target: str
    text: str
    named_by: str
    by_hand: bool
    if_away: str
    requires: tuple[str, ...]

    @classmethod
    def of(cls, route: Route, method: AssignmentMethod) -> _Way:
        kind, _, target = route.to.partition(" ")
        by_hand = method.by_hand
        said = route.name.capitalize() if by_hand else f"Route {route.name}"
        text = f"{said}: {route.why.rstrip('.')}." if route.why else f"{said}."
        named_by = "hand" if by_hand else f"route {route.name}"
        return cls(kind, target, text, named_by, by_hand, route.if_away, route.requires)


class _Router:
    """Everything that changes while a batch is assigned, and what each lead is decided from."""

    def __init__(
        self,
        playbook: Playbook,
        pools: Mapping[str, PoolState],
        loads: Mapping[str, Load],
        now: datetime,
        method: AssignmentMethod,
    ) -> None:
        self.now = now
        self.availability = Availability(playbook, loads, now)
        self.routes = {route.name: _Way.of(route, method) for route in playbook.routing}
        self.given = pools
        self.pool_assignments = {
            pool.name: PoolAssignment(pool, pools.get(pool.name, PoolState()), self.availability)
            for pool in playbook.pools
        }
        self.asks = any(pool.language != "ignored" or pool.product != "ignored" for pool in playbook.pools)
        self.due = {pool.name: compute_first_due(playbook, pool, now) for pool in playbook.pools}
        self.home: dict[str, Due] = {}  # a rep who is named is due as in their first pool with an SLA
        for pool in playbook.pools:
            for member in pool.members:
                if pool.sla is not None:
                    self.home.setdefault(member.rep, self.due[pool.name])

    def list_states(self) -> dict[str, PoolState]:
        changed = {
            name: pool_assignments.rotation.state()
            for name, pool_assignments in self.pool_assignments.items()
            if pool_assignments.drawn
        }
        return {**self.given, **changed}

    def decide(self, routes: Sequence[str], lead: LeadToAssign) -> Decision:
        trace = DecisionTrace(lead.excluded)
        for name in routes:
            if name not in self.routes:
                raise ValueError(f"the frame names route {name!r}; {propose(name, self.routes)}")
            way = self.routes[name]
            if way.kind == "earlier_owner" and not isinstance(lead.earlier_owner, str):
                continue  # a new lead, as most are: not worth a word
            trace.why.append(way.text)
            if way.kind == "pool":
                trace.requirements = self._find_requirements(lead, way)
                return self._to_pool(name, way.target, trace)
            person = self._find_person(way, lead, trace)
            if person is not None and (decision := self._to_person(name, way, person, trace)) is not None:
                return decision
        if trace.candidates:
            return self._make_held(routes[-1], None, trace)
        trace.why.append("No further route matches." if routes else "No route matches.")
        return self._make_unowned(Outcome.HOLD, None, None, trace, NO_ROUTE)

    def _find_requirements(self, lead: LeadToAssign, way: _Way) -> Requirements:
        requirements = read_requirements(lead.language, lead.product) if self.asks else NO_REQUIREMENTS
        return requirements._replace(skills=way.requires) if way.requires else requirements

    def _find_person(self, way: _Way, lead: LeadToAssign, trace: DecisionTrace) -> str | None:
        """The rep whom a route means, or None when there is none to be found."""
        if way.kind == "rep":
            return way.target
        known = getattr(lead, way.kind)
        if not isinstance(known, str) or not known.strip():
            trace.why.append(f"The {_WHOSE[way.kind]} has no owner.")
            return None
        rep = self.availability.find_rep(known)
        if rep is None:
            trace.why.append(f"The {_OWNER[way.kind]} is none of the reps.")
        return rep

    def _to_person(self, route: str, way: _Way, rep: str, trace: DecisionTrace) -> Decision | None:
        """The person a route means has the lead, or what the route says when they cannot; None passes it on."""
        if self._can_take(rep, way.named_by, trace):
            trace.why.append("A person chose them." if way.by_hand else _SAYS[way.kind].format(rep))
            return self._make_owned(route, rep, None, trace, self.home.get(rep, NEVER_DUE))
        if way.if_away == "pass_on":
            return None
        if way.if_away == "wait" and rep not in trace.excluded:
            again = self.availability.back(rep) or self.now + TRY_AGAIN
            trace.why.append(f"It waits for {rep}, and is tried again at {again:%Y-%m-%d %H:%M} UTC.")
            return self._make_unowned(Outcome.WAIT, route, None, trace, NOBODY_AVAILABLE, again)
        manager = self.availability.manager(rep) if way.if_away == "manager" else None
        if manager is not None:
            trace.why.append(f"Then {manager}, who is the manager, is to take it.")
            if self._can_take(manager, way.named_by, trace, even_when_full=True):
                return self._make_owned(route, manager, None, trace, self.home.get(rep, NEVER_DUE))
        return self._make_held(route, None, trace)

    def _can_take(self, rep: str, named_by: str, trace: DecisionTrace, *, even_when_full: bool = False) -> bool:
        self.availability.check(rep, named_by)
        hindrance = self.availability.absent[rep] if even_when_full else self.availability.hindered[rep]
        hindered = hindrance.reason if hindrance is not None else None
        if rep in trace.excluded:
            hindered = HAD_IT
        reason = hindered or f"named by {named_by}"
        trace.candidates.append(format_candidate(rep, reason, eligible=hindered is None))
        if hindered is not None:
            trace.why.append(f"{rep}: {hindered}.")
        return hindered is None

    def _to_pool(self, rule: str, entry: str, trace: DecisionTrace) -> Decision:
        """The next rep of the pool, or what its policy says when there is none."""
        name, seen = entry, {entry}
        while (rep := self._draw(name, trace)) is None:
            policy = self.pool_assignments[name].pool.nobody_available
            trace.why.append(f"Nobody in pool {name} is available.")
            if policy.do == "overflow" and policy.pool is not None and policy.pool not in seen:
                trace.why.append(f"It overflows to pool {policy.pool}.")
                name = policy.pool
                seen.add(name)
            elif policy.do == "assign" and policy.rep is not None:
                trace.why.append(f"Then {policy.rep} is to take it.")
                if self._can_take(policy.rep, f"pool {name}", trace, even_when_full=True):
                    return self._make_owned(rule, policy.rep, name, trace, self._find_due(name, entry))
                return self._make_held(rule, name, trace)
            elif policy.do == "wait" and trace.available_later:
                again = self._find_retry_time(seen, policy.retry_after, trace)
                trace.why.append(f"It is tried again at {again:%Y-%m-%d %H:%M} UTC.")
                return self._make_unowned(Outcome.WAIT, rule, name, trace, NOBODY_AVAILABLE, again)
            else:
                if policy.do == "wait":
                    trace.why.append(
                        "Waiting would change nothing: every member had the lead before or does not suit it."
                    )
                return self._make_held(rule, name, trace)
        return self._make_owned(rule, rep, name, trace, self._find_due(name, entry), turn=True)

    def _find_retry_time(self, pools: set[str], at_the_latest: timedelta | None, trace: DecisionTrace) -> datetime:
        """When the first member of ``pools`` is back, as far as that is known."""
        known = [back for name in pools if (back := self.pool_assignments[name].back(trace)) is not None]
        if at_the_latest is not None:
            known.append(self.now + at_the_latest)
        return min(known, default=self.now + TRY_AGAIN)

    def _draw(self, name: str, trace: DecisionTrace) -> str | None:
        if name not in self.pool_assignments:
            raise ValueError(f"the playbook sends leads to pool {name!r}; {propose(name, self.pool_assignments)}")
        return self.pool_assignments[name].draw(trace)

    def _find_due(self, pool: str, entry: str) -> Due:
        """An overflow pool without an SLA of its own does not lift the one of the pool it helps."""
        return self.due[pool] if self.due[pool].sla is not None else self.due[entry]

    def _make_owned(
        self, rule: str, owner: str, pool: str | None, trace: DecisionTrace, due: Due, *, turn: bool = False
    ) -> Decision:
        if self.availability.give(owner):
            for pool_assignments in self.pool_assignments.values():
                pool_assignments.stale = True
        candidates, why = trace.describe()
        return Decision(
            Outcome.OWNED,
            owner,
            rule,
            pool,
            turn,
            candidates,
            why,
            trace.pointer,
            None,
            due.sla,
            due.due_at,
            due.due_soon_at,
            (),
        )

    def _make_held(self, rule: str, pool: str | None, trace: DecisionTrace) -> Decision:
        return self._make_unowned(Outcome.HOLD, rule, pool, trace, NOBODY_AVAILABLE)

    def _make_unowned(
        self,
        outcome: AssignmentOutcome,
        rule: str | None,
        pool: str | None,
        trace: DecisionTrace,
        reason: str,
        run_after: datetime | None = None,
    ) -> Decision:
        candidates, why = trace.describe()
        return Decision(outcome, None, rule, pool, False, candidates, why, None, run_after, None, None, None, (reason,))
