"""Records that name a journey or a batch without a foreign key: what they name exists.

Belongs here: orphans. Does not belong here: what a record says.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.invariant import Invariant

#: Records that name a journey or a batch without a foreign key, for speed.
_RECORDS: Final = (
    ("handoff", "journey_id"),
    ("handoff", "batch_id"),
    ("gate_result", "batch_id"),
    ("warned", "journey_id"),
    ("qualification", "journey_id"),
    ("outbox", "journey_id"),
    ("lookalike", "journey_id"),
    ("lead_join", "journey_id"),
    ("lead_verdict", "journey_id"),
    ("pause", "journey_id"),
    ("journey", "batch_id"),
    ("work_item", "batch_id"),
    ("batch", "part_of"),
)
_NAMES: Final = {"part_of": "batch"}  # columns that are not called after their table

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "nothing_orphaned",
        "Every record is about a journey and a batch that exist",
        " + ".join(f"(SELECT count(*) FROM {table})" for table, _ in _RECORDS).join(("SELECT ", "")),
        "SELECT count(*) FROM ("
        + " UNION ALL ".join(
            f"SELECT 1 FROM {table} r WHERE {column} IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {_NAMES.get(column, column.removesuffix('_id'))} t WHERE t.id = r.{column})"
            for table, column in _RECORDS
        )
        + ") orphans",
    ),
)
