"""What stages decided from, read back in portions whose batches are whole.

Belongs here: portions, and putting the frames of many batches under one another. Does not belong here: deciding
(``deciding``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pandas as pd

from leadgate.ledger.decision_inputs import DecisionInputRow
from leadgate.vocabulary import StageName
from tasks.decision_inputs import FrameContent, StageContent, build_frame, join_contents, read_content
from tasks.enrichment import Said

#: Decisions that are made again together: more use more memory, and take hardly less time.
PORTION: Final = 40_000
#: The same, where somebody waits to see how far it is, and may cancel it.
SMALL_PORTION: Final = 10_000


@dataclass(frozen=True)
class StageInput:
    """What a stage decided from, together, for journeys of a batch, and by which playbook. ``passes``: the number of
    the pass of each row (``PortionReader``)."""

    id: int
    batch_id: int
    stage: StageName
    at: datetime
    playbook_hash: str
    content: StageContent
    passes: Sequence[int]

    @property
    def journeys(self) -> list[int]:
        return self.content.frame.columns["journey_id"]


@dataclass(frozen=True)
class Damaged:
    """What a stage decided from for ``journeys`` journeys of a batch, and that cannot be read."""

    batch_id: int
    stage: StageName
    journeys: int


class PortionReader:
    """Reads portions. A journey in a batch is a *pass*: it is at each stage once, while a journey may be there again in
    a later batch. In the frames ``journey`` is its id, and ``journey_id`` the number of the pass, which rises with
    time. What cannot be read is left out, and named in ``damaged``.
    """

    def __init__(self, after: int = 0) -> None:
        """Passes are numbered ``after`` this number on."""
        self._passes = after
        self.damaged: list[Damaged] = []

    def read_all(
        self, rows: Iterable[DecisionInputRow], wanted: Callable[[int], bool] | None = None
    ) -> list[StageInput]:
        """``rows`` as one portion, with the ``wanted`` journeys alone: of one row after the other, so that no more than
        one is in memory whole."""
        passes = dict[tuple[int, int], int]()
        read = (given for row in rows if (given := self._read(row, passes)) is not None)
        if wanted is None:
            return list(read)
        return [keep_journeys(given, {each for each in given.journeys if wanted(each)}) for given in read]

    def read(self, rows: Iterable[DecisionInputRow], size: int) -> Iterator[list[StageInput]]:
        """``rows`` are in the order of their batches, which stay together: some ``size`` decisions at a time."""
        portion: list[StageInput] = []
        decisions, passes = 0, dict[tuple[int, int], int]()
        for row in rows:
            if decisions >= size and portion[-1].batch_id != row.batch_id:
                yield portion
                portion, decisions, passes = [], 0, {}
            if (given := self._read(row, passes)) is not None:
                portion.append(given)
                decisions += row.journeys
        if portion:
            yield portion

    def _read(self, row: DecisionInputRow, passes: dict[tuple[int, int], int]) -> StageInput | None:
        try:
            content = read_content(row.content)
        except (zlib.error, ValueError, TypeError, LookupError, AttributeError):  # whatever the bytes are
            self.damaged.append(Damaged(row.batch_id, row.stage, row.journeys))
            return None
        numbers = []
        for journey in content.frame.columns["journey_id"]:
            if (row.batch_id, journey) not in passes:
                self._passes += 1
                passes[row.batch_id, journey] = self._passes
            numbers.append(passes[row.batch_id, journey])
        return StageInput(row.id, row.batch_id, row.stage, row.at, row.playbook_hash, content, numbers)


def keep_journeys(given: StageInput, journeys: Collection[int]) -> StageInput:
    """``given`` for these journeys alone. The state of pools and reps stays as it is."""
    rows = [place for place, journey in enumerate(given.journeys) if journey in journeys]
    content = given.content
    beside, context = content.beside, content.context
    if beside is not None and "journey_id" in beside.columns:
        own = [place for place, journey in enumerate(beside.columns["journey_id"]) if journey in journeys]
        beside = _keep_rows(beside, own)
    if isinstance(context, Said):
        context = Said(
            [context.provenance[row] for row in rows],
            [context.problems[row] for row in rows],
            [context.accounts[row] for row in rows],
            {name: [cells[row] for row in rows] for name, cells in context.contacts.items()},
        )
    kept = StageContent(_keep_rows(content.frame, rows), beside, context)
    return replace(given, content=kept, passes=[given.passes[row] for row in rows])


def _keep_rows(content: FrameContent, rows: Sequence[int]) -> FrameContent:
    return FrameContent({name: [cells[row] for row in rows] for name, cells in content.columns.items()}, content.types)


def join_frames(inputs: Sequence[StageInput], known_fields: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The frames of one stage under one another, without the custom fields of the playbook that was decided by
    (``known_fields``, by its hash). ``input`` is the id of a row's input."""
    contents = []
    for each in inputs:
        own = known_fields[each.playbook_hash]
        columns = {name: cells for name, cells in each.content.frame.columns.items() if name not in own}
        columns |= {"journey": each.journeys, "journey_id": list(each.passes), "input": [each.id] * len(each.passes)}
        columns["batch"] = [each.batch_id] * len(each.passes)
        contents.append(FrameContent(columns, each.content.frame.types))
    if not contents:
        return pd.DataFrame({"journey_id": [], "journey": [], "generation": [], "input": [], "batch": []}, dtype=object)
    return build_frame(join_contents(contents))


def join_said(inputs: Sequence[StageInput], frame: pd.DataFrame) -> Said:
    """What providers said of the rows of ``frame``. A copy: enrichment adds to what it is given."""
    places: dict[int, tuple[Said, int]] = {}
    for each in inputs:
        if isinstance(said := each.content.context, Said):
            places |= {number: (said, row) for row, number in enumerate(each.passes)}
    found = [places[number] for number in frame["journey_id"].tolist()]
    names = found[0][0].contacts if found else {}
    return Said(
        [dict(said.provenance[row]) for said, row in found],
        [dict(said.problems[row]) for said, row in found],
        [list(said.accounts[row]) for said, row in found],
        {name: [said.contacts[name][row] for said, row in found] for name in names},
    )


def join_beside(inputs: Sequence[StageInput], columns: Sequence[str]) -> pd.DataFrame:
    """The frames beside those of all inputs, with these columns; ``input`` is the id of a row's input."""
    contents = []
    for each in inputs:
        if (beside := each.content.beside) is None or not beside.columns.get("journey_id"):
            continue
        numbers = dict(zip(each.journeys, each.passes, strict=True))
        passes = [numbers.get(journey) for journey in beside.columns["journey_id"]]
        ids = [each.id] * len(passes)
        contents.append(FrameContent({**beside.columns, "journey_id": passes, "input": ids}, beside.types))
    frame = build_frame(join_contents(contents)) if contents else pd.DataFrame()
    return frame.reindex(columns=[*columns, "input"]).dropna(subset=["journey_id"]).reset_index(drop=True)


def join_activities(inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
    """The activities of all inputs, each as old at ``now`` as it was at the time of its input."""
    frame = join_beside(inputs, ("journey_id", "kind", "occurred_at"))
    ages = {each.id: now - each.at for each in inputs}
    shifts = [ages[each] for each in frame.pop("input")]
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], utc=True) + pd.Series(shifts, dtype="timedelta64[ns]")
    return frame
