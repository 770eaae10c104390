"""Whose turn it is to start a Prefect server whose tables are not there yet."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flows.runtime.first_start import FirstStart, FirstStartError


def test_one_makes_the_tables_and_the_others_wait_for_it(tmp_path: Path) -> None:
    with FirstStart(tmp_path) as first:
        first.take_turn(0)
        with pytest.raises(FirstStartError, match="still making the tables"):
            FirstStart(tmp_path).take_turn(0)
        waiting = FirstStart(tmp_path)
        waited = threading.Thread(target=waiting.take_turn, args=(60,))
        waited.start()
        first.finish()
        waited.join(timeout=60)
        assert not waited.is_alive()
    with FirstStart(tmp_path) as second, FirstStart(tmp_path) as third:
        second.take_turn(0)
        third.take_turn(0)  # nobody waits where the tables are there


def test_a_start_that_fails_holds_up_nobody(tmp_path: Path) -> None:
    with FirstStart(tmp_path) as first:
        first.take_turn(0)  # and it says nothing of its tables
    with FirstStart(tmp_path) as second:
        second.take_turn(0)
        ended = threading.Event()
        second.finish_when(lambda: False, lambda: ended.set() or True)
        assert ended.wait(60)
        FirstStart(tmp_path).take_turn(60)


def test_the_tables_of_another_version_are_made_again(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "tables").write_text("Prefect 1.0")
    with FirstStart(tmp_path) as first:
        first.take_turn(0)
        with pytest.raises(FirstStartError):
            FirstStart(tmp_path).take_turn(0)
