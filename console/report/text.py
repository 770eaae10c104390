"""A report on the terminal: readable in a hundred columns.

Belongs here: laying out sections with rich. Does not belong here: what they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from console.redaction import sanitise
from console.report.tables import Column, Section, Table
from console.screen import build_heading, build_table

_MORE: Final = "with --json, --csv or --html"
_ROWS: Final = 24  # of a table; what is left out is said
_GAP: Final = 2  # between columns
_NAMES: Final = (32, 18)  # characters of a name; the fewer where there is no room for all columns


def render(sections: Sequence[Section], about: str, console: Console, more: str = _MORE) -> None:
    """Print the sections, under ``about``: the period, the zone, what was left out. ``more``: where all of it is."""
    console.print(Text(about, style="dim"))
    for section in sections:
        console.print()
        console.print(build_heading(section.title))
        console.print(section.about, style="dim")
        for tile in section.tiles:
            console.print(f"  {tile.label}: {tile.value}" + (f" ({sanitise(tile.detail)})" if tile.detail else ""))
            if tile.before:
                console.print(f"    {tile.before}", style="dim")
        for each in section.tables:
            if each.rows:
                _print(each, console, more)


def _print(each: Table, console: Console, more: str) -> None:
    said = [column for column in each.columns if not column.wide and _has_content(each, column)]
    for name in _NAMES:
        widths = _compute_widths(each, said, console.width, name)
        if len(widths) == len(said):
            break
    shown = said[: len(widths)]
    made = build_table()
    made.pad_edge = False
    for column, width in zip(shown, widths, strict=True):
        made.add_column(
            column.label, justify="left" if column.kind == "text" else "right", overflow="fold", width=width
        )
    for row in each.rows[:_ROWS]:
        made.add_row(*(column.format_cell(row[column.key]) for column in shown))
    console.print()
    console.print(Text(each.title, style="italic"))
    console.print(made)
    left = [f"{len(each.rows) - _ROWS:,} rows"] if len(each.rows) > _ROWS else []
    if left := left + [column.label for column in said[len(shown) :]]:
        console.print(f"Left out: {', '.join(left)}; all of it {more}.", style="dim")
    if each.note:
        console.print(each.note, style="dim")


def _compute_widths(each: Table, columns: Sequence[Column], width: int, name: int) -> list[int]:
    """How wide each of ``columns`` is, for as many of them, from the first, as a line holds; the first in any case.

    A heading is broken at its spaces where there is no room for it, a name after ``name`` characters.
    """
    widths: list[int] = []
    left = width + _GAP
    for column in columns:
        least = max(_compute_least(each, column, name), *map(len, column.label.split()))
        if widths and least + _GAP > left:
            break
        widths.append(least)
        left -= least + _GAP
    for number, column in enumerate(columns[: len(widths)]):
        more = len(column.label) - widths[number]
        if 0 < more <= left:
            widths[number] += more
            left -= more
    return widths


def _compute_least(each: Table, column: Column, name: int) -> int:
    """The room that a column's values need: all of it, though a long name may be folded."""
    longest = max(len(column.format_cell(row[column.key])) for row in each.rows)
    return min(longest, name) if column.kind == "text" else longest


def _has_content(each: Table, column: Column) -> bool:
    """Whether any row has something in this column: zeros and blanks all the way down say nothing."""
    return column.kind == "text" or any(row[column.key] not in (None, 0) for row in each.rows)
