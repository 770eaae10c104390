"""What work leaves in the Prefect UI: a table for a batch, one for its gates, one for each gate that was broken.

Belongs here: artifacts, made from reports that hold counts and masked values only.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from prefect.artifacts import acreate_table_artifact

from leadgate.fields import ENRICHED, PERSONAL, STANDARD, VALIDATED
from leadgate.masking import mask, mask_within
from leadgate.plain_text import defanged, markdown, neutral, one_line
from tasks.batches import BatchReport
from tasks.outbox import DeliveryReport
from tasks.stage import StageReport


async def publish(report: BatchReport) -> None:
    """Publish the tables at once. About 25 ms each, after everything that anybody waits for.

    A gate where every promise was kept has no table of its own: it is in the one of all gates.
    """
    worked = [stage for stage in report.stages if stage.entered]
    kind = report.kind.replace("_", "-")
    await asyncio.gather(
        acreate_table_artifact(
            key=f"{kind}-batch",
            table=[_line(stage) for stage in worked],
            description=f"Batch {report.batch}: {report.size} journeys, stage by stage.",
        ),
        acreate_table_artifact(
            key=f"{kind}-gates",
            table=[{"gate": stage.gate.replace("_", " ")} | line for stage in worked for line in _promises(stage)],
            description=f"Batch {report.batch}: every promise of every gate.",
        ),
        *(acreate_table_artifact(**_gate(report, stage)) for stage in worked if _broken(stage)),
    )


def _broken(stage: StageReport) -> bool:
    return any(not line["ok"] for line in stage.evidence)


def _gate(report: BatchReport, stage: StageReport) -> dict[str, Any]:
    return {
        "key": f"gate-{stage.gate.replace('_', '-')}",
        "table": _promises(stage),
        "description": f"Batch {report.batch} at {stage.name_in_words}: {stage.entered} in, {stage.held} held.",
    }


def _promises(stage: StageReport) -> list[dict[str, Any]]:
    return [
        {
            "promise": line["promise"],
            "severity": line["severity"],
            "kept": "yes" if line["ok"] else "no",
            "checked": line["checked"],
            "failed": line["failed"],
            "in words": line["words"],
            "examples": cell(", ".join(stage.examples.get(line["promise"], ()))),
        }
        for line in stage.evidence
    ]


def _line(stage: StageReport) -> dict[str, Any]:
    return {
        "stage": stage.name_in_words,
        "in": stage.entered,
        "on": stage.outcomes.get("continue", 0) + stage.outcomes.get("owned", 0),
        "held": stage.held,
        "reasons": ", ".join(f"{reason} {count}" for reason, count in sorted(stage.reasons.items())),
        "elsewhere": ", ".join(
            f"{outcome} {count}"
            for outcome, count in sorted(stage.outcomes.items())
            if outcome not in ("continue", "owned", "hold", "review", "parked")
        ),
    }


_KNOWN: Final = frozenset({**STANDARD, **VALIDATED, **ENRICHED})


def plain(text: str) -> str:
    """``text`` as Markdown that shows just that, in a line."""
    return markdown(text)


def cell(text: str) -> str:
    """``text`` in a table: a page may take a cell for Markdown, or not, so nothing in it can be either."""
    return neutral(defanged(one_line(text, 300)))


def shown(field: str, value: str) -> str:
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
        for line in report.as_data()["messages"]
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
