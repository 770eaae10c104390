"""SLAs and follow-up: ladders that climb, people who exist, priorities that can match, events that can happen.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from leadgate import fields
from leadgate.playbook import Sla
from leadgate.playbook_check.checker import Checker, Found
from leadgate.playbook_text import Path
from leadgate.sla import finished_by, limit

#: The key of an SLA that asks for each target.
_ASKED_BY = {"acceptance": "accept_within"}


def slas(checker: Checker) -> Found:
    slas = checker.playbook.slas
    yield from checker.twice(("slas",), [sla.name for sla in slas])
    people = checker.reps | {route.to for route in checker.playbook.exceptions}
    for position, sla in enumerate(slas):
        before: dict[str, int] = {}
        for place, step in enumerate(sla.ladder):
            here: Path = ("slas", position, "ladder", place)
            last = before.get(step.of, 0)
            if step.after <= last:
                message = f"{step.after} % does not come after {last} %; steps go up"
                yield checker.at((*here, "after"), message)
            before[step.of] = max(last, step.after)
            if limit(sla, step.of) is None:
                key = _ASKED_BY.get(step.of, step.of)
                yield checker.at((*here, "of"), f"this SLA has no {key}, so the step is never due; add {key}")
            if step.do == "escalate" and step.to is not None and "@" not in step.to:
                yield from checker.one_of((*here, "to"), "rep or exception route", step.to, people)
        yield from _never_asked(checker, position, sla)


def _never_asked(checker: Checker, position: int, sla: Sla) -> Found:
    if finished_by(checker.playbook) != "first_touch":
        return
    for key in ("next_touch", "stage"):
        if getattr(sla, key) is not None:
            message = "never begins to count: the first touch ends a journey; set follow_up.finished_by"
            yield checker.at(("slas", position, key), message, note=True)


def follow_up(checker: Checker) -> Found:
    rules = checker.playbook.follow_up
    here: Path = ("follow_up",)
    columns = fields.columns("assignment", checker.custom)
    yield from checker.twice((*here, "priorities"), [priority.name for priority in rules.priorities])
    catches_all: str | None = None
    for position, priority in enumerate(rules.priorities):
        path: Path = (*here, "priorities", position)
        yield from checker.one_of((*path, "sla"), "SLA", priority.sla, [sla.name for sla in checker.playbook.slas])
        yield from checker.expression((*path, "when"), priority.when, columns)
        if catches_all is not None:
            yield checker.at(path, f"can never match: {catches_all!r} before it takes every lead; move it up")
        elif checker.always(priority.when, columns):
            catches_all = priority.name
    yield from checker.twice((*here, "touches"), [touch.kind for touch in rules.touches], name="kind")
    yield from checker.twice((*here, "reject_reasons"), [reason.name for reason in rules.reject_reasons])
    for position, kind in enumerate(rules.lost_outcomes):
        yield from checker.one_of((*here, "lost_outcomes", position), "outcome", kind, rules.outcomes)
    if rules.finished_by == "outcome" and not rules.outcomes:
        message = "no outcome ends a journey, so none ever ends; list kinds of activity in follow_up.outcomes"
        yield checker.at((*here, "finished_by"), message)
    if rules.outcomes and finished_by(checker.playbook) != "outcome":
        message = f"nothing looks for them: {finished_by(checker.playbook)} ends a journey; set finished_by: outcome"
        yield checker.at((*here, "outcomes"), message, note=True)
