"""What is overdue at one rep now, the longest first.

Belongs here: the table of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from datetime import datetime

from console.display_names import DisplayNames, write_as_words
from console.report.tables import NO_POOL, Column, Section, Table, Tile
from leadgate.ledger.figure_rows import FigureRows
from leadgate.ledger.figures import MOST_LATE
from leadgate.playbook import Playbook


def build_section(found: FigureRows, playbook: Playbook, now: datetime, zone: str) -> Section:
    """From the rows ``late``, as of ``now``; moments are shown in ``zone``."""
    late = found["late"]
    rows = [
        {
            "journey": f"J{row['journey_id']}",
            "due_at": row["due_at"],
            "overdue": (now - row["due_at"]).total_seconds(),
            "assigned_at": row["assigned_at"],
            "sla": row["sla"],
            "pool": row["pool"],
            "route": row["route"],
            "ladder_step": row["ladder_step"],
        }
        for row in late
    ]
    return Section(
        key="overdue",
        title="Overdue now",
        about="Leads whose first touch was due and is not done, the longest overdue first. leadgate explain tells of"
        f" each. At most {MOST_LATE} are listed.",
        tables=[
            Table(
                key="late",
                title="Overdue leads",
                columns=[
                    Column("journey", "journey", "text"),
                    Column("due_at", f"due ({zone})", "moment", zone=zone),
                    Column("overdue", "overdue by", "span"),
                    Column("assigned_at", f"assigned ({zone})", "moment", zone=zone),
                    Column("sla", "SLA", "text", format_name=write_as_words),
                    Column("pool", "pool", "text", labels=NO_POOL, format_name=DisplayNames(playbook).name_pool),
                    Column("route", "route", "text", format_name=write_as_words),
                    Column("ladder_step", "steps taken"),
                ],
                rows=rows,
            )
        ],
        tiles=[
            Tile(
                "overdue",
                "Longest overdue",
                max(((now - row["due_at"]).total_seconds() for row in late), default=None),
                "span",
                "",
                "nothing is overdue",
                when="when the period before ended",
            )
        ],
    )
