"""SLAs and follow-up: ladders that climb, people who exist.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from leadgate.playbook_check.checker import Checker, Found
from leadgate.playbook_text import Path


def slas(checker: Checker) -> Found:
    slas = checker.playbook.slas
    yield from checker.twice(("slas",), [sla.name for sla in slas])
    people = checker.reps | {route.to for route in checker.playbook.exceptions}
    for position, sla in enumerate(slas):
        before = 0
        for place, step in enumerate(sla.ladder):
            here: Path = ("slas", position, "ladder", place)
            if step.after <= before:
                message = f"{step.after} % does not come after {before} %; steps go up"
                yield checker.at((*here, "after"), message)
            before = max(before, step.after)
            if step.do == "escalate" and step.to is not None and "@" not in step.to:
                yield from checker.one_of((*here, "to"), "rep or exception route", step.to, people)
