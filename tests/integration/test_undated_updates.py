"""Exports of records without a column of when they were changed: each change is an update, and each file is one once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, read_json
from harness import PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook

BOOK = (
    PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities, default_country: DE}\n", 1)
    + "kinds: {opportunity: {max_close_in: 400d}}\n"
)
Export = Callable[..., Path]


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("undated.yaml"))


@pytest.fixture
def capture(cli: Cli, harness: Harness, tmp_path: Path) -> Callable[..., int]:
    """Capture an export and run; returns how many of its rows are new."""
    (tmp_path / "playbook.yaml").write_text(BOOK, encoding="utf-8")

    def capture_file(path: Path, *, run: bool = True) -> int:
        (found,) = read_json(cli("capture", path, "--source", "deals", "--json"))["files"]
        if run:
            harness.run(harness.one("SELECT clock_timestamp()"))
        return int(found["new"])

    return capture_file


def deal(key: str, amount: int, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Opportunity Name": key, "Owner": "ana", "Stage": "Discovery", "Amount": str(amount)} | more


def read_amounts(harness: Harness) -> list[int]:
    return [row[0] for row in harness.rows("SELECT CAST(amount AS int) FROM record_version ORDER BY record_id, number")]


def test_a_record_that_goes_back_to_what_it_was_is_updated(
    harness: Harness, capture: Callable[..., int], write_csv: Export
) -> None:
    first = write_csv([deal("A", 8_000), deal("B", 1)], "monday.csv")
    tuesday = write_csv([deal("A", 9_000), deal("B", 1)], "tuesday.csv")
    wednesday = write_csv([deal("A", 8_000), deal("B", 1), deal("C", 7)], "wednesday.csv")
    assert [capture(path) for path in (first, tuesday, wednesday)] == [2, 1, 2]
    assert read_amounts(harness) == [8_000, 9_000, 8_000, 1, 7]

    assert [capture(path) for path in (first, tuesday, wednesday)] == [0, 0, 0], "each file is one once"
    assert harness.rows("SELECT key, CAST(amount AS int) FROM record ORDER BY key") == [
        ("A", 8_000),
        ("B", 1),
        ("C", 7),
    ]
    assert harness.find_broken() == []


def test_files_that_nobody_has_looked_at_yet_come_in_their_order(
    harness: Harness, capture: Callable[..., int], write_csv: Export
) -> None:
    assert capture(write_csv([deal("A", 8_000)], "1.csv")) == 1
    later = [write_csv([deal("A", 9_000)], "2.csv"), write_csv([deal("A", 8_000), deal("B", 1)], "3.csv")]
    assert [capture(path, run=False) for path in later] == [1, 2]
    harness.run(harness.one("SELECT clock_timestamp()"))
    assert read_amounts(harness) == [8_000, 9_000, 8_000, 1]


def test_one_file_may_tell_of_a_record_several_times(
    harness: Harness, capture: Callable[..., int], write_csv: Export
) -> None:
    assert capture(write_csv([deal("A", 8_000)], "1.csv")) == 1
    capture(write_csv([deal("A", 8_000), deal("A", 9_000), deal("A", 8_000)], "2.csv"))
    assert read_amounts(harness) == [8_000, 9_000, 8_000]


def test_capture_says_which_rows_do_not_say_when_they_were_changed(
    capture: Callable[..., int], cli: Cli, write_csv: Export
) -> None:
    when = {"Last Modified Date": "2026-03-04T08:00:00Z"}
    path = write_csv([deal("A", 8_000, **when), deal("B", 1, **{"Last Modified Date": ""})], "some.csv")
    assert "1 row does not say when it was changed" in cli("capture", path, "--source", "deals").stderr
    path = write_csv([deal("C", 8_000, **when)], "dated.csv")
    assert "when it was changed" not in cli("capture", path, "--source", "deals").stderr
