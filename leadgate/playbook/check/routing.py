"""Reps, hours, pools and routes: people who exist, clocks that run, routes that can be reached.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from leadgate.expressions.conditions import Condition, build_condition
from leadgate.expressions.implication import find_covering
from leadgate.nearest import propose
from leadgate.playbook import Pool, Route
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.kind_views import is_every_stage_due
from leadgate.playbook.yaml_text import Path
from leadgate.sla.hours import Clock, HoursError
from leadgate.vocabulary import GateName, JourneyKind, Severity, StageName


def check_people(checker: Checker) -> Found:
    yield from checker.check_unique(("reps",), [rep.name for rep in checker.playbook.reps])
    logins = [rep.login or rep.name for rep in checker.playbook.reps]
    for position, login in enumerate(logins):
        if login in logins[:position]:
            first = checker.playbook.reps[logins.index(login)].name
            if first != checker.playbook.reps[position].name:
                message = f"the login {login!r} is {first}'s; give each rep a login of their own"
                yield checker.at(("reps", position, "login"), message)
    escalations = {route.to for route in checker.playbook.exceptions}
    for position, rep in enumerate(checker.playbook.reps):
        here: Path = ("reps", position)
        yield from checker.check_zone((*here, "time_zone"), rep.time_zone)
        yield from checker.check_known((*here, "hours"), "hours", rep.hours, checker.playbook.hours)
        if rep.ramp and rep.starts is None:
            yield checker.at((*here, "ramp"), "a ramp needs the day it begins; add starts")
        if rep.manager and "@" not in rep.manager and rep.manager not in checker.reps | escalations:
            message = f"{rep.manager!r} is no rep and no exception route; {propose(rep.manager, checker.reps)}"
            yield checker.at((*here, "manager"), message, note=True)
    for name, hours in checker.playbook.hours.items():
        here = ("hours", name)
        zone_problems = list(checker.check_zone((*here, "time_zone"), hours.time_zone))
        yield from zone_problems
        if not zone_problems:
            try:
                Clock(hours)
            except HoursError as error:
                yield checker.at(here, str(error))


def check_pools(checker: Checker) -> Found:
    playbook = checker.playbook
    yield from checker.check_unique(("pools",), [pool.name for pool in playbook.pools])
    reps = {rep.name: rep for rep in playbook.reps}
    for position, pool in enumerate(playbook.pools):
        here: Path = ("pools", position)
        yield from checker.check_unique((*here, "members"), [m.rep for m in pool.members], name="rep")
        for place, member in enumerate(pool.members):
            yield from checker.check_known((*here, "members", place, "rep"), "rep", member.rep, checker.reps)
        known = [reps[m.rep] for m in pool.members if m.rep in reps]
        if known and all(0 in (rep.max_per_day, rep.max_per_week, rep.max_open) for rep in known):
            yield checker.at((*here, "members"), "nobody in this pool may take a lead: every cap is 0; raise one")
        yield from checker.check_known((*here, "hours"), "hours", pool.hours, playbook.hours)
        yield from _check_suitability(checker, here, pool)
        yield from checker.check_known((*here, "sla"), "SLA", pool.sla, [sla.name for sla in playbook.slas])
        if pool.sla is None:
            yield from _check_without_sla(checker, here, pool.name)
        policy = pool.nobody_available
        path: Path = (*here, "nobody_available")
        if policy.do == "overflow":
            yield from checker.check_known((*path, "pool"), "pool", policy.pool, checker.pool_names)
            if (ring := _find_overflow_ring(checker, pool.name)) is not None:
                message = f"overflow goes round in a circle: {' → '.join(ring)}; end it with another policy"
                yield checker.at((*path, "pool"), message)
        if policy.do == "assign":
            yield from checker.check_known((*path, "rep"), "rep", policy.rep, checker.reps)


def _check_suitability(checker: Checker, here: Path, pool: Pool) -> Found:
    """Hours, languages and skills that a pool goes by are known of its members."""
    members = [rep for rep in checker.playbook.reps if rep.name in {member.rep for member in pool.members}]
    if pool.only_in_hours and pool.hours is None and any(rep.hours is None for rep in members):
        without = ", ".join(rep.name for rep in members if rep.hours is None)
        message = f"only_in_hours says nothing about {without}, who have no hours, nor has the pool; give it hours"
        yield checker.at((*here, "only_in_hours"), message)
    for rule, of, known in (
        ("language", "languages", any(rep.languages for rep in members)),
        ("product", "skills", any(rep.skills for rep in members)),
    ):
        if getattr(pool, rule) == "required" and members and not known:
            message = f"nobody in this pool has {of}, so every lead that names its {rule} is held; add reps[].{of}"
            yield checker.at((*here, rule), message)


def _list_routes(checker: Checker) -> list[Route]:
    """The routes of leads and of every kind of record: pools and territories are theirs together."""
    return [route for playbook in checker.of_kinds.values() for route in playbook.routing]


def check_due_times(checker: Checker) -> Found:
    """A record that a route leads into a pool without an SLA would be held, as a lead would (``check_pools``)."""
    without = {pool.name for pool in checker.playbook.pools if pool.sla is None}
    for position, route in enumerate(checker.playbook.routing):
        pool = route.to.partition(" ")[2]
        if route.to.startswith("pool ") and pool in without and _is_due_required(checker):
            message = (
                f"pool {pool!r} has no sla, so no first touch is due and every {checker.noun} is held (due_missing)"
            )
            yield checker.at(("routing", position, "to"), f"{message}; give the pool one, or name it in a priority")


def check_territories(checker: Checker) -> Found:
    used = {route.territory for route in _list_routes(checker)}
    for name, territory in checker.playbook.territories.items():
        here: Path = ("territories", name)
        for place, code in enumerate(territory.countries):
            yield from checker.check_country((*here, "countries", place), code)
        if not territory.countries:
            message = "names no country, so the same state or postal code of any other country is in it; add countries"
            yield checker.at(here, message, note=True)
        if name not in used:
            yield checker.at(here, f"no route asks for the territory {name!r}", note=True)


def check_routing(checker: Checker) -> Found:
    columns = checker.columns_at(StageName.ASSIGNMENT)
    routes = checker.playbook.routing
    yield from checker.check_unique(("routing",), [route.name for route in routes])
    taken: dict[str, Condition] = {}  # what the routes before take for certain
    catches_all: str | None = None
    for position, route in enumerate(routes):
        here: Path = ("routing", position)
        yield from _check_target(checker, here, route)
        broken = list(checker.check_expression((*here, "when"), route.when, columns))
        broken += checker.check_known((*here, "territory"), "territory", route.territory, checker.playbook.territories)
        yield from broken
        if catches_all is not None:
            yield checker.at(here, f"can never match: {catches_all!r} before it takes every {checker.noun}; move it up")
            continue
        if broken:
            continue
        territory = checker.playbook.territories[route.territory] if route.territory is not None else None
        condition = build_condition(route.when, columns, territory)
        if before := [list(taken)[each] for each in find_covering(condition, list(taken.values()))]:
            names = " and ".join(map(repr, before))
            same = len(before) == 1 and taken[before[0]] == condition
            what = "has the same condition; remove one" if same else f"takes every {checker.noun} that it would"
            if len(before) > 1:
                what = f"together take every {checker.noun} that it would"
            message = f"can never match: {names} before it {what}" + ("" if same else "; move it up or remove it")
            yield checker.at((*here, "when") if route.territory is None else here, message)
        if route.to.startswith("pool ") or (route.to.startswith("rep ") and route.if_away != "pass_on"):
            # whom an account or a lead belongs to may be nobody, and then it falls through to the next route
            taken[route.name] = condition
            if territory is None and checker.is_always_met(route.when, columns):
                catches_all = route.name
    if catches_all is None:
        message = f"no route takes every {checker.noun}, so those that match none are held; end with `when: true`"
        yield checker.at(("routing", len(routes) - 1), message, note=True)
    yield from _check_unreached_pools(checker)


def _check_without_sla(checker: Checker, here: Path, pool: str) -> Found:
    """A lead without a due time is held by two gates, so a route into a pool without an SLA holds all of its leads. A
    pool that only takes what overflows keeps the SLA of the pool that it helps."""
    into = [route.name for route in checker.playbook.routing if route.to == f"pool {pool}"]
    if not into or not _is_due_required(checker):
        yield checker.at(here, "has no sla, so no first touch is due; add one", note=True)
        return
    message = f"has no sla, so no first touch is due and every lead of route {into[0]!r} is held (due_missing); add sla"
    yield checker.at(here, message)


def _check_route_to_rep(checker: Checker, here: Path, route: Route) -> Found:
    """A rep whom a route names is due as in their first pool with an SLA."""
    rep = route.to.removeprefix("rep ")
    of_rep = [pool for pool in checker.playbook.pools if any(member.rep == rep for member in pool.members)]
    if rep in checker.reps and not any(pool.sla for pool in of_rep) and _is_due_required(checker):
        message = (
            f"{rep} is in no pool with an sla, so no first touch is due and every {checker.noun} of this route is held "
            "(due_missing); put them into one"
        )
        yield checker.at((*here, "to"), message)


def _is_due_required(checker: Checker) -> bool:
    """Whether leads without a due time are held: no priority gives every lead an SLA, and a gate insists on it."""
    columns = checker.columns_at(StageName.ASSIGNMENT)
    if any(checker.is_always_met(each.when, columns) for each in checker.playbook.follow_up.priorities):
        return False
    if is_every_stage_due(checker.playbook):
        return False
    rules = [checker.playbook.gates.get(gate) for gate in (GateName.ASSIGNED, GateName.FOLLOWED_UP)]
    return any(each is None or each.severity.get("touch_due") != Severity.WARNING for each in rules)


def _check_target(checker: Checker, here: Path, route: Route) -> Found:
    kind, _, target = route.to.partition(" ")
    if target:
        yield from checker.check_known(
            (*here, "to"), kind, target, checker.pool_names if kind == "pool" else checker.reps
        )
    if kind == "rep":
        yield from _check_route_to_rep(checker, here, route)
    if kind == "record_owner" and checker.kind is JourneyKind.LEAD:
        message = "a lead names no owner, so this route leads to nobody; write account_owner or earlier_owner"
        yield checker.at((*here, "to"), message)
    members = {m.rep for pool in checker.playbook.pools if pool.name == target for m in pool.members}
    able = [rep for rep in checker.playbook.reps if rep.name in members and set(route.requires) <= set(rep.skills)]
    if route.requires and members and not able:
        wanted = ", ".join(route.requires)
        message = (
            f"nobody in pool {target!r} has all of the skills {wanted}, so every {checker.noun} of this route is held"
        )
        yield checker.at((*here, "requires"), message)


def _find_overflow_ring(checker: Checker, start: str) -> list[str] | None:
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


def _check_unreached_pools(checker: Checker) -> Found:
    reached = {route.to.partition(" ")[2] for route in _list_routes(checker)}
    reached |= {str(pool.nobody_available.pool) for pool in checker.playbook.pools}
    for position, pool in enumerate(checker.playbook.pools):
        if pool.name not in reached:
            message = f"no route leads to pool {pool.name!r}, and no other pool overflows into it"
            yield checker.at(("pools", position), message, note=True)
