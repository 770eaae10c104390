"""Deciding about records again: the stages' own decisions, over what was recorded of updates.

Belongs here: what is different from leads. Does not belong here: which journeys reach a stage (``record_paths``), or
what an update means (``leadgate.records``).

A record is judged by the days of its time, so qualification decides each batch at its own moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd

from leadgate.ledger import bulk
from leadgate.records.standing import read_words
from leadgate.vocabulary import NothingNew, Outcome, StageName
from tasks.records.frames import add_fields
from tasks.replay.deciding import CapacitySource, Decider
from tasks.replay.stage_inputs import StageInput, join_activities, join_beside
from tasks.stage import Decided, Gathered

_CORRECTION: Final = ("journey_id", "field", "value")


@dataclass(frozen=True)
class RecordDecider(Decider):
    """Decides under one playbook about records of a kind. ``rewords``: its words are written in place of those that
    were, as validation would have done."""

    rewords: bool = False

    def _add_fields(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The fields by the version that each row is about; a signal has no version yet."""
        if "values" not in frame:
            return frame
        if self.rewords:
            words = read_words(self.playbook)
            reworded = [dict(values or {}) for values in bulk.list_values(frame["values"])]
            for values in reworded:
                words.use_own(values)
            frame = frame.assign(values=pd.Series(reworded, index=frame.index, dtype=object))
        return add_fields(frame, self.playbook)

    def validate(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        if "recognised" not in frame:  # decided before it was kept
            frame = frame.assign(recognised=None)
        corrections = join_beside(inputs, _CORRECTION)[list(_CORRECTION)]
        return self._decide(StageName.VALIDATION, Gathered(frame, corrections), now)

    def enrich(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        """What the files of accounts said is in ``frame``."""
        return self._decide(StageName.ENRICHMENT, Gathered(frame), now)

    def qualify(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        if frame.empty:
            return frame.assign(outcome=None, reason=None)
        reps = {rep.name for rep in self.playbook.reps}
        known = [rep if rep in reps else None for rep in bulk.list_values(frame["rep"])]
        frame = frame.assign(rep=pd.Series(known, index=frame.index, dtype=object))
        of_moment: dict[datetime, list[StageInput]] = defaultdict(list)
        for each in inputs:
            of_moment[each.at].append(each)
        moments = frame["input"].map({each.id: each.at for each in inputs})
        parts = [
            self._ask_stage(
                StageName.QUALIFICATION,
                Gathered(rows.reset_index(drop=True), join_activities(of_moment[at], at)),
                at,
            ).frame
            for at, rows in ((at, frame[moments == at]) for at in of_moment)
            if len(rows)
        ]
        return self._judge(StageName.QUALIFICATION, Decided(pd.concat(parts, ignore_index=True)))

    def look_again(self, rows: Sequence[dict[str, Any]], moments: Sequence[datetime]) -> pd.DataFrame:
        """What qualification decides of records of which nothing is told, each at its moment; ``place`` is that of a
        row in ``rows``."""
        parts = []
        for at in dict.fromkeys(moments):
            places = [place for place, moment in enumerate(moments) if moment == at]
            frame = pd.DataFrame([{**rows[place], "journey_id": place} for place in places], dtype=object)
            due = frame.assign(due=True, waived=None, superseded=False, place=places)
            parts.append(self._ask_stage(StageName.QUALIFICATION, Gathered(due, join_activities((), at)), at).frame)
        return pd.concat(parts, ignore_index=True)

    def assign(self, frame: pd.DataFrame, moments: Mapping[int, datetime], capacities: CapacitySource) -> pd.DataFrame:
        """As for leads. What has a later update ends, and takes nobody's turn."""
        if frame.empty:
            return super().assign(frame, moments, capacities)
        superseded = frame["superseded"].astype(bool)
        assigned = super().assign(frame[~superseded].reset_index(drop=True), moments, capacities)
        if not superseded.any():
            return assigned
        ended = frame[superseded].assign(outcome=Outcome.SUPERSEDED, reason=NothingNew.LATER_UPDATE)
        return pd.concat([assigned, ended], ignore_index=True)
