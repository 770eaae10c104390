"""The tables ``gate_result`` and ``warned``: what gates found. Append-only.

Belongs here: every statement that writes the tables. Does not belong here: what a promise is (``expectations``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.json_columns import CheckedPromise
from leadgate.ledger import bulk
from leadgate.vocabulary import GateName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class NewGateResult:
    """What a gate found in a batch. ``rows``, ``held`` and ``warned`` are counts of journeys."""

    batch_id: int
    gate: GateName
    rows: int
    held: int
    warned: int
    evidence: list[CheckedPromise]
    seconds: float
    at: datetime


def insert_gate_result(connection: Connection, result: NewGateResult, warnings: pd.DataFrame) -> None:
    """Keep the evidence of a gate, and the warnings of journeys that passed.

    ``warnings``: a row for each journey and promise, with the columns of the table ``warned``; empty without warnings.
    """
    failpoint("apply.gate_result.before")
    connection.execute(
        text(
            "INSERT INTO gate_result (batch_id, gate, rows, held, warned, evidence, seconds, at) "
            "VALUES (:batch_id, :gate, :rows, :held, :warned, CAST(:evidence AS jsonb), :seconds, :at)"
        ),
        asdict(result) | {"evidence": orjson.dumps(result.evidence).decode()},
    )
    if not warnings.empty:
        bulk.fill_temporary(
            connection,
            "warnings_seen",
            {"journey_id": "bigint", "generation": "int", "gate": "text", "promise": "text", "reason": "text",
             "words": "text"},
            warnings,
        )  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO warned (journey_id, generation, gate, promise, reason, words) "
                "SELECT DISTINCT ON (journey_id, generation, gate, promise) journey_id, generation, gate, promise, "
                "reason, words FROM warnings_seen ORDER BY journey_id, generation, gate, promise ON CONFLICT DO NOTHING"
            )
        )
    failpoint("apply.gate_result.after")
