"""``leadgate playbook activate``, ``rollback``, ``reason`` and ``history``: which playbook is in use, by whom and why.

Belongs here: these commands. Does not belong here: activating a playbook (``tasks.playbook_in_use``), or keeping it
(``leadgate.ledger.playbook_activations``).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from console.cli.options import By, Json, Now
from console.cli.replay import read_since
from console.command_context import CommandContext, identify_actor, parse_now
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, format_moment, print_json
from leadgate.actors import Actor
from leadgate.ledger import Ledger, playbook_activations
from leadgate.ledger.clock import ask_time
from leadgate.ledger.playbook_activations import Activation
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import JourneyKind
from tasks.playbook_in_use import ActivationResult, describe_method, roll_back
from tasks.playbook_in_use import activate as activate_playbook

Reason = Annotated[str, typer.Option("--reason", metavar="WORDS", help="The reason, which the history shows.")]


def activate(
    ctx: typer.Context,
    reason: Reason,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to activate; by default the playbook's own file.")
    ] = None,
    although_cases_fail: Annotated[
        bool, typer.Option("--although-cases-fail", help="Activate it although cases fail; the history says so.")
    ] = False,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay",
            metavar="TIME",
            help="First replay the leads since TIME, such as 30d; the differences are kept with the reason.",
        ),
    ] = None,
    shadow: Annotated[
        Path | None,
        typer.Option(
            "--shadow", metavar="DRAFT", help="Have this draft decide beside it, in place of a shadow that runs."
        ),
    ] = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Make the content of a file the playbook in use, for every process. A playbook with problems or with failing cases
    is refused."""
    context: CommandContext = ctx.obj
    own = context.settings.playbook
    draft = None if shadow is None else _load_draft(context, shadow)
    if file is not None:
        context = CommandContext(replace(context.settings, playbook=file), context.home_is_default)
    loaded = context.load_checked_playbook()
    if draft is not None and draft.hash == loaded.hash:
        raise CommandError("the playbook and the draft of --shadow are the same, so nothing would differ")
    with context.ledger() as ledger:
        who = identify_actor(loaded.playbook)
        at = ask_time(ledger, parse_now(now))
        if replay is not None:
            reason = f"{reason} ({_describe_replay(ledger, loaded, read_since(replay, at))})"
        result = activate_playbook(
            ledger, loaded, reason, by=who, now=at, read_as=own, although_cases_fail=although_cases_fail
        )
        if draft is not None:
            _start_shadow(ledger, draft, reason, who, at, own)
    _print_result(result, "activate", as_json=json)
    if draft is not None and not json:
        build_console().print(
            f"Playbook {draft.hash[:12]} decides beside it, without any effect: {find_program()} shadow show",
            soft_wrap=True,
        )


def _load_draft(context: CommandContext, file: Path) -> LoadedPlaybook:
    """The draft of ``--shadow``, before anything is activated: one that could not be is refused."""
    from tasks.playbook_in_use import require_activatable

    own = context.settings.playbook
    draft = CommandContext(replace(context.settings, playbook=file), context.home_is_default).load_checked_playbook()
    require_activatable(draft, own)
    return draft


def _start_shadow(
    ledger: Ledger, draft: LoadedPlaybook, reason: str, who: Actor, at: datetime, own: Path | None
) -> None:
    from tasks.shadow import replace_shadow

    replace_shadow(ledger, draft, reason, by=who, now=at, read_as=own)


def _describe_replay(ledger: Ledger, loaded: LoadedPlaybook, since: datetime) -> str:
    from console.replay.words import describe_in_short
    from tasks.replay.results import replay_kinds

    return describe_in_short(replay_kinds(ledger, loaded, list(JourneyKind), used=loaded.playbook, since=since))


def rollback(
    ctx: typer.Context,
    reason: Reason,
    to: Annotated[
        str | None, typer.Option("--to", metavar="HASH", help="The playbook to go back to; by default the one before.")
    ] = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Make the playbook that was in use before the one in use again. No file is changed."""
    context: CommandContext = ctx.obj
    file = context.read_playbook()
    with context.ledger() as ledger:
        who = identify_actor(file.playbook)
        at = ask_time(ledger, parse_now(now))
        result = roll_back(ledger, reason, by=who, now=at, read_as=file.path, to=to)
    _print_result(result, "rollback", as_json=json)
    if not json and result.loaded.hash != file.hash:
        held = sanitise(str(file.path))
        build_console().print(
            f"{held} still holds playbook {file.hash[:12]}, and is not used until it is changed. To write the playbook "
            f"in use into it: {find_program()} playbook show active > {held}",
            soft_wrap=True,
        )


def reason(
    ctx: typer.Context,
    number: Annotated[
        int,
        typer.Argument(metavar="NUMBER", help="The number of the activation, as `leadgate playbook history` shows it."),
    ],
    reason: Reason,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Add a reason to an activation of a playbook afterwards."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        who = identify_actor(loaded.playbook)
        new = playbook_activations.add_reason(ledger, number, reason, by=who, now=ask_time(ledger, parse_now(now)))
    if json:
        print_json({"activation": number, "did": "reason", "by": who.name, "new": new})
    else:
        words = "is now on record with" if new else "was on record already with"
        build_console().print(f"The reason {words} activation {number}. Next: {find_program()} playbook history")


def history(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000, help="Show at most this many, the newest first.")
    ] = 20,
    json: Json = False,
) -> None:
    """List the playbooks that were in use: since when, by whom, how, and why."""
    context: CommandContext = ctx.obj
    with context.ledger() as ledger, ledger.transaction() as connection:
        found = playbook_activations.list_activations(connection, limit)
    if json:
        print_json({"activations": [asdict(each) for each in found]})
        return
    if not found:
        build_console().print("Nothing has worked by a playbook yet.")
        return
    rows = build_table("number", "playbook", "in use since (UTC)", "by", "how", "why", right=("number",))
    for place, each in enumerate(found):
        mark = " in use" if place == 0 else ""
        rows.add_row(
            str(each.id),
            each.hash[:12] + mark,
            format_moment(each.at),
            sanitise(each.by or "not recorded", 80),
            describe_method(each),
            _describe_reasons(each),
        )
    build_console().print(rows)


def _describe_reasons(each: Activation) -> str:
    if not each.reasons:
        return "no reason given"
    return "; ".join(
        sanitise(said.reason) if said.by == each.by else f"{sanitise(said.reason)} ({sanitise(said.by, 80)})"
        for said in each.reasons
    )


def _print_result(result: ActivationResult, command: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "did": command,
                "activation": result.number,
                "hash": result.loaded.hash,
                "before": result.before,
                "new": result.new,
                "reason_added": result.reason_added,
            }
        )
        return
    hash_ = result.loaded.hash[:12]
    if result.new:
        build_console().print(
            f"Playbook {hash_} is in use from now on (activation {result.number}): the next batch of every process is "
            "decided by it.",
            soft_wrap=True,
        )
        if result.before is not None:
            build_console().print(
                f"What changed: {find_program()} playbook diff {result.before[:12]} {hash_}", soft_wrap=True
            )
    elif result.reason_added:
        build_console().print(
            f"Playbook {hash_} was in use already; the reason is kept with activation {result.number}."
        )
    else:
        build_console().print(
            f"Playbook {hash_} is in use already, with a reason; nothing was changed. To add another reason: "
            f"{find_program()} playbook reason {result.number} --reason WORDS",
            soft_wrap=True,
        )
