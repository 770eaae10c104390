"""The garbage collector of a process that takes batches: what only cycles hold is freed between batches."""

from __future__ import annotations

import gc
import weakref

from flows.runtime.preload import CycleCollector, collected_less_often


class Node:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_freed_when_it_is_time_sooner_when_no_lead_waits() -> None:
    with collected_less_often():
        gc.disable()  # only this collector looks for cycles
        try:
            left = weakref.ref(Node())
            assert not CycleCollector(every=60).collect_if_due(idle=True)
            assert not CycleCollector(every=0, at_least_every=60).collect_if_due(idle=False)
            assert left() is not None
            assert CycleCollector(every=0, at_least_every=60).collect_if_due(idle=True)
            assert left() is None
        finally:
            gc.enable()


def test_cycles_are_freed_by_a_consumer_that_is_never_idle() -> None:
    left = weakref.ref(Node())
    collector = CycleCollector(every=0, at_least_every=0)
    assert collector.collect_if_due(idle=False)
    assert left() is None
