"""``leadgate summary``: what became of everything, on a screen of 100 by 40 characters.

Belongs here: laying out ``ledger.reports.summary``, and which commands to try next. Does not belong here:
counting.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from console.place import Place, moment_of
from console.safe import visible
from console.screen import heading, moment, out, print_json, span, table
from leadgate.ledger import open_ledger, reports
from leadgate.ledger.reports import Speed, StageCounts, Summary

_ROWS: Final = 6  # of owners and of reasons; what is left out is said
_WORDS: Final = {"follow_up": "follow-up"}


def show(place: Place, *, as_json: bool, now: str | None) -> None:
    """The command."""
    at = moment_of(now)
    with open_ledger(place.settings) as ledger:
        found = reports.summary(ledger, at)
    if as_json:
        print_json(as_data(found))
    else:
        render(found, out())


def as_data(found: Summary) -> dict[str, Any]:
    """A summary as plain data, with the next commands."""
    return asdict(found) | {"next": [command for command, _ in next_commands(found)]}


def render(found: Summary, console: Console) -> None:
    """Print a summary."""
    if not found.signals:
        console.print("Nothing has been captured yet. Next: leadgate capture FILE --source NAME")
        return
    console.print(heading(f"{found.signals:,} signals about {found.leads:,} leads"), end="")
    console.print(f"   {_added_up(found.journeys)}")
    if found.rescores:
        console.print(f"{sum(found.rescores.values()):,} rescores: {_added_up(found.rescores)}")
    console.print()
    console.print(_stages(found.stages))
    console.print()
    console.print(Columns([_owners(found.owners), _queue(found.queue)], padding=(0, 3)))
    console.print()
    console.print(heading("Speed to lead"), end="")
    console.print(f"   capture to owner: {_speed(found.to_owner)}")
    console.print(f"{'':13}   owner to first touch: {_speed(found.to_first_touch)}")
    console.print()
    console.print(heading("Next"))
    for command, words in next_commands(found):
        console.print(f"  {command:<52} {words}", overflow="ignore", crop=False, no_wrap=True)


def next_commands(found: Summary) -> list[tuple[str, str]]:
    """Commands to try next, with ids that exist, and what each does."""
    ids = found.examples
    commands: list[tuple[str, str]] = []
    if any(stage.waiting for stage in found.stages if stage.stage != "follow_up"):
        commands.append(("leadgate run", "take what waits through its stages"))
    if (lead := ids.get("owned_lead") or ids.get("any_lead")) is not None:
        commands.append((f"leadgate explain {lead}", "who owns this lead, why, and what proves it"))
    if found.queue:
        reason = shlex.quote(found.queue[0]["reason"])
        commands.append((f"leadgate queue --reason {reason}", "the work items with the most frequent reason"))
    if ids.get("proposed_item") is not None:
        commands.append(
            (f"leadgate rerun --work-item {ids['proposed_item']} --proposed", "correct it as proposed")
        )
    if ids.get("phone_item") is not None:
        commands.append(
            (f"leadgate rerun --work-item {ids['phone_item']} --set phone=", "go on without the phone number")
        )
    elif ids.get("proposed_item") is None and ids.get("any_item") is not None:
        commands.append((f"leadgate rerun --work-item {ids['any_item']}", "let it try its stage again"))
    commands.append(("leadgate verify", "check the ledger's invariants"))
    return commands


def _added_up(statuses: Mapping[str, int]) -> str:
    """``118 owned + 44 held + 14 nurture``."""
    return " + ".join(f"{count:,} {status}" for status, count in statuses.items())


def _stages(stages: Iterable[StageCounts]) -> Table:
    numbers = ("in", "passed", "held", "ended", "waiting")
    made = table("stage", *numbers, "held because · ended as", right=numbers)
    for each in stages:
        made.add_row(
            _WORDS.get(each.stage, each.stage),
            *(
                f"{count:,}" if count else "·"
                for count in (each.entered, each.passed, each.held, sum(each.ended.values()), each.waiting)
            ),
            _because(each),
        )
    return made


def _because(each: StageCounts) -> str:
    """The three most frequent reasons, and what the journeys that ended here came to."""
    held = [f"{visible(reason, 30)} {count:,}" for reason, count in list(each.reasons.items())[:3]]
    more = len(each.reasons) - len(held)
    ended = [f"{status} {count:,}" for status, count in each.ended.items()]
    said = ", ".join(held) + (f", {more} more reasons" if more > 0 else "")
    if each.stage == "follow_up" and each.waiting:
        ended.append(f"{each.waiting:,} with their owner")
    return " · ".join(part for part in (said, ", ".join(ended)) if part)


def _owners(owners: Sequence[Mapping[str, Any]]) -> Table:
    numbers = ("open", "overdue", "total")
    made = table("owner", *numbers, right=numbers)
    for each in owners[:_ROWS]:
        made.add_row(visible(each["owner"], 24), *(f"{each[name]:,}" for name in numbers))
    if rest := owners[_ROWS:]:
        made.add_row(f"and {len(rest)} more", *(f"{sum(each[name] for each in rest):,}" for name in numbers))
    if not owners:
        made.add_row("nobody yet", "", "", "")
    return made


def _queue(queue: Sequence[Mapping[str, Any]]) -> Table:
    made = table("work queue", "items", "first due (UTC)", right=("items",))
    for each in queue[:_ROWS]:
        made.add_row(visible(each["reason"], 28), f"{each['items']:,}", moment(each["due_at"]))
    if rest := queue[_ROWS:]:
        made.add_row(f"and {len(rest)} more", f"{sum(each['items'] for each in rest):,}", "")
    if not queue:
        made.add_row("empty", "", "")
    return made


def _speed(speed: Speed) -> str:
    if not speed.count:
        return "none yet"
    return f"p50 {span(speed.p50)}, p95 {span(speed.p95)} ({speed.count:,} leads)"
