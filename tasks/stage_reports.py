"""What a stage reports of a batch: counts, the first journeys of each outcome, masked examples, and alerts.

Belongs here: making this report from the rows that were stored. Does not belong here: storing them (``handoff``), or
telling the report in words (``descriptions``).
"""

from __future__ import annotations

from collections import Counter

import pandas as pd

from expectations.findings import GateResult
from leadgate.ledger import bulk
from leadgate.masking import mask
from leadgate.vocabulary import JourneyStatus, Outcome
from tasks.stage import JOURNEYS_NAMED, Alert, AnyStage, StageReport, Work


def summarise(stage: AnyStage, work: Work, frame: pd.DataFrame, result: GateResult, alerts: list[Alert]) -> StageReport:
    """The report of ``stage`` over ``frame``, the rows as they were stored, and what its gate found in them."""
    held = frame["outcome"].isin((Outcome.HOLD, Outcome.REVIEW, Outcome.PARKED))
    return StageReport(
        stage=stage.name,
        batch=work.batch.id,
        gate=stage.gate,
        entered=len(frame),
        outcomes=_count_values(frame["outcome"]),
        reasons=_count_values(frame["reason"][held]),
        warnings=_count_values(result.warnings["reason"]),
        evidence=result.evidence,
        examples=_list_examples(result.failures),
        journeys=_list_journeys(frame),
        seconds={"gate": result.seconds},
        alerts=[
            *alerts,
            *_build_alerts(stage, frame, held, result),
            *(stage.alerts(frame, work) if stage.alerts is not None else []),
        ],
    )


def _count_values(values: pd.Series) -> dict[str, int]:
    """How often each value occurs, the most frequent first; a missing one is not counted."""
    return {str(value): count for value, count in Counter(bulk.list_values(values)).most_common() if value is not None}


def _list_journeys(frame: pd.DataFrame) -> dict[str, list[int]]:
    """The first journeys of each outcome that is worth a look."""
    outcome = frame["outcome"]
    return {
        str(name): frame.loc[outcome == name, "journey_id"].head(JOURNEYS_NAMED).astype(int).tolist()
        for name in outcome.unique()
        if name not in (Outcome.CONTINUE, Outcome.STAY)
    }


def _build_alerts(stage: AnyStage, frame: pd.DataFrame, held: pd.Series, result: GateResult) -> list[Alert]:
    """A gate that could not be checked holds all that it was to judge behind one work item."""
    problem = result.batch_problem
    if problem is None or stage.works_on == JourneyStatus.OWNED:
        return []
    rows = frame[held & (frame["reason"] == problem.reason)]
    facts = {"reason": problem.reason, "promise": problem.promise, "held": len(rows)}
    items = [int(item) for item in rows["work_item_id"].unique()]
    return [Alert("batch.held", {"stage": stage.name, "gate": stage.gate, "work_items": items} | facts)]


def _list_examples(failures: pd.DataFrame) -> dict[str, list[str]]:
    """For each broken promise up to three journeys with the value that broke it, masked."""
    if failures.empty:
        return {}
    return {
        str(promise): [
            f"J{journey}: {mask(value)}" if value else f"J{journey}"
            for journey, value in zip(rows["journey_id"].head(3), rows["value"].head(3), strict=True)
        ]
        for promise, rows in failures.groupby("promise")
    }
