"""What every check of a playbook uses: the playbook, what it names, and questions that several parts ask.

Belongs here: checks of one expression, field, name or zone. Does not belong here: what a part must hold (a
file for each group of parts).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from typing import Final

import pycountry

from leadgate.expressions.rules import is_always_true, is_never_true
from leadgate.expressions.syntax import RuleError, find_comparisons, parse
from leadgate.fields import STANDARD, FieldType
from leadgate.mapping.headers import propose_field
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.kinds import KindSection, OpportunityKind
from leadgate.playbook.yaml_text import Path, Problem
from leadgate.records import fields as record_fields
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import ForecastCategory, JourneyKind, QualifiedAs, StageName

ASSIGNED: Final = ("owner", "rule", "pool")  # what assignment adds to a lead
_QUALIFIED_AS: Final = tuple(verdict.value for verdict in QualifiedAs)
_GRADES: Final = tuple(fit + number for fit in "ABCD" for number in "1234")
_CATEGORIES: Final = tuple(category.value for category in ForecastCategory)

#: Parts of a view that begin with those of the section and go on with what it adds or shares.
_EXTENDED: Final[tuple[tuple[str, ...], ...]] = (("slas",), ("exceptions",), ("follow_up", "priorities"))

Found = Iterator[Problem]
Columns = dict[str, FieldType]


class Checker:
    """A playbook that is being checked, as it is for one kind. Each method yields what it finds, with its line.

    ``of_kinds``: the playbook as it is for each kind that has a section, leads included.
    """

    def __init__(self, loaded: LoadedPlaybook, kind: JourneyKind = JourneyKind.LEAD) -> None:
        self.playbook: Playbook = loaded.playbook.for_kind(kind)
        self.kind = kind
        self.section: KindSection | None = self.playbook.kinds.find(kind)
        self.folder = loaded.folder
        self._document = loaded.document
        #: A problem at a path of the playbook as it is for the kind: of a record, in the section of its kind.
        self.at: Callable[..., Problem] = self._document.problem if self.section is None else self._report_in_section
        sections = [each for each in JourneyKind if loaded.playbook.kinds.find(each) is not None]
        self.of_kinds = {each: loaded.playbook.for_kind(each) for each in (JourneyKind.LEAD, *sections)}
        self.custom: Columns = {name: field.type for name, field in self.playbook.fields.items()}
        self.reps = {rep.name for rep in self.playbook.reps}
        self.pool_names = {pool.name for pool in self.playbook.pools}

    def _report_in_section(self, path: Path, message: str, *, note: bool = False) -> Problem:
        return self._document.problem(self._find_written(path), message, note=note)

    def _find_written(self, path: Path) -> Path:
        """Where ``path`` is written. What a view adds to its section, or shares with leads, is not in the section."""
        assert self.section is not None  # noqa: S101 - asked of records alone
        if path[:2] == ("validation", "required"):
            path = path[1:]
        is_own = path[0] in type(self.section).model_fields
        for part in _EXTENDED:
            if path[: len(part)] == part and len(path) > len(part):
                own = self.section.follow_up.priorities if len(part) > 1 else getattr(self.section, str(part[0]))
                is_own = int(path[len(part)]) < len(own)
        return ("kinds", self.kind.value, *path) if is_own else path

    @property
    def noun(self) -> str:
        """What the rules are about, in a sentence: a lead, or a record of the kind."""
        return self.kind.value

    def columns_at(self, stage: StageName) -> Columns:
        """The columns that an expression may use at ``stage``, with their types."""
        return self.playbook.columns_at(stage)

    def check_expression(self, path: Path, text: str, columns: Columns) -> Found:
        try:
            never = is_never_true(text, columns)
        except RuleError as error:
            yield self.at(path, str(error))
            return
        ungraded = sorted(parse(text).columns & {"grade", "fit_grade", "engagement_grade"})
        if ungraded and self.playbook.scoring.grades is None:
            yield self.at(
                path, f"{ungraded[0]} is always empty, for {self.kind.plural} have no grades; give scoring.grades"
            )
            return
        impossible = list(self.find_impossible_values(text))
        for message in impossible:
            yield self.at(path, message)
        if never and not impossible:
            yield self.at(
                path, f"can never match: {text.strip()!r} is false for every {self.noun}; correct or remove it"
            )

    def find_impossible_values(self, text: str) -> Iterator[str]:
        """Comparisons with a value that the column never has."""
        possible: dict[str, Collection[str]] = {
            "source": self.playbook.sources,
            "qualified_as": _QUALIFIED_AS,
            "grade": _GRADES,
            "fit_grade": tuple("ABCD"),
            "country": _load_countries(),
        }
        if isinstance(self.section, OpportunityKind):
            possible["sales_stage"] = [stage.name for stage in self.section.sales_stages]
            possible["forecast_category"] = _CATEGORIES
        for comparison in find_comparisons(parse(text)):
            for value in comparison.constants:
                if comparison.column not in possible or value in possible[comparison.column]:
                    continue
                if comparison.column == "country":
                    meant = _find_code(value)
                    what = f"write {meant!r}" if meant else "write the two letters of ISO 3166, such as 'DE'"
                    yield f"country is never {value!r} (at {comparison.where!r}): {what}"
                else:
                    known = propose(value, possible[comparison.column])
                    yield f"{comparison.column} is never {value!r} (at {comparison.where!r}); {known}"

    def is_always_met(self, text: str, columns: Columns) -> bool:
        try:
            return is_always_true(text, columns)
        except RuleError:  # reported where it is checked
            return False

    def check_field(self, path: Path, name: str, kind: JourneyKind | None = None) -> Found:
        """``name`` is a field of what the rules are about, or of another ``kind``."""
        kind = kind or self.kind
        own = self.playbook if kind is self.kind else self.playbook.for_kind(kind)
        standard = STANDARD if kind is JourneyKind.LEAD else record_fields.STANDARD[kind]
        known = {*standard, *own.fields}
        if name not in known:
            yield self.at(path, f"{name!r} is not a field of {name_one(kind)}; {propose_field(name, known)}")

    def check_known(self, path: Path, what: str, name: str | None, known: Iterable[str]) -> Found:
        if name is not None and name not in (names := set(known)):
            yield self.at(path, f"unknown {what} {name!r}; {propose(name, names)}")

    def check_unique(self, path: Path, names: list[str], name: str = "name") -> Found:
        for position, value in enumerate(names):
            if value in names[:position]:
                yield self.at((*path, position, name), f"{value!r} is there twice; rename or remove one")

    def check_zone(self, path: Path, zone: str) -> Found:
        if zone not in list_time_zones():
            yield self.at(path, f"{zone!r} is not a time zone; {propose(zone, list_time_zones())}")

    def check_country(self, path: Path, code: str) -> Found:
        if code not in _load_countries():
            meant = _find_code(code)
            what = f"did you mean {meant!r}?" if meant else "write the two letters of ISO 3166, such as 'DE'"
            yield self.at(path, f"{code!r} is not a country's code; {what}")


def name_one(kind: JourneyKind) -> str:
    """One of the kind, in a sentence.

    >>> name_one(JourneyKind.OPPORTUNITY), name_one(JourneyKind.LEAD)
    ('an opportunity', 'a lead')
    """
    return f"{'an' if kind.value[0] in 'aeiou' else 'a'} {kind.value}"


@cache
def _load_countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


def _find_code(name: str) -> str | None:
    """The code of a country that is written otherwise: its name, its three letters, lower case."""
    other = {"UK": "GB", "EN": "GB"}.get(name.upper())
    if other is not None:
        return other
    try:
        return str(pycountry.countries.lookup(name).alpha_2)
    except LookupError:
        return None
