"""What a journey takes along under the draft from one of its passes to the next: values, scores, and where it stopped.

Belongs here: remembering these by journey, in the order of passes. Does not belong here: deciding (``deciding``), or
which rows are looked at (``paths``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

import pandas as pd

from leadgate.fields import QUALIFIED
from leadgate.vocabulary import Outcome, StageName

_NUMBERS: Final = {stage: number for number, stage in enumerate(StageName)}
_T = TypeVar("_T")
#: By pass, in order.
Known: TypeAlias = list[tuple[int, _T]]


@dataclass
class Carried:
    """Of each journey: the ``values`` that the draft leaves otherwise than the recorded playbook did, its ``scores``
    under the draft, and the number of the stage at which it ``stopped`` where it had gone on."""

    values: dict[int, Known[dict[str, Any]]] = field(default_factory=dict)
    scores: dict[int, Known[tuple[Any, ...]]] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)

    def note_values(self, recorded: pd.DataFrame, decided: pd.DataFrame, columns: Iterable[str]) -> None:
        """Keep the values of ``columns`` in which ``decided`` differs from ``recorded``; both have the same rows."""
        before = recorded.set_index("journey_id").reindex(decided["journey_id"])
        passes, journeys = decided["journey_id"].tolist(), decided["journey"].tolist()
        for name in dict.fromkeys(columns):
            if name not in decided:
                continue
            new = _list_cells(decided[name])
            old = _list_cells(before[name]) if name in before else [None] * len(new)
            for number, journey, one, other in zip(passes, journeys, old, new, strict=True):
                if one != other:
                    known = self.values.setdefault(journey, [])
                    if not known or known[-1][0] != number:
                        known.append((number, dict(known[-1][1]) if known else {}))
                    known[-1][1][name] = other

    def change_values(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``frame`` with the values that the draft leaves otherwise."""
        if not self.values or frame.empty:
            return frame
        found = self._find(self.values, frame)
        for name in {name for values in found if values is not None for name in values if name in frame}:
            cells = [
                cell if values is None else values.get(name, cell)
                for cell, values in zip(frame[name].tolist(), found, strict=True)
            ]
            frame[name] = pd.Series(cells, index=frame.index, dtype=object)
        return frame

    def note_scores(self, scored: pd.DataFrame) -> None:
        if scored.empty:
            return
        passes, journeys = scored["journey_id"].tolist(), scored["journey"].tolist()
        scores = zip(*(scored[name].tolist() for name in QUALIFIED), strict=True)
        for number, journey, each in zip(passes, journeys, scores, strict=True):
            self.scores.setdefault(journey, []).append((number, each))

    def set_scores(self, frame: pd.DataFrame, reviewed: Collection[int]) -> pd.DataFrame:
        """``frame`` with the draft's scores. How far a lead is qualified that a person sent on is what they said."""
        if frame.empty:
            return frame
        found, journeys = self._find(self.scores, frame), frame["journey"].tolist()
        for place, name in enumerate(QUALIFIED):
            cells = frame[name].tolist()
            for row, scores in enumerate(found):
                if scores is not None and (name != "qualified_as" or journeys[row] not in reviewed):
                    cells[row] = scores[place]
            frame[name] = pd.Series(cells, index=frame.index, dtype=object)
        return frame

    def _find(self, known: Mapping[int, Known[_T]], frame: pd.DataFrame) -> list[_T | None]:
        """For each row what is known of its journey from its own pass, or the last one before."""
        passes, journeys = frame["journey_id"].tolist(), frame["journey"].tolist()
        return [
            next((each for at, each in reversed(known.get(journey, ())) if at <= number), None)
            for number, journey in zip(passes, journeys, strict=True)
        ]

    def find_reached(
        self, frames: Mapping[StageName, pd.DataFrame], went_on: Collection[tuple[int, StageName]]
    ) -> dict[StageName, set[int]]:
        """The rows of each frame (by ``journey_id``) that are reached under the draft.

        A journey that stops where it had gone on (``went_on``: rows and their stages) is at no later stage, until a
        later pass takes it to that stage again.
        """
        reached: dict[StageName, set[int]] = {stage: set() for stage in frames}
        for number, stage, journey, stops in _list_steps(frames):
            at = _NUMBERS[stage]
            if self.stopped.get(journey, at) < at:
                continue
            reached[stage].add(number)
            self.stopped.pop(journey, None)
            if stops and (number, stage) in went_on:
                self.stopped[journey] = at
        return reached


def _list_steps(frames: Mapping[StageName, pd.DataFrame]) -> list[tuple[int, StageName, int, bool]]:
    """Each row of each frame: its pass, stage, journey, and whether it stops there; in the order of passes."""
    steps: list[tuple[int, StageName, int, bool]] = []
    for stage, frame in frames.items():
        stops = (frame["outcome"] != Outcome.CONTINUE).tolist() if "outcome" in frame else [False] * len(frame)
        steps += zip(frame["journey_id"].tolist(), [stage] * len(frame), frame["journey"].tolist(), stops, strict=True)
    return sorted(steps, key=lambda step: (step[0], _NUMBERS[step[1]]))


def _list_cells(column: pd.Series) -> Sequence[Any]:
    return column.astype(object).where(column.notna(), None).tolist()
