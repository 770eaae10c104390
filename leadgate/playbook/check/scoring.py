"""Checks of the parts ``scoring`` and ``qualification``: expressions can match, thresholds are in order.

Belongs here: the rules by which these parts must fit together. Does not belong here: the shape of one part (its schema,
``leadgate.playbook``).
"""

from __future__ import annotations

from collections.abc import Sequence

from leadgate.nearest import propose
from leadgate.playbook import EngagementRule, FitRule
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path
from leadgate.scoring.verdict import find_exit_score
from leadgate.vocabulary import StageName


def check_scoring(checker: Checker) -> Found:
    columns = checker.columns_at(StageName.QUALIFICATION)
    scoring = checker.playbook.scoring
    seen: dict[str, Path] = {}
    parts: tuple[tuple[str, Sequence[FitRule | EngagementRule]], ...] = (
        ("fit", scoring.fit),
        ("engagement", scoring.engagement),
    )
    for part, rules in parts:
        for position, rule in enumerate(rules):
            here: Path = ("scoring", part, position)
            if rule.name in seen:  # fit and engagement share one list of contributions
                yield checker.at((*here, "name"), f"the name {rule.name!r} is taken; rename one of the two rules")
            seen[rule.name] = here
            if rule.when is not None:
                yield from checker.check_expression((*here, "when"), rule.when, columns)
            if rule.points == 0:
                yield checker.at((*here, "points"), "0 points change nothing; give points or remove the rule")
            yield from checker.check_known((*here, "group"), "group", rule.group, scoring.groups)
    yield from _check_groups(checker)


def _check_groups(checker: Checker) -> Found:
    scoring = checker.playbook.scoring
    fit = {rule.group for rule in scoring.fit}
    engagement = {rule.group for rule in scoring.engagement}
    for name in scoring.groups:
        here: Path = ("scoring", "groups", name)
        if name in ("fit", "engagement"):
            message = f"{name} as a whole is capped by scoring.caps.{name}; give the group another name"
            yield checker.at(here, message)
        if name in fit and name in engagement:
            message = f"{name!r} has rules of fit and of engagement, which are capped apart; make two groups of it"
            yield checker.at(here, message)
        if name not in fit | engagement:
            yield checker.at(here, f"no rule is in the group {name!r}, so its cap does nothing", note=True)


def check_qualification(checker: Checker) -> Found:
    rule = checker.playbook.qualification
    columns = checker.columns_at(StageName.QUALIFICATION)
    here: Path = ("qualification",)
    if rule.marketing_qualified > rule.sales_qualified:
        yield checker.at(
            (*here, "marketing_qualified"),
            f"{rule.marketing_qualified} is above sales_qualified ({rule.sales_qualified}), so no {checker.noun} could "
            "be marketing-qualified first; lower it",
        )
    yield from _check_leave(checker)
    yield from _check_grades(checker)
    if rule.review is not None and rule.review.below > rule.marketing_qualified:
        yield checker.at(
            (*here, "review", "below"),
            f"the review band reaches up to {rule.review.below}, past marketing_qualified "
            f"({rule.marketing_qualified}); end it at {rule.marketing_qualified}",
        )
    yield from checker.check_unique((*here, "disqualify"), [d.name for d in rule.disqualify])
    for position, disqualifier in enumerate(rule.disqualify):
        path: Path = (*here, "disqualify", position, "when")
        yield from checker.check_expression(path, disqualifier.when, columns)
        if checker.is_always_met(disqualifier.when, columns):
            yield checker.at(path, f"every {checker.noun} matches this, so all would be disqualified; narrow it")
    for part, evidence in rule.evidence.items():
        path = (*here, "evidence", part)
        for name, text in (("when", evidence.when), ("negative", evidence.negative)):
            if text is not None:
                yield from checker.check_expression((*path, name), text, columns)
        if evidence.value is not None and evidence.value not in columns:
            message = f"unknown field {evidence.value!r}; {propose(evidence.value, columns)}"
            yield checker.at((*path, "value"), message)
    for verdict, parts in rule.requires.items():
        for position, required in enumerate(parts):
            required_rule = rule.evidence.get(required)
            if required_rule is None or (required_rule.when is None and required_rule.activity is None):
                path = (*here, "requires", verdict.value, position)
                message = f"nothing proves {required}, so no {checker.noun} could be {verdict}; say how under evidence"
                yield checker.at(path, message)


def _check_leave(checker: Checker) -> Found:
    rule = checker.playbook.qualification
    here: Path = ("qualification", "leave")
    marketing, sales = find_exit_score(rule, 1), find_exit_score(rule, 2)
    for name, leaves, enters in (
        ("marketing_qualified", marketing, rule.marketing_qualified),
        ("sales_qualified", sales, rule.sales_qualified),
    ):
        if leaves > enters:
            message = f"{leaves} is above {enters}, at which a lead enters: it would leave at once; lower it"
            yield checker.at((*here, name), message)
    if marketing > sales:
        message = f"{sales} is below {marketing}, at which a lead is not even marketing-qualified any more; raise it"
        yield checker.at((*here, "sales_qualified"), message)


def _check_grades(checker: Checker) -> Found:
    rule = checker.playbook.qualification
    here: Path = ("qualification", "grades")
    staying = (*rule.leave.grades.marketing_qualified, *rule.leave.grades.sales_qualified)
    if rule.grades is None:
        if staying:
            message = f"{checker.kind.plural} qualify by score, so no grade keeps one qualified"
            yield checker.at(
                ("qualification", "leave", "grades"), f"{message}; give qualification.grades, or remove it"
            )
        return
    if checker.playbook.scoring.grades is None:
        yield checker.at(here, f"{checker.kind.plural} have no grades, so none would ever qualify; give scoring.grades")
    if not (rule.grades.marketing_qualified or rule.grades.sales_qualified):
        yield checker.at(here, f"no grade qualifies, so no {checker.noun} ever would; list some, such as [A1, A2, B1]")
