"""Leads as a list: those that reps have, the next due first, and those that a search finds.

Belongs here: the filter, its words, and the query. Does not belong here: one lead's story (``lead_history``), counting
(``reports``), or who may see what (``actors``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import JourneyStatus

_MOST_WORDS: Final = 8
_LONGEST_WORD: Final = 100  # characters
_FEWEST_DIGITS: Final = 4  # of a number that is looked for
_PATTERN_SIGN: Final = re.compile(r"[%_\\]")
_NUMBER: Final = re.compile(r"\+?[\d\s()./-]+")


class Due(StrEnum):
    """Which leads by the first touch: with its due time past, or near (their SLA says when) or past."""

    OVERDUE = "overdue"
    SOON = "due"


@dataclass(frozen=True)
class LeadFilter:
    """``owners``: only the leads of these reps. ``search``: leads that have every word of it in their names, company or
    e-mail address, or that have its digits at the end of their phone number; also leads without an owner."""

    owners: tuple[str, ...] | None = None
    due: Due | None = None
    search: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead by its open journey, or its last. Without an owner, all from ``owner`` on is None."""

    lead_id: int
    journey_id: int
    status: JourneyStatus
    source: str
    name: str | None = field(repr=False)
    company: str | None = field(repr=False)
    job_title: str | None = field(repr=False)
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    score: int | None
    grade: str | None
    owner: str | None
    assigned_at: datetime | None
    due_at: datetime | None  # of the first touch
    due_soon_at: datetime | None
    touched_at: datetime | None
    accepted_at: datetime | None
    waits_until: datetime | None  # the owner waits for the lead

    def is_due(self, now: datetime) -> Due | None:
        """Whether the first touch is due; None also while the owner waits for the lead."""
        if self.due_at is None or self.touched_at is not None or self.waits_until is not None:
            return None
        if self.due_at <= now:
            return Due.OVERDUE
        return Due.SOON if self.due_soon_at is not None and self.due_soon_at <= now else None


#: Every word is in the lead's names, company or address, or the digits end its phone number.
_FOUND: Final = """(lower(concat_ws(' ', l.first_name, l.last_name, l.full_name, l.company, l.email))
        LIKE ALL(CAST(:patterns AS text[]))
    OR right(translate(l.phone, '+ ()./-', ''), length(CAST(:digits AS text))) = :digits)"""
_LISTED: Final = """j.lead_id, j.id AS journey_id, j.status, j.source,
        coalesce(nullif(concat_ws(' ', l.first_name, l.last_name), ''), l.full_name) AS name,
        l.company, l.job_title, l.email, l.phone, q.score, q.grade,
        a.owner, a.assigned_at, a.due_at, a.due_soon_at, a.touched_at, a.accepted_at, p.until AS waits_until
    FROM chosen c JOIN journey j ON j.id = c.journey_id JOIN lead l ON l.id = j.lead_id
    LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
    LEFT JOIN pause p ON p.journey_id = j.id AND p.ended_at IS NULL
    LEFT JOIN LATERAL (SELECT score, grade FROM qualification
        WHERE journey_id = j.id ORDER BY generation DESC LIMIT 1) q ON true
    ORDER BY c.place"""
#: First touches that are due come first, then leads that are waited for or were touched. Due: as ``is_due`` says.
_AMONG_OWNED: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT a.journey_id, row_number() OVER (
            ORDER BY CASE WHEN a.touched_at IS NULL AND p.until IS NULL THEN a.due_at END NULLS LAST,
                a.assigned_at, a.id) AS place
        FROM assignment a LEFT JOIN pause p ON p.journey_id = a.journey_id AND p.ended_at IS NULL
        WHERE a.ended_at IS NULL AND (CAST(:owners AS text[]) IS NULL OR a.owner = ANY(:owners))
            AND (CAST(:due AS text) IS NULL OR (a.touched_at IS NULL AND p.until IS NULL
                AND (a.due_at <= :now OR (:due = 'due' AND a.due_soon_at <= :now))))
            AND (CAST(:patterns AS text[]) IS NULL OR EXISTS (SELECT FROM journey j JOIN lead l ON l.id = j.lead_id
                WHERE j.id = a.journey_id AND {_FOUND}))
        ORDER BY place LIMIT :most)
    SELECT {_LISTED}"""
#: A lead stands where its open journey does, else where the last does that joined no other.
_AMONG_ALL: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT (SELECT id FROM journey WHERE lead_id = s.id
            ORDER BY (status IN ('ready', 'held', 'owned')) DESC, (status = 'joined'), id DESC LIMIT 1) AS journey_id,
            row_number() OVER (ORDER BY s.id DESC) AS place
        FROM (SELECT l.id FROM lead l WHERE {_FOUND} ORDER BY l.id DESC LIMIT :most) s)
    SELECT {_LISTED}"""


def list_leads(ledger: Ledger, wanted: LeadFilter, now: datetime, most: int) -> list[ListedLead]:
    """At most ``most`` leads, the next due first. Of a search among all leads, the newest first."""
    patterns, digits = (None, None) if wanted.search is None else _read_search(wanted.search)
    parameters: dict[str, object] = {"patterns": patterns, "digits": digits, "most": most}
    statement = _AMONG_ALL
    if wanted.search is None or wanted.owners is not None or wanted.due is not None:
        statement = _AMONG_OWNED
        owners = None if wanted.owners is None else list(wanted.owners)
        parameters |= {"owners": owners, "due": wanted.due, "now": now}
    with ledger.transaction() as connection:
        return read_rows(connection, ListedLead, statement, **parameters)


def _read_search(text: str) -> tuple[list[str], str | None]:
    """The words of a search as patterns, in which nothing that was typed is one; and its digits, where it is a number.

    A number is found as people write it: without the country's code, or with a zero in its place.
    """
    words = [word[:_LONGEST_WORD] for word in text.replace("\x00", " ").lower().split()[:_MOST_WORDS]]
    patterns = ["%" + _PATTERN_SIGN.sub(r"\\\g<0>", word) + "%" for word in words]
    digits = re.sub(r"[^0-9]", "", text) if _NUMBER.fullmatch(text.strip()) else ""
    ending = digits.lstrip("0")[-_LONGEST_WORD:]
    return patterns or [""], ending if ending and len(digits) >= _FEWEST_DIGITS else None
