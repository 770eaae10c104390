"""The state of pools and reps in which leads are assigned again: as it was, or running on from the start.

Belongs here: the state of a batch at its time. Does not belong here: assigning (``deciding``).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from leadgate.assignment.availability import (
    Load,
    find_midnights,
    find_mondays,
    find_reps_counting_open,
    find_reps_counting_recent,
)
from leadgate.assignment.rotation import PoolState
from leadgate.ledger.load_history import LoadHistory, read_ends, read_load_history
from leadgate.ledger.pools import StoredTurns
from leadgate.playbook import Playbook
from tasks.assignment import Capacity
from tasks.replay.stage_inputs import StageInput

#: Of a time of which nothing is known: nobody has a lead, and no turn was taken.
_NOTHING_KNOWN: Final = Capacity({}, {})


@dataclass(frozen=True)
class Taken:
    """What an assignment took: the turns of the pools that it changed, and the owner of each lead, if it has one."""

    changed: Mapping[str, PoolState]
    owners: Sequence[str | None]


class RecordedCapacities:
    """As the ledger had it when each batch was assigned. Leads of a batch in which nobody was assigned are assigned in
    the state before."""

    def __init__(self) -> None:
        self._capacities: dict[int, Capacity] = {}
        self._assigned: dict[int, int] = {}  # the input of assignment, by its batch
        self._moments: dict[int, datetime] = {}
        self._last: Capacity = _NOTHING_KNOWN

    def start(self, portion: Iterable[StageInput]) -> None:
        """Know the inputs of the next portion, and of those before what was last."""
        if self._capacities:
            self._last = self._capacities[max(self._capacities)]
        self._capacities, self._assigned, self._moments = {}, {}, {}
        for each in portion:
            self._moments[each.id] = each.at
            if isinstance(each.content.context, Capacity):
                self._capacities[each.id] = each.content.context
                self._assigned[each.batch_id] = each.id

    def find(self, input_id: int, now: datetime) -> Capacity:
        if (capacity := self._capacities.get(input_id)) is not None:
            return capacity
        before = [each for each in self._capacities if self._moments[each] <= now]
        return self._capacities[max(before)] if before else self._last

    def find_input(self, batch_id: int) -> int | None:
        """The input of assignment of a batch, if anybody was assigned in it."""
        return self._assigned.get(batch_id)

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        """What comes next is recorded."""


class DraftCapacities:
    """As the ledger had it, and what the draft asks beyond that: the loads of reps that it caps and the recorded
    playbook did not, and pools that there were not, whose turns run on."""

    def __init__(self, recorded: RecordedCapacities, connection: Connection, draft: Playbook) -> None:
        self._recorded, self._connection, self._draft = recorded, connection, draft
        self._counted = find_reps_counting_open(draft) | find_reps_counting_recent(draft)
        self._history: LoadHistory | None = None
        self._own_pools: dict[str, StoredTurns] = {}
        self._known_pools: set[str] = set()

    def find(self, input_id: int, now: datetime) -> Capacity:
        capacity = self._recorded.find(input_id, now)
        self._known_pools |= {name for name, turns in capacity.pools.items() if turns.state}
        own = {name: turns for name, turns in self._own_pools.items() if name not in self._known_pools}
        loads = {**capacity.loads}
        for rep in self._counted - loads.keys():
            loads[rep] = count_load(self._read_history(), self._draft, rep, now)
        return replace(capacity, pools={**capacity.pools, **own}, loads=loads)

    def _read_history(self) -> LoadHistory:
        if self._history is None:
            self._history = read_load_history(self._connection, self._counted)
        return self._history

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        self._own_pools |= list_turns(taken)

    def restore(self, pools: Mapping[str, Any]) -> None:
        """Go on with the turns that ``list_own`` gave."""
        self._own_pools = {name: StoredTurns(state, 0) for name, state in pools.items()}

    def list_own(self) -> dict[str, Any]:
        """The turns of the pools that there were not, as JSON."""
        return {name: turns.state for name, turns in self._own_pools.items() if name not in self._known_pools}


class RunningCapacities:
    """As it would be if the draft had been in use from the start: each turn and each lead that it gives out counts for
    the next. No touch is made up: a lead is open until the first owner of the ledger was done with it, and one that
    nobody had stays open.

    Who is away is as recorded, and so is what reps had and whose turn it was before the first batch. Records count for
    nobody's load: where these are assigned (``of_records``), the leads that reps had are as recorded.
    """

    def __init__(
        self, recorded: RecordedCapacities, connection: Connection, draft: Playbook, *, of_records: bool = False
    ) -> None:
        self._recorded, self._connection, self._draft = recorded, connection, draft
        self._of_records = of_records
        self._counted = find_reps_counting_open(draft) | find_reps_counting_recent(draft)
        self._history: LoadHistory | None = None
        self._pools: dict[str, StoredTurns] = {}

    def find(self, input_id: int, now: datetime) -> Capacity:
        capacity = self._recorded.find(input_id, now)
        if self._history is None:
            self._history = read_load_history(self._connection, self._counted, None if self._of_records else now)
            self._pools = dict(capacity.pools)
        after = now + timedelta(microseconds=1)  # what was given out at this very moment counts as well
        loads = {rep: count_load(self._history, self._draft, rep, after) for rep in self._counted}
        return replace(capacity, pools={**capacity.pools, **self._pools}, loads=loads)

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        self._pools |= list_turns(taken)
        if self._of_records or not self._counted or self._history is None:
            return
        ends = read_ends(self._connection, journeys)
        for journey, owner in zip(journeys, taken.owners, strict=True):
            if owner is not None:
                insort(self._history.began.setdefault(owner, []), now)
                if journey in ends:
                    insort(self._history.ended.setdefault(owner, []), max(now, ends[journey]))


def list_turns(taken: Taken) -> dict[str, StoredTurns]:
    """The turns of the pools in which one was taken, as the ledger would keep them."""
    return {name: StoredTurns(state.to_dict(), 0) for name, state in taken.changed.items()}


def count_load(history: LoadHistory, playbook: Playbook, rep: str, now: datetime) -> Load:
    """What ``rep`` had just before ``now``: open leads, and those of the day and the week."""
    midnight, monday = find_midnights(playbook, now).get(rep, now), find_mondays(playbook, now).get(rep, now)
    return Load(
        history.count_open(rep, now), history.count_since(rep, midnight, now), history.count_since(rep, monday, now)
    )
