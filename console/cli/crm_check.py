"""``leadgate crm check``: whether CRMs are ready for what the playbook reads and writes there.

Belongs here: findings in a table, and the exit code. Does not belong here: asking a CRM (``tasks.crm.check``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict

import typer

from console.cli.crm_choice import Name, choose_crms
from console.cli.options import Json
from console.command_context import CommandContext
from console.redaction import sanitise
from console.screen import build_console, build_error_console, build_heading, build_table, print_json
from leadgate.connectors.crm import CrmFinding
from leadgate.connectors.crm_opening import open_crm
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from tasks.crm.check import CheckReport, check_answers, check_connection
from tasks.crm.lead_ads import list_sources

_SHOWN = 300  # characters of a cell


def check(ctx: typer.Context, name: Name = None, json: Json = False) -> None:
    """Ask the playbook's CRMs whether reading and writing would work; writes nothing. Exit 1 when it would not."""
    context: CommandContext = ctx.obj
    playbook = context.find_checked_playbook().playbook
    sources = [each for each in list_sources(playbook) if name in (None, each)]
    # without a CRM, a source alone is asked about
    chosen = (
        []
        if sources and (name is not None or not playbook.crm)
        else choose_crms(playbook, name, list_sources(playbook))
    )
    status = build_error_console().status("asking") if sys.stderr.isatty() else nullcontext()
    with status:
        reports = [
            check_connection(playbook, each, os.environ, lambda each=each: open_crm(each, os.environ))  # type: ignore[misc]
            for each in chosen
        ]
        reports += [check_answers(playbook, each, os.environ) for each in sources]
    if json:
        print_json({"crms": [asdict(each) | {"is_ready": each.is_ready} for each in reports]})
    else:
        for report in reports:
            render_report(report)
    if (code := choose_code(reports)) is not None:
        raise typer.Exit(code)


def choose_code(reports: Iterable[CheckReport]) -> ExitCode | None:
    """What the command ends with; None when every CRM is ready."""
    not_ready = [report for report in reports if not report.is_ready]
    if any(not report.was_asked for report in not_ready):
        return ExitCode.UNREACHABLE
    return ExitCode.BROKEN if not_ready else None


def render_report(report: CheckReport) -> None:
    console = build_console()
    console.print(build_heading(sanitise(report.crm)))
    if report.findings:
        render_findings(report.findings)
    blocking = sum(finding.is_blocking for finding in report.findings)
    if not report.was_asked:
        console.print("It could not be asked about everything.\n")
    elif blocking:
        console.print(f"{format_count(blocking, 'finding blocks', 'findings block')} reading or writing.\n")
    else:
        console.print("Ready: nothing blocks reading or writing.\n")


def render_findings(findings: Iterable[CrmFinding]) -> None:
    """Print findings, each with what to do."""
    table = build_table("", "about", "finding", "what to do")
    for finding in findings:
        table.add_row(
            "blocks" if finding.is_blocking else "note",
            *(sanitise(words, _SHOWN) for words in (finding.subject, finding.problem, finding.advice)),
        )
    build_console().print(table)
