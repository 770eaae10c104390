"""Building Data Docs as a flow, on a real Prefect server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness import NOW, Harness, make_lead

from leadgate.data_docs_folder import building, find_build


def run_flow(harness: Harness) -> Any:
    from flows.data_docs import data_docs
    from flows.runtime import session

    async def flow() -> Any:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            return await data_docs(latest=2, now=NOW, return_state=True)
        finally:
            session.current_session.reset(token)

    return asyncio.run(flow())


@pytest.mark.usefixtures("server")
def test_a_run_builds_them_and_one_beside_another_says_so(harness: Harness) -> None:
    harness.begin(make_lead(1))
    state = run_flow(harness)
    assert state.is_completed(), state.message
    assert "6 suites and 6 validations" in state.message
    built = find_build(harness.ledger.home)
    assert built is not None
    assert built.built_at == NOW
    with building(harness.ledger.home):
        late = run_flow(harness)
    assert late.is_failed()
    assert "another process builds" in str(late.message)
    assert find_build(harness.ledger.home) == built
