"""Reps, hours, pools and routes: people who exist, clocks that run, routes that can be reached.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from leadgate import fields
from leadgate.expressions import canonical, parse
from leadgate.hours import Clock, HoursError
from leadgate.nearest import proposal
from leadgate.playbook_check.checker import Checker, Found
from leadgate.playbook_text import Path


def people(checker: Checker) -> Found:
    yield from checker.twice(("reps",), [rep.name for rep in checker.playbook.reps])
    escalations = {route.to for route in checker.playbook.exceptions}
    for position, rep in enumerate(checker.playbook.reps):
        here: Path = ("reps", position)
        yield from checker.zone((*here, "time_zone"), rep.time_zone)
        yield from checker.one_of((*here, "hours"), "hours", rep.hours, checker.playbook.hours)
        if rep.manager and "@" not in rep.manager and rep.manager not in checker.reps | escalations:
            message = f"{rep.manager!r} is no rep and no exception route; {proposal(rep.manager, checker.reps)}"
            yield checker.at((*here, "manager"), message, note=True)
    for name, hours in checker.playbook.hours.items():
        here = ("hours", name)
        zone_problems = list(checker.zone((*here, "time_zone"), hours.time_zone))
        yield from zone_problems
        if not zone_problems:
            try:
                Clock(hours)
            except HoursError as error:
                yield checker.at(here, str(error))


def pools(checker: Checker) -> Found:
    playbook = checker.playbook
    yield from checker.twice(("pools",), [pool.name for pool in playbook.pools])
    reps = {rep.name: rep for rep in playbook.reps}
    for position, pool in enumerate(playbook.pools):
        here: Path = ("pools", position)
        yield from checker.twice((*here, "members"), [m.rep for m in pool.members], name="rep")
        for place, member in enumerate(pool.members):
            yield from checker.one_of((*here, "members", place, "rep"), "rep", member.rep, checker.reps)
        known = [reps[m.rep] for m in pool.members if m.rep in reps]
        if known and all(rep.max_per_day == 0 or rep.max_open == 0 for rep in known):
            yield checker.at((*here, "members"), "nobody in this pool may take a lead: every cap is 0; raise one")
        yield from checker.one_of((*here, "hours"), "hours", pool.hours, playbook.hours)
        yield from checker.one_of((*here, "sla"), "SLA", pool.sla, [sla.name for sla in playbook.slas])
        if pool.sla is None:
            yield checker.at(here, "has no sla, so no first touch is due; add one", note=True)
        policy = pool.nobody_available
        path: Path = (*here, "nobody_available")
        if policy.do == "overflow":
            yield from checker.one_of((*path, "pool"), "pool", policy.pool, checker.pool_names)
            if (ring := _overflow_ring(checker, pool.name)) is not None:
                message = f"overflow goes round in a circle: {' → '.join(ring)}; end it with another policy"
                yield checker.at((*path, "pool"), message)
        if policy.do == "assign":
            yield from checker.one_of((*path, "rep"), "rep", policy.rep, checker.reps)


def routing(checker: Checker) -> Found:
    columns = fields.columns("assignment", checker.custom)
    routes = checker.playbook.routing
    yield from checker.twice(("routing",), [route.name for route in routes])
    catches_all: str | None = None
    same: dict[str, str] = {}
    for position, route in enumerate(routes):
        here: Path = ("routing", position)
        kind, _, target = route.to.partition(" ")
        if kind != "account_owner":
            known = checker.pool_names if kind == "pool" else checker.reps
            yield from checker.one_of((*here, "to"), kind, target, known)
        broken = list(checker.expression((*here, "when"), route.when, columns))
        yield from broken
        if catches_all is not None:
            yield checker.at(here, f"can never match: {catches_all!r} before it takes every lead; move it up")
        if broken or kind == "account_owner":  # an account without an owner falls through to the next route
            continue
        text = canonical(parse(route.when))
        if catches_all is None and text in same:
            message = f"can never match: {same[text]!r} before it has the same condition; remove one"
            yield checker.at((*here, "when"), message)
        same.setdefault(text, route.name)
        if catches_all is None and checker.always(route.when, columns):
            catches_all = route.name
    if catches_all is None:
        message = "no route takes every lead, so those that match none are held; end with `when: true`"
        yield checker.at(("routing", len(routes) - 1), message, note=True)
    yield from _unreached_pools(checker)


def _overflow_ring(checker: Checker, start: str) -> list[str] | None:
    pools = {pool.name: pool for pool in checker.playbook.pools}
    way = [start]
    while (pool := pools.get(way[-1])) is not None:
        policy = pool.nobody_available
        if policy.do != "overflow" or policy.pool is None:
            return None
        if policy.pool in way:
            return [*way, policy.pool] if policy.pool == start else None
        way.append(policy.pool)
    return None


def _unreached_pools(checker: Checker) -> Found:
    reached = {route.to.partition(" ")[2] for route in checker.playbook.routing}
    reached |= {str(pool.nobody_available.pool) for pool in checker.playbook.pools}
    for position, pool in enumerate(checker.playbook.pools):
        if pool.name not in reached:
            message = f"no route leads to pool {pool.name!r}, and no other pool overflows into it"
            yield checker.at(("pools", position), message, note=True)
