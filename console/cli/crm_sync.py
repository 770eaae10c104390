"""``leadgate crm sync``: read what changed in CRMs, and print what came of it.

Belongs here: which CRMs, and the counts in words. Does not belong here: reading (``tasks.crm.sync``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.crm_choice import refuse_name
from console.cli.options import Json, Now
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.screen import (
    CommandError,
    build_console,
    build_error_console,
    build_table,
    find_program,
    print_json,
)
from leadgate.connectors.crm_opening import CrmNotConfiguredError, open_crm
from leadgate.errors import ExitCode
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import CrmConnection, LoadedPlaybook, Playbook
from tasks.crm.lead_ads import list_sources, read_answers
from tasks.crm.sync import SyncReport, open_and_sync_crm

if TYPE_CHECKING:
    from tasks.crm.preview import PreviewReport


def sync(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="A CRM of the playbook, or a source whose answers are read; by default all."
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what would become of the records, and store nothing.")
    ] = False,
    most: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Stop after the page with the Nth record; the next sync goes on."),
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Read what changed in the playbook's CRMs since the last sync: leads, owners, deals, and activities of reps; and
    the answers of leads whose webhook sent only an id. Exit code 4 when one cannot be read."""
    context: CommandContext = ctx.obj
    file = context.load_checked_playbook()
    at = parse_now(now)
    status = build_error_console().status("reading") if sys.stderr.isatty() else nullcontext()
    with status, open_ledger(context.settings) as ledger:
        loaded = context.settle(ledger, file, at, takes_over=not preview)
        sources = [each for each in list_sources(loaded.playbook) if name in (None, each)]
        chosen = [] if name in sources else _choose(loaded.playbook, name, sources)
        if preview and not chosen:
            raise CommandError(
                "--preview works for CRMs only, and there are only answers of leads to read; name a CRM, or leave "
                "--preview out"
            )
        if preview:
            previews = [_preview(ledger, loaded, each, at, most) for each in chosen]
        else:
            reports = [
                open_and_sync_crm(ledger, loaded, each, partial(open_crm, each, os.environ), at, max_records=most)
                for each in chosen
            ]
            reports += [read_answers(ledger, loaded, each, os.environ, at) for each in sources]
    if preview:
        _show_previews(previews, json=json)
        return
    if json:
        print_json({"crms": [asdict(each) | {"known": each.known} for each in reports]})
    else:
        _print_reports(reports)
    _tell_problems({each.crm: each.problem for each in reports})


def _tell_problems(problems: Mapping[str, str | None]) -> None:
    told = [f"{crm}: {problem}" for crm, problem in problems.items() if problem is not None]
    if told:
        raise CommandError("\n".join(sanitise(each) for each in told), ExitCode.INCOMPLETE)


def _preview(
    ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, now: datetime | None, most: int | None
) -> PreviewReport:
    from tasks.crm.preview import PreviewReport, preview_crm

    try:
        crm = open_crm(connection, os.environ)
    except CrmNotConfiguredError as error:
        return PreviewReport(connection.name, problem=str(error))
    try:
        return preview_crm(ledger, loaded, connection, crm, now, most=most)
    finally:
        crm.close()


def _show_previews(previews: list[PreviewReport], *, json: bool) -> None:
    if json:
        print_json({"crms": [asdict(each) for each in previews]})
    else:
        numbers = ("records", "would be new", "known", "not wanted", "own writes", "deleted", "would be held")
        table = build_table("CRM", *numbers, right=numbers)
        for each in previews:
            held = sum(each.held.values())
            counts = (each.records, each.new, each.known, each.unwanted, each.echoes, each.deleted, held)
            table.add_row(sanitise(each.crm), *(f"{count:,}" for count in counts))
        console = build_console()
        console.print(table)
        for each in previews:
            for reason, count in each.held.items():
                console.print(f"{sanitise(each.crm)}: {count:,} would be held: {sanitise(reason)}", markup=False)
            if not each.complete and each.problem is None:
                console.print(f"{sanitise(each.crm)} has more records.", markup=False)
        console.print("\nNothing was stored. Without --preview it is.")
    _tell_problems({each.crm: each.problem for each in previews})


def _choose(playbook: Playbook, name: str | None, sources: Sequence[str]) -> list[CrmConnection]:
    read = [each for each in playbook.crm if each.reads is not None]
    if name is None:
        if not read and not sources:
            raise CommandError("the playbook reads no CRM; add crm[].reads", ExitCode.WRONG_INPUT)
        return read
    chosen = [each for each in read if each.name == name]
    if not chosen:
        raise refuse_name(name, [each.name for each in read], list_sources(playbook))
    return chosen


def _print_reports(reports: list[SyncReport]) -> None:
    numbers = (
        "records",
        "new signals",
        "known",
        "held",
        "not wanted",
        "deleted",
        "new owners",
        "new outcomes",
        "activities",
    )
    table = build_table("CRM", *numbers, right=numbers)
    for each in reports:
        counts = (
            each.records,
            each.new,
            each.known,
            each.held,
            each.unwanted,
            each.deleted,
            each.owners,
            each.outcomes,
            each.activities,
        )
        table.add_row(sanitise(each.crm), *(f"{count:,}" for count in counts))
    build_console().print(table)
    if any(each.new for each in reports):
        build_console().print(f"\nNext: {find_program()} run")
