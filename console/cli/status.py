"""``leadgate status``: what runs, what waits, and how old the oldest waiting lead is.

Belongs here: asking the ledger and the running parts, and saying it on a screen. Does not belong here: starting
anything (``up``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console

from console.cli import crm_standings, host_clocks
from console.cli.options import Json, Now
from console.command_context import CommandContext, parse_now
from console.operations import read_operations
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
from leadgate.errors import ExitCode
from leadgate.ledger import consumers, lookups, requests
from leadgate.ledger.clock import ask_time


def status(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Show which processes run, what waits, and how old the oldest waiting lead is; exit 1 when leads wait and no
    process takes them."""
    if not _show(ctx.obj, as_json=json, now=now):
        raise typer.Exit(ExitCode.BROKEN)


def _show(context: CommandContext, *, as_json: bool, now: str | None) -> bool:
    """The command. False when leads wait and no consumer takes them, when intake stands still, when a frozen process
    locks a batch, or when the clock of a host is too far off."""
    with context.ledger() as ledger:
        found = read_operations(ledger, context.settings, ask_time(ledger, parse_now(now)))
    unread, stands, state = found.unread, found.stands, found.state
    if as_json:
        print_json(
            {
                "running": state is not None,
                "parts": [] if state is None else state["parts"],
                "prefect": None if state is None else state["prefect"],
                "consumers": found.seen,
                "reused_request_ids": [each._asdict() for each in found.reused],
                "providers": [each._asdict() for each in found.uses],
                "to_look_up_again": found.unenriched,
                "crms": [asdict(each) for each in found.crms],
                "hosts": host_clocks.build_json_data(found.measured, found.off),
                "waiting": asdict(found.waits)
                | {
                    "oldest_seconds": found.oldest_seconds,
                    "standstill_seconds": stands.seconds,
                    "to_be_read": asdict(unread),
                },
                "shadow": None
                if found.shadow is None
                else {
                    "playbook": found.shadow.playbook_hash,
                    "since": found.shadow.started_at,
                    "problem": found.shadow.problem,
                },
                "stalled": stands.stalled,
                "frozen": [each._asdict() for each in found.locked],
                "well": found.well,
            }
        )
        return found.well
    _render(build_console(), state, found.seen, found.waits, found.oldest_seconds)
    if unread.oldest is not None:
        build_console().print(
            f"{format_count(unread.count, 'lead that a webhook names waits', 'leads that webhooks name wait')} to be "
            f"read, the oldest for {format_span((found.at - unread.oldest).total_seconds())}.",
            soft_wrap=True,
        )
    _render_reused(build_console(), found.reused)
    _render_providers(build_console(), found.uses, found.unenriched)
    crm_standings.render(build_console(), found.crms)
    host_clocks.render(build_console(), found.measured, found.off)
    if found.shadow is not None:
        build_console().print(
            f"\nPlaybook {found.shadow.playbook_hash[:12]} decides beside the one in use since "
            f"{format_moment(found.shadow.started_at)} UTC: `{find_program()} shadow show`.",
            soft_wrap=True,
        )
        if found.shadow.problem is not None:
            build_console().print(
                sanitise(f"It rests, and no lead waits for it: {found.shadow.problem}"),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )
    if problem := _find_file_problem(context):
        build_console().print(
            sanitise(f"\nLEADGATE_SHADOW cannot be used, and no lead waits for it: {problem}").strip(),
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    if not found.taken:
        build_console().print(
            f"\nLeads wait and nobody takes them: `{find_program()} up`, or `{find_program()} run` once.",
            soft_wrap=True,
        )
    for each in found.locked:
        build_console().print(
            f"\nBatch {each.batch_id} is locked by a process that does not go on ({each.process}); its lease ran out "
            f"{format_span(each.lapsed_seconds)} ago. A consumer ends that process's session and takes the batch over.",
            soft_wrap=True,
        )
    if found.taken and stands.stalled:
        build_console().print(
            f"\nIntake stands still: the lead that waits longest has not moved for {format_span(stands.seconds)}. "
            "Look at the "
            f"consumers above, at `{find_program()} queue --reason stage_failed`, and at their logs.",
            soft_wrap=True,
        )
    return found.well


def _find_file_problem(context: CommandContext) -> str | None:
    """What is wrong with the file of the setting; it takes an import, so it is asked where there is one."""
    if context.settings.shadow is None:
        return None
    from tasks.shadow_file import find_problem

    return find_problem(context.settings.shadow, context.settings.playbook)


def _render(
    console: Console,
    state: dict[str, Any] | None,
    seen: list[consumers.Seen],
    waits: consumers.Waiting,
    oldest: float | None,
) -> None:
    if state is None:
        console.print(
            f"Nothing is kept running in this data folder; `{find_program()} up` does that.\n", soft_wrap=True
        )
    else:
        parts = build_table("part", "state", "pid", "restarts", "where", right=("pid", "restarts"))
        for part in state["parts"]:
            parts.add_row(
                part["name"], part["state"], str(part["pid"] or ""), str(part["restarts"] or ""), part["where"]
            )
        console.print(build_heading("What runs"))
        console.print(parts)
        console.print()
    if seen:
        takers = build_table("consumer", "does", "seen")
        for each in seen:
            words = each.doing if each.alive else "is gone; its batch is taken over"
            takers.add_row(sanitise(each.name, 60), sanitise(words, 60), f"{format_span(each.seconds_ago)} ago")
        console.print(build_heading("Who takes leads"))
        console.print(takers)
        console.print()
    console.print(build_heading("What waits"))
    rows = build_table("", " ")
    one, several = ("lead or record", "leads and records") if waits.has_records else ("lead", "leads")
    rows.add_row(
        format_count(waits.journeys, f"{one} waits", f"{several} wait") + " for a run",
        "" if oldest is None else f"the oldest for {format_span(oldest)}",
    )
    batches = format_count(waits.open_batches, "batch", "batches")
    rows.add_row(
        f"{format_count(waits.in_batches, f'{one} is', f'{several} are')} in {batches}",
        f"{waits.stuck_batches} held by nobody" if waits.stuck_batches else "",
    )
    if waits.later:
        later = format_count(waits.later, f"{one} waits", f"{several} wait")
        rows.add_row(f"{later} until somebody is available", "")
    rows.add_row(
        format_count(waits.held, f"{one} is held", f"{several} are held"),
        f"{format_count(waits.work_items, 'work item', 'work items')}, {waits.overdue_items} overdue",
    )
    rows.add_row(
        format_count(waits.owned, "lead is owned", "leads are owned"),
        f"{waits.overdue_leads} past the first touch's time",
    )
    if waits.has_records:
        rows.add_row(
            format_count(waits.owned_records, "record is owned", "records are owned"),
            f"{waits.overdue_records} past the first touch's time",
        )
    rows.add_row(format_count(waits.messages, "message waits", "messages wait") + " to be sent", "")
    console.print(rows)


def _render_providers(console: Console, uses: list[lookups.ProviderUse], unenriched: int) -> None:
    """Services that are asked about companies: what that cost today, and which of them is left alone."""
    if not uses:
        return
    rows = build_table("service", "units today", "left alone until (UTC)", "why", right=("units today",))
    for each in uses:
        until = "" if each.closed_until is None else format_moment(each.closed_until)
        rows.add_row(sanitise(each.provider), f"{each.spent:,}", until, sanitise(each.why or "", 80))
    console.print()
    console.print(build_heading("Services that are asked about companies"))
    console.print(rows)
    if unenriched:
        console.print(f"{format_count(unenriched, 'lead is', 'leads are')} to be looked up again.")


def _render_reused(console: Console, reused: list[requests.Reused]) -> None:
    """Posts that were refused because their id named another body: a sender's mistake, or a stranger's attempt."""
    if not reused:
        return
    rows = build_table("source", "request id", "times", "last (UTC)", "from", right=("times",))
    for each in reused:
        rows.add_row(
            sanitise(each.source),
            sanitise(each.request_id, 60),
            str(each.times),
            format_moment(each.last_at),
            sanitise(each.last_address or ""),
        )
    console.print()
    console.print(build_heading("Request ids that came again with another body, and were refused"))
    console.print(rows)
