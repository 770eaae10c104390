"""A large batch decided again in parts: some journeys after the others, so that each part takes little memory and time.

Belongs here: which journeys a part has, and handing the turns and loads of each part on to the next. Does not belong
here: deciding (``paths``), or batches that are decided whole.

Leads are assigned one after the other, in the order of their journeys, so the parts of a batch decide what the whole
would, as long as each begins with what the one before took: as recorded, and under the draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from leadgate.assignment.availability import Load
from leadgate.ledger import decision_inputs
from leadgate.ledger.pools import StoredTurns
from leadgate.playbook import LoadedPlaybook
from tasks.assignment import Capacity
from tasks.replay.capacities import DraftCapacities, RecordedCapacities, Taken, list_turns
from tasks.replay.deciding import CapacitySource
from tasks.replay.paths import Paths, Replayed
from tasks.replay.self_check import SelfCheck
from tasks.replay.stage_inputs import PortionReader

_NO_LOAD: Final = Load()
#: Passes of the batch have higher numbers than those of earlier batches, which are read after them.
_LATER: Final = 1 << 40


@dataclass
class TakenBefore:
    """What the earlier parts of a batch took: turns and loads, by the input of assignment."""

    pools: dict[int, dict[str, Any]] = field(default_factory=dict)
    loads: dict[int, dict[str, Load]] = field(default_factory=dict)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> TakenBefore:
        return cls(
            {int(each): dict(pools) for each, pools in kept["pools"].items()},
            {int(each): {rep: Load(*load) for rep, load in loads.items()} for each, loads in kept["loads"].items()},
        )

    def write(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "pools": {str(each): pools for each, pools in self.pools.items()},
            "loads": {
                str(each): {rep: list(load) for rep, load in loads.items()} for each, loads in self.loads.items()
            },
        }

    def add_to(self, capacity: Capacity, input_id: int) -> Capacity:
        turns = {name: StoredTurns(state, 0) for name, state in self.pools.get(input_id, {}).items()}
        return replace(
            capacity,
            pools={**capacity.pools, **turns},
            loads={**capacity.loads, **self.loads.get(input_id, {})},
        )

    def take(self, input_id: int, given: Capacity, taken: Taken) -> None:
        pools = self.pools.setdefault(input_id, {})
        pools |= {name: turns.state for name, turns in list_turns(taken).items()}
        loads = self.loads.setdefault(input_id, {})
        for owner in taken.owners:
            if owner is not None:
                load = loads.get(owner) or given.loads.get(owner, _NO_LOAD)
                loads[owner] = Load(load.open + 1, load.today + 1, load.week + 1)


class _RecordedParts(RecordedCapacities):
    """As recorded, after what the earlier parts took."""

    def __init__(self, before: TakenBefore) -> None:
        super().__init__()
        self.before = before
        self._given: tuple[int, Capacity] | None = None

    def find_start(self, input_id: int, now: datetime) -> Capacity:
        """As it was before the first part."""
        return super().find(input_id, now)

    def find(self, input_id: int, now: datetime) -> Capacity:
        capacity = self.before.add_to(self.find_start(input_id, now), input_id)
        self._given = input_id, capacity
        return capacity

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        if self._given is not None:
            self.before.take(*self._given, taken)


class _Starts(RecordedCapacities):
    """As recorded before the first part: where the draft begins, which took other turns."""

    def __init__(self, of: _RecordedParts) -> None:
        super().__init__()
        self._of = of

    def find(self, input_id: int, now: datetime) -> Capacity:
        return self._of.find_start(input_id, now)


class _DraftParts:
    """By the draft, after what the earlier parts took under it."""

    def __init__(self, source: CapacitySource, before: TakenBefore) -> None:
        self._source, self.before = source, before
        self._given: tuple[int, Capacity] | None = None

    def find(self, input_id: int, now: datetime) -> Capacity:
        capacity = self.before.add_to(self._source.find(input_id, now), input_id)
        self._given = input_id, capacity
        return capacity

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        self._source.take(taken, journeys, now)
        if self._given is not None:
            self.before.take(*self._given, taken)


@dataclass
class PartProgress:
    """How far a batch is decided. ``ends``: the last journeys of the parts that are still to come, but for that of the
    last part; ``after``: the last journey that was decided; ``decided``: how many decisions the parts so far had."""

    batch: int
    ends: list[int]
    after: int = 0
    decided: int = 0
    recorded: TakenBefore = field(default_factory=TakenBefore)
    drafted: TakenBefore = field(default_factory=TakenBefore)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> PartProgress:
        recorded, drafted = (TakenBefore.read(kept[name]) for name in ("recorded", "drafted"))
        return cls(kept["batch"], list(kept["ends"]), kept["after"], kept["decided"], recorded, drafted)

    def write(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "batch": self.batch,
            "ends": self.ends,
            "after": self.after,
            "decided": self.decided,
            "recorded": self.recorded.write(),
            "drafted": self.drafted.write(),
        }


def plan_parts(connection: Connection, batch: int, journeys: int) -> PartProgress:
    """The parts of a batch, of so many ``journeys`` each."""
    found: set[int] = set()
    for row in decision_inputs.list_of_batches(connection, [batch]):
        found.update(int(journey) for each in PortionReader().read_all([row]) for journey in each.journeys)
    ends = sorted(found)[journeys - 1 : -1 : journeys]
    return PartProgress(batch, ends)


def replay_part(
    connection: Connection, draft: LoadedPlaybook, part: PartProgress, pools: Mapping[str, Any]
) -> tuple[Replayed, dict[str, Any], PartProgress | None]:
    """Decide the next part of a batch again, as ``replay_batches`` does of whole ones. The third result is how far the
    batch is decided then; None where this was the last part. ``part`` is used up."""
    batch, after = part.batch, part.after
    last = part.ends[0] if part.ends else None
    known, reader, earlier_reader = _RecordedParts(part.recorded), PortionReader(_LATER), PortionReader()
    source = DraftCapacities(_Starts(known), connection, draft.playbook)
    paths = Paths(connection, draft, known, _DraftParts(source, part.drafted))
    if (before := decision_inputs.find_assignment_before(connection, batch)) is not None:
        known.start(earlier_reader.read_all([before]))
    inputs = reader.read_all(
        decision_inputs.list_of_batches(connection, [batch]),
        lambda journey: journey > after and (last is None or journey <= last),
    )
    journeys = {int(journey) for each in inputs for journey in each.journeys}
    earlier = decision_inputs.list_before(connection, [batch], journeys)
    paths.follow(earlier_reader.read_all(earlier, journeys.__contains__))
    paths.note_damaged(earlier_reader.damaged)
    left_out, paths.check = paths.check.different, SelfCheck()
    source.restore(pools)
    paths.follow(inputs)
    paths.note_damaged(reader.damaged)
    paths.check.different |= left_out
    if last is not None:
        paths.check.damaged = 0  # they are counted once, by the last part
    own = np.fromiter(journeys, dtype=np.int64, count=len(journeys))
    done = Replayed(paths.before.select(own), paths.after.select(own), paths.check, paths.uncertain)
    rest = None if last is None else replace(part, ends=part.ends[1:], after=last)
    return done, source.list_own(), rest
