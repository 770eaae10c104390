"""``leadgate crm sync``: read what changed in CRMs, and print what came of it.

Belongs here: which CRMs, and the counts in words. Does not belong here: reading (``tasks.crm_sync``).
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer

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
from leadgate.connectors.crm_opening import open_crm
from leadgate.errors import ExitCode
from leadgate.nearest import propose
from leadgate.playbook import CrmConnection, Playbook
from tasks.crm_sync import SyncReport, read_crm


def sync(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One of the playbook's CRMs; all of them.")
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Read what changed in the playbook's CRMs since the last time, as signals. Exit code 4 when one cannot be read."""
    context: CommandContext = ctx.obj
    loaded = context.load_checked_playbook()
    at = parse_now(now)
    chosen = _choose(loaded.playbook, name)
    status = build_error_console().status("reading") if sys.stderr.isatty() else nullcontext()
    with status, context.ledger() as ledger:
        reports = [
            read_crm(ledger, loaded, each, lambda each=each: open_crm(each, os.environ), at)  # type: ignore[misc]
            for each in chosen
        ]
    if json:
        print_json({"crms": [asdict(each) | {"known": each.known} for each in reports]})
    else:
        _print_reports(reports)
    problems = [f"{each.crm}: {each.problem}" for each in reports if each.problem is not None]
    if problems:
        raise CommandError("\n".join(sanitise(each) for each in problems), ExitCode.INCOMPLETE)


def _choose(playbook: Playbook, name: str | None) -> list[CrmConnection]:
    read = [each for each in playbook.crm if each.reads is not None]
    if name is None:
        if not read:
            raise CommandError("the playbook reads no CRM; add crm[].reads", ExitCode.WRONG_INPUT)
        return read
    chosen = [each for each in read if each.name == name]
    if not chosen:
        known = [each.name for each in read]
        raise CommandError(f"{name!r} is no CRM that is read; {propose(name, known)}", ExitCode.WRONG_INPUT)
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
