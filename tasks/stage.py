"""The types of the stage protocol: a stage, the work that it gets, the data that its parts pass on, and its report.

Belongs here: these types alone. Does not belong here: the protocol itself (``handoff``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias

import pandas as pd
from sqlalchemy import Connection
from typing_extensions import TypeVar

from leadgate.json_columns import CheckedPromise
from leadgate.ledger import Ledger
from leadgate.ledger.batches import Batch
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.vocabulary import GateName, JourneyStatus, Outcome, StageName
from tasks.outcomes import HOLDING_OUTCOMES

#: Text and the names of columns are Python's strings, also where pyarrow is installed: kept in Arrow, as pandas does by
#: itself then, they cost the stages of a single lead a quarter more CPU time, and save those of thousands none.
pd.set_option("mode.string_storage", "python")

#: Journeys that a report names for each outcome but "continue".
JOURNEYS_NAMED: Final = 50


@dataclass(frozen=True)
class Work:
    """The work of a stage: the batch, the playbook pinned to it, and the time that counts as now."""

    batch: Batch
    playbook: LoadedPlaybook
    now: datetime
    lease_seconds: float = 30.0
    key: bytes = field(default=b"", repr=False)  # the key of the hashes by which leads are looked up

    @property
    def rules(self) -> Playbook:
        """The playbook as it is for the batch's kind of journeys."""
        return self.playbook.playbook.for_kind(self.batch.journey_kind)


#: What a stage reads beside its frame, and what it decides beside its frame; None for a stage that has no such thing.
ReadT = TypeVar("ReadT", default=None)
ChangesT = TypeVar("ChangesT", default=None)


@dataclass(frozen=True)
class Gathered(Generic[ReadT]):
    """One row a journey (``frame``), and the other data that the stage decides from (``context``)."""

    frame: pd.DataFrame
    context: ReadT = None  # type: ignore[assignment]  # the default of the type variable


@dataclass(frozen=True)
class Decided(Generic[ChangesT]):
    """The gathered frame with an ``outcome`` for each row, and the decided changes of other tables (``context``).

    ``outcome`` is an ``Outcome``. Rows on hold have a ``reason`` and an ``item_message``.
    """

    frame: pd.DataFrame
    context: ChangesT = None  # type: ignore[assignment]  # the default of the type variable
    pools_locked: bool = False  # whether the caller holds the lock on all pools, so nobody else can take a turn

    @property
    def gated(self) -> pd.DataFrame:
        """The rows that the gate judges: those to be handed on. Rows that are held or wait are not judged."""
        unjudged = self.frame["outcome"].isin((Outcome.HOLD, Outcome.WAIT))
        return self.frame[~unjudged] if unjudged.any() else self.frame


@dataclass(frozen=True)
class Stage(Generic[ReadT, ChangesT]):
    """A stage's part of the protocol. ``ask`` asks services outside, and no transaction is open meanwhile. ``store``
    writes what was decided and may turn rows to ``joined``."""

    name: StageName
    gather: Callable[[Connection, Work], Gathered[ReadT]]
    decide: Callable[[Gathered[ReadT], Work], Decided[ChangesT]]
    store: Callable[[Connection, Work, Decided[ChangesT]], pd.DataFrame]
    ask: Callable[[Ledger, Gathered[ReadT], Work], Gathered[ReadT]] | None = None
    finish: Callable[[Connection, Work, pd.DataFrame], None] | None = None  # after the journeys moved on
    works_on: JourneyStatus = JourneyStatus.READY  # the status of the journeys that the stage takes
    breaks: bool = True  # a source can break this stage's promises, so the breaker counts them
    alerts: Callable[[pd.DataFrame, Work], list[Alert]] | None = None  # built from the rows as they were stored

    @property
    def gate(self) -> GateName:
        return self.name.gate


#: Any of the six stages, for code that treats all of them alike.
AnyStage: TypeAlias = Stage[Any, Any]


@dataclass(frozen=True)
class Alert:
    """An event that other systems may want to hear of at once. ``facts``: ids, counts, reasons; nothing personal."""

    event: Literal["batch.held", "breaker.opened", "lead.escalated"]
    facts: dict[str, Any]


@dataclass(frozen=True)
class StageReport:
    """The counts of what a stage did with a batch: small enough to be a task's result."""

    stage: StageName
    batch: int
    gate: str = ""
    entered: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    evidence: list[CheckedPromise] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)  # promise -> masked values that broke it
    journeys: dict[str, list[int]] = field(default_factory=dict)  # outcome -> its first ``JOURNEYS_NAMED`` journeys
    seconds: dict[str, float] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    @property
    def name_in_words(self) -> str:
        return self.stage.replace("_", "-")

    @property
    def held(self) -> int:
        return sum(self.outcomes.get(outcome, 0) for outcome in HOLDING_OUTCOMES)


def merge(reports: Sequence[StageReport], stage: StageName, batch: int) -> StageReport:
    """One report about a batch whose parts were worked on separately."""
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
    """The evidence of all parts, an entry for each promise."""
    totals: dict[str, CheckedPromise] = {}
    for entry in (entry for report in reports for entry in report.evidence):
        total = totals.setdefault(entry["promise"], {**entry, "checked": 0, "failed": 0, "ok": True})
        total["checked"] += entry["checked"]
        total["failed"] += entry["failed"]
        total["ok"] = total["ok"] and entry["ok"]
    return list(totals.values())
