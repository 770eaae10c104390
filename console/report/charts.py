"""Charts as SVG: bars, ranges, intervals and columns, drawn from numbers, with nothing fetched from anywhere.

Belongs here: shapes and axes. Does not belong here: what a chart is of (the sections), and its colours
(``style.css``: the palette of M. Okabe and K. Ito, which people with any colour vision can tell apart). Each chart
has a title for screen readers, stands above the table with its numbers, and never tells by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final, NamedTuple

from console.safe import visible


class Frame(NamedTuple):
    """Widths in pixels: bars are between ``left`` and ``right``, labels before them, figures behind."""

    width: int
    left: int
    right: int


HALF: Final = Frame(560, 152, 430)
WHOLE: Final = Frame(1130, 96, 1000)
_ROW: Final = 30
_BAR: Final = 16
_LABEL: Final = 22  # characters of a label

_TIMES: Final = (
    (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (14_400, "4 h"), (86_400, "1 d"),
    (604_800, "7 d"), (2_592_000, "30 d"),
)  # fmt: skip


class Part(NamedTuple):
    """A piece of a bar: ``colour`` is a class of the style sheet, ``words`` what it is."""

    colour: str
    value: float
    words: str


class Bar(NamedTuple):
    label: str
    parts: Sequence[Part]
    figure: str  # beside it


class Bullet(NamedTuple):
    """A value as a bar, and what it is compared with as a mark, when there is something."""

    label: str
    value: float
    mark: float | None
    figure: str


class Range(NamedTuple):
    """From ``low`` to ``high``, with a dot at ``at``."""

    label: str
    low: float
    at: float
    high: float
    figure: str


def bars(title: str, rows: Sequence[Bar], legend: Sequence[tuple[str, str]] = (), frame: Frame = HALF) -> str:
    """A bar a row, from parts laid end to end; the longest fills the width."""
    most = max((sum(part.value for part in row.parts) for row in rows), default=0)
    if most <= 0:
        return ""
    top = 26 if legend else 4
    drawn = [_legend(legend, frame)]
    for number, row in enumerate(rows):
        y, x = top + number * _ROW, float(frame.left)
        drawn.append(_text(frame.left - 10, y + 12, _short(row.label), "end"))
        for part in row.parts:
            width = part.value / most * (frame.right - frame.left)
            if width > 0:
                drawn.append(_rect(part.colour, x, y, width, _BAR, f"{row.label}: {part.words}"))
                x += width
        drawn.append(_text(x + 8, y + 12, row.figure, css="figure"))
    return _svg(title, top + len(rows) * _ROW, drawn, frame)


def bullets(title: str, rows: Sequence[Bullet], value: str, mark: str) -> str:
    """A bar a row and a mark of what it is compared with; ``value`` and ``mark`` say what they are."""
    most = max((max(row.value, row.mark or 0) for row in rows), default=0)
    if most <= 0:
        return ""
    scale = (HALF.right - HALF.left) / most
    drawn = [_legend([("c1", value), ("mark", mark)])]
    for number, row in enumerate(rows):
        y = 26 + number * _ROW
        drawn.append(_text(HALF.left - 10, y + 12, _short(row.label), "end"))
        drawn.append(_rect("c1", HALF.left, y, row.value * scale, _BAR, f"{row.label}: {row.figure}"))
        if row.mark is not None:
            drawn.append(
                _rect("mark", HALF.left + row.mark * scale - 1.5, y - 4, 3, _BAR + 8, f"{mark}: {row.mark:,.1f}")
            )
        drawn.append(_text(HALF.right + 8, y + 12, row.figure, css="figure"))
    return _svg(title, 26 + len(rows) * _ROW, drawn)


def intervals(title: str, rows: Sequence[Range], *, reference: float | None = None, words: str = "") -> str:
    """Shares or differences of them with their intervals, on one axis of percent. ``reference`` is a line."""
    if not rows:
        return ""
    low = min([row.low for row in rows] + ([] if reference is None else [reference]))
    high = max([row.high for row in rows] + ([] if reference is None else [reference]))
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if (high - low) / s <= 6)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = [(n * step, f"{n * step * 100:.0f} %") for n in range(first, last + 1)]
    return _ranges(title, rows, ticks, lambda value: value, reference, words)


def spans(title: str, rows: Sequence[Range]) -> str:
    """Lengths of time in seconds, on an axis that grows by factors: from seconds to weeks in one picture."""
    if not rows:
        return ""
    most = max(row.high for row in rows)
    least = max(1.0, min(row.low for row in rows))
    start = max((i for i, (at, _) in enumerate(_TIMES) if at <= least), default=0)
    end = min((i for i, (at, _) in enumerate(_TIMES) if at >= most), default=len(_TIMES) - 1)
    ticks = [(float(at), words) for at, words in _TIMES[start : max(end, start + 1) + 1]]
    return _ranges(title, rows, ticks, lambda seconds: log10(max(seconds, 1.0)), None, "")


def columns(title: str, values: Sequence[tuple[str, float | None, str]], axis: Callable[[float], str]) -> str:
    """A column for each of ``values`` (label, value, words), 0 at the bottom; ``axis`` writes its top."""
    most = max((value for _, value, _ in values if value is not None), default=0)
    if most <= 0:
        return ""
    high, width = 130, (HALF.width - 80) / len(values)
    drawn = []
    for part in (1.0, 0.5, 0.0):
        y = 14 + high * (1 - part)
        drawn.append(f'<line class="grid" x1="72" x2="{HALF.width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(_text(64, y + 4, axis(most * part) if part else "0", "end", "axis"))
    for number, (label, value, words) in enumerate(values):
        x = 76 + number * width
        if value is not None:
            tall = value / most * high
            drawn.append(_rect("c1", x + 2, 14 + high - tall, width - 5, tall, f"{label}: {words}"))
        drawn.append(_text(x + width / 2, 14 + high + 18, label, "middle", "axis"))
    return _svg(title, high + 40, drawn)


def under(heading: str, chart: str) -> str:
    """``chart`` with a heading of its own, where a table has several; nothing without a chart."""
    return f"<div><h4>{_safe(heading)}</h4>{chart}</div>" if chart else ""


def _ranges(
    title: str,
    rows: Sequence[Range],
    ticks: Sequence[tuple[float, str]],
    scale: Callable[[float], float],
    reference: float | None,
    words: str,
) -> str:
    first, last = scale(ticks[0][0]), scale(ticks[-1][0])

    def place(value: float) -> float:
        return HALF.left + min(1.0, max(0.0, (scale(value) - first) / (last - first))) * (HALF.right - HALF.left)

    top = 8 if reference is None else 24
    bottom = top + len(rows) * _ROW
    drawn = []
    for at, label in ticks:
        x = place(at)
        drawn.append(_line("grid", x, top - 8, bottom) + _text(x, bottom + 16, label, "middle", "axis"))
    if reference is not None:
        x = place(reference)
        drawn.append(_line("reference", x, top - 8, bottom) + _text(x, 10, words, "middle", "axis"))
    for number, row in enumerate(rows):
        y = top + number * _ROW + _BAR / 2
        low, at, high = place(row.low), place(row.at), place(row.high)
        drawn.append(_text(HALF.left - 10, y + 4, _short(row.label), "end"))
        drawn.append(_rect("reach", low, y - 3, max(high - low, 2), 6, f"{row.label}: {row.figure}"))
        drawn.append(f'<circle class="c1" cx="{at:.1f}" cy="{y:.1f}" r="6"><title>{_safe(row.figure)}</title></circle>')
        drawn.append(_text(HALF.right + 14, y + 4, row.figure, css="figure"))
    return _svg(title, bottom + 24, drawn)


def _legend(entries: Sequence[tuple[str, str]], frame: Frame = HALF) -> str:
    """Colours with their words, in a line; what does not fit is not drawn, and is in the titles and the table."""
    places = [0.0]
    for _, words in entries:
        places.append(places[-1] + 36 + len(words) * 7.1)
    drawn = []
    for (colour, words), (x, following) in zip(entries, pairwise(places), strict=True):
        if following <= frame.width + 30:
            drawn.append(_rect(colour, x, 2, 3 if colour == "mark" else 12, 12, words) + _text(x + 18, 12, words))
    return "".join(drawn)


def _svg(title: str, height: float, drawn: Sequence[str], frame: Frame = HALF) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width} {height:.0f}" role="img" aria-label="{_safe(title)}">'
        f"<title>{_safe(title)}</title>{''.join(drawn)}</svg>"
    )


def _rect(colour: str, x: float, y: float, width: float, height: float, words: str) -> str:
    return (
        f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}">'
        f"<title>{_safe(words)}</title></rect>"
    )


def _line(css: str, x: float, top: float, bottom: float) -> str:
    return f'<line class="{css}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", css: str = "label") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(words)}</text>'


def _short(label: str) -> str:
    shown = visible(label)
    return shown if len(shown) <= _LABEL else f"{shown[: _LABEL - 1]}…"


def _safe(words: str) -> str:
    """Text that is nothing but text, in an element or between quotes."""
    return escape(visible(words))
