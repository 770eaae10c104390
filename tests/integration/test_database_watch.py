"""PostgreSQL that does not come back: it is started with pauses, and one line says why."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Harness
from sqlalchemy import create_engine

from console.service.database_watch import DISK_IS_FULL, LONGEST_PAUSE, DatabaseWatch
from leadgate.ledger import Ledger, LedgerError, open_ledger
from leadgate.settings import Settings

NOBODY = create_engine("postgresql+psycopg://127.0.0.1:1/nobody")  # nothing listens on port 1


def unreachable(harness: Harness, home: Path, error: Exception, tries: list[float], now: list[float]) -> Ledger:
    """The ledger of a PostgreSQL that is gone, and whose every start ends with ``error``."""

    def revive() -> None:
        tries.append(now[0])
        raise error

    return Ledger(engine=NOBODY, home=home, key=harness.ledger.key, revive=revive)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (LedgerError("FATAL: could not write lock file: No space left on device"), "disk is full"),
        (LedgerError("pg_ctl failed:\nexit code 1\n" + "of its log\n" * 10_000), "exit code 1"),
    ],
)
def test_a_start_that_fails_is_tried_with_longer_pauses_and_told_in_one_line(
    harness: Harness, tmp_path: Path, error: Exception, word: str
) -> None:
    tries: list[float] = []
    now = [0.0]
    watch = DatabaseWatch(unreachable(harness, tmp_path, error, tries, now), lambda: now[0])

    told = set()
    for half_second in range(600):  # five minutes
        now[0] = half_second / 2
        told.add(watch.look())

    assert len(tries) < 15
    assert tries[-1] - tries[-2] == pytest.approx(LONGEST_PAUSE, abs=1)
    assert {health.state for health in told} == {"down"}
    assert len(told) <= 2  # at the first failure nothing is wrong yet
    assert any(word in health.reason for health in told)
    assert all("\n" not in health.reason for health in told)


def test_postgresql_that_answers_again_is_up_and_the_pauses_begin_anew(harness: Harness, tmp_path: Path) -> None:
    tries: list[float] = []
    now = [0.0]
    away = unreachable(harness, tmp_path, LedgerError("not yet"), tries, now)
    watch = DatabaseWatch(away, lambda: now[0])
    for now[0] in range(100):
        watch.look()
    object.__setattr__(away, "engine", harness.ledger.engine)
    assert watch.look().state == "up"

    object.__setattr__(away, "engine", NOBODY)
    before = len(tries)
    assert watch.look() == ("down", "starting it again")
    assert len(tries) == before + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 MB of its own, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_named_and_with_space_postgresql_is_back(small_disk: Path) -> None:
    with open_ledger(Settings(home=small_disk / "home")) as ledger:
        watch = DatabaseWatch(ledger)
        assert watch.look().state == "up"
        filler = small_disk / "filler"
        with filler.open("wb") as full:
            try:
                while full.write(bytes(1 << 20)):
                    full.flush()
            except OSError:
                pass
        pid = int((small_disk / "home" / "postgresql" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 9)

        told = watch.look()
        for _ in range(200):
            if told.state == "down" and told.reason == DISK_IS_FULL:
                break
            told = watch.look()
        assert told == ("down", DISK_IS_FULL)

        filler.unlink()
        minutes = itertools.count(0, 61)
        back = DatabaseWatch(ledger, lambda: next(minutes))
        for _ in range(50):
            told = back.look()
            if told.state == "up":
                break
        assert told.state == "up"
