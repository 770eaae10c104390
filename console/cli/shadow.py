"""``leadgate shadow``: a draft of a playbook decides beside the one in use, without any effect.

Belongs here: these commands and their tables. Does not belong here: what a shadow does (``tasks.shadow``), or words
that replay has as well (``console.replay.words``).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from console.cli.options import By, Json, Now
from console.command_context import CommandContext, identify_actor, parse_now
from console.display_names import DisplayNames
from console.redaction import sanitise
from console.report.zones import choose_zone
from console.screen import build_console, build_heading, build_table, find_program, format_moment, print_json, say
from leadgate.actors import require
from leadgate.counting import format_count
from leadgate.ledger.clock import ask_time
from leadgate.permissions import Permission

if TYPE_CHECKING:
    from leadgate.playbook import Playbook
    from tasks.shadow import ShadowFindings


def start(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The draft.")],
    reason: Annotated[str, typer.Option("--reason", metavar="WORDS", help="Why, for those who read of it.")],
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Have a draft decide beside the playbook in use from now on. One that could not be activated is refused."""
    from tasks.shadow import start_shadow

    context: CommandContext = ctx.obj
    draft = CommandContext(replace(context.settings, playbook=file), context.home_is_default).load_checked_playbook()
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        at = ask_time(ledger, parse_now(now))
        number = start_shadow(
            ledger, draft, reason, by=identify_actor(loaded.playbook), now=at, read_as=context.settings.playbook
        )
    if json:
        print_json({"did": "start", "shadow": number, "playbook": draft.hash})
        return
    build_console().print(
        f"Playbook {draft.hash[:12]} decides beside the one in use from the next batch on, without any effect. Next: "
        f"{find_program()} shadow run, which the schedules of `up` do every few minutes; then "
        f"{find_program()} shadow show",
        soft_wrap=True,
    )


def stop(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="WORDS", help="Why, for those who read of it.")] = "",
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """End the shadow. What it found is kept."""
    from tasks.shadow import stop_shadow

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        number = stop_shadow(ledger, reason, by=identify_actor(loaded.playbook), now=ask_time(ledger, parse_now(now)))
    if json:
        print_json({"did": "stop", "shadow": number})
    else:
        build_console().print(f"The shadow has ended. What it found: {find_program()} shadow show", soft_wrap=True)


def run(ctx: typer.Context, by: By = None, json: Json = False) -> None:
    """Decide now what was decided since the last pass; a schedule does it by itself."""
    from tasks.shadow import describe_progress, run_shadow
    from tasks.shadow_file import follow_shadow_file

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        require(identify_actor(loaded.playbook), Permission.OPERATE)
        if problem := follow_shadow_file(ledger, context.settings.shadow, loaded.path):
            say(f"LEADGATE_SHADOW cannot be used, and nothing waits for it: {problem}")
        progress = run_shadow(ledger, loaded.path, limited=False)
    if json:
        print_json(asdict(progress))
    else:
        build_console().print(f"{describe_progress(progress)}.", soft_wrap=True)


def show(ctx: typer.Context, json: Json = False) -> None:
    """Show what the draft decides otherwise so far: how many leads, in which way, the most telling ones."""
    from leadgate.playbook import PlaybookError, parse
    from tasks.replay.results import list_not_replayed
    from tasks.shadow import find_shadow

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        found = find_shadow(ledger)
    if found is None:
        if json:
            print_json({"shadow": None})
        else:
            build_console().print(
                f"No shadow was started yet. Next: {find_program()} shadow start FILE --reason WORDS", soft_wrap=True
            )
        return
    try:
        draft = parse(found.shadow.content, path=loaded.path).playbook
    except PlaybookError:
        draft = loaded.playbook  # `problem` says so
    not_replayed = list_not_replayed(loaded.playbook, draft)
    if json:
        print_json(_build_json(found, not_replayed))
    else:
        _print(found, draft, not_replayed, choose_zone(loaded.playbook, None, None, "")[0])


def _build_json(found: ShadowFindings, not_replayed: list[str]) -> dict[str, Any]:
    from console.replay.json_form import build_told

    shadow = found.shadow
    return {
        "shadow": {
            "number": shadow.id,
            "playbook": shadow.playbook_hash,
            "started_at": shadow.started_at,
            "started_by": shadow.started_by,
            "reason": shadow.reason,
            "stopped_at": shadow.stopped_at,
            "stopped_by": shadow.stopped_by,
            "stop_reason": shadow.stop_reason,
            "problem": shadow.problem,
        },
        "self_check": {
            "decisions": found.totals.decisions,
            "different": found.totals.different,
            "differences": [asdict(each) for each in found.differences],
            "facts": found.totals.facts,
            "unreadable": found.totals.unreadable,
        },
        "passes": shadow.passes,
        "last_pass_at": found.totals.last_at,
        "seconds": found.totals.seconds,
        "seconds_of_last_hour": found.spent,
        "waiting_batches": found.waiting,
        "rests": found.rests,
        "forgotten": shadow.forgotten,
        "journeys": found.journeys,
        "changed": found.changed,
        "kinds": dict(found.kinds),
        "owned_both": found.owned_both,
        "owners_changed": found.changed_owners,
        "uncertain": found.uncertain,
        "not_replayed": not_replayed,
        "told": [build_told(each) for each in found.told],
    }


def _print(found: ShadowFindings, draft: Playbook, not_replayed: list[str], zone: str) -> None:
    from console.replay.words import KINDS, describe_changed, describe_difference, name_parts
    from console.shadow_words import describe_cost, describe_forgotten, describe_pause

    console, shadow = build_console(), found.shadow

    def say(line: str) -> None:
        console.print(sanitise(line), soft_wrap=True, markup=False, highlight=False)

    why = "" if shadow.stop_reason is None else f": {shadow.stop_reason}"
    until = "" if shadow.stopped_at is None else f" until {format_moment(shadow.stopped_at)} ({shadow.stopped_by}{why})"
    say(
        f"Playbook {shadow.playbook_hash[:12]} beside the one in use since {format_moment(shadow.started_at)} UTC"
        f"{until}, by {shadow.started_by}: {shadow.reason}"
    )
    if pause := describe_pause(found):
        say(pause)
    elif found.waiting:
        say(f"{format_count(found.waiting, 'batch waits', 'batches wait')} for the next pass.")
    if not found.totals.decisions:
        say("Nothing was decided since then that a pass has looked at.")
        return
    again = format_count(found.totals.decisions, "decision was", "decisions were")
    so = (
        f"{found.totals.different:,} came out otherwise, and their journeys are left out"
        if found.totals.different
        else ("all came out the same")
    )
    say(f"Self-check: {again} made again under the playbook that made them, and {so}.")
    for difference in found.differences:
        say(describe_difference(difference))
    say(describe_cost(found))
    if forgotten := describe_forgotten(found):
        say(forgotten)
    if found.totals.unreadable:
        say(f"{found.totals.unreadable:,} were made by a playbook that cannot be read any more.")
    say("")
    if not found.changed:
        say(f"None of {format_count(found.journeys, 'journey', 'journeys')} differs.")
    else:
        say(f"{found.changed:,} of {format_count(found.journeys, 'journey', 'journeys')} differ:")
        table = build_table("leads that", "leads", right=("leads",))
        for kind, count in found.kinds.items():
            table.add_row(KINDS[kind], f"{count:,}")
        console.print(table)
        if found.owned_both:
            share = found.changed_owners / found.owned_both
            of = f"{found.owned_both:,} with an owner both ways"
            say(f"Another owner: {found.changed_owners:,} of {of} ({share:.1%}).")
        console.print(build_heading(f"The {len(found.told)} most telling leads"))
        for each in found.told:
            before, after = describe_changed(each, DisplayNames(draft), ZoneInfo(zone))
            say(f"J{each.journey}: was  {before}")
            say(f"{' ' * len(f'J{each.journey}')}  now  {after}")
    if found.uncertain:
        leads = format_count(found.uncertain, "lead was", "leads were")
        say(f"{leads} held before any provider was asked: what they get here is without answers of providers.")
    if not_replayed:
        say(f"The draft also changes {name_parts(not_replayed)}; a shadow does not show what these do.")
