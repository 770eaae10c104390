"""Events of Leadgate in Prefect, to which automations can react.

Belongs here: the names and the shape of the events. Does not belong here: deciding that there is one, which the stages
do (``tasks.stage.Alert``).

An event is emitted after its batch is committed and closed. It is only a hint: a process that is killed in between
emits no event, and the work item is the record. An event holds ids, counts and reasons, and nothing personal.
"""

from __future__ import annotations

from typing import Any

from prefect.events import emit_event

from tasks.batches import BatchReport
from tasks.stage import Alert, StageReport, Work


def emit_alerts(report: BatchReport) -> None:
    """Emit an event for each alert of a batch: ``leadgate.batch.held``, ``…breaker.opened``, ``…lead.escalated``."""
    for stage in report.stages:
        for alert in stage.alerts:
            emit_event(
                event=f"leadgate.{alert.event}",
                resource=_build_resource(report, stage, alert),
                related=[{"prefect.resource.id": f"leadgate.batch.{report.batch}", "prefect.resource.role": "batch"}],
                payload=_build_payload(report, stage, alert),
            )


def emit_held_batch(work: Work, reason: str, journeys: int) -> None:
    """Emit ``leadgate.batch.held`` for a batch that no run continues: it was cancelled, or failed too often."""
    batch = work.batch
    emit_event(
        event="leadgate.batch.held",
        resource={"prefect.resource.id": f"leadgate.batch.{batch.id}", "prefect.resource.name": f"batch {batch.id}"},
        payload={"batch": batch.id, "size": batch.size, "reason": reason, "held": journeys},
    )


def _build_resource(report: BatchReport, stage: StageReport, alert: Alert) -> dict[str, str]:
    facts = alert.facts
    if alert.event == "breaker.opened":
        resource = {"id": f"leadgate.breaker.{facts['source']}.{facts['gate']}", "name": f"source {facts['source']}"}
    elif alert.event == "lead.escalated":
        resource = {"id": f"leadgate.journey.{facts['journey']}", "name": f"J{facts['journey']}"}
    else:
        resource = {"id": f"leadgate.batch.{report.batch}", "name": f"batch {report.batch} at {stage.name_in_words}"}
    return {f"prefect.resource.{name}": value for name, value in resource.items()}


def _build_payload(report: BatchReport, stage: StageReport, alert: Alert) -> dict[str, Any]:
    return {"batch": report.batch, "size": report.size, "kind": report.kind, "stage": stage.stage} | alert.facts
