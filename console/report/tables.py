"""What a report is made of: sections of tables, whose cells are plain values until somebody writes them out.

Belongs here: the shape that text, JSON, CSV and HTML share, and a cell in words. Does not belong here: what any
table is about (a file for each section).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from console.safe import visible
from console.screen import moment, span
from leadgate.figures import Interval

#: ``number`` and ``signed`` have a decimal, ``share`` is 0 to 1, ``interval`` two of these, ``span`` seconds.
Kind = Literal["text", "count", "number", "signed", "share", "interval", "span", "moment"]
SECTIONS: Final = ("funnel", "conversion", "speed", "load", "paths")
NONE: Final = "·"
#: What some statuses are called where a person reads them.
STATUS_WORDS: Final = {"ready": "waiting", "owned": "with owner"}
NO_POOL: Final = {None: "no pool"}


@dataclass(frozen=True)
class Column:
    """``key`` is its name in JSON and CSV, which stays; ``label`` its heading. ``wide``: text leaves it out.

    ``says`` has words for values that are names, where a person reads them.
    """

    key: str
    label: str
    kind: Kind = "count"
    wide: bool = False
    says: Mapping[Any, str] = field(default_factory=dict)

    def words(self, value: Any) -> str:
        """A cell of this column as a person reads it."""
        return self.says[value] if self.kind == "text" and value in self.says else words(value, self.kind)


@dataclass(frozen=True)
class Table:
    """``rows`` map the columns' keys to values. ``chart`` is an SVG of the same, or empty.

    ``caption`` says how to read the chart. ``layout`` is where a page puts it: on half of its width, on the whole,
    or on the whole with the table beside the chart.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[dict[str, Any]]
    note: str = ""
    chart: str = ""
    caption: str = ""
    layout: Literal["half", "whole", "beside"] = "half"


@dataclass(frozen=True)
class Tile:
    """A figure to look at first."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    about: str  # what is counted, in a sentence
    tables: Sequence[Table]
    tiles: Sequence[Tile] = field(default=())


def words(value: Any, kind: Kind) -> str:
    """A cell as a person reads it."""
    if value is None:
        return NONE
    match kind:
        case "count":
            return f"{value:,}" if value else NONE
        case "number":
            return f"{value:,.1f}"
        case "signed":
            return "0.0" if abs(value) < 0.05 else f"{value:+,.1f}"
        case "share":
            return percent(value)
        case "interval":
            return between(value)
        case "span":
            return span(value)
        case "moment":
            return moment(value)
        case _:
            return visible(value)


def percent(share: float | None) -> str:
    """``62 %``; never 0 % or 100 % for what is only nearly so."""
    if share is None:
        return NONE
    if 0 < abs(share) < 0.01 or 0.99 < share < 1:
        return f"{share * 100:.1f} %"
    return f"{share * 100:.0f} %"


def between(interval: Interval | None) -> str:
    """``58 to 66 %``, with a decimal where it is narrow."""
    if interval is None:
        return NONE
    digits = 0 if round(interval.low * 100) < round(interval.high * 100) else 1
    return f"{interval.low * 100:.{digits}f} to {interval.high * 100:.{digits}f} %"


def plain(value: Any) -> Any:
    """A cell as JSON has it: moments in ISO 8601, intervals as ``[low, high]``."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
