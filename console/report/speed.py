"""Speed to lead, two figures and never one: from capture to the owner, and from the owner to the first touch.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.report import charts
from console.report.tables import NO_POOL, Column, Section, Table, Tile, between, percent
from console.screen import span
from leadgate.figures import Share

Cell = Mapping[str, Any]

#: By what a row is, as ``GROUPING(owner, pool, hour)`` tells it.
_GROUPED: Final = {"all": 0b111, "owner": 0b011, "pool": 0b101, "hour": 0b110}

_COLUMNS: Final = (
    Column("leads", "leads"),
    Column("owner_p50", "to owner: p50", "span"),
    Column("owner_p95", "p95", "span"),
    Column("assigned", "assigned", wide=True),
    Column("touched", "touched"),
    Column("touch_p50", "to touch: p50", "span"),
    Column("touch_p95", "p95", "span"),
    Column("due", "due", wide=True),
    Column("kept", "in time", wide=True),
    Column("kept_share", "in SLA", "share"),
    Column("kept_interval", "95 % interval", "interval", wide=True),
    Column("missed", "missed"),
)


def section(found: Mapping[str, Sequence[Cell]], zone: str) -> Section:
    """From the rows ``to_owner`` and ``to_touch``; hours of day are those of ``zone``."""
    (overall,) = _rows(found, "all")
    by_rep, by_pool, by_hour = (_rows(found, name) for name in ("owner", "pool", "hour"))
    by_rep.sort(key=lambda row: (-row["assigned"], str(row["owner"])))
    kept = Share(overall["kept"], overall["due"])
    rep, pool = Column("owner", "rep", "text"), Column("pool", "pool", "text", says=NO_POOL)
    return Section(
        key="speed",
        title="Speed to lead",
        about="Leads captured in the period, by real time, nights and weekends included. The SLA counts on its own"
        " clock: in SLA is the share touched in time, of those touched, and those whose time ran out.",
        tables=[
            _table("overall", "All leads", None, [overall]),
            _table("by_rep", "By rep", rep, by_rep, _ranges(rep, by_rep)),
            _table("by_pool", "By pool", pool, by_pool, _ranges(pool, by_pool)),
            _table(
                "by_hour",
                f"By hour of capture ({zone})",
                Column("hour", "hour", "text"),
                by_hour,
                _hours(by_hour, zone),
            ),
        ],
        tiles=[
            Tile("capture to owner", _span(overall["owner_p50"]), f"median; 95 % within {_span(overall['owner_p95'])}"),
            Tile(
                "owner to first touch",
                _span(overall["touch_p50"]),
                f"median; 95 % within {_span(overall['touch_p95'])}",
            ),
            Tile("touched within SLA", percent(kept.value), f"95 % interval {between(kept.interval)}"),
        ],
    )


def _rows(found: Mapping[str, Sequence[Cell]], by: str) -> list[dict[str, Any]]:
    """A row for each rep, pool or hour that either figure has; of everything when ``by`` is ``all``."""
    to_owner, to_touch = (
        {cell.get(by): cell for cell in found[name] if cell["grouped"] == _GROUPED[by]}
        for name in ("to_owner", "to_touch")
    )
    names = sorted(to_owner.keys() | to_touch.keys(), key=lambda name: (name is None, name))
    return [
        ({} if by == "all" else {by: name}) | _row(to_owner.get(name, {}), to_touch.get(name, {})) for name in names
    ]


def _row(owner: Cell, touch: Cell) -> dict[str, Any]:
    kept = Share(touch.get("kept", 0), touch.get("kept", 0) + touch.get("missed", 0))
    return {
        "leads": owner.get("n", 0),
        "owner_p50": owner.get("p50"),
        "owner_p95": owner.get("p95"),
        "assigned": touch.get("assigned", 0),
        "touched": touch.get("n", 0),
        "touch_p50": touch.get("p50"),
        "touch_p95": touch.get("p95"),
        "due": kept.of,
        "kept": kept.count,
        "kept_share": kept.value,
        "kept_interval": kept.interval,
        "missed": touch.get("missed", 0),
    }


def _table(key: str, title: str, first: Column | None, rows: Sequence[dict[str, Any]], chart: str = "") -> Table:
    by_hour = key == "by_hour"
    return Table(
        key,
        title,
        ([] if first is None else [first]) + list(_COLUMNS),
        rows,
        chart=f'<div class="pair">{chart}</div>' if chart and by_hour else chart,
        caption=""
        if by_hour
        else "Owner to first touch: the dot is the median, the line reaches to where 95 % are."
        " Beside it the median, and the share within the SLA.",
        layout="whole" if by_hour else "half",
    )


def _span(seconds: float | None) -> str:
    return "none yet" if seconds is None else span(seconds)


def _ranges(first: Column, rows: Sequence[Mapping[str, Any]]) -> str:
    drawn = [
        charts.Range(
            first.words(row[first.key]), row["touch_p50"], row["touch_p50"], row["touch_p95"],
            f"{span(row['touch_p50'])} · {percent(row['kept_share'])}",
        )
        for row in sorted(rows, key=lambda row: row["touch_p50"] or 0)
        if row["touched"]
    ]  # fmt: skip
    return charts.spans(f"Owner to first touch by {first.label}: the median, and up to where 95 % are", drawn)


def _hours(rows: Sequence[Mapping[str, Any]], zone: str) -> str:
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
                else f"median {span(value)}, 95 % within {span(row[f'{figure}_p95'])}"
            )
            values.append((f"{hour:02}", value, told))
        chart = charts.columns(f"{words}, median by hour of capture ({zone})", values, span)
        drawn.append(charts.under(f"{words}, median", chart))
    return "".join(drawn)
