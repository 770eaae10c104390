"""Charts as SVG: bars, ranges, intervals and columns, drawn from numbers, with nothing fetched from anywhere.

Belongs here: shapes and axes. Does not belong here: what a chart is of (the sections), and its colours
(``templates/style.css``: the palette of M. Okabe and K. Ito, which people with any colour vision can tell apart). Each
chart has a title for screen readers, stands above the table with its numbers, and never tells by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from typing import Final, NamedTuple

from markupsafe import Markup

from console.redaction import sanitise


class Frame(NamedTuple):
    """Widths in pixels: bars are between ``left`` and ``right``, labels before them, figures behind.

    ``stacked``: label and figure are above the bar, where there is no room beside it. ``letters``: the most of a label.
    """

    width: int
    left: int
    right: int
    stacked: bool = False
    letters: int = 20


#: A chart is drawn for each of these widths, and the style sheet shows the one that can be read: letters of a picture
#: that was made smaller would be smaller, too.
HALF: Final = Frame(560, 152, 390)
WHOLE: Final = Frame(1130, 96, 1000)
PHONE: Final = Frame(300, 0, 300, stacked=True)
#: In place of ``HALF``, for labels that are words: half of the width is theirs.
WORDY: Final = Frame(560, 270, 500, letters=38)
_BAR: Final = 16
_LETTER: Final = 6.9  # pixels of one, on average

#: What is filled into these is escaped, so that a text is nothing but text, in an element or between quotes.
_SVG: Final = Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}"><title>{}</title>{}</svg>')
_RECT: Final = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
_LINE: Final = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
_GRID: Final = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
_TEXT: Final = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
_DOT: Final = Markup('<circle class="c1" cx="{:.1f}" cy="{:.1f}" r="6"><title>{}</title></circle>')
_UNDER: Final = Markup("<div><h4>{}</h4>{}</div>")
_PAIR: Final = Markup('<div class="pair">{}</div>')
_NARROW: Final = Markup('<div class="for-phone">{}</div><div class="for-half">{}</div>')
_WIDTHS: Final = Markup('<div class="widths">{}<div class="for-whole">{}</div></div>')

_TIMES: Final = (
    (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (14_400, "4 h"), (86_400, "1 d"),
    (604_800, "7 d"), (2_592_000, "30 d"), (31_536_000, "365 d"),
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


def draw_bars(
    title: str,
    rows: Sequence[Bar],
    legend: Sequence[tuple[str, str]] = (),
    *,
    whole: bool = False,
    half: Frame = HALF,
) -> Markup:
    """A bar a row, from parts laid end to end; the longest fills the width. ``whole``: of the page, where it can."""
    most = max((sum(part.value for part in row.parts) for row in rows), default=0)
    if most <= 0:
        return Markup()

    def draw(frame: Frame) -> Markup:
        entries, top = draw_legend(legend, frame)
        drawn = [entries]
        for number, row in enumerate(rows):
            y = top + number * _find_height(frame)
            drawn.append(draw_label(row.label, row.figure, y, frame))
            x, end, top_of_bar = float(frame.left), float(frame.left), _compute_bar_top(y, frame)
            for part in row.parts:
                width = part.value / most * (frame.right - frame.left)
                if width > 0:
                    drawn.append(draw_rect(part.colour, x, top_of_bar, width, _BAR, f"{row.label}: {part.words}"))
                    x = end = x + width
            if not frame.stacked:
                drawn.append(draw_text(end + 8, y + 12, row.figure, css="figure"))
        return wrap_svg(title, top + len(rows) * _find_height(frame), drawn, frame)

    return draw_widths(draw, whole=whole, half=half)


def draw_bullets(title: str, rows: Sequence[Bullet], value: str, mark: str) -> Markup:
    """A bar a row and a mark of what it is compared with; ``value`` and ``mark`` say what they are."""
    most = max((max(row.value, row.mark or 0) for row in rows), default=0)
    if most <= 0:
        return Markup()

    def draw(frame: Frame) -> Markup:
        scale = (frame.right - frame.left) / most
        entries, top = draw_legend([("c1", value), ("mark", mark)], frame)
        drawn = [entries]
        for number, row in enumerate(rows):
            y = top + number * _find_height(frame)
            bar = _compute_bar_top(y, frame)
            drawn.append(draw_label(row.label, row.figure, y, frame))
            drawn.append(draw_rect("c1", frame.left, bar, row.value * scale, _BAR, f"{row.label}: {row.figure}"))
            if row.mark is not None:
                x = frame.left + row.mark * scale - 1.5
                drawn.append(draw_rect("mark", x, bar - 3, 3, _BAR + 6, f"{mark}: {row.mark:,.1f}"))
            if not frame.stacked:
                drawn.append(draw_text(frame.right + 8, y + 12, row.figure, css="figure"))
        return wrap_svg(title, top + len(rows) * _find_height(frame), drawn, frame)

    return draw_widths(draw)


def draw_intervals(title: str, rows: Sequence[Range], *, reference: float | None = None, words: str = "") -> Markup:
    """Shares or differences of them with their intervals, on one axis of percent. ``reference`` is a line."""
    if not rows:
        return Markup()
    low = min([row.low for row in rows] + ([] if reference is None else [reference]))
    high = max([row.high for row in rows] + ([] if reference is None else [reference]))
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if (high - low) / s <= 6)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = [(n * step, f"{n * step * 100:.0f} %") for n in range(first, last + 1)]
    return draw_widths(lambda frame: _draw_ranges(title, rows, ticks, lambda value: value, reference, words, frame))


def draw_spans(title: str, rows: Sequence[Range]) -> Markup:
    """Lengths of time in seconds, on an axis that grows by factors: from seconds to weeks in one picture."""
    if not rows:
        return Markup()
    most = max(row.high for row in rows)
    least = max(1.0, min(row.low for row in rows))
    start = max(i for i, (at, _) in enumerate(_TIMES[:-1]) if at <= least)
    end = min((i for i, (at, _) in enumerate(_TIMES) if at >= most), default=len(_TIMES) - 1)
    ticks = [(float(at), words) for at, words in _TIMES[start : max(end, start + 1) + 1]]
    return draw_widths(lambda frame: _draw_ranges(title, rows, ticks, _scale_by_factors, None, "", frame))


def _scale_by_factors(seconds: float) -> float:
    return log10(max(seconds, 1.0))


def draw_columns(title: str, values: Sequence[tuple[str, float | None, str]], axis: Callable[[float], str]) -> Markup:
    """A column for each of ``values`` (label, value, words), 0 at the bottom; ``axis`` writes its top.

    Where labels have no room beside one another, every third is written, or every seventh.
    """
    most = max((value for _, value, _ in values if value is not None), default=0)
    if most <= 0:
        return Markup()
    tall, left = 130, 72

    def draw(frame: Frame) -> Markup:
        width = (frame.width - left - 8) / len(values)
        every = choose_step([label for label, _, _ in values], width)
        drawn = []
        for part in (1.0, 0.5, 0.0):
            y = 14 + tall * (1 - part)
            drawn.append(draw_line_across(left, frame.width, y))
            drawn.append(draw_text(left - 8, y + 4, axis(most * part) if part else "0", "end", "axis"))
        for number, (label, value, words) in enumerate(values):
            x = left + 4 + number * width
            if value is not None:
                high = value / most * tall
                drawn.append(draw_rect("c1", x + 1, 14 + tall - high, width - 2, high, f"{label}: {words}"))
            if number % every == 0:
                drawn.append(draw_text(x + width / 2, 14 + tall + 18, label, "middle", "axis"))
        return wrap_svg(title, tall + 40, drawn, frame)

    return draw_widths(draw)


def choose_step(labels: Sequence[str], width: float) -> int:
    """Every how many of ``labels``, which are ``width`` pixels apart, can be written."""
    room = max(len(label) for label in labels) * _LETTER + 4
    return next((every for every in (1, 3, 7, 14) if every * width > room), len(labels))


def add_heading(heading: str, chart: Markup) -> Markup:
    """``chart`` with a heading of its own, where a table has several; nothing without a chart."""
    return _UNDER.format(sanitise(heading), chart) if chart else Markup()


def put_beside(drawn: Sequence[Markup]) -> Markup:
    """The charts of one table beside one another, where there is room; nothing without a chart."""
    return _PAIR.format(Markup().join(drawn)) if any(drawn) else Markup()


def draw_widths(draw: Callable[[Frame], Markup], *, whole: bool = False, half: Frame = HALF) -> Markup:
    """A chart for each width that it is looked at in."""
    drawn = _NARROW.format(draw(PHONE), draw(half))
    return _WIDTHS.format(drawn, draw(WHOLE)) if whole else drawn


def _find_height(frame: Frame) -> int:
    """Of a row."""
    return 46 if frame.stacked else 30


def _compute_bar_top(y: float, frame: Frame) -> float:
    """The top of the bar of the row that begins at ``y``."""
    return y + 18 if frame.stacked else y


def draw_label(label: str, figure: str, y: float, frame: Frame) -> Markup:
    """Before the bar; or above it, the figure with it."""
    if not frame.stacked:
        return draw_text(frame.left - 10, y + 12, _shorten(label, frame.letters), "end")
    room = int(frame.width / _LETTER) - len(figure) - 2
    return draw_text(0, y + 12, _shorten(label, max(room, 8))) + draw_text(frame.width, y + 12, figure, "end", "figure")


def _draw_ranges(
    title: str,
    rows: Sequence[Range],
    ticks: Sequence[tuple[float, str]],
    scale: Callable[[float], float],
    reference: float | None,
    words: str,
    frame: Frame,
) -> Markup:
    first, last = scale(ticks[0][0]), scale(ticks[-1][0])
    left, right = (16, frame.width - 16) if frame.stacked else (frame.left, frame.right)

    def place(value: float) -> float:
        return left + min(1.0, max(0.0, (scale(value) - first) / (last - first))) * (right - left)

    top = 8 if reference is None else 24
    bottom = top + len(rows) * _find_height(frame)
    drawn = []
    free = -100.0  # from here on no label is written yet
    for at, label in ticks:
        x, half = place(at), len(label) * _LETTER / 2
        drawn.append(_draw_line("grid", x, top - 8, bottom))
        if x - half > free:
            drawn.append(draw_text(x, bottom + 16, label, "middle", "axis"))
            free = x + half + 8
    if reference is not None:
        x, half = place(reference), len(words) * _LETTER / 2
        drawn.append(_draw_line("reference", x, top - 8, bottom))
        drawn.append(draw_text(min(max(x, half), frame.width - half), 10, words, "middle", "axis"))
    for number, row in enumerate(rows):
        start = top + number * _find_height(frame)
        y = _compute_bar_top(start, frame) + _BAR / 2
        low, at, high = place(row.low), place(row.at), place(row.high)
        drawn.append(draw_label(row.label, row.figure, start, frame))
        drawn.append(draw_rect("reach", low, y - 3, max(high - low, 2), 6, f"{row.label}: {row.figure}"))
        drawn.append(_DOT.format(at, y, sanitise(row.figure)))
        if not frame.stacked:
            drawn.append(draw_text(frame.right + 14, y + 4, row.figure, css="figure"))
    return wrap_svg(title, bottom + 24, drawn, frame)


def draw_legend(entries: Sequence[tuple[str, str]], frame: Frame) -> tuple[Markup, int]:
    """Colours with their words, in as many lines as they need; and where the rows below begin."""
    drawn, x, y = [], 0.0, 2
    for colour, words in entries:
        width = 20 + len(words) * _LETTER
        if x and x + width > frame.width:
            x, y = 0.0, y + 20
        drawn.append(
            draw_rect(colour, x, y, 3 if colour == "mark" else 12, 12, words) + draw_text(x + 18, y + 10, words)
        )
        x += width + 14
    return Markup().join(drawn), y + 24 if entries else 4


def wrap_svg(title: str, height: float, drawn: Sequence[Markup], frame: Frame) -> Markup:
    """The chart from what was drawn."""
    return _SVG.format(frame.width, height, sanitise(title), sanitise(title), Markup().join(drawn))


def draw_rect(colour: str, x: float, y: float, width: float, height: float, words: str) -> Markup:
    """A rectangle that says ``words`` when it is pointed at."""
    return _RECT.format(colour, x, y, max(width, 0), max(height, 0), sanitise(words))


def draw_line_across(left: float, right: float, y: float) -> Markup:
    """A line of the grid."""
    return _GRID.format(left, right, y, y)


def _draw_line(css: str, x: float, top: float, bottom: float) -> Markup:
    return _LINE.format(css, x, x, top, bottom)


def draw_text(x: float, y: float, words: str, anchor: str = "start", css: str = "label") -> Markup:
    """``words`` as text, ``y`` its base line."""
    return _TEXT.format(css, x, y, anchor, sanitise(words))


def _shorten(label: str, most: int) -> str:
    shown = sanitise(label)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
