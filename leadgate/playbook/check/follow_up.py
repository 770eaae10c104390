"""SLAs and follow-up: ladders that climb, people who exist, priorities that can match, events that can happen.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from leadgate.playbook import Playbook, Pool, Rep, Sla
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path
from leadgate.sla.ending import find_finishing_event
from leadgate.sla.sla_targets import find_hours, limit
from leadgate.vocabulary import StageName

#: One day of either half of a year: where clocks agree on both, they are of one zone for an SLA.
_DAYS = (datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12))  # noqa: DTZ001 - on the wall of each zone
#: The key of an SLA that asks for each target.
_ASKED_BY = {"acceptance": "accept_within"}
#: Words of an outcome with which a lead is lost: that it counts as won is hardly meant.
_LOST_WORDS = frozenset(
    {"lost", "disqualified", "unqualified", "rejected", "declined", "dead", "failed", "verloren", "perdu", "perdido"}
)


def check_slas(checker: Checker) -> Found:
    slas = checker.playbook.slas
    yield from checker.check_unique(("slas",), [sla.name for sla in slas])
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
                yield from checker.check_known((*here, "to"), "rep or exception route", step.to, people)
        yield from _check_never_asked(checker, position, sla)


def check_clocks(checker: Checker) -> Found:
    """Nobody's touch is due by the clock of another zone: at four in the morning of the rep, for example."""
    playbook = checker.playbook
    slas = {sla.name: sla for sla in playbook.slas}
    reps = {rep.name: rep for rep in playbook.reps}
    prioritised = [priority.sla for priority in playbook.follow_up.priorities]
    for position, pool in enumerate(playbook.pools):
        asked = [slas[name] for name in dict.fromkeys([pool.sla, *prioritised]) if name in slas]
        for sla in asked if pool.sla is not None else ():
            elsewhere = [
                f"{member.rep} ({reps[member.rep].time_zone})"
                for member in pool.members
                if member.rep in reps and _is_elsewhere(playbook, sla, pool, reps[member.rep])
            ]
            if elsewhere:
                zone = playbook.hours[pool.hours].time_zone if pool.hours in playbook.hours else ""
                message = (
                    f"SLA {sla.name} runs by the clock of {pool.hours} ({zone}) for reps of other time zones: "
                    f"{', '.join(elsewhere)}; give the SLA `clock: rep`, and these reps `hours` of their own zone"
                )
                yield checker.at(("pools", position, "hours"), message, note=True)


def _is_elsewhere(playbook: Playbook, sla: Sla, pool: Pool, rep: Rep) -> bool:
    """Whether the leads of ``rep`` in ``pool`` have a clock that shows another time than where ``rep`` is."""
    hours = playbook.hours.get(find_hours(playbook, sla, pool.name, rep.name) or "")
    if hours is None or "time_zone" not in rep.model_fields_set:
        return False
    try:
        zones = ZoneInfo(hours.time_zone), ZoneInfo(rep.time_zone)
    except (KeyError, ValueError, OSError):  # what is no zone is told elsewhere
        return False
    return any(zones[0].utcoffset(day) != zones[1].utcoffset(day) for day in _DAYS)


def _check_never_asked(checker: Checker, position: int, sla: Sla) -> Found:
    if find_finishing_event(checker.playbook) != "first_touch":
        return
    for key in ("next_touch", "stage"):
        if getattr(sla, key) is not None:
            message = "never begins to count: the first touch ends a journey; set follow_up.finished_by"
            yield checker.at(("slas", position, key), message, note=True)


def check_follow_up(checker: Checker) -> Found:
    rules = checker.playbook.follow_up
    here: Path = ("follow_up",)
    columns = checker.columns_at(StageName.ASSIGNMENT)
    yield from checker.check_unique((*here, "priorities"), [priority.name for priority in rules.priorities])
    catches_all: str | None = None
    for position, priority in enumerate(rules.priorities):
        path: Path = (*here, "priorities", position)
        yield from checker.check_known((*path, "sla"), "SLA", priority.sla, [sla.name for sla in checker.playbook.slas])
        yield from checker.check_expression((*path, "when"), priority.when, columns)
        if catches_all is not None:
            yield checker.at(path, f"can never match: {catches_all!r} before it takes every {checker.noun}; move it up")
        elif checker.is_always_met(priority.when, columns):
            catches_all = priority.name
    yield from checker.check_unique((*here, "touches"), [touch.kind for touch in rules.touches], name="kind")
    yield from checker.check_unique((*here, "reject_reasons"), [reason.name for reason in rules.reject_reasons])
    for position, kind in enumerate(rules.lost_outcomes):
        yield from checker.check_known((*here, "lost_outcomes", position), "outcome", kind, rules.outcomes)
    for position, kind in enumerate(rules.outcomes):
        if kind not in rules.lost_outcomes and not _LOST_WORDS.isdisjoint(re.split(r"[^a-z]+", kind.lower())):
            message = f"counts as won in every figure; if {kind!r} means lost, name it in follow_up.lost_outcomes, too"
            yield checker.at((*here, "outcomes", position), message, note=True)
    if rules.finished_by == "outcome" and not rules.outcomes:
        message = "no outcome ends a journey, so none ever ends; list kinds of activity in follow_up.outcomes"
        yield checker.at((*here, "finished_by"), message)
    if rules.outcomes and find_finishing_event(checker.playbook) != "outcome":
        message = (
            f"nothing looks for them: {find_finishing_event(checker.playbook)} ends a journey; set finished_by: outcome"
        )
        yield checker.at((*here, "outcomes"), message, note=True)
