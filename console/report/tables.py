"""What a report is made of: sections of tables, whose cells are plain values until somebody writes them out.

Belongs here: the shape that text, JSON, CSV and HTML share, and a cell in words. Does not belong here: what any
table is about (a file for each section).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.redaction import sanitise
from console.screen import format_span
from leadgate.figures import Interval
from leadgate.vocabulary import JourneyStatus

#: ``number`` and ``signed`` have a decimal, ``share`` is 0 to 1, ``interval`` two of these, ``span`` seconds.
Kind = Literal["text", "count", "number", "signed", "share", "interval", "span", "moment"]
SECTIONS: Final = ("funnel", "conversion", "speed", "load", "paths")
NONE: Final = "·"
#: What some statuses are called where a person reads them.
STATUS_WORDS: Final[dict[str | None, str]] = {JourneyStatus.READY: "waiting", JourneyStatus.OWNED: "with owner"}
NO_POOL: Final[dict[str | None, str]] = {None: "no pool"}


@dataclass(frozen=True)
class Column:
    """``key`` is its name in JSON and CSV, which stays; ``label`` its heading. ``wide``: text leaves it out. ``wraps``:
    a page breaks its texts into lines.

    For cells that people read: ``labels`` replace some values of a text, ``format_name`` writes the other texts, and
    moments are shown in ``zone``.
    """

    key: str
    label: str
    kind: Kind = "count"
    wide: bool = False
    wraps: bool = False
    labels: Mapping[str | None, str] = field(default_factory=dict)
    format_name: Callable[[str], str] | None = None
    zone: str = "UTC"

    def format_cell(self, value: object) -> str:
        """The text of a cell of this column, for people."""
        if self.kind == "moment" and isinstance(value, datetime):
            return f"{value.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M}"
        if self.kind == "text" and (value is None or isinstance(value, str)) and value in self.labels:
            return self.labels[value]
        if self.format_name is not None and isinstance(value, str):
            return sanitise(self.format_name(value))
        return describe_value(value, self.kind)


@dataclass(frozen=True)
class Table:
    """``rows`` map the columns' keys to values. ``chart`` is an SVG of the same, or empty.

    ``caption`` says how to read the chart. ``layout`` is where a page puts it: on half of its width, on the whole,
    or on the whole with the table beside the chart.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, object]]
    note: str = ""
    chart: Markup = field(default_factory=Markup)
    caption: str = ""
    layout: Literal["half", "whole", "beside"] = "half"


@dataclass(frozen=True)
class Tile:
    """A figure to look at first: ``value`` in words, or why there is none; ``detail`` says what it is of.

    ``number`` is the figure itself, of ``kind``, and ``before`` that of the period before, in words. ``when`` says when
    that was; empty where only today's figure is known.
    """

    key: str
    label: str
    number: float | None
    kind: Kind
    detail: str
    nothing: str = "none yet"  # said where there is no number
    when: str = "in the period before"
    before: str = ""

    @property
    def value(self) -> str:
        if self.number is None:
            return self.nothing
        return f"{self.number:,.0f}" if self.kind == "count" else describe_value(self.number, self.kind)


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    about: str  # what is counted, in a sentence
    tables: Sequence[Table]
    tiles: Sequence[Tile] = field(default=())
    tiles_within: bool = False  # on a page of all sections its tiles stand with it: others have the same labels


def describe_value(value: object, kind: Kind) -> str:
    """A cell as a person reads it."""
    if value is None:
        return NONE
    match kind, value:
        case "count", (int() | float()) as count:
            return f"{count:,}" if count else NONE
        case "number", (int() | float()) as number:
            return format_decimal(number)
        case "signed", (int() | float()) as number:
            return format_decimal(number, sign=True)
        case "share", (int() | float()) as share:
            return format_percent(share)
        case "interval", Interval() as interval:
            return format_interval(interval)
        case "span", (int() | float()) as seconds:
            return format_span(seconds)
        case _:
            return sanitise(value)


def format_decimal(value: float, *, sign: bool = False) -> str:
    """``1.2``, with a second decimal below 1; never 0 for what is only nearly so."""
    if abs(value) < 1e-9:  # a sum of fractions that cancel out
        return "0"
    plus = "+" if sign and value > 0 else "-" if value < 0 else ""
    size = abs(value)
    if size < 0.01:
        return f"{plus}0.01" if size >= 0.005 else "below 0.01"
    return f"{plus}{size:,.2f}" if size < 1 else f"{plus}{size:,.1f}"


def format_percent(share: float | None) -> str:
    """``62 %``; never 0 % or 100 % for what is only nearly so."""
    if share is None:
        return NONE
    if 0 < share < 0.0005:
        return "below 0.1 %"
    if 0.9995 <= share < 1:
        return "above 99.9 %"
    if 0 < share < 0.01 or 0.99 < share < 1:
        return f"{share * 100:.1f} %"
    return f"{share * 100:.0f} %"


def describe_count(count: int, one: str, many: str) -> str:
    """``1 journey``, ``2 journeys``, ``no journeys``."""
    return f"no {many}" if not count else f"{count:,} {one if count == 1 else many}"


def format_interval(interval: Interval | None) -> str:
    """``58 to 66 %``, with a decimal where it is narrow."""
    if interval is None:
        return NONE
    digits = 0 if round(interval.low * 100) < round(interval.high * 100) else 1
    return f"{interval.low * 100:.{digits}f} to {interval.high * 100:.{digits}f} %"


def convert_cell(value: object) -> object:
    """A cell as JSON has it: moments in ISO 8601, intervals as ``[low, high]``."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
