"""A process that is ready to run stages: everything slow to import or build is there before the first batch.

Belongs here: warming up, and the garbage collector's settings meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from functools import partial

from leadgate.playbook import Playbook


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

    With Python's defaults a good part of a large batch's time goes into looking for cycles among them.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
