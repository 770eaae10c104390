"""The ledger in figures for managers and reps: the queries behind ``leadgate report``.

Belongs here: one query for each thing that is counted, over all journeys of leads at once. Does not belong here:
those of records (``record_figures``), shares, intervals and bands (``leadgate.figures``), and any words. No query reads
a personal value.

Most of them ask about a **cohort**: the journeys of leads captured in a period, and what became of them up to now.
What a pool gave out is counted by when it was assigned, and what is open or overdue as of now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Final, Literal, cast

from sqlalchemy import Connection, RowMapping, text

from leadgate.figures import FIRST_TOUCHES
from leadgate.ledger import assignments, record_figures
from leadgate.ledger.cohort import COHORT, SIGNALS, Query, build_first_touch
from leadgate.ledger.concurrent_reads import read_concurrently
from leadgate.ledger.database import Ledger
from leadgate.ledger.figure_rows import FigureRows
from leadgate.ledger.path_figures import ENDINGS, REASONS, STAGE_TIMES
from leadgate.ledger.recorded_outcomes import EARLY
from leadgate.ledger.said_outcomes import DECIDED_AT, OUTCOME, REJECTED, SAID
from leadgate.vocabulary import STAGES, EndReason

Rows = list[dict[str, object]]

Bucket = Literal["day", "week", "month"]
_MOST_DAYS: Final = 35
_MOST_WEEKS: Final = 40
#: Overdue leads of one rep that are listed.
MOST_LATE: Final = 200


@dataclass(frozen=True)
class ReportRequest:
    """The period and the filters of a report: journeys captured from ``since`` up to, not including, ``until``.

    ``zone`` is the time zone of days and hours. With ``source`` or ``rep`` only their journeys are counted.
    """

    since: datetime
    until: datetime
    now: datetime
    zone: str = "UTC"
    source: str | None = None
    rep: str | None = None
    outcomes: tuple[str, ...] = ()  # kinds of activity that are outcomes
    lost: tuple[str, ...] = ()  # those of them that the playbook calls lost
    before: tuple[datetime, datetime] | None = None  # the period before; None: one of as many days

    @property
    def bucket(self) -> Bucket:
        """Into what a figure over time divides the period: so many that a person can compare them."""
        days = (self.until - self.since).days
        return "day" if days <= _MOST_DAYS else "week" if days <= _MOST_WEEKS * 7 else "month"


#: What became of the first touch of an assignment ``a``.
FIRST_TOUCH: Final = build_first_touch("a.touched_at")

#: As of ``now``, which may be past.
_OPEN: Final = "a.assigned_at <= :now AND (a.ended_at IS NULL OR a.ended_at > :now)"
_OVERDUE: Final = f"{_OPEN} AND (a.touched_at IS NULL OR a.touched_at > :now) AND a.due_at <= :now"

#: What is told of the owners of a journey, as bits: one number is grouped by in place of five columns. A journey with
#: an owner has the first.
_BITS: Final = {"owned": 1, "touched": 2, "due": 4, "missed": 8, "accepted": 16}
#: Those of an assignment ``a`` that hold for the journey when they hold for any of its owners.
_OF_ANY: Final = f"""{_BITS["owned"]} + CASE WHEN a.touched_at IS NOT NULL THEN {_BITS["touched"]} ELSE 0 END
            + CASE {FIRST_TOUCH} WHEN 'kept' THEN {_BITS["due"]} WHEN 'missed' THEN {_BITS["due"] + _BITS["missed"]}
                ELSE 0 END"""
#: The cohort, and for each of its journeys its last verdict and what owners did about it. ``rule``, ``accepted`` and
#: ``end_reason`` are of the last owner. An owner who gives a lead back says why. Most journeys have had one owner: only
#: the assignments of the others are sorted. Nobody has a lead before it is captured.
_ANSWERED: Final = f"""{COHORT},
{SAID},
given AS MATERIALIZED (
    SELECT a.journey_id, count(*) AS owners, min(a.rule) AS rule, min(a.end_reason) AS end_reason,
        min(a.end_reason) FILTER (WHERE {REJECTED}) AS rejected, bit_or({_OF_ANY}) AS bits,
        bool_or(a.accepted_at IS NOT NULL) AS accepted, max({DECIDED_AT}) AS decided_at
    FROM assignment a WHERE a.assigned_at >= :since GROUP BY a.journey_id),
latest AS (
    SELECT g.journey_id, (array_agg(a.rule ORDER BY a.id DESC))[1] AS rule,
        (array_agg(a.end_reason ORDER BY a.id DESC))[1] AS end_reason,
        (array_agg(a.end_reason ORDER BY a.id DESC) FILTER (WHERE {REJECTED}))[1] AS rejected,
        (array_agg(a.accepted_at IS NOT NULL ORDER BY a.id DESC))[1] AS accepted,
        (array_agg({DECIDED_AT} ORDER BY a.id DESC))[1] AS decided_at
    FROM given g JOIN assignment a ON a.journey_id = g.journey_id WHERE g.owners > 1 GROUP BY g.journey_id),
answers AS (
    SELECT g.journey_id, coalesce(l.rule, g.rule) AS rule, coalesce(l.rejected, g.rejected) AS rejected,
        CASE WHEN l.journey_id IS NULL THEN g.end_reason ELSE l.end_reason END AS end_reason,
        CASE WHEN l.journey_id IS NULL THEN g.decided_at ELSE l.decided_at END AS decided_at,
        g.bits + CASE WHEN coalesce(l.accepted, g.accepted) THEN {_BITS["accepted"]} ELSE 0 END AS bits
    FROM given g LEFT JOIN latest l ON l.journey_id = g.journey_id),
counted AS (
    SELECT c.trigger, c.source, c.stage, c.status, w.rule, v.score, v.grade, v.qualified_as, v.contributions,
        v.outcome = 'continue' AS goes_on, coalesce(w.bits, 0) AS bits, w.end_reason, w.rejected,
        CASE WHEN w.decided_at > s.at THEN NULL ELSE s.verdict END AS said, count(*) AS n
    FROM cohort c LEFT JOIN answers w ON w.journey_id = c.id LEFT JOIN said s ON s.journey_id = c.id
    LEFT JOIN qualification v ON v.journey_id = c.id AND (v.generation = c.generation
        OR NOT EXISTS (SELECT 1 FROM qualification n WHERE n.journey_id = c.id AND n.generation > v.generation))
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
alike AS MATERIALIZED (
    SELECT c.trigger, c.source, c.status, c.rule AS route, c.score, c.grade, c.qualified_as, c.contributions,
        greatest(array_position(CAST(:stages AS text[]), c.stage) - 1,
            CASE WHEN w.touched THEN 6 WHEN w.owned THEN 5 END) AS reached,
        c.goes_on AND c.qualified_as IS NOT NULL AND c.status <> 'joined' AS qualified,
        w.owned, w.touched, w.due, w.missed, w.accepted, c.rejected, {OUTCOME} AS outcome,
        c.said IS NOT NULL AS has_said, c.n
    FROM counted c CROSS JOIN LATERAL (
        SELECT {", ".join(f"c.bits & {bit} > 0 AS {name}" for name, bit in _BITS.items())}, c.end_reason, c.said) w)"""

_JOURNEYS: Final = Query(
    _ANSWERED,
    """SELECT trigger, source, route, score, grade, status, reached, CASE WHEN owned THEN outcome END AS outcome,
        CAST(sum(n) AS bigint) AS n
    FROM alike GROUP BY 1, 2, 3, 4, 5, 6, 7, 8""",
)

#: Of journeys that were called qualified. One that was run again and then joined another is counted there.
_CONVERSION: Final = Query(
    _ANSWERED,
    """SELECT qualified_as, score, grade, source, owned, touched, due, missed, rejected, accepted, outcome,
        CAST(sum(n) AS bigint) AS n
    FROM alike WHERE qualified GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11""",
)

_RULES: Final = Query(
    _ANSWERED,
    """SELECT r.key AS rule,
        CAST(sum(CAST(r.value AS bigint) * n) AS double precision) / CAST(sum(n) AS double precision) AS points,
        CAST(sum(n) AS bigint) AS qualified,
        CAST(coalesce(sum(n) FILTER (WHERE outcome <> 'undecided'), 0) AS bigint) AS decided,
        CAST(coalesce(sum(n) FILTER (WHERE outcome = 'won'), 0) AS bigint) AS won
    FROM alike CROSS JOIN LATERAL jsonb_each_text(contributions) r
    WHERE qualified AND CAST(r.value AS bigint) <> 0 GROUP BY r.key ORDER BY r.key""",
)

#: Of journeys that are decided, and were qualified, or had an outcome said of them all the same: the rules that gave
#: points together.
_PATTERNS: Final = Query(
    _ANSWERED,
    """SELECT p.rules, CAST(coalesce(sum(p.n) FILTER (WHERE p.outcome = 'won'), 0) AS bigint) AS won,
        CAST(coalesce(sum(p.n) FILTER (WHERE p.outcome = 'lost'), 0) AS bigint) AS lost,
        CAST(sum(p.score * p.n) AS bigint) AS total
    FROM (SELECT ARRAY(SELECT jsonb_object_keys(contributions)) AS rules, outcome, score, n FROM alike
        WHERE (qualified OR has_said) AND score IS NOT NULL AND outcome <> 'undecided') p
    GROUP BY p.rules""",
)

_EARLY: Final = Query("", f"SELECT count(*) AS n FROM {EARLY}")

#: Of the learned score in force, whatever the period: what became of the leads that judged it, by their chance.
_RELIABILITY: Final = Query(
    "",
    """SELECT m.id AS model, g.lowest, g.highest, g.chance, g.won, g.leads
    FROM (SELECT model_id FROM score_role ORDER BY id DESC LIMIT 1) r JOIN score_model m ON m.id = r.model_id
    CROSS JOIN LATERAL jsonb_to_recordset(m.quality #> '{learned,reliability}') AS g(lowest double precision,
        highest double precision, chance double precision, won bigint, leads bigint)
    ORDER BY g.lowest""",
)

#: ``to_owner`` are the seconds from the capture of a signal to its first owner, ``to_touch`` those of every assignment.
#: ``grouped`` is SQL's ``GROUPING``: owner (4), pool (2) and hour (1), a bit for each that the row is not grouped by.
_SPEED: Final = f"""{COHORT},
every AS (
    SELECT a.owner, a.pool, CAST(extract(hour FROM c.captured_at AT TIME ZONE :zone) AS int) AS hour,
        {FIRST_TOUCH} AS first_touch, date_part('epoch', a.touched_at - a.assigned_at) AS to_touch,
        CASE WHEN c.trigger = 'signal' AND lag(a.id) OVER (PARTITION BY a.journey_id ORDER BY a.id) IS NULL
            THEN date_part('epoch', a.assigned_at - c.captured_at) END AS to_owner
    FROM assignment a JOIN cohort c ON c.id = a.journey_id),
speed AS MATERIALIZED (
    SELECT GROUPING(owner, pool, hour) AS grouped, owner, pool, hour,
        count(to_owner) AS owned, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY to_owner) AS to_owner,
        count(to_touch) AS touched, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY to_touch) AS to_touch,
        count(*) AS assigned,
        {", ".join(f"count(*) FILTER (WHERE first_touch = '{name}') AS {name}" for name in FIRST_TOUCHES)}
    FROM every WHERE CAST(:rep AS text) IS NULL OR owner = :rep
    GROUP BY GROUPING SETS ((), (owner), (pool), (hour)))"""
_IN_ORDER: Final = "ORDER BY grouped, owner, pool, hour"

_TO_OWNER: Final = Query(
    _SPEED,
    f"""SELECT grouped, owner, pool, hour, owned AS n, to_owner[1] AS p50, to_owner[2] AS p95
    FROM speed WHERE owned > 0 OR grouped = 7 {_IN_ORDER}""",
)

_TO_TOUCH: Final = Query(
    _SPEED,
    f"""SELECT grouped, owner, pool, hour, assigned, touched AS n, to_touch[1] AS p50, to_touch[2] AS p95,
        {", ".join(FIRST_TOUCHES)}
    FROM speed {_IN_ORDER}""",
)

#: What each owner was given from each pool in the period, and has as of now.
_GIVEN: Final = f"""given AS MATERIALIZED (
    SELECT a.pool, a.owner, count(*) FILTER (WHERE {_OPEN}) AS open, count(*) FILTER (WHERE {_OVERDUE}) AS overdue,
        count(*) FILTER (WHERE a.assigned_at >= :since AND a.assigned_at < :until) AS n,
        count(*) FILTER (WHERE a.assigned_at >= :since AND a.assigned_at < :until AND a.turn
            AND NOT a.turn_given_back) AS turns
    FROM assignment a WHERE a.kind = 'lead' AND a.assigned_at <= greatest(:now, :until) GROUP BY a.pool, a.owner)"""

_TURNS: Final = Query(_GIVEN, "SELECT pool, owner, n, turns FROM given WHERE n > 0 ORDER BY pool, owner")

_OWNERS: Final = Query(
    _GIVEN,
    """SELECT owner, CAST(sum(open) AS bigint) AS open, CAST(sum(overdue) AS bigint) AS overdue,
        CAST(sum(n) AS bigint) AS assigned
    FROM given WHERE CAST(:rep AS text) IS NULL OR owner = :rep GROUP BY owner ORDER BY owner""",
)

_LATE: Final = Query(
    "",
    f"""
    SELECT a.journey_id, j.lead_id, a.assigned_at, a.due_at, a.sla, a.pool, a.rule AS route, a.ladder_step
    FROM assignment a JOIN journey j ON j.id = a.journey_id WHERE a.owner = :rep AND a.kind = 'lead' AND {_OVERDUE}
    ORDER BY a.due_at, a.journey_id LIMIT {MOST_LATE}""",
)

#: Signals by when they came, in the days of ``zone``: how many got an owner, the first touches that have come due, and
#: the median of the seconds from owner to first touch.
_TREND: Final = Query(
    "",
    f"""
    WITH {COHORT},
    given AS (
        SELECT a.journey_id, count(*) FILTER (WHERE {FIRST_TOUCH} = 'kept') AS kept,
            count(*) FILTER (WHERE {FIRST_TOUCH} = 'missed') AS missed,
            min(date_part('epoch', a.touched_at - a.assigned_at)) AS to_touch
        FROM assignment a WHERE a.assigned_at >= :since AND (CAST(:rep AS text) IS NULL OR a.owner = :rep)
        GROUP BY a.journey_id)
    SELECT CAST(date_trunc(:bucket, c.captured_at AT TIME ZONE :zone) AS date) AS begins, count(*) AS signals,
        count(g.journey_id) AS owned, CAST(coalesce(sum(g.kept), 0) AS bigint) AS kept,
        CAST(coalesce(sum(g.missed), 0) AS bigint) AS missed,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY g.to_touch) AS to_touch
    FROM cohort c LEFT JOIN given g ON g.journey_id = c.id
    WHERE c.trigger = 'signal' AND (CAST(:rep AS text) IS NULL OR g.journey_id IS NOT NULL)
    GROUP BY begins ORDER BY begins""",
)

_POOLS: Final = Query("", "SELECT pool, state FROM pool_state WHERE kind = 'lead' ORDER BY pool")

#: What each section of a report needs, by the names under which ``read`` gives it.
QUERIES: Final[Mapping[str, Mapping[str, Query]]] = {
    "funnel": {"journeys": _JOURNEYS},
    "conversion": {
        "conversion": _CONVERSION,
        "rules": _RULES,
        "patterns": _PATTERNS,
        "early": _EARLY,
        "reliability": _RELIABILITY,
    },
    "speed": {"to_owner": _TO_OWNER, "to_touch": _TO_TOUCH},
    "load": {"turns": _TURNS, "owners": _OWNERS, "pools": _POOLS},
    "paths": {"endings": ENDINGS, "stages": STAGE_TIMES, "reasons": REASONS},
    "overdue": {"late": _LATE},
    "trend": {"trend": _TREND},
    **dict.fromkeys(record_figures.SECTIONS, record_figures.QUERIES),
}


_CAPTURED: Final = {"captured": Query("", f"SELECT {SIGNALS} AS n")}
#: The queries that take longest, the longest first.
_LONGEST: Final = ("stages", "journeys", "conversion", "to_owner")

#: Those of them that headline figures are made of, and are read for the period before, too.
HEADLINES: Final = (
    "journeys", "conversion", "to_owner", "to_touch", "turns", "owners", "endings", "stages", "late",
    *record_figures.HEADLINES,
)  # fmt: skip
#: Sections that tell how things stand now, and of the period before how they stood when it ended.
_AS_OF: Final = ("load", "overdue")


def read(
    ledger: Ledger,
    asked: ReportRequest,
    before: ReportRequest,
    sections: Collection[str],
    midnights: Mapping[str, datetime],
    mondays: Mapping[str, datetime],
) -> tuple[FigureRows, FigureRows]:
    """The rows that ``sections`` need, all of one moment of the ledger, by the names in ``QUERIES``; and those of the
    period ``before`` that headline figures are made of.

    With the first ``captured``, the signals there are of any time; and for the section ``load`` ``recent``, since
    ``midnights`` and ``mondays``, in UTC.
    """

    def read_recent(connection: Connection) -> dict[str, Rows]:
        recent = assignments.count_recent_leads(connection, midnights, mondays)
        return {"recent": [{"rep": rep, "today": today, "week": week} for rep, (today, week) in sorted(recent.items())]}

    named = {name: query for section in sections for name, query in QUERIES[section].items()}
    headlines = {name: query for name, query in named.items() if name in HEADLINES}
    reads = [_Read(asked, together) for together in _group_queries(_CAPTURED | named)]
    reads += [_Read(_shift_to_end(before, together), together) for together in _group_queries(headlines)]
    reads.sort(key=_Read.rank)
    statements: list[Callable[[Connection], dict[str, Rows]]] = [each.read_rows for each in reads]
    if "load" in sections:
        statements.append(read_recent)
    found: dict[str, Rows] = {}
    earlier: dict[str, Rows] = {name: [] for name in (*named, "recent")}
    results = read_concurrently(ledger, statements)
    for read_, rows in zip_longest(reads, results):
        (found if read_ is None or read_.asked is asked else earlier).update(rows)
    return cast(FigureRows, found), cast(FigureRows, earlier)  # a test compares each query with its shape


@dataclass(frozen=True)
class _Read:
    """One statement, and the period that it is about."""

    asked: ReportRequest
    queries: Mapping[str, Query]

    def rank(self) -> int:
        """The reads that take longest come first."""
        return min((_LONGEST.index(name) for name in self.queries if name in _LONGEST), default=len(_LONGEST))

    def read_rows(self, connection: Connection) -> dict[str, Rows]:
        """Of each query. Queries of the same tables come as one row of lists."""
        (tables,) = {query.tables for query in self.queries.values()}
        if not tables:
            ((name, query),) = self.queries.items()
            return {name: _read_rows(connection, query.select, self.asked)}
        lists = [
            f"(SELECT coalesce(json_agg(r), '[]') FROM ({query.select}) r) AS {name}"
            for name, query in self.queries.items()
        ]
        (found,) = _execute(connection, f"WITH {tables} SELECT {', '.join(lists)}", self.asked)
        return {name: [_with_fractions(row) for row in rows] for name, rows in found.items()}


def _with_fractions(row: dict[str, object]) -> dict[str, object]:
    """JSON writes a whole number without a fraction."""
    return row | {name: float(whole) for name in ("p50", "p95", "points") if isinstance(whole := row.get(name), int)}


def _group_queries(queries: Mapping[str, Query]) -> list[dict[str, Query]]:
    """The queries that have their tables in common, and each of the others alone."""
    found: dict[str, dict[str, Query]] = defaultdict(dict)
    for name, query in queries.items():
        found[query.tables or name][name] = query
    return list(found.values())


def _shift_to_end(before: ReportRequest, names: Collection[str]) -> ReportRequest:
    of_now = any(name in QUERIES[section] for section in _AS_OF for name in names)
    return replace(before, now=before.until) if of_now else before


def _read_rows(connection: Connection, statement: str, asked: ReportRequest) -> Rows:
    return [dict(row) for row in _execute(connection, statement, asked)]


def _execute(connection: Connection, statement: str, asked: ReportRequest) -> Sequence[RowMapping]:
    given = {
        "since": asked.since, "until": asked.until, "now": asked.now, "zone": asked.zone, "source": asked.source,
        "rep": asked.rep, "bucket": asked.bucket, "stages": list(STAGES),
        "outcomes": list(asked.outcomes), "lost": [EndReason.OUTCOME.add(name) for name in asked.lost],
    }  # fmt: skip
    used = {key: value for key, value in given.items() if f":{key}" in statement}
    return connection.execute(text(statement), used).mappings().all()


def list_sources(ledger: Ledger) -> list[str]:
    """Every source that a journey of a lead is of: what a misspelt one is compared with."""
    with ledger.transaction() as connection:
        return list(
            connection.execute(text("SELECT DISTINCT source FROM journey WHERE kind = 'lead' ORDER BY 1")).scalars()
        )


def list_owners(ledger: Ledger) -> list[str]:
    """Everybody who has ever had a lead."""
    with ledger.transaction() as connection:
        return list(
            connection.execute(text("SELECT DISTINCT owner FROM assignment WHERE kind = 'lead' ORDER BY 1")).scalars()
        )
