"""What people act on in the console, a lead or a record, as the forms of actions need it.

Belongs here: finding it by its address, and what a visitor may read of it. Does not belong here: the forms and what
they do (``pages.lead_actions``), or who may act (``leadgate.actors``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from console.listed_leads import mask_lead
from console.web.site import Site
from console.web.visitors import Visitor
from leadgate.actors import may
from leadgate.errors import LeadgateError
from leadgate.ledger import lead_list
from leadgate.ledger.record_history import find_acted
from leadgate.permissions import Permission
from leadgate.references import parse_number
from leadgate.vocabulary import JourneyKind, JourneyStatus

#: Where the pages of records are.
RECORDS: Final = "/records/"


class NoSubjectError(LeadgateError):
    """There is no such lead or record."""

    http_status = HTTPStatus.NOT_FOUND


@dataclass(frozen=True)
class ActedSubject:
    """A lead or a record by the journey that is acted on. ``title`` and ``about`` are what the visitor may read of it;
    ``word`` is what it is, with its number."""

    kind: JourneyKind
    word: str
    address: str
    journey_id: int
    generation: int
    status: JourneyStatus
    owner: str | None
    title: str = field(repr=False)
    about: str = field(repr=False)


def find_subject(site: Site, visitor: Visitor, path: str, number: str) -> ActedSubject:
    """The lead, or the record, of an address. Raises ``IdError`` and ``NoSubjectError``."""
    return _find_record(site, visitor, number) if path.startswith(RECORDS) else _find_lead(site, visitor, number)


def _find_lead(site: Site, visitor: Visitor, number: str) -> ActedSubject:
    lead_id = parse_number(number, "lead")
    found = lead_list.find_lead(site.ledger, lead_id)
    if found is None:
        raise NoSubjectError(f"There is no lead {lead_id}.")
    shown = found if may(visitor.actor, Permission.READ_LEADS, found.owner) else mask_lead(found)
    return ActedSubject(
        JourneyKind.LEAD,
        f"lead {lead_id}",
        f"/leads/{lead_id}",
        found.journey_id,
        found.generation,
        found.status,
        found.owner,
        shown.name or shown.company or shown.email or f"lead {lead_id}",
        ", ".join(filter(None, (shown.job_title, shown.company))),
    )


def _find_record(site: Site, visitor: Visitor, number: str) -> ActedSubject:
    record_id = parse_number(number, "record")
    found = find_acted(site.ledger, record_id)
    if found is None:
        raise NoSubjectError(f"There is no record R{record_id}.")
    word = f"{found.kind} R{record_id}"
    reads = may(visitor.actor, Permission.READ_FORECAST, found.owner)
    return ActedSubject(
        found.kind,
        word,
        f"{RECORDS}{record_id}",
        found.journey_id,
        found.generation,
        found.status,
        found.owner,
        (found.name if reads else None) or word,
        (found.account if reads else None) or "",
    )
