"""What time alone would bring under a draft, and did not: a window that opens earlier, a record that is stale.

Belongs here: finding the moments at which the draft looks at a record by itself, and what it decides then. Does not
belong here: journeys that there were (``record_paths``), or words (``console.replay``).

A moment counts only where the draft names another than the recorded playbook did, and nothing was told of the record
before it. The record is judged as it was told last, without what happened about it since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pandas as pd

from leadgate.vocabulary import NothingNew, Outcome
from tasks.replay.record_deciding import RecordDecider

#: How often a record is looked at again after another, at most, while nothing is told of it.
_ROUNDS: Final = 20


@dataclass(frozen=True)
class _Look:
    """A record that the draft looks at by itself at ``at``, and when something was told of it next."""

    row: Mapping[str, Any]
    at: datetime
    before: datetime | None = None


@dataclass
class Times:
    """``waiting``: by record, when the draft looks at it next; ``brought``: how often it decided what, by a reason, or
    by the outcome of those that go on to an owner."""

    waiting: dict[int, _Look] = field(default_factory=dict)
    looks: list[_Look] = field(default_factory=list)
    brought: Counter[str] = field(default_factory=Counter)

    def note(
        self, recorded: pd.DataFrame, decided: pd.DataFrame, given: pd.DataFrame, moments: Mapping[int, datetime]
    ) -> None:
        """A portion: what qualification decided both ways, of the rows of ``given``, by ``journey_id``."""
        if decided.empty:
            return
        known = dict(zip(recorded["journey_id"].tolist(), recorded["again_at"].tolist(), strict=True))
        rows: dict[int, dict[Any, Any]] = {row["journey_id"]: row for row in given.to_dict("records")}
        names = ("journey_id", "record_id", "input", "again_at", "superseded")
        for number, record, place, again, superseded in sorted(
            zip(*(decided[name].tolist() for name in names), strict=True)
        ):
            if superseded:
                continue
            at = moments[place]
            if (look := self.waiting.pop(record, None)) is not None and look.at < at:
                self.looks.append(_Look(look.row, look.at, at))
            if not pd.isna(again) and again != known.get(number):
                self.waiting[record] = _Look(dict(rows[number]), again)

    def decide(self, decider: RecordDecider, until: datetime | None = None) -> None:
        """Decide what came due so far; with ``until`` also what comes due by then."""
        if until is not None:
            self.looks += [_Look(each.row, each.at, until) for each in self.waiting.values() if each.at <= until]
            self.waiting.clear()
        for _ in range(_ROUNDS):
            looks, self.looks = self.looks, []
            if not looks:
                return
            decided = decider.look_again([dict(each.row) for each in looks], [each.at for each in looks])
            names = ("place", "outcome", "reason", "again_at")
            for place, outcome, reason, again in zip(*(decided[name].tolist() for name in names), strict=True):
                look = looks[place]
                if reason != NothingNew.NOT_YET:
                    self.brought[str(outcome if outcome == Outcome.CONTINUE else reason)] += 1
                if outcome == Outcome.CONTINUE or pd.isna(again):
                    continue
                if look.before is not None and look.at < again < look.before:
                    self.looks.append(_Look(look.row, again, look.before))
