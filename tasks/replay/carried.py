"""What a journey takes along under the draft from one of its passes to the next: values, scores, and where it stopped.

Belongs here: remembering these by journey, in the order of passes. Does not belong here: deciding (``deciding``), or
which rows are looked at (``paths``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from leadgate.fields import QUALIFIED
from leadgate.replay.journey_ends import JourneyEnds
from leadgate.replay.journey_table import NONE, JourneyTable
from leadgate.vocabulary import Outcome, StageName

_NUMBERS: Final = {stage: number for number, stage in enumerate(StageName)}
_T = TypeVar("_T")
#: By pass, in order.
Known: TypeAlias = list[tuple[int, _T]]


class Carried:
    """Of each journey: the ``values`` that the draft leaves otherwise than the recorded playbook did, its ``scores``
    under the draft, and the number of the stage at which it ``stopped`` where it had gone on.

    Of earlier portions only what came last is kept: passes of later portions come after all of theirs. ``after``: how
    journeys went under the draft until then, with their scores.
    """

    def __init__(self, after: JourneyEnds) -> None:
        self.values: dict[int, Known[dict[str, Any]]] = {}
        self.scores: dict[int, Known[tuple[Any, ...]]] = {}
        self._after = after
        self._stopped = JourneyTable({"stage": np.int8(NONE)})
        self._earlier_values: dict[int, tuple[Any, ...]] = {}  # the columns, and the value of each
        self._columns: dict[tuple[str, ...], tuple[str, ...]] = {}

    def end_portion(self) -> None:
        """Keep what later portions can refer to."""
        for journey, known in self.values.items():
            values = known[-1][1]
            columns = self._columns.setdefault(names := tuple(values), names)
            self._earlier_values[journey] = (columns, *values.values())
        self.values, self.scores = {}, {}

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
                        known.append((number, dict(known[-1][1]) if known else self._read_earlier_values(journey)))
                    known[-1][1][name] = other

    def change_values(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``frame`` with the values that the draft leaves otherwise."""
        if not (self.values or self._earlier_values) or frame.empty:
            return frame
        earlier = {journey: self._read_earlier_values(journey) for journey in set(frame["journey"].tolist())}
        found = self._find(self.values, frame, {journey: values for journey, values in earlier.items() if values})
        for name in {name for values in found if values is not None for name in values if name in frame}:
            cells = [
                cell if values is None else values.get(name, cell)
                for cell, values in zip(frame[name].tolist(), found, strict=True)
            ]
            frame[name] = pd.Series(cells, index=frame.index, dtype=object)
        return frame

    def _read_earlier_values(self, journey: int) -> dict[str, Any]:
        columns, *values = self._earlier_values.get(journey, ((),))
        return dict(zip(columns, values, strict=True))

    def note_scores(self, scored: pd.DataFrame) -> None:
        if scored.empty:
            return
        scored = scored.sort_values("journey_id")
        passes, journeys = scored["journey_id"].tolist(), scored["journey"].tolist()
        scores = zip(*(scored[name].tolist() for name in QUALIFIED), strict=True)
        for number, journey, each in zip(passes, journeys, scores, strict=True):
            self.scores.setdefault(journey, []).append((number, each))

    def set_scores(self, frame: pd.DataFrame, reviewed: Collection[int]) -> pd.DataFrame:
        """``frame`` with the draft's scores. How far a lead is qualified that a person sent on is what they said."""
        if frame.empty:
            return frame
        journeys = frame["journey"].tolist()
        found = self._find(self.scores, frame, self._after.find_scores(journeys))
        for place, name in enumerate(QUALIFIED):
            cells = frame[name].tolist()
            for row, scores in enumerate(found):
                if scores is not None and (name != "qualified_as" or journeys[row] not in reviewed):
                    cells[row] = scores[place]
            frame[name] = pd.Series(cells, index=frame.index, dtype=object)
        return frame

    def _find(self, known: Mapping[int, Known[_T]], frame: pd.DataFrame, earlier: Mapping[int, _T]) -> list[_T | None]:
        """For each row what is known of its journey from its own pass, or the last one before, else from ``earlier``
        portions."""
        passes, journeys = frame["journey_id"].tolist(), frame["journey"].tolist()
        return [
            next((each for at, each in reversed(known.get(journey, ())) if at <= number), earlier.get(journey))
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
        steps = _list_steps(frames)
        stopped = self._read_stopped({journey for _, _, journey, _ in steps})
        for number, stage, journey, stops in steps:
            at = _NUMBERS[stage]
            if NONE < stopped[journey] < at:
                continue
            reached[stage].add(number)
            stopped[journey] = at if stops and (number, stage) in went_on else NONE
        journeys = np.fromiter(stopped, dtype=np.int64)
        self._stopped.put(journeys, {"stage": np.fromiter(stopped.values(), dtype=np.int8)})
        return reached

    def _read_stopped(self, journeys: Collection[int]) -> dict[int, int]:
        ids = np.fromiter(journeys, dtype=np.int64)
        places = self._stopped.find(ids)
        stages = np.append(self._stopped.columns["stage"], np.int8(NONE))
        return dict(zip(ids.tolist(), stages[places].tolist(), strict=True))


def _list_steps(frames: Mapping[StageName, pd.DataFrame]) -> list[tuple[int, StageName, int, bool]]:
    """Each row of each frame: its pass, stage, journey, and whether it stops there; in the order of passes."""
    steps: list[tuple[int, StageName, int, bool]] = []
    for stage, frame in frames.items():
        stops = (frame["outcome"] != Outcome.CONTINUE).tolist() if "outcome" in frame else [False] * len(frame)
        steps += zip(frame["journey_id"].tolist(), [stage] * len(frame), frame["journey"].tolist(), stops, strict=True)
    return sorted(steps, key=lambda step: (step[0], _NUMBERS[step[1]]))


def _list_cells(column: pd.Series) -> Sequence[Any]:
    return column.astype(object).where(column.notna(), None).tolist()
