"""What is overdue at one rep now, the longest first.

Belongs here: the table of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from console.report.tables import NO_POOL, Column, Section, Table, Tile
from leadgate.ledger.figures import MOST_LATE


def section(found: Mapping[str, Sequence[Mapping[str, Any]]], now: datetime) -> Section:
    """From the rows ``late``, as of ``now``."""
    late = found["late"]
    rows = [
        {
            "journey": f"J{row['journey_id']}",
            "due_at": row["due_at"],
            "overdue": (now - row["due_at"]).total_seconds(),
            **{name: row[name] for name in ("assigned_at", "sla", "pool", "route", "ladder_step")},
        }
        for row in late
    ]
    return Section(
        key="overdue",
        title="Overdue now",
        about=f"The first touch was due: the longest first, at most {MOST_LATE}. Each is told by leadgate explain.",
        tables=[
            Table(
                key="late",
                title="Overdue leads",
                columns=[
                    Column("journey", "journey", "text"),
                    Column("due_at", "due (UTC)", "moment"),
                    Column("overdue", "overdue by", "span"),
                    Column("assigned_at", "assigned (UTC)", "moment"),
                    Column("sla", "SLA", "text"),
                    Column("pool", "pool", "text", says=NO_POOL),
                    Column("route", "route", "text"),
                    Column("ladder_step", "steps taken"),
                ],
                rows=rows,
            )
        ],
        tiles=[Tile("overdue now", f"{len(rows):,}" + (" or more" if len(rows) == MOST_LATE else ""))],
    )
