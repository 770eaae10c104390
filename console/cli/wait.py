"""``leadgate wait`` and ``resume``: an owner stops and starts the clocks of a lead or a record.

Belongs here: what was asked for, whether it can be meant, and saying what was done. Does not belong here: doing it
(``ledger.ownership``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import By, For, Json, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, parse_now
from console.ends_of_waits import find_end
from console.lookup import describe_actor, identify_journey_actor, resolve_journey
from console.screen import build_console, find_program, format_moment, print_json
from leadgate.ledger import lead_history, ownership
from leadgate.ledger.clock import ask_time
from leadgate.vocabulary import ActionKind


def wait(
    ctx: typer.Context,
    lead: Lead,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="DATE", help="When the clocks run on; a date without a time means the owner's morning."
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="What you wait for, in your own words.")] = "",
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Stop the clocks of a lead or a record until a date, or until the lead does something or sends a new signal."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, playbook)
        who = identify_journey_actor(ledger, journey, playbook, acts_for)
        end = find_end(until, lead_history.find_owner(ledger, journey), playbook)
        number = ownership.wait(ledger, journey, until=end, reason=reason.strip(), by=who, now=at)
        name = lead_history.find_subject(ledger, journey).name(journey)
    if json:
        print_json(
            {"journey_id": journey, "did": ActionKind.WAIT, **describe_actor(who), "until": end, "action": number}
        )
    else:
        build_console().print(
            f"The clocks of {name} stand still until {format_moment(end)} UTC, or until it is heard of. "
            f"Next: {find_program()} explain J{journey}"
        )
        build_console().print(describe_undo(ActionKind.WAIT, number))


def resume(
    ctx: typer.Context, lead: Lead, acts_for: For = None, by: By = None, json: Json = False, now: Now = None
) -> None:
    """End the wait for a lead or a record: its clocks run on."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, playbook)
        who = identify_journey_actor(ledger, journey, playbook, acts_for)
        number = ownership.resume(ledger, journey, by=who, now=at)
        name = lead_history.find_subject(ledger, journey).name(journey)
    if json:
        print_json({"journey_id": journey, "did": ActionKind.RESUME, **describe_actor(who), "action": number})
    else:
        build_console().print(f"The clocks of {name} run again. Next: {find_program()} explain J{journey}")
        build_console().print(describe_undo(ActionKind.RESUME, number))
