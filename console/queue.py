"""``leadgate queue``: open work items, on the screen or as a CSV.

Belongs here: filters in words, the table, the export. Does not belong here: deciding about an item
(``rerun``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from console import spreadsheet
from console.place import Place, moment_of
from console.safe import mask_item, visible
from console.screen import CommandError, moment, out, print_json, program, say, table
from leadgate.ledger import reports
from leadgate.ledger.reports import Wanted
from leadgate.models import STAGES
from leadgate.nearest import proposal
from tasks.reruns import require_known

_EXPORTED: Final = (
    "id", "kind", "reason", "stage", "source", "lead_id", "journey_id", "journeys", "message", "value",
    "detail", "proposal", "route", "assignee", "taken_at", "due_at", "opened_at", "escalated_at",
    "escalated_to",
)  # fmt: skip


def wanted(
    *,
    ids: Sequence[int] = (),
    reason: str | None = None,
    stage: str | None = None,
    route: str | None = None,
    assignee: str | None = None,
    source: str | None = None,
    batch: int | None = None,
    due_before: str | None = None,
) -> Wanted:
    """The options as a filter. Raises ``CommandError`` for a stage that does not exist."""
    if stage is not None:
        stage = stage.replace("-", "_")
        if stage not in STAGES:
            raise CommandError(f"there is no stage {stage!r}; {proposal(stage, STAGES)}")
    before = None if due_before is None else moment_of(due_before)
    return Wanted(tuple(ids), reason, stage, route, assignee, source, batch, before)


def show(place: Place, asked: Wanted, *, limit: int, csv_file: Path | None, personal: bool, as_json: bool) -> None:
    """The command."""
    with place.ledger() as ledger:
        items = reports.work_items(ledger, asked, None if csv_file is not None else limit)
        total = reports.count_work_items(ledger, asked)
        if not items:
            require_known(ledger, asked)
    if not personal:
        items = [mask_item(item) for item in items]
    if csv_file is not None:
        export(items, csv_file)
        say(f"{len(items):,} work items written to {csv_file}")
        if as_json:
            print_json({"total": total, "file": str(csv_file)})
        return
    if as_json:
        print_json({"total": total, "items": items})
        return
    _print(items, total)


def export(items: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write work items as CSV. No cell of it is a formula to a spreadsheet."""
    lines = (dict(item) | {"proposal": changes(item["proposal"])} for item in items)
    spreadsheet.write(file, [_EXPORTED, *([line[name] for name in _EXPORTED] for line in lines)])


def changes(proposed: Mapping[str, Any] | None) -> str:
    """A proposal as one would type it: ``email=jane@gmail.com``."""
    return ", ".join(f"{field}={value}" for field, value in (proposed or {}).items())


def _print(items: Sequence[Mapping[str, Any]], total: int) -> None:
    console = out()
    if not items:
        console.print("No open work item matches." if total == 0 else "")
        return
    made = table("item", "due (UTC)", "reason at stage", "lead", "what", "decides", right=("item", "lead"))
    for item in items:
        made.add_row(
            f"W{item['id']}",
            moment(item["due_at"]),
            f"{visible(item['reason'], 40)}\n{item['stage']}",
            _about(item),
            what(item),
            decides(item),
        )
    console.print(made)
    if total > len(items):
        console.print(f"\n{total - len(items):,} more; see them with --limit {total}, or --csv FILE.")
    first = next((item for item in items if item["blocking"]), None)
    if first is not None:
        console.print(f"\nNext: {program()} explain W{first['id']}, {program()} rerun --work-item {first['id']}")


def _about(item: Mapping[str, Any]) -> str:
    if item["journey_id"] is None:
        return f"{item['journeys']:,} held"
    return str(item["lead_id"] if item["lead_id"] is not None else f"J{item['journey_id']}")


def decides(item: Mapping[str, Any]) -> str:
    """Who decides the item, and whom it was escalated to when nobody did in time."""
    who = visible(item["assignee"] or item["route"], 40)
    if item["escalated_at"] is None:
        return who
    return f"{who}\nescalated to {visible(item['escalated_to'], 40)} at {moment(item['escalated_at'])}"


def what(item: Mapping[str, Any]) -> str:
    """What a person needs to see to decide, in a few short lines."""
    parts = [visible(item["message"], 160)]
    if item["detail"]:
        parts.append(visible(item["detail"], 120))
    if item["value"]:
        parts.append(f"value: {visible(item['value'], 60)}")
    if item["proposal"]:
        parts.append(f"proposed: {visible(changes(item['proposal']), 80)}")
    return "\n".join(parts)
