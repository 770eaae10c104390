"""The learned score: fields that exist and may be read, and a review band in which it could decide.

Belongs here: what must fit together in this part of a playbook.
"""

from __future__ import annotations

from leadgate.fields import PERSONAL
from leadgate.nearest import propose
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path
from leadgate.vocabulary import LearnedRole, StageName


def check_learned(checker: Checker) -> Found:
    learned = checker.playbook.learned
    if learned is None:
        return
    columns = checker.columns_at(StageName.QUALIFICATION)
    yield from checker.check_unique(("learned", "fields"), list(learned.fields))
    for position, name in enumerate(learned.fields):
        here: Path = ("learned", "fields", position)
        if name not in columns:
            yield checker.at(here, f"unknown field {name!r}; {propose(name, columns)}")
        elif name in PERSONAL:
            yield checker.at(here, f"{name!r} is personal, and no reason to prefer a lead; remove it")
        elif columns[name] in ("date", "timestamp"):
            yield checker.at(here, f"{name!r} is a {columns[name]}, which no later lead has; remove it")
    if learned.audit is not None and checker.playbook.qualification.grades is not None:
        message = "leads qualify by grade, so none is some points below the threshold; remove audit"
        yield checker.at(("learned", "audit"), message)
    if learned.role is LearnedRole.DECIDE and checker.playbook.qualification.review is None:
        message = "a learned score decides within the review band alone, and qualification.review names none; add it"
        yield checker.at(("learned", "role"), message)
