"""``leadgate away`` and ``back``: a rep takes no leads for some time.

Belongs here: what was asked for, and saying what was done. Does not belong here: keeping it (``ledger.absences``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import By, For, Json, Now
from console.command_context import CommandContext, identify_actor, parse_now
from console.ends_of_waits import find_end
from console.lookup import describe_actor
from console.redaction import sanitise
from console.screen import CommandError, build_console, find_program, format_moment, print_json
from leadgate.actors import Actor
from leadgate.ledger import absences
from leadgate.ledger.clock import ask_time


def away(
    ctx: typer.Context,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help="When you are back; a date without a time means its morning. By default open.",
        ),
    ] = None,
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Say that a rep takes no leads from now on, until a moment or until they are back. Leads that they have stay
    theirs."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        who = identify_actor(playbook, acts_for)
        rep = _find_rep(who)
        at = ask_time(ledger, parse_now(now))
        end = None if until is None else find_end(until, rep, playbook)
        said = absences.go_away(ledger, rep, until=end, by=who, now=at, playbook=playbook)
    if json:
        print_json({"rep": rep, "away": True, "since": said.since, "until": said.until, **describe_actor(who)})
        return
    back = f"until {format_moment(said.until)} UTC" if said.until else "until they are back"
    build_console().print(
        f"{sanitise(rep, 80)} takes no leads {back}. What they have stays theirs. Next: {find_program()} back"
    )


def back(ctx: typer.Context, acts_for: For = None, by: By = None, json: Json = False, now: Now = None) -> None:
    """Say that a rep who was away takes leads again."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        who = identify_actor(loaded.playbook, acts_for)
        rep = _find_rep(who)
        was_away = absences.come_back(ledger, rep, by=who, now=ask_time(ledger, parse_now(now)))
    if json:
        print_json({"rep": rep, "away": False, "was_away": was_away, **describe_actor(who)})
        return
    words = "takes leads again" if was_away else "had not said that they were away; they take leads"
    build_console().print(f"{sanitise(rep, 80)} {words}.")


def _find_rep(who: Actor) -> str:
    rep = who.acts_for or who.rep
    if rep is None:
        raise CommandError(f"{sanitise(who.name, 80)} is none of the playbook's reps: --for REP says who is away")
    return rep
