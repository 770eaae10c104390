"""``leadgate capture``: files in, as signals.

Belongs here: one file after another, progress, what came of each file, and which were skipped.
Does not belong here: reading a format (``connectors.files``), storing rows (``tasks.ingestion``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from console.captured_columns import COLUMNS_SHOWN, describe_columns, describe_missing
from console.cli.capture_progress import Advance, build_bar
from console.cli.options import Json, Now
from console.command_context import CommandContext, parse_now
from console.notation_words import describe_notations
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, print_json, say
from leadgate.connectors.files import FileError, IsolatedTable, Limits, Row, read
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.fields import PERSONAL
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.clock import ask_time
from leadgate.masking import mask
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.settings import Settings
from leadgate.vocabulary import JourneyKind
from tasks import activities
from tasks.ingestion import SourceReader, store_page
from tasks.records.file_updates import compute_digest

_LINES_SHOWN: Final = 5
_DRY_ROWS: Final = 10_000  # rows that a dry run looks at for problems, or fewer when they are very long
_DRY_PAGES: Final = 10


@dataclass
class Captured:
    """What came of one file. ``known`` rows were captured before; ``problem`` says why the file was left, if it was.

    ``recognised`` are the columns that are known by their values alone; ``addresses_elsewhere`` counts e-mail addresses
    in columns that are not the lead's, of rows in which the lead's has none.
    """

    file: str
    format: str | None = None
    rows: int = 0
    new: int = 0
    activities: int = 0
    unreadable: int = 0
    unreadable_lines: list[int] = field(default_factory=list)
    blank: int = 0
    recognised: dict[str, str] = field(default_factory=dict)
    addresses_elsewhere: dict[str, int] = field(default_factory=dict)
    problem: str | None = None

    @property
    def known(self) -> int:
        return self.rows - self.new

    @property
    def told(self) -> str:
        """The problem of a file that was left, as a line."""
        if not self.rows:
            return f"{self.file}: {self.problem}"
        stored = format_count(self.rows, "row before it is", "rows before it are")
        return f"{self.file}: {self.problem}. {stored} stored; once it is mended, capturing the file again is safe."


@dataclass(frozen=True)
class _Opener:
    """Opens files for one source."""

    source: str
    playbook: LoadedPlaybook
    limits: Limits

    @contextmanager
    def open(self, path: Path) -> Iterator[IsolatedTable]:
        """The table in ``path``. Raises ``FileError`` when it is none, or lacks what the source needs."""
        with read(path, limits=self.limits) as opened:
            self._require_columns(opened)
            yield opened

    def _require_columns(self, opened: IsolatedTable) -> None:
        declared = self.playbook.playbook.sources[self.source]
        if declared.kind == "activities" and (missing := activities.list_missing_fields(opened.headers, declared)):
            what = " or ".join(_COLUMN_WORDS[name] for name in missing)
            raise FileError(
                opened.path,
                f"no column says the {what} of an activity; its columns are {', '.join(opened.headers[:20])}. "
                f"Name it in the playbook, in sources.{self.source}.mapping",
            )


def build_limits(settings: Settings) -> Limits:
    return Limits(
        memory_mb=settings.file_memory_mb,
        silent_seconds=settings.file_silent_seconds,
        seconds=settings.file_seconds,
    )


def capture(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, TSV, JSON, JSON lines or XLSX.")],
    source: Annotated[str, typer.Option("--source", "-s", metavar="NAME", help="One of the playbook's sources.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how the files would be read, and store nothing.")
    ] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Store the rows of files as signals. The same row again is no second signal.

    A file that cannot be read is skipped and named at the end, and the others are captured: exit code 4, or 2 when
    nothing was. Only regular files are read, no pipes; each in a process of its own, with limits of memory
    (LEADGATE_FILE_MEMORY_MB) and time (LEADGATE_FILE_SECONDS, LEADGATE_FILE_SILENT_SECONDS).
    """
    context: CommandContext = ctx.obj
    asked = parse_now(now)
    playbook = context.load_checked_playbook()
    _require_source(source, playbook)
    opener = _Opener(source, playbook, build_limits(context.settings))
    if dry_run:
        # no ledger is opened for it: this host's clock is good enough for what nobody keeps
        _run_dry(files, opener, asked or datetime.now(UTC), as_json=json)
        return
    results = []
    with ExitStack() as stack:
        advance = stack.enter_context(build_bar(files))
        store: _Store | None = None
        for path in files:
            result = Captured(path.name)
            results.append(result)
            try:
                with opener.open(path) as opened:
                    if store is None:  # no database is started before there is something to store
                        ledger = stack.enter_context(open_ledger(context.settings))
                        used = context.settle(ledger, playbook, asked, takes_over=False)
                        _require_source(source, used)
                        opener = replace(opener, playbook=used)
                        store = _Store(ledger, opener, ask_time(ledger, asked), advance)
                    store.keep(opened, result)
            except FileError as error:
                result.problem = error.reason
    _report(results, source, as_json=json)
    _end_by(results)


def _require_source(source: str, playbook: LoadedPlaybook) -> None:
    """Raises ``CommandError`` for a source that the playbook does not declare."""
    known = playbook.playbook.sources
    if source not in known:
        raise CommandError(f"the playbook declares no source {source!r}; {propose(source, known)}")


def _end_by(results: Sequence[Captured]) -> None:
    """``CommandError`` when a file was left: a script must learn that not everything was captured."""
    left = [each for each in results if each.problem is not None]
    if not left:
        return
    lines = [each.told for each in left]
    if len(left) == len(results) and not any(each.rows for each in left):
        raise CommandError("\n".join([*lines, "Nothing was stored."]), ExitCode.WRONG_INPUT)
    if len(results) > 1:
        lines.append(f"{len(left)} of {len(results)} files not captured in full; the others are stored.")
    raise CommandError("\n".join(lines), ExitCode.INCOMPLETE)


_UNDATED: Final = "not say when it was changed; what it says is taken as of now. A column for occurred_at would tell"
_COLUMN_WORDS: Final = {"kind": "kind", "email": "e-mail address", "occurred_at": "time"}


@dataclass(frozen=True)
class _Store:
    """Stores the rows of files as signals and activities of one source."""

    ledger: Ledger
    opener: _Opener
    at: datetime
    advance: Advance

    def keep(self, opened: IsolatedTable, result: Captured) -> None:
        """One file, a transaction for each page of a few thousand rows. Raises ``FileError`` where it breaks off."""
        source, playbook = self.opener.source, self.opener.playbook.playbook
        result.format = opened.format
        of_records = SOURCE_KINDS.get(playbook.sources[source].kind, JourneyKind.LEAD) is not JourneyKind.LEAD
        digest = compute_digest(opened.path) if of_records else None
        reader = SourceReader(source, result.file, playbook, self.at, digest=digest)
        for page in reader.notations.read_pages(opened):
            arrivals = reader.read_rows(page)
            result.new += store_page(self.ledger, arrivals, self.at)
            result.rows += len(page)
            result.activities += len(arrivals.activities)
            result.unreadable += len(arrivals.held_lines)
            result.unreadable_lines += arrivals.held_lines[: _LINES_SHOWN - len(result.unreadable_lines)]
            self.advance(opened.path, opened.position())
        result.blank = opened.blank
        if reader.updates is not None and reader.updates.undated:
            say(f"{result.file}: {format_count(reader.updates.undated, 'row does', 'rows do')} {_UNDATED}")
        for line in (
            *describe_missing(result.file, opened.headers, source, playbook),
            *describe_notations(result.file, reader.notations, source, playbook),
        ):
            say(line)
        if reader.columns is not None:
            result.recognised = reader.columns.fields
            result.addresses_elsewhere = dict(reader.columns.addresses_elsewhere.most_common(COLUMNS_SHOWN))
            for line in describe_columns(result.file, reader.columns, opened.headers, source):
                say(line)


def _report(results: Sequence[Captured], source: str, *, as_json: bool) -> None:
    captured = [each for each in results if each.format is not None and (each.rows or each.problem is None)]
    if as_json:
        print_json(
            {
                "source": source,
                "rows": sum(each.rows for each in results),
                "new": sum(each.new for each in results),
                "files": [asdict(each) | {"known": each.known} for each in captured],
                "left": [{"file": each.file, "reason": each.problem} for each in results if each.problem is not None],
            }
        )
        return
    if not captured:
        return
    console = build_console()
    numbers = ("rows", "new", "already known", "unreadable")
    made = build_table("file", *numbers, "", right=numbers)
    for each in captured:
        made.add_row(
            sanitise(each.file),
            *(f"{n:,}" for n in (each.rows, each.new, each.known, each.unreadable)),
            _describe_held(each),
        )
    console.print(made)
    if any(each.new for each in captured):
        console.print(f"\nNext: {find_program()} run")
    else:
        console.print("\nEverything in it was captured before; nothing changed.")


def _describe_held(result: Captured) -> str:
    if not result.unreadable:
        return ""
    more = ", …" if result.unreadable > len(result.unreadable_lines) else ""
    return f"held: line {', '.join(map(str, result.unreadable_lines))}{more}"


def _run_dry(files: Sequence[Path], opener: _Opener, at: datetime, *, as_json: bool) -> None:
    looks, left = [], []
    for path in files:
        try:
            with opener.open(path) as opened:
                looks.append(_look(opened, opener, at))
        except FileError as error:
            left.append(error)
    if as_json:
        print_json(
            {
                "source": opener.source,
                "files": looks,
                "left": [{"file": error.path.name, "reason": error.reason} for error in left],
            }
        )
    else:
        for look in looks:
            _print_look(look)
    if left:
        lines = [str(error) for error in left]
        raise CommandError("\n".join(lines), ExitCode.INCOMPLETE if looks else ExitCode.WRONG_INPUT)


def _print_look(look: dict[str, Any]) -> None:
    console = build_console()
    kind = ", ".join(str(look[part]) for part in ("format", "encoding", "delimiter_name", "sheet") if look[part])
    console.print(f"{sanitise(look['file'])}: {kind}")
    made = build_table("column", "becomes", "for example")
    for column in look["columns"]:
        becomes = column["field"] or "an attribute, kept as it is"
        if column["by_values"]:
            becomes = f"{becomes}, by its values"
        made.add_row(sanitise(column["header"], 40), becomes, sanitise(column["example"] or "", 40))
    console.print(made)
    looked = "" if look["whole"] else "the first "
    console.print(
        f"Looked at {looked}{format_count(look['looked_at'], 'row', 'rows')}; {look['problems']:,} cannot be read."
    )
    for problem in look["first_problems"]:
        console.print(f"  {sanitise(problem, 200)}")
    for notice in look["notices"]:
        console.print(notice, soft_wrap=True, markup=False, highlight=False)
    console.print("Nothing was stored.\n")


_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}


def _look(each: IsolatedTable, opener: _Opener, at: datetime) -> dict[str, Any]:
    source, playbook = opener.source, opener.playbook
    declared = playbook.playbook.sources[source]
    reader = SourceReader(source, each.path.name, playbook.playbook, at)
    rows, problems, whole = _read_first_rows(each, reader)
    columns = reader.columns
    mapping = (
        activities.map_activity_headers(each.headers, declared)
        if columns is None
        else columns.map_headers(each.headers)
    )
    examples = _pick_examples(rows, mapping)
    return {
        "file": each.path.name,
        "format": each.format,
        "encoding": each.encoding,
        "delimiter": each.delimiter,
        "delimiter_name": _DELIMITERS.get(each.delimiter or ""),
        "sheet": each.sheet,
        "columns": [
            {
                "header": header,
                "field": mapping.get(header),
                "by_values": columns is not None and header in columns.fields,
                "example": examples.get(header),
            }
            for header in each.headers
        ],
        "notices": [
            *describe_missing(each.path.name, each.headers, source, playbook.playbook),
            *describe_notations(each.path.name, reader.notations, source, playbook.playbook),
            *([] if columns is None else describe_columns(each.path.name, columns, each.headers, source)),
        ],
        "looked_at": len(rows),
        "whole": whole,
        "problems": len(problems),
        "first_problems": problems[:_LINES_SHOWN],
    }


def _read_first_rows(each: IsolatedTable, reader: SourceReader) -> tuple[list[Row], list[str], bool]:
    """Enough rows to judge the file by, what is wrong with them, and whether they are all."""
    rows: list[Row] = []
    problems: list[str] = []
    for number, page in enumerate(reader.notations.read_pages(each), start=1):
        page = page[: _DRY_ROWS - len(rows)]
        rows += page
        problems += reader.read_rows(page).problems
        if len(rows) >= _DRY_ROWS or number >= _DRY_PAGES:
            return rows, problems, False
    return rows, problems, True


def _pick_examples(rows: Sequence[Row], mapping: dict[str, str]) -> dict[str, str]:
    """The first value of each column; masked where it may be personal, because nobody asked for this lead."""
    examples: dict[str, str] = {}
    for row in rows:
        for header, value in (row.payload or {}).items():
            if header not in examples and value not in (None, ""):
                harmless = header in mapping and mapping[header] not in PERSONAL | {"rep", "note", "lead_id"}
                examples[header] = str(value) if harmless else mask(str(value))
    return examples
