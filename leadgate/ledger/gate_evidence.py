"""What gates found lately in batches of leads: how many rows were checked and failed, and by which playbook.

Belongs here: reading the table ``gate_result``. Does not belong here: writing it (``gates``), or counting by source and
week (``quality_figures``). No row has a value of a lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from leadgate.json_columns import CheckedPromise
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import GateName

#: So many results are looked at, the newest first: a gate that has none among them is not looked for in all others.
_LOOKED_AT: Final = 100_000


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What the gate ``gate`` found in a batch. ``held`` and ``warned``: journeys that it held, and let pass warned."""

    id: int
    batch_id: int
    gate: str
    rows: int
    held: int
    warned: int
    evidence: list[CheckedPromise]
    at: datetime
    playbook_hash: str


def list_latest_evidence(connection: Connection, gates: Sequence[GateName], most: int) -> list[GateEvidence]:
    """Of each gate, the latest ``most`` batches in which it had rows, the newest first.

    Those that are not among the latest 100,000 results of all gates are left out.
    """
    statement = """
        SELECT r.id, r.batch_id, r.gate, r.rows, r.held, r.warned, r.evidence, r.at, r.playbook_hash
        FROM unnest(CAST(:gates AS text[])) WITH ORDINALITY AS wanted(gate, place)
        CROSS JOIN LATERAL (
            SELECT g.*, b.playbook_hash FROM gate_result g JOIN batch b ON b.id = g.batch_id
            WHERE g.gate = wanted.gate AND g.rows > 0 AND b.journey_kind = 'lead'
                AND g.id > (SELECT max(id) FROM gate_result) - :looked_at
            ORDER BY g.id DESC LIMIT :most) r
        ORDER BY wanted.place, r.id DESC"""
    names = [gate.value for gate in gates]
    return read_rows(connection, GateEvidence, statement, gates=names, most=most, looked_at=_LOOKED_AT)
