"""``leadgate touch``: what a rep did about a lead or a record, logged by hand.

Belongs here: what was asked for, whether it can count, and saying what was done. Does not belong here: storing it
(``ledger.ownership``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.going_on import go_on, tell
from console.cli.options import By, For, Json, Later, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, identify_actor, parse_moment, parse_now
from console.lookup import describe_actor, resolve_journey
from console.redaction import sanitise
from console.screen import CommandError, build_console, find_program, format_moment, print_json
from leadgate.ledger import ownership
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_history import find_subject
from leadgate.nearest import propose
from leadgate.vocabulary import ActionKind


def touch(
    ctx: typer.Context,
    lead: Lead,
    kind: Annotated[str, typer.Option("--kind", help="A kind of touch or an outcome of the playbook, such as call.")],
    acts_for: For = None,
    by: By = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="MOMENT", help="The time of the touch (UTC); by default now.")
    ] = None,
    seconds: Annotated[int | None, typer.Option("--seconds", min=0, help="How long a call took, in seconds.")] = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Log by hand what a rep did about a lead or a record. A touch stops the owner's clock."""
    context: CommandContext = ctx.obj
    said = None if at is None else parse_moment(at)
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        journey = resolve_journey(ledger, lead, playbook)
        rules = playbook.for_kind(find_subject(ledger, journey).kind).follow_up
        known = [*(each.kind for each in rules.touches), *rules.outcomes]
        if kind not in known:
            raise CommandError(f"{kind!r} is no touch and no outcome of the playbook; {propose(kind, known)}")
        reps = [rep.name for rep in playbook.reps]
        who = identify_actor(playbook, acts_for)
        rep = who.acts_for or who.rep
        if rep not in reps:
            raise CommandError(
                f"{sanitise(who.name, 80)} is none of the playbook's reps: --for REP says whose touch it was; both "
                "names are stored"
            )
        moment_now = ask_time(ledger, parse_now(now))
        happened = said or moment_now
        done = ownership.touch(
            ledger, journey, kind=kind, rep=rep, by=who, at=happened, seconds=seconds, now=moment_now
        )
        standing = go_on(context, ledger, loaded, [journey], parse_now(now), later=later)
    if json:
        data = {
            "journey_id": journey,
            "did": ActionKind.TOUCH,
            "kind": kind,
            "rep": rep,
            **describe_actor(who),
            "at": happened,
        }
        print_json({**data, "new": done.new, "action": done.action, "standing": standing})
    else:
        what = "Logged" if done.new else "Known already"
        build_console().print(
            f"{what}: {kind} by {sanitise(rep, 80)}, {format_moment(happened)} UTC. "
            + (f"`{find_program()} run` stops the clock if it counts. " if later else "")
            + f"Next: {find_program()} explain J{journey}"
        )
        tell(standing, 0)
        if done.new:
            build_console().print(describe_undo(ActionKind.TOUCH, done.action))
