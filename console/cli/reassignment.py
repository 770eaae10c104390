"""``leadgate reassign``, ``unassign`` and ``transfer``: what a person decides about who has which lead or record.

Belongs here: what was asked for, and saying what was done. Does not belong here: doing it (``tasks.reassignments``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from console.cli.options import By, For, Json, Lead, Now
from console.cli.undo import describe_undo
from console.command_context import CommandContext, identify_actor, parse_now
from console.lookup import describe_actor, identify_journey_actor, resolve_journey
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, format_moment, print_json
from leadgate.counting import count_kinds, format_count
from leadgate.ledger.clock import ask_time
from leadgate.playbook.routing import SlaClock
from leadgate.vocabulary import ActionKind
from tasks import reassignments
from tasks.handed_over import Handed

_MOST_SHOWN = 20


Why = Annotated[str, typer.Option("--reason", metavar="WORDS", help="The reason, which is kept with the lead.")]


def reassign(
    ctx: typer.Context,
    lead: Lead,
    reason: Why,
    to: Annotated[str | None, typer.Option("--to", metavar="REP", help="The new owner.")] = None,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="POOL", help="The pool in which the next in turn gets it, in place of --to."),
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Reassign even if REP is away or at a cap.")] = False,
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Give an owned lead or record to another rep or to a pool. The playbook says what happens to its clock."""
    context: CommandContext = ctx.obj
    if (to is None) == (pool is None):
        raise CommandError("say who gets it: --to REP, or --pool POOL for whose turn it is there")
    if anyway and to is None:
        raise CommandError("--anyway is for --to REP: whose turn it is in a pool can take the lead")
    with context.ledger_and_playbook(parse_now(now)) as (ledger, loaded):
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, loaded.playbook)
        who = identify_journey_actor(ledger, journey, loaded.playbook, acts_for)
        done = reassignments.reassign(
            ledger, loaded, journey, rep=to, pool=pool, anyway=anyway, reason=reason, by=who, now=at
        )  # fmt: skip
    clock = loaded.playbook.reassignments.on_reassign
    if json:
        print_json({**asdict(done), "did": ActionKind.REASSIGN, **describe_actor(who), "clock": clock})
        return
    console = build_console()
    console.print(
        f"{sanitise(str(done.owner), 80)} has journey J{journey} now; {sanitise(done.had_it, 80)} is told, too."
    )
    console.print(f"{_describe_clock(clock)} {_describe_due(done)}")
    console.print(f"Next: {find_program()} explain J{journey}")
    console.print(describe_undo(ActionKind.REASSIGN, done.action))


def unassign(
    ctx: typer.Context,
    lead: Lead,
    reason: Why,
    nurture: Annotated[
        bool, typer.Option("--nurture", help="Move it to nurture; by default a work item asks who gets it.")
    ] = False,
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Take a lead or a record from its owner."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now)) as (ledger, loaded):
        at = ask_time(ledger, parse_now(now))
        journey = resolve_journey(ledger, lead, loaded.playbook)
        who = identify_journey_actor(ledger, journey, loaded.playbook, acts_for)
        done = reassignments.unassign(ledger, loaded, journey, nurture=nurture, reason=reason, by=who, now=at)
    item = done.work_item_id
    if json:
        data = {
            "journey_id": journey,
            "did": ActionKind.UNASSIGN,
            **describe_actor(who),
            "work_item_id": item,
            "nurture": nurture,
        }
        print_json(data | {"action": done.action})
        return
    console = build_console()
    if item is None:
        console.print(f"Nobody owns journey J{journey} any more: it is in nurture. Its clock has stopped.")
    else:
        console.print(
            f"Nobody owns journey J{journey} any more: work item W{item} asks who gets it. Its clock has stopped; "
            "a new owner's begins again."
        )
        console.print(f"Next: {find_program()} rerun W{item}")
    console.print(describe_undo(ActionKind.UNASSIGN, done.action))


def transfer(
    ctx: typer.Context,
    rep: Annotated[
        str, typer.Argument(metavar="REP", help="The rep who leaves; they need not be in the playbook any more.")
    ],
    reason: Why,
    to_pool: Annotated[
        str | None,
        typer.Option(
            "--to-pool", metavar="POOL", help="The pool that shares them; by default the pool by which each came."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show who would get what, and store nothing.")] = False,
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Spread all leads and records of a rep who leaves evenly over their colleagues."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(parse_now(now)) as (ledger, loaded):
        at = ask_time(ledger, parse_now(now))
        who = identify_actor(loaded.playbook, acts_for, also=(rep,))
        done = reassignments.transfer(
            ledger, loaded, rep, to_pool=to_pool, dry_run=dry_run, reason=reason, by=who, now=at
        )  # fmt: skip
    if json:
        data: dict[str, Any] = {
            **asdict(done),
            "by_owner": done.by_owner,
            "did": ActionKind.TRANSFER,
            **describe_actor(who),
        }
        print_json(data | {"dry_run": dry_run})
        return
    console = build_console()
    whose = sanitise(rep, 80)
    if not done.placed and not done.left:
        console.print(f"{whose} has no leads and no records; nothing was changed.")
        return
    verb = "would go" if dry_run else "went"
    if done.placed:
        given, reps = count_kinds(each.kind for each in done.placed), format_count(len(done.by_owner), "rep", "reps")
        console.print(f"{given} of {whose} {verb} to {reps}:")
        made = build_table("rep", "gets", right=("gets",))
        for owner, leads_of in done.by_owner.items():
            made.add_row(sanitise(owner, 80), f"{leads_of:,}")
        console.print(made)
        console.print(_describe_clock(done.clock))
        if not dry_run:
            console.print(describe_undo(ActionKind.TRANSFER, done.action))
    _say_left(whose, done.left)
    if dry_run:
        console.print("\nNothing was stored. Without --dry-run it is.")


def _say_left(whose: str, left: Sequence[Handed]) -> None:
    if not left:
        return
    console = build_console()
    stay = "stays" if len(left) == 1 else "stay"
    console.print(f"\n{count_kinds(each.kind for each in left)} {stay} with {whose}, because nobody can take more:")
    for each in left[:_MOST_SHOWN]:
        console.print(f"J{each.journey_id}: {sanitise(each.why, 300)}")
    if len(left) > _MOST_SHOWN:
        console.print(f"and {len(left) - _MOST_SHOWN:,} more (--json lists them)")
    console.print("Raise a cap, name another pool with --to-pool, or transfer the rest another day.")


def _describe_clock(clock: SlaClock) -> str:
    if clock == "keep":
        return "The SLA's clock goes on as it was for the owner before."
    return "The SLA's clock begins again."


def _describe_due(done: Handed) -> str:
    return (
        f"The first touch is due {format_moment(done.due_at)} UTC."
        if done.due_at is not None
        else "No first touch is due."
    )
