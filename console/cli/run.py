"""``leadgate run``: live progress, and the summary at the end.

Belongs here: telling what a run does while it does it. Does not belong here: the run (``flows.run``).
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.status import Status

from console.cli import summary
from console.cli.options import Json, Now
from console.command_context import CommandContext, as_of
from console.redaction import sanitise
from console.screen import build_console, build_error_console, print_json
from leadgate.counting import format_count
from leadgate.ledger import open_ledger, reports
from leadgate.ledger.clock import ask_time
from tasks.outcomes import IN_WORDS

if TYPE_CHECKING:  # Prefect takes seconds to import, and an unsound playbook must be refused at once
    from flows.run import Progress
    from tasks.stage import StageReport


def run(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Take whatever waits through its stages, then check what is owned."""
    context: CommandContext = ctx.obj
    at = as_of(now)
    playbook = context.load_checked_playbook()
    started = time.perf_counter()
    with _Live(build_error_console()) as live:
        live.say("starting")
        from flows.run import run as run_flows

        done = run_flows(context.settings, playbook, now=at, progress=live.show)
    seconds = time.perf_counter() - started
    with open_ledger(context.settings) as ledger:
        found = reports.read_summary(ledger, ask_time(ledger, at))
    if json:
        print_json(
            {
                "seconds": seconds,
                "batches": [asdict(batch) for batch in done.batches],
                "escalated": done.escalated,
                "summary": summary.as_data(found),
            }
        )
        return
    worked_on = sum(batch.size for batch in done.batches)
    words = f"{format_count(worked_on, 'journey', 'journeys')} in {seconds:.1f} s" if worked_on else "Nothing waited"
    if done.escalated:
        items = format_count(done.escalated, "work item that nobody took was", "work items that nobody took were")
        words = f"{words}. {items} escalated"
    console = build_console()
    console.print(f"{words}.\n")
    summary.render(found, console)


class _Live:
    """A line for each stage that is done; on a terminal, what goes on now below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("", console=console) if sys.stderr.isatty() else None

    def __enter__(self) -> _Live:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, words: str) -> None:
        if self._status is not None:
            self._status.update(sanitise(words))

    def show(self, progress: Progress) -> None:
        if progress.report is None:
            self.say(progress.text)
        elif progress.report.entered:
            self._console.print(format_stage(progress.report), soft_wrap=True)
            self.say(f"batch {progress.report.batch}: {progress.report.stage.replace('_', '-')} is done")


def format_stage(report: StageReport) -> str:
    """One stage of one batch in a line: ``batch 3 · validation    176 in: 132 went on, 44 held (…)``."""
    outcomes = ", ".join(f"{count:,} {IN_WORDS.get(name, name)}" for name, count in report.outcomes.items())
    reasons = ", ".join(f"{sanitise(reason, 40)} {count:,}" for reason, count in list(report.reasons.items())[:4])
    line = f"batch {report.batch} · {report.stage.replace('_', '-'):<13} {report.entered:>7,} in: {outcomes}"
    return f"{line} ({reasons})" if reasons else line
