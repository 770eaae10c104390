"""``leadgate crm setup``: create what CRMs lack for what the playbook writes there.

Belongs here: what was created and what is left, in words, and the exit code. Does not belong here: creating
(``tasks.crm.setup``).
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer

from console.cli.crm_check import choose_code, render_findings
from console.cli.crm_choice import Name, choose_crms
from console.cli.options import Json
from console.command_context import CommandContext
from console.redaction import sanitise
from console.screen import build_console, build_error_console, build_heading, build_table, print_json
from leadgate.connectors.crm_opening import open_crm
from tasks.crm.setup import SetupReport, set_up_connection


def setup(
    ctx: typer.Context,
    name: Name = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be created, and create nothing.")] = False,
    json: Json = False,
) -> None:
    """Create the fields that the playbook's CRMs lack, and tell what only a person can do. Exit 1 when something is
    left."""
    context: CommandContext = ctx.obj
    playbook = context.find_checked_playbook().playbook
    chosen = choose_crms(playbook, name)
    status = build_error_console().status("asking") if sys.stderr.isatty() else nullcontext()
    with status:
        reports = [
            set_up_connection(
                playbook,
                each,
                os.environ,
                lambda each=each: open_crm(each, os.environ),  # type: ignore[misc]
                dry_run=dry_run,
            )
            for each in chosen
        ]
    if json:
        print_json({"crms": [asdict(each) | {"is_ready": each.is_ready} for each in reports]})
    else:
        for report in reports:
            _render(report)
    if (code := choose_code(reports)) is not None:
        raise typer.Exit(code)


def _render(report: SetupReport) -> None:
    console = build_console()
    console.print(build_heading(sanitise(report.crm)))
    if report.created:
        table = build_table("of", "field", "type", "would be created" if report.dry_run else "created")
        for each in report.created:
            table.add_row(each.kind.value, sanitise(each.name, 100), each.type, "yes")
        console.print(table)
    else:
        console.print("No field that is written is missing, or can be created.")
    if report.findings:
        console.print("\nLeft for a person:" if report.was_asked else "")
        render_findings(report.findings)
    console.print("It could not be asked about everything.\n" if not report.was_asked else "")
