"""The leads that reps had at any moment, by the assignments of the ledger.

Belongs here: reading them, and counting as of a moment. Does not belong here: loads as of now (``assignments``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class LoadHistory:
    """When each rep got leads, and when these ended; in order."""

    began: dict[str, list[datetime]]
    ended: dict[str, list[datetime]]

    def count_open(self, rep: str, at: datetime) -> int:
        """The leads that ``rep`` had just before ``at``."""
        return bisect_left(self.began.get(rep, []), at) - bisect_left(self.ended.get(rep, []), at)

    def count_since(self, rep: str, since: datetime, at: datetime) -> int:
        """The leads that ``rep`` got from ``since`` on, before ``at``."""
        began = self.began.get(rep, [])
        return max(0, bisect_left(began, at) - bisect_left(began, since))


def read_load_history(connection: Connection, reps: Collection[str], until: datetime | None = None) -> LoadHistory:
    """Of leads that were assigned before ``until``."""
    rows = connection.execute(
        text(
            "SELECT owner, assigned_at, ended_at FROM assignment WHERE owner = ANY(:reps) AND kind = 'lead' "
            "AND (CAST(:until AS timestamptz) IS NULL OR assigned_at < :until)"
        ),
        {"reps": sorted(reps), "until": until},
    )
    began: dict[str, list[datetime]] = {}
    ended: dict[str, list[datetime]] = {}
    for owner, assigned_at, ended_at in rows:
        began.setdefault(owner, []).append(assigned_at)
        if ended_at is not None:
            ended.setdefault(owner, []).append(ended_at)
    return LoadHistory(
        {rep: sorted(moments) for rep, moments in began.items()},
        {rep: sorted(moments) for rep, moments in ended.items()},
    )


def read_ends(connection: Connection, journeys: Collection[int]) -> dict[int, datetime]:
    """When the first owner of each of ``journeys`` was done with it, of those that somebody is done with."""
    rows = connection.execute(
        text(
            "SELECT journey_id, min(ended_at) AS ended_at FROM assignment "
            "WHERE journey_id = ANY(:journeys) AND ended_at IS NOT NULL GROUP BY journey_id"
        ),
        {"journeys": list(journeys)},
    )
    return {row.journey_id: row.ended_at for row in rows}
