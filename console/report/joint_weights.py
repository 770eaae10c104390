"""The table of joint weights: what the data would give each scoring rule while the other rules are held fixed.

Belongs here: this table. Does not belong here: the fit (``leadgate.learning.joint_weights``), or the other tables of
the section (``conversion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from console.display_names import write_as_words
from console.report.tables import Column, Table
from leadgate.figures import Share, lift
from leadgate.ledger.figure_rows import FigureRows

_CAP: Final = "cap of "
_TELLS: Final[dict[str | None, str]] = {
    "more_often": "more often",
    "less_often": "less often",
    "not_shown": "not shown",
    "too_few": "too few",
}
COLUMNS: Final = (
    Column("rule", "rule", "text", format_name=write_as_words),
    Column("points", "points now", "signed"),
    Column("joint_points", "joint points", "signed"),
    Column("joint_low", "from", "signed"),
    Column("joint_high", "to", "signed"),
    Column("so", "won", "text", labels=_TELLS),
    Column("leads", "decided leads"),
    Column("lift", "lift alone", "number"),
)


class _Row(TypedDict):
    rule: str
    points: float | None
    joint_points: float | None
    joint_low: float | None
    joint_high: float | None
    so: str
    leads: int
    lift: float | None


def build_joint_weights(found: FigureRows, everybody: Share) -> Table:
    """From the rows ``patterns`` and ``rules``; ``everybody`` are the won of those decided."""
    cells = found["patterns"]
    if not (sum(cell["won"] for cell in cells) and sum(cell["lost"] for cell in cells)):
        return build_table([], 0, 0)
    from leadgate.learning.joint_weights import LEAST, Pattern, fit_joint_weights  # numpy is slow to import

    patterns = [
        Pattern(frozenset(r for r in cell["rules"] if not r.startswith(_CAP)), cell["won"], cell["lost"], cell["total"])
        for cell in cells
    ]
    fit = fit_joint_weights(patterns)
    points = {cell["rule"]: float(cell["points"]) for cell in found["rules"]}
    lifts = {
        cell["rule"]: lift(
            Share(cell["won"], cell["decided"]), Share(everybody.count - cell["won"], everybody.of - cell["decided"])
        )
        for cell in found["rules"]
    }
    rows: list[_Row] = []
    for weight in [] if fit is None else fit.weights:
        low, high = (None, None) if weight.interval is None else weight.interval
        rows.append(
            {
                "rule": weight.rule,
                "points": points.get(weight.rule),
                "joint_points": weight.points,
                "joint_low": low,
                "joint_high": high,
                "so": judge_interval(low, high),
                "leads": weight.leads,
                "lift": lifts.get(weight.rule),
            }
        )
    return build_table(rows, LEAST, 0 if fit is None else fit.leads)


def judge_interval(low: float | None, high: float | None) -> str:
    """Whether leads that a rule meets are won more often, the other rules being the same."""
    if low is None or high is None:
        return "too_few"
    return "more_often" if low > 0 else "less_often" if high < 0 else "not_shown"


def build_table(rows: Sequence[_Row], least: int, leads: int) -> Table:
    rows = sorted(rows, key=lambda row: (row["joint_points"] is None, -(row["joint_points"] or 0.0), row["rule"]))
    return Table(
        key="joint_weights",
        title="By scoring rule, the other rules being the same",
        columns=COLUMNS,
        rows=rows,
        note=f"A logistic regression over all rules at once, of {leads:,} decided leads: what the data would give each"
        " rule, with its 95 % interval, on a scale on which leads' points vary as much as they do now. Too few: less"
        f" than {least} won or lost leads that the rule met, or did not meet.",
    )
