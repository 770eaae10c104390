"""``leadgate playbook``: check, show, init.

Belongs here: printing what loading and checking found. Does not belong here: finding it
(``leadgate.playbook``, ``leadgate.playbook.check``).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from console.cli.options import Json
from console.cli.playbook_diff import find_playbook
from console.command_context import CommandContext
from console.made_files import as_the_user_makes_files
from console.redaction import sanitise
from console.screen import build_console, find_program, print_json, say
from leadgate import playbook
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.cases import has_cases
from leadgate.playbook.yaml_text import PlaybookError, Problem

if TYPE_CHECKING:
    from tasks.case_results import TriedCase


def check(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The playbook to check; by default the one in use.")
    ] = None,
    json: Json = False,
) -> None:
    """Name every problem of a playbook with its file and line; exit 2 when there is one. Its cases are tried, too."""
    if not _check(ctx.obj, file, as_json=json):
        raise typer.Exit(ExitCode.WRONG_INPUT)


def _check(context: CommandContext, file: Path | None, *, as_json: bool) -> bool:
    """The command. Whether the playbook can be run by; notes do not count."""
    from expectations import list_promise_names
    from leadgate.playbook.check import check as find_problems  # slow to import, and ``show`` checks nothing
    from leadgate.playbook.check.secrets import check_values

    if file is not None:
        context = CommandContext(replace(context.settings, playbook=file))
    digest: str | None = None
    tried: list[TriedCase] = []
    try:
        loaded = context.read_playbook()
    except PlaybookError as error:
        problems: list[Problem] = list(error.problems)
    else:
        digest = loaded.hash
        problems = [*find_problems(loaded, promises=list_promise_names()), *check_values(loaded, os.environ)]
        if all(problem.note for problem in problems) and has_cases(loaded):
            tried, failed = _try_cases(loaded)
            problems += failed
        problems.sort()
    wrong = [problem for problem in problems if not problem.note]
    if as_json:
        found = [
            {
                "file": problem.file,
                "line": problem.line,
                "key": problem.key,
                "message": problem.message,
                "note": problem.note,
            }
            for problem in problems
        ]
        cases = {"cases": len(tried), "cases_failed": sum(each.failed for each in tried)}
        print_json({"ok": not wrong, "hash": digest, "problems": found, **cases})
        return not wrong
    for problem in problems:
        say(f"note: {problem}" if problem.note else str(problem))
    if wrong:
        count = format_count(len(wrong), "problem", "problems")
        say(f"{count}; until it is sound, nothing runs by this playbook.")
    else:
        cases_said = f" {_describe_cases(tried)}" if tried else ""
        build_console().print(
            f"{sanitise(str(loaded.path))} is sound. Its hash is {loaded.hash[:12]}.{cases_said}", soft_wrap=True
        )
    return not wrong


def _try_cases(loaded: LoadedPlaybook) -> tuple[list[TriedCase], list[Problem]]:
    """The cases, and what is wrong with them; nothing is tried where their files cannot be used."""
    from tasks.playbook_cases import list_problems, try_cases  # slow to import, and many playbooks have none

    try:
        tried = try_cases(loaded)
    except PlaybookError as error:
        return [], list(error.problems)
    return tried, list_problems(tried)


def _describe_cases(tried: list[TriedCase]) -> str:
    from console.case_words import describe_result

    return describe_result(tried)


def show(
    ctx: typer.Context,
    hash_: Annotated[
        str | None,
        typer.Argument(
            metavar="[HASH]", help="The hash of a playbook that decided earlier, or its start; or `active`."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the playbook of the file, or one that decided earlier."""
    context: CommandContext = ctx.obj
    loaded = context.playbook() if hash_ is None else find_playbook(context, hash_)
    if json:
        print_json({"hash": loaded.hash, "playbook": orjson.loads(loaded.canonical)})
        return
    console = build_console()
    console.print(f"# {sanitise(str(loaded.path))}, hash {loaded.hash}", soft_wrap=True)
    for line in loaded.text.splitlines():
        console.print(sanitise(line), soft_wrap=True)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="The folder for the copy; by default this folder.")
    ] = Path(),
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Copy a small playbook of about 40 lines instead.")
    ] = False,
) -> None:
    """Copy the bundled playbook and its cases into a folder, to be changed to what your team agrees on."""
    with as_the_user_makes_files():
        written = playbook.copy_minimal(folder) if minimal else playbook.copy_default(folder)
    console = build_console()
    for path in written:
        console.print(f"wrote {sanitise(str(path))}", soft_wrap=True)
    console.print(
        f"\nNext: change it to what your team agrees on, then {find_program()} playbook check", soft_wrap=True
    )
