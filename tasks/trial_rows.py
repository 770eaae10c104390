"""Rows that are tried, as the stage capture maps them. Nothing is stored.

Belongs here: from what a source reads of its rows to the frame that validation gathers. Does not belong here: reading a
format (``connectors.files``), or what the stages decide afterwards (``tasks.trial``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from leadgate.connectors.files import Row
from leadgate.ledger.batches import Batch
from leadgate.ledger.signals import NewSignal
from leadgate.playbook import LoadedPlaybook
from tasks import capture
from tasks.ingestion import SourceReader
from tasks.stage import Gathered, Work


def read_signals(
    loaded: LoadedPlaybook, source: str, rows: Sequence[Row], file: str, now: datetime
) -> Sequence[NewSignal]:
    """The rows of one file of a source of leads: columns that only their values tell are known by all of them."""
    return SourceReader(source, file, loaded.playbook, now).read_rows(rows).signals


def map_signals(loaded: LoadedPlaybook, signals: Sequence[NewSignal], now: datetime) -> pd.DataFrame:
    """Signals as the stage capture leaves them, numbered by their places. ``problem``: why capture would hold one."""
    frame = pd.DataFrame(
        {
            "journey_id": range(len(signals)),
            "generation": 0,
            "lead_id": range(len(signals)),
            "source": [each.source for each in signals],
            "captured_at": now,
            "key": [each.key for each in signals],
            "payload": [each.payload for each in signals],
            "unreadable": pd.Series([each.unreadable for each in signals], dtype=object),
            "recognised": pd.Series([each.recognised for each in signals], dtype=object),
            "posted": False,
        }
    )
    work = Work(Batch(0, 0, "trial", loaded.hash, len(signals), now), loaded, now)
    corrections = pd.DataFrame({"journey_id": [], "field": [], "value": []})
    mapped = capture.decide(Gathered(frame, corrections), work).frame
    problems = [
        unreadable or too_long for unreadable, too_long in zip(mapped["unreadable"], mapped["too_long"], strict=True)
    ]
    return mapped.assign(problem=pd.Series(problems, index=mapped.index, dtype=object))
