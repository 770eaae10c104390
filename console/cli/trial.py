"""``leadgate try``: what leads would get by a playbook, or by two.

Belongs here: what was asked for. Does not belong here: the trial (``tasks.trial``), what
is said of it (``console.trial_words``), or comparing playbooks themselves (``console.playbook_changes``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.options import Json, Now, Personal
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.screen import CommandError, say
from leadgate.nearest import propose
from leadgate.vocabulary import JourneyKind

if TYPE_CHECKING:
    from console.trial_file import TriedRow
    from leadgate.connectors.files import Row
    from leadgate.playbook import LoadedPlaybook
    from tasks.assignment import Capacity

_PAIR: Final = re.compile(r"\s*([^=\s]+)\s*=(.*)", re.DOTALL)
Which = Annotated[
    str | None,
    typer.Option(
        "--playbook", metavar="WHICH", help="A file, the start of a hash, or `active`; else the playbook's file."
    ),
]


def try_(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="CSV, TSV, JSON, JSON lines or XLSX, as for capture.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", "-s", metavar="NAME", help="Whose they are; else the playbook's first of the kind."),
    ] = None,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="The lead's e-mail address.")] = None,
    kind: Annotated[
        JourneyKind | None, typer.Option("--kind", help="What is tried; else what the source has, or leads.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the lead or record; may be repeated."),
    ] = None,
    before: Annotated[
        list[str] | None,
        typer.Option("--before", metavar="FIELD=VALUE", help="A field of the record as it was; may be repeated."),
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Nothing is told of the record, and its own time has come.")
    ] = False,
    did: Annotated[
        list[str] | None,
        typer.Option("--did", metavar="ACTIVITY=TIMES", help="What the lead did, how often; may be repeated."),
    ] = None,
    days_ago: Annotated[int, typer.Option("--days-ago", metavar="N", help="How long ago they did it.")] = 0,
    which: Which = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="WHICH", help="Another playbook: only what differs is shown.")
    ] = None,
    personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Show what leads and records would get under a playbook, or under two; nothing is stored and no turn taken.

    One lead of your own, given with --email and --set, is shown stage by stage; the rows of a FILE in a line each, as
    if they came now, one after the other, with the rows about one person joined. Leads of the ledger are not compared,
    and providers over HTTP are not asked.

    With --kind, or a source of records, try an update of an opportunity, a renewal or an expansion: --before gives the
    record as it was; each row of a FILE is about a new record.
    """
    given = email is not None or bool(values) or bool(did) or bool(before)
    if (file is None) is not given:
        raise CommandError("give a lead with --email and --set FIELD=VALUE, or name a FILE of leads or records")
    about = _find_kind(ctx.obj, which, source, kind)
    if about is not JourneyKind.LEAD:
        if email is not None:
            raise CommandError(f"--email is of leads; give fields of {about.plural} with --set")
        books = _list_playbooks(ctx.obj, which, against, parse_now(now), about)
        named = [each.find_source(source, about) for each in books]
        if file is not None:
            _try_records(ctx.obj, books, named, about, file, json=json)
        else:
            asked = (values or (), before or (), did or ())
            _try_record(books, named, about, asked, days_ago, is_due=due, json=json)
        return
    if before or due:
        raise CommandError("--before and --due are of records; say which with --kind, such as --kind renewal")
    from console.lead_trial import TriedLead, try_lead
    from console.trial_words import show_lead, show_rows

    context: CommandContext = ctx.obj
    playbooks = _list_playbooks(context, which, against, parse_now(now))
    sources = [each.find_source(source) for each in playbooks]
    loaded = [each.loaded for each in playbooks]
    if file is not None:
        _require_sound(loaded)
        show_rows(loaded, _try_file(context, file, playbooks, sources), personal=personal, as_json=json)
        return
    fields = dict(_read_pair(pair, "--set") for pair in values or ())
    if email is not None:
        fields["email"] = email
    often = {name: _read_count(name, count) for name, count in (_read_pair(pair, "--did") for pair in did or ())}
    trials = [
        try_lead(each.loaded, TriedLead(name, fields, often, days_ago), each.capacity, each.now)
        for each, name in zip(playbooks, sources, strict=True)
    ]
    show_lead(loaded, trials, as_json=json)


@dataclass(frozen=True)
class _Playbook:
    """A playbook to try leads by, and what reps can take by it."""

    loaded: LoadedPlaybook
    capacity: Capacity
    now: datetime

    def find_source(self, asked: str | None, kind: JourneyKind = JourneyKind.LEAD) -> str:
        from leadgate.playbook.check.record_cases import list_sources_of

        sources = list_sources_of(self.loaded.playbook, kind)
        if not sources:
            raise CommandError(f"{self.loaded.path} declares no source of {kind.plural}")
        if asked is not None and asked not in sources:
            shown, known = asked[:80], propose(asked[:80], sources)
            raise CommandError(f"{self.loaded.path} declares no source {shown!r} of {kind.plural}; {known}")
        return asked or sources[0]


def _find_kind(
    context: CommandContext, which: str | None, source: str | None, asked: JourneyKind | None
) -> JourneyKind:
    """What is tried: what was asked for, else what the source has."""
    from console.cli.playbook_diff import find_playbook
    from leadgate.playbook.kinds import SOURCE_KINDS

    if asked is not None or source is None:
        return asked or JourneyKind.LEAD
    loaded = context.read_playbook() if which is None else find_playbook(context, which)
    declared = loaded.playbook.sources.get(source)
    return JourneyKind.LEAD if declared is None else SOURCE_KINDS.get(declared.kind, JourneyKind.LEAD)


def _try_record(
    playbooks: Sequence[_Playbook], sources: Sequence[str], kind: JourneyKind,
    asked: tuple[Sequence[str], Sequence[str], Sequence[str]], days_ago: int, *, is_due: bool, json: bool,
) -> None:  # fmt: skip
    from console.record_trial import AskedUpdate, try_update
    from console.record_trial_words import show_update

    values, before, did = asked
    fields = dict(_read_pair(pair, "--set") for pair in values)
    was = dict(_read_pair(pair, "--before") for pair in before)
    often = {name: _read_count(name, count) for name, count in (_read_pair(pair, "--did") for pair in did)}
    trials = [
        try_update(
            each.loaded, kind, AskedUpdate(source, fields, was, is_due, often, days_ago), each.capacity, each.now
        )
        for each, source in zip(playbooks, sources, strict=True)
    ]
    show_update([each.loaded for each in playbooks], kind, trials, as_json=json)


def _try_records(
    context: CommandContext, playbooks: Sequence[_Playbook], sources: Sequence[str], kind: JourneyKind, file: Path,
    *, json: bool,
) -> None:  # fmt: skip
    from console.record_trial import try_record_rows
    from console.record_trial_words import show_record_rows

    loaded = [each.loaded for each in playbooks]
    _require_sound(loaded)
    headers, rows = _read_rows(context, file)
    _tell_of_columns(file, headers, rows, playbooks[-1], sources[-1])
    tried = [
        try_record_rows(each.loaded, kind, source, rows, file.name, each.capacity, each.now)
        for each, source in zip(playbooks, sources, strict=True)
    ]
    show_record_rows(loaded, kind, tried, as_json=json)


def _require_sound(loaded: Sequence[LoadedPlaybook]) -> None:
    from expectations import list_promise_names
    from leadgate.playbook.check import require

    for each in loaded:  # one lead of one's own is told at once, by a draft that is not finished as well
        require(each, promises=list_promise_names())


def _list_playbooks(
    context: CommandContext,
    which: str | None,
    against: str | None,
    asked: datetime | None,
    kind: JourneyKind = JourneyKind.LEAD,
) -> list[_Playbook]:
    """The playbooks, the one to compare with first. Without a ledger nobody has a lead yet."""
    from console.cli.playbook_diff import find_playbook
    from console.lead_trial import read_capacity
    from leadgate.ledger import NoLedgerError, open_ledger
    from leadgate.ledger.clock import ask_time
    from tasks.assignment import Capacity

    loaded = [] if against is None else [find_playbook(context, against)]
    loaded.append(context.read_playbook() if which is None else find_playbook(context, which))
    try:
        with open_ledger(context.settings, create=False) as ledger:
            moment = ask_time(ledger, asked)
            found = [_Playbook(each, read_capacity(ledger, each.playbook, moment, kind), moment) for each in loaded]
    except NoLedgerError:
        moment = asked or datetime.now(UTC)
        found = [_Playbook(each, Capacity({}, {}), moment) for each in loaded]
    return found


def _read_pair(pair: str, option: str) -> tuple[str, str]:
    found = _PAIR.fullmatch(pair)
    if found is None:
        raise CommandError(f"{option} {sanitise(pair, 80)!r} is no NAME=VALUE")
    return found[1], found[2].strip()


def _read_count(name: str, count: str) -> int:
    if not (count.isascii() and count.isdigit() and len(count) <= 9):
        raise CommandError(f"--did {sanitise(name, 80)}={sanitise(count, 80)}: write how often it was, as a number")
    return int(count)


def _try_file(
    context: CommandContext, file: Path, playbooks: Sequence[_Playbook], sources: Sequence[str]
) -> list[list[TriedRow]]:
    """The rows of the file by each playbook."""
    from console.trial_file import try_rows

    headers, rows = _read_rows(context, file)
    _tell_of_columns(file, headers, rows, playbooks[-1], sources[-1])
    return [
        try_rows(each.loaded, source, rows, file.name, each.capacity, each.now)
        for each, source in zip(playbooks, sources, strict=True)
    ]


def _read_rows(context: CommandContext, file: Path) -> tuple[Sequence[str], list[Row]]:
    """The names of the columns, and the rows."""
    from console.cli.capture import build_limits
    from console.trial_file import MOST_ROWS
    from leadgate.connectors.files import FileError, read

    rows: list[Row] = []
    try:
        with read(file, limits=build_limits(context.settings)) as opened:
            headers = opened.headers
            for page in opened.read_pages():
                rows += page[: MOST_ROWS - len(rows)]
                if len(rows) >= MOST_ROWS:
                    say(f"Only the first {MOST_ROWS:,} rows are tried.")
                    break
    except FileError as error:
        raise CommandError(str(error)) from None
    return headers, rows


def _tell_of_columns(file: Path, headers: Sequence[str], rows: Sequence[Row], by: _Playbook, source: str) -> None:
    """What a person has to know of the file's columns, by the playbook that is tried."""
    from console.captured_columns import describe_missing
    from console.notation_words import describe_notations
    from tasks.notations import FileNotations

    notations = FileNotations(source, by.loaded.playbook)
    notations.look(rows)
    for line in (
        *describe_missing(file.name, headers, source, by.loaded.playbook),
        *describe_notations(file.name, notations, source, by.loaded.playbook),
    ):
        say(line)
