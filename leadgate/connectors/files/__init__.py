"""Files of leads and activities, read into rows whatever program exported them.

Belongs here: recognising a file by its content and streaming its rows, one module a format; the process that does so.
Does not belong here: what a column means (``leadgate.mapping.headers``), or keeping anything (capture).

``read`` raises ``FileError`` for a file that is no table of rows, before any row is given out. A row
that cannot be read is a row too, with its raw text and the problem, and the rows after it go on.
A file is untrusted: it is read in a process with limits of memory and time, and its rows come over a pipe.
"""

from __future__ import annotations

from leadgate.connectors.files.isolated import IsolatedTable, read
from leadgate.connectors.files.table import FileError, Limits, Row, Table

__all__ = ["FileError", "IsolatedTable", "Limits", "Row", "Table", "read"]
