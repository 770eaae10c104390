"""Building Data Docs: which validations they have, and one build put in the place of the one before.

Belongs here: gathering what the ledger keeps, and the build as a task. Does not belong here: pages
(``expectations.data_docs``), or where they are kept (``leadgate.data_docs_folder``). No gate waits for any of this.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from prefect import task
from prefect.cache_policies import NO_CACHE

from expectations.data_docs.site import Suite, Validation, build_pages
from expectations.gate import RefusedExpectationError, list_promises
from expectations.promises import Promise
from leadgate.counting import format_count
from leadgate.data_docs_folder import BuildRunningError, building, put_in_place
from leadgate.ledger import Ledger, faults, playbook_versions
from leadgate.ledger.gate_evidence import GateEvidence, list_latest_evidence
from leadgate.playbook import LoadedPlaybook, Playbook, parse
from leadgate.playbook.yaml_text import PlaybookError
from leadgate.vocabulary import GateName

LATEST: Final = 20  # validations of each gate
MOST: Final = 200
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataDocsReport:
    """What was built, where, and how long it took."""

    folder: Path
    built_at: datetime
    suites: int
    validations: int
    seconds: float


def build_data_docs(ledger: Ledger, loaded: LoadedPlaybook, now: datetime, latest: int = LATEST) -> DataDocsReport:
    """Build the Data Docs of the ledger with the ``latest`` validations of each gate (at most 200).

    Raises ``BuildRunningError`` when another process builds them at the moment.
    """
    started = time.perf_counter()
    with building(ledger.home):
        with ledger.snapshot() as connection:
            found = list_latest_evidence(connection, list(GateName), max(0, min(latest, MOST)))
        promises = _PromisesOfPlaybooks(ledger, loaded)
        suites = [_build_suite(gate, found, promises) for gate in GateName]
        pages = build_pages(suites, name=loaded.playbook.name, built_at=now)
        folder = put_in_place(ledger.home, pages, built_at=now, suites=len(suites), validations=len(found))
    return DataDocsReport(folder, now, len(suites), len(found), time.perf_counter() - started)


@task(task_run_name="build Data Docs", cache_policy=NO_CACHE, persist_result=False)
async def build_data_docs_task(ledger: Ledger, loaded: LoadedPlaybook, now: datetime, latest: int) -> DataDocsReport:
    """Build the Data Docs, beside the event loop."""
    with faults.removing_values(BuildRunningError):
        return await asyncio.to_thread(build_data_docs, ledger, loaded, now, latest)


class _PromisesOfPlaybooks:
    """The promises of each gate by playbook: a batch was judged by those of its own."""

    def __init__(self, ledger: Ledger, current: LoadedPlaybook) -> None:
        self._ledger = ledger
        self._playbooks: dict[str, Playbook | None] = {current.hash: current.playbook}
        self._path = current.path
        self.current = current.hash

    def list(self, gate: GateName, hash_: str) -> Sequence[Promise]:
        """Where a playbook cannot be read any more, those that every playbook has."""
        if hash_ not in self._playbooks:
            self._playbooks[hash_] = self._read(hash_)
        try:
            return list_promises(gate, self._playbooks[hash_])
        except RefusedExpectationError as error:
            _log.warning("Data Docs: the playbook %s adds what gates do not allow: %s", hash_[:12], error)
            return list_promises(gate, None)

    def _read(self, hash_: str) -> Playbook | None:
        content = playbook_versions.read_playbook_content(self._ledger, hash_)
        try:
            return None if content is None else parse(content, path=self._path).playbook
        except PlaybookError:
            _log.warning(
                "Data Docs: this version cannot read the playbook %s; its own promises are left out", hash_[:12]
            )
            return None


def _build_suite(gate: GateName, found: Sequence[GateEvidence], promises: _PromisesOfPlaybooks) -> Suite:
    validations = [
        Validation(
            id=each.id,
            gate=gate,
            batch=each.batch_id,
            at=each.at,
            rows=each.rows,
            held=each.held,
            warned=each.warned,
            playbook=each.playbook_hash,
            evidence=each.evidence,
            promises=promises.list(gate, each.playbook_hash),
        )
        for each in found
        if each.gate == gate
    ]
    return Suite(gate, promises.list(gate, promises.current), validations)


def describe_build(report: DataDocsReport) -> str:
    suites = format_count(report.suites, "suite", "suites")
    validations = format_count(report.validations, "validation", "validations")
    return f"Data Docs of {suites} and {validations} built in {report.seconds:.1f} s"
