"""The tags of flow runs that a consumer begins before their leads come, and what they say.

Belongs here: writing and reading these tags. Does not belong here: beginning the runs
(``flows.runtime.started_runs``), or ending those that nobody uses any more (``housekeeping``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: The run waits for the leads that come next.
READY: Final = "ready"
_CONSUMER: Final = "consumer:"


def build_consumer_tag(name: str) -> str:
    """The tag that says which consumer holds a run."""
    return f"{_CONSUMER}{name}"


def find_consumer(tags: Sequence[str]) -> str | None:
    """The consumer that holds a run with these tags; ``None`` when no consumer does."""
    return next((tag.removeprefix(_CONSUMER) for tag in tags if tag.startswith(_CONSUMER)), None)
