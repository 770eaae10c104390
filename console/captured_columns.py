"""What a person has to know of the columns of a file that is captured, in words.

Belongs here: columns that are known by their values, and addresses that no lead gets. Does not belong here: deciding
that (``tasks.recognition``), or the table of a dry run (``console.cli.capture``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console.redaction import sanitise
from leadgate.counting import format_count
from tasks.recognition import FileColumns

COLUMNS_SHOWN: Final = 5


def describe_columns(file: str, columns: FileColumns, headers: Sequence[str], source: str) -> list[str]:
    """A line for each column that is known by its values alone, and for what would be lost."""
    lines = [
        f"{sanitise(file)}: the column {sanitise(header, 80)!r} is taken as {found.field} by its values "
        f"({found.alike:,} of {found.filled:,}); sources.{source}.mapping of the playbook says otherwise."
        for header, found in (columns.recognised or {}).items()
    ]
    if not {"email", "phone"} & set(columns.map_headers(headers).values()):
        lines.append(
            f"{sanitise(file)}: no column is an e-mail address or a phone number, so every row will be "
            "held; `leadgate capture --dry-run` shows how the columns are understood."
        )
    if columns.rows_without_address:
        named = columns.addresses_elsewhere.most_common(COLUMNS_SHOWN)
        where = ", ".join(f"{sanitise(header, 80)!r} ({count:,})" for header, count in named)
        rows = format_count(columns.rows_without_address, "row has", "rows have")
        lines.append(
            f"{sanitise(file)}: {rows} an e-mail address only in a column that is not the lead's: {where}. If it is "
            f"the lead's, write the column into sources.{source}.mapping before `leadgate run` (COLUMN: email); if "
            'not, with an empty field (COLUMN: "").'
        )
    return lines
