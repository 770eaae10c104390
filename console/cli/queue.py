"""``leadgate queue``: open work items, on the screen or as a CSV.

Belongs here: filters in words, the table, the export. Does not belong here: deciding about an item
(``rerun``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from console import spreadsheet
from console.cli.items import format_changes, render, render_next
from console.cli.options import Json, Now, Personal, Reason, Source, Stage
from console.command_context import CommandContext, parse_moment, parse_now
from console.redaction import mask_item
from console.report.tables import format_percent
from console.screen import CommandError, build_console, find_program, print_json, say
from leadgate.counting import format_count
from leadgate.ledger import Ledger, reports
from leadgate.ledger.clock import ask_time
from leadgate.ledger.reports import OpenWorkItem, WorkItemFilter
from leadgate.nearest import propose
from leadgate.playbook.yaml_text import PlaybookError
from leadgate.vocabulary import STAGES
from tasks.advice import BY_CHANCE, is_advising, may_advise
from tasks.reruns import require_known

_EXPORTED: Final = (
    "id", "kind", "reason", "stage", "source", "lead_id", "journey_id", "journeys", "message", "value",
    "detail", "proposal", "route", "assignee", "taken_at", "due_at", "opened_at", "escalated_at",
    "escalated_to", "record_id",
)  # fmt: skip


def build_filter(
    *,
    ids: Sequence[int] = (),
    reason: str | None = None,
    stage: str | None = None,
    route: str | None = None,
    assignee: str | None = None,
    source: str | None = None,
    batch: int | None = None,
    due_before: str | None = None,
) -> WorkItemFilter:
    """The options as a filter. Raises ``CommandError`` for a stage that does not exist."""
    if stage is not None:
        stage = stage.replace("-", "_")
        if stage not in STAGES:
            raise CommandError(f"there is no stage {stage!r}; {propose(stage, STAGES)}")
    before = None if due_before is None else parse_moment(due_before)
    return WorkItemFilter(tuple(ids), reason, stage, route, assignee, source, batch, before)


def queue(
    ctx: typer.Context,
    reason: Reason = None,
    stage: Stage = None,
    route: Annotated[
        str | None, typer.Option("--route", help="Only work items that this person or route decides.")
    ] = None,
    assignee: Annotated[
        str | None, typer.Option("--assignee", help="Only work items that this person has taken.")
    ] = None,
    source: Source = None,
    due_before: Annotated[
        str | None, typer.Option("--due-before", metavar="MOMENT", help="Only work items due before this moment (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")] = 50,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all work items to FILE as CSV, safe for spreadsheets."),
    ] = None,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """List open work items, the first due first: what is wrong, who decides, and by when (on this computer's clock).

    Where a learned score advises: overdue first, then the best chance.
    """
    asked = build_filter(
        reason=reason, stage=stage, route=route, assignee=assignee, source=source, due_before=due_before
    )
    context: CommandContext = ctx.obj
    with context.ledger() as ledger:
        at = ask_time(ledger, parse_now(now))
        by_chance = _is_advised(context, ledger)
        asked = replace(asked, by_chance_at=at if by_chance else None)
        items = reports.list_work_items(ledger, asked, None if csv is not None else limit)
        total = reports.count_work_items(ledger, asked)
        if not items:
            require_known(ledger, asked)
    if not show_personal:
        items = [mask_item(item) for item in items]
    if csv is not None:
        export(items, csv)
        say(f"{format_count(len(items), 'work item', 'work items')} written to {csv}")
        if json:
            print_json({"total": total, "file": str(csv)})
        return
    if json:
        print_json({"order": "chance" if by_chance else "due", "total": total, "items": items})
        return
    _print(items, total, at, by_chance=by_chance)


def _is_advised(context: CommandContext, ledger: Ledger) -> bool:
    """Whether a learned score says the order. The playbook is read only where a score may; one that cannot be read says
    no order."""
    if not may_advise(ledger):
        return False
    try:
        return is_advising(ledger, context.settle(ledger, context.read_playbook(), takes_over=False).playbook)
    except PlaybookError:
        return False


def export(items: Sequence[OpenWorkItem], file: Path) -> None:
    """Write work items as CSV. No cell of it is a formula to a spreadsheet."""
    lines = (asdict(item) | {"proposal": format_changes(item.proposal)} for item in items)
    spreadsheet.write(file, [_EXPORTED, *([line[name] for name in _EXPORTED] for line in lines)])


def _print(items: Sequence[OpenWorkItem], total: int, now: datetime, *, by_chance: bool) -> None:
    console = build_console()
    if not items:
        console.print("No open work item matches." if total == 0 else "")
        return
    if by_chance:
        console.print(f"{BY_CHANCE}.")
    chances = {} if not by_chance else {each.id: each.chance for each in items if each.chance is not None}
    render(items, {number: f"chance {format_percent(chance)}" for number, chance in chances.items()}, now, console)
    if total > len(items):
        console.print(f"\n{total - len(items):,} more; see them with --limit {total}, or --csv FILE.")
    render_next(items, console)
    first = next((item for item in items if item.blocking), items[0])
    console.print(f"  all about one\n    {find_program()} explain W{first.id}", soft_wrap=True)
