"""What tests with Prefect share: one server for all of them, and questions to its API."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

from leadgate.ledger import Ledger


class KeptServer:
    """One Prefect server for all tests that ask for its address, until it is stopped.

    Each of Prefect's clients reads all certificates of public authorities, a fifth of the CPU time of these tests, and
    none of them is needed on loopback: they are given one.
    """

    def __init__(self, postgres: Ledger, folder: Path) -> None:
        self._postgres = postgres
        self._certificate = folder / "certificate.pem"
        self._running = contextlib.ExitStack()
        self._url: str | None = None

    def start(self) -> str:
        """Its address, when it answers."""
        if self._url is None:
            from flows.runtime.server import open_prefect_server, wait_until_ready

            first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
            self._certificate.write_text(first + end, encoding="utf-8")
            os.environ["PREFECT_API_SSL_CERT_FILE"] = str(self._certificate)
            url = self._running.enter_context(open_prefect_server(self._postgres))
            wait_until_ready(url)
            os.environ["PREFECT_API_URL"] = self._url = url
            from prefect.context import refresh_global_settings_context

            refresh_global_settings_context()  # a test without the server may have imported Prefect before
        return self._url

    def stop(self) -> None:
        if self._url is not None:
            for name in ("PREFECT_API_URL", "PREFECT_API_SSL_CERT_FILE"):
                os.environ.pop(name, None)
            self._url = None
            self._running.close()


#: Where a session has it.
KEPT = pytest.StashKey[KeptServer]()


@pytest.fixture(scope="session")
def kept_server(
    postgres: Ledger, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeptServer]:
    kept = request.session.stash[KEPT] = KeptServer(postgres, tmp_path_factory.mktemp("prefect"))
    yield kept
    kept.stop()


@pytest.fixture
def server(kept_server: KeptServer) -> str:
    """The address of the server of all these tests."""
    return kept_server.start()


def ask(query: Any) -> Any:
    """Run an asynchronous question to the Prefect API."""
    from prefect.client.orchestration import get_client

    async def run_query() -> Any:
        async with get_client() as client:
            return await query(client)

    return asyncio.run(run_query())


def list_last_run_tasks() -> set[str]:
    """The names of the task runs of the flow run that started last. Others of these tests have run before it, and
    some have left runs that are scheduled and never started."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    started = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))
    (last,) = ask(
        lambda client: client.read_flow_runs(flow_run_filter=started, sort=FlowRunSort.START_TIME_DESC, limit=1)
    )
    of_it = FlowRunFilter(id=FlowRunFilterId(any_=[last.id]))
    return {run.name for run in ask(lambda client: client.read_task_runs(flow_run_filter=of_it, limit=200))}


def read_last_run() -> Any:
    """The flow run that started last."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    started = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))
    (run,) = ask(
        lambda client: client.read_flow_runs(flow_run_filter=started, sort=FlowRunSort.START_TIME_DESC, limit=1)
    )
    return run


def read_log(run: Any) -> list[str]:
    """The lines of a flow run's log, the oldest first."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.client.schemas.sorting import LogSort

    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
    return [log.message for log in ask(lambda client: client.read_logs(mine, sort=LogSort.TIMESTAMP_ASC))]


def read_markdown(key: str) -> str:
    """The content of the latest artifact with this key."""
    found = ask(lambda client: client.read_latest_artifacts(limit=200))
    return next(str(each.data) for each in found if each.key == key)


def dump_run(run: Any) -> str:
    """All that the server holds of a flow run: its states and logs, and those of its task runs."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all()
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    tasks = ask(lambda client: client.read_task_runs(flow_run_filter=mine))
    states = ask(lambda client: client.read_flow_run_states(run.id))
    logs = ask(lambda client: client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))))
    return " ".join(str(each.model_dump()) for each in (run, *states, *tasks, *logs))
