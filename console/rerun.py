"""``leadgate rerun``, ``accept`` and ``reject``: what a person decides about a lead.

Belongs here: what was asked for, whether it is safe to do, and saying what was done. Does not belong here:
doing it (``tasks.reruns``, ``ledger.actions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from console.command_context import CommandContext, actor, as_of
from console.going_on import go_on, tell
from console.items import changes
from console.lookup import actor_for, as_data, journey_of
from console.redaction import mask_item, visible
from console.screen import CommandError, out, print_json, program, say
from console.undo import way_back
from leadgate.counting import counted
from leadgate.ledger import actions
from leadgate.ledger.actions import RerunReport
from leadgate.ledger.clock import time_of
from leadgate.ledger.reports import WorkItemFilter
from leadgate.nearest import proposal
from tasks import reruns
from tasks.reruns import WorkItemResolution as WorkItemResolution


def fields_of(assignments: Sequence[str]) -> dict[str, str]:
    """``["email=a@b.example"]`` as a mapping. Raises ``CommandError`` for what is no assignment."""
    fields: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CommandError(
                f"--set {visible(text, 80)!r} is no correction; write it like --set email=jane@acme.example"
            )
        if name in fields:
            raise CommandError(f"--set gives {name!r} twice; give it once")
        fields[name] = value.strip().replace("\x00", "")
    return fields


def rerun(
    context: CommandContext,
    asked: WorkItemFilter,
    resolution: WorkItemResolution,
    *,
    yes: bool,
    later: bool,
    as_json: bool,
    now: str | None,
) -> None:
    """The command. Refuses to run without any filter, and to change several leads without ``--yes``."""
    if asked == WorkItemFilter():
        raise CommandError("say which: W12, --reason, --stage, --source or --batch; `leadgate queue` shows them")
    _consistent(resolution)
    loaded = context.playbook_to_go_on(later=later)
    playbook = loaded.playbook
    who = actor(playbook).name
    reruns.require_fields(list(resolution.corrections), playbook)
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        items = reruns.find_items(ledger, asked, resolution)
        named = list(asked.ids) if asked.ids and asked == WorkItemFilter(ids=asked.ids) else []
        if not items and not named:
            reruns.require_known(ledger, asked)
        if len(items) > 1 and resolution.words != "rerun" and not yes:
            raise CommandError(
                f"this would {resolution.words} {counted(len(items), 'work item', 'work items')}; add --yes to do it"
            )
        done = reruns.resolve_items(ledger, items, resolution, by=who, now=at, playbook=playbook, named=named)
        released = [] if resolution.discard is not None else list(done.journeys)
        standing = go_on(context, ledger, loaded, released, as_of(now), later=later)
    _tell(done, items, resolution, named, standing, as_json=as_json)


def _consistent(resolution: WorkItemResolution) -> None:
    given = {
        "--set": bool(resolution.corrections),
        "--proposed": resolution.proposed,
        "--done-by-hand": resolution.done_by_hand is not None,
        "--discard": resolution.discard is not None,
        "--same": resolution.same is not None,
        "--different": resolution.different,
    }
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise CommandError(f"{' and '.join(used)} exclude one another; give one")
    for name, text in (("--done-by-hand", resolution.done_by_hand), ("--discard", resolution.discard)):
        if text is not None and not text.strip():
            raise CommandError(f"{name} needs words: what was done and what proves it, or why")


def _tell(
    done: RerunReport,
    items: Sequence[Mapping[str, Any]],
    resolution: WorkItemResolution,
    named: Sequence[int],
    standing: Sequence[Mapping[str, Any]],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            asdict(done) | {"did": resolution.words, "items": [item["id"] for item in items], "standing": standing}
        )
    for skipped in done.skipped:
        say(f"left alone: {skipped}")
    if done.work_items == 0:
        if named:
            raise CommandError("Nothing was changed.")
        if not as_json:
            none = "No open work item matches; nothing was changed."
            out().print("Nothing was changed." if done.skipped else none)
        return
    if as_json:
        return
    console = out()
    for item in items[:20]:
        shown = mask_item(item)
        change = f" with {changes(shown['proposal'])}" if resolution.proposed else ""
        held = "" if item["journeys"] == 1 else f", {counted(item['journeys'], 'journey', 'journeys')}"
        told = f"W{item['id']} {visible(item['reason'], 40)} at {item['stage']}{held}: {resolution.past}"
        console.print(told + visible(change, 80))
    if len(items) > 20:
        console.print(f"and {len(items) - 20:,} more")
    if resolution.discard is not None:
        console.print(f"\n{counted(done.released, 'journey', 'journeys')} ended. What was captured stays.")
        console.print(way_back("discarded", done.action))
    elif done.released == 0:  # what was decided holds no lead: a message that could not be delivered
        due = f"{counted(done.work_items, 'message is', 'messages are')} due again. Next: {program()} deliver"
        console.print(f"\n{due}" if resolution.words == "rerun" else "\nNo lead waited for it.")
    else:
        tell(standing, done.released)
        console.print(way_back(resolution.resolution, None))


def accept(
    context: CommandContext, reference: str, *, acts_for: str | None, later: bool, as_json: bool, now: str | None
) -> None:
    """The command: the owner takes the lead."""
    loaded = context.playbook_to_go_on(later=later)
    playbook = loaded.playbook
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        journey = journey_of(ledger, reference, playbook)
        who = actor_for(ledger, journey, playbook, acts_for)
        number = actions.accept(ledger, journey, by=who, now=at)
        standing = go_on(context, ledger, loaded, [journey], as_of(now), later=later)
    if as_json:
        data = {"journey_id": journey, "did": "accept", **as_data(who), "action": number}
        print_json({**data, "standing": standing})
    else:
        out().print(f"J{journey} accepted by {visible(who.in_words, 160)}. Next: {program()} explain J{journey}")
        tell(standing, 0)
        out().print(way_back("accept", number))


def reject(
    context: CommandContext,
    reference: str,
    *,
    reason: str,
    acts_for: str | None,
    later: bool,
    as_json: bool,
    now: str | None,
) -> None:
    """The command: the owner gives the lead back, for one of the playbook's reasons."""
    loaded = context.playbook_to_go_on(later=later)
    playbook = loaded.playbook
    rules = {each.name: each for each in playbook.follow_up.reject_reasons}
    if reason not in rules:
        raise CommandError(f"{reason!r} is no reason to reject a lead; {proposal(reason, rules)}")
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        journey = journey_of(ledger, reference, playbook)
        who = actor_for(ledger, journey, playbook, acts_for)
        done = actions.reject(ledger, journey, by=who, now=at, reason=reason, playbook=playbook)
        standing = go_on(context, ledger, loaded, [journey], as_of(now), later=later)
    if as_json:
        print_json(
            {
                "journey_id": journey,
                "did": "reject",
                **as_data(who),
                "reason": reason,
                "goes_to": done.goes_to,
                "action": done.action,
                "standing": standing,
            }
        )
    else:
        finds = f"; `{program()} run` finds one" if done.waits and later else ""
        by = visible(who.in_words, 160)
        out().print(f"J{journey} rejected by {by} ({reason}): the lead goes to {done.goes_to}{finds}.")
        tell(standing, 0)
        out().print(way_back("reject", done.action))
