"""Where output goes: results to stdout, everything else to stderr, nothing interpreted as markup.

Belongs here: consoles, plain tables, and errors that end a command. Does not belong here: any content.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from console.redaction import format_json, sanitise
from leadgate.errors import ExitCode, LeadgateError


class CommandError(LeadgateError):
    """What a person asked for cannot be done; the message says why, and what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.WRONG_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def find_program() -> str:
    """What to type to call this program again: ``leadgate``, or its path where it is not on the ``PATH``."""
    called = Path(sys.argv[0])
    if called.name != "leadgate" or not called.exists():
        return "leadgate"  # as a module, or in a test
    found = shutil.which("leadgate")
    if found is not None and Path(found).samefile(called):
        return "leadgate"
    near = os.path.relpath(called)
    return str(called) if near.startswith("..") else near


def build_console(width: int | None = None) -> Console:
    """The console of a command's result. Lines that are too long for it are wrapped, never cut."""
    return Console(
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
        width=width or _find_width(sys.stdout.isatty()),
    )


def build_error_console() -> Console:
    """The console of progress, hints and errors."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False, width=_find_width(sys.stderr.isatty()))


def _find_width(terminal: bool) -> int | None:
    """The width for ``rich``, which asks a terminal itself. A pipe has none: ``COLUMNS`` says one, else it is 100."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return None if terminal else 100


def print_json(value: object) -> None:
    sys.stdout.write(format_json(value) + "\n")


def say(message: str) -> None:
    """One line or more to stderr, whatever the width: a path or a command in it can be copied."""
    sys.stderr.write("\n".join(sanitise(line) for line in message.split("\n")) + "\n")


def hint(message: str) -> None:
    """A dim line to stderr, for what is good to know beside a result."""
    dim, plain = ("\x1b[2m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    sys.stderr.write(f"{dim}{sanitise(message)}{plain}\n")


def build_table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """A table without lines. The columns named in ``right`` hold numbers."""
    made = Table(
        box=None,
        padding=(0, 2, 0, 0),
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
    )
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def build_heading(words: str) -> RenderableType:
    return Text(words, style="bold")


def format_moment(at: datetime | None) -> str:
    """A moment to the minute, in UTC: ``2026-03-02 09:00``."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def format_span(length: timedelta | float | None) -> str:
    """A length of time in its two largest units: ``3 h 20 min``. Seconds when it is a number."""
    if length is None:
        return "none yet"
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    days, rest = divmod(round(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next(i for i, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)
