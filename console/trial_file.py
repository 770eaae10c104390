"""Leads of a file, tried: each row as capture would map it, and what the stages would decide about it.

Belongs here: from a file's rows to the leads that are tried. Does not belong here: deciding (``tasks.trial``), mapping
(``tasks.trial_rows``), or reading a format (``connectors.files``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leadgate.connectors.files import Row
from leadgate.fields import STANDARD
from leadgate.playbook import LoadedPlaybook
from tasks.assignment import Capacity
from tasks.trial import NO_ACTIVITIES, Trial, try_leads
from tasks.trial_rows import map_signals, read_signals

#: Rows of a file that are tried: they are decided together, in memory.
MOST_ROWS: Final = 20_000


@dataclass(frozen=True)
class TriedRow:
    """A row, and what would become of it. ``problem``: why capture would hold it; then nothing else is known."""

    line: int
    email: str | None
    problem: str | None
    trial: Trial | None
    same_as: int | None = None  # the line of the row that is about the same person, or of the same signal

    @property
    def is_repeated(self) -> bool:
        """Whether it is the signal of another row: the column that is the source's key says the same."""
        return self.problem is None and self.trial is None


def try_rows(
    loaded: LoadedPlaybook, source: str, rows: Sequence[Row], file: str, capacity: Capacity, now: datetime
) -> list[TriedRow]:
    """What would become of the rows of one file of ``source`` if they came in ``now``, in their order."""
    signals = read_signals(loaded, source, rows, file, now)
    first: dict[str, int] = {}
    repeats = {
        number: rows[first[signal.key]].line
        for number, signal in enumerate(signals)
        if first.setdefault(signal.key, number) != number
    }
    frame = map_signals(loaded, signals, now)
    problems, emails = frame["problem"].tolist(), frame["email"].tolist()
    fields = [*STANDARD, *loaded.playbook.fields]
    wanted = ["journey_id", "generation", "lead_id", "source", "captured_at", *fields, "attributes"]
    is_tried = [problem is None and number not in repeats for number, problem in enumerate(problems)]
    whole = frame.loc[is_tried, wanted].reset_index(drop=True)
    numbers = whole["journey_id"].tolist()
    whole["journey_id"] = whole["lead_id"] = range(len(whole))
    trials = try_leads(loaded, whole, NO_ACTIVITIES, capacity, now)
    found = dict(zip(numbers, trials, strict=True))
    tried = []
    for number, row in enumerate(rows):
        trial = found.get(number)
        same = repeats.get(number)
        if trial is not None and trial.same is not None:
            same = rows[numbers[trial.same.number]].line
        problem = None if number in repeats else problems[number]
        tried.append(TriedRow(row.line, emails[number], problem, trial, same))
    return tried
