"""Whether a flow run that says it is at work still has a process, judged by the signs of life it gave.

Belongs here: the verdict, pure. Does not belong here: gathering the signs (``ledger.upkeep``, the Prefect API)
or acting on a verdict (``tasks.housekeeping``).

An error in one direction is cheap and in the other is not: a dead run that is found one pass later costs a line
in a list; a live one that is ended confuses the people who watch it. So a run is dead only when every sign says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

#: ``unknown``: it never gave a sign by which its end could be told; it is left as it is, and reported.
Verdict = Literal["alive", "dead", "never_started", "unknown"]

#: Runs that hold a batch: the ledger knows by the lease whether somebody works on it.
LEASED: Final = ("intake", "follow-up")
#: A run that is to begin any moment and did not in this time never will.
NEVER: Final = timedelta(days=1)


@dataclass(frozen=True)
class Signs:
    """What is known of one flow run, as of one moment.

    ``since`` is when it entered its state; ``beat`` its last heartbeat, none if it never gave one; ``leased``
    that it may still hold a batch; ``consumer`` whose process runs it, ``consumer_seen`` that this one lives.
    """

    flow: str
    state: Literal["running", "pending", "cancelling"]
    since: datetime
    beat: datetime | None = None
    leased: bool = False
    ready: bool = False
    consumer: str | None = None
    consumer_seen: bool = False


def judge_signs(signs: Signs, now: datetime, limit: timedelta) -> Verdict:
    """``dead`` needs ``limit`` without any sign of life; a run younger than that is always ``alive``."""
    if signs.since > now - limit or signs.leased or signs.consumer_seen:
        return "alive"
    if signs.beat is not None and signs.beat > now - limit:
        return "alive"
    if signs.ready and signs.state != "cancelling":
        return "never_started" if signs.consumer is not None else "unknown"
    if signs.flow in LEASED or signs.consumer is not None or signs.beat is not None:
        return "dead"
    return "dead" if signs.state == "pending" and signs.since < now - NEVER else "unknown"
