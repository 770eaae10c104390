"""Leads as a list: those that reps have, the next due first or by chance, and those that a search finds.

Belongs here: the filter, its words, the queries, and the counts beside the list. Does not belong here: one lead's story
(``lead_history``), other counts (``reports``), or who may see what (``actors``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from leadgate.ledger.database import Ledger
from leadgate.ledger.lead_search import FOUND, find_leads, read_search
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.vocabulary import JourneyStatus


class Due(StrEnum):
    """Which leads by the first touch: with its due time past, or near (their SLA says when) or past."""

    OVERDUE = "overdue"
    SOON = "due"


@dataclass(frozen=True)
class LeadFilter:
    """``owners``: only the leads of these reps. ``search``: leads in whose names, company or e-mail address each of its
    words begins a word, or whose phone number ends with its digits; also leads without an owner. ``by_chance``: of
    those whose first touch is not overdue, the best chance first, by a learned score that says in which order people
    work.
    """

    owners: tuple[str, ...] | None = None
    due: Due | None = None
    search: str | None = field(default=None, repr=False)
    by_chance: bool = False


class Part(IntEnum):
    """The parts of the list, in its order: first touches that are overdue, those to come (by chance, where that is
    wanted, then by due time), then leads whose owner waits for them, then those that were touched."""

    OVERDUE = 0
    BY_CHANCE = 1
    DUE = 2
    WAITED_FOR = 3
    TOUCHED = 4


class Place(NamedTuple):
    """Where a lead stands in the list: a page begins after that of the last lead before it. ``number`` is that of the
    assignment; of a search among all leads it is the lead's, and counts alone."""

    part: Part
    at: datetime | None  # what the part is ordered by; None is last
    number: int
    chance: float | None = None  # the part by chance is ordered by this


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead by its open journey, or its last. Without an owner, all from ``owner`` on is None.

    ``contributions`` are the points of its score by rule, and ``why`` the words of its assignment. ``logged_at``: when
    the owner last logged a touch, which the next check of the follow-up looks at.
    """

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
    contributions: dict[str, int] | None
    generation: int
    owner: str | None
    assignment_id: int | None
    why: str | None
    assigned_at: datetime | None
    due_at: datetime | None  # of the first touch
    due_soon_at: datetime | None
    touched_at: datetime | None
    accepted_at: datetime | None
    waits_until: datetime | None  # the owner waits for the lead
    logged_at: datetime | None
    chance: float | None = None  # by a learned score that says in which order people work

    def is_due(self, now: datetime) -> Due | None:
        """Whether the first touch is due; None also while the owner waits for the lead."""
        if self.due_at is None or self.touched_at is not None or self.waits_until is not None:
            return None
        if self.due_at <= now:
            return Due.OVERDUE
        return Due.SOON if self.due_soon_at is not None and self.due_soon_at <= now else None

    def find_place(self, now: datetime, *, by_chance: bool) -> Place:
        """Where the lead stands in the list of leads that somebody owns."""
        if self.touched_at is not None:
            return Place(Part.TOUCHED, self.assigned_at, self.assignment_id or 0)
        if self.waits_until is not None:
            return Place(Part.WAITED_FOR, self.waits_until, self.assignment_id or 0)
        number = self.assignment_id or self.lead_id
        if self.due_at is not None and self.due_at <= now:
            return Place(Part.OVERDUE, self.due_at, number)
        if by_chance and self.chance is not None:
            return Place(Part.BY_CHANCE, None, number, self.chance)
        return Place(Part.DUE, self.due_at, number)


_LISTED: Final = """j.lead_id, j.id AS journey_id, j.status, j.source,
        coalesce(nullif(concat_ws(' ', l.first_name, l.last_name), ''), l.full_name) AS name,
        l.company, l.job_title, l.email, l.phone, q.score, q.grade, q.contributions, j.generation,
        a.owner, a.id AS assignment_id, a.why, a.assigned_at, a.due_at, a.due_soon_at, a.touched_at, a.accepted_at,
        p.until AS waits_until, t.at AS logged_at, a.chance
    FROM chosen c JOIN journey j ON j.id = c.journey_id JOIN lead l ON l.id = j.lead_id
    LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
    LEFT JOIN pause p ON p.journey_id = j.id AND p.ended_at IS NULL
    LEFT JOIN LATERAL (SELECT score, grade, contributions FROM qualification
        WHERE journey_id = j.id ORDER BY generation DESC LIMIT 1) q ON true
    LEFT JOIN LATERAL (SELECT max(x.at) AS at FROM action x
        WHERE x.journey_id = j.id AND x.what = 'touch' AND x.at >= a.assigned_at
            AND NOT EXISTS (SELECT FROM action u WHERE u.undoes = x.number)) t ON true
    ORDER BY c.place"""
#: Whose leads are listed; of everybody who has one, found by the index from owner to owner.
OWNERS: Final = """RECURSIVE everybody AS (
        (SELECT owner FROM assignment
            WHERE ended_at IS NULL AND kind = 'lead' AND CAST(:owners AS text[]) IS NULL ORDER BY owner LIMIT 1)
        UNION ALL SELECT (SELECT a.owner FROM assignment a
            WHERE a.ended_at IS NULL AND a.kind = 'lead' AND a.owner > e.owner ORDER BY a.owner LIMIT 1)
            FROM everybody e WHERE e.owner IS NOT NULL),
    owners AS (SELECT owner FROM everybody WHERE owner IS NOT NULL UNION SELECT unnest(CAST(:owners AS text[])))"""
_NOT_WAITED_FOR: Final = "NOT EXISTS (SELECT FROM pause p WHERE p.journey_id = a.journey_id AND p.ended_at IS NULL)"
_LAST_NUMBER: Final = 2**63 - 1
_UNTOUCHED: Final = "a.owner = o.owner AND a.ended_at IS NULL AND a.kind = 'lead' AND a.touched_at IS NULL"
#: Of those that are not overdue, which are wanted.
_SOON: Final = "(CAST(:due AS text) IS NULL OR (:due = 'due' AND a.due_soon_at <= :now))"
#: Of a search that many leads match: whichever do among those that are looked at.
_SEARCHED: Final = f"""(NOT :searches OR EXISTS (
            SELECT FROM journey j JOIN lead l ON l.id = j.lead_id WHERE j.id = a.journey_id AND {FOUND}))"""
#: Each part is read in the order of an index, owner by owner, from the place on where the page begins.
_AMONG_OWNED: Final = f"""
    WITH {OWNERS}, parts AS (
        SELECT overdue.* FROM owners o CROSS JOIN LATERAL (
            SELECT 0 AS part, coalesce(a.due_at, 'infinity') AS at, CAST(0 AS double precision) AS chance, a.id,
                a.journey_id
            FROM assignment a WHERE {_UNTOUCHED} AND :part = 0 AND coalesce(a.due_at, 'infinity') <= :now
                AND (coalesce(a.due_at, 'infinity'), a.id) > (CAST(:after AS timestamptz), CAST(:number AS bigint))
                AND {_NOT_WAITED_FOR} AND {_SEARCHED}
            ORDER BY coalesce(a.due_at, 'infinity'), a.id LIMIT :most) overdue
        UNION ALL SELECT likely.* FROM owners o CROSS JOIN LATERAL (
            SELECT 1 AS part, CAST('infinity' AS timestamptz) AS at, a.chance, a.id, a.journey_id FROM assignment a
            WHERE {_UNTOUCHED} AND :by_chance AND a.chance IS NOT NULL AND coalesce(a.due_at, 'infinity') > :now
                AND (:part < 1 OR :part = 1 AND (a.chance < :chance OR a.chance = :chance AND a.id > :number))
                AND {_SOON} AND {_NOT_WAITED_FOR} AND {_SEARCHED}
            ORDER BY a.chance DESC, a.id LIMIT :most) likely
        UNION ALL SELECT due.* FROM owners o CROSS JOIN LATERAL (
            SELECT 2 AS part, coalesce(a.due_at, 'infinity') AS at, CAST(0 AS double precision), a.id, a.journey_id
            FROM assignment a WHERE {_UNTOUCHED} AND :part <= 2
                AND (coalesce(a.due_at, 'infinity'), a.id) > (
                    CASE WHEN :part < 2 THEN CAST(:now AS timestamptz) ELSE CAST(:after AS timestamptz) END,
                    CASE WHEN :part < 2 THEN {_LAST_NUMBER} ELSE CAST(:number AS bigint) END)
                AND NOT (:by_chance AND a.chance IS NOT NULL)
                AND {_SOON} AND {_NOT_WAITED_FOR} AND {_SEARCHED}
            ORDER BY coalesce(a.due_at, 'infinity'), a.id LIMIT :most) due
        UNION ALL SELECT waited.* FROM owners o CROSS JOIN LATERAL (
            SELECT 3 AS part, p.until AS at, CAST(0 AS double precision), a.id, a.journey_id
            FROM pause p JOIN assignment a
                ON a.journey_id = p.journey_id AND a.ended_at IS NULL AND a.kind = 'lead' AND a.touched_at IS NULL
            WHERE p.ended_at IS NULL AND a.owner = o.owner AND CAST(:due AS text) IS NULL
                AND (3, p.until, a.id) > (:part, CAST(:after AS timestamptz), CAST(:number AS bigint)) AND {_SEARCHED}
            ORDER BY p.until, a.id LIMIT :most) waited
        UNION ALL SELECT touched.* FROM owners o CROSS JOIN LATERAL (
            SELECT 4 AS part, a.assigned_at AS at, CAST(0 AS double precision), a.id, a.journey_id FROM assignment a
            WHERE a.owner = o.owner AND a.ended_at IS NULL AND a.kind = 'lead' AND a.touched_at IS NOT NULL
                AND CAST(:due AS text) IS NULL
                AND (4, a.assigned_at, a.id) > (:part, CAST(:after AS timestamptz), CAST(:number AS bigint))
                AND {_SEARCHED}
            ORDER BY a.assigned_at, a.id LIMIT :most) touched),
    chosen AS MATERIALIZED (SELECT journey_id, row_number() OVER (ORDER BY part, at, chance DESC, id) AS place
        FROM parts ORDER BY place LIMIT :most)
    SELECT {_LISTED}"""
#: The same order among the leads that a search has found.
_AMONG_FOUND_OWNED: Final = f"""
    WITH parts AS (
        SELECT x.part, CASE WHEN x.part IN (0, 2) THEN coalesce(x.due_at, 'infinity') WHEN x.part = 1 THEN 'infinity'
                WHEN x.part = 3 THEN x.until ELSE x.assigned_at END AS at,
            CASE WHEN x.part = 1 THEN -x.chance ELSE 0 END AS unlikely, x.id, x.journey_id
        FROM (SELECT a.*, p.until, CASE WHEN a.touched_at IS NOT NULL THEN 4 WHEN p.until IS NOT NULL THEN 3
                WHEN a.due_at <= :now THEN 0 WHEN :by_chance AND a.chance IS NOT NULL THEN 1 ELSE 2 END AS part
            FROM unnest(CAST(:found AS bigint[])) f(lead_id) JOIN journey j ON j.lead_id = f.lead_id
            JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
            LEFT JOIN pause p ON p.journey_id = j.id AND p.ended_at IS NULL
            WHERE CAST(:owners AS text[]) IS NULL OR a.owner = ANY(:owners)) x
        WHERE CAST(:due AS text) IS NULL
            OR x.part < 3 AND (x.due_at <= :now OR (:due = 'due' AND x.due_soon_at <= :now))),
    chosen AS MATERIALIZED (SELECT journey_id, row_number() OVER (ORDER BY part, at, unlikely, id) AS place FROM parts
        WHERE (part, at, unlikely, id) > (:part, CAST(:after AS timestamptz), -CAST(:chance AS double precision),
            CAST(:number AS bigint)) ORDER BY place LIMIT :most)
    SELECT {_LISTED}"""
#: A lead stands where its open journey does, else where the last does that joined no other.
_STANDS: Final = """(SELECT id FROM journey WHERE lead_id = s.id
            ORDER BY (status IN ('ready', 'held', 'owned')) DESC, (status = 'joined'), id DESC LIMIT 1) AS journey_id"""
_AMONG_ALL: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT {_STANDS}, row_number() OVER (ORDER BY s.id DESC) AS place
        FROM (SELECT l.id FROM lead l WHERE l.id < :before AND {FOUND} ORDER BY l.id DESC LIMIT :most) s)
    SELECT {_LISTED}"""
_AMONG_FOUND: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT {_STANDS}, row_number() OVER (ORDER BY s.id DESC) AS place
        FROM (SELECT id FROM unnest(CAST(:found AS bigint[])) id WHERE id < :before ORDER BY id DESC LIMIT :most) s)
    SELECT {_LISTED}"""
_ONE: Final = f"""
    WITH chosen AS (SELECT {_STANDS}, 1 AS place FROM (SELECT CAST(:lead AS bigint) AS id) s)
    SELECT {_LISTED}"""
#: The first page begins after this.
_START: Final = Place(Part.OVERDUE, datetime(1, 1, 1, tzinfo=UTC), 0)


def list_leads(
    ledger: Ledger, wanted: LeadFilter, now: datetime, most: int, after: Place | None = None
) -> list[ListedLead]:
    """At most ``most`` leads, in the order of ``Part``, from the place ``after`` on. Of a search among all leads, the
    newest first."""
    search = read_search(wanted.search or "")
    found = None if wanted.search is None else find_leads(ledger, search)
    parameters: dict[str, object] = {"found": found, "most": most}
    if found is None:
        parameters |= search.parameters
    if _is_among_owned(wanted):
        statement = _AMONG_OWNED if found is None else _AMONG_FOUND_OWNED
        begin = after or _START
        parameters |= search.parameters | {
            "searches": wanted.search is not None,
            "owners": None if wanted.owners is None else list(wanted.owners),
            "due": wanted.due,
            "now": now,
            "part": int(begin.part),
            "after": "infinity" if begin.at is None else begin.at.isoformat(),
            "number": begin.number,
            "chance": begin.chance or 0.0,
            "by_chance": wanted.by_chance,
        }
    else:
        statement = _AMONG_ALL if found is None else _AMONG_FOUND
        parameters |= {"before": _LAST_NUMBER if after is None else after.number}
    with ledger.statement() if found is None else ledger.transaction(plan_by_index=True) as connection:
        return read_rows(connection, ListedLead, statement, **parameters)


def find_place(lead: ListedLead, wanted: LeadFilter, now: datetime) -> Place:
    """Where ``lead`` stands in the list that ``wanted`` asks for."""
    if not _is_among_owned(wanted):
        return Place(Part.DUE, None, lead.lead_id)
    return lead.find_place(now, by_chance=wanted.by_chance)


def _is_among_owned(wanted: LeadFilter) -> bool:
    return wanted.search is None or wanted.owners is not None or wanted.due is not None


def find_lead(ledger: Ledger, lead_id: int) -> ListedLead | None:
    """One lead as the list has it."""
    with ledger.statement() as connection:
        return read_row(connection, ListedLead, _ONE, lead=lead_id)


@dataclass(frozen=True, slots=True)
class LeadCounts:
    """Open leads, those whose first touch is due (near or past), and those whose first touch is overdue. None is above
    ``MOST_COUNTED``: a count that has reached it stands for that many or more."""

    all: int
    due: int
    overdue: int


#: Counting further costs a page more than it tells.
MOST_COUNTED: Final = 1_000
_COUNTS: Final = f"""
    WITH {OWNERS}
    SELECT sum(x."all") AS "all", sum(x.due) AS due, sum(x.overdue) AS overdue FROM owners o CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM (SELECT FROM assignment a
                WHERE a.owner = o.owner AND a.ended_at IS NULL AND a.kind = 'lead' LIMIT :most) y) AS "all",
            count(*) FILTER (WHERE z.due_at <= :now OR z.due_soon_at <= :now) AS due,
            count(*) FILTER (WHERE z.due_at <= :now) AS overdue
        FROM (SELECT a.due_at, a.due_soon_at FROM assignment a
            WHERE a.owner = o.owner AND a.ended_at IS NULL AND a.kind = 'lead' AND a.touched_at IS NULL
                AND {_NOT_WAITED_FOR}
            ORDER BY coalesce(a.due_at, 'infinity'), a.id LIMIT :most) z) x"""


def count_leads(ledger: Ledger, owners: tuple[str, ...] | None, now: datetime) -> LeadCounts:
    """The counts of the leads of ``owners``, of everybody without them. Of each owner at most ``MOST_COUNTED`` are
    looked at, in the order of the list."""
    with ledger.statement() as connection:
        given = None if owners is None else list(owners)
        (row,) = read_rows(connection, LeadCounts, _COUNTS, owners=given, now=now, most=MOST_COUNTED)
    counted = (int(count or 0) for count in (row.all, row.due, row.overdue))  # nobody has one: no sum
    return LeadCounts(*(min(count, MOST_COUNTED) for count in counted))
