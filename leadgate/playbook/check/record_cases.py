"""Whether a playbook's cases of records name what the playbook has for their kind, and expect something.

Belongs here: names in cases of records, each with its line. Does not belong here: cases of leads (``check.cases``), or
what an update gets (``tasks.record_cases``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from leadgate.limits import find_length_problem
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.cases import ReadCases, RecordCase, format_value
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.playbook.yaml_text import Path, Problem
from leadgate.records import fields
from leadgate.scoring.verdict import list_counted_activities
from leadgate.vocabulary import GateName, JourneyKind

_MOST_TOLD: Final = 100
_LONGEST: Final = 80


def list_sources_of(playbook: Playbook, kind: JourneyKind) -> list[str]:
    """The sources whose payloads start journeys of ``kind``."""
    return [name for name, source in playbook.sources.items() if SOURCE_KINDS.get(source.kind) is kind]


def check_record_cases(
    loaded: LoadedPlaybook,
    files: Iterable[ReadCases],
    promises: Mapping[JourneyKind, Mapping[GateName, Collection[str]]],
) -> list[Problem]:
    """What is wrong with the cases of records beside a playbook that is sound itself. ``promises``: those of each gate,
    by kind."""
    found = {problem for each in files for problem in _RecordCaseChecker(loaded, each, promises).check_all()}
    return sorted(found)[:_MOST_TOLD]


class _RecordCaseChecker(Checker):
    """The cases of records of one file. Each method yields what it finds, with its line."""

    def __init__(
        self,
        loaded: LoadedPlaybook,
        read: ReadCases,
        promises: Mapping[JourneyKind, Mapping[GateName, Collection[str]]],
    ) -> None:
        super().__init__(loaded)
        self.at = read.document.problem
        self.cases = read.file.records
        self.promises = promises

    def check_all(self) -> Found:
        first: dict[str, int] = {}
        for position, case in enumerate(self.cases):
            here: Path = ("records", position)
            if first.setdefault(case.name, position) != position:
                yield self.at((*here, "name"), f"{case.name[:_LONGEST]!r} is there twice; rename or remove one")
            if not (sources := list_sources_of(self.playbook, case.kind)):
                yield self.at((*here, "kind"), f"the playbook declares no source of {case.kind.plural}")
                continue
            yield from self._check_name((*here, "source"), f"source of {case.kind.plural}", case.source, sources)
            yield from self._check_input(here, case)
            yield from self._check_expected((*here, "expect"), case)

    def _check_input(self, here: Path, case: RecordCase) -> Found:
        view = self.playbook.for_kind(case.kind)
        given = {**fields.STANDARD[case.kind], **view.fields}
        for key, values in (("record", case.record), ("before", case.before)):
            for name, value in values.items():
                at, text = (*here, key, name), format_value(value)
                yield from self._check_name(at, f"field of {case.kind.plural}", name, given)
                if (problem := find_length_problem(name[:_LONGEST], text)) is not None:
                    yield self.at(at, problem)
                if "\x00" in text:
                    yield self.at(at, "has a NUL character; remove it")
        for kind in case.did:
            counted = list_counted_activities(view)
            yield from self._check_name((*here, "did", kind), "activity that a rule counts", kind, counted)
        for name in case.enriched:
            yield from self._check_name((*here, "enriched", name), "fact about an account", name, fields.ENRICHED)
        for rep in case.away:
            yield from self._check_name((*here, "away"), "rep", rep, self.reps)

    def _check_expected(self, here: Path, case: RecordCase) -> Found:
        expected, view = case.expect, self.playbook.for_kind(case.kind)
        if all(not each for each in expected.model_dump(exclude_defaults=True).values()):
            yield self.at(here, "expects nothing, so the case cannot fail; name at least one thing, such as verdict")
        named = {
            "owner": ("rep", expected.owner, self.reps),
            "pool": ("pool", expected.pool, self.pool_names),
            "route": ("route", expected.route, [each.name for each in view.routing]),
            "sla": ("SLA", expected.sla, [each.name for each in view.slas]),
            "priority": ("priority", expected.priority, [each.name for each in view.follow_up.priorities]),
        }
        for key, (what, name, known) in named.items():
            yield from self._check_name((*here, key), what, name, known)
        rules = [rule.name for rule in view.scoring.fit] + [rule.name for rule in view.scoring.engagement]
        for rule in expected.points:
            yield from self._check_name((*here, "points", rule), "scoring rule", rule, rules)
        for rep in expected.tells:
            yield from self._check_name((*here, "tells"), "rep", rep, self.reps)
        added = view.gates.get(GateName.VALIDATED)
        promises = {*self.promises[case.kind].get(GateName.VALIDATED, ())}
        promises |= set() if added is None else {each.name for each in added.expect}
        for name in expected.held_by:
            yield from self._check_name((*here, "held_by"), "promise of validation", name, promises)
        values = {*fields.STANDARD[case.kind], *view.fields, *fields.ENRICHED}
        for name in expected.values:
            yield from self._check_name((*here, "values", name), f"field of {case.kind.plural}", name, values)

    def _check_name(self, at: Path, what: str, name: str | None, known: Collection[str]) -> Found:
        if name is None or name in known:
            return
        shown = name[:_LONGEST]
        yield self.at(at, f"there is no {what} {shown!r}; {propose(shown, known)}")
