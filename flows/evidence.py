"""What work leaves in the Prefect UI: a page for a batch, a table for its gates, one for each gate that was broken.

Belongs here: artifacts, made from reports that hold counts and masked values only. Does not belong here: where links
lead (``links``), or the words for outcomes (``tasks.outcomes``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from sqlalchemy.exc import DBAPIError

from flows import links
from flows.whereabouts import describe_whereabouts
from leadgate.counting import format_count
from leadgate.fields import ENRICHED, PERSONAL, STANDARD, VALIDATED
from leadgate.ledger import Ledger, reports
from leadgate.masking import mask, mask_within
from leadgate.plain_text import escape_cell, escape_markdown
from leadgate.vocabulary import Outcome
from tasks.batches import BatchReport
from tasks.crm.reconcile import ReconcileReport, describe_comparison
from tasks.crm.sync import SyncReport, describe_sync
from tasks.descriptions import count_leads, describe_batch
from tasks.outbox import DeliveryReport
from tasks.outcomes import HOLDING_OUTCOMES, OUTCOME_LABELS
from tasks.stage import StageReport

#: Leads that the page of a batch names.
LEADS_NAMED: Final = 100


#: Words that say something else at the head of a column than beside a number.
_COLUMNS: Final = {Outcome.WAIT: "waits", Outcome.JOINED: "joined a known lead"}


async def publish(report: BatchReport, ledger: Ledger) -> None:
    """Publish the artifacts at once. About 25 ms each, after everything that anybody waits for.

    A gate where every promise was kept has no table of its own: it is in the one of all gates.
    """
    worked = [stage for stage in report.stages if stage.entered]
    kind = report.kind.replace("_", "-")
    await asyncio.gather(
        _publish_batch(report, worked, ledger),
        acreate_table_artifact(
            key=f"{kind}-gates",
            table=[{"gate": stage.gate.replace("_", " ")} | line for stage in worked for line in _list_promises(stage)],
            description=f"Batch {report.batch}: every promise of every gate.",
        ),
        *(acreate_table_artifact(**_build_gate(report, stage)) for stage in worked if _is_broken(stage)),
    )


def _is_broken(stage: StageReport) -> bool:
    return any(not line["ok"] for line in stage.evidence)


def _build_gate(report: BatchReport, stage: StageReport) -> dict[str, Any]:
    return {
        "key": f"gate-{stage.gate.replace('_', '-')}",
        "table": _list_promises(stage),
        "description": f"Batch {report.batch} at {stage.name_in_words}: {stage.entered} in, {stage.held} held.",
    }


def _list_promises(stage: StageReport) -> list[dict[str, Any]]:
    return [
        {
            "promise": line["promise"],
            "severity": line["severity"],
            "kept": "yes" if line["ok"] else "no",
            "checked": line["checked"],
            "failed": line["failed"],
            "in words": line["words"],
            "examples": escape_cell(", ".join(stage.examples.get(line["promise"], ()))),
        }
        for line in stage.evidence
    ]


async def _publish_batch(report: BatchReport, worked: Sequence[StageReport], ledger: Ledger) -> None:
    """Stage by stage, and lead by lead: those that are held come first, with what to do."""
    named = _select_named(worked)
    leads: list[reports.JourneyStanding] = []
    with contextlib.suppress(DBAPIError):  # the owners are committed: a page is worth no failure
        leads = await asyncio.to_thread(reports.list_standings, ledger, named)
    leads.sort(key=lambda each: named.index(each.id))
    form = await links.find_rerun_form() if any(each.work_item_id is not None for each in leads) else None
    parts = [f"**{escape_text(describe_batch(report))}**", _format_stages(worked)]
    if leads:
        parts.append(_format_leads(leads, form))
    left = sum(count_leads(report).values()) - len(leads)
    if left > 0:
        parts.append(f"{left:,} more: `leadgate queue` lists what is held, `leadgate summary` counts the others.")
    await acreate_markdown_artifact(
        key=f"{report.kind.replace('_', '-')}-batch",
        markdown="\n\n".join(parts),
        description=f"Batch {report.batch}: {format_count(report.size, 'lead', 'leads')}, stage by stage.",
    )


def _select_named(worked: Sequence[StageReport]) -> list[int]:
    """The journeys that the page names: held ones first, then those that ended or wait, then owned ones."""
    last = Outcome.OWNED
    order = (
        *HOLDING_OUTCOMES,
        *(outcome for outcome in OUTCOME_LABELS if outcome not in (*HOLDING_OUTCOMES, last)),
        last,
    )
    named = [journey for outcome in order for stage in worked for journey in stage.journeys.get(outcome, ())]
    return list(dict.fromkeys(named))[:LEADS_NAMED]


def _format_stages(worked: Sequence[StageReport]) -> str:
    """A row for each stage, a column for each outcome that any of them has."""
    outcomes = [name for name in OUTCOME_LABELS if any(stage.outcomes.get(name) for stage in worked)]
    head = ["stage", "in", *((OUTCOME_LABELS | _COLUMNS)[name] for name in outcomes), "held for"]
    rows = [
        [
            stage.name_in_words,
            f"{stage.entered:,}",
            *(f"{stage.outcomes[name]:,}" if stage.outcomes.get(name) else "" for name in outcomes),
            ", ".join(f"{escape_text(reason)} {count:,}" for reason, count in sorted(stage.reasons.items())),
        ]
        for stage in worked
    ]
    return format_table(head, rows, numbers=range(1, len(head) - 1))


def _format_leads(leads: Sequence[reports.JourneyStanding], form: UUID | None) -> str:
    rows = []
    for each in leads:
        item = each.work_item_id
        command = f"`leadgate explain J{each.id}`" if item is None else f"`leadgate rerun W{item}`"
        rows.append([f"J{each.id}", *link_whereabouts(each, form), command])
    return format_table(["journey", "now", "owner or reason", "command"], rows)


def link_whereabouts(journey: reports.JourneyStanding, form: UUID | None) -> tuple[str, str]:
    """Where a journey is now, and its owner or the reason, in Markdown: its work item is a link to the form."""
    now, why = describe_whereabouts(journey)
    item = journey.work_item_id
    if item is None or not now.endswith(f"W{item}"):
        return escape_text(now), escape_text(why)
    return f"{escape_text(now.removesuffix(f'W{item}'))}{links.link_work_item(item, form)}", escape_text(why)


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Container[int] = ()) -> str:
    """A table in Markdown, of cells that are Markdown already. ``numbers``: the columns that are set to the right."""
    under = ["---:" if column in numbers else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, under, *rows))


_KNOWN: Final = frozenset({**STANDARD, **VALIDATED, **ENRICHED})


def escape_text(text: str) -> str:
    """``text`` as Markdown that shows just that, in a line."""
    return escape_markdown(text)


def show_masked(field: str, value: str) -> str:
    """A lead's value as it may stand in an artifact or a parameter; of the playbook's own fields nobody knows more."""
    return mask_within(value) if field in _KNOWN and field not in PERSONAL else mask(value)


async def publish_delivery(report: DeliveryReport) -> None:
    """Publish the counts of a round of delivery: by kind, target and outcome, and what waits for an address."""
    sent = [
        {
            "message": line["kind"].replace("_", " "),
            "to": line["target"],
            "outcome": line["outcome"].replace("_", " "),
            "messages": line["count"],
        }
        for line in report.to_dict()["messages"]
    ]
    waiting = [
        {"message": "any", "to": name, "outcome": outcome, "messages": number}
        for outcome, counts in (
            ("waits: the variable is not set", report.without_address),
            ("waits: no notification names it", report.without_entry),
        )
        for name, number in sorted(counts.items())
    ]
    failures = "; ".join(f"{failure}: {number}" for failure, number in sorted(report.failures.items()))
    await acreate_table_artifact(
        key="delivery",
        table=sent + waiting,
        description=f"{report.count('delivered')} delivered, {report.later} wait for the next attempt."
        + (f" Failed attempts: {failures}." if failures else ""),
    )


async def publish_syncs(reports: Sequence[SyncReport]) -> None:
    """Publish what a round of reading CRMs has read, a line for each, in counts."""
    await acreate_table_artifact(
        key="crm-sync",
        table=[
            {
                "CRM": report.crm,
                "records": report.records,
                "new signals": report.new,
                "known": report.known,
                "held": report.held,
                "not wanted": report.unwanted,
                "deleted": report.deleted,
                "in words": escape_cell(describe_sync(report)),
            }
            for report in reports
        ],
        description="What changed in the CRMs that the playbook reads.",
    )


async def publish_comparisons(reports: Sequence[ReconcileReport]) -> None:
    """Publish what a comparison with CRMs has found, a line for each, in counts."""
    await acreate_table_artifact(
        key="crm-reconcile",
        table=[
            {
                "CRM": report.crm,
                "records": report.records,
                "as written": report.same,
                "fields that differ": report.drifting,
                "gone": report.gone,
                "being written": report.being_written,
                "new work items": report.opened,
                "in words": escape_cell(describe_comparison(report)),
            }
            for report in reports
        ],
        description="Whether CRMs still have what was written to them.",
    )
