"""Whether a playbook's cases name what the playbook has, and expect something.

Belongs here: names in cases, each with its line. Does not belong here: the schema of a case (``playbook.cases``), or
what a lead gets (``tasks.playbook_cases``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from leadgate import fields
from leadgate.limits import find_length_problem
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.cases import Case, Expected, ReadCases, format_value
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path, Problem
from leadgate.scoring.verdict import list_counted_activities
from leadgate.vocabulary import GateName

#: The most problems of cases that are told: one wrong name may be in each of them.
_MOST_TOLD: Final = 100
#: The most characters of a misspelt name that is shown, and compared with others.
_LONGEST: Final = 80


def check_cases(
    loaded: LoadedPlaybook, files: Iterable[ReadCases], promises: Mapping[GateName, Collection[str]]
) -> list[Problem]:
    """What is wrong with the cases beside a playbook that is sound itself. ``promises``: those of each gate."""
    found = {problem for each in files for problem in _CaseChecker(loaded, each, promises).check_all()}
    return sorted(found)[:_MOST_TOLD]


class _CaseChecker(Checker):
    """The cases of one file that are being checked. Each method yields what it finds, with its line."""

    def __init__(self, loaded: LoadedPlaybook, read: ReadCases, promises: Mapping[GateName, Collection[str]]) -> None:
        super().__init__(loaded)
        self.at = read.document.problem
        self.cases = read.file.cases
        playbook = loaded.playbook
        self.sources = [name for name, source in playbook.sources.items() if source.kind == "leads"]
        self.given = {**fields.STANDARD, **self.custom}
        self.known = {**self.given, **fields.VALIDATED, **fields.ENRICHED}
        self.enrichable = fields.list_enrichable(self.custom)
        self.activities = list_counted_activities(playbook)
        added = playbook.gates.get(GateName.VALIDATED)
        self.promises = {*promises.get(GateName.VALIDATED, ())}
        if added is not None:
            self.promises |= {each.name for each in added.expect}
        self.rules = [rule.name for rule in playbook.scoring.fit] + [rule.name for rule in playbook.scoring.engagement]

    def check_all(self) -> Found:
        if self.cases and not self.sources:
            yield self.at(("cases",), "the playbook declares no source of leads")
            return
        first: dict[str, int] = {}
        for position, case in enumerate(self.cases):
            here: Path = ("cases", position)
            if case.name in first:
                yield self.at((*here, "name"), f"{case.name[:_LONGEST]!r} is there twice; rename or remove one")
            first.setdefault(case.name, position)
            yield from self._check_input(here, case)
            yield from self._check_expected((*here, "expect"), case.expect)

    def _check_input(self, here: Path, case: Case) -> Found:
        yield from self._check_name((*here, "source"), "source of leads", case.source, self.sources)
        for name, value in case.lead.items():
            at = (*here, "lead", name)
            text = format_value(value)
            yield from self._check_name(at, "field of a lead", name, self.given)
            if (problem := find_length_problem(name[:_LONGEST], text)) is not None:
                yield self.at(at, problem)
            if "\x00" in text:
                yield self.at(at, "has a NUL character; remove it")
        for kind in case.did:
            yield from self._check_name((*here, "did", kind), "activity that a rule counts", kind, self.activities)
        for name in case.enriched:
            yield from self._check_name((*here, "enriched", name), "field that providers fill", name, self.enrichable)
        for rep in case.away:
            yield from self._check_name((*here, "away"), "rep", rep, self.reps)
        yield from self._check_name((*here, "earlier_owner"), "rep", case.earlier_owner, self.reps)

    def _check_expected(self, here: Path, expected: Expected) -> Found:
        if all(not each for each in expected.model_dump(exclude_defaults=True).values()):
            yield self.at(here, "expects nothing, so the case cannot fail; name at least one thing, such as verdict")
        playbook = self.playbook
        if expected.grade is not None and playbook.scoring.grades is None:
            yield self.at((*here, "grade"), "leads have no grades; give the playbook scoring.grades")
        named = {
            "owner": ("rep", expected.owner, self.reps),
            "pool": ("pool", expected.pool, self.pool_names),
            "route": ("route", expected.route, [route.name for route in playbook.routing]),
            "sla": ("SLA", expected.sla, [sla.name for sla in playbook.slas]),
            "priority": ("priority", expected.priority, [each.name for each in playbook.follow_up.priorities]),
        }
        for key, (what, name, known) in named.items():
            yield from self._check_name((*here, key), what, name, known)
        for rule in expected.points:
            yield from self._check_name((*here, "points", rule), "scoring rule", rule, self.rules)
        for key, names in (("held_by", expected.held_by), ("warned_by", expected.warned_by)):
            for name in names:
                yield from self._check_name((*here, key), "promise of validation", name, self.promises)
        for name in expected.values:
            yield from self._check_name((*here, "values", name), "field of a lead", name, self.known)

    def _check_name(self, at: Path, what: str, name: str | None, known: Collection[str]) -> Found:
        if name is None or name in known:
            return
        shown = name[:_LONGEST]
        yield self.at(at, f"there is no {what} {shown!r}; {propose(shown, known)}")
