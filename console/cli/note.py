"""``leadgate note``: what somebody writes about a lead, kept with it.

Belongs here: what was asked for, and saying what was done. Does not belong here: keeping it (``ledger.notes``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import By, For, Json, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, parse_now
from console.lookup import describe_actor, identify_journey_actor, resolve_journey
from console.redaction import sanitise
from console.screen import build_console, find_program, print_json
from leadgate.ledger import notes
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_history import find_subject
from leadgate.vocabulary import ActionKind


def note(
    ctx: typer.Context,
    lead: Lead,
    words: Annotated[str, typer.Option("--words", metavar="WORDS", help="The note; it is kept with the lead.")],
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Write a note about a lead. It is kept with the lead, and `leadgate explain` shows it."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, playbook)
        who = identify_journey_actor(ledger, journey, playbook, acts_for)
        done = notes.write_note(ledger, journey, words, by=who, now=at)
        name = find_subject(ledger, journey).name(journey)
    if json:
        data = {"journey_id": journey, "did": ActionKind.NOTE, **describe_actor(who)}
        print_json({**data, "new": done.new, "action": done.action})
        return
    what = "Kept with" if done.new else "Known already of"
    build_console().print(f"{what} {name}, by {sanitise(who.in_words, 160)}. Next: {find_program()} explain J{journey}")
    build_console().print(describe_undo(ActionKind.NOTE, done.action))
