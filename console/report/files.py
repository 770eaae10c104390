"""A report as data: JSON with keys that stay, and a CSV file for each table.

Belongs here: both formats. Does not belong here: what the tables hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from console import spreadsheet
from console.report.tables import Column, Section, Table, convert_cell
from leadgate.figures import Interval


def build_json_data(sections: Sequence[Section]) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Section -> table -> rows, each row by the columns' keys."""
    return {
        section.key: {
            table.key: [{column.key: convert_cell(row[column.key]) for column in table.columns} for row in table.rows]
            for table in section.tables
        }
        for section in sections
    }


def write(sections: Sequence[Section], folder: Path) -> list[Path]:
    """A file ``SECTION_TABLE.csv`` for each table, in ``folder``, which is made; safe for spreadsheets.

    Shares are from 0 to 1, times in seconds, an interval is two columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for section in sections:
        for table in section.tables:
            files.append(folder / f"{section.key}_{table.key}.csv")
            spreadsheet.write(files[-1], list_lines(table))
    return files


def list_lines(table: Table) -> Iterator[list[object]]:
    """The lines of a table's file, the names of its columns first."""
    yield [name for column in table.columns for name in _list_names(column)]
    for row in table.rows:
        yield [each for column in table.columns for each in _list_values(column, row[column.key])]


def _list_names(column: Column) -> list[str]:
    return [f"{column.key}_low", f"{column.key}_high"] if column.kind == "interval" else [column.key]


def _list_values(column: Column, value: object) -> list[object]:
    if column.kind == "interval":
        return list(value) if isinstance(value, Interval) else [None, None]
    return [convert_cell(value)]
