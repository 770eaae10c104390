"""The rules of a playbook as sentences, for people who never read its file.

Belongs here: pure words from the playbook's model, for scoring, qualification, routing and SLAs. Does not belong here:
the words of a condition (``leadgate.expressions.wording``), how often a rule was hit (``ledger.rule_hits``), or markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from console.display_names import DisplayNames, write_as_words
from console.screen import format_span
from leadgate.assignment.route_matching import TERRITORY_FIELDS
from leadgate.counting import format_count
from leadgate.expressions.wording import describe_condition, list_choices, name_field
from leadgate.ledger.rule_hits import RuleKind
from leadgate.playbook import Cap, EngagementRule, LadderStep, Playbook, Pool, Route, Sla, Target, Territory
from leadgate.playbook.kinds import ANY_SCORE
from leadgate.scoring.verdict import find_exit_score
from leadgate.sla.sla_targets import TARGETS, limit, list_ladder_steps
from leadgate.vocabulary import JourneyKind, QualifiedAs


@dataclass(frozen=True)
class RuleSentence:
    """A rule. ``kind`` and ``counted_as`` (else its name) find its hits, where they are counted; ``when`` is its
    condition as it is written."""

    kind: RuleKind | None
    name: str
    sentence: str
    why: str = ""
    when: str | None = None
    counted_as: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        return "" if self.kind is None else self.kind.value, self.counted_as or self.name


@dataclass(frozen=True)
class RuleSection:
    """Rules of one kind, in the playbook's order, and what holds for all of them."""

    title: str
    rules: tuple[RuleSentence, ...]
    notes: tuple[str, ...] = ()
    about: JourneyKind = JourneyKind.LEAD  # hits are counted of leads alone


def list_sections(playbook: Playbook, names: DisplayNames) -> list[RuleSection]:
    """Every rule by which leads are scored, qualified, routed and followed up; or records of the kind of which
    ``playbook`` is a view."""
    words = RuleWords(playbook, names)
    return [
        RuleSection("Fit: who they are", tuple(words.list_fit()), tuple(words.list_scoring_notes("fit"))),
        RuleSection(
            "Engagement: what they did",
            tuple(words.list_engagement()),
            tuple(words.list_scoring_notes("engagement")),
        ),
        RuleSection(
            "Disqualification",
            tuple(
                RuleSentence(
                    RuleKind.DISQUALIFIED,
                    rule.name,
                    f"Disqualified when {words.describe(rule.when)}.",
                    rule.reason,
                    rule.when,
                    rule.reason,
                )
                for rule in playbook.qualification.disqualify
            ),
            (f"Any of these ends {words.one}, whatever its score.",),
        ),
        RuleSection("Qualification", tuple(words.list_verdicts()), tuple(words.list_evidence_notes())),
        RuleSection(
            "Routing",
            tuple(words.describe_route(route) for route in playbook.routing),
            ("From the top: the first route that fits decides.",),
        ),
        RuleSection("Pools", tuple(words.describe_pool(pool) for pool in playbook.pools)),
        RuleSection("SLAs", (*words.list_priorities(), *(words.describe_sla(sla) for sla in playbook.slas))),
    ]


_CLOCKS: Final = {
    "pool": "in the pool's working hours",
    "wall": "around the clock",
    "rep": "in the owner's own working hours",
}
_TARGETS: Final[dict[Target, str]] = {
    "first_touch": "the first touch",
    "acceptance": "an answer (accepted, rejected or touched)",
    "next_touch": "each further touch after the one before",
    "stage": "acceptance or the end",
}
_MISSED: Final[dict[Target, str]] = {
    "first_touch": "a touch",
    "acceptance": "an answer",
    "next_touch": "a further touch",
    "stage": "acceptance",
}
_AWAY: Final = {
    "pass_on": "if they cannot take it, the next route that fits decides",
    "wait": "if they cannot take it, it waits for them",
    "hold": "if they cannot take it, a person decides",
    "manager": "if they cannot take it, their manager gets it",
}


class RuleWords:
    """The words of one playbook, for leads or for records of its kind."""

    def __init__(self, playbook: Playbook, names: DisplayNames) -> None:
        self._playbook = playbook
        self._names = names
        self.noun = playbook.kind.value
        self.one = f"a{'n' * (self.noun[0] in 'aeiou')} {self.noun}"
        self._labels = {name: field.label for name, field in playbook.fields.items() if field.label}

    def describe(self, when: str) -> str:
        return describe_condition(when, self._labels, self.noun)

    def name_rep(self, name: str) -> str:
        return self._names.name_rep(name)

    def name_source(self, name: str) -> str:
        return self._names.name_source(name)

    def list_fit(self) -> Iterator[RuleSentence]:
        for rule in self._playbook.scoring.fit:
            sentence = f"{_format_points(rule.points)} when {self.describe(rule.when)}."
            yield RuleSentence(RuleKind.CONTRIBUTION, rule.name, sentence, rule.why, rule.when)

    def list_engagement(self) -> Iterator[RuleSentence]:
        for rule in self._playbook.scoring.engagement:
            if rule.when is not None:
                sentence = f"{_format_points(rule.points)} when {self.describe(rule.when)}."
            else:
                sentence = _describe_activity_rule(rule)
            yield RuleSentence(RuleKind.CONTRIBUTION, rule.name, sentence, rule.why, rule.when)

    def list_scoring_notes(self, part: str) -> Iterator[str]:
        scoring = self._playbook.scoring
        rules = scoring.fit if part == "fit" else scoring.engagement
        for group, cap in scoring.groups.items():
            members = [write_as_words(rule.name) for rule in rules if rule.group == group]
            if members:
                yield f"Together, {list_choices(members, 'and')} give {_describe_cap(cap)}."
        for name, cap in scoring.caps.items():
            if name == part:
                yield f"All rules of {part} together give {_describe_cap(cap)}."
        if scoring.grades is not None:
            fit, engagement = scoring.grades.fit, scoring.grades.engagement
            scale = fit.items() if part == "fit" else engagement.items()
            words = ", ".join(f"{grade} from {points} points on" for grade, points in scale)
            yield f"Grades: {words}; {'D' if part == 'fit' else '4'} below that."

    def list_verdicts(self) -> Iterator[RuleSentence]:
        rule = self._playbook.qualification
        if rule.marketing_qualified <= ANY_SCORE and rule.grades is None:
            yield RuleSentence(None, "every_score", f"Every {self.noun} goes on, whatever its score.")
            return
        for number, verdict in ((2, QualifiedAs.SALES), (1, QualifiedAs.MARKETING)):
            words = _format_verdict(verdict)
            if rule.grades is not None:
                grades = list_choices(getattr(rule.grades, verdict.value))
                sentence = f"Of grade {grades}, {self.one} is {words}." if grades else f"No grade is {words}."
                if kept := list_choices(getattr(rule.leave.grades, verdict.value)):
                    sentence += f" One that was stays so at {kept}."
            else:
                enters = rule.sales_qualified if number == 2 else rule.marketing_qualified
                leaves = find_exit_score(rule, number)
                sentence = f"From a score of {enters} on, {self.one} is {words}"
                sentence += f"; one that was stays so down to {leaves}." if leaves != enters else "."
            if number == 2 and rule.sales_qualified_by == "acceptance":
                sentence += " It is only so once its rep accepts it."
            if parts := rule.requires.get(verdict):
                sentence += f" Its {list_choices(parts, 'and')} must be known."
            yield RuleSentence(RuleKind.VERDICT, verdict.value, sentence)
        if rule.review is not None:
            band = (
                f"A score from {rule.review.lowest} to {rule.review.below - 1} waits until a person has looked at it."
            )
            yield RuleSentence(RuleKind.VERDICT, "review", band)
        yield RuleSentence(RuleKind.VERDICT, "nurture", f"Every other {self.noun} is nurtured: nobody gets it.")

    def list_evidence_notes(self) -> Iterator[str]:
        for part, rule in self._playbook.qualification.evidence.items():
            shown = [self.describe(rule.when)] if rule.when is not None else []
            if rule.activity is not None:
                shown.append(f"the lead did “{write_as_words(rule.activity)}”")
            known = f"is known when {' or '.join(shown)}" if shown else "is never known by itself"
            refuted = f"; it is known to be missing when {self.describe(rule.negative)}" if rule.negative else ""
            yield f"{part.capitalize()} {known}{refuted}."

    def describe_route(self, route: Route) -> RuleSentence:
        asked = []
        if route.territory is not None:
            asked.append(self._describe_territory(route.territory, self._playbook.territories[route.territory]))
        if (words := self.describe(route.when)) != f"every {self.noun}":
            asked.append(f"({words})" if asked and " or " in words else words)
        whose = f"When {' and '.join(asked)}: " if asked else f"Every {self.noun}: "
        kind, _, target = route.to.partition(" ")
        if kind == "pool":
            goes = f"to the pool {self._names.name_pool(target)}"
            if route.requires:
                goes += f", to a member who has {list_choices(route.requires, 'and')}"
        else:
            goes = {
                "rep": f"to {self._names.name_rep(target)}",
                "account_owner": "to the owner of the account, where there is one",
                "earlier_owner": f"to who had the {self.noun} when it came before, where there is one",
                "record_owner": "to the owner of the record, where it names a rep",
            }[kind]
            goes += f"; {_AWAY[route.if_away]}"
        when = None if route.when == "true" else route.when
        return RuleSentence(RuleKind.ROUTE, route.name, f"{whose}{goes}.", route.why, when)

    def _describe_territory(self, name: str, territory: Territory) -> str:
        places = [
            f"{name_field(field)} {'begins with ' if field == 'postal_code' else ''}{list_choices(values)}"
            for key, field in TERRITORY_FIELDS.items()
            if (values := getattr(territory, key))
        ]
        return f"the {self.noun} is in the territory {write_as_words(name)} ({'; '.join(places)})"

    def describe_pool(self, pool: Pool) -> RuleSentence:
        members = [
            self._names.name_rep(member.rep) + (f" (weight {member.weight})" if _has_weights(pool) else "")
            for member in pool.members
        ]
        order = (
            "go to who has the fewest open ones for their weight"
            if pool.order == "open_leads"
            else f"go by turns{' in proportion to the weights' if _has_weights(pool) else ''}"
        )
        parts = [f"Leads {order}: {', '.join(members)}."]
        for asks, what in ((pool.language, "speaks the lead's language"), (pool.product, "knows the product")):
            if asks != "ignored":
                parts.append(f"Somebody who {what} is {asks}.")
        if pool.only_in_hours:
            parts.append("Who is not at work at that moment is passed over.")
        parts.append(self._describe_nobody(pool))
        if pool.sla is not None:
            parts.append(f"The SLA is {write_as_words(pool.sla)}.")
        return RuleSentence(RuleKind.POOL, pool.name, " ".join(parts))

    def _describe_nobody(self, pool: Pool) -> str:
        policy = pool.nobody_available
        match policy.do:
            case "overflow":
                does = f"the pool {self._names.name_pool(policy.pool or '')} helps out"
            case "assign":
                does = f"{self._names.name_rep(policy.rep or '')} gets the lead"
            case "wait":
                does = "the lead waits for the first who is back"
                does += f", {format_span(policy.retry_after)} at the longest" if policy.retry_after else ""
            case "hold":
                does = "a person decides"
        return f"When nobody can take it, {does}."

    def list_priorities(self) -> Iterator[RuleSentence]:
        for each in self._playbook.follow_up.priorities:
            sentence = f"When {self.describe(each.when)}: the SLA {write_as_words(each.sla)}, whatever the pool's is."
            yield RuleSentence(RuleKind.PRIORITY, each.name, sentence, when=each.when)

    def describe_sla(self, sla: Sla) -> RuleSentence:
        due = [
            f"{_TARGETS[target]} within {format_span(length)}"
            for target in TARGETS
            if (length := limit(sla, target)) is not None
        ]
        parts = [f"Due: {', '.join(due)}, counted {_CLOCKS[sla.clock]}."]
        for target in TARGETS:
            length = limit(sla, target)
            if length is not None and (steps := list_ladder_steps(sla, target)):
                does = ", ".join(self._describe_step(step, length) for step in steps)
                parts.append(f"Without {_MISSED[target]}, {does}.")
        return RuleSentence(RuleKind.SLA, sla.name, " ".join(parts))

    def _describe_step(self, step: LadderStep, length: timedelta) -> str:
        after = format_span(length * step.after / 100)
        match step.do:
            case "remind":
                return f"after {after} the owner is reminded"
            case "escalate":
                told = "the owner's manager" if step.to is None else self._name_route(step.to)
                return f"after {after} {told} is told"
            case "reassign":
                return f"after {after} somebody else gets the {self.noun}"

    def _name_route(self, to: str) -> str:
        return self._names.name_rep(to) if any(to == rep.name for rep in self._playbook.reps) else write_as_words(to)


def _has_weights(pool: Pool) -> bool:
    return len({member.weight for member in pool.members}) > 1


def _format_points(points: int) -> str:
    count = format_count(abs(points), "point", "points")
    return count if points >= 0 else f"{count} less"


def _format_verdict(verdict: QualifiedAs) -> str:
    return verdict.value.replace("_", "-")


def _describe_activity_rule(rule: EngagementRule) -> str:
    """Such as "5 points for each “pricing page view” of the last 30 d, at most 15; worth half after each 7 d."."""
    which = "each " if rule.count == "each" else ""
    words = f"{_format_points(rule.points)} for {which}“{write_as_words(rule.activity or '')}”"
    if rule.within is not None:
        words += f" of the last {format_span(rule.within)}"
    if rule.max_points is not None:
        words += f", at most {rule.max_points}"
    if rule.half_life is not None:
        words += f"; worth half after each {format_span(rule.half_life)}"
    return f"{words}."


def _describe_cap(cap: Cap) -> str:
    bounds: Sequence[tuple[str, int | None]] = (("at most", cap.max_points), ("at least", cap.min_points))
    return " and ".join(f"{words} {points} points" for words, points in bounds if points is not None)
