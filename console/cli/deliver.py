"""``leadgate deliver``: send the messages of the outbox, and print the outcomes.

Belongs here: live progress, and the counts in words. Does not belong here: delivering (``tasks.outbox``).
The command does not start Prefect; the flow ``deliver`` does the same as a run that the Prefect UI shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext

import typer
from rich.console import Console

from console.cli.options import Json, Now
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.report.sending import build_sender, render_mails
from console.screen import build_console, build_error_console, build_table, find_program, print_json
from leadgate.counting import format_count
from leadgate.ledger.outbox import Message
from tasks.outbox import DeliveryReport, deliver_waiting


def deliver(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Send the messages that wait in the outbox, to the addresses of the playbook's notifications."""
    context: CommandContext = ctx.obj
    at = parse_now(now)
    status_line = build_error_console().status("reading the outbox") if sys.stderr.isatty() else nullcontext()
    with status_line as status, context.ledger_and_playbook(at, checked=True) as (ledger, loaded):
        playbook = loaded.playbook
        show_progress = _build_progress(status.update if status is not None else lambda _: None)
        report = deliver_waiting(ledger, playbook, at, progress=show_progress)
        mails = build_sender(context.settings, playbook)(ledger, at, lambda: False)
    if json:
        print_json(report.to_dict() | {"reports": mails.to_dict()})
    else:
        render(report, build_console())
        render_mails(mails, build_console())


def _build_progress(update_status: Callable[[str], None]) -> Callable[[Message, str], None]:
    attempted = 0

    def show_progress(message: Message, outcome: str) -> None:
        nonlocal attempted
        attempted += 1
        words = f"{format_count(attempted, 'message', 'messages')}, the last {outcome.replace('_', ' ')}"
        update_status(sanitise(words))

    return show_progress


def render(report: DeliveryReport, console: Console) -> None:
    """Print the outcomes of a delivery round, and what the remaining messages wait for."""
    data = report.to_dict()
    if report.outcomes:
        table = build_table("message", "to", "outcome", "messages", right=("messages",))
        for line in data["messages"]:
            kind, outcome = (line[name].replace("_", " ") for name in ("kind", "outcome"))
            table.add_row(kind, sanitise(line["target"], 60), outcome, f"{line['count']:,}")
        console.print(table)
        console.print()
    console.print(f"{format_count(data['delivered'], 'message', 'messages')} delivered.")
    for failure, number in report.failures.items():
        console.print(f"{format_count(number, 'attempt', 'attempts')} failed: {sanitise(failure)}.")
    if data["given_up"]:
        given_up = f"{format_count(data['given_up'], 'message was', 'messages were')} given up"
        console.print(f"{given_up}. Next: {find_program()} queue --reason undeliverable")
    if report.later:
        console.print(f"{format_count(report.later, 'message waits', 'messages wait')} for the next attempt.")
    for variable, number in report.without_address.items():
        waits = format_count(number, "message waits", "messages wait")
        console.print(f"{waits} for an address: set {sanitise(variable)}.")
    for target, number in report.without_entry.items():
        waits = format_count(number, "message waits", "messages wait")
        console.print(f"{waits} because no notification of the playbook names {sanitise(target, 60)} or everybody.")
