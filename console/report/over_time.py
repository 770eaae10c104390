"""The period day by day, week by week or month by month: what came in, and how fast it was followed up.

Belongs here: the table and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``), or the
change against the period before (``trend``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final, TypedDict
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.report import charts
from console.report.tables import Column, Section, Table, describe_count, format_percent
from console.screen import format_span
from leadgate.figures import compute_kept_share
from leadgate.ledger.figure_rows import BucketCount, FigureRows
from leadgate.ledger.figures import Bucket, ReportRequest


class _Row(TypedDict):
    begins: str
    signals: int
    owned: int
    due: int
    kept_share: float | None
    missed: int
    to_touch: float | None


_HEADINGS: Final[dict[Bucket, str]] = {"day": "day", "week": "week from", "month": "month"}
_COLUMNS: Final = (
    Column("signals", "signals"),
    Column("owned", "got an owner"),
    Column("due", "touch due"),
    Column("kept_share", "in time", "share"),
    Column("missed", "missed"),
    Column("to_touch", "to touch: median", "span"),
)


def build_section(found: FigureRows, asked: ReportRequest) -> Section:
    """From the rows ``trend``. Days, weeks and months in which nothing came are there, too."""
    counted = {row["begins"]: row for row in found["trend"]}
    rows = [_build_row(begins, counted.get(begins), asked.bucket) for begins in _list_buckets(asked)] if counted else []
    return Section(
        key="trend",
        title="Over time",
        about=f"Signals by the {asked.bucket} in which they came ({asked.zone}), and what became of them since. Those"
        " that came last have had less time: a first touch that is not due yet is left out of the share in time.",
        tables=[
            Table(
                key="trend",
                title=f"By {asked.bucket}",
                columns=[Column("begins", _HEADINGS[asked.bucket], "text"), *_COLUMNS],
                rows=rows,
                chart=charts.put_beside(list(_draw_charts(rows, asked.bucket))),
                layout="whole",
            )
        ],
    )


def _draw_charts(rows: Sequence[_Row], bucket: Bucket) -> Iterator[Markup]:
    labels = [_shorten(row["begins"]) for row in rows]
    signals = [(float(row["signals"]), describe_count(row["signals"], "signal", "signals")) for row in rows]
    in_time = [(row["kept_share"], f"{format_percent(row['kept_share'])} of {row['due']:,}") for row in rows]
    to_touch = [(row["to_touch"], format_span(row["to_touch"])) for row in rows]
    for heading, title, values, axis in (
        ("Signals", f"Signals by {bucket}", signals, "{:,.0f}".format),
        ("First touch in time", f"Share of first touches in time by {bucket}", in_time, format_percent),
        ("Owner to first touch, median", f"Median time from owner to first touch by {bucket}", to_touch, format_span),
    ):
        columns = [(label, value, words) for label, (value, words) in zip(labels, values, strict=True)]
        yield charts.add_heading(heading, charts.draw_columns(title, columns, axis))


def _build_row(begins: date, counted: BucketCount | None, bucket: Bucket) -> _Row:
    words = f"{begins:%Y-%m}" if bucket == "month" else begins.isoformat()
    if counted is None:
        return {
            "begins": words, "signals": 0, "owned": 0, "due": 0, "kept_share": None, "missed": 0, "to_touch": None,
        }  # fmt: skip
    share = compute_kept_share({"kept": counted["kept"], "missed": counted["missed"]})
    return {
        "begins": words,
        "signals": counted["signals"],
        "owned": counted["owned"],
        "due": share.of,
        "kept_share": share.value,
        "missed": counted["missed"],
        "to_touch": counted["to_touch"],
    }


def _list_buckets(asked: ReportRequest) -> Iterator[date]:
    """Each from the first of the period to the last that has begun; a week begins on Monday, as in PostgreSQL."""
    zone = ZoneInfo(asked.zone)
    begins = asked.since.astimezone(zone).date()
    last = (min(asked.until, asked.now) - timedelta(microseconds=1)).astimezone(zone).date()
    if asked.bucket == "week":
        begins -= timedelta(days=begins.weekday())
    elif asked.bucket == "month":
        begins = begins.replace(day=1)
    while begins <= last:
        yield begins
        match asked.bucket:
            case "day":
                begins += timedelta(days=1)
            case "week":
                begins += timedelta(days=7)
            case "month":
                begins = (begins + timedelta(days=31)).replace(day=1)


def _shorten(begins: str) -> str:
    """What there is room for under a column: ``03-02`` of a day, ``2026-03`` of a month.

    >>> _shorten("2026-03-02"), _shorten("2026-03")
    ('03-02', '2026-03')
    """
    return begins[5:] if len(begins) > 7 else begins
