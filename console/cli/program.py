"""The program ``leadgate``: its top-level options, and what an error means for the shell.

Belongs here: what holds for every command. Does not belong here: a command (a file each), or which there are
(``commands``).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from console.cli.commands import LazyGroup
from console.cli.version import version as print_version
from console.command_context import CommandContext
from console.made_files import keep_files_private
from console.screen import CommandError, say
from leadgate.errors import ExitCode, LeadgateError

_EPILOG = (
    "Exit codes: 0 done · 1 a check found something broken · 2 wrong input or usage, nothing was changed · "
    "3 PostgreSQL, Prefect, a CRM or a port cannot be used · 4 some files were captured, and others not or in part · "
    "130 interrupted, what was stored stays · 141 the reader of the output went away."
)

#: New objects before the interpreter looks for cycles among them, and collections of younger ones before it looks at
#: older ones. With Python's 700, 10 and 10 it looks at what was imported again and again: a seventh of the CPU time
#: that a command takes until it can run stages.
_COLLECTED_AFTER: Final = (50_000, 20, 20)


class Commands(LazyGroup):
    """The commands, with every expected error as one message on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_interrupted()
        except Exception as error:
            if _is_interrupted(error):
                _say_interrupted()
            explained = _explain(error)
            if explained is None:
                raise
            say(explained[0])
            raise typer.Exit(explained[1]) from error


def _is_interrupted(error: BaseException) -> bool:
    """Whether ctrl-C is behind ``error``: it can strike in the middle of a statement, and the clean-up then
    fails with an error of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _say_interrupted() -> NoReturn:
    say("Interrupted. What was stored stays; `leadgate run` continues where this stopped.")
    raise typer.Exit(ExitCode.INTERRUPTED) from None


def _explain(error: Exception) -> tuple[str, int] | None:
    """What an error means for a person, and the exit code; None for one that nobody expected."""
    if isinstance(error, LeadgateError):
        return str(error), error.exit_code
    if isinstance(error, BrokenPipeError):
        return None  # `leadgate queue | head`: typer ends quietly
    if (told := _explain_ledger_error(error)) is not None:
        return told, ExitCode.UNREACHABLE
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. What was stored stays.", ExitCode.WRONG_INPUT
    return None


def _explain_ledger_error(error: Exception) -> str | None:
    """What an error of the ledger means; None for any other. No ledger, no such error: nothing is imported for it."""
    if "leadgate.ledger.faults" not in sys.modules:
        return None
    from sqlalchemy.exc import DBAPIError

    from leadgate.ledger import faults
    from leadgate.ledger.database import explain_database_error

    if isinstance(error, DBAPIError):
        return explain_database_error(error)
    return None if faults.judge(error) == "ours" else str(error)


app = typer.Typer(
    cls=Commands,
    help="Take leads from capture to an owner who has followed up, with a quality gate at every stage.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


def _build_json_defaults(name: str, command: Any) -> dict[str, Any]:
    """``--json`` before a command, as its defaults. Raises ``CommandError`` for one that prints no JSON."""
    parts: dict[str, Any] = getattr(command, "commands", {})
    if not parts and not any(parameter.name == "json" for parameter in command.params):
        raise CommandError(f"`{name}` prints no JSON; leave --json out")
    return {part: {"json": True} for part in parts} or {"json": True}


@app.callback()
def leadgate(
    ctx: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="FOLDER", help="The data folder, in place of LEADGATE_HOME."),
    ] = None,
    playbook: Annotated[
        Path | None,
        typer.Option("--playbook", metavar="FILE", help="The playbook, in place of LEADGATE_PLAYBOOK."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; may also be written after the command.")] = False,
) -> None:
    name = ctx.invoked_subcommand
    if json and name is not None:
        ctx.default_map = {name: _build_json_defaults(name, ctx.command.get_command(ctx, name))}  # type: ignore[attr-defined]
    ctx.obj = CommandContext.from_options(home, playbook)


def main() -> NoReturn:
    """The program ``leadgate``: runs a command, and ends the process."""
    try:
        run()
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        _leave(end.code or 0)
    _leave(0)


def run() -> None:
    """Run the command that ``sys.argv`` names. Raises ``SystemExit`` as it ends."""
    gc.set_threshold(*_COLLECTED_AFTER)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name still shows the rest
    keep_files_private()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _end_without_reader()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer would end with the code of a broken invariant
            _end_without_reader()
        raise


def _leave(code: int) -> NoReturn:
    """End as the interpreter does, with its threads waited for and its exit handlers called, and then at once: taking
    apart all that was imported would be a fifth of the CPU time of a command that runs leads."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    finally:
        os._exit(code)


def _end_without_reader() -> NoReturn:
    """End as a program does whose reader has gone (``leadgate queue | head``), and say nothing more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more when it ends
    raise SystemExit(ExitCode.READER_GONE)
