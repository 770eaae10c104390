"""``leadgate capture``: files in, as signals.

Belongs here: opening all files before any row is stored, progress, and what came of each file.
Does not belong here: reading a format (``connectors.files``), keys and mapping (``tasks``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from console.place import Place, as_of
from console.safe import masked, visible
from console.screen import CommandError, err, out, print_json, program, say, table
from leadgate.connectors.files import FileError, Row, Table, read
from leadgate.fields import PERSONAL
from leadgate.ledger import Ledger, open_ledger, people, signals
from leadgate.ledger.clock import time_of
from leadgate.nearest import proposal
from leadgate.playbook import Loaded
from tasks import activities
from tasks.capture import Keys, chunks, mapping_of, signal_rows

_PROGRESS_FROM: Final = 1_000_000  # bytes; a shorter file is done before a bar could be read
_LINES_SHOWN: Final = 5
_DRY_ROWS: Final = 10_000  # rows that a dry run looks at for problems


@dataclass
class Captured:
    """What came of one file. ``known`` rows were captured before."""

    file: str
    format: str
    rows: int = 0
    new: int = 0
    activities: int = 0
    unreadable: int = 0
    unreadable_lines: list[int] = field(default_factory=list)
    blank: int = 0

    @property
    def known(self) -> int:
        return self.rows - self.new


def capture(place: Place, files: Sequence[Path], source: str, *, dry_run: bool, as_json: bool, now: str | None) -> None:
    """The command. Nothing is stored unless the playbook is sound and every file opens."""
    asked = as_of(now)
    playbook = place.checked_playbook()
    if source not in playbook.playbook.sources:
        hint = proposal(source, playbook.playbook.sources)
        raise CommandError(f"the playbook declares no source {source!r}; {hint}")
    tables = _open_all(files)
    _require_columns(tables, source, playbook)
    if dry_run:
        # no ledger is opened for it: this host's clock is good enough for what nobody keeps
        _dry_run(tables, source, playbook, asked or datetime.now(UTC), as_json=as_json)
        return
    results = []
    with open_ledger(place.settings) as ledger, _bar(tables) as advance:
        at = time_of(ledger, asked)
        for each in tables:
            results.append(_store(ledger, each, source, playbook, at, advance))
    _report(results, source, as_json=as_json)


def _open_all(files: Sequence[Path]) -> list[Table]:
    tables, refused = [], []
    for path in files:
        try:
            tables.append(read(path))
        except FileError as error:
            refused.append(str(error))
    if refused:
        if len(refused) < len(files):
            refused.append("Nothing was stored, of the other files neither.")
        raise CommandError("\n".join(refused))
    return tables


def _require_columns(tables: Sequence[Table], source: str, playbook: Loaded) -> None:
    declared = playbook.playbook.sources[source]
    for each in tables:
        if declared.kind == "activities":
            if missing := activities.missing(each.headers, declared):
                what = " or ".join(_COLUMN_WORDS[name] for name in missing)
                raise CommandError(
                    f"{each.path.name}: no column says the {what} of an activity; its columns are "
                    f"{', '.join(each.headers[:20])}. Name it in the playbook, in sources.{source}.mapping"
                )
        elif not {"email", "phone"} & set(mapping_of(each.headers, source, playbook.playbook).values()):
            say(
                f"{each.path.name}: no column is an e-mail address or a phone number, so every row will be "
                "held; `leadgate capture --dry-run` shows how the columns are understood."
            )


_COLUMN_WORDS: Final = {"kind": "kind", "email": "e-mail address", "occurred_at": "time"}


def _store(
    ledger: Ledger, each: Table, source: str, playbook: Loaded, at: datetime, advance: Callable[[Table], None]
) -> Captured:
    """One file, a transaction for each few thousand rows."""
    result = Captured(each.path.name, each.format)
    declared = playbook.playbook.sources[source]
    keys = Keys(declared)
    reader = activities.Reader(source, each.path.name, playbook.playbook, at) if declared.kind == "activities" else None
    try:
        for chunk in chunks(each):
            with ledger.transaction() as connection:
                if reader is None:
                    new = signals.store_signals(connection, signal_rows(chunk, source, each.path.name, keys), at)
                    lines = [row.line for row in chunk if row.problem is not None]
                else:
                    parted = reader.sort(chunk)
                    new = _store_activities(connection, parted, at)
                    result.activities += len(parted.activities)
                    lines = parted.held_lines
            result.rows += len(chunk)
            result.new += new
            result.unreadable += len(lines)
            result.unreadable_lines += lines[: _LINES_SHOWN - len(result.unreadable_lines)]
            advance(each)
    except FileError as error:
        raise CommandError(
            f"{error}. The {result.rows:,} rows before it are stored; once it is mended, capturing the file "
            "again is safe."
        ) from error
    result.blank = each.blank
    return result


def _store_activities(connection: Connection, parted: activities.Sorted, at: datetime) -> int:
    new = 0
    if parted.activities:
        new += signals.store_activities(connection, parted.activities, at)
        people.match_activities(connection, at)
    if parted.held:
        new += signals.store_signals(connection, parted.held, at)
    return new


def _bar(tables: Sequence[Table]) -> AbstractContextManager[Callable[[Table], None]]:
    total = sum(each.bytes_total for each in tables)
    if total < _PROGRESS_FROM or not sys.stderr.isatty():
        return nullcontext(lambda _: None)
    return _Bar(tables, total)


class _Bar:
    """A progress bar over the bytes of all files."""

    def __init__(self, tables: Sequence[Table], total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=err(),
        )
        self._task = self._progress.add_task("capturing", total=total)
        self._tables = tables

    def __enter__(self) -> Callable[[Table], None]:
        self._progress.start()
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, at: Table) -> None:
        before = sum(each.bytes_total for each in self._tables[: self._tables.index(at)])
        self._progress.update(self._task, completed=before + at.position())


def _report(results: Sequence[Captured], source: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "source": source,
                "rows": sum(each.rows for each in results),
                "new": sum(each.new for each in results),
                "files": [asdict(each) | {"known": each.known} for each in results],
            }
        )
        return
    console = out()
    numbers = ("rows", "new", "already known", "unreadable")
    made = table("file", *numbers, "", right=numbers)
    for each in results:
        made.add_row(
            visible(each.file),
            *(f"{n:,}" for n in (each.rows, each.new, each.known, each.unreadable)),
            _lines(each),
        )
    console.print(made)
    if any(each.new for each in results):
        console.print(f"\nNext: {program()} run")
    else:
        console.print("\nEverything in it was captured before; nothing changed.")


def _lines(result: Captured) -> str:
    if not result.unreadable:
        return ""
    more = ", …" if result.unreadable > len(result.unreadable_lines) else ""
    return f"held: line {', '.join(map(str, result.unreadable_lines))}{more}"


def _dry_run(tables: Sequence[Table], source: str, playbook: Loaded, at: datetime, *, as_json: bool) -> None:
    looks = [_look(each, source, playbook, at) for each in tables]
    if as_json:
        print_json({"source": source, "files": looks})
        return
    console = out()
    for look in looks:
        kind = ", ".join(str(look[part]) for part in ("format", "encoding", "delimiter_name", "sheet") if look[part])
        console.print(f"{visible(look['file'])}: {kind}")
        made = table("column", "becomes", "for example")
        for column in look["columns"]:
            becomes = column["field"] or "an attribute, kept as it is"
            made.add_row(visible(column["header"], 40), becomes, visible(column["example"] or "", 40))
        console.print(made)
        looked = "the first " if look["looked_at"] == _DRY_ROWS else ""
        console.print(f"Looked at {looked}{look['looked_at']:,} rows; {look['problems']:,} cannot be read.")
        for problem in look["first_problems"]:
            console.print(f"  {visible(problem, 200)}")
        console.print("Nothing was stored.\n")


_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}


def _look(each: Table, source: str, playbook: Loaded, at: datetime) -> dict[str, Any]:
    declared = playbook.playbook.sources[source]
    by_activity = declared.kind == "activities"
    mapping = (
        activities.mapping_of(each.headers, declared)
        if by_activity
        else mapping_of(each.headers, source, playbook.playbook)
    )
    rows = list(islice(each, _DRY_ROWS))
    if by_activity:
        reader = activities.Reader(source, each.path.name, playbook.playbook, at)
        problems = [str(held[4]) for held in reader.sort(rows).held]
    else:
        problems = [row.problem for row in rows if row.problem is not None]
    examples = _examples(rows, mapping)
    return {
        "file": each.path.name,
        "format": each.format,
        "encoding": each.encoding,
        "delimiter": each.delimiter,
        "delimiter_name": _DELIMITERS.get(each.delimiter or ""),
        "sheet": each.sheet,
        "columns": [
            {"header": header, "field": mapping.get(header), "example": examples.get(header)} for header in each.headers
        ],
        "looked_at": len(rows),
        "problems": len(problems),
        "first_problems": problems[:_LINES_SHOWN],
    }


def _examples(rows: Sequence[Row], mapping: dict[str, str]) -> dict[str, str]:
    """The first value of each column; masked where it may be personal, because nobody asked for this lead."""
    examples: dict[str, str] = {}
    for row in rows:
        for header, value in (row.payload or {}).items():
            if header not in examples and value not in (None, ""):
                harmless = header in mapping and mapping[header] not in PERSONAL | {"rep", "note", "lead_id"}
                examples[header] = str(value) if harmless else masked(str(value))
    return examples
