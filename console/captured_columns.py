"""What a person has to know of the columns of a file that is captured, in words.

Belongs here: columns that the playbook names and the file lacks, columns that are known by their values, and addresses
that no lead gets. Does not belong here: deciding
that (``tasks.recognition``), or the table of a dry run (``console.cli.capture``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console.redaction import sanitise
from leadgate.counting import format_count
from leadgate.mapping.headers import find_settled
from leadgate.nearest import find_nearest
from leadgate.playbook import Playbook
from tasks.recognition import FileColumns

COLUMNS_SHOWN: Final = 5
_LONGEST_HEADER: Final = 80


def describe_missing(file: str, headers: Sequence[str], source: str, playbook: Playbook) -> list[str]:
    """A line for each column that the playbook names for ``source``, and the file does not have. One is not missed
    where another column is the same field."""
    declared = playbook.sources[source]
    there = find_settled(headers, declared.mapping)
    missing = [
        (f"mapping.{name}", name)
        for name, field in declared.mapping.items()
        if not find_settled(headers, {name: field}) and (not field or field not in there.values())
    ]
    if declared.key is not None and declared.key not in headers:
        missing.append(("key", declared.key))
    free = [header for header in headers if header not in there and len(header) <= _LONGEST_HEADER]
    lines = []
    for key, name in missing[:COLUMNS_SHOWN]:
        meant = find_nearest(name, free)
        hint = f"did you mean {sanitise(meant, 80)!r}?" if meant is not None else "correct the name, or take it out."
        lines.append(
            f"{sanitise(file)}: there is no column {sanitise(name, 80)!r}, which the playbook names in "
            f"sources.{source}.{sanitise(key, 80)}; {hint}"
        )
    if len(missing) > COLUMNS_SHOWN:
        more = format_count(len(missing) - COLUMNS_SHOWN, "more column is", "more columns are")
        lines.append(f"{sanitise(file)}: {more} named in sources.{source} and not there.")
    return lines


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
