"""``leadgate crm reconcile``: whether CRMs still have what Leadgate wrote.

Belongs here: the period, what was found in words and masked, and the exit code. Does not belong here: comparing
(``tasks.crm.reconcile``).
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from console.cli.crm_choice import Name, choose_crms
from console.cli.options import Json, Now, Personal
from console.command_context import CommandContext, parse_now
from console.redaction import sanitise
from console.screen import (
    CommandError,
    build_console,
    build_error_console,
    build_table,
    find_program,
    print_json,
)
from leadgate.connectors.crm_opening import open_crm
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.fields import PERSONAL
from leadgate.ledger.clock import ask_time
from leadgate.masking import mask, mask_within
from leadgate.playbook import CrmConnection
from leadgate.playbook.base import Duration
from tasks.crm.reconcile import Drift, ReconcileReport, describe_comparison, open_and_reconcile

_LONGEST = timedelta(days=3650)


def reconcile(
    ctx: typer.Context,
    name: Name = None,
    since: Annotated[
        str,
        typer.Option("--since", metavar="SPAN", help="How far back to compare what was written, such as 7d or 12h."),
    ] = "7d",
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Only report: open no work item, and store nothing that was read.")
    ] = False,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Compare what was written to the playbook's CRMs with what they have now. Exit 1 when it is not the same."""
    context: CommandContext = ctx.obj
    span = _parse_span(since)
    status = build_error_console().status("comparing") if sys.stderr.isatty() else nullcontext()
    with status, context.ledger_and_playbook(checked=True, takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        chosen = choose_crms(playbook, name)
        at = ask_time(ledger, parse_now(now))
        reports = [
            open_and_reconcile(
                ledger,
                playbook,
                each,
                lambda each=each: open_crm(each, os.environ),  # type: ignore[misc]
                at - span,
                parse_now(now),
                report_only=report_only,
            )
            for each in chosen
        ]
    if not show_personal:
        reports = [_mask(report, each) for report, each in zip(reports, chosen, strict=True)]
    if json:
        print_json({"crms": [asdict(each) | {"is_whole": each.is_whole} for each in reports]})
    else:
        for report in reports:
            _render(report)
    problems = [f"{each.crm}: {each.problem}" for each in reports if each.problem is not None]
    if problems:
        raise CommandError("\n".join(sanitise(each) for each in problems), ExitCode.UNREACHABLE)
    if not all(each.is_whole for each in reports):
        raise typer.Exit(ExitCode.BROKEN)


def _parse_span(since: str) -> timedelta:
    try:
        span: timedelta = TypeAdapter(Duration).validate_python(since)
    except (ValidationError, OverflowError):
        raise CommandError(f"--since {since[:40]!r} is no span of time; write it as 7d or 12h") from None
    if span > _LONGEST:
        raise CommandError(f"--since is longer than {_LONGEST.days:,} days")
    return span


def _mask(report: ReconcileReport, connection: CrmConnection) -> ReconcileReport:
    """The report with personal values masked."""
    personal = {name for name, write in connection.writes.items() if write.fact in PERSONAL}
    return replace(report, drifts=[_mask_drift(drift, drift.name in personal) for drift in report.drifts])


def _mask_drift(drift: Drift, is_personal: bool) -> Drift:
    hide = (lambda value: mask(value.strip("'"))) if is_personal else mask_within
    return replace(drift, written=hide(drift.written), read=hide(drift.read))


def _render(report: ReconcileReport) -> None:
    console = build_console()
    if report.drifts:
        table = build_table("lead", "field", "written", "the CRM has", "")
        for drift in report.drifts:
            values = (sanitise(value, 150) for value in (drift.written, drift.read))
            table.add_row(f"L{drift.lead_id}", sanitise(drift.name, 100), *values, "new" if drift.is_new else "known")
        console.print(table)
    if report.gone_leads:
        console.print("Gone: " + ", ".join(f"L{lead}" for lead in report.gone_leads), soft_wrap=True)
    console.print(sanitise(describe_comparison(replace(report, problem=None))) + ".", soft_wrap=True)
    if report.opened:
        opened = format_count(report.opened, "work item", "work items")
        console.print(f"{opened} opened. Next: {find_program()} queue --reason crm_write_not_kept")
    console.print()
