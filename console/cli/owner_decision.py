"""``leadgate accept`` and ``reject``: what the owner of a lead or a record decides about it.

Belongs here: what was asked for, whether the owner may say it, and saying what was done. Does not belong here:
doing it (``ledger.ownership``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.going_on import go_on, tell
from console.cli.options import By, For, Json, Later, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, parse_now
from console.lookup import describe_actor, identify_journey_actor, resolve_journey
from console.redaction import sanitise
from console.screen import CommandError, build_console, find_program, print_json
from leadgate.ledger import ownership
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_history import find_subject
from leadgate.nearest import propose
from leadgate.vocabulary import ActionKind


def accept(
    ctx: typer.Context,
    lead: Lead,
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Accept a lead or a record as its owner. An operator does so for the owner, with --for."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, playbook)
        who = identify_journey_actor(ledger, journey, playbook, acts_for)
        number = ownership.accept(ledger, journey, by=who, now=at)
        standing = go_on(context, ledger, loaded, [journey], parse_now(now), later=later)
    if json:
        data = {"journey_id": journey, "did": ActionKind.ACCEPT, **describe_actor(who), "action": number}
        print_json({**data, "standing": standing})
    else:
        build_console().print(
            f"J{journey} accepted by {sanitise(who.in_words, 160)}. Next: {find_program()} explain J{journey}"
        )
        tell(standing, 0)
        build_console().print(describe_undo(ActionKind.ACCEPT, number))


def reject(
    ctx: typer.Context,
    lead: Lead,
    reason: Annotated[
        str, typer.Option("--reason", help="The reason: one of the playbook's reasons to reject a lead.")
    ],
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Give a lead or a record back as its owner. An operator does so for the owner, with --for."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        journey = resolve_journey(ledger, lead, playbook)
        about = find_subject(ledger, journey).kind
        rules = {each.name: each for each in playbook.for_kind(about).follow_up.reject_reasons}
        if reason not in rules:
            raise CommandError(f"{reason!r} is no reason to reject this {about}; {propose(reason, rules)}")
        at = ask_time(ledger, parse_now(now))
        who = identify_journey_actor(ledger, journey, playbook, acts_for)
        done = ownership.reject(ledger, journey, by=who, now=at, reason=reason, playbook=playbook)
        standing = go_on(context, ledger, loaded, [journey], parse_now(now), later=later)
    if json:
        print_json(
            {
                "journey_id": journey,
                "did": ActionKind.REJECT,
                **describe_actor(who),
                "reason": reason,
                "goes_to": done.goes_to,
                "turn_back_in": done.turn_back_in,
                "action": done.action,
                "standing": standing,
            }
        )
    else:
        finds = f"; `{find_program()} run` finds one" if done.waits and later else ""
        by = sanitise(who.in_words, 160)
        build_console().print(f"J{journey} rejected by {by} ({reason}): the {about} goes to {done.goes_to}{finds}.")
        if done.turn_back_in is not None:
            build_console().print(f"The turn that it took in pool {sanitise(done.turn_back_in)} is given back.")
        tell(standing, 0)
        build_console().print(describe_undo(ActionKind.REJECT, done.action))
