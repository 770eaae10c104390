"""Speed to lead, two figures and never one: from capture to the owner, and from the owner to the first touch.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from console.report import charts
from console.report.names import Names
from console.report.tables import NO_POOL, Column, Section, Table, Tile, describe_count, format_interval, format_percent
from console.screen import format_span
from leadgate.figures import FIRST_TOUCHES, compute_kept_share
from leadgate.playbook import Playbook

Cell = Mapping[str, Any]

_NONE: Final = Markup()  # no chart
#: By what a row is, as ``GROUPING(owner, pool, hour)`` tells it.
_GROUPED: Final = {"all": 0b111, "owner": 0b011, "pool": 0b101, "hour": 0b110}

_COLUMNS: Final = (
    Column("leads", "leads"),
    Column("owner_p50", "to owner: median", "span"),
    Column("owner_p95", "95 % within", "span"),
    Column("assigned", "assigned", wide=True),
    Column("touched", "touched"),
    Column("touch_p50", "to touch: median", "span"),
    Column("touch_p95", "95 % within", "span"),
    Column("due", "touch due"),
    Column("kept_share", "in time", "share"),
    Column("missed", "missed"),
    Column("kept", "in time", wide=True),
    Column("kept_interval", "95 % interval", "interval", wide=True),
    Column("early", "touched, due later", wide=True),
    Column("not_due", "not due yet", wide=True),
    Column("released", "taken back before due", wide=True),
    Column("no_sla", "without SLA", wide=True),
)


def build_section(found: Mapping[str, Sequence[Cell]], playbook: Playbook, zone: str) -> Section:
    """From the rows ``to_owner`` and ``to_touch``; hours of day are those of ``zone``."""
    (overall,) = _build_rows(found, "all")
    by_rep, by_pool, by_hour = (_build_rows(found, name) for name in ("owner", "pool", "hour"))
    by_rep.sort(key=lambda row: (-row["assigned"], str(row["owner"])))
    names = Names(playbook)
    rep = Column("owner", "rep", "text", named=names.rep)
    pool = Column("pool", "pool", "text", says=NO_POOL, named=names.pool)
    return Section(
        key="speed",
        title="Speed to lead",
        about="Two figures: from capture to the owner, and from the owner to the first touch. Leads captured in the"
        " period, in real time, nights and weekends included. Whether a touch was in time is told by the clock of its"
        " SLA, of those whose time is up: what was not done by then is missed, what is not due yet is left out.",
        tables=[
            _build_table("overall", "All leads", None, [overall]),
            _build_table("by_rep", "By rep", rep, by_rep, _draw_ranges(rep, by_rep)),
            _build_table("by_pool", "By pool", pool, by_pool, _draw_ranges(pool, by_pool)),
            _build_table(
                "by_hour",
                f"By hour of capture ({zone})",
                Column("hour", "hour", "text"),
                by_hour,
                _draw_hours(by_hour, zone),
            ),
        ],
        tiles=_build_tiles(overall),
    )


def _build_tiles(overall: Mapping[str, Any]) -> list[Tile]:
    leads, assigned, touched = overall["leads"], overall["assigned"], overall["touched"]
    share = compute_kept_share(overall)
    later = overall["early"] + overall["not_due"]
    wait = f"{describe_count(later, 'lead is', 'leads are')} not due yet" if later else ""
    wait += f", {overall['early']:,} of them touched already" if overall["early"] else ""
    due = f"{share.count:,} of {share.of:,} that were due, {overall['missed']:,} missed" if share.of else ""
    interval = f"95 % interval {format_interval(share.interval)}" if share.of else ""
    return [
        Tile(
            "to_owner",
            "Capture to owner",
            overall["owner_p50"],
            "span",
            f"median of {describe_count(leads, 'lead', 'leads')} that got an owner; 95 % within "
            f"{format_span(overall['owner_p95'])}"
            if leads
            else "",
            "no lead has an owner yet",
        ),
        Tile(
            "to_touch",
            "Owner to first touch",
            overall["touch_p50"],
            "span",
            f"median of the {touched:,} touched, of {assigned:,} assigned; 95 % within "
            f"{format_span(overall['touch_p95'])}"
            if touched
            else f"{describe_count(assigned, 'lead', 'leads')} assigned",
            "none is touched yet",
        ),
        Tile(
            "in_time",
            "First touch in time",
            share.value,
            "share",
            "; ".join(filter(None, (due, wait, interval))),
            "none was due yet" if assigned else "no lead has an owner yet",
        ),
    ]


def _build_rows(found: Mapping[str, Sequence[Cell]], by: str) -> list[dict[str, Any]]:
    """A row for each rep, pool or hour that either figure has; of everything when ``by`` is ``all``."""
    to_owner, to_touch = (
        {cell.get(by): cell for cell in found[name] if cell["grouped"] == _GROUPED[by]}
        for name in ("to_owner", "to_touch")
    )
    names = sorted(to_owner.keys() | to_touch.keys(), key=lambda name: (name is None, name))
    return [
        ({} if by == "all" else {by: name}) | _build_row(to_owner.get(name, {}), to_touch.get(name, {}))
        for name in names
    ]


def _build_row(owner: Cell, touch: Cell) -> dict[str, Any]:
    promises = {name: touch.get(name, 0) for name in FIRST_TOUCHES}
    share = compute_kept_share(promises)
    return {
        "leads": owner.get("n", 0),
        "owner_p50": owner.get("p50"),
        "owner_p95": owner.get("p95"),
        "assigned": touch.get("assigned", 0),
        "touched": touch.get("n", 0),
        "touch_p50": touch.get("p50"),
        "touch_p95": touch.get("p95"),
        "due": share.of,
        "kept_share": share.value,
        "kept_interval": share.interval,
    } | promises


def _build_table(
    key: str, title: str, first: Column | None, rows: Sequence[dict[str, Any]], chart: Markup = _NONE
) -> Table:
    by_hour = key == "by_hour"
    return Table(
        key,
        title,
        ([] if first is None else [first]) + list(_COLUMNS),
        rows,
        chart=chart,
        caption=""
        if by_hour
        else "Owner to first touch: the dot is the median, the line reaches to where 95 % are."
        " Beside it the median, and how many of those due were touched in time.",
        layout="whole" if by_hour else "half",
    )


def _draw_ranges(first: Column, rows: Sequence[Mapping[str, Any]]) -> Markup:
    drawn = [
        charts.Range(
            first.words(row[first.key]), row["touch_p50"], row["touch_p50"], row["touch_p95"],
            format_span(row["touch_p50"])
            + (f" · {format_percent(row['kept_share'])} of {row['due']:,}" if row["due"] else ""),
        )
        for row in sorted(rows, key=lambda row: row["touch_p50"] or 0)
        if row["touched"]
    ]  # fmt: skip
    return charts.draw_spans(f"Owner to first touch by {first.label}: the median, and up to where 95 % are", drawn)


def _draw_hours(rows: Sequence[Mapping[str, Any]], zone: str) -> Markup:
    by_hour = {row["hour"]: row for row in rows}
    drawn = []
    for figure, words in (("owner", "Capture to owner"), ("touch", "Owner to first touch")):
        values = []
        for hour in range(24):
            row = by_hour.get(hour)
            value = None if row is None else row[f"{figure}_p50"]
            told = (
                "none"
                if row is None or value is None
                else f"median {format_span(value)}, 95 % within {format_span(row[f'{figure}_p95'])}"
            )
            values.append((f"{hour:02}", value, told))
        chart = charts.draw_columns(f"{words}, median by hour of capture ({zone})", values, format_span)
        drawn.append(charts.add_heading(f"{words}, median", chart))
    return charts.beside(drawn)
