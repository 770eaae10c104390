"""``leadgate outcomes``: what became of leads, from a file.

Belongs here: what was asked for, and saying what came of the file. Does not belong here: reading its rows
(``tasks.outcome_rows``), or storing them (``ledger.recorded_outcomes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.capture import build_limits
from console.cli.options import By, Json, Now
from console.command_context import CommandContext, identify_actor, parse_moment, parse_now
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, print_json
from leadgate.actors import require
from leadgate.connectors.files import FileError, read
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.ledger import Ledger, recorded_outcomes
from leadgate.ledger.clock import ask_time
from leadgate.nearest import propose
from leadgate.permissions import Permission
from tasks.outcome_rows import Judged, Meaning, OutcomeReader, map_outcome_headers

_SHOWN: Final = 20  # rows that cannot be used, on the screen; --json has all of them
_COLUMN_WORDS: Final = {"lead": "lead", "outcome": "outcome"}


def outcomes(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="CSV, TSV, JSON, JSON lines or XLSX: a row for each lead.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", "-s", metavar="NAME", help="The playbook's source whose external ids the file has."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Also record outcomes dated before their lead was captured.")
    ] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="MOMENT", help="The time (UTC) of outcomes whose row has none.")
    ] = None,
    from_activities: Annotated[
        bool,
        typer.Option(
            "--from-activities",
            help="In place of a file, record activities that are outcomes, from before their lead had its owner.",
        ),
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the outcomes that would otherwise be recorded.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be recorded, and store nothing.")] = False,
    json: Json = False,
    by: By = None,
    now: Now = None,
) -> None:
    """Record outcomes of leads in bulk, with their dates in the past: figures learn from them, and no lead moves.

    A row names its lead (number, J12, external id or e-mail), what happened (accepted, rejected with a reason, won,
    lost, or an outcome of the playbook), when, and who said so. Only figures change: no owner, no clock, no rotation,
    and nobody is told. The same file again changes nothing. Rows that cannot be used are named, and the others are
    recorded: exit code 4.
    """
    context: CommandContext = ctx.obj
    if (file is None) is not from_activities:
        raise CommandError("name a file, or give --from-activities")
    if from_activities and withdraw and dry_run:
        raise CommandError("--dry-run says what would be recorded; leave out --withdraw")
    asked = parse_now(now)
    stated_at = None if at is None else parse_moment(at)
    loaded = context.load_checked_playbook()
    playbook = loaded.playbook
    if source is not None and source not in playbook.sources:
        raise CommandError(f"the playbook declares no source {source!r}; {propose(source, playbook.sources)}")
    who = identify_actor(playbook)
    require(who, Permission.OPERATE)
    how = "look" if dry_run else "withdraw" if withdraw else "record"
    with context.ledger() as ledger:
        moment = ask_time(ledger, asked)
        result = Judged()
        if file is None:
            result.new = _handle_activities(ledger, playbook.follow_up.outcomes, who.name, moment, how)
            result.rows = result.new
        else:
            reader = OutcomeReader(playbook, Meaning(source, stated_at, history), moment)
            try:
                with read(file, limits=build_limits(context.settings)) as opened:
                    _require_columns(file, list(opened.headers), map_outcome_headers(opened.headers, reader.source))
                    for page in opened.read_pages():
                        reader.judge(ledger, page, result, by=who.name, how=how)
            except FileError as error:
                raise CommandError(
                    f"{error}; {format_count(result.new, 'row is', 'rows are')} done before it"
                ) from None
    if json:
        print_json(
            {
                "rows": result.rows, "did": how, "by": who.name, "new": result.new, "known": result.known,
                "by_outcome": result.by_kind, "still_owned": result.still_owned,
                "problems": [{"line": line, "reason": why} for line, why in sorted(result.problems.items())],
            }
        )  # fmt: skip
    else:
        _print(result, how)
    if result.problems:
        unused = format_count(len(result.problems), "row", "rows")
        raise CommandError(f"{unused} of {result.rows:,} cannot be used", ExitCode.INCOMPLETE)


def _handle_activities(ledger: Ledger, kinds: Sequence[str], by: str, now: datetime, how: str) -> int:
    """How many activities that are outcomes were recorded or taken back, or would be recorded."""
    with ledger.transaction() as connection:
        if how == "look":
            return recorded_outcomes.count_early_activities(connection, kinds)
        if how == "withdraw":
            return recorded_outcomes.withdraw_of_activities(connection, kinds, by=by, now=now)
        return recorded_outcomes.record_early_activities(connection, kinds, by=by, now=now)


def _require_columns(file: Path, headers: list[str], mapped: dict[str, str]) -> None:
    given = set(mapped.values())
    missing = [name for name in ("outcome",) if name not in given]
    missing += [] if given & {"lead", "external_id", "email"} else ["lead"]
    if missing:
        what = " or ".join(_COLUMN_WORDS[name] for name in missing)
        raise CommandError(
            f"{file.name}: no column says the {what}; its columns are {sanitise(', '.join(headers[:20]), 400)}. Call "
            "one lead, external_id or email, and one outcome; or give --source NAME, whose mapping names them",
            ExitCode.WRONG_INPUT,
        )


_DID: Final = {"record": "recorded", "withdraw": "taken back", "look": "would be recorded"}


def _print(result: Judged, how: str) -> None:
    console = build_console()
    already = "not recorded" if how == "withdraw" else "known already"
    console.print(
        f"{format_count(result.rows, 'row', 'rows')}: {result.new:,} {_DID[how]}, {result.known:,} {already}, "
        f"{len(result.problems):,} cannot be used."
    )
    if result.by_kind:
        made = build_table("outcome", "rows", right=("rows",))
        for kind, count in sorted(result.by_kind.items()):
            made.add_row(sanitise(kind, 80), f"{count:,}")
        console.print(made)
    for line, why in sorted(result.problems.items())[:_SHOWN]:
        console.print(f"  line {line}: {sanitise(why, 300)}", soft_wrap=True)
    if len(result.problems) > _SHOWN:
        console.print(f"  … {len(result.problems) - _SHOWN:,} more with --json")
    if result.still_owned and how != "withdraw":
        owned = format_count(result.still_owned, "of these leads has", "of these leads have")
        console.print(f"{owned} an owner still, who keeps them: what is recorded moves no lead.")
    if how == "record" and result.new:
        console.print(f"Next: {find_program()} report --section conversion")
