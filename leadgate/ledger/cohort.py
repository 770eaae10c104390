"""The journeys of leads that a figure of a report is about, and how its queries are put together.

Belongs here: what the queries of several sections share. Does not belong here: any figure.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Query(NamedTuple):
    """Rows that are selected from ``tables``, common table expressions. Queries of the same ones are read together."""

    tables: str
    select: str


#: A row ``c`` of ``journey`` is one of a lead that was captured in the period.
CAPTURED: Final = """c.captured_at >= :since AND c.captured_at < :until AND c.kind = 'lead'
        AND (CAST(:source AS text) IS NULL OR c.source = :source)"""

#: How many signals of leads there are: all of them, without the few that updates of records came with.
SIGNALS: Final = """((SELECT count(*) FROM signal)
        - (SELECT count(*) FROM journey r WHERE r.kind <> 'lead' AND r.signal_id IS NOT NULL))"""

#: Those journeys. PostgreSQL may read them in several processes, unlike the rows of a query that it keeps.
COHORT: Final = f"""cohort AS NOT MATERIALIZED (
    SELECT c.id, c.trigger, c.source, c.captured_at, c.stage, c.status, c.generation FROM journey c WHERE {CAPTURED})"""


def build_first_touch(done_at: str) -> str:
    """What became of the first touch of an assignment ``a``, which was done at ``done_at``: one of
    ``leadgate.figures.FIRST_TOUCHES``. An owner who lost the lead before the touch was due is released from it.
    Acceptance is no touch."""
    return f"""CASE WHEN a.due_at IS NULL THEN 'no_sla'
        WHEN {done_at} > a.due_at THEN 'missed'
        WHEN {done_at} IS NOT NULL THEN CASE WHEN a.due_at <= :now THEN 'kept' ELSE 'early' END
        WHEN a.ended_at > a.due_at THEN 'missed'
        WHEN a.ended_at IS NOT NULL THEN 'released'
        WHEN a.due_at <= :now THEN 'missed' ELSE 'not_due' END"""


def build_percentiles(seconds: str) -> str:
    """The median ``p50`` of a column, and ``p95``, within which 95 % are."""
    return f"""percentile_cont(0.5) WITHIN GROUP (ORDER BY {seconds}) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY {seconds}) AS p95"""
