"""``leadgate run``: live progress, and the summary at the end.

Belongs here: showing the progress of a run on the terminal. Does not belong here: the run itself (``flows.run``).
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
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.screen import build_console, build_error_console, hint, print_json
from leadgate.counting import format_count
from leadgate.ledger import open_ledger, reports
from leadgate.ledger.clock import ask_time
from tasks.outcomes import OUTCOME_LABELS

if TYPE_CHECKING:  # Prefect takes seconds to import, and an unsound playbook must be refused at once
    from flows.run import Progress
    from tasks.stage import StageReport


def run(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """Take waiting leads through the stages, then check the follow-up of owned leads."""
    context: CommandContext = ctx.obj
    at = parse_now(now)
    playbook = context.load_checked_playbook()
    started = time.perf_counter()
    with _ProgressDisplay(build_error_console()) as display:
        display.show_status("starting")
        from flows.run import run as run_flows

        report = run_flows(context.settings, playbook, now=at, progress=display.show)
    seconds = time.perf_counter() - started
    with open_ledger(context.settings) as ledger:
        found = reports.read_summary(ledger, ask_time(ledger, at))
    if json:
        print_json(
            {
                "seconds": seconds,
                "batches": [asdict(batch) for batch in report.batches],
                "escalated": report.escalated,
                "summary": summary.build_json_data(found),
            }
        )
        return
    journeys = sum(batch.size for batch in report.batches)
    words = f"{format_count(journeys, 'journey', 'journeys')} in {seconds:.1f} s" if journeys else "No lead was waiting"
    if report.escalated:
        items = format_count(report.escalated, "work item that nobody took was", "work items that nobody took were")
        words = f"{words}. {items} escalated"
    console = build_console()
    console.print(f"{words}.\n")
    summary.render(found, console)


class _ProgressDisplay:
    """Prints a line for each stage that is done; on a terminal, a status line below them shows the current step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("", console=console) if sys.stderr.isatty() else None

    def __enter__(self) -> _ProgressDisplay:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show_status(self, words: str) -> None:
        if self._status is not None:
            self._status.update(sanitise(words))

    def show(self, progress: Progress) -> None:
        if progress.is_note:
            hint(f"note: {progress.text}")
        elif progress.report is None:
            self.show_status(progress.text)
        elif progress.report.entered:
            self._console.print(format_stage(progress.report), soft_wrap=True)
            self.show_status(f"batch {progress.report.batch}: {progress.report.stage.replace('_', '-')} is done")


def format_stage(report: StageReport) -> str:
    """One stage of one batch in a line: ``batch 3 · validation    176 in: 132 went on, 44 held (…)``."""
    outcomes = ", ".join(f"{count:,} {OUTCOME_LABELS.get(name, name)}" for name, count in report.outcomes.items())
    reasons = ", ".join(f"{sanitise(reason, 40)} {count:,}" for reason, count in list(report.reasons.items())[:4])
    line = f"batch {report.batch} · {report.stage.replace('_', '-'):<13} {report.entered:>7,} in: {outcomes}"
    return f"{line} ({reasons})" if reasons else line
