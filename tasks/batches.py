"""Which batch is next, and a batch taken through its stages without Prefect.

Belongs here: keeping a worker's playbook, claiming, taking over or closing a batch, and the plain loop over its stages.
Does not belong here: the same loop as a flow that people watch (``flows``), or the protocol of one stage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy.exc import DBAPIError

from expectations import gate
from expectations.findings import GateResult
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, batches, playbook_versions, upkeep
from leadgate.ledger.batches import Batch, claim
from leadgate.ledger.faults import is_ours
from leadgate.ledger.journeys.claiming import RowsRefused
from leadgate.ledger.leases import lease, release, take_over
from leadgate.ledger.row_filter import RowFilter
from leadgate.playbook import LoadedPlaybook, Playbook, parse
from leadgate.records.fields import STANDARD as RECORD_KINDS
from leadgate.vocabulary import BatchKind, JourneyKind, StageName
from tasks import assignment, capture, enrichment, follow_up, playbook_in_use, qualification, validation
from tasks.bisecting import run_stage
from tasks.claiming import SkippedRows, claim_waiting, start_due_work
from tasks.failed_batches import FAILED, MAX_FAILURES, hold_batch
from tasks.records import stages as records
from tasks.stage import AnyStage, StageReport, Work

#: The six stages of each kind of journey, in order.
STAGES: Final[dict[JourneyKind, tuple[AnyStage, ...]]] = {
    JourneyKind.LEAD: (
        capture.STAGE,
        validation.STAGE,
        enrichment.STAGE,
        qualification.STAGE,
        assignment.STAGE,
        follow_up.STAGE,
    ),
    **dict.fromkeys(RECORD_KINDS, records.STAGES),
}
#: The first stage of each kind of batch. A follow-up batch holds owned journeys only.
_FIRST: Final = {BatchKind.INTAKE: StageName.CAPTURE, BatchKind.FOLLOW_UP: StageName.FOLLOW_UP}
LARGE: Final = 1_000  # leads of a batch that changes much of the ledger
UNHELD_FOR: Final = 300.0  # seconds until a batch that could not be held is tried again


@dataclass(frozen=True)
class Worker:
    """Who works, by which playbook, and how: what every claim needs."""

    ledger: Ledger
    playbook: LoadedPlaybook
    holder: str
    lease_seconds: float = 30.0
    limit: int = 20_000
    skipped_rows: SkippedRows = field(default_factory=SkippedRows)


@dataclass
class BatchReport:
    """What came of a batch. ``seconds``: how long it was worked on, without waiting for leads."""

    batch: int
    size: int
    kind: BatchKind
    stages: list[StageReport] = field(default_factory=list)
    seconds: float = 0.0
    journey_kind: JourneyKind = JourneyKind.LEAD


def list_stages(batch: Batch) -> tuple[AnyStage, ...]:
    """The stages that the batch goes through, in order."""
    stages = STAGES[batch.journey_kind]
    return stages[list(StageName).index(_FIRST[batch.kind]) :]


def activate(worker: Worker, now: datetime | None = None) -> None:
    """Keep the playbook's content under its hash, so that every decision can name it."""
    playbook_in_use.keep(worker.ledger, worker.playbook, now)


def claim_next_work(
    worker: Worker,
    now: datetime | None = None,
    kind: BatchKind = BatchKind.INTAKE,
    held: Callable[[Work, str, int], None] = lambda work, reason, journeys: None,
) -> Work | None:
    """A batch to work on: one that another run left behind first, so that order is kept; else what waits.

    A batch that failed again and again is held for a person meanwhile; ``held`` hears of it, with the reason and
    how many journeys it held. What time it is for the batch is read from the ledger as it is claimed, unless ``now``
    says so.
    """
    while (batch := _claim_batch(worker, now, kind)) is not None:
        work = _build_work(worker, batch)
        if batch.failures < MAX_FAILURES:
            return work
        try:
            journeys = hold_batch(worker.ledger, work, reason=FAILED, why=f"batch {batch.id}", now=now)
        except Exception as error:
            if not is_ours(error):
                raise
            # what cannot even be held waits where it is, and the others go on
            release(worker.ledger, batch, retry_in=UNHELD_FOR, failed=True, to_anybody=True)
        else:
            held(work, FAILED, journeys)
    return None


def resume_work(worker: Worker, batch_id: int, now: datetime | None = None) -> Work | None:
    """The batch ``batch_id``, when nobody holds it, or this worker held it before; ``None`` otherwise."""
    batch = take_over(
        worker.ledger, holder=worker.holder, lease_seconds=worker.lease_seconds, batch_id=batch_id, as_of=now
    )
    return None if batch is None else _build_work(worker, batch)


def claim_these(worker: Worker, kind: BatchKind, journeys: Sequence[int], now: datetime | None = None) -> Work | None:
    """A batch of those of ``journeys`` that wait, and of no others; ``None`` when none of them can be claimed."""
    with contextlib.suppress(RowsRefused):  # the next run finds out which, and says so
        batch = claim(
            worker.ledger,
            kind=kind,
            holder=worker.holder,
            playbook_hash=worker.playbook.hash,
            now=now,
            limit=min(len(journeys), worker.limit),
            lease_seconds=worker.lease_seconds,
            only=RowFilter(among=tuple(journeys)),
        )
        return None if batch is None else _build_work(worker, batch)
    return None


def _build_work(worker: Worker, batch: Batch) -> Work:
    pinned = _load_pinned(worker, batch.playbook_hash)
    return Work(batch, pinned, batch.claimed_at, worker.lease_seconds, worker.ledger.key)


def _claim_batch(worker: Worker, now: datetime | None, kind: BatchKind) -> Batch | None:
    batch = take_over(worker.ledger, holder=worker.holder, lease_seconds=worker.lease_seconds, kind=kind, as_of=now)
    if batch is None:
        rules = worker.playbook.playbook
        if kind == BatchKind.INTAKE:
            start_due_work(worker.ledger, rules, worker.skipped_rows, now)
        batch = claim_waiting(
            worker.ledger,
            rules,
            worker.skipped_rows,
            kind=kind,
            holder=worker.holder,
            playbook_hash=worker.playbook.hash,
            now=now,
            limit=worker.limit,
            lease_seconds=worker.lease_seconds,
        )
    return batch


def _load_pinned(worker: Worker, hash_: str) -> LoadedPlaybook:
    """The playbook that a batch was claimed with: this worker's, or an earlier one from the ledger."""
    if hash_ == worker.playbook.hash:
        return worker.playbook
    content = playbook_versions.read_playbook_content(worker.ledger, hash_)
    if content is None:
        raise LookupError(f"the ledger has no playbook {hash_[:12]}; was it restored without that table?")
    return _parse_playbook(content, str(worker.playbook.path))


@lru_cache(maxsize=8)
def _parse_playbook(content: str, path: str) -> LoadedPlaybook:
    return parse(content, path=Path(path))


def close(ledger: Ledger, batch: Batch, now: datetime) -> None:
    """End the batch: what it still holds is free again. After a large one PostgreSQL's statistics are renewed."""
    batches.close(ledger, batch, now)
    if batch.size >= LARGE:
        with contextlib.suppress(DBAPIError):  # PostgreSQL renews them itself, later
            upkeep.analyze_grown(ledger)


def run_waiting(
    worker: Worker,
    clock: Callable[[], datetime | None] = lambda: None,
    *,
    kinds: Sequence[BatchKind] = (BatchKind.INTAKE, BatchKind.FOLLOW_UP),
    check: Callable[[str, pd.DataFrame, Playbook], GateResult] | None = None,
) -> list[BatchReport]:
    """Work until nothing waits, in this process and without Prefect. Returns what came of each batch.

    ``clock`` says what time it is in place of the ledger's.
    """
    activate(worker, clock())
    reports = []
    for kind in kinds:
        while (work := claim_next_work(worker, clock(), kind)) is not None:
            reports.append(run_batch(worker, work, kind, check))
    return reports


def run_batch(
    worker: Worker,
    work: Work,
    kind: BatchKind,
    check: Callable[[str, pd.DataFrame, Playbook], GateResult] | None = None,
) -> BatchReport:
    """Take a claimed batch through the stages of its kind, and close it."""
    check = check or (lambda name, frame, playbook: gate.run(name, frame, playbook=playbook))  # type: ignore[arg-type]
    report = BatchReport(work.batch.id, work.batch.size, kind, journey_kind=work.batch.journey_kind)
    with lease(worker.ledger, work.batch, worker.lease_seconds):
        for stage in list_stages(work.batch):
            failpoint(f"stage.{stage.name}.before")
            report.stages.append(run_stage(stage, worker.ledger, work, check))
        close(worker.ledger, work.batch, work.now)
    return report
