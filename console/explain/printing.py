"""An answer on the screen.

Belongs here: printing an answer, safely whatever is in it. Does not belong here: the words (``trigger``, ``evidence``,
``record_answers``).
"""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from console.answers import Answer, Grid
from console.redaction import SHOWN, sanitise
from console.screen import build_heading, build_table


def render(answer: Answer, console: Console) -> None:
    """Print one answer."""
    console.print()
    console.print(build_heading(answer.question))
    for part in answer.parts:
        if isinstance(part, Grid):
            made = build_table(*part.columns)
            for row in part.rows:
                made.add_row(*(Text(sanitise(cell, SHOWN)) for cell in row))
            console.print(Padding(made, (0, 0, 0, 2)))
        else:
            console.print(Padding(Text(sanitise(part, SHOWN * 5)), (0, 0, 0, 2)))
