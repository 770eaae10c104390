"""How each rep stands with leads, and how fast they follow them up: the queries behind the team's pages.

Belongs here: one query for what reps have now, and one for their speed by week. Does not belong here: a period's report
(``figures``), caps and absences (``assignment.availability``), or any words. No query reads a personal value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.database import Ledger
from leadgate.ledger.figures import FIRST_TOUCH
from leadgate.ledger.typed_rows import read_rows

WEEK: Final = timedelta(days=7)
#: Weeks of which the speed is read, and how many of them are the recent ones that are compared with those before.
WEEKS: Final = 8
RECENT_WEEKS: Final = 4


@dataclass(frozen=True, slots=True)
class RepStanding:
    """The leads that a rep has now. A first touch that is waited for is neither due soon nor overdue."""

    owner: str
    open: int
    overdue: int
    soon: int
    waiting: int
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class RepSpeed:
    """First touches of the assignments of one week, or of several.

    ``week`` counts back from now, 0 is the last seven days; None: all weeks that are ``recent``, or all before them.
    ``p50`` and ``p95`` are seconds from assignment to first touch. ``kept`` and ``missed`` are those that came due.
    """

    owner: str
    recent: bool
    week: int | None
    assigned: int
    touched: int
    p50: float | None
    p95: float | None
    kept: int
    missed: int


_STANDINGS: Final = """
    SELECT a.owner, count(*) AS open,
        count(*) FILTER (WHERE a.touched_at IS NULL AND p.id IS NULL AND a.due_at <= :now) AS overdue,
        count(*) FILTER (WHERE a.touched_at IS NULL AND p.id IS NULL AND a.due_at > :now AND a.due_soon_at <= :now)
            AS soon,
        count(p.id) AS waiting, min(a.due_at) FILTER (WHERE a.touched_at IS NULL AND p.id IS NULL) AS next_due
    FROM assignment a LEFT JOIN pause p ON p.journey_id = a.journey_id AND p.ended_at IS NULL
    WHERE a.ended_at IS NULL AND a.kind = 'lead' GROUP BY a.owner ORDER BY a.owner"""

_SPEEDS: Final = f"""
    SELECT owner, week < {RECENT_WEEKS} AS recent, week, count(*) AS assigned, count(seconds) AS touched,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95,
        count(*) FILTER (WHERE first_touch = 'kept') AS kept, count(*) FILTER (WHERE first_touch = 'missed') AS missed
    FROM (
        SELECT a.owner, CAST(floor(date_part('epoch', :now - a.assigned_at) / {WEEK.total_seconds():.0f}) AS int)
                AS week,
            date_part('epoch', a.touched_at - a.assigned_at) AS seconds, {FIRST_TOUCH} AS first_touch
        FROM assignment a WHERE a.assigned_at > :since AND a.assigned_at <= :now AND a.kind = 'lead') each
    GROUP BY GROUPING SETS ((owner, week < {RECENT_WEEKS}), (owner, week < {RECENT_WEEKS}, week))
    ORDER BY owner, week"""


def read_standings(connection: Connection, now: datetime) -> list[RepStanding]:
    """A row for everybody who has a lead now."""
    return read_rows(connection, RepStanding, _STANDINGS, now=now)


def read_speeds(ledger: Ledger, now: datetime) -> list[RepSpeed]:
    """Of ``WEEKS`` weeks up to now: a row for each rep and week, and one for the recent weeks and those before."""
    with ledger.snapshot() as connection:
        return read_rows(connection, RepSpeed, _SPEEDS, now=now, since=now - WEEKS * WEEK)


def list_speeds_of(owner: str, speeds: Sequence[RepSpeed]) -> tuple[RepSpeed | None, RepSpeed | None, list[RepSpeed]]:
    """Of one rep: the recent weeks, those before, and each week."""
    own = [row for row in speeds if row.owner == owner]
    recent = next((row for row in own if row.week is None and row.recent), None)
    before = next((row for row in own if row.week is None and not row.recent), None)
    return recent, before, [row for row in own if row.week is not None]


@dataclass(frozen=True, slots=True)
class HandedTo:
    """How many leads of one transfer went to ``owner``; ``undone``: and were given back since."""

    owner: str
    leads: int
    undone: bool


def list_handed(ledger: Ledger, number: int, rep: str) -> list[HandedTo]:
    """What the transfer with the number ``number`` of leads of ``rep`` did, most leads first; none for another's."""
    statement = """
        SELECT a.owner, count(*) AS leads, bool_or(EXISTS (SELECT FROM action u WHERE u.undoes = x.number)) AS undone
        FROM action x JOIN assignment a ON a.journey_id = x.journey_id AND a.generation = x.generation + 1
        WHERE x.number = :number AND x.what = 'transfer' AND EXISTS (SELECT FROM assignment e
            WHERE e.journey_id = x.journey_id AND e.id < a.id AND e.owner = :rep)
        GROUP BY a.owner ORDER BY leads DESC, a.owner"""
    with ledger.transaction() as connection:
        return read_rows(connection, HandedTo, statement, number=number, rep=rep)
