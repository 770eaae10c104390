"""Conversion: what owners made of the leads that were called qualified, so that the criteria can be refined.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``),
or the intervals (``leadgate.figures``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypedDict

from markupsafe import Markup

from console.display_names import DisplayNames, write_as_words
from console.report import charts
from console.report.joint_weights import build_joint_weights
from console.report.learned_score import build_reliability
from console.report.tables import Column, Section, Table, Tile, describe_count, format_interval, format_percent
from leadgate.figures import (
    OUTCOMES,
    Interval,
    Share,
    build_tens,
    compute_difference,
    compute_won_share,
    find_band,
    lift,
)
from leadgate.ledger.figure_rows import ConversionCount, FigureRows, RuleCount
from leadgate.playbook import Playbook
from leadgate.sla.ending import find_finishing_event
from leadgate.vocabulary import EndReason, QualifiedAs

_COUNTED: Final = (
    Column("qualified", "qualified"),
    Column("owned", "owned", wide=True),
    Column("touched", "touched"),
    Column("touched_share", "of owned", "share", wide=True),
    Column("won", "won"),
    Column("lost", "lost"),
    Column("undecided", "undecided"),
    Column("decided", "decided", wide=True),
    Column("won_share", "won of decided", "share"),
    Column("won_interval", "95 % interval", "interval"),
    Column("accepted", "accepted", wide=True),
    Column("rejected", "given back", wide=True),
    Column("due", "touch was due", wide=True),
    Column("missed", "touch missed"),
    Column("missed_share", "of due", "share"),
)


class _Counted(TypedDict):
    """What became of a group of leads: a value for each of ``_COUNTED``."""

    qualified: int
    owned: int
    touched: int
    touched_share: float | None
    won: int
    lost: int
    undecided: int
    decided: int
    won_share: float | None
    won_interval: Interval | None
    accepted: int
    rejected: int
    due: int
    missed: int
    missed_share: float | None


class _Rejection(TypedDict):
    reason: str
    leads: int
    share: float | None
    marketing_qualified: int
    sales_qualified: int


class _Rule(TypedDict):
    """What became of leads to which a rule gave points, beside the others."""

    rule: str
    points: float
    qualified: int
    decided_with: int
    won_with: int
    share_with: float | None
    interval_with: Interval | None
    decided_without: int
    won_without: int
    share_without: float | None
    interval_without: Interval | None
    lift: float | None
    difference_interval: Interval | None
    so: str | None


_VERDICTS: Final[dict[str | None, str]] = {
    QualifiedAs.MARKETING: "marketing-qualified",
    QualifiedAs.SALES: "sales-qualified",
}
#: What wins a lead, by what ends a journey.
_WINS: Final = {
    "first_touch": "their owner accepted them; a first touch ends the work on a lead, and accepts nothing",
    "acceptance": "their owner accepted them",
    "outcome": "their owner accepted them, or an outcome that the playbook names came",
}
_SO: Final[dict[str | None, str]] = {
    "more_often": "more often",
    "less_often": "less often",
    "not_shown": "not shown",
    None: "cannot be told",
}
_DOTS: Final = "The dot is the share won of those decided, the line its 95 % interval."
_MOST_RULES: Final = 24  # in the picture; the table has them all


def build_section(found: FigureRows, playbook: Playbook) -> Section:
    """From the rows of the section's queries."""
    cells, names = found["conversion"], DisplayNames(playbook)
    among = build_tens(cell["score"] for cell in cells)
    everybody = _sum_cells(cells)
    share = _won(everybody)
    scores = [band.name for band in among]
    draw = partial(_group_by, overall=share.value, drawn=True)
    by_score = draw(
        "by_score", "By score", "score", cells, lambda cell: find_band(cell["score"], among).name, scores.index
    )
    graded = [cell for cell in cells if cell["grade"] is not None]
    by_grade = draw("by_grade", "By grade", "grade", graded, lambda cell: str(cell["grade"]), str)
    by_source = draw(
        "by_source", "By source", "source", cells, lambda cell: cell["source"], format_name=names.name_source
    )
    return Section(
        key="conversion",
        title="Outcomes of qualified leads",
        about=f"Leads of the period that were called qualified. Won: {_WINS[find_finishing_event(playbook)]}. "
        "Lost: they went to"
        " nurture, or were disqualified or discarded. The others are undecided, and in no share. A share of few leads"
        " is uncertain; its interval says how much.",
        tables=[
            _group_by("by_verdict", "By verdict", "verdict", cells, lambda cell: cell["qualified_as"], total=True),
            by_score,
            *([by_grade] if graded else []),
            by_source,
            _build_rejections(cells),
            _build_rules(found["rules"], share),
            build_joint_weights(found, share),
            *build_reliability(found["reliability"]),
        ],
        tiles=[*_build_tiles(everybody), *_build_early_tiles(found)],
    )


def _won(counts: _Counted) -> Share:
    return compute_won_share({"won": counts["won"], "lost": counts["lost"]})


def _build_tiles(everybody: _Counted) -> list[Tile]:
    share, undecided = _won(everybody), everybody["undecided"]
    open_yet = f"{describe_count(undecided, 'lead', 'leads')} undecided" if undecided else "none is undecided"
    qualified = f"of {describe_count(everybody['qualified'], 'qualified lead', 'qualified leads')}"
    return [
        Tile(
            "won",
            "Won, of those decided",
            share.value,
            "share",
            f"{share.count:,} won and {everybody['lost']:,} lost; {open_yet}. 95 % interval "
            f"{format_interval(share.interval)}"
            if share.of
            else open_yet,
            "none is decided",
        ),
        Tile(
            "given_back",
            "Given back by an owner",
            everybody["rejected"],
            "count",
            qualified,
        ),
    ]


def _build_early_tiles(found: FigureRows) -> list[Tile]:
    """Only where there are any: outcomes of activities that count nowhere."""
    early = sum(row["n"] for row in found["early"])
    detail = "of any time; they end nothing and are in no figure: `leadgate outcomes --from-activities` records them"
    return [Tile("early_outcomes", "Outcomes older than the owner", early, "count", detail, when="")] if early else []


def _sum_cells(cells: Iterable[ConversionCount]) -> _Counted:
    """The columns of ``_COUNTED`` over ``cells``."""
    sums: Counter[str] = Counter()
    for cell in cells:
        n = cell["n"]
        sums["qualified"] += n
        sums["owned"] += n if cell["owned"] else 0
        sums["touched"] += n if cell["touched"] else 0
        sums["accepted"] += n if cell["accepted"] and cell["outcome"] != "lost" else 0
        sums["rejected"] += n if cell["rejected"] else 0
        sums["due"] += n if cell["due"] else 0
        sums["missed"] += n if cell["missed"] else 0
        sums[cell["outcome"]] += n
    share = compute_won_share({name: sums[name] for name in OUTCOMES})
    return {
        "qualified": sums["qualified"],
        "owned": sums["owned"],
        "touched": sums["touched"],
        "touched_share": Share(sums["touched"], sums["owned"]).value,
        "won": sums["won"],
        "lost": sums["lost"],
        "undecided": sums["undecided"],
        "decided": share.of,
        "won_share": share.value,
        "won_interval": share.interval,
        "accepted": sums["accepted"],
        "rejected": sums["rejected"],
        "due": sums["due"],
        "missed": sums["missed"],
        "missed_share": Share(sums["missed"], sums["due"]).value,
    }


def _group_by(
    key: str,
    title: str,
    name: str,
    cells: Sequence[ConversionCount],
    of: Callable[[ConversionCount], str],
    order: Callable[[str], int | str] | None = None,
    *,
    total: bool = False,
    format_name: Callable[[str], str] | None = None,
    overall: float | None = None,
    drawn: bool = False,
) -> Table:
    """What became of each group: most qualified first, unless ``order`` says otherwise.

    ``drawn``: with its shares won as dots on their intervals, and a line at the share of all (``overall``).
    """
    groups: dict[str, list[ConversionCount]] = defaultdict(list)
    for cell in cells:
        groups[of(cell)].append(cell)
    rows = [(group, _sum_cells(own)) for group, own in groups.items()]
    rows.sort(key=lambda row: (order(row[0]) if order else -row[1]["qualified"], row[0]))
    if total and rows:
        rows.append(("all", _sum_cells(cells)))
    first = Column(name, name, "text", labels=_VERDICTS, format_name=format_name)
    table = Table(key, title, [first, *_COUNTED], [{name: group, **counts} for group, counts in rows])
    if not drawn:
        return table
    return replace(table, chart=_intervals(title, first, rows, overall), caption=_DOTS)


def _intervals(title: str, first: Column, rows: Sequence[tuple[str, _Counted]], overall: float | None) -> Markup:
    drawn = [
        charts.Range(
            first.format_cell(group),
            interval.low,
            share,
            interval.high,
            f"{format_percent(share)} of {row['decided']:,}",
        )
        for group, row in rows
        if (interval := row["won_interval"]) is not None and (share := row["won_share"]) is not None
    ]
    return charts.draw_intervals(
        f"{title}: share won of those decided, with its interval",
        drawn,
        reference=overall,
        words=f"all: {format_percent(overall)}",
    )


def _build_rejections(cells: Iterable[ConversionCount]) -> Table:
    reasons: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        if cell["rejected"]:
            reasons[cell["rejected"].removeprefix(EndReason.REJECTED.add(""))][cell["qualified_as"]] += cell["n"]
    total = sum(sum(each.values()) for each in reasons.values())
    rows: list[_Rejection] = [
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
            Column("reason", "reason", "text", format_name=write_as_words),
            Column("leads", "leads"),
            Column("share", "of all", "share"),
            Column("marketing_qualified", "marketing-qualified"),
            Column("sales_qualified", "sales-qualified"),
        ],
        rows=rows,
        chart=charts.draw_bars(
            "Why owners gave leads back",
            [
                charts.Bar(
                    write_as_words(row["reason"]),
                    [charts.Part("c2", row["leads"], describe_count(row["leads"], "lead", "leads"))],
                    f"{row['leads']:,}",
                )
                for row in rows
            ],
        ),
    )


def _build_rules(found: Iterable[RuleCount], everybody: Share) -> Table:
    rows: list[_Rule] = []
    for cell in found:
        with_it = Share(cell["won"], cell["decided"])
        without = Share(everybody.count - with_it.count, everybody.of - with_it.of)
        apart = compute_difference(with_it, without)
        rows.append(
            {
                "rule": cell["rule"],
                "points": float(cell["points"]),
                "qualified": cell["qualified"],
                "decided_with": with_it.of,
                "won_with": with_it.count,
                "share_with": with_it.value,
                "interval_with": with_it.interval,
                "decided_without": without.of,
                "won_without": without.count,
                "share_without": without.value,
                "interval_without": without.interval,
                "lift": lift(with_it, without),
                "difference_interval": apart,
                "so": _judge_difference(apart),
            }
        )
    rows.sort(key=lambda row: (row["lift"] is None, -(row["lift"] or 0), row["rule"]))
    return Table(
        key="rules",
        title="By scoring rule",
        columns=[
            Column("rule", "rule", "text", format_name=write_as_words),
            Column("points", "points", "signed"),
            Column("qualified", "qualified", wide=True),
            Column("decided_with", "decided with"),
            Column("won_with", "won with", wide=True),
            Column("share_with", "share", "share"),
            Column("interval_with", "95 % interval", "interval", wide=True),
            Column("decided_without", "without"),
            Column("won_without", "won without", wide=True),
            Column("share_without", "share", "share"),
            Column("interval_without", "95 % interval", "interval", wide=True),
            Column("lift", "lift", "number"),
            Column("difference_interval", "difference", "interval"),
            Column("so", "won", "text", labels=_SO),
        ],
        rows=rows,
        note="Share won of those decided, where the rule gave points, and where not. Lift is one by the other; the"
        " difference is shown by its 95 % interval. A rule is credited with what goes with it; the table after this one"
        " parts them. Of twenty rules without any effect, one looks as if it had one.",
        chart=_draw_forest(rows),
        caption="The dot is how many in a hundred more are won where the rule gave points, the line its 95 %"
        " interval; beside it that number, and how many with those points were decided.",
    )


def _judge_difference(apart: Interval | None) -> str | None:
    """Whether leads with a rule's points are won more often; None when nothing can be compared."""
    if apart is None:
        return None
    if apart.low > 0:
        return "more_often"
    return "less_often" if apart.high < 0 else "not_shown"


def _draw_forest(rows: Sequence[_Rule]) -> Markup:
    drawn = []
    for row in rows:
        apart = row["difference_interval"]
        if apart is not None:
            middle = (row["share_with"] or 0.0) - (row["share_without"] or 0.0)
            figure = f"{middle * 100:+.0f}, of {row['decided_with']:,}"
            drawn.append(charts.Range(write_as_words(row["rule"]), apart.low, middle, apart.high, figure))
    drawn = sorted(drawn, key=lambda each: -each.at)[:_MOST_RULES]
    title = "How much more often leads are won where a rule gave points"
    return charts.draw_intervals(title, drawn, reference=0.0, words="no difference")
