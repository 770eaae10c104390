"""Leads of a file, tried: each row as capture would map it, and what the stages would decide about it.

Belongs here: from a file's rows to the leads that are tried. Does not belong here: deciding (``tasks.trial``), or
reading a format (``connectors.files``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from leadgate.connectors.files import Row
from leadgate.fields import STANDARD
from leadgate.ledger.batches import Batch
from leadgate.playbook import LoadedPlaybook
from tasks import capture
from tasks.assignment import Capacity
from tasks.ingestion import SourceReader
from tasks.stage import Gathered, Work
from tasks.trial import NO_ACTIVITIES, Trial, try_leads

#: Rows of a file that are tried: they are decided together, in memory.
MOST_ROWS: Final = 20_000


@dataclass(frozen=True)
class TriedRow:
    """A row, and what would become of it. ``problem``: why capture would hold it; then nothing else is known."""

    line: int
    email: str | None
    problem: str | None
    trial: Trial | None


def try_rows(
    loaded: LoadedPlaybook, source: str, rows: Sequence[Row], file: str, capacity: Capacity, now: datetime
) -> list[TriedRow]:
    """What would become of the rows of one file of ``source`` if they came in ``now``, in their order."""
    playbook = loaded.playbook
    frame = _map(loaded, source, rows, file, now)
    problems = [
        unreadable or too_long for unreadable, too_long in zip(frame["unreadable"], frame["too_long"], strict=True)
    ]
    emails = frame["email"].tolist()
    wanted = ["journey_id", "generation", "lead_id", "source", "captured_at", *STANDARD, *playbook.fields, "attributes"]
    whole = frame.loc[[problem is None for problem in problems], wanted].reset_index(drop=True)
    numbers = whole["journey_id"].tolist()
    whole["journey_id"] = whole["lead_id"] = range(len(whole))
    trials = try_leads(loaded, whole, NO_ACTIVITIES, capacity, now)
    found = dict(zip(numbers, trials, strict=True))
    return [TriedRow(row.line, emails[number], problems[number], found.get(number)) for number, row in enumerate(rows)]


def _map(loaded: LoadedPlaybook, source: str, rows: Sequence[Row], file: str, now: datetime) -> pd.DataFrame:
    """The rows as the stage capture leaves them."""
    signals = SourceReader(source, file, loaded.playbook, now).read_rows(rows).signals
    frame = pd.DataFrame(
        {
            "journey_id": range(len(signals)),
            "generation": 0,
            "lead_id": range(len(signals)),
            "source": source,
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
    return capture.decide(Gathered(frame, corrections), work).frame
