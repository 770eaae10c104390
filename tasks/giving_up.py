"""A batch that its run cannot take further: cancelled by a person, or failing again and again.

Belongs here: putting what is left of it behind a work item, so that it neither runs again by itself nor is lost.
Does not belong here: rows that break a promise (``handoff``), or trying again after a server was away (``leases``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd

from leadgate.ledger import Ledger, records
from leadgate.ledger.batches import applying, close, fence, hold_rest, waiting_at
from leadgate.ledger.clock import read_time
from tasks.exceptions import work_item
from tasks.stage import Work

#: After so many failed runs a batch waits for a person instead of failing once more.
MAX_FAILURES: Final = 3
CANCELLED: Final = "run_cancelled"
FAILED: Final = "stage_failed"
_WORDS: Final = {
    CANCELLED: "The run was cancelled ({why}). Rerun this work item to let its leads go on where they are.",
    FAILED: (
        f"The stage failed {MAX_FAILURES} times ({{why}}). Find the cause in the failed flow runs, then rerun this "
        "work item: its leads go on where they are."
    ),
}


def hold_batch(ledger: Ledger, work: Work, *, reason: str, why: str, now: datetime | None = None) -> int:
    """Hold what is left of the batch, behind one work item for each stage, and close it. Returns how many.

    ``reason``: ``CANCELLED`` or ``FAILED``; ``why`` is told to whoever decides, and must hold nothing personal.
    Owned leads stay with their owners and are looked at by the next check. Raises ``LeaseLost``.
    """
    held = 0
    with applying(ledger) as connection:
        fence(connection, work.batch, work.lease_seconds)
        at = read_time(connection, now)
        for stage in waiting_at(connection, work.batch):
            item = work_item(stage, work, kind="recovery", reason=reason, message=_WORDS[reason].format(why=why))
            (item_id,) = records.open_work_items(connection, pd.DataFrame([item]))
            held += hold_rest(connection, work.batch, stage=stage, reason=reason, work_item_id=item_id, now=at)
    close(ledger, work.batch, at)
    return held
