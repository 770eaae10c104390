"""Deciding again: the stages' own decisions and gates, over what was recorded, for many batches at once.

Belongs here: one stage after the other over a portion. Does not belong here: which journeys reach a stage (``paths``),
or comparing (``leadgate.replay``).

What a stage decides of a journey depends on its row, and on the time. Batches of any times are decided together: the
activities of each are moved so that they are as old as they were. Assignment is different: each lead takes a turn and
room, so a batch is decided after what the ledger had then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

import pandas as pd

from expectations import gate
from expectations.findings import GateResult
from leadgate.assignment.absences import add_absences
from leadgate.assignment.assignment_result import Decision, build_decision_frame
from leadgate.assignment.availability import Availability
from leadgate.assignment.route_matching import match_routes
from leadgate.assignment.routing import LeadToAssign, choose_owners, read_leads
from leadgate.ledger import leads
from leadgate.ledger.batches import Batch
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.sla.sla_targets import Due, compute_due_times
from leadgate.vocabulary import JourneyKind, StageName
from tasks.assignment import Capacity, find_changed, find_over_cap, read_states
from tasks.batches import STAGES
from tasks.handoff import apply_gate
from tasks.replay.capacities import Taken
from tasks.replay.stage_inputs import StageInput, join_activities, join_frames, join_said
from tasks.stage import AnyStage, Decided, Gathered, Work

#: The columns of a lead that had a learned score, and the number in place of one for a lead that had none.
_LEARNED: Final = ["learned_model", "learned_hash", "learned_role"]
_NO_MODEL: Final = 0


class CapacitySource(Protocol):
    """Where the state of pools and reps is from that the leads of an input are assigned in."""

    def find(self, input_id: int, now: datetime) -> Capacity: ...

    def take(self, taken: Taken, journeys: Sequence[int], now: datetime) -> None:
        """Hear what was assigned: to whom each of ``journeys``, in order."""


@dataclass(frozen=True)
class _Assigned:
    decisions: list[Decision]
    taken: Taken
    absent: set[str]
    over_cap: set[str]


@dataclass(frozen=True)
class Decider:
    """Decides under one playbook about leads. ``known_fields``: the custom fields of each recorded playbook, by its
    hash."""

    loaded: LoadedPlaybook
    known_fields: Mapping[str, Sequence[str]]
    kind: JourneyKind = JourneyKind.LEAD

    @property
    def playbook(self) -> Playbook:
        """As it is for the kind."""
        return self.loaded.playbook.for_kind(self.kind)

    @property
    def fields(self) -> list[str]:
        """The custom fields of the playbook."""
        return list(self.playbook.fields)

    def join(self, inputs: Sequence[StageInput]) -> pd.DataFrame:
        frame = join_frames(inputs, self.known_fields)
        return frame if frame.empty else self._add_fields(frame)

    def _add_fields(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``frame`` with the playbook's own fields."""
        return leads.expand_custom(frame, {name: field.type for name, field in self.playbook.fields.items()})

    def validate(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        return self._decide(StageName.VALIDATION, Gathered(frame), now)

    def enrich(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        return self._decide(StageName.ENRICHMENT, Gathered(frame, join_said(inputs, frame)), now)

    def qualify(self, frame: pd.DataFrame, inputs: Sequence[StageInput], now: datetime) -> pd.DataFrame:
        """The learned scores that ``frame`` names are loaded (``learned_scores.load_named``)."""
        activities = join_activities(inputs, now)
        if "learned_model" not in frame:
            return self._decide(StageName.QUALIFICATION, Gathered(frame, activities), now)
        parts = [
            rows.drop(columns=_LEARNED if model == _NO_MODEL else []).reset_index(drop=True)
            for model, rows in frame.groupby(frame["learned_model"].fillna(_NO_MODEL).astype(int), sort=False)
        ]
        return pd.concat(
            [self._decide(StageName.QUALIFICATION, Gathered(rows, activities), now) for rows in parts],
            ignore_index=True,
        )

    def assign(self, frame: pd.DataFrame, moments: Mapping[int, datetime], capacities: CapacitySource) -> pd.DataFrame:
        """The rows of each ``input`` one after the other, at its moment and with what reps and pools have then; the
        inputs in the order of ``moments``."""
        if frame.empty:
            return frame.assign(outcome=None, reason=None)
        places = {each: place for place, each in enumerate(moments)}
        frame = frame.assign(place=frame["input"].map(places)).sort_values(["place", "journey"], ignore_index=True)
        frame[["routes", "priority"]] = match_routes(frame, self.playbook)
        to_assign, ids = read_leads(frame), frame["input"].tolist()
        decisions: list[Decision] = []
        absent: list[bool] = []
        over_cap: list[bool] = []
        start = 0
        while start < len(ids):
            each, now = ids[start], moments[ids[start]]
            end = bisect_right(ids, places[each], lo=start, key=places.__getitem__)
            done = self._assign_together(to_assign[start:end], capacities.find(each, now), now)
            capacities.take(done.taken, frame["journey"].iloc[start:end].tolist(), now)
            decisions += done.decisions
            absent += [decision.owner in done.absent for decision in done.decisions]
            over_cap += [decision.owner in done.over_cap for decision in done.decisions]
            start = end
        decided = build_decision_frame(decisions, frame.index)
        frame[list(decided.columns)] = decided
        at = [moments[each] for each in ids]
        frame[list(Due._fields)] = compute_due_times(frame, self.playbook, at)
        frame["assigned_at"] = pd.to_datetime(pd.Series(at, index=frame.index), utc=True)
        frame["owner_known"] = frame["owner"].isin({rep.name for rep in self.playbook.reps})
        frame["owner_absent"], frame["over_cap"] = absent, over_cap
        frame["reason"] = frame["reasons"].map(lambda reasons: reasons[0] if reasons else None)
        return self._judge(StageName.ASSIGNMENT, Decided(frame))

    def _assign_together(self, leads: Sequence[LeadToAssign], capacity: Capacity, now: datetime) -> _Assigned:
        """As ``tasks.assignment`` does, without a frame: a replay has thousands of batches of a few leads."""
        playbook = add_absences(self.playbook, capacity.away)
        states = read_states(capacity.pools)
        chosen = choose_owners(leads, playbook, states, capacity.loads, now)
        absences = Availability(playbook, capacity.loads, now).absent
        return _Assigned(
            chosen.decisions,
            Taken(find_changed(states, chosen.pools), [decision.owner for decision in chosen.decisions]),
            {rep for rep, absence in absences.items() if absence is not None},
            find_over_cap(playbook, chosen.loads),
        )

    def _decide(self, stage: StageName, gathered: Gathered[Any], now: datetime) -> pd.DataFrame:
        if gathered.frame.empty:
            return gathered.frame.assign(outcome=None, reason=None)
        return self._judge(stage, self._ask_stage(stage, gathered, now))

    def _ask_stage(self, stage: StageName, gathered: Gathered[Any], now: datetime) -> Decided[Any]:
        return self._find_stage(stage).decide(gathered, self._build_work(len(gathered.frame), now))

    def _find_stage(self, name: StageName) -> AnyStage:
        return next(stage for stage in STAGES[self.kind] if stage.name is name)

    def _build_work(self, journeys: int, now: datetime) -> Work:
        batch = Batch(0, 0, "replay", self.loaded.hash, journeys, now, journey_kind=self.kind)
        return Work(batch, self.loaded, now)

    def _judge(self, stage: StageName, decided: Decided[Any]) -> pd.DataFrame:
        """The rows with what the gate holds on hold. A promise about a batch as a whole is asked of each batch."""
        result = self._ask_gate(stage, decided)
        if result.batch_problem is None:
            return apply_gate(self._find_stage(stage), decided.frame, result)
        parts = [replace(decided, frame=rows) for _, rows in decided.frame.groupby("input", sort=True)]
        return pd.concat(
            [apply_gate(self._find_stage(stage), part.frame, self._ask_gate(stage, part)) for part in parts],
            ignore_index=True,
        )

    def _ask_gate(self, stage: StageName, decided: Decided[Any]) -> GateResult:
        return gate.run(stage.gate, decided.gated, playbook=self.playbook)
