"""Whose opportunities, tasks and events are: the leads and contacts that Salesforce names, and the leads that became
these contacts.

Belongs here: the questions that find them. Does not belong here: reading the records themselves (``reading``), or which
lead of the ledger a record is (``tasks``).

A lead that is converted becomes a contact, and what reps log is the contact's from then on. The lead stays in
Salesforce with the contact's id. So what is a contact's is also that of each lead that became it, whenever that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from leadgate.connectors.crm import CrmActivity
from leadgate.connectors.salesforce.answers import read_id
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.soql import build_query, split_list

_CONTACT: Final = "003"  # how ids of contacts begin


def find_people(client: RestClient, opportunities: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The people of each opportunity by its id: leads that became it, contacts that have a role in it, and leads that
    became these contacts."""
    became = _find(client, "Lead", "ConvertedOpportunityId", "Id", opportunities)
    roles = _find(client, "OpportunityContactRole", "OpportunityId", "ContactId", opportunities)
    leads = find_converted(client, (contact for found in roles.values() for contact in found))
    people: dict[str, tuple[str, ...]] = {}
    for opportunity in opportunities:
        contacts = roles.get(opportunity[:15], [])
        converted = [lead for contact in contacts for lead in leads.get(contact[:15], [])]
        people[opportunity] = tuple(dict.fromkeys([*became.get(opportunity[:15], []), *contacts, *converted]))
    return people


def add_converted(client: RestClient, activities: Sequence[CrmActivity]) -> list[CrmActivity]:
    """The activities, those of contacts also with the leads that became these contacts."""
    leads = find_converted(client, (person for each in activities for person in each.lead_ids))
    return [
        replace(each, lead_ids=(*each.lead_ids, *(lead for who in each.lead_ids for lead in leads.get(who[:15], []))))
        for each in activities
    ]


def find_converted(client: RestClient, people: Iterable[str]) -> dict[str, list[str]]:
    """The leads that became each of these ``people`` that is a contact, by the contact's short id."""
    contacts = dict.fromkeys(each for each in people if each.startswith(_CONTACT) and read_id(each) is not None)
    return _find(client, "Lead", "ConvertedContactId", "Id", contacts)


def _find(client: RestClient, of: str, by: str, wanted: str, ids: Iterable[str]) -> dict[str, list[str]]:
    """The ``wanted`` ids of records whose reference ``by`` is one of ``ids``, by its short id."""
    found: dict[str, dict[str, None]] = {}
    for condition in split_list(by, ids, 200):
        for raw in client.query(build_query([by, wanted], of, condition)):
            sent = {name.lower(): value for name, value in raw.items()}
            key, other = read_id(sent.get(by.lower())), read_id(sent.get(wanted.lower()))
            if key is not None and other is not None:
                found.setdefault(key[:15], {})[other] = None
    return {key: list(others) for key, others in found.items()}
