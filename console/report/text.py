"""A report on the terminal: readable in a hundred columns.

Belongs here: laying out sections with rich. Does not belong here: what they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from console.report.tables import Column, Section, Table
from console.screen import heading, table

_ROWS: Final = 15  # of a table; what is left out is said
_NAME: Final = 32  # characters of a name


def render(sections: Sequence[Section], about: str, console: Console) -> None:
    """Print the sections, under ``about``: the period, the zone, what was left out."""
    console.print(Text(about, style="dim"))
    for section in sections:
        console.print()
        console.print(heading(section.title))
        console.print(section.about, style="dim")
        for tile in section.tiles:
            console.print(f"  {tile.label}: {tile.value}" + (f" ({tile.detail})" if tile.detail else ""))
        for each in section.tables:
            if each.rows:
                _print(each, console)


def _print(each: Table, console: Console) -> None:
    shown = [column for column in each.columns if not column.wide and _said(each, column)]
    made = table()
    for column in shown:
        made.add_column(
            column.label,
            justify="left" if column.kind == "text" else "right",
            overflow="fold",
            min_width=_least(each, column),
        )
    for row in each.rows[:_ROWS]:
        made.add_row(*(column.words(row[column.key]) for column in shown))
    console.print()
    console.print(Text(each.title, style="italic"))
    console.print(made)
    if len(each.rows) > _ROWS:
        console.print(f"{len(each.rows) - _ROWS:,} more; all of them with --json, --csv or --html", style="dim")
    if each.note:
        console.print(each.note, style="dim")


def _least(each: Table, column: Column) -> int:
    """A heading may be broken at its spaces, a value not; only a long name is folded."""
    longest = max(len(column.words(row[column.key])) for row in each.rows)
    return min(longest, _NAME) if column.kind == "text" else longest


def _said(each: Table, column: Column) -> bool:
    """Whether any row has something in this column: zeros and blanks all the way down say nothing."""
    return column.kind == "text" or any(row[column.key] not in (None, 0) for row in each.rows)
