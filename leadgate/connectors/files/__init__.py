"""Files of leads and activities, read into rows whatever program exported them.

Belongs here: recognising a file by its content and streaming its rows, one module a format.
Does not belong here: what a column means (``leadgate.headers``), or keeping anything (capture).

``read`` raises ``FileError`` for a file that is no table of rows, before any row is given out. A row
that cannot be read is a row too, with its raw text and the problem, and the rows after it go on.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from leadgate.connectors.files import delimited, recognise, records, sheet
from leadgate.connectors.files.table import FileError, Limits, Row, Table

__all__ = ["FileError", "Limits", "Row", "Table", "read"]

_LIMITS = Limits()


def read(path: Path, *, limits: Limits = _LIMITS, encoding: str | None = None) -> Table:
    """Open ``path`` as a table: CSV with any usual delimiter, JSON, JSON lines, or XLSX.

    The format is told from the content, never from the suffix. ``encoding`` overrides what would be
    detected in a text file. Iterate the table for its rows; each iteration starts from the top.

    Raises ``FileError`` when the file is missing, empty, only headers, or not a table at all.
    """
    head = recognise.head_of(path)
    if recognise.is_zip(head):
        return sheet.open_table(path, limits)
    recognise.refuse_other_formats(path, head)
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise FileError(path, f"no encoding is called {encoding!r}; try utf-8 or cp1252") from error
    text = recognise.text_of(path, head, encoding)
    if text.head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return records.open_table(path, text, limits)
    return delimited.open_table(path, text, limits)
