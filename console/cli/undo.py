"""``leadgate undo``: an action taken back, and what each action says about its undo.

Belongs here: what was asked for, and words. Does not belong here: taking it back (``ledger.undo``).
"""

from __future__ import annotations

from dataclasses import asdict

import typer

from console.cli.going_on import go_on, tell
from console.cli.options import ActionId, By, For, Json, Later, Now
from console.command_context import CommandContext, identify_actor, parse_now
from console.lookup import describe_actor
from console.redaction import sanitise
from console.screen import build_console, find_program, print_json, say
from leadgate.counting import format_count
from leadgate.ledger import undo as ways
from leadgate.ledger.clock import ask_time
from leadgate.vocabulary import ActionKind

_MOST_SHOWN = 20


def undo(
    ctx: typer.Context,
    action: ActionId,
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Undo an action, by the number that is printed after it, as long as nothing else has happened since."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        who = identify_actor(
            playbook, acts_for, also=() if acts_for is None else ways.list_action_owners(ledger, action)
        )
        done = ways.undo(ledger, action, by=who, now=at)
        standing = go_on(context, ledger, loaded, done.journeys, parse_now(now), later=later)
    if json:
        print_json({**asdict(done), "did": ActionKind.UNDO, **describe_actor(who), "standing": standing})
        return
    for journey, why in list(done.left.items())[:_MOST_SHOWN]:
        say(f"left alone: J{journey} {why}")
    if len(done.left) > _MOST_SHOWN:
        say(f"and {len(done.left) - _MOST_SHOWN:,} more (--json lists them)")
    journeys = (
        f"J{done.journeys[0]}" if len(done.journeys) == 1 else format_count(len(done.journeys), "journey", "journeys")
    )
    what = done.what.replace("_", " ")
    console = build_console()
    console.print(f"A{action} ({what}) undone for {journeys} by {sanitise(who.in_words, 160)}.")
    tell(standing, 0)
    console.print(f"Next: {find_program()} explain J{done.journeys[0]}")


def describe_undo(what: ActionKind, number: int | None) -> str:
    """The line after an action: the command that takes it back, or why there is none."""
    if number is None or what not in ways.UNDOABLE:
        return f"This cannot be undone: {ways.NO_UNDO[what]}." if what in ways.NO_UNDO else ""
    return f"Undo: {find_program()} undo A{number}"
