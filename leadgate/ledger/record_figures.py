"""Records in figures: which paths their updates took, and how the records of each kind stand now.

Belongs here: the queries of the sections of a report that are about opportunities, renewals and expansions; one query
counts all kinds. Does not belong here: figures of leads (``figures``), the forecast (``forecasts``), or any words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.cohort import Query, build_first_touch
from leadgate.ledger.database import Ledger
from leadgate.ledger.path_figures import OF_OWNERS, build_reasons
from leadgate.vocabulary import EndReason, JourneyKind, NothingNew, list_in_sql

_KINDS: Final = tuple(kind for kind in JourneyKind if kind is not JourneyKind.LEAD)
#: The sections of a report that are about records, with the kind of each.
SECTIONS: Final[Mapping[str, JourneyKind]] = {kind.plural: kind for kind in _KINDS}

#: The journeys of records that were captured in the period, without those in which nothing new was told.
_UPDATES: Final = f"""updates AS MATERIALIZED (
    SELECT c.id, c.kind AS about, c.source, c.status, c.generation, c.record_id FROM journey c
    WHERE c.kind <> '{JourneyKind.LEAD}' AND c.captured_at >= :since AND c.captured_at < :until
        AND (CAST(:source AS text) IS NULL OR c.source = :source)
        AND NOT (c.status = 'done' AND EXISTS (SELECT FROM handoff h WHERE h.journey_id = c.id
            AND h.generation = c.generation AND h.reason IN ({list_in_sql(NothingNew)}))))"""

#: What the owners of each update did. An owner reacts by a touch, or by an update of the record, which takes the place
#: of the one before; that time alone does so is no reaction.
_GIVEN: Final = f"""given AS (
    SELECT t.id, (array_agg(t.owner ORDER BY t.assignment_id DESC))[1] AS owner,
        count(*) FILTER (WHERE t.first_touch = 'kept') AS kept,
        count(*) FILTER (WHERE t.first_touch = 'missed') AS missed,
        count(*) FILTER (WHERE t.first_touch = 'missed' AND t.is_open) AS not_done
    FROM (
        SELECT u.id, a.id AS assignment_id, a.owner, d.done_at IS NULL AND a.ended_at IS NULL AS is_open,
            {build_first_touch("d.done_at")} AS first_touch
        FROM updates u JOIN assignment a ON a.journey_id = u.id AND {ENDED_OR_NOT}
        CROSS JOIN LATERAL (SELECT coalesce(a.touched_at, CASE WHEN a.end_reason = '{EndReason.SUPERSEDED}'
            AND EXISTS (SELECT FROM record_version v WHERE v.record_id = u.record_id AND NOT v.late
                AND v.stored_at > a.assigned_at AND v.stored_at <= a.ended_at)
            THEN a.ended_at END) AS done_at) d) t
    GROUP BY t.id)"""

#: Whether a person was needed for an update ``u``.
_HELPED: Final = f"""u.generation > 0 OR EXISTS (SELECT FROM work_item w WHERE w.journey_id = u.id)
            OR EXISTS (SELECT FROM action x WHERE x.journey_id = u.id AND x.what NOT IN ({OF_OWNERS}))
            OR EXISTS (SELECT FROM correction x WHERE x.journey_id = u.id)"""

_TAKEN: Final = Query(
    f"{_UPDATES},\n{_GIVEN}",
    f"""SELECT u.about, u.source, coalesce(g.owner, r.owner) AS owner, p.path,
        CAST(coalesce(sum(g.kept), 0) AS bigint) AS kept, CAST(coalesce(sum(g.missed), 0) AS bigint) AS missed,
        CAST(coalesce(sum(g.not_done), 0) AS bigint) AS not_done, count(*) AS n
    FROM updates u LEFT JOIN given g ON g.id = u.id LEFT JOIN record r ON r.id = u.record_id
    CROSS JOIN LATERAL (SELECT CASE WHEN u.status = 'held' THEN 'held' WHEN u.status = 'ready' THEN 'waiting'
            WHEN g.missed > 0 THEN 'late' WHEN {_HELPED} THEN 'helped' ELSE 'clean' END AS path) p
    WHERE CAST(:rep AS text) IS NULL OR coalesce(g.owner, r.owner) = :rep
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
)

#: Ends of an assignment after which the owner has the record still: they did what was to be done.
_KEPT_BY: Final = list_in_sql((EndReason.TOUCHED, EndReason.ACCEPTED, EndReason.SUPERSEDED))
#: When a closed record ``r`` was told as closed first, since it was open last.
_CLOSED_AT: Final = """SELECT min(v.changed_at) AS at FROM record_version v
        WHERE NOT r.is_open AND v.record_id = r.id AND NOT v.late AND NOT v.is_open AND v.number > coalesce(
            (SELECT max(o.number) FROM record_version o WHERE o.record_id = r.id AND NOT o.late AND o.is_open), 0)"""

#: How each record stands. Its journeys are looked at from the last on, up to one that had an owner: the planner would
#: read every assignment for each record, unless the inner query has a limit of its own. A record is without an owner
#: where it names nobody and waits for one, or lost the last; not where its time has not come.
_STANDING: Final = Query(
    f"""held AS MATERIALIZED (
    SELECT j.record_id, bool_or(d.facts -> 'findings' @> '["stale"]') AS stale
    FROM journey j LEFT JOIN record_judgement d ON d.journey_id = j.id AND d.generation = j.generation
    WHERE j.work_item_id IS NOT NULL AND j.record_id IS NOT NULL GROUP BY j.record_id),
waiting AS MATERIALIZED (
    SELECT DISTINCT record_id FROM journey WHERE status = 'ready' AND batch_id IS NULL AND record_id IS NOT NULL),
standing AS (
    SELECT r.kind AS about, r.source, coalesce(l.owner, r.owner) AS owner, r.sales_stage, r.is_open,
        CASE WHEN NOT r.is_open THEN r.outcome END AS outcome,
        r.is_open AND coalesce(l.has_it, false) AS owned,
        r.is_open AND NOT coalesce(l.has_it, false)
            AND (l.owner IS NOT NULL
                OR (r.owner IS NULL AND (h.record_id IS NOT NULL OR w.record_id IS NOT NULL))) AS unowned,
        r.is_open AND h.record_id IS NOT NULL AS held, r.is_open AND coalesce(l.overdue, false) AS overdue,
        r.is_open AND coalesce(h.stale, false) AS stale, r.is_open AND r.slipped_on IS NOT NULL AS slipped
    FROM record r LEFT JOIN held h ON h.record_id = r.id LEFT JOIN waiting w ON w.record_id = r.id
    LEFT JOIN LATERAL (
        SELECT a.owner, a.ended_at IS NULL AND a.touched_at IS NULL AND a.due_at <= :now AS overdue,
            a.ended_at IS NULL OR a.end_reason IN ({_KEPT_BY})
                OR starts_with(a.end_reason, '{EndReason.OUTCOME.add("")}') AS has_it
        FROM journey j CROSS JOIN LATERAL (SELECT owner, due_at, touched_at, ended_at, end_reason FROM assignment
            WHERE journey_id = j.id AND {ENDED_OR_NOT} ORDER BY id DESC LIMIT 1) a
        WHERE j.record_id = r.id ORDER BY j.id DESC LIMIT 1) l ON true
    LEFT JOIN LATERAL ({_CLOSED_AT}) c ON true
    WHERE (CAST(:source AS text) IS NULL OR r.source = :source)
        AND (r.is_open OR (r.outcome IS NOT NULL AND r.updated_at >= :since AND c.at >= :since AND c.at < :until)))""",
    """SELECT about, source, owner, sales_stage, is_open, outcome, owned, unowned, held, overdue, stale, slipped,
        count(*) AS n
    FROM standing WHERE CAST(:rep AS text) IS NULL OR owner = :rep
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ORDER BY 1, 2, 3, 4""",
)

#: Why a person was asked about an update.
_REASONS: Final = build_reasons(_UPDATES, "updates", "about")

#: What each section needs: it takes the rows of its kind.
QUERIES: Final[Mapping[str, Query]] = {"updates": _TAKEN, "records": _STANDING, "record_reasons": _REASONS}
#: Those of which headline figures are made.
HEADLINES: Final = ("updates", "records")


def list_sources(ledger: Ledger) -> list[str]:
    """Every source that has told of a record."""
    with ledger.statement() as connection:
        return list(connection.execute(text("SELECT DISTINCT source FROM record ORDER BY 1")).scalars())


def list_sections(ledger: Ledger) -> list[str]:
    """The sections of the kinds of which there is a record."""
    with ledger.statement() as connection:
        found = connection.execute(
            text(
                "SELECT k.kind FROM unnest(CAST(:kinds AS text[])) k (kind) "
                "WHERE EXISTS (SELECT FROM record r WHERE r.kind = k.kind)"
            ),
            {"kinds": [kind.value for kind in _KINDS]},
        )
        kinds = {row.kind for row in found}
    return [section for section, kind in SECTIONS.items() if kind in kinds]
