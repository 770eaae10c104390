"""What the ledger knows about who is at work: consumers, leases, and the batches that flow runs held; and PostgreSQL's
statistics of the ledger.

Belongs here: queries of housekeeping. Those that measure time go by PostgreSQL's clock, by which leases are given, so
that a machine whose clock is wrong ends nobody's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from leadgate.ledger.database import Ledger

#: By how many rows, and by what share, a table has grown when its statistics are out of date. A table that must double
#: costs the same for each of its rows, however large it becomes.
_ROWS_MORE, _SHARE_MORE = 5_000, 1.0


def analyze_grown(ledger: Ledger) -> list[str]:
    """Renew PostgreSQL's statistics of the tables that have grown much. Returns their names.

    PostgreSQL does so by itself for less, up to a minute later, and a load of many leads takes less than that. A batch
    does not depend on statistics (``Ledger.transaction``); pages and reports do. Only columns of indexes are looked at:
    wide columns take most of the time.
    """
    with ledger.transaction(flushed=False) as connection:
        tables = connection.execute(
            text(
                "SELECT s.relname, format('%I.%I (%s)', s.schemaname, s.relname, "
                "(SELECT string_agg(DISTINCT quote_ident(a.attname), ', ') FROM pg_index i JOIN pg_attribute a "
                "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid)) AS columns "
                "FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid "
                "WHERE s.schemaname = current_schema() AND c.relhasindex "
                "AND s.n_live_tup - greatest(c.reltuples, 0) > greatest(:rows, :share * c.reltuples) ORDER BY 1"
            ),
            {"rows": _ROWS_MORE, "share": _SHARE_MORE},
        ).all()
        if tables:
            connection.execute(text(f"ANALYZE (SKIP_LOCKED) {', '.join(each.columns for each in tables)}"))
    return [each.relname for each in tables]


@dataclass(frozen=True)
class OpenBatch:
    """A batch that is not closed. ``lapsed`` is for how many seconds its lease has run out, negative while it runs."""

    id: int
    holder: str
    kind: str
    size: int
    lapsed: float


@dataclass(frozen=True)
class HeldBatch:
    """The last batch that a flow run held, and whether it is still to be finished."""

    id: int
    size: int
    open: bool


def open_batches(ledger: Ledger) -> list[OpenBatch]:
    """Every open batch, oldest first. A lease that was given up at once counts from when the batch was opened."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT id, holder, kind, size, "
                "extract(epoch FROM clock_timestamp() - greatest(lease_until, opened_at)) AS lapsed "
                "FROM batch WHERE closed_at IS NULL ORDER BY id"
            )
        ).all()
    return [OpenBatch(row.id, row.holder, row.kind, row.size, float(row.lapsed)) for row in rows]


def find_held_batches(ledger: Ledger, runs: Sequence[tuple[str, int | None]]) -> dict[str, HeldBatch]:
    """The last batch of each flow run ``(id, its parameter batch)``; those that never held one are left out."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                """
                SELECT r.run, b.id, b.size, b.closed_at IS NULL AS open
                FROM unnest(CAST(:runs AS text[]), CAST(:batches AS bigint[])) AS r (run, batch)
                JOIN batch b ON b.id = coalesce(r.batch, (
                    SELECT h.batch_id FROM batch_holder h WHERE h.holder = r.run ORDER BY h.id DESC LIMIT 1))"""
            ),
            {"runs": [run for run, _ in runs], "batches": [batch for _, batch in runs]},
        ).all()
    return {row.run: HeldBatch(row.id, row.size, row.open) for row in rows}
