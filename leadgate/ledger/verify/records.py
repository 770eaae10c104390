"""Rows that name a journey, a batch or a record without a foreign key: what they name exists.

Belongs here: orphans. Does not belong here: what a row says.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.handoffs import count_handoffs
from leadgate.ledger.verify.invariant import Invariant

#: Rows that name another without a foreign key, for speed; and handoffs, which are read in one pass.
_RECORDS: Final = (
    ("gate_result", "batch_id"),
    ("decision_input", "batch_id"),
    ("warned", "journey_id"),
    ("qualification", "journey_id"),
    ("outbox", "journey_id"),
    ("lookalike", "journey_id"),
    ("lead_join", "journey_id"),
    ("lead_verdict", "journey_id"),
    ("pause", "journey_id"),
    ("recorded_outcome", "journey_id"),
    ("record_version", "journey_id"),
    ("record_version", "record_id"),
    ("record_judgement", "journey_id"),
    ("record_judgement", "record_id"),
    ("record_slip", "journey_id"),
    ("journey", "batch_id"),
    ("work_item", "batch_id"),
    ("batch", "part_of"),
)


def _find_table(column: str) -> str:
    """The table that a column names a row of."""
    return "batch" if column == "part_of" else column.removesuffix("_id")


INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "nothing_orphaned",
        "Every row is about a journey, a batch and a record that exist",
        " + ".join(f"(SELECT count(*) FROM {table})" for table, _ in (("handoff", ""), *_RECORDS)).join(
            ("SELECT ", "")
        ),
        (
            count_handoffs("j.id IS NULL"),
            count_handoffs("h.batch_id IS NOT NULL AND b.id IS NULL"),
            "SELECT count(*) FROM ("
            + " UNION ALL ".join(
                f"SELECT 1 FROM {table} r WHERE {column} IS NOT NULL "
                f"AND NOT EXISTS (SELECT 1 FROM {_find_table(column)} t WHERE t.id = r.{column})"
                for table, column in _RECORDS
            )
            + ") orphans",
        ),
    ),
)
