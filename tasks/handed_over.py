"""What became of each lead and record that was to change hands: who has it now, or why it stays with whom it was.

Belongs here: these rows, and their words. Does not belong here: handing over (``tasks.reassignments``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
import pandas as pd

from leadgate.assignment.pool_assignment import describe_candidates
from leadgate.ledger import bulk
from leadgate.vocabulary import JourneyKind


@dataclass(frozen=True)
class Handed:
    """One lead or record: who had it, and who has it now (``owner``), or ``why`` it stays with whom it was."""

    journey_id: int
    kind: JourneyKind
    lead_id: int | None
    record_id: int | None
    had_it: str
    owner: str | None
    pool: str | None
    why: str
    due_at: datetime | None = None
    action: int | None = None  # the number that undoes it


def list_handed(decided: pd.DataFrame) -> list[Handed]:
    """A row for each journey of ``decided``, with the reason where nobody can take it."""
    columns = ("journey_id", "kind", "lead_id", "record_id", "had_it", "owner", "pool", "candidates", "due_at")
    rows = zip(*(bulk.list_values(decided[name]) for name in columns), strict=True)
    return [
        Handed(
            journey, JourneyKind(kind), lead, record, had_it, owner, pool,
            "" if owner else _explain_unassigned(candidates, pool), due,
        )
        for journey, kind, lead, record, had_it, owner, pool, candidates, due in rows
    ]  # fmt: skip


def _explain_unassigned(candidates: str, pool: str | None) -> str:
    considered = describe_candidates(orjson.loads(candidates))
    if considered:
        return considered
    return f"nobody else is in pool {pool}" if pool else "it came by no pool; name one with --to-pool"
