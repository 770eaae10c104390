"""Charts of two numbers each, such as as recorded and by a draft: bars one above the other, columns side by side.

Belongs here: these two shapes. Does not belong here: single bars and columns, frames and axes (``charts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from console.report.charts import (
    Frame,
    choose_step,
    draw_label,
    draw_legend,
    draw_line_across,
    draw_rect,
    draw_text,
    draw_widths,
    wrap_svg,
)

#: A label and its two numbers.
Pair = tuple[str, int, int]
_COLOURS: Final = ("c4", "c1")
_BAR: Final = 11
_TALL: Final = 130
_LEFT: Final = 52


def draw_paired_bars(title: str, rows: Sequence[Pair], words: tuple[str, str]) -> Markup:
    """Two bars a row, the first above the second, with both figures. ``words`` say what the first and second are."""
    most = max((max(one, other) for _, one, other in rows), default=0)
    if most <= 0:
        return Markup()

    def draw(frame: Frame) -> Markup:
        height = 18 + 2 * _BAR + 14 if frame.stacked else 2 * _BAR + 14
        entries, top = draw_legend(list(zip(_COLOURS, words, strict=True)), frame)
        drawn = [entries]
        for number, (label, *pair) in enumerate(rows):
            y = top + number * height
            figure = f"{pair[0]:,} → {pair[1]:,}"
            drawn.append(draw_label(label, figure, y, frame))
            bars = y + 18 if frame.stacked else y
            for place, (colour, value, what) in enumerate(zip(_COLOURS, pair, words, strict=True)):
                width = value / most * (frame.right - frame.left)
                at = bars + place * _BAR
                drawn.append(draw_rect(colour, frame.left, at, width, _BAR, f"{label}, {what}: {value:,}"))
            if not frame.stacked:
                end = frame.left + max(pair) / most * (frame.right - frame.left)
                drawn.append(draw_text(end + 8, y + _BAR + 4, figure, css="figure"))
        return wrap_svg(title, top + len(rows) * height, drawn, frame)

    return draw_widths(draw)


def draw_paired_columns(title: str, values: Sequence[Pair], words: tuple[str, str]) -> Markup:
    """Two columns for each of ``values``, 0 at the bottom, labelled where there is room."""
    most = max((max(one, other) for _, one, other in values), default=0)
    if most <= 0:
        return Markup()

    def draw(frame: Frame) -> Markup:
        entries, start = draw_legend(list(zip(_COLOURS, words, strict=True)), frame)
        drawn, top = [entries], start + 10
        width = (frame.width - _LEFT - 8) / len(values)
        every = choose_step([label for label, _, _ in values], width)
        for part in (1.0, 0.5, 0.0) if most > 1 else (1.0, 0.0):
            y = top + _TALL * (1 - part)
            drawn.append(draw_line_across(_LEFT, frame.width, y))
            drawn.append(draw_text(_LEFT - 8, y + 4, f"{most * part:,.10g}", "end", "axis"))
        for number, (label, *pair) in enumerate(values):
            x = _LEFT + 4 + number * width
            thin = (width - 2) / 2
            for place, (colour, value, what) in enumerate(zip(_COLOURS, pair, words, strict=True)):
                high = value / most * _TALL
                drawn.append(
                    draw_rect(
                        colour, x + 1 + place * thin, top + _TALL - high, thin, high, f"{label}, {what}: {value:,}"
                    )
                )
            if number % every == 0:
                drawn.append(draw_text(x + width / 2, top + _TALL + 18, label, "middle", "axis"))
        return wrap_svg(title, top + _TALL + 26, drawn, frame)

    return draw_widths(draw)
