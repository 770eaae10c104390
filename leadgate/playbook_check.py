"""Whether the parts of a playbook agree with one another, and with the world.

Belongs here: every check that needs more than one part at once, an expression tried, or a file looked
for; all problems in one pass, each with its line.
Does not belong here: what one part alone may hold (``playbook``, which judges it while loading).
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final

import pycountry

from leadgate import fields
from leadgate.expressions import RuleError, canonical, comparisons, parse
from leadgate.fields import FieldType
from leadgate.hours import Clock, HoursError, time_zones
from leadgate.nearest import proposal
from leadgate.playbook import AccountsFile, EngagementRule, FitRule, Gate, Loaded, Playbook
from leadgate.playbook_expectations import EXPECTATIONS as EXPECTATIONS  # gates refuse by the same list
from leadgate.playbook_expectations import wrong_with
from leadgate.playbook_text import Path, PlaybookError, Problem
from leadgate.rules import always_matches, never_matches

#: What a source of activities may map its columns to: who (the lead by e-mail or id, the rep), what, when.
ACTIVITY_FIELDS: Final = ("email", "lead_id", "kind", "actor", "rep", "occurred_at", "external_id", "note")

#: The stage whose columns each gate's frame has; a gate stands at the end of a stage.
_COLUMNS_AT: Final[dict[Gate, str]] = {
    "captured": "capture",
    "validated": "enrichment",
    "enriched": "qualification",
    "qualified": "assignment",
    "assigned": "follow_up",
    "followed_up": "follow_up",
}
_ASSIGNED: Final = ("owner", "rule", "pool")
_QUALIFIED_AS: Final = ("marketing_qualified", "sales_qualified")

Found = Iterator[Problem]
Columns = dict[str, FieldType]


def check(loaded: Loaded, *, promises: Mapping[Gate, Collection[str]] | None = None) -> list[Problem]:
    """Everything that is wrong with a loaded playbook, by line; an empty list is a playbook to run by.

    Problems with ``note`` set are worth knowing and do not stop anything. ``promises`` names the
    built-in promises of each gate, so that severities given for them can be checked; the caller knows
    them, this floor does not.
    """
    checker = _Checker(loaded)
    parts = (
        checker.fields(),
        checker.sources(),
        checker.enrichment(),
        checker.scoring(),
        checker.qualification(),
        checker.people(),
        checker.pools(),
        checker.routing(),
        checker.slas(),
        checker.exceptions(),
        checker.notifications(),
        checker.gates(promises or {}),
    )
    return sorted({problem for part in parts for problem in part})


def require(loaded: Loaded, *, promises: Mapping[Gate, Collection[str]] | None = None) -> None:
    """Raises ``PlaybookError`` with every problem that ``check`` finds, notes aside."""
    if wrong := [problem for problem in check(loaded, promises=promises) if not problem.note]:
        raise PlaybookError(wrong)


class _Checker:
    """One pass over a playbook. Each method checks one part and yields what it finds."""

    def __init__(self, loaded: Loaded) -> None:
        self.playbook: Playbook = loaded.playbook
        self.folder = loaded.folder
        self.at = loaded.document.problem
        self.custom: Columns = {name: field.type for name, field in self.playbook.fields.items()}
        self.reps = {rep.name for rep in self.playbook.reps}
        self.pool_names = {pool.name for pool in self.playbook.pools}

    def fields(self) -> Found:
        taken = fields.columns("follow_up")
        for name in self.custom:
            if name in taken or name in (*_ASSIGNED, "journey_id", "attributes", "captured_at"):
                yield self.at(("fields", name), f"{name!r} is a name that Leadgate uses itself; choose another")
        for header, target in self.playbook.headers.items():
            yield from self._lead_field(("headers", header), target)
        for position, name in enumerate(self.playbook.validation.required):
            yield from self._lead_field(("validation", "required", position), name)
        yield from self._country(("validation", "default_country"), self.playbook.validation.default_country)

    def sources(self) -> Found:
        for name, source in self.playbook.sources.items():
            here: Path = ("sources", name)
            for column, target in source.mapping.items():
                if source.kind == "leads":
                    yield from self._lead_field((*here, "mapping", column), target)
                elif target not in ACTIVITY_FIELDS:
                    message = f"{target!r} is not a field of an activity; {proposal(target, ACTIVITY_FIELDS)}"
                    yield self.at((*here, "mapping", column), message)
            if source.default_country is not None:
                yield from self._country((*here, "default_country"), source.default_country)

    def enrichment(self) -> Found:
        yield from self._twice(("enrichment", "providers"), [p.name for p in self.playbook.enrichment.providers])
        known = fields.columns("qualification", self.custom)
        for position, provider in enumerate(self.playbook.enrichment.providers):
            if not isinstance(provider, AccountsFile):
                continue
            here: Path = ("enrichment", "providers", position)
            for field in provider.fields:
                if field not in known or field == "source":
                    yield self.at((*here, "fields", field), f"unknown field {field!r}; {proposal(field, known)}")
            yield from self._accounts_file(here, provider)

    def scoring(self) -> Found:
        columns = fields.columns("qualification", self.custom)
        scoring = self.playbook.scoring
        seen: dict[str, Path] = {}
        parts: tuple[tuple[str, Sequence[FitRule | EngagementRule]], ...] = (
            ("fit", scoring.fit),
            ("engagement", scoring.engagement),
        )
        for part, rules in parts:
            for position, rule in enumerate(rules):
                here: Path = ("scoring", part, position)
                if rule.name in seen:  # fit and engagement share one list of contributions
                    yield self.at((*here, "name"), f"the name {rule.name!r} is taken; rename one of the two rules")
                seen[rule.name] = here
                if rule.when is not None:
                    yield from self._expression((*here, "when"), rule.when, columns)
                if rule.points == 0:
                    yield self.at((*here, "points"), "0 points change nothing; give points or remove the rule")

    def qualification(self) -> Found:
        rule = self.playbook.qualification
        columns = fields.columns("qualification", self.custom)
        here: Path = ("qualification",)
        if rule.marketing_qualified > rule.sales_qualified:
            yield self.at(
                (*here, "marketing_qualified"),
                f"{rule.marketing_qualified} is above sales_qualified ({rule.sales_qualified}), so no lead could "
                "be marketing-qualified first; lower it",
            )
        if rule.review is not None and rule.review.below > rule.marketing_qualified:
            yield self.at(
                (*here, "review", "below"),
                f"the review band reaches up to {rule.review.below}, past marketing_qualified "
                f"({rule.marketing_qualified}); end it at {rule.marketing_qualified}",
            )
        yield from self._twice((*here, "disqualify"), [d.name for d in rule.disqualify])
        for position, disqualifier in enumerate(rule.disqualify):
            path: Path = (*here, "disqualify", position, "when")
            yield from self._expression(path, disqualifier.when, columns)
            if self._always(disqualifier.when, columns):
                yield self.at(path, "every lead matches this, so all would be disqualified; narrow it")
        for part, evidence in rule.evidence.items():
            path = (*here, "evidence", part)
            yield from self._expression((*path, "when"), evidence.when, columns)
            if evidence.value is not None and evidence.value not in columns:
                message = f"unknown field {evidence.value!r}; {proposal(evidence.value, columns)}"
                yield self.at((*path, "value"), message)

    def people(self) -> Found:
        yield from self._twice(("reps",), [rep.name for rep in self.playbook.reps])
        escalations = {route.to for route in self.playbook.exceptions}
        for position, rep in enumerate(self.playbook.reps):
            here: Path = ("reps", position)
            yield from self._zone((*here, "time_zone"), rep.time_zone)
            if rep.manager and "@" not in rep.manager and rep.manager not in self.reps | escalations:
                message = f"{rep.manager!r} is no rep and no exception route; {proposal(rep.manager, self.reps)}"
                yield self.at((*here, "manager"), message, note=True)
        for name, hours in self.playbook.hours.items():
            here = ("hours", name)
            zone_problems = list(self._zone((*here, "time_zone"), hours.time_zone))
            yield from zone_problems
            if not zone_problems:
                try:
                    Clock(hours)
                except HoursError as error:
                    yield self.at(here, str(error))

    def pools(self) -> Found:
        playbook = self.playbook
        yield from self._twice(("pools",), [pool.name for pool in playbook.pools])
        reps = {rep.name: rep for rep in playbook.reps}
        for position, pool in enumerate(playbook.pools):
            here: Path = ("pools", position)
            yield from self._twice((*here, "members"), [m.rep for m in pool.members], name="rep")
            for place, member in enumerate(pool.members):
                yield from self._one_of((*here, "members", place, "rep"), "rep", member.rep, self.reps)
            known = [reps[m.rep] for m in pool.members if m.rep in reps]
            if known and all(rep.max_per_day == 0 or rep.max_open == 0 for rep in known):
                yield self.at((*here, "members"), "nobody in this pool may take a lead: every cap is 0; raise one")
            yield from self._one_of((*here, "hours"), "hours", pool.hours, playbook.hours)
            yield from self._one_of((*here, "sla"), "SLA", pool.sla, [sla.name for sla in playbook.slas])
            if pool.sla is None:
                yield self.at(here, "has no sla, so no first touch is due; add one", note=True)
            policy = pool.nobody_available
            path: Path = (*here, "nobody_available")
            if policy.do == "overflow":
                yield from self._one_of((*path, "pool"), "pool", policy.pool, self.pool_names)
                if (ring := self._overflow_ring(pool.name)) is not None:
                    message = f"overflow goes round in a circle: {' → '.join(ring)}; end it with another policy"
                    yield self.at((*path, "pool"), message)
            if policy.do == "assign":
                yield from self._one_of((*path, "rep"), "rep", policy.rep, self.reps)

    def routing(self) -> Found:
        columns = fields.columns("assignment", self.custom)
        routes = self.playbook.routing
        yield from self._twice(("routing",), [route.name for route in routes])
        catches_all: str | None = None
        same: dict[str, str] = {}
        for position, route in enumerate(routes):
            here: Path = ("routing", position)
            kind, _, target = route.to.partition(" ")
            if kind != "account_owner":
                known = self.pool_names if kind == "pool" else self.reps
                yield from self._one_of((*here, "to"), kind, target, known)
            broken = list(self._expression((*here, "when"), route.when, columns))
            yield from broken
            if catches_all is not None:
                yield self.at(here, f"can never match: {catches_all!r} before it takes every lead; move it up")
            if broken or kind == "account_owner":  # an account without an owner falls through to the next route
                continue
            text = canonical(parse(route.when))
            if catches_all is None and text in same:
                message = f"can never match: {same[text]!r} before it has the same condition; remove one"
                yield self.at((*here, "when"), message)
            same.setdefault(text, route.name)
            if catches_all is None and self._always(route.when, columns):
                catches_all = route.name
        if catches_all is None:
            message = "no route takes every lead, so those that match none are held; end with `when: true`"
            yield self.at(("routing", len(routes) - 1), message, note=True)
        yield from self._unreached_pools()

    def exceptions(self) -> Found:
        routes = self.playbook.exceptions
        people = self.reps | {route.to for route in routes}
        for position, route in enumerate(routes):
            here: Path = ("exceptions", position, "escalate_to")
            yield from self._one_of(here, "rep or exception route", route.escalate_to, people)
        if not any(not route.reasons and not route.stages for route in routes):
            message = "no route takes what the others do not name; end with one without reasons and stages"
            yield self.at(("exceptions", len(routes) - 1), message, note=True)

    def notifications(self) -> Found:
        """A message goes to an owner, a manager, whom a ladder names, or the route that decides."""
        entries = self.playbook.notifications
        yield from self._twice(("notifications",), [entry.to for entry in entries], name="to")
        known = self.reps | {route.to for route in self.playbook.exceptions} | {"everybody"}
        known |= {rep.manager for rep in self.playbook.reps if rep.manager}
        known |= {step.to for sla in self.playbook.slas for step in sla.ladder if step.to}
        for position, entry in enumerate(entries):
            yield from self._one_of(("notifications", position, "to"), "rep or exception route", entry.to, known)

    def slas(self) -> Found:
        slas = self.playbook.slas
        yield from self._twice(("slas",), [sla.name for sla in slas])
        people = self.reps | {route.to for route in self.playbook.exceptions}
        for position, sla in enumerate(slas):
            before = 0
            for place, step in enumerate(sla.ladder):
                here: Path = ("slas", position, "ladder", place)
                if step.after <= before:
                    message = f"{step.after} % does not come after {before} %; steps go up"
                    yield self.at((*here, "after"), message)
                before = max(before, step.after)
                if step.do == "escalate" and step.to is not None and "@" not in step.to:
                    yield from self._one_of((*here, "to"), "rep or exception route", step.to, people)

    def gates(self, promises: Mapping[Gate, Collection[str]]) -> Found:
        for gate, rules in self.playbook.gates.items():
            columns = {*fields.columns(_COLUMNS_AT[gate], self.custom)}
            if gate in ("assigned", "followed_up"):
                columns |= set(_ASSIGNED)
            built_in = promises.get(gate, ())
            names = [expect.name for expect in rules.expect]
            yield from self._twice(("gates", gate, "expect"), names)
            for position, expect in enumerate(rules.expect):
                here: Path = ("gates", gate, "expect", position)
                if expect.name in built_in:
                    message = f"the gate has a promise {expect.name!r} already; choose another name"
                    yield self.at((*here, "name"), message)
                for inside, message in wrong_with(expect, columns):
                    yield self.at((*here, *inside), message)
            for name in rules.severity:
                if gate in promises and name not in built_in and name not in names:
                    message = f"the gate has no promise {name!r}; {proposal(name, [*built_in, *names])}"
                    yield self.at(("gates", gate, "severity", name), message)

    def _expression(self, path: Path, text: str, columns: Columns) -> Found:
        try:
            never = never_matches(text, columns)
        except RuleError as error:
            yield self.at(path, str(error))
            return
        impossible = list(self._impossible_values(text))
        for message in impossible:
            yield self.at(path, message)
        if never and not impossible:
            yield self.at(path, f"can never match: {text.strip()!r} is false for every lead; correct or remove it")

    def _impossible_values(self, text: str) -> Iterator[str]:
        """Comparisons with a value that the column never has."""
        possible: dict[str, Collection[str]] = {
            "source": self.playbook.sources,
            "qualified_as": _QUALIFIED_AS,
            "country": _countries(),
        }
        for comparison in comparisons(parse(text)):
            for value in comparison.constants:
                if comparison.column not in possible or value in possible[comparison.column]:
                    continue
                if comparison.column == "country":
                    meant = _code_of(value)
                    what = f"write {meant!r}" if meant else "write the two letters of ISO 3166, such as 'DE'"
                    yield f"country is never {value!r} (at {comparison.where!r}): {what}"
                else:
                    known = proposal(value, possible[comparison.column])
                    yield f"{comparison.column} is never {value!r} (at {comparison.where!r}); {known}"

    def _always(self, text: str, columns: Columns) -> bool:
        try:
            return always_matches(text, columns)
        except RuleError:  # reported where it is checked
            return False

    def _lead_field(self, path: Path, name: str) -> Found:
        known = {**fields.STANDARD, **self.custom}
        if name not in known:
            yield self.at(path, f"{name!r} is not a field of a lead; {proposal(name, known)}")

    def _one_of(self, path: Path, what: str, name: str | None, known: Iterable[str]) -> Found:
        if name is not None and name not in (names := set(known)):
            yield self.at(path, f"unknown {what} {name!r}; {proposal(name, names)}")

    def _twice(self, path: Path, names: list[str], name: str = "name") -> Found:
        for position, value in enumerate(names):
            if value in names[:position]:
                yield self.at((*path, position, name), f"{value!r} is there twice; rename or remove one")

    def _zone(self, path: Path, zone: str) -> Found:
        if zone not in time_zones():
            yield self.at(path, f"{zone!r} is not a time zone; {proposal(zone, time_zones())}")

    def _country(self, path: Path, code: str) -> Found:
        if code not in _countries():
            meant = _code_of(code)
            what = f"did you mean {meant!r}?" if meant else "write the two letters of ISO 3166, such as 'DE'"
            yield self.at(path, f"{code!r} is not a country's code; {what}")

    def _accounts_file(self, here: Path, provider: AccountsFile) -> Found:
        path = self.folder / provider.path
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader(file), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
            yield self.at((*here, "path"), f"the accounts file {str(path)!r} {why}; put it there or correct the path")
            return
        wanted = [((*here, "domain"), provider.domain)]
        wanted += [((*here, "fields", field), column) for field, column in provider.fields.items()]
        for where, column in wanted:
            if column not in header:
                yield self.at(where, f"{provider.path} has no column {column!r}; {proposal(column, header)}")

    def _overflow_ring(self, start: str) -> list[str] | None:
        pools = {pool.name: pool for pool in self.playbook.pools}
        way = [start]
        while (pool := pools.get(way[-1])) is not None:
            policy = pool.nobody_available
            if policy.do != "overflow" or policy.pool is None:
                return None
            if policy.pool in way:
                return [*way, policy.pool] if policy.pool == start else None
            way.append(policy.pool)
        return None

    def _unreached_pools(self) -> Found:
        reached = {route.to.partition(" ")[2] for route in self.playbook.routing}
        reached |= {str(pool.nobody_available.pool) for pool in self.playbook.pools}
        for position, pool in enumerate(self.playbook.pools):
            if pool.name not in reached:
                message = f"no route leads to pool {pool.name!r}, and no other pool overflows into it"
                yield self.at(("pools", position), message, note=True)


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


def _code_of(name: str) -> str | None:
    """The code of a country that is written otherwise: its name, its three letters, lower case."""
    other = {"UK": "GB", "EN": "GB"}.get(name.upper())
    if other is not None:
        return other
    try:
        return str(pycountry.countries.lookup(name).alpha_2)
    except LookupError:
        return None
