"""The tables ``gate_result`` and ``warned``: what gates found. Append-only.

Belongs here: every statement that writes the tables. Does not belong here: what a promise is (``expectations``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk

if TYPE_CHECKING:
    import pandas as pd


def gate_result(connection: Connection, row: dict[str, Any], warned: pd.DataFrame) -> None:
    """Keep a gate's evidence, and which journeys passed with a warning (rows of ``warned``, if there are any)."""
    failpoint("apply.gate_result.before")
    connection.execute(
        text(
            "INSERT INTO gate_result (batch_id, gate, rows, held, warned, evidence, seconds, at) "
            "VALUES (:batch_id, :gate, :rows, :held, :warned, CAST(:evidence AS jsonb), :seconds, :at)"
        ),
        row | {"evidence": orjson.dumps(row["evidence"]).decode()},
    )
    if not warned.empty:
        bulk.fill_temporary(
            connection,
            "warnings_seen",
            {"journey_id": "bigint", "generation": "int", "gate": "text", "promise": "text", "reason": "text",
             "words": "text"},
            warned,
        )  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO warned (journey_id, generation, gate, promise, reason, words) "
                "SELECT DISTINCT ON (journey_id, generation, gate, promise) journey_id, generation, gate, promise, "
                "reason, words FROM warnings_seen ORDER BY journey_id, generation, gate, promise ON CONFLICT DO NOTHING"
            )
        )
    failpoint("apply.gate_result.after")
