"""The thread of the gates: one after the other, and a new thread in place of one that does not come back."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from leadgate.deadlines import DeadlinePassed
from tasks.gate_thread import GateThread


def test_work_is_done_in_order_on_one_thread() -> None:
    gates = GateThread()
    done: list[int] = []
    answers = [
        gates.submit(lambda number=number: (done.append(number), threading.get_ident())[1]) for number in range(20)
    ]
    assert len({answer.result(30) for answer in answers}) == 1
    assert done == list(range(20))


def test_what_goes_wrong_reaches_who_waits_and_the_thread_goes_on() -> None:
    gates = GateThread()
    with pytest.raises(ZeroDivisionError):
        gates.submit(lambda: 1 / 0).result(30)
    assert gates.submit(lambda: 7, seconds=30).result(30) == 7


def test_work_past_its_deadline_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    gates, let_go = GateThread(), threading.Event()
    with caplog.at_level(logging.ERROR):
        stuck = gates.submit(lambda: (let_go.wait(60), threading.current_thread())[1], seconds=0.2)
        after = gates.submit(threading.current_thread, seconds=30)
        with pytest.raises(DeadlinePassed):
            stuck.result(30)
    assert "abandoned" in caplog.text
    taken_over = after.result(30)
    let_go.set()
    assert gates.submit(threading.current_thread).result(30) is taken_over  # and not the one that came back late
    assert taken_over.daemon


def test_waiting_in_the_queue_does_not_count() -> None:
    gates, let_go = GateThread(), threading.Event()
    first = gates.submit(lambda: let_go.wait(30))
    second = gates.submit(lambda: "done", seconds=0.2)
    threading.Timer(0.6, let_go.set).start()
    assert first.result(30)
    assert second.result(30) == "done"


def test_a_process_ends_although_a_gate_is_stuck() -> None:
    program = (
        "import threading; from tasks.gate_thread import GateThread; from leadgate.deadlines import DeadlinePassed\n"
        "try: GateThread().submit(threading.Event().wait, seconds=0.2).result()\n"
        "except DeadlinePassed: print('held')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "held\n")
