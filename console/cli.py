"""The command line: which commands and options there are, and what an error means for the shell.

Belongs here: signatures and exit codes. Does not belong here: what a command does (one module each, imported
when it is called: ``leadgate --help`` must not wait for pandas or Prefect).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from console import cli_follow_up, cli_matching, cli_reassignment, cli_report, cli_secret
from console.command_context import CommandContext
from console.made_files import keep_files_private
from console.options import (
    Batch,
    By,
    Different,
    For,
    ItemIds,
    Items,
    Json,
    Later,
    Lead,
    Now,
    Personal,
    Reason,
    SameAs,
    Source,
    Stage,
)
from console.screen import CommandError, say
from leadgate.errors import ExitCode, LeadgateError

_EPILOG = (
    "Exit codes: 0 done · 1 a check found something broken · 2 wrong input or usage, nothing was changed · "
    "3 PostgreSQL, Prefect or a port cannot be used · 4 some files were captured, and others not or in part · "
    "130 interrupted, what was stored stays · 141 the reader of the output went away."
)


class Commands(TyperGroup):
    """The commands, with every expected error as one message on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_interrupted()
        except Exception as error:
            if _interrupted(error):
                _say_interrupted()
            explained = _explained(error)
            if explained is None:
                raise
            say(explained[0])
            raise typer.Exit(explained[1]) from error


def _interrupted(error: BaseException) -> bool:
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


def _explained(error: Exception) -> tuple[str, int] | None:
    """What an error means for a person, and the exit code; None for one that nobody expected."""
    if isinstance(error, LeadgateError):
        return str(error), error.exit_code
    if isinstance(error, BrokenPipeError):
        return None  # `leadgate queue | head`: typer ends quietly
    if (told := _of_the_ledger(error)) is not None:
        return told, ExitCode.UNREACHABLE
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. What was stored stays.", ExitCode.WRONG_INPUT
    return None


def _of_the_ledger(error: Exception) -> str | None:
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
    help="A governed path from a captured lead to an owner who has followed up.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
playbook_app = typer.Typer(help="Check, show or copy the playbook.", no_args_is_help=True)
app.add_typer(playbook_app, name="playbook")


def _tell_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


def _defaults_for_json(name: str, command: Any) -> dict[str, Any]:
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
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and end.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; may stand behind the command, too.")] = False,
) -> None:
    name = ctx.invoked_subcommand
    if json and name is not None:
        ctx.default_map = {name: _defaults_for_json(name, ctx.command.commands[name])}  # type: ignore[attr-defined]
    ctx.obj = CommandContext.of(home, playbook)


@app.command()
def capture(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, TSV, JSON, JSON lines or XLSX.")],
    source: Annotated[str, typer.Option("--source", "-s", metavar="NAME", help="One of the playbook's sources.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how the files would be read, and store nothing.")
    ] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Store the rows of files as signals. The same row again is no second signal.

    A file that cannot be read is skipped and named at the end, and the others are captured: exit code 4, or 2 when
    nothing was. Only regular files are read, no pipes; each in a process of its own, with limits of memory
    (LEADGATE_FILE_MEMORY_MB) and time (LEADGATE_FILE_SECONDS, LEADGATE_FILE_SILENT_SECONDS).
    """
    from console import capture as command

    command.capture(ctx.obj, files, source, dry_run=dry_run, as_json=json, now=now)


@app.command()
def run(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Take whatever waits through its stages, then check what is owned."""
    from console import running as command

    command.run(ctx.obj, as_json=json, now=now)


@app.command()
def up(ctx: typer.Context) -> None:
    """Keep everything running on this machine: PostgreSQL, Prefect, intake, schedules, HTTP capture."""
    from console.service import up as command

    command.up(ctx.obj)


@app.command()
def work(ctx: typer.Context) -> None:
    """Take leads through the stages all day, in this process; `leadgate up` does this and more."""
    from console import working as command

    command.work(ctx.obj)


@app.command()
def worker(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many runs at a time.")] = 2,
) -> None:
    """Run what is scheduled, and what is started in the Prefect UI; Leadgate's own flows only."""
    from console import working as command

    command.run_worker(ctx.obj, limit)


@app.command()
def status(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Show what runs and what waits, and how old the oldest is; exit 1 when leads wait and no process takes them."""
    from console import status as command

    if not command.show(ctx.obj, as_json=json, now=now):
        raise typer.Exit(ExitCode.BROKEN)


@app.command()
def deliver(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Send the messages that wait in the outbox, to the addresses of the playbook's notifications."""
    from console import deliver as command

    command.deliver(ctx.obj, as_json=json, now=now)


@app.command()
def listen(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="The port, in place of LEADGATE_CAPTURE_PORT.")
    ] = None,
) -> None:
    """HTTP capture alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else."""
    from console.http import listening as command

    command.listen(ctx.obj, port)


@app.command()
def summary(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """What became of everything that was captured, on one screen."""
    from console import summary as command

    command.show(ctx.obj, as_json=json, now=now)


cli_report.register(app)


@app.command()
def explain(ctx: typer.Context, lead: Lead, json: Json = False, now: Now = None) -> None:
    """One lead: what triggered it, who owns it and why, what proves it, what happens when it fails."""
    from console.explain import command

    command.show(ctx.obj, lead, as_json=json, now=now)


@app.command()
def queue(
    ctx: typer.Context,
    reason: Reason = None,
    stage: Stage = None,
    route: Annotated[str | None, typer.Option("--route", help="Those that this route decides.")] = None,
    assignee: Annotated[str | None, typer.Option("--assignee", help="Those that this person has taken.")] = None,
    source: Source = None,
    due_before: Annotated[
        str | None, typer.Option("--due-before", metavar="MOMENT", help="Those due before this moment (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")] = 50,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all of them to FILE, safe for spreadsheets."),
    ] = None,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Open work items, oldest due first: what is wrong, who decides, by when (on this computer's clock)."""
    from console import queue as command

    wanted = command.wanted(
        reason=reason, stage=stage, route=route, assignee=assignee, source=source, due_before=due_before
    )
    command.show(ctx.obj, wanted, limit=limit, csv_file=csv, personal=show_personal, as_json=json, now=now)


@app.command()
def rerun(
    ctx: typer.Context,
    items: ItemIds = None,
    work_item: Items = None,
    reason: Reason = None,
    stage: Stage = None,
    source: Source = None,
    batch: Batch = None,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; may be repeated."),
    ] = None,
    proposed: Annotated[bool, typer.Option("--proposed", help="Correct as each work item proposes.")] = False,
    done_by_hand: Annotated[
        str | None,
        typer.Option("--done-by-hand", metavar="EVIDENCE", help="It was done by hand; this proves it."),
    ] = None,
    discard: Annotated[
        str | None, typer.Option("--discard", metavar="REASON", help="End the journeys, for this reason.")
    ] = None,
    same: SameAs = None,
    different: Different = False,
    by: By = None,
    later: Later = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it to several work items at once.")] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Let held leads try their stage again: as they are, corrected, or done by hand. Or discard them."""
    from console import queue
    from console import rerun as command

    command.rerun(
        ctx.obj,
        queue.wanted(ids=[*(items or ()), *(work_item or ())], reason=reason, stage=stage, source=source, batch=batch),
        command.WorkItemResolution(
            command.fields_of(corrections or []), proposed, done_by_hand, discard, same, different
        ),
        yes=yes,
        later=later,
        as_json=json,
        now=now,
    )


class WordsOptional(TyperCommand):
    """A command whose ``--approve`` may stand without words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        for position in range(len(given) - 1, -1, -1):
            following = given[position + 1 : position + 2]
            if given[position] == "--approve" and (not following or following[0].startswith("--")):
                given.insert(position + 1, "")
        return super().parse_args(ctx, given)


@app.command(cls=WordsOptional)
def review(
    ctx: typer.Context,
    work_item: Annotated[
        str | None, typer.Argument(metavar="[W12]", help="A work item; else all that wait are listed.")
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="[WORDS]", help="It goes on; the words say what you looked at."),
    ] = None,
    reject: Annotated[str | None, typer.Option("--reject", metavar="REASON", help="End it, for this reason.")] = None,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; may be repeated."),
    ] = None,
    proposed: Annotated[bool, typer.Option("--proposed", help="Correct it as the work item proposes.")] = False,
    take: Annotated[bool, typer.Option("--take", help="You decide it, so it is not escalated.")] = False,
    same: SameAs = None,
    different: Different = False,
    by: By = None,
    later: Later = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most this many.")] = 50,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """What waits for a reviewer, with what there is to decide by; and the decision."""
    from console import review as command

    command.review(
        ctx.obj,
        work_item,
        command.Decision.of(
            approve, reject, corrections or [], take=take, same=same, different=different, proposed=proposed
        ),
        later=later,
        limit=limit,
        personal=show_personal,
        as_json=json,
        now=now,
    )


@app.command()
def accept(
    ctx: typer.Context,
    lead: Lead,
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """The owner takes the lead. An operator acts for them, with --for."""
    from console import rerun as command

    command.accept(ctx.obj, lead, acts_for=acts_for, later=later, as_json=json, now=now)


@app.command()
def reject(
    ctx: typer.Context,
    lead: Lead,
    reason: Annotated[str, typer.Option("--reason", help="One of the playbook's reasons to reject a lead.")],
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """The owner gives the lead back. An operator acts for them, with --for."""
    from console import rerun as command

    command.reject(ctx.obj, lead, reason=reason, acts_for=acts_for, later=later, as_json=json, now=now)


cli_reassignment.register(app)
cli_follow_up.register(app)


@app.command()
def verify(
    ctx: typer.Context,
    whole: Annotated[
        bool, typer.Option("--whole", help="Look for the personal values of all leads, not of the latest 20,000 alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Check the ledger's invariants; exit 1 when one is broken."""
    from console import verify as command

    if not command.verify(ctx.obj, whole=whole, as_json=json):
        raise typer.Exit(ExitCode.BROKEN)


@playbook_app.command("check")
def playbook_check(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Else the playbook in use.")] = None,
    json: Json = False,
) -> None:
    """Name every problem with its file and line; exit 2 when there is one."""
    from console import playbooks as command

    if not command.check(ctx.obj, file, as_json=json):
        raise typer.Exit(ExitCode.WRONG_INPUT)


@playbook_app.command("show")
def playbook_show(
    ctx: typer.Context,
    hash_: Annotated[
        str | None,
        typer.Argument(metavar="[HASH]", help="One that decided earlier, by its hash or the start of it."),
    ] = None,
    json: Json = False,
) -> None:
    """The playbook in use, or one that decided earlier."""
    from console import playbooks as command

    command.show(ctx.obj, hash_, as_json=json)


@playbook_app.command("init")
def playbook_init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to; else this folder.")] = Path(),
) -> None:
    """Copy the bundled playbook, to be changed to what your team agrees on."""
    from console import playbooks as command

    command.init(folder)


@app.command()
def version() -> None:
    """The version of Leadgate."""
    from importlib.metadata import version as installed

    typer.echo(installed("leadgate"))


cli_matching.register(app)
cli_secret.register(app)


def main() -> None:
    """The program ``leadgate``."""
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


def _end_without_reader() -> NoReturn:
    """End as a program does whose reader has gone (``leadgate queue | head``), and say nothing more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more when it ends
    raise SystemExit(ExitCode.READER_GONE)


if __name__ == "__main__":
    main()
