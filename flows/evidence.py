"""What a batch leaves in the Prefect UI: a table for each gate, and one for the batch.

Belongs here: artifacts, made from reports that hold counts and masked values only.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.artifacts import acreate_table_artifact

from tasks.batches import BatchReport
from tasks.stage import StageReport


async def publish(report: BatchReport) -> None:
    """Publish the tables at once. About 25 ms each, after everything that anybody waits for."""
    worked = [stage for stage in report.stages if stage.entered]
    await asyncio.gather(
        *(acreate_table_artifact(**_gate(report, stage)) for stage in worked),
        acreate_table_artifact(
            key=f"{report.kind.replace('_', '-')}-batch",
            table=[_line(stage) for stage in worked],
            description=f"Batch {report.batch}: {report.size} journeys, stage by stage.",
        ),
    )


def _gate(report: BatchReport, stage: StageReport) -> dict[str, Any]:
    return {
        "key": f"gate-{stage.gate.replace('_', '-')}",
        "table": [
            {
                "promise": line["promise"],
                "severity": line["severity"],
                "kept": "yes" if line["ok"] else "no",
                "checked": line["checked"],
                "failed": line["failed"],
                "in words": line["words"],
                "examples": ", ".join(stage.examples.get(line["promise"], ())),
            }
            for line in stage.evidence
        ],
        "description": f"Batch {report.batch} at {stage.name_in_words}: {stage.entered} in, {stage.held} held.",
    }


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
