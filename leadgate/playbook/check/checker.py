"""What every check of a playbook uses: the playbook, what it names, and questions that several parts ask.

Belongs here: checks of one expression, field, name or zone. Does not belong here: what a part must hold (a
file for each group of parts).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Final

import pycountry

from leadgate import fields
from leadgate.expressions.rules import is_always_true, is_never_true
from leadgate.expressions.syntax import RuleError, find_comparisons, parse
from leadgate.fields import FieldType
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.yaml_text import Path, Problem
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import QualifiedAs

ASSIGNED: Final = ("owner", "rule", "pool")  # what assignment adds to a lead
_QUALIFIED_AS: Final = tuple(verdict.value for verdict in QualifiedAs)
_GRADES: Final = tuple(fit + number for fit in "ABCD" for number in "1234")

Found = Iterator[Problem]
Columns = dict[str, FieldType]


class Checker:
    """A playbook that is being checked. Each method yields what it finds, with its line."""

    def __init__(self, loaded: LoadedPlaybook) -> None:
        self.playbook: Playbook = loaded.playbook
        self.folder = loaded.folder
        self.at = loaded.document.problem
        self.custom: Columns = {name: field.type for name, field in self.playbook.fields.items()}
        self.reps = {rep.name for rep in self.playbook.reps}
        self.pool_names = {pool.name for pool in self.playbook.pools}

    def check_expression(self, path: Path, text: str, columns: Columns) -> Found:
        try:
            never = is_never_true(text, columns)
        except RuleError as error:
            yield self.at(path, str(error))
            return
        ungraded = sorted(parse(text).columns & {"grade", "fit_grade", "engagement_grade"})
        if ungraded and self.playbook.scoring.grades is None:
            yield self.at(path, f"{ungraded[0]} is always empty, for leads have no grades; give scoring.grades")
            return
        impossible = list(self.find_impossible_values(text))
        for message in impossible:
            yield self.at(path, message)
        if never and not impossible:
            yield self.at(path, f"can never match: {text.strip()!r} is false for every lead; correct or remove it")

    def find_impossible_values(self, text: str) -> Iterator[str]:
        """Comparisons with a value that the column never has."""
        possible: dict[str, Collection[str]] = {
            "source": self.playbook.sources,
            "qualified_as": _QUALIFIED_AS,
            "grade": _GRADES,
            "fit_grade": tuple("ABCD"),
            "country": _load_countries(),
        }
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

    def check_lead_field(self, path: Path, name: str) -> Found:
        known = {**fields.STANDARD, **self.custom}
        if name not in known:
            yield self.at(path, f"{name!r} is not a field of a lead; {propose(name, known)}")

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
