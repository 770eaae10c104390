"""Exceptions, notifications and gates: somebody for everything, promises that exist.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from leadgate.nearest import propose
from leadgate.playbook.check.added_expectations import check_expectation
from leadgate.playbook.check.checker import ASSIGNED, Checker, Found
from leadgate.playbook.yaml_text import Path
from leadgate.vocabulary import GateName, StageName

#: The stage whose columns each gate's frame has; a gate stands at the end of a stage.
_COLUMNS_AT: Final[dict[GateName, StageName]] = {
    GateName.CAPTURED: StageName.CAPTURE,
    GateName.VALIDATED: StageName.ENRICHMENT,
    GateName.ENRICHED: StageName.QUALIFICATION,
    GateName.QUALIFIED: StageName.ASSIGNMENT,
    GateName.ASSIGNED: StageName.FOLLOW_UP,
    GateName.FOLLOWED_UP: StageName.FOLLOW_UP,
}


def check_exceptions(checker: Checker) -> Found:
    routes = checker.playbook.exceptions
    people = checker.reps | {route.to for route in routes}
    for position, route in enumerate(routes):
        here: Path = ("exceptions", position, "escalate_to")
        yield from checker.check_known(here, "rep or exception route", route.escalate_to, people)
    if not any(not route.reasons and not route.stages for route in routes):
        message = "no route takes what the others do not name; end with one without reasons and stages"
        yield checker.at(("exceptions", len(routes) - 1), message, note=True)


def check_notifications(checker: Checker) -> Found:
    """A message goes to an owner, a manager, whom a ladder names, or the route that decides."""
    entries = checker.playbook.notifications
    yield from checker.check_unique(("notifications",), [entry.to for entry in entries], name="to")
    known = checker.reps | {route.to for route in checker.playbook.exceptions} | {"everybody"}
    known |= {rep.manager for rep in checker.playbook.reps if rep.manager}
    known |= {step.to for sla in checker.playbook.slas for step in sla.ladder if step.to}
    for position, entry in enumerate(entries):
        yield from checker.check_known(("notifications", position, "to"), "rep or exception route", entry.to, known)


def check_gates(checker: Checker, promises: Mapping[GateName, Collection[str]]) -> Found:
    for gate, rules in checker.playbook.gates.items():
        columns = {*checker.columns_at(_COLUMNS_AT[gate])}
        if gate in (GateName.ASSIGNED, GateName.FOLLOWED_UP):
            columns |= set(ASSIGNED)
        built_in = promises.get(gate, ())
        names = [expect.name for expect in rules.expect]
        yield from checker.check_unique(("gates", gate, "expect"), names)
        for position, expect in enumerate(rules.expect):
            here: Path = ("gates", gate, "expect", position)
            if expect.name in built_in:
                message = f"the gate has a promise {expect.name!r} already; choose another name"
                yield checker.at((*here, "name"), message)
            for inside, message in check_expectation(expect, columns):
                yield checker.at((*here, *inside), message)
        for name in rules.severity:
            if gate in promises and name not in built_in and name not in names:
                message = f"the gate has no promise {name!r}; {propose(name, [*built_in, *names])}"
                yield checker.at(("gates", gate, "severity", name), message)
