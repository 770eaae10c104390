"""The ledger in figures for managers and reps: the queries behind ``leadgate report``.

Belongs here: one query for each thing that is counted, over all journeys at once. Does not belong here: shares,
intervals and bands (``leadgate.figures``), and any words. No query reads a personal value.

Most of them ask about a **cohort**: the journeys captured in a period, and what became of them up to now. What
a pool gave out is counted by when it was assigned, and what is open or overdue as of now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from leadgate.figures import FIRST_TOUCHES
from leadgate.ledger import decisions
from leadgate.ledger.database import Ledger
from leadgate.models import STAGES

Rows = list[dict[str, Any]]

#: Overdue leads of one rep that are listed.
MOST_LATE: Final = 200


@dataclass(frozen=True)
class Asked:
    """What a report is about: journeys captured from ``since`` up to, not including, ``until``.

    ``zone`` is whose hours the hours of day are. ``source`` and ``rep``, when given, leave all others out.
    """

    since: datetime
    until: datetime
    now: datetime
    zone: str = "UTC"
    source: str | None = None
    rep: str | None = None
    lost: tuple[str, ...] = ()  # outcomes that the playbook calls lost


_COHORT: Final = """cohort AS (
    SELECT id, trigger, source, captured_at, stage, status, generation FROM journey
    WHERE captured_at >= :since AND captured_at < :until AND (CAST(:source AS text) IS NULL OR source = :source))"""

#: What became of the first touch of an assignment ``a``: one of ``leadgate.figures.FIRST_TOUCHES``. An owner who lost
#: the lead before the touch was due is released from it. Acceptance is no touch.
FIRST_TOUCH: Final = """CASE WHEN a.due_at IS NULL THEN 'no_sla'
        WHEN a.touched_at > a.due_at THEN 'missed'
        WHEN a.touched_at IS NOT NULL THEN CASE WHEN a.due_at <= :now THEN 'kept' ELSE 'early' END
        WHEN a.ended_at > a.due_at THEN 'missed'
        WHEN a.ended_at IS NOT NULL THEN 'released'
        WHEN a.due_at <= :now THEN 'missed' ELSE 'not_due' END"""

#: As of ``now``, which may be past.
_OPEN: Final = "a.assigned_at <= :now AND (a.ended_at IS NULL OR a.ended_at > :now)"
_OVERDUE: Final = f"{_OPEN} AND (a.touched_at IS NULL OR a.touched_at > :now) AND a.due_at <= :now"

#: What became of a journey: one of ``leadgate.figures.OUTCOMES``. A first touch ends a journey and decides nothing:
#: only an acceptance by its last owner, or an outcome that the playbook names, wins it.
OUTCOME: Final = """CASE WHEN c.status IN ('nurture', 'disqualified', 'discarded') THEN 'lost'
            WHEN w.end_reason = ANY(:lost) THEN 'lost'
            WHEN w.accepted OR starts_with(w.end_reason, 'outcome: ') THEN 'won' ELSE 'undecided' END"""

#: What owners did about each journey; ``accepted`` and ``end_reason`` are of the last one. An owner who gives a lead
#: back says why.
_ANSWERS: Final = f"""answers AS (
    SELECT a.journey_id, (array_agg(a.rule ORDER BY a.id DESC))[1] AS route,
        bool_or(a.touched_at IS NOT NULL) AS touched,
        (array_agg(a.accepted_at IS NOT NULL ORDER BY a.id DESC))[1] AS accepted,
        (array_agg(a.end_reason ORDER BY a.id DESC))[1] AS end_reason,
        bool_or({FIRST_TOUCH} IN ('kept', 'missed')) AS due, bool_or({FIRST_TOUCH} = 'missed') AS missed,
        (array_agg(a.end_reason ORDER BY a.id DESC) FILTER (WHERE starts_with(a.end_reason, 'rejected: ')))[1]
            AS rejected
    FROM assignment a JOIN cohort c ON c.id = a.journey_id GROUP BY a.journey_id)"""

#: The last verdict on each journey.
_VERDICTS: Final = """verdicts AS (
    SELECT DISTINCT ON (q.journey_id) q.journey_id, q.score, q.grade, q.qualified_as, q.outcome, q.contributions
    FROM qualification q JOIN cohort c ON c.id = q.journey_id ORDER BY q.journey_id, q.generation DESC)"""

_JOURNEYS: Final = f"""
    WITH {_COHORT}, {_ANSWERS}, {_VERDICTS}
    SELECT c.trigger, c.source, w.route, v.score, v.grade, c.status,
        greatest(array_position(CAST(:stages AS text[]), c.stage) - 1,
            CASE WHEN w.touched THEN 6 WHEN w.journey_id IS NOT NULL THEN 5 END) AS reached,
        CASE WHEN w.journey_id IS NOT NULL THEN {OUTCOME} END AS outcome, count(*) AS n
    FROM cohort c LEFT JOIN answers w ON w.journey_id = c.id LEFT JOIN verdicts v ON v.journey_id = c.id
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"""

#: Journeys that were called qualified. One that was run again and then joined another is counted there.
_QUALIFIED: Final = f"""
    WITH {_COHORT}, {_ANSWERS}, {_VERDICTS}, qualified AS (
        SELECT v.score, v.grade, v.qualified_as, v.contributions, c.source, w.journey_id IS NOT NULL AS owned,
            coalesce(w.touched, false) AS touched, coalesce(w.due, false) AS due,
            coalesce(w.missed, false) AS missed, w.rejected, coalesce(w.accepted, false) AS accepted,
            {OUTCOME} AS outcome
        FROM verdicts v JOIN cohort c ON c.id = v.journey_id LEFT JOIN answers w ON w.journey_id = c.id
        WHERE v.outcome = 'continue' AND v.qualified_as IS NOT NULL AND c.status <> 'joined')"""

_CONVERSION: Final = f"""{_QUALIFIED}
    SELECT qualified_as, score, grade, source, owned, touched, due, missed, rejected, accepted, outcome, count(*) AS n
    FROM qualified GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"""

_RULES: Final = f"""{_QUALIFIED}
    SELECT r.key AS rule, avg(CAST(r.value AS double precision)) AS points, count(*) AS qualified,
        count(*) FILTER (WHERE outcome <> 'undecided') AS decided, count(*) FILTER (WHERE outcome = 'won') AS won
    FROM qualified CROSS JOIN LATERAL jsonb_each_text(contributions) r
    WHERE CAST(r.value AS double precision) <> 0 GROUP BY r.key ORDER BY r.key"""

_PERCENTILES: Final = """percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95"""

#: ``grouped`` says by what a row is: bits for owner (4), pool (2) and hour (1) that are not what it is by.
_BY: Final = "GROUPING(owner, pool, hour) AS grouped, owner, pool, hour"
_SETS: Final = "GROUP BY GROUPING SETS ((), (owner), (pool), (hour)) ORDER BY grouped, owner, pool, hour"
_HOUR: Final = "CAST(extract(hour FROM c.captured_at AT TIME ZONE :zone) AS int) AS hour"

_TO_OWNER: Final = f"""
    WITH {_COHORT}, first AS (
        SELECT DISTINCT ON (a.journey_id) a.owner, a.pool, {_HOUR},
            CAST(extract(epoch FROM a.assigned_at - c.captured_at) AS double precision) AS seconds
        FROM assignment a JOIN cohort c ON c.id = a.journey_id WHERE c.trigger = 'signal'
        ORDER BY a.journey_id, a.id)
    SELECT {_BY}, count(*) AS n, {_PERCENTILES}
    FROM first WHERE CAST(:rep AS text) IS NULL OR owner = :rep {_SETS}"""

_TO_TOUCH: Final = f"""
    WITH {_COHORT}, each AS (
        SELECT a.owner, a.pool, {_HOUR}, {FIRST_TOUCH} AS first_touch,
            CAST(extract(epoch FROM a.touched_at - a.assigned_at) AS double precision) AS seconds
        FROM assignment a JOIN cohort c ON c.id = a.journey_id WHERE CAST(:rep AS text) IS NULL OR a.owner = :rep)
    SELECT {_BY}, count(*) AS assigned, count(seconds) AS n, {_PERCENTILES},
        {", ".join(f"count(*) FILTER (WHERE first_touch = '{name}') AS {name}" for name in FIRST_TOUCHES)}
    FROM each {_SETS}"""

_TURNS: Final = """
    SELECT pool, owner, count(*) AS n, count(*) FILTER (WHERE turn) AS turns FROM assignment
    WHERE assigned_at >= :since AND assigned_at < :until GROUP BY 1, 2 ORDER BY 1, 2"""

_OWNERS: Final = f"""
    SELECT a.owner, count(*) FILTER (WHERE {_OPEN}) AS open, count(*) FILTER (WHERE {_OVERDUE}) AS overdue,
        count(*) FILTER (WHERE a.assigned_at >= :since AND a.assigned_at < :until) AS assigned
    FROM assignment a WHERE CAST(:rep AS text) IS NULL OR a.owner = :rep GROUP BY a.owner ORDER BY a.owner"""

_LATE: Final = f"""
    SELECT a.journey_id, j.lead_id, a.assigned_at, a.due_at, a.sla, a.pool, a.rule AS route, a.ladder_step
    FROM assignment a JOIN journey j ON j.id = a.journey_id WHERE a.owner = :rep AND {_OVERDUE}
    ORDER BY a.due_at, a.journey_id LIMIT {MOST_LATE}"""

_POOLS: Final = "SELECT pool, state FROM pool_state ORDER BY pool"

#: A person was needed: to decide a work item or do something. What an owner does with a lead that is theirs is how the
#: path goes by itself, unless they give it back.
_PATHS: Final = f"""{_COHORT}, paths AS (
    SELECT c.id, c.captured_at, c.status, NOT (c.generation > 0 OR c.status = 'held'
        OR c.id IN (SELECT journey_id FROM work_item WHERE journey_id IS NOT NULL)
        OR c.id IN (SELECT journey_id FROM action WHERE what NOT IN ('accept', 'wait', 'resume', 'touch'))
        OR c.id IN (SELECT journey_id FROM correction)) AS clean
    FROM cohort c)"""

_ENDINGS: Final = f"WITH {_PATHS} SELECT status, clean, count(*) AS n FROM paths GROUP BY 1, 2"

#: A stage's time runs from the handoff before it to its own, and adds up over the times that a journey came by.
_STAGES: Final = f"""
    WITH {_PATHS}, passed AS (
        SELECT h.journey_id, p.clean, h.stage, h.outcome, h.at, p.captured_at,
            CAST(extract(epoch FROM h.at - coalesce(lag(h.at) OVER (PARTITION BY h.journey_id ORDER BY h.id),
                p.captured_at)) AS double precision) AS seconds
        FROM handoff h JOIN paths p ON p.id = h.journey_id),
    spent AS (
        SELECT stage, clean, sum(seconds) AS seconds FROM passed GROUP BY journey_id, clean, stage
        UNION ALL
        SELECT 'to_owner', clean, min(extract(epoch FROM at - captured_at)) FROM passed
        WHERE stage = 'assignment' AND outcome = 'continued' GROUP BY journey_id, clean
        UNION ALL
        SELECT 'to_end', clean, max(extract(epoch FROM at - captured_at)) FROM passed
        WHERE stage = 'follow_up' AND outcome = 'done' GROUP BY journey_id, clean)
    SELECT stage, clean, count(*) AS n, {_PERCENTILES} FROM spent GROUP BY 1, 2"""

#: Why a person was needed: by reason, how many journeys, and how long until somebody had decided.
_REASONS: Final = f"""
    WITH {_COHORT}, asked AS (
        SELECT w.id, w.journey_id FROM work_item w JOIN cohort c ON c.id = w.journey_id
        UNION SELECT x.work_item_id, x.journey_id FROM action x JOIN cohort c ON c.id = x.journey_id
            WHERE x.work_item_id IS NOT NULL
        UNION SELECT j.work_item_id, j.id FROM journey j JOIN cohort c ON c.id = j.id WHERE j.work_item_id IS NOT NULL),
    items AS (
        SELECT w.id, w.kind, w.reason, w.closed_at, count(*) AS journeys,
            CAST(extract(epoch FROM w.closed_at - w.opened_at) AS double precision) AS seconds
        FROM asked JOIN work_item w ON w.id = asked.id GROUP BY w.id)
    SELECT reason, kind, count(*) AS items, CAST(sum(journeys) AS bigint) AS journeys,
        count(*) FILTER (WHERE closed_at IS NULL) AS open, {_PERCENTILES}
    FROM items GROUP BY reason, kind ORDER BY journeys DESC, reason, kind"""

#: What each section of a report needs, by the names under which ``read`` gives it.
QUERIES: Final[Mapping[str, Mapping[str, str]]] = {
    "funnel": {"journeys": _JOURNEYS},
    "conversion": {"conversion": _CONVERSION, "rules": _RULES},
    "speed": {"to_owner": _TO_OWNER, "to_touch": _TO_TOUCH},
    "load": {"turns": _TURNS, "owners": _OWNERS, "pools": _POOLS},
    "paths": {"endings": _ENDINGS, "stages": _STAGES, "reasons": _REASONS},
    "overdue": {"late": _LATE},
}


#: Those of them that headline figures are made of, and are read for the period before, too.
HEADLINES: Final = ("journeys", "conversion", "to_owner", "to_touch", "turns", "owners", "endings", "stages", "late")
#: Sections that tell how things stand now, and of the period before how they stood when it ended.
_AS_OF: Final = ("load", "overdue")


def read(
    ledger: Ledger,
    asked: Asked,
    before: Asked,
    sections: Collection[str],
    midnights: Mapping[str, datetime],
    mondays: Mapping[str, datetime],
) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The rows that ``sections`` need, all of one moment of the ledger, by the names in ``QUERIES``; and those of the
    period ``before`` that headline figures are made of.

    With the first ``captured``, a row with ``n``, the signals there are of any time; and for the section ``load``
    ``recent``: ``rep``, and the leads each got ``today``, since their last midnight, and this ``week``, since Monday's
    (``midnights`` and ``mondays``, in UTC).
    """
    with ledger.picture() as connection:
        found = {"captured": _rows(connection, "SELECT count(*) AS n FROM signal", asked)}
        earlier: dict[str, Rows] = {}
        for section in sections:
            then = replace(before, now=before.until) if section in _AS_OF else before
            for name, statement in QUERIES[section].items():
                found[name] = _rows(connection, statement, asked)
                earlier[name] = _rows(connection, statement, then) if name in HEADLINES else []
        if "load" in sections:
            recent = decisions.recent_leads(connection, midnights, mondays)
            found["recent"] = [
                {"rep": rep, "today": today, "week": week} for rep, (today, week) in sorted(recent.items())
            ]
            earlier["recent"] = []
    return found, earlier


def _rows(connection: Connection, statement: str, asked: Asked) -> Rows:
    given = {
        "since": asked.since, "until": asked.until, "now": asked.now, "zone": asked.zone, "source": asked.source,
        "rep": asked.rep, "stages": list(STAGES), "lost": [f"outcome: {name}" for name in asked.lost],
    }  # fmt: skip
    used = {key: value for key, value in given.items() if f":{key}" in statement}
    return [dict(row) for row in connection.execute(text(statement), used).mappings()]


def sources(ledger: Ledger) -> list[str]:
    """Every source that a journey is of: what a misspelt one is compared with."""
    with ledger.transaction() as connection:
        return list(connection.execute(text("SELECT DISTINCT source FROM journey ORDER BY 1")).scalars())


def owners(ledger: Ledger) -> list[str]:
    """Everybody who has ever had a lead."""
    with ledger.transaction() as connection:
        return list(connection.execute(text("SELECT DISTINCT owner FROM assignment ORDER BY 1")).scalars())
