"""``leadgate unjoin``: a signal that was taken for a known lead's goes its own way again.

Belongs here: which journey is meant, and saying what was done. Does not belong here: doing it (``ledger.joins``).
"""

from __future__ import annotations

from dataclasses import asdict

import typer

from console.cli.going_on import go_on, tell
from console.cli.options import By, Json, Later, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, identify_actor, parse_now
from console.lookup import resolve_journey
from console.redaction import sanitise
from console.screen import build_console, print_json
from leadgate.ledger import joins
from leadgate.ledger.clock import ask_time
from leadgate.vocabulary import ActionKind


def unjoin(
    ctx: typer.Context, lead: Lead, by: By = None, later: Later = False, json: Json = False, now: Now = None
) -> None:
    """Undo a join: the signal of this journey (J12) is about another person, and its journey goes on."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        who = identify_actor(playbook)
        at = ask_time(ledger, parse_now(now))
        done = joins.unjoin(ledger, resolve_journey(ledger, lead, playbook), by=who, now=at)
        standing = go_on(context, ledger, loaded, [done.journey_id], parse_now(now), later=later)
    if json:
        print_json(asdict(done) | {"did": ActionKind.UNJOIN, "by": who.name, "standing": standing})
        return
    fields = ", ".join(done.restored)
    restored = f" Of lead {done.lead_id} these fields are as before: {fields}." if fields else ""
    build_console().print(
        f"J{done.journey_id} is no longer taken for lead {done.lead_id}, by {sanitise(who.name, 80)}.{restored} "
        "It starts again as a lead of its own."
    )
    tell(standing, 1)
    build_console().print(describe_undo(ActionKind.UNJOIN, None))
