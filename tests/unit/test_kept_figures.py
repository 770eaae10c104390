"""Figures that are kept for a while: computed once for everybody, renewed in the background, never without bounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from console.web import kept_figures
from console.web.kept_figures import BusyError, KeptFigures

LONG = 60.0  # seconds: longer than any test waits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Iterator[KeptFigures]:
    figures = KeptFigures(clock)
    yield figures
    figures.close()


def test_figures_are_computed_once_while_they_are_fresh(kept: KeptFigures, clock: Clock) -> None:
    calls: list[int] = []
    for now in (0.0, 5.0, 6.0):
        clock.now = now
        found = kept.ask("a", lambda: calls.append(1) or len(calls), keep=10, patience=LONG)
        assert found is not None
        assert (found.figures, found.age, found.renewing) == (1, now, False)
    clock.now = 10.0
    found = kept.ask("a", lambda: calls.append(1) or len(calls), keep=10, patience=LONG)
    assert found is not None
    assert (found.figures, found.age) == (2, 0.0)


def test_figures_are_renewed_in_the_background_before_their_time_is_over(kept: KeptFigures, clock: Clock) -> None:
    go_on = threading.Event()
    kept.ask("a", lambda: "old", keep=10, patience=LONG)
    clock.now = 7.0
    found = kept.ask("a", lambda: go_on.wait(LONG) and "new", keep=10, patience=LONG)
    assert found is not None
    assert (found.figures, found.age, found.renewing) == ("old", 7.0, True)
    clock.now = 10.0
    go_on.set()
    again = kept.ask("a", lambda: "never asked", keep=10, patience=LONG)
    assert again is not None
    assert (again.figures, again.age) == ("new", 3.0)  # they are of the moment when they were asked for


def test_figures_that_somebody_looks_at_are_renewed_before_anybody_waits_for_newer_ones(
    kept: KeptFigures, clock: Clock
) -> None:
    texts = iter(["old", "new"])
    renewed = threading.Event()

    def compute() -> str:
        text = next(texts)
        if text == "new":
            renewed.set()
        return text

    kept.ask("a", compute, keep=10, patience=LONG)
    kept.renew()  # they are fresh
    clock.now = 7.0
    kept.renew()
    assert renewed.wait(LONG)
    clock.now = 11.0  # "old" is too old to be shown
    found = kept.ask("a", lambda: "never asked", keep=10, patience=LONG)
    assert found is not None
    assert (found.figures, found.age, found.renewing) == ("new", 4.0, False)


def test_what_nobody_looks_at_is_not_renewed(kept: KeptFigures, clock: Clock) -> None:
    calls: list[str] = []
    for name, asked_at in (("a", 0.0), ("b", 20.0)):
        clock.now = asked_at
        kept.ask(name, lambda name=name: calls.append(name), keep=10, patience=LONG)  # type: ignore[misc]
    clock.now = 40.0
    kept.renew()
    kept.ask("b", lambda: calls.append("b"), keep=10, patience=LONG)
    assert calls == ["a", "b", "b"]


def test_what_could_not_be_renewed_is_told_once_and_tried_again_when_somebody_asks(
    kept: KeptFigures, clock: Clock
) -> None:
    tried: list[int] = []

    def compute() -> int:
        tried.append(1)
        if len(tried) == 2:
            raise LookupError("no ledger")
        return len(tried)

    kept.ask("a", compute, keep=10, patience=LONG)
    clock.now = 10.0
    kept.renew()
    with pytest.raises(LookupError):
        kept.ask("a", compute, keep=10, patience=LONG)
    kept.renew()
    found = kept.ask("a", compute, keep=10, patience=LONG)
    assert found is not None
    assert found.figures == 3


def test_figures_that_change_while_they_are_computed_are_computed_again(kept: KeptFigures) -> None:
    go_on, begun = threading.Event(), threading.Event()
    texts = iter(["before", "after"])

    def compute() -> str:
        text = next(texts)
        begun.set()
        go_on.wait(LONG)
        return text

    assert kept.ask("a", compute, keep=10, patience=0) is None
    assert begun.wait(LONG)
    kept.forget("a")
    go_on.set()
    found = kept.ask("a", compute, keep=10, patience=LONG)
    assert found is not None
    assert found.figures == "after"


def test_figures_older_than_promised_are_never_shown(
    kept: KeptFigures, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_figures, "_PATIENCE_FOR_NEWER", 0.0)
    go_on = threading.Event()
    kept.ask("a", lambda: "old", keep=10, patience=LONG)
    clock.now = 10.0
    assert kept.ask("a", lambda: go_on.wait(LONG) and "new", keep=10, patience=0) is None
    go_on.set()
    again = kept.ask("a", lambda: "never asked", keep=10, patience=LONG)
    assert again is not None
    assert again.figures == "new"


def test_figures_that_take_longer_than_they_are_kept_are_shown_all_the_same(kept: KeptFigures, clock: Clock) -> None:
    def compute() -> str:
        clock.now += 30.0
        return "slow"

    found = kept.ask("a", compute, keep=10, patience=LONG)
    assert found is not None
    assert (found.figures, found.age) == ("slow", 30.0)


def test_whoever_asks_meanwhile_starts_nothing(kept: KeptFigures) -> None:
    go_on, calls = threading.Event(), []

    def compute() -> str:
        calls.append(1)
        go_on.wait(LONG)
        return "done"

    assert [kept.ask("a", compute, keep=10, patience=0) for _ in range(5)] == [None] * 5
    go_on.set()
    found = kept.ask("a", compute, keep=10, patience=LONG)
    assert found is not None
    assert (found.figures, len(calls)) == ("done", 1)


def test_an_error_is_raised_to_whoever_asks_and_then_it_is_tried_again(kept: KeptFigures) -> None:
    def fail() -> str:
        raise LookupError("no ledger")

    with pytest.raises(LookupError):
        kept.ask("a", fail, keep=10, patience=LONG)
    found = kept.ask("a", lambda: "there", keep=10, patience=LONG)
    assert found is not None
    assert found.figures == "there"


def test_only_so_many_are_computed_and_kept(kept: KeptFigures) -> None:
    go_on = threading.Event()
    for number in range(8):
        kept.ask(number, lambda: go_on.wait(LONG), keep=10, patience=0)
    with pytest.raises(BusyError):
        kept.ask("one more", lambda: True, keep=10, patience=0)
    go_on.set()
    for number in range(8):
        kept.ask(number, lambda: True, keep=10, patience=LONG)
    for number in range(200):
        kept.ask(("many", number), lambda: "computed", keep=10, patience=LONG)
    first = kept.ask(("many", 0), lambda: "computed again", keep=10, patience=LONG)
    assert first is not None
    assert first.figures == "computed again"


def test_forgotten_figures_are_computed_again(kept: KeptFigures) -> None:
    kept.ask("a", lambda: "before", keep=10, patience=LONG)
    kept.forget("a")
    found = kept.ask("a", lambda: "after", keep=10, patience=LONG)
    assert found is not None
    assert found.figures == "after"


@pytest.mark.parametrize(("took", "lasts"), [(0.05, 2.0), (0.25, 5.0), (0.9, 10.0)])
def test_figures_that_take_long_are_kept_for_longer_up_to_a_limit(
    kept: KeptFigures, clock: Clock, monkeypatch: pytest.MonkeyPatch, took: float, lasts: float
) -> None:
    monkeypatch.setattr(kept_figures, "_PATIENCE_FOR_NEWER", 0.0)
    go_on = threading.Event()

    def compute() -> str:
        clock.now += took
        return "first"

    kept.ask("a", compute, keep=2, patience=LONG)
    shown = []
    for now in (lasts - 0.01, lasts + 0.01):
        clock.now = took + now
        shown.append(kept.ask("a", lambda: go_on.wait(LONG), keep=2, patience=0))
    go_on.set()
    assert [each is not None for each in shown] == [True, False]
