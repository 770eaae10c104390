"""``leadgate rerun``, ``accept`` and ``reject``: what a person decides about a lead.

Belongs here: what was asked for, whether it is safe to do, and saying what was done. Does not belong here:
doing it (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from console.cli.going_on import go_on, tell
from console.cli.items import format_changes
from console.cli.options import (
    Batch,
    By,
    Different,
    ItemIds,
    Items,
    Json,
    Later,
    Now,
    Reason,
    SameAs,
    Source,
    Stage,
)
from console.cli.queue import build_filter
from console.cli.resolution import find_given, read_shared_options, require_words
from console.cli.undo import describe_undo
from console.command_context import CommandContext, identify_actor, parse_now
from console.redaction import mask_item, sanitise
from console.screen import CommandError, build_console, find_program, print_json, say
from leadgate.counting import format_count
from leadgate.ledger.clock import ask_time
from leadgate.ledger.reports import JourneyStanding, OpenWorkItem, WorkItemFilter
from leadgate.ledger.reruns import RerunReport
from leadgate.resolutions import CorrectAsProposed, Discard, DoneByHand, Resolution, TryAgain, list_corrected_fields
from leadgate.vocabulary import ActionKind
from tasks import reruns


def rerun(
    ctx: typer.Context,
    items: ItemIds = None,
    work_item: Items = None,
    reason: Reason = None,
    stage: Stage = None,
    source: Source = None,
    batch: Batch = None,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; may be repeated."),
    ] = None,
    proposed: Annotated[bool, typer.Option("--proposed", help="Correct the field as each work item proposes.")] = False,
    done_by_hand: Annotated[
        str | None,
        typer.Option("--done-by-hand", metavar="EVIDENCE", help="It was done by hand; EVIDENCE says how."),
    ] = None,
    discard: Annotated[
        str | None, typer.Option("--discard", metavar="REASON", help="End the journeys, for this reason.")
    ] = None,
    same: SameAs = None,
    likeliest: Annotated[
        bool,
        typer.Option(
            "--likeliest", help="Each lead is the same person as the most likely one of those that the work item names."
        ),
    ] = False,
    different: Different = False,
    by: By = None,
    later: Later = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Confirm that several work items are decided at once.")
    ] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Let held leads try their stage again, as they are, corrected, or done by hand; or discard them."""
    context: CommandContext = ctx.obj
    asked = build_filter(
        ids=[*(items or ()), *(work_item or ())], reason=reason, stage=stage, source=source, batch=batch
    )
    resolution = _read_resolution(
        corrections or [], same, done_by_hand, discard, proposed=proposed, different=different, likeliest=likeliest
    )
    if asked == WorkItemFilter():
        raise CommandError("say which: W12, --reason, --stage, --source or --batch; `leadgate queue` shows them")
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        who = identify_actor(playbook)
        reruns.require_fields(list_corrected_fields(resolution), playbook)
        at = ask_time(ledger, parse_now(now))
        found = reruns.find_items(ledger, asked, resolution)
        named = list(asked.ids) if asked.ids and asked == WorkItemFilter(ids=asked.ids) else []
        if not found and not named:
            reruns.require_known(ledger, asked)
        if len(found) > 1 and not isinstance(resolution, TryAgain) and not yes:
            raise CommandError(
                f"this would {resolution.verb} {format_count(len(found), 'work item', 'work items')}; "
                "add --yes to do it"
            )
        done = reruns.resolve_items(ledger, found, resolution, by=who, now=at, playbook=playbook, named=named)
        released = [] if isinstance(resolution, Discard) else list(done.journeys)
        standing = go_on(context, ledger, loaded, released, parse_now(now), later=later)
    _tell(done, found, resolution, named, standing, as_json=json)


def _read_resolution(
    assignments: Sequence[str],
    same: int | None,
    done_by_hand: str | None,
    discard: str | None,
    *,
    proposed: bool,
    different: bool,
    likeliest: bool,
) -> Resolution:
    words = "words: what was done and what proves it, or why"
    options: dict[str, Resolution | None] = {
        **read_shared_options(assignments, same, proposed=proposed, different=different, likeliest=likeliest),
        "--done-by-hand": None if done_by_hand is None else DoneByHand(done_by_hand),
        "--discard": None if discard is None else Discard(discard),
    }
    given = find_given(options)
    for name, text in (("--done-by-hand", done_by_hand), ("--discard", discard)):
        if text is not None:
            require_words(name, text, words)
    return (given and options[given]) or TryAgain()


def _tell(
    done: RerunReport,
    items: Sequence[OpenWorkItem],
    resolution: Resolution,
    named: Sequence[int],
    standing: Sequence[JourneyStanding],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(asdict(done) | {"did": resolution.verb, "items": [item.id for item in items], "standing": standing})
    for skipped in done.skipped:
        say(f"left alone: {skipped}")
    if done.work_items == 0:
        if named:
            raise CommandError("Nothing was changed.")
        if not as_json:
            none = "No open work item matches; nothing was changed."
            build_console().print("Nothing was changed." if done.skipped else none)
        return
    if as_json:
        return
    console = build_console()
    for item in items[:20]:
        shown = mask_item(item)
        change = f" with {format_changes(shown.proposal)}" if isinstance(resolution, CorrectAsProposed) else ""
        held = "" if item.journeys == 1 else f", {format_count(item.journeys, 'journey', 'journeys')}"
        told = f"W{item.id} {sanitise(item.reason, 40)} at {item.stage}{held}: {resolution.past}"
        console.print(told + sanitise(change, 80))
    if len(items) > 20:
        console.print(f"and {len(items) - 20:,} more")
    if isinstance(resolution, Discard):
        console.print(f"\n{format_count(done.released, 'journey', 'journeys')} ended. What was captured stays.")
        console.print(describe_undo(ActionKind(resolution.kind), done.action))
    elif done.released == 0:  # what was decided holds no lead: a message that could not be delivered
        due = f"{format_count(done.work_items, 'message is', 'messages are')} due again. Next: {find_program()} deliver"
        console.print(f"\n{due}" if isinstance(resolution, TryAgain) else "\nNo lead waited for it.")
    else:
        tell(standing, done.released)
        console.print(describe_undo(ActionKind(resolution.kind), None))
