"""``leadgate verify``: the ledger's invariants, each with its count.

Belongs here: the table. Does not belong here: the invariants (``ledger.verify``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from console.cli.options import Json
from console.command_context import CommandContext
from console.screen import build_console, build_table, print_json
from leadgate.errors import ExitCode
from leadgate.ledger import verify as invariants


def verify(
    ctx: typer.Context,
    whole: Annotated[
        bool, typer.Option("--whole", help="Search for personal values of all leads, not only of the latest 20,000.")
    ] = False,
    json: Json = False,
) -> None:
    """Check the ledger's invariants; exit 1 when one is broken."""
    if not _verify(ctx.obj, whole=whole, as_json=json):
        raise typer.Exit(ExitCode.BROKEN)


def _verify(context: CommandContext, *, whole: bool, as_json: bool) -> bool:
    """The command. Whether every invariant holds."""
    with context.ledger() as ledger:
        findings = invariants.verify(ledger, whole=whole)
    broken = [finding for finding in findings if finding.broken]
    if as_json:
        print_json({"holds": not broken, "invariants": [asdict(finding) for finding in findings]})
        return not broken
    console = build_console()
    made = build_table("invariant", "checked", "broken", right=("checked", "broken"))
    for finding in findings:
        made.add_row(finding.words, f"{finding.checked:,}", f"{finding.broken:,}")
    console.print(made)
    if broken:
        names = ", ".join(finding.name for finding in broken)
        console.print(f"\n{len(broken)} of {len(findings)} invariants are broken: {names}.")
    else:
        console.print(f"\nAll {len(findings)} invariants hold.")
    return not broken
