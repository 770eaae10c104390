"""Learning a score as a flow, on a real Prefect server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks


def run_flow(harness: Harness) -> Any:
    from flows.runtime import session
    from flows.train_score import train_score

    async def flow() -> Any:
        token = session.current_session.set(session.Session(harness.worker()))
        try:
            return await train_score(now=NOW, return_state=True)
        finally:
            session.current_session.reset(token)

    return asyncio.run(flow())


@pytest.mark.usefixtures("server")
def test_a_run_without_enough_leads_says_so_and_does_not_fail(harness: Harness) -> None:
    harness.begin(make_lead(1))
    state = run_flow(harness)
    assert state.is_completed()
    assert "asks for no learned score" in state.message
    asking = PLAYBOOK.removesuffix(INSISTS) + "learned: {}\n" + INSISTS
    harness.loaded = playbooks.parse(asking, path=Path("tests.yaml"))
    state = run_flow(harness)
    assert state.is_completed()
    assert "No learned score is in force" in state.message
    assert "not enough yet (0 of 1,000 leads" in state.message
    assert harness.one("SELECT count(*) FROM score_model") == 0
