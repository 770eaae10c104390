"""What all pure tests share: properties without a limit of time.

Does not belong here: a database, Prefect or Great Expectations; these tests run in seconds without them.
"""

from __future__ import annotations

from hypothesis import settings

# an example may take long on a busy machine; how long is for the benchmarks to tell
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
