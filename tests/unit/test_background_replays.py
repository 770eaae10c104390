"""Replays in the background: one at a time, with how far each has come, until it ends, fails or is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from forked import wait_for

from console.web.background_replays import BackgroundReplay, BackgroundReplays, State
from console.web.kept_figures import BusyError

LONG = 60.0  # seconds: longer than any test waits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Halting:
    """A replay of ten decisions that goes on when it is let, and says when it has begun."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, replay: BackgroundReplay) -> list[Any]:
        try:
            replay.total = 10
            replay.advance(4)
            self.begun.set()
            assert self.go_on.wait(LONG)
            replay.advance(6)
            return ["found"]
        finally:
            self.ended.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replays(clock: Clock) -> Iterator[BackgroundReplays]:
    found = BackgroundReplays(clock)
    yield found
    found.close()


def find(replays: BackgroundReplays, key: str) -> BackgroundReplay:
    found = replays.find(key)
    assert found is not None
    return found


def wait_for_all(replays: BackgroundReplays) -> None:
    """One at a time: the last one ends after all the others."""
    last = Halting()
    last.go_on.set()
    replays.start("last", last, "olga")
    assert last.ended.wait(LONG)
    replays.close()


def test_it_says_how_far_it_is_and_keeps_what_it_found(replays: BackgroundReplays, clock: Clock) -> None:
    halting = Halting()
    replays.start("a", halting, "olga")
    assert halting.begun.wait(LONG)
    found = find(replays, "a")
    assert (found.state, found.done, found.total, found.by, found.found) == (State.RUNNING, 4, 10, "olga", None)
    replays.start("a", lambda _: pytest.fail("it runs already"), "otto")
    halting.go_on.set()
    wait_for_all(replays)
    assert (found.state, found.done, found.found) == (State.DONE, 10, ["found"])
    assert find(replays, "a") is found
    clock.now = 10_000.0
    assert replays.find("a") is None


def test_one_that_is_cancelled_ends_where_it_is_and_one_that_waits_never_begins(replays: BackgroundReplays) -> None:
    runs, waits = Halting(), Halting()
    replays.start("runs", runs, "olga")
    replays.start("waits", waits, "olga")
    assert runs.begun.wait(LONG)
    assert find(replays, "waits").state == State.WAITING
    for key in ("runs", "waits", "nobody asked for this"):
        replays.cancel(key)
    runs.go_on.set()
    wait_for_all(replays)
    for key in ("runs", "waits"):
        assert (find(replays, key).state, find(replays, key).found) == (State.CANCELLED, None)
    assert not waits.begun.is_set()


def test_one_that_was_cancelled_can_be_started_again(replays: BackgroundReplays) -> None:
    first, second = Halting(), Halting()
    replays.start("a", first, "olga")
    replays.cancel("a")
    replays.start("a", second, "otto")
    first.go_on.set()
    second.go_on.set()
    wait_for_all(replays)
    assert (find(replays, "a").by, find(replays, "a").found) == ("otto", ["found"])


def test_an_error_is_kept_for_whoever_looks(replays: BackgroundReplays) -> None:
    def fail(_: BackgroundReplay) -> list[Any]:
        raise ValueError("no such rule")

    replays.start("a", fail, "olga")
    wait_for_all(replays)
    assert (find(replays, "a").state, str(find(replays, "a").error)) == (State.FAILED, "no such rule")


def test_too_many_are_refused(replays: BackgroundReplays) -> None:
    halting = Halting()
    for key in range(4):
        replays.start(key, halting, "olga")
    with pytest.raises(BusyError):
        replays.start("one more", halting, "olga")
    replays.cancel(0)
    halting.go_on.set()


def test_those_that_run_end_when_the_console_does(replays: BackgroundReplays) -> None:
    halting = Halting()
    replays.start("a", halting, "olga")
    assert halting.begun.wait(LONG)
    closing = threading.Thread(target=replays.close)
    closing.start()
    wait_for(lambda: find(replays, "a").state == State.CANCELLED)
    halting.go_on.set()
    closing.join(LONG)
    assert find(replays, "a").state == State.CANCELLED
