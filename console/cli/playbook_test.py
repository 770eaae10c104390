"""``leadgate playbook test``: whether the leads of a playbook's cases get what the cases expect.

Belongs here: what was asked for. Does not belong here: trying cases (``tasks.playbook_cases``), or what is said of them
(``console.case_words``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import Json
from console.command_context import CommandContext
from console.made_files import as_the_user_makes_files
from console.screen import CommandError, print_json
from leadgate.errors import ExitCode
from leadgate.playbook.cases import CASES_FOLDER_NAME
from leadgate.playbook.loading import CASES_FILE_NAME


def test(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The playbook to test; by default the playbook's file.")
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Also write the results to FILE, as JUnit XML for a CI server."),
    ] = None,
    json: Json = False,
) -> None:
    """Test whether the leads of the playbook's cases get what the cases expect; exit 1 when one does not.

    The cases are in cases.yaml beside the playbook, and in files of the folder cases. No ledger is needed, and nothing
    is stored: each lead finds pools at the beginning of their turns, and reps without leads.
    """
    from console.case_words import build_case_json, show_cases, write_junit
    from tasks.playbook_cases import try_cases

    context: CommandContext = ctx.obj
    if file is not None:
        context = CommandContext(replace(context.settings, playbook=file))
    loaded = context.load_checked_playbook()
    tried = try_cases(loaded)
    if not tried:
        raise CommandError(
            f"there are no cases beside {loaded.path}: write them into {loaded.folder / CASES_FILE_NAME}, or into "
            f"files of the folder {CASES_FOLDER_NAME} there; docs/playbook.md has an example"
        )
    if junit is not None:
        try:
            with as_the_user_makes_files():
                write_junit(tried, junit)
        except OSError as error:
            raise CommandError(f"{junit} cannot be written: {error.strerror}") from None
    if json:
        print_json({"hash": loaded.hash, **build_case_json(tried)})
    else:
        show_cases(tried)
    if any(each.failed for each in tried):
        raise typer.Exit(ExitCode.BROKEN)
