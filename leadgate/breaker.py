"""The breaker: parks a source when too many of its last rows break the same promise.

Belongs here: the state machine of one breaker (one source, one promise), as pure functions.
Does not belong here: which rows broke a promise (``expectations``), where a state is kept (``ledger``),
parking and releasing journeys (``tasks``).

The pattern is the circuit breaker of Michael T. Nygard, *Release It!* (2nd edition, chapter 5): closed
lets everything pass and counts, open lets nothing pass until it has cooled down, half-open lets a few
through to find out whether the trouble is over. Counting goes by the last rows and not by the last
minutes, so that it means the same for a form with three leads an hour and for a file of 100,000.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

import numpy as np

from leadgate.playbook import Breaker

Status = Literal["closed", "open", "half_open"]


@dataclass(frozen=True)
class BreakerState:
    """One breaker at one moment. A new source starts with ``BreakerState()``: closed, nothing seen."""

    status: Status = "closed"
    window: str = ""  # the last rows, oldest first: "1" broke the promise, "0" kept it; still while not closed
    opened_at: datetime | None = None
    probed_at: datetime | None = None  # when probes were last let through
    let_through: int = 0  # probes sent since the breaker opened
    passed: int = 0  # of these, seen again with the promise kept

    @property
    def seen(self) -> int:
        return len(self.window)

    @property
    def broken(self) -> int:
        """Rows of the window that broke the promise: with ``seen``, why the breaker opened."""
        return self.window.count("1")

    def to_json(self) -> str:
        values = {
            **self.__dict__,
            "opened_at": self.opened_at and self.opened_at.isoformat(),
            "probed_at": self.probed_at and self.probed_at.isoformat(),
        }
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        for name in ("opened_at", "probed_at"):
            values[name] = values[name] and datetime.fromisoformat(values[name])
        return cls(**values)


def observe(state: BreakerState, failed: Sequence[bool], rules: Breaker, now: datetime) -> BreakerState:
    """Count rows of the source in the order they were judged in; ``failed[i]``: row i broke the promise.

    One call with many rows gives the same state as many calls with one row each, so it does not matter
    how a worker cuts its batches. It follows that the breaker may open in the middle of a batch; the rows
    behind that point were judged already and are not counted, which leaves the window as the evidence of
    why it opened. While half-open, one probe that fails opens it again and ``rules.probes`` that pass
    close it with an empty window (the old one would open it again at the next row).
    """
    rows = [bool(broke) for broke in failed]
    at = 0
    while at < len(rows):
        if state.status == "open":
            break
        if state.status == "closed":
            state, used = _count(state, rows[at:], rules, now)
            at += used
        else:
            state = _probe(state, rows[at], rules, now)
            at += 1
    return state


def admit(state: BreakerState, now: datetime, waiting: int, rules: Breaker) -> tuple[int, BreakerState]:
    """How many of ``waiting`` rows may pass now, and the state to keep when they do.

    Closed: all. Open: none until ``rules.cool_down`` has passed, then the breaker is half-open and
    ``rules.probes`` rows go. A probe may end elsewhere (held by another promise, joined to another
    journey) and never be observed; so half-open, probes without a verdict after another ``cool_down``
    are given up and their places are filled again.
    """
    if state.status == "closed":
        return waiting, state
    if state.status == "open":
        if state.opened_at is None or now - state.opened_at < rules.cool_down:
            return 0, state
        state = replace(state, status="half_open", probed_at=now, let_through=0, passed=0)
    elif state.probed_at is None or now - state.probed_at >= rules.cool_down:
        state = replace(state, let_through=state.passed)
    rows = max(0, min(waiting, rules.probes - state.let_through))
    if rows:
        state = replace(state, let_through=state.let_through + rows, probed_at=now)
    return rows, state


def _count(state: BreakerState, rows: list[bool], rules: Breaker, now: datetime) -> tuple[BreakerState, int]:
    """The closed breaker over ``rows``: the state at the first row that opens it, else after the last.

    Returns it with the number of rows used. Vectorised, since a batch brings up to 20,000 rows.
    """
    before = state.window[-rules.window :]
    if "1" not in before and True not in rows:  # as with most batches, and quick: no share of nothing opens it
        return replace(state, window=(before + "0" * len(rows))[-rules.window :]), len(rows)
    bits = np.array([bit == "1" for bit in before] + rows, dtype=np.int64)
    sums = np.concatenate(([0], np.cumsum(bits)))
    ends = np.arange(len(before) + 1, len(bits) + 1)  # the window after each new row ends before this
    starts = np.maximum(0, ends - rules.window)
    seen, broken = ends - starts, sums[ends] - sums[starts]
    # a playbook may ask for more rows than its window holds: a full window is enough then
    opens = (seen >= min(rules.at_least, rules.window)) & (broken >= rules.share * seen)
    used = int(np.argmax(opens)) + 1 if opens.any() else len(rows)
    end = len(before) + used
    window = "".join("1" if bit else "0" for bit in bits[max(0, end - rules.window) : end])
    if opens.any():
        return BreakerState(status="open", window=window, opened_at=now), used
    return replace(state, window=window), used


def _probe(state: BreakerState, broke: bool, rules: Breaker, now: datetime) -> BreakerState:
    """One row seen while half-open."""
    if broke:
        return replace(state, status="open", opened_at=now, probed_at=None, let_through=0, passed=0)
    if state.passed + 1 >= rules.probes:
        return BreakerState()
    return replace(state, passed=state.passed + 1)
