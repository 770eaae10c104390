"""Leads of the list in words: where one stands, and why it qualified.

Belongs here: pure functions of ``ledger.lead_list.ListedLead``. Does not belong here: the list
(``ledger.lead_list``), or who may read a lead's values (``leadgate.actors``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from leadgate.ledger.lead_list import Due, ListedLead
from leadgate.masking import mask
from leadgate.vocabulary import JourneyStatus


def describe_standing(lead: ListedLead, now: datetime) -> str:
    """Where a lead stands, in a word or two."""
    if lead.status != JourneyStatus.OWNED:
        return "waits" if lead.status == JourneyStatus.READY else str(lead.status)
    if lead.waits_until is not None:
        return "is waited for"
    if lead.accepted_at is not None:
        return "accepted"
    if lead.touched_at is not None:
        return "touched"
    return {Due.OVERDUE: "overdue", Due.SOON: "due soon", None: "untouched"}[lead.is_due(now)]


def list_reasons(lead: ListedLead, most: int = 3) -> list[str]:
    """Why the lead qualified: the rules that gave it the most points, in words."""
    given = sorted((lead.contributions or {}).items(), key=lambda each: -each[1])
    return [rule.replace("_", " ") for rule, points in given[:most] if points > 0]


def mask_lead(lead: ListedLead) -> ListedLead:
    """The lead as anybody may see it."""
    name, email, phone = (None if value is None else mask(value) for value in (lead.name, lead.email, lead.phone))
    return replace(lead, name=name, email=email, phone=phone)
