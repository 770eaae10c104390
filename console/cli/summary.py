"""``leadgate summary``: what became of everything, on a screen of 100 by 40 characters.

Belongs here: laying out ``ledger.reports.read_summary``, and which commands to try next. Does not belong here:
counting.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from console.cli.options import Json, Now
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.screen import (
    build_console,
    build_heading,
    build_table,
    find_program,
    format_moment,
    format_span,
    print_json,
)
from leadgate.counting import format_count
from leadgate.ledger import reports
from leadgate.ledger.clock import ask_time
from leadgate.ledger.reports import OwnerCounts, QueueCounts, Speed, StageCounts, Summary
from leadgate.vocabulary import JourneyKind, StageName

_ROWS: Final = 6  # of owners and of reasons; what is left out is said
_REASONS_WIDTH: Final = 70  # characters that two lines of the last column hold, however large the numbers
_WORDS: Final[dict[str, str]] = {StageName.FOLLOW_UP: "follow-up"}


def summary(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Show on one screen what became of everything that was captured."""
    context: CommandContext = ctx.obj
    with context.ledger() as ledger:
        at = ask_time(ledger, parse_now(now))
        found = reports.read_summary(ledger, at)
    if json:
        print_json(build_json_data(found))
    else:
        render(found, build_console())


def build_json_data(found: Summary) -> dict[str, object]:
    """A summary as plain data, with the next commands."""
    return asdict(found) | {"next": [command for command, _ in suggest_commands(found)]}


def render(found: Summary, console: Console) -> None:
    """Print a summary."""
    if not found.signals and not found.records:
        console.print(f"Nothing has been captured yet. Next: {find_program()} capture FILE --source NAME")
        return
    if found.records:
        counts = ((JourneyKind(kind), count) for kind, count in found.records.items())
        console.print(build_heading(", ".join(format_count(count, kind, kind.plural) for kind, count in counts)))
    if found.signals:
        _render_leads(found, console)
    elif found.queue:
        console.print(_build_queue(found.queue))
    console.print()
    console.print(build_heading("Next"))
    commands = suggest_commands(found)
    width = max(len(command) for command, _ in commands)
    for command, words in commands:
        console.print(f"  {command:<{width}}  {words}", overflow="ignore", crop=False, no_wrap=True)


def _render_leads(found: Summary, console: Console) -> None:
    signals, leads = format_count(found.signals, "signal", "signals"), format_count(found.leads, "lead", "leads")
    console.print(build_heading(f"{signals} about {leads}"))
    console.print(_format_sum(found.journeys))
    if found.rescores:
        console.print(
            f"{format_count(sum(found.rescores.values()), 'rescore', 'rescores')}: {_format_sum(found.rescores)}"
        )
    console.print()
    console.print(_build_stages(found.stages))
    console.print()
    beside = Table.grid(padding=(0, 1))
    beside.add_row(_build_owners(found.owners), _build_queue(found.queue))
    console.print(beside)
    console.print()
    console.print(build_heading("Speed to lead"), end="")
    console.print(f"   capture to owner: {_describe_speed(found.to_owner)}")
    console.print(f"{'':13}   owner to first touch: {_describe_speed(found.to_first_touch)}")


def suggest_commands(found: Summary) -> list[tuple[str, str]]:
    """Commands to try next, with ids that exist, and what each does."""
    ids, call = found.examples, find_program()
    commands: list[tuple[str, str]] = []
    if any(stage.waiting for stage in found.stages if stage.stage != StageName.FOLLOW_UP):
        commands.append((f"{call} run", "take what waits through its stages"))
    if (lead := ids.owned_lead or ids.any_lead) is not None:
        commands.append((f"{call} explain {lead}", "who owns this lead, why, and what proves it"))
    if JourneyKind.OPPORTUNITY in found.records:
        commands.append((f"{call} forecast", "what opportunities come to, and what moved since Monday"))
    if found.queue:
        reason = shlex.quote(found.queue[0].reason)
        commands.append((f"{call} queue --reason {reason}", "the work items with the most frequent reason"))
    compare = ids.compare_item
    phone = (ids.phone_item, "--set phone=", "go on without the phone number")
    decisions = [
        (ids.proposed_item, "--proposed", "correct it as proposed"),
        *([phone] if compare is None else []),  # the screen has room for one of the two
        (ids.review_item, "--done-by-hand approved", "approve the lead: it goes on to assignment"),
    ]
    rerun = [(item, how, words) for item, how, words in decisions if item is not None]
    if not rerun and ids.any_item is not None:
        rerun = [(ids.any_item, "", "let it try its stage again")]
    commands += [(f"{call} rerun W{item} {how}".rstrip(), words) for item, how, words in rerun]
    if compare is not None:
        commands.append((f"{call} review W{compare}", "compare two records that may be one person's"))
    commands.append((f"{call} verify", "check the ledger's invariants"))
    return commands


def _format_sum(statuses: Mapping[str, int]) -> str:
    """``118 owned + 44 held + 14 nurture``."""
    return " + ".join(f"{count:,} {status}" for status, count in statuses.items())


def _build_stages(stages: Iterable[StageCounts]) -> Table:
    numbers = ("in", "passed", "held", "waiting")
    made = build_table("stage", *numbers, "held because · ended as", right=numbers)
    for each in stages:
        counts = (each.entered, each.passed, each.held, each.waiting)
        made.add_row(
            _WORDS.get(each.stage, each.stage),
            *(f"{count:,}" if count else "·" for count in counts),
            _describe_reasons(each),
        )
    return made


def _describe_reasons(each: StageCounts) -> str:
    """What the journeys that ended here came to, and as many of the most frequent reasons as two lines hold."""
    ended = ", ".join(f"{status} {count:,}" for status, count in list(each.ended.items())[:2])
    owned = f"{each.waiting:,} with their owner" if each.stage == StageName.FOLLOW_UP and each.waiting else ""
    rest = " · ".join(part for part in (ended, owned) if part)
    held, left = "", len(each.reasons)
    for reason, count in each.reasons.items():
        longer = f"{held}, {_cut(reason, 24)} {count:,}".removeprefix(", ")
        if held and len(longer) + len(rest) > _REASONS_WIDTH:
            break
        held, left = longer, left - 1
    return " · ".join(part for part in (f"{held}, {left} more" if left else held, rest) if part)


def _build_owners(owners: Sequence[OwnerCounts]) -> Table:
    numbers = ("open", "overdue", "total")
    made = build_table("owner", *numbers, right=numbers)
    for each in owners[:_ROWS]:
        made.add_row(_cut(each.owner, 20), f"{each.open:,}", f"{each.overdue:,}", f"{each.total:,}")
    if rest := owners[_ROWS:]:
        sums = (sum(each.open for each in rest), sum(each.overdue for each in rest), sum(each.total for each in rest))
        made.add_row(f"and {len(rest)} more", *(f"{number:,}" for number in sums))
    if not owners:
        made.add_row("nobody yet", "", "", "")
    return made


def _build_queue(queue: Sequence[QueueCounts]) -> Table:
    made = build_table("work queue", "items", "first due (UTC)", right=("items",))
    for each in queue[:_ROWS]:
        made.add_row(_cut(each.reason, 24), f"{each.items:,}", format_moment(each.due_at))
    if rest := queue[_ROWS:]:
        made.add_row(f"and {len(rest)} more", f"{sum(each.items for each in rest):,}", "")
    if not queue:
        made.add_row("empty", "", "")
    return made


def _cut(name: str, length: int) -> str:
    shown = sanitise(name)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _describe_speed(speed: Speed) -> str:
    if not speed.count:
        return "none yet"
    return f"p50 {format_span(speed.p50)}, p95 {format_span(speed.p95)} ({format_count(speed.count, 'lead', 'leads')})"
