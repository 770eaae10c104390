"""The reliability of the learned score in force: the chance that each group of leads was given, and what came of it.

Belongs here: this table and its picture. Does not belong here: how it was measured (``leadgate.learning.quality``), or
the other tables of the section (``conversion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from console.report.charts import Range, draw_intervals
from console.report.tables import Column, Table, format_percent
from leadgate.figures import Interval, Share
from leadgate.ledger.figure_rows import ReliabilityGroup

_COLUMNS: Final = (
    Column("lowest", "chance from", "share"),
    Column("highest", "to", "share"),
    Column("chance", "mean chance", "share"),
    Column("leads", "leads"),
    Column("came", "came to it"),
    Column("share", "of leads", "share"),
    Column("interval", "95 % interval", "interval"),
)


class _Row(TypedDict):
    lowest: float
    highest: float
    chance: float
    leads: int
    came: int
    share: float | None
    interval: Interval | None


def build_reliability(groups: Sequence[ReliabilityGroup]) -> list[Table]:
    """A table of the score in force; none where there is none."""
    if not groups:
        return []
    rows: list[_Row] = []
    drawn = []
    for group in groups:
        share = Share(group["won"], group["leads"])
        rows.append(
            {
                "lowest": group["lowest"],
                "highest": group["highest"],
                "chance": group["chance"],
                "leads": share.of,
                "came": share.count,
                "share": share.value,
                "interval": share.interval,
            }
        )
        if share.value is not None and share.interval is not None:
            label = f"chance {format_percent(group['chance'])}"
            drawn.append(
                Range(label, share.interval.low, share.value, share.interval.high, format_percent(share.value))
            )
    model = groups[0]["model"]
    return [
        Table(
            key="learned_score",
            title=f"Chances of learned score {model}",
            columns=_COLUMNS,
            rows=rows,
            note="The learned score in force, on the leads that judged it, of any time and source: a true"
            " chance lies within the interval of the share that came to it. `leadgate score show` tells more.",
            chart=draw_intervals(f"Chances of learned score {model}", drawn),
            caption="The dot is the share that came to it, the line its 95 % interval; the mean chance is on the left.",
        )
    ]
