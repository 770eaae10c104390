"""A file as a table of rows, read in this process.

Belongs here: choosing the reader by the content. Does not belong here: limits of memory and time, which need a process
of its own (``isolated``).
"""

from __future__ import annotations

import codecs
from pathlib import Path

from leadgate.connectors.files import recognise
from leadgate.connectors.files.table import FileError, Limits, Table

_LIMITS = Limits()


def open_table(path: Path, *, limits: Limits = _LIMITS, encoding: str | None = None) -> Table:
    """Open ``path`` as a table: CSV with any usual delimiter, JSON, JSON lines, or XLSX.

    The format is told from the content, never from the suffix. ``encoding`` overrides what would be
    detected in a text file. Iterate the table for its rows; each iteration starts from the top.

    Raises ``FileError`` when the file is missing, empty, only headers, or not a table at all.
    """
    head = recognise.read_head(path)
    if recognise.is_zip(head):
        from leadgate.connectors.files import sheet  # each format costs a process of its own only what it needs

        return sheet.open_table(path, limits)
    recognise.refuse_other_formats(path, head)
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise FileError(path, f"no encoding is called {encoding!r}; try utf-8 or cp1252") from error
    text = recognise.recognise_text(path, head, encoding)
    if text.head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        from leadgate.connectors.files import records

        return records.open_table(path, text, limits)
    from leadgate.connectors.files import delimited

    return delimited.open_table(path, text, limits)
