"""Speed to lead in two separate figures: from capture to the owner, and from the owner to the first touch.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from typing import Final, Literal, TypedDict

from markupsafe import Markup

from console.display_names import DisplayNames
from console.report import charts
from console.report.tables import NO_POOL, Column, Section, Table, Tile, describe_count, format_interval, format_percent
from console.screen import format_span
from leadgate.figures import Interval, compute_kept_share
from leadgate.ledger.figure_rows import FigureRows, ToOwner, ToTouch
from leadgate.playbook import Playbook


class _Times(TypedDict):
    """A row, its times in seconds: ``owner_…`` from capture to owner, ``touch_…`` from owner to first touch."""

    leads: int
    owner_p50: float | None
    owner_p95: float | None
    assigned: int
    touched: int
    touch_p50: float | None
    touch_p95: float | None
    due: int
    kept_share: float | None
    kept_interval: Interval | None
    kept: int
    early: int
    missed: int
    not_due: int
    released: int
    no_sla: int


#: The times of each rep, pool or hour, after its name. The name None: leads without a pool, or all leads.
_NamedTimes = list[tuple[str | int | None, _Times]]

_By = Literal["all", "owner", "pool", "hour"]
_NO_CHART: Final = Markup()
#: The value of SQL's ``GROUPING(owner, pool, hour)`` in rows that are grouped by each: a bit is 0 for a grouped column.
_GROUPING_BITS: Final[dict[_By, int]] = {"all": 0b111, "owner": 0b011, "pool": 0b101, "hour": 0b110}

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


def build_section(found: FigureRows, playbook: Playbook, zone: str) -> Section:
    """Build the section from the query rows ``to_owner`` and ``to_touch``; hours of the day are those of ``zone``."""
    ((_, overall),) = _build_rows(found, "all")
    by_rep, by_pool, by_hour = _build_rows(found, "owner"), _build_rows(found, "pool"), _build_rows(found, "hour")
    by_rep.sort(key=lambda row: (-row[1]["assigned"], str(row[0])))
    names = DisplayNames(playbook)
    rep = Column("owner", "rep", "text", format_name=names.name_rep)
    pool = Column("pool", "pool", "text", labels=NO_POOL, format_name=names.name_pool)
    return Section(
        key="speed",
        title="Speed to lead",
        about="Two figures: from capture to the owner, and from the owner to the first touch. Leads captured in the"
        " period, in real time, nights and weekends included. The share in time counts the first touches that have"
        " come due, by the clock of their SLA: a touch not made by then is missed; one not due yet is left out.",
        tables=[
            _build_table("overall", "All leads", None, [(None, overall)]),
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


def _build_tiles(overall: _Times) -> list[Tile]:
    leads, assigned, touched = overall["leads"], overall["assigned"], overall["touched"]
    share = compute_kept_share({"kept": overall["kept"], "missed": overall["missed"]})
    not_due = overall["early"] + overall["not_due"]
    waiting = f"{describe_count(not_due, 'lead is', 'leads are')} not due yet" if not_due else ""
    waiting += f", {overall['early']:,} of them touched already" if overall["early"] else ""
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
            "; ".join(filter(None, (due, waiting, interval))),
            "none was due yet" if assigned else "no lead has an owner yet",
        ),
    ]


def _build_rows(found: FigureRows, by: _By) -> _NamedTimes:
    """A row for each rep, pool or hour that either query has; a single row of all leads when ``by`` is ``all``."""
    owners = {_read_name(row, by): row for row in found["to_owner"] if row["grouped"] == _GROUPING_BITS[by]}
    touches = {_read_name(row, by): row for row in found["to_touch"] if row["grouped"] == _GROUPING_BITS[by]}
    names = sorted(owners.keys() | touches.keys(), key=lambda name: (name is None, name))
    return [(name, _build_row(owners.get(name), touches.get(name))) for name in names]


def _read_name(row: ToOwner | ToTouch, by: _By) -> str | int | None:
    return None if by == "all" else row[by]


def _build_row(owner: ToOwner | None, touch: ToTouch | None) -> _Times:
    share = compute_kept_share(
        {"kept": touch["kept"], "missed": touch["missed"]} if touch else {"kept": 0, "missed": 0}
    )
    return {
        "leads": owner["n"] if owner else 0,
        "owner_p50": owner["p50"] if owner else None,
        "owner_p95": owner["p95"] if owner else None,
        "assigned": touch["assigned"] if touch else 0,
        "touched": touch["n"] if touch else 0,
        "touch_p50": touch["p50"] if touch else None,
        "touch_p95": touch["p95"] if touch else None,
        "due": share.of,
        "kept_share": share.value,
        "kept_interval": share.interval,
        "kept": touch["kept"] if touch else 0,
        "early": touch["early"] if touch else 0,
        "missed": touch["missed"] if touch else 0,
        "not_due": touch["not_due"] if touch else 0,
        "released": touch["released"] if touch else 0,
        "no_sla": touch["no_sla"] if touch else 0,
    }


def _build_table(key: str, title: str, first: Column | None, rows: _NamedTimes, chart: Markup = _NO_CHART) -> Table:
    by_hour = key == "by_hour"
    return Table(
        key,
        title,
        ([] if first is None else [first]) + list(_COLUMNS),
        [({} if first is None else {first.key: name}) | times for name, times in rows],
        chart=chart,
        caption=""
        if by_hour
        else "Owner to first touch: the dot is the median, the line reaches to where 95 % are."
        " Beside it the median, and how many of those due were touched in time.",
        layout="whole" if by_hour else "half",
    )


def _draw_ranges(first: Column, rows: _NamedTimes) -> Markup:
    drawn = [
        charts.Range(
            first.format_cell(name), row["touch_p50"] or 0.0, row["touch_p50"] or 0.0, row["touch_p95"] or 0.0,
            format_span(row["touch_p50"])
            + (f" · {format_percent(row['kept_share'])} of {row['due']:,}" if row["due"] else ""),
        )
        for name, row in sorted(rows, key=lambda named_times: named_times[1]["touch_p50"] or 0)
        if row["touched"]
    ]  # fmt: skip
    return charts.draw_spans(f"Owner to first touch by {first.label}: the median, and up to where 95 % are", drawn)


def _draw_hours(rows: _NamedTimes, zone: str) -> Markup:
    to_owner = {hour: (row["owner_p50"], row["owner_p95"]) for hour, row in rows}
    to_touch = {hour: (row["touch_p50"], row["touch_p95"]) for hour, row in rows}
    drawn = []
    for times, words in ((to_owner, "Capture to owner"), (to_touch, "Owner to first touch")):
        values = []
        for hour in range(24):
            median, p95 = times.get(hour, (None, None))
            tooltip = "none" if median is None else f"median {format_span(median)}, 95 % within {format_span(p95)}"
            values.append((f"{hour:02}", median, tooltip))
        chart = charts.draw_columns(f"{words}, median by hour of capture ({zone})", values, format_span)
        drawn.append(charts.add_heading(f"{words}, median", chart))
    return charts.put_beside(drawn)
