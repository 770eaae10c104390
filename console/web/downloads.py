"""Tables and pages as files that people keep, or open in a spreadsheet.

Belongs here: the answer that a browser keeps as a file. Does not belong here: what a table holds (``pages``), or how a
value becomes a cell (``console.spreadsheet``).
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

from console import spreadsheet


def answer_page(name: str, page: str) -> Response:
    """``page`` as the file ``NAME.html``. ``name`` is ours: letters, digits and underscores."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.html"'}
    return Response(page.encode("utf-8", "backslashreplace"), media_type="text/html; charset=utf-8", headers=headers)


def answer_csv(name: str, lines: Iterable[Iterable[object]]) -> Response:
    """``lines`` as the file ``NAME.csv``. ``name`` is ours: letters, digits and underscores."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(spreadsheet.encode(lines), media_type="text/csv", headers=headers)
