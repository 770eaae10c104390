"""Programs that are kept running: small real ones that die, hang, write too much, or do as they are told."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked import wait_for

from console.service import part_logs, supervisor
from console.service.supervisor import Part

SLEEPS = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
POLITE = """
import signal, sys, time
def leave(number, frame):
    print('asked by', signal.Signals(number).name, flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
print('listens', flush=True)
time.sleep(60)
"""

Make = Callable[..., Part]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A part that runs ``program``; it is stopped in the end."""
    parts = []

    def part(program: str, **more: object) -> Part:
        made = Part("sample", [sys.executable, "-c", program], tmp_path / "logs" / "sample.log", **more)  # type: ignore[arg-type]
        parts.append(made)
        return made

    yield part
    for each in parts:
        each.grace = 0.1
        each.stop()


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be looked at does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def looked_until(part: Part, wanted: str, seconds: float = 60.0) -> list[str]:
    """What ``look`` reported until the part was ``wanted``."""
    reported: list[str] = []

    def reached() -> bool:
        reported.extend(state for state in [part.look()] if state is not None)
        return wanted in reported

    wait_for(reached, seconds)
    return reported


def test_a_part_is_started_and_a_look_says_so_once(make: Make) -> None:
    part = make(SLEEPS)
    assert (part.state, part.pid) == ("stopped", None)
    part.start()
    assert part.state == "starting"
    assert part.pid is not None
    assert lives(part.pid)
    assert [part.look() for _ in range(3)] == ["up", None, None]


def test_a_part_that_dies_is_started_again(make: Make) -> None:
    part = make(SLEEPS)
    part.start()
    looked_until(part, "up")
    first = part.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert looked_until(part, "up") == ["down", "starting", "up"]
    assert part.restarts == 1
    assert part.pid is not None
    assert part.pid != first
    assert lives(part.pid)


def test_a_part_that_keeps_dying_is_started_later_and_later(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_DELAYS", (0.0, 0.2, 0.4))
    part = make("import sys; sys.exit(3)")
    died, started = [], []
    part.start()
    while len(died) < 4:
        before = time.monotonic()
        match part.look():
            case "down":
                died.append(before)
            case "starting":
                started.append(time.monotonic())
        time.sleep(0.005)
    # on a busy machine a start may be late, and is never early
    pauses = [start - death for death, start in zip(died, started, strict=False)]
    assert pauses[1] > 0.19
    assert pauses[2] > 0.38


def test_a_part_that_had_run_for_long_is_started_at_once_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_DELAYS", (0.0, 30.0))
    monkeypatch.setattr(supervisor, "_STEADY", 0.3)
    part = make(SLEEPS)
    part.start()
    for _ in range(2):
        looked_until(part, "up")
        time.sleep(0.35)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        looked_until(part, "starting", 15)  # half of the pause after a second death
    assert part.restarts == 2


def test_a_part_is_up_when_it_answers_and_down_while_it_does_not(make: Make) -> None:
    answers = [False]
    part = make(SLEEPS, ready=lambda: answers[0], note="http://here")
    part.start()
    assert [part.look(), part.look()] == [None, None]
    assert part.state == "starting"
    answers[0] = True
    assert part.look() == "up"
    answers[0] = False
    assert part.look() == "down"
    answers[0] = True
    assert part.look() == "up"
    assert part.restarts == 0


@pytest.mark.parametrize("answered_before", [True, False])
def test_a_part_that_lives_and_does_not_answer_is_started_again(
    make: Make, monkeypatch: pytest.MonkeyPatch, answered_before: bool
) -> None:
    monkeypatch.setattr(supervisor, "SILENT", 0.3)
    answers = answered_before
    part = make(SLEEPS, ready=lambda: answers, note="somewhere")
    part.start()
    if answered_before:
        looked_until(part, "up")
    first, answers = part.pid, False
    wait_for(lambda: part.look() is None and part.pid not in (first, None))
    assert first is not None
    assert not lives(first)
    assert part.restarts == 1


def test_a_part_is_asked_to_end(make: Make) -> None:
    part = make(POLITE, grace=600.0)  # no test waits so long
    part.start()
    wait_for(lambda: "listens" in part.log.read_text())
    pid = part.pid
    assert pid is not None
    part.stop()
    assert "asked by SIGTERM" in part.log.read_text()
    assert (part.state, part.pid, lives(pid)) == ("stopped", None, False)
    part.stop()  # twice changes nothing


def test_a_part_that_does_not_listen_is_ended_after_its_grace(make: Make) -> None:
    part = make(DEAF, grace=0.5)
    part.start()
    wait_for(lambda: "deaf" in part.log.read_text())
    pid = part.pid
    assert pid is not None
    started = time.monotonic()
    part.stop()
    assert time.monotonic() - started >= 0.5
    assert not lives(pid)


def test_what_a_part_started_ends_with_it(make: Make) -> None:
    """A Prefect worker starts a process for each flow run; none may go on when everything has been stopped."""
    part = make(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n",
        grace=0.3,
    )
    part.start()
    wait_for(lambda: part.log.read_text().endswith("\n"))
    child = int(part.log.read_text())
    assert lives(child)
    part.stop()
    wait_for(lambda: not lives(child))


def test_a_part_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A kill -9 of `leadgate up` leaves nothing behind that would keep its ports."""
    program = f"""
import sys, time
from pathlib import Path
from console.service.supervisor import Part
part = Part("sample", [sys.executable, "-c", {SLEEPS!r}], Path({str(tmp_path / "sample.log")!r}))
part.start()
print(part.pid, flush=True)
time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
    wait_for(lambda: not lives(pid))


def test_a_log_stays_small_while_its_program_prints_without_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_logs, "LIMIT", 10_000)
    monkeypatch.setattr(part_logs, "LOOK_EVERY", 0.02)
    part = make("import time\nwhile True: print('x' * 1_000, flush=True); time.sleep(0.001)")
    part.log.parent.mkdir()
    part.log.write_text("of the run before\n")
    part.start()
    oldest = part.log.with_suffix(f".{part_logs.KEPT}.log")
    wait_for(oldest.exists, 30)
    first = oldest.stat().st_mtime_ns
    wait_for(lambda: oldest.exists() and oldest.stat().st_mtime_ns != first, 30)
    files = set(part.log.parent.iterdir())
    assert len(files) <= 1 + part_logs.KEPT
    assert all(file.stat().st_size <= 2 * part_logs.LIMIT + part_logs._AT_ONCE for file in files - {part.log})
    wait_for(lambda: part.log.stat().st_size < part_logs.LIMIT)  # it is cut off again and again
    assert part.look() == "up"


def test_a_part_can_still_write_when_its_keeper_was_killed(tmp_path: Path) -> None:
    """An orderly end says something, and must not fail at that."""
    child = "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: print('asked to end', flush=True))\nprint('on')\ntime.sleep(60)"
    program = f"""
import os, sys, time
from pathlib import Path
from console.service.supervisor import Part
part = Part("sample", [sys.executable, "-uc", {child!r}], Path({str(tmp_path / "sample.log")!r}), dict(os.environ))
part.start()
print(part.pid, flush=True)
time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(lambda: "on" in (tmp_path / "sample.log").read_text())
        parent.kill()
    try:
        wait_for(lambda: "asked to end" in (tmp_path / "sample.log").read_text())
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_log_that_cannot_be_written_does_not_stop_its_program(make: Make, tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    part = make(f"print('x' * 1_000_000, flush=True); open({str(printed)!r}, 'w'); import time; time.sleep(60)")
    part.log.mkdir(parents=True)  # a folder in the place of the file: no write ever succeeds
    part.start()
    wait_for(printed.exists)
    assert part.look() == "up"


def test_a_part_gets_its_own_environment_and_folder_and_none_of_ours(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAMPLE_OURS", "ours")
    part = make(
        "import os, time; print(os.environ.get('SAMPLE_OURS'), os.environ['SAMPLE_ITS'], os.getcwd(), flush=True); "
        "time.sleep(60)",
        environment={"SAMPLE_ITS": "its"},
        folder=tmp_path,
    )
    part.start()
    wait_for(lambda: part.log.read_text() == f"None its {tmp_path}\n")
