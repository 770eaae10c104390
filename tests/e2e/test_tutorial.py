"""The tutorial is true: its commands run one after the other, and what it shows is what they print."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_commands import ROOT, list_blocks, list_not_printed, run_commands
from prefect_api import KeptServer

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, kept_server: KeptServer, programs: Path) -> str:
    kept_server.start()
    return run_commands(TUTORIAL, tmp_path_factory.mktemp("tutorial"), ".harbour", programs)


def test_every_command_runs_and_the_ledger_holds_afterwards(printed: str) -> None:
    assert "invariants hold" in printed.splitlines()[-1]
    assert printed.count("is sound.") == 2


def test_what_it_shows_is_what_is_printed(printed: str) -> None:
    excerpts = list_blocks(TUTORIAL, "text")
    assert len(excerpts) == 4
    for excerpt in excerpts:
        assert list_not_printed(excerpt, printed) == []


def test_the_leads_end_as_it_says(printed: str) -> None:
    assert "5 owned + 4 held + 2 nurture + 1 disqualified" in printed
