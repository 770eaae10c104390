"""The words of the protocol: what a stage is, what it works on, what it hands over and reports.

Belongs here: these types alone. Does not belong here: the protocol itself (``handoff``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import pandas as pd
from sqlalchemy import Connection

from leadgate.json_columns import CheckedPromise
from leadgate.ledger import Ledger
from leadgate.ledger.batches import Batch
from leadgate.playbook import Loaded, Playbook
from leadgate.vocabulary import GateName, JourneyStatus, Outcome, StageName
from tasks.outcomes import HOLDING_OUTCOMES

#: Journeys that a report names for each outcome but "continue".
JOURNEYS_NAMED: Final = 50


@dataclass(frozen=True)
class Work:
    """What a stage works on: the batch, the playbook pinned to it, and what time it is."""

    batch: Batch
    playbook: Loaded
    now: datetime
    lease_seconds: float = 30.0
    key: bytes = field(default=b"", repr=False)  # of the hashes by which leads are found

    @property
    def rules(self) -> Playbook:
        return self.playbook.playbook


@dataclass(frozen=True)
class Gathered:
    """One row a journey (``frame``), and what else the stage needs to decide (``context``)."""

    frame: pd.DataFrame
    context: Any = None


@dataclass(frozen=True)
class Decided:
    """The gathered frame with an ``outcome`` for each row, and what the decision changes elsewhere.

    ``outcome``: an ``Outcome``. Rows that hold bring ``reason`` and ``item_message``.
    """

    frame: pd.DataFrame
    context: Any = None
    pools_locked: bool = False  # whether nobody else can take a turn before this is stored

    @property
    def gated(self) -> pd.DataFrame:
        """The rows the gate judges: those that would be handed on. A row on hold has nothing to promise yet."""
        return self.frame[~self.frame["outcome"].isin((Outcome.HOLD, Outcome.WAIT))]


@dataclass(frozen=True)
class Stage:
    """A stage's part of the protocol. ``ask`` asks services outside, and no transaction is open meanwhile. ``store``
    writes what was decided and may turn rows to ``joined``."""

    name: StageName
    gather: Callable[[Connection, Work], Gathered]
    decide: Callable[[Gathered, Work], Decided]
    store: Callable[[Connection, Work, Decided], pd.DataFrame]
    ask: Callable[[Ledger, Gathered, Work], Gathered] | None = None
    finish: Callable[[Connection, Work, pd.DataFrame], None] | None = None  # after the journeys moved on
    works_on: JourneyStatus = JourneyStatus.READY  # the status of the journeys it takes
    breaks: bool = True  # a source can break this stage's promises, so the breaker counts them
    alerts: Callable[[pd.DataFrame, Work], list[Alert]] | None = None  # of the rows as they were stored

    @property
    def gate(self) -> GateName:
        return self.name.gate


@dataclass(frozen=True)
class Alert:
    """What somebody outside may want to hear of at once. ``facts``: ids, counts, reasons; nothing personal."""

    what: Literal["batch.held", "breaker.opened", "lead.escalated"]
    facts: dict[str, Any]


@dataclass(frozen=True)
class StageReport:
    """What a stage did with a batch, in counts: small enough to be a task's result."""

    stage: StageName
    batch: int
    gate: str = ""
    entered: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    evidence: list[CheckedPromise] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)  # promise -> masked values that broke it
    journeys: dict[str, list[int]] = field(default_factory=dict)  # outcome -> the first ``JOURNEYS_NAMED`` of them
    seconds: dict[str, float] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    @property
    def name_in_words(self) -> str:
        return self.stage.replace("_", "-")

    @property
    def held(self) -> int:
        return sum(self.outcomes.get(outcome, 0) for outcome in HOLDING_OUTCOMES)


def merge(reports: Sequence[StageReport], stage: StageName, batch: int) -> StageReport:
    """One report about a batch whose parts were worked on apart."""
    merged = StageReport(stage, batch, gate=next((report.gate for report in reports if report.gate), ""))
    for report in reports:
        for totals, counts in (
            (merged.outcomes, report.outcomes),
            (merged.reasons, report.reasons),
            (merged.warnings, report.warnings),
        ):
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        for name, seconds in report.seconds.items():
            merged.seconds[name] = merged.seconds.get(name, 0.0) + seconds
        for promise, examples in report.examples.items():
            merged.examples[promise] = [*merged.examples.get(promise, ()), *examples][:3]
        for outcome, journeys in report.journeys.items():
            merged.journeys[outcome] = [*merged.journeys.get(outcome, ()), *journeys][:JOURNEYS_NAMED]
        merged.alerts.extend(report.alerts)
    entered = sum(report.entered for report in reports)
    return replace(merged, entered=entered, evidence=_merge_evidence(reports))


def _merge_evidence(reports: Sequence[StageReport]) -> list[CheckedPromise]:
    """What the gate checked in all parts, an entry for each promise."""
    found: dict[str, CheckedPromise] = {}
    for each in (entry for report in reports for entry in report.evidence):
        before = found.setdefault(each["promise"], {**each, "checked": 0, "failed": 0, "ok": True})
        before["checked"] += each["checked"]
        before["failed"] += each["failed"]
        before["ok"] = before["ok"] and each["ok"]
    return list(found.values())
