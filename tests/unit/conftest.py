"""What all pure tests share: nothing but a quieter garbage collector.

Does not belong here: a database, Prefect or Great Expectations; these tests run in seconds without them.
"""

from __future__ import annotations

import gc

from hypothesis import settings

# an example may take long on a busy machine; how long is for the benchmarks to tell
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through it for cycles again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()
