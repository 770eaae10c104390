"""``leadgate quality``: pages about what gates found.

Belongs here: asking for a build, and saying where it is. Does not belong here: building (``tasks.data_docs``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import Json
from console.command_context import CommandContext
from console.screen import build_console, find_program, print_json
from console.web.addresses import build_address
from leadgate.ledger.clock import ask_time


def docs(
    ctx: typer.Context,
    latest: Annotated[
        int, typer.Option("--latest", metavar="N", min=0, max=200, help="Show the latest N validations of each gate.")
    ] = 20,
    json: Json = False,
) -> None:
    """Build Great Expectations' Data Docs now: suites and latest validations, as counts. The console shows them."""
    from tasks.data_docs import build_data_docs, describe_build  # imports Prefect, and ``--help`` needs none

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        report = build_data_docs(ledger, loaded, ask_time(ledger), latest)
    address = f"{build_address(context.settings)}/quality/data-docs/"
    if json:
        print_json(
            {
                "folder": str(report.folder),
                "address": address,
                "built_at": report.built_at.isoformat(),
                "suites": report.suites,
                "validations": report.validations,
                "seconds": round(report.seconds, 3),
            }
        )
        return
    console = build_console()
    console.print(f"{describe_build(report)}\n{report.folder}", soft_wrap=True, highlight=False)
    console.print(f"\nNext\n  read them\n    {find_program()} up, and open {address}", soft_wrap=True, highlight=False)
