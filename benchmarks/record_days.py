"""Exports taken through what production runs, one moment after another, by a clock of their own.

Belongs here: capture of rows as a file's, and the runs until nothing waits. Does not belong here: which rows there are
(``benchmarks.made_up_year``, ``benchmarks.maven``), or what must come of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from expectations.findings import CHECK_FAILED
from leadgate.connectors.files import Row
from leadgate.deadlines import CHECK_TIMED_OUT
from leadgate.ledger import Ledger
from leadgate.ledger.verify import Finding, verify
from leadgate.playbook import LoadedPlaybook
from tasks.batches import Worker, run_waiting
from tasks.capture import chunk_rows
from tasks.failed_batches import FAILED
from tasks.ingestion import SourceReader, store_page

#: Reasons of work items that tell of a fault of Leadgate's, not of the record's.
FAULTS: Final = (FAILED, CHECK_FAILED, CHECK_TIMED_OUT)


@dataclass
class Days:
    """A ledger that exports are told to. ``looked``: the moments at which runs have looked at it."""

    ledger: Ledger
    loaded: LoadedPlaybook
    limit: int = 20_000
    looked: list[datetime] = field(default_factory=list)
    rows: int = 0
    new: int = 0
    journeys: int = 0
    batches: int = 0
    seconds: float = 0.0

    def tell(self, source: str, rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Capture ``rows`` as those of one file of ``source``."""
        reader = SourceReader(source, f"{source}-{now:%Y-%m-%d}.csv", self.loaded.playbook, now)
        numbered = (Row(line, dict(row)) for line, row in enumerate(rows, start=2))
        for chunk in chunk_rows(numbered):
            self.rows += len(chunk)
            self.new += store_page(self.ledger, reader.read_rows(chunk), now)

    def work(self, now: datetime) -> None:
        """Run until nothing waits, follow-up included."""
        started = time.perf_counter()
        worker = Worker(self.ledger, self.loaded, "bench", limit=self.limit)
        reports = run_waiting(worker, lambda: now)
        self.seconds += time.perf_counter() - started
        self.journeys += sum(report.size for report in reports)
        self.batches += len(reports)
        self.looked.append(now)

    def find_broken(self) -> list[Finding]:
        """The ledger's invariants that do not hold."""
        return [finding for finding in verify(self.ledger) if finding.broken]

    def read(self, query: str, **values: Any) -> list[Any]:
        with self.ledger.transaction() as connection:
            return list(connection.execute(text(query), values).all())
