"""Tables of pages as files that people open in a spreadsheet.

Belongs here: the answer that a browser keeps as a file. Does not belong here: what a table holds (``pages``), or how a
value becomes a cell (``console.spreadsheet``).
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

from console import spreadsheet


def answer_csv(name: str, lines: Iterable[Iterable[object]]) -> Response:
    """``lines`` as the file ``NAME.csv``. ``name`` is ours: letters, digits and underscores."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(spreadsheet.encode(lines), media_type="text/csv", headers=headers)
