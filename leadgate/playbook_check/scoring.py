"""Scoring and qualification: expressions that can match, thresholds in order.

Belongs here: what must fit together in these parts of a playbook.
"""

from __future__ import annotations

from collections.abc import Sequence

from leadgate import fields
from leadgate.nearest import proposal
from leadgate.playbook import EngagementRule, FitRule
from leadgate.playbook_check.checker import Checker, Found
from leadgate.playbook_text import Path


def scoring(checker: Checker) -> Found:
    columns = fields.columns("qualification", checker.custom)
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
                yield from checker.expression((*here, "when"), rule.when, columns)
            if rule.points == 0:
                yield checker.at((*here, "points"), "0 points change nothing; give points or remove the rule")


def qualification(checker: Checker) -> Found:
    rule = checker.playbook.qualification
    columns = fields.columns("qualification", checker.custom)
    here: Path = ("qualification",)
    if rule.marketing_qualified > rule.sales_qualified:
        yield checker.at(
            (*here, "marketing_qualified"),
            f"{rule.marketing_qualified} is above sales_qualified ({rule.sales_qualified}), so no lead could "
            "be marketing-qualified first; lower it",
        )
    if rule.review is not None and rule.review.below > rule.marketing_qualified:
        yield checker.at(
            (*here, "review", "below"),
            f"the review band reaches up to {rule.review.below}, past marketing_qualified "
            f"({rule.marketing_qualified}); end it at {rule.marketing_qualified}",
        )
    yield from checker.twice((*here, "disqualify"), [d.name for d in rule.disqualify])
    for position, disqualifier in enumerate(rule.disqualify):
        path: Path = (*here, "disqualify", position, "when")
        yield from checker.expression(path, disqualifier.when, columns)
        if checker.always(disqualifier.when, columns):
            yield checker.at(path, "every lead matches this, so all would be disqualified; narrow it")
    for part, evidence in rule.evidence.items():
        path = (*here, "evidence", part)
        yield from checker.expression((*path, "when"), evidence.when, columns)
        if evidence.value is not None and evidence.value not in columns:
            message = f"unknown field {evidence.value!r}; {proposal(evidence.value, columns)}"
            yield checker.at((*path, "value"), message)
