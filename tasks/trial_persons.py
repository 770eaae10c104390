"""Which of the leads that are tried together are one person, as validation would find it.

Belongs here: comparing the leads of a trial with one another. Does not belong here: whether the ledger knows a person
(each trial is about somebody new), or deciding who is the same (``leadgate.matching``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadgate.matching.persons import READ, Person, describe_levels
from leadgate.matching.resolving import Arrival, Ground, build_claims, describe_keys, list_crm_sources, resolve
from leadgate.playbook import Matching

#: Keys of a trial are compared with one another only, and not kept.
_SECRET: Final = b"a trial compares its own leads, and keeps no key"


@dataclass(frozen=True)
class SamePerson:
    """The earlier lead, by its number, that a lead is about as well. ``asked``: a person would have to say so."""

    number: int
    because: str
    asked: bool


def find_same_persons(leads: Mapping[int, Mapping[Any, Any]], rules: Matching) -> dict[int, SamePerson]:
    """By the number of each lead that is about the person of an earlier one. ``leads``: number -> the values that
    validation leaves, with ``source``; in the order in which they come."""
    crm_of = list_crm_sources(rules)
    arrivals = []
    for number, values in leads.items():
        row = {name: values.get(name) for name in (*READ, "external_id", "source")}
        person = Person.of(number, row)
        arrivals.append(
            Arrival(number, person, person.keys(_SECRET), build_claims(row, person, crm_of, rules), False, _SECRET)
        )
    found: dict[int, SamePerson] = {}
    for arrival, resolution in zip(arrivals, resolve(arrivals, Ground(), rules), strict=True):
        if resolution.hold is not None:
            best = resolution.matches[0]
            found[arrival.journey_id] = SamePerson(best.lead_id, describe_levels(best.levels), True)
        elif resolution.lead_id != arrival.person.lead_id:
            found[arrival.journey_id] = SamePerson(resolution.lead_id, describe_keys(resolution.because), False)
    return found
