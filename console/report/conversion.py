"""Conversion: what owners made of the leads that were called qualified, so that the criteria can be refined.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``),
or the intervals (``leadgate.figures``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from console.report import charts
from console.report.tables import Column, Section, Table, Tile, between, percent
from leadgate.figures import Interval, Share, band_of, difference, lift, tens

Cell = Mapping[str, Any]

_COUNTED: Final = (
    Column("qualified", "qualified"),
    Column("owned", "owned", wide=True),
    Column("touched", "touched"),
    Column("touched_share", "of them", "share", wide=True),
    Column("decided", "decided"),
    Column("accepted", "accepted"),
    Column("accepted_share", "of decided", "share"),
    Column("accepted_interval", "95 % interval", "interval"),
    Column("rejected", "rejected"),
    Column("undecided", "open", wide=True),
    Column("missed", "SLA missed"),
    Column("missed_share", "of owned", "share", wide=True),
)
_VERDICTS: Final = {"marketing_qualified": "marketing-qualified", "sales_qualified": "sales-qualified"}
_SO: Final = {"more_often": "more often", "less_often": "less often", "not_shown": "not shown", None: "cannot be told"}
_DOTS: Final = "The dot is the share accepted of those decided, the line its 95 % interval."
_MOST_RULES: Final = 24  # in the picture; the table has them all


def section(found: Mapping[str, Sequence[Cell]]) -> Section:
    """From the rows ``conversion`` and ``rules``."""
    cells = found["conversion"]
    among = tens(cell["score"] for cell in cells)
    everybody = _counted(cells)
    accepted = Share(everybody["accepted"], everybody["decided"])
    scores = [band.name for band in among]
    by_score = _by(
        "by_score", "By score", "score", cells, lambda cell: band_of(cell["score"], among).name, scores.index
    )
    graded = [cell for cell in cells if cell["grade"] is not None]
    by_grade = _by("by_grade", "By grade", "grade", graded, lambda cell: cell["grade"], str)
    by_source = _by("by_source", "By source", "source", cells, lambda cell: cell["source"])
    return Section(
        key="conversion",
        title="What became of the qualified",
        about="Leads of the period that were called qualified, and what their owners made of them. Decided are those"
        " accepted, and those that ended without; a share of few is uncertain, and its interval says how much.",
        tables=[
            _by("by_verdict", "By verdict", "verdict", cells, lambda cell: cell["qualified_as"], total=True),
            _with_chart(by_score, accepted.value),
            *([_with_chart(by_grade, accepted.value)] if graded else []),
            _with_chart(by_source, accepted.value),
            _rejections(cells),
            _rules(found["rules"], accepted),
        ],
        tiles=[
            Tile("accepted, of decided", percent(accepted.value), f"95 % interval {between(accepted.interval)}"),
            Tile("rejected", f"{everybody['rejected']:,}", f"of {everybody['qualified']:,} qualified"),
        ],
    )


def _counted(cells: Iterable[Cell]) -> dict[str, Any]:
    """The columns of ``_COUNTED`` over ``cells``."""
    sums: dict[str, int] = defaultdict(int)
    for cell in cells:
        sums["qualified"] += cell["n"]
        sums["accepted"] += cell["n"] if cell["accepted"] and cell["decided"] else 0
        sums["rejected"] += cell["n"] if cell["rejected"] else 0
        for name in ("owned", "touched", "decided", "missed"):
            sums[name] += cell["n"] if cell[name] else 0
    accepted = Share(sums["accepted"], sums["decided"])
    shares = {
        "touched_share": Share(sums["touched"], sums["qualified"]).value,
        "accepted_share": accepted.value,
        "accepted_interval": accepted.interval,
        "undecided": sums["qualified"] - sums["decided"],
        "missed_share": Share(sums["missed"], sums["owned"]).value,
    }
    return {column.key: sums[column.key] for column in _COUNTED} | shares


def _by(
    key: str,
    title: str,
    name: str,
    cells: Sequence[Cell],
    of: Callable[[Cell], str],
    order: Callable[[str], Any] | None = None,
    *,
    total: bool = False,
) -> Table:
    """What became of each group: most qualified first, unless ``order`` says otherwise."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[of(cell)].append(cell)
    rows: list[dict[str, Any]] = [{name: group, **_counted(own)} for group, own in groups.items()]
    rows.sort(key=lambda row: (order(row[name]) if order else -row["qualified"], row[name]))
    if total and rows:
        rows.append({name: "all", **_counted(cells)})
    return Table(key, title, [Column(name, name, "text", says=_VERDICTS), *_COUNTED], rows)


def _with_chart(table: Table, overall: float | None) -> Table:
    """``table`` with its shares accepted as dots on their intervals, and a line at the share of all."""
    name = table.columns[0].key
    drawn = [
        charts.Range(
            row[name], row["accepted_interval"].low, row["accepted_share"], row["accepted_interval"].high,
            f"{percent(row['accepted_share'])} of {row['decided']:,}",
        )
        for row in table.rows
        if row["decided"]
    ]  # fmt: skip
    chart = charts.intervals(
        f"{table.title}: share accepted of those decided, with its interval",
        drawn,
        reference=overall,
        words=f"all: {percent(overall)}",
    )
    return replace(table, chart=chart, caption=_DOTS)


def _rejections(cells: Iterable[Cell]) -> Table:
    reasons: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        if cell["rejected"]:
            reasons[cell["rejected"].removeprefix("rejected: ")][cell["qualified_as"]] += cell["n"]
    total = sum(sum(each.values()) for each in reasons.values())
    rows: list[dict[str, Any]] = [
        {
            "reason": reason,
            "leads": sum(each.values()),
            "share": Share(sum(each.values()), total).value,
            "marketing_qualified": each["marketing_qualified"],
            "sales_qualified": each["sales_qualified"],
        }
        for reason, each in reasons.items()
    ]
    rows.sort(key=lambda row: (-row["leads"], row["reason"]))
    return Table(
        key="rejections",
        title="Why owners gave leads back",
        columns=[
            Column("reason", "reason", "text"),
            Column("leads", "leads"),
            Column("share", "of all", "share"),
            Column("marketing_qualified", "marketing-qualified"),
            Column("sales_qualified", "sales-qualified"),
        ],
        rows=rows,
        chart=charts.bars(
            "Why owners gave leads back",
            [
                charts.Bar(
                    row["reason"], [charts.Part("c2", row["leads"], f"{row['leads']:,} leads")], f"{row['leads']:,}"
                )
                for row in rows
            ],
        ),
    )


def _rules(found: Iterable[Cell], everybody: Share) -> Table:
    rows = []
    for cell in found:
        with_it = Share(cell["accepted"], cell["decided"])
        without = Share(everybody.count - with_it.count, everybody.of - with_it.of)
        apart = difference(with_it, without)
        rows.append(
            {
                "rule": cell["rule"],
                "points": float(cell["points"]),
                "qualified": cell["qualified"],
                "decided_with": with_it.of,
                "accepted_with": with_it.count,
                "share_with": with_it.value,
                "interval_with": with_it.interval,
                "decided_without": without.of,
                "accepted_without": without.count,
                "share_without": without.value,
                "interval_without": without.interval,
                "lift": lift(with_it, without),
                "difference_interval": apart,
                "so": _so(apart),
            }
        )
    rows.sort(key=lambda row: (row["lift"] is None, -(row["lift"] or 0), row["rule"]))
    return Table(
        key="rules",
        title="By scoring rule",
        columns=[
            Column("rule", "rule", "text"),
            Column("points", "points", "signed"),
            Column("qualified", "qualified", wide=True),
            Column("decided_with", "decided with"),
            Column("accepted_with", "accepted with", wide=True),
            Column("share_with", "share", "share"),
            Column("interval_with", "95 % interval", "interval", wide=True),
            Column("decided_without", "without"),
            Column("accepted_without", "accepted without", wide=True),
            Column("share_without", "share", "share"),
            Column("interval_without", "95 % interval", "interval", wide=True),
            Column("lift", "lift", "number"),
            Column("difference_interval", "difference", "interval"),
            Column("so", "accepted", "text", says=_SO),
        ],
        rows=rows,
        note="Share accepted where the rule gave points, and where not. Lift is one by the other; the difference is"
        " shown by its 95 % interval. Of twenty rules without any effect, one looks as if it had one.",
        chart=_forest(rows),
        caption="The dot is how many in a hundred more are accepted where the rule gave points, the line its 95 %"
        " interval; beside it that number, and how many with those points were decided.",
    )


def _so(apart: Interval | None) -> str | None:
    """Whether leads with a rule's points are accepted more often; None when nothing can be compared."""
    if apart is None:
        return None
    if apart.low > 0:
        return "more_often"
    return "less_often" if apart.high < 0 else "not_shown"


def _forest(rows: Sequence[Mapping[str, Any]]) -> str:
    drawn = []
    for row in rows:
        apart = row["difference_interval"]
        if apart is not None:
            middle = row["share_with"] - row["share_without"]
            figure = f"{middle * 100:+.0f}, of {row['decided_with']:,}"
            drawn.append(charts.Range(row["rule"], apart.low, middle, apart.high, figure))
    drawn = sorted(drawn, key=lambda each: -each.at)[:_MOST_RULES]
    title = "How much more often leads are accepted where a rule gave points"
    return charts.intervals(title, drawn, reference=0.0, words="no difference")
