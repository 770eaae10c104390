"""A process that is ready to run stages: everything slow to import or build is there before the first batch.

Belongs here: warming up, and the garbage collector meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from leadgate.playbook import Playbook

#: Seconds between two searches for all cycles; one takes about 0.1 s.
COLLECT_EVERY: Final = 60.0


def preload(playbook: Playbook) -> None:
    """Import the flows and Great Expectations, and build the gates' suites on the thread that runs them."""
    import flows.follow_up
    import flows.intake  # noqa: F401
    from expectations import gate
    from tasks.stage_task import GATE_THREAD

    GATE_THREAD.submit(partial(gate.preload, playbook)).result()


@contextlib.contextmanager
def collected_less_often() -> Iterator[None]:
    """What is imported stays; a batch then makes millions of short-lived objects without a single cycle.

    With Python's defaults a good part of a large batch's time goes into looking for cycles among them. Objects that are
    frozen already are so afterwards: who froze them says when that ends.
    """
    before, frozen_before = gc.get_threshold(), gc.get_freeze_count() > 0
    if not frozen_before:
        gc.collect()
        gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not frozen_before:
            gc.unfreeze()


class CycleCollector:
    """Frees what is held by cycles alone, now and then, between two batches; preferably when no lead waits.

    Each batch leaves about a thousand objects in cycles, of Prefect's engine and of Great Expectations. With the
    settings of ``collected_less_often`` the interpreter looks for them after some 400 batches.
    """

    def __init__(self, every: float = COLLECT_EVERY, at_least_every: float = 5 * COLLECT_EVERY) -> None:
        self._every, self._at_least_every = every, at_least_every
        self._last = time.monotonic()

    def collect_if_due(self, *, idle: bool) -> bool:
        """Whether it was time to look for cycles."""
        if time.monotonic() - self._last < (self._every if idle else self._at_least_every):
            return False
        gc.collect()
        self._last = time.monotonic()
        return True
