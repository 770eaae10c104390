"""Journeys through the stages again: as they went, and as they would go under another playbook.

Belongs here: which journeys reach which stage, what an earlier stage passes on to the next, and what became of each
journey in the end. Does not belong here: deciding (``deciding``), or comparing (``leadgate.replay``).

What people did is a fact: a corrected value, an approved review, the owner who gave a lead back. So is what a provider
answered, and who a person is. A journey that stops where it went on is not followed any further; one that goes on where
it stopped is decided in the state of that moment, with what was known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from leadgate.fields import ENRICHED, QUALIFIED, STANDARD, VALIDATED
from leadgate.ledger import decision_facts, decision_inputs
from leadgate.ledger.playbook_versions import read_content
from leadgate.playbook import LoadedPlaybook, Playbook, PlaybookError, parse
from leadgate.replay.journey_ends import ENDS, SCORES, JourneyEnds, share_codes
from leadgate.vocabulary import JourneyKind, Outcome, StageName
from tasks.decision_inputs import RECORDED_STAGES
from tasks.learned_scores import load_named
from tasks.replay import stage_inputs
from tasks.replay.capacities import DraftCapacities, RecordedCapacities, RunningCapacities
from tasks.replay.carried import Carried
from tasks.replay.deciding import CapacitySource, Decider
from tasks.replay.recorded_facts import Facts, read_facts
from tasks.replay.self_check import SelfCheck, is_by_others
from tasks.replay.stage_inputs import Damaged, PortionReader, StageInput

#: The parts of a playbook that neither validation nor enrichment reads.
_LATER_PARTS: Final = frozenset(
    {
        "name", "scoring", "qualification", "learned", "hours", "reps", "pools", "territories", "routing",
        "reassignments", "slas", "follow_up", "kinds", "crm", "exceptions", "breaker", "notifications", "events",
        "retention",
    }
)  # fmt: skip
_FACTS_OF_ROW: Final = (
    "journey_id",
    "journey",
    "version",
    "generation",
    "lead_id",
    "source",
    "captured_at",
    "waived",
    "input",
)
#: The columns of a lead that assignment decides from.
_ASSIGNED_FROM: Final = (
    *_FACTS_OF_ROW, *STANDARD, *VALIDATED, *ENRICHED, "custom", *QUALIFIED, "excluded", "earlier_owner",
)  # fmt: skip

Frames: TypeAlias = dict[StageName, pd.DataFrame]
Inputs: TypeAlias = Mapping[StageName, Sequence[StageInput]]


class Portion:
    """What is decided together: the inputs, their facts, and what was decided as recorded."""

    def __init__(self, inputs: Inputs, recorded: Frames, facts: Facts) -> None:
        self.inputs, self.recorded, self.facts = inputs, recorded, facts
        every = [each for given in inputs.values() for each in given]
        self.moments = {each.id: each.at for each in every}
        self.batches = {each.id: each.batch_id for each in every}
        self.now = max(self.moments.values())

    def list_going_on(self, stage: StageName) -> set[int]:
        """The rows that went on from ``stage`` as recorded."""
        frame = self.recorded[stage]
        return set(frame.loc[frame["outcome"] == Outcome.CONTINUE, "journey_id"])


@dataclass
class Replayed:
    """What became of each journey, ``before`` as recorded and ``after`` under the draft. ``uncertain``: journeys
    decided without answers of providers, since nobody was asked. ``brought``: what time alone would bring
    under the draft, and did not, by a reason."""

    before: JourneyEnds
    after: JourneyEnds
    check: SelfCheck
    uncertain: set[int]
    brought: Mapping[str, int] = field(default_factory=dict)


def replay(
    connection: Connection,
    draft: LoadedPlaybook,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    simulated: bool = False,
    kind: JourneyKind = JourneyKind.LEAD,
    make_paths: type[Paths] | None = None,
    advance: Callable[[int], None] | None = None,
) -> Replayed:
    """Decide again all that was decided of journeys of ``kind`` from ``since`` on, in the order of the decisions.

    ``make_paths``: the paths of the kind, by default those of leads. ``simulated``: under the draft, turns and loads
    run on from the start, in place of what the ledger had then. ``advance`` hears of each portion how many decisions it
    had; portions are smaller then.
    """
    recorded = RecordedCapacities()
    capacities: CapacitySource = DraftCapacities(recorded, connection, draft.playbook)
    if simulated:
        of_records = kind is not JourneyKind.LEAD
        capacities = RunningCapacities(recorded, connection, draft.playbook, of_records=of_records)
    paths = (make_paths or Paths)(connection, draft, recorded, capacities, kind)
    reader = PortionReader()
    rows = decision_inputs.list_since(connection, kind, since, until)
    for portion in reader.read(rows, stage_inputs.PORTION if advance is None else stage_inputs.SMALL_PORTION):
        paths.follow(portion)
        if advance is not None:
            advance(sum(len(each.passes) for each in portion))
        del portion  # it goes before the next one is read: a portion takes more memory than all that is kept
    paths.note_damaged(reader.damaged)
    return Replayed(paths.before, paths.after, paths.check, paths.uncertain, paths.find_brought())


def replay_batches(
    connection: Connection, draft: LoadedPlaybook, batches: Collection[int], pools: Mapping[str, Any]
) -> tuple[Replayed, dict[str, Any]]:
    """Decide again what was decided in ``batches`` of leads, as a part of a replay that goes on.

    What the draft passes on from an earlier batch is decided first, of the journeys of ``batches`` alone; the
    self-check counts only what is new. ``pools``: the turns of pools that only the draft has, which are returned as
    they are afterwards.
    """
    recorded, reader = RecordedCapacities(), PortionReader()
    capacities = DraftCapacities(recorded, connection, draft.playbook)
    paths = Paths(connection, draft, recorded, capacities)
    rows = decision_inputs.list_of_batches(connection, batches)
    journeys = {int(journey) for each in PortionReader().read_all(rows) for journey in each.journeys}
    if (last := decision_inputs.find_assignment_before(connection, min(batches))) is not None:
        recorded.start(reader.read_all([last]))
    earlier = decision_inputs.list_before(connection, batches, journeys)
    paths.follow(reader.read_all(earlier, journeys.__contains__))
    paths.note_damaged(reader.damaged)
    reader.damaged = []  # the rest is of these batches
    known, paths.check = paths.check.different, SelfCheck()
    capacities.restore(pools)
    for portion in reader.read(rows, stage_inputs.PORTION):
        paths.follow(portion)
    paths.check.different |= known
    paths.note_damaged(reader.damaged)
    own = np.fromiter(journeys, dtype=np.int64, count=len(journeys))
    done = Replayed(paths.before.select(own), paths.after.select(own), paths.check, paths.uncertain)
    return done, capacities.list_own()


def _note(ways: JourneyEnds, frames: Frames) -> None:
    """The result of each stage over a portion: the last stage that a journey was at is its end."""
    columns = ["journey_id", *ENDS]
    rows = [frame.reindex(columns=columns).assign(stage=stage) for stage, frame in frames.items() if len(frame)]
    if not rows:
        return
    together = pd.concat(rows, ignore_index=True).drop_duplicates("journey_id", keep="last")
    ways.note(
        _keep_last(together), _keep_last(frames[StageName.QUALIFICATION].reindex(columns=["journey_id", *SCORES]))
    )


def _keep_last(frame: pd.DataFrame) -> pd.DataFrame:
    """The last pass of each journey."""
    return frame.sort_values("journey_id").drop_duplicates("journey", keep="last")


class Paths:
    """Both ways of the journeys, portion by portion. Of leads; of records it is ``record_paths.RecordPaths``."""

    #: What a stage makes of a journey that a person may let pass.
    asks: ClassVar[frozenset[Outcome]] = frozenset({Outcome.REVIEW})

    def __init__(
        self,
        connection: Connection,
        draft: LoadedPlaybook,
        recorded: RecordedCapacities,
        capacities: CapacitySource,
        kind: JourneyKind = JourneyKind.LEAD,
    ) -> None:
        self.connection, self.draft, self.kind = connection, draft, kind
        codes = share_codes()
        self.before, self.after, self.check = JourneyEnds(codes), JourneyEnds(codes), SelfCheck()
        self.uncertain: set[int] = set()
        self._recorded, self._capacities = recorded, capacities
        self._playbooks: dict[str, LoadedPlaybook] = {}
        self._carried = Carried(self.after)

    def follow(self, given: Sequence[StageInput]) -> None:
        """Decide a portion again, both ways."""
        inputs = self._sort(given)
        self._recorded.start(each for stage in inputs.values() for each in stage)
        if not any(inputs.values()):
            return
        facts = self._read_facts({int(j) for each in given for j in each.journeys})
        portion = Portion(inputs, self._decide_as_recorded(inputs), facts)
        for stage, frame in portion.recorded.items():
            self.check.compare(stage, facts.add_to(frame, stage))
        decided = self._decide_by_draft(portion)
        for ways, frames in ((self.before, portion.recorded), (self.after, decided)):
            _note(ways, {stage: self._tell(frame, stage, portion) for stage, frame in frames.items()})
        self._carried.end_portion()

    def find_brought(self) -> dict[str, int]:
        """Of leads, time brings nothing that a replay could tell."""
        return {}

    def _read_facts(self, journeys: Collection[int]) -> Facts:
        return read_facts(self.connection, journeys)

    def note_damaged(self, damaged: Sequence[Damaged]) -> None:
        for each in damaged:
            journeys = decision_facts.list_handed_on(self.connection, each.batch_id, each.stage)
            self.check.note_damaged(each.stage, journeys, each.journeys)

    def _sort(self, portion: Sequence[StageInput]) -> dict[StageName, list[StageInput]]:
        """By stage, without what was decided by a playbook that cannot be read any more."""
        inputs: dict[StageName, list[StageInput]] = {stage: [] for stage in RECORDED_STAGES}
        for each in portion:
            if self._can_read(each.playbook_hash):
                inputs[each.stage].append(each)
            else:
                self.check.note_unreadable(each.playbook_hash, each.stage, each.journeys)
        return inputs

    def _can_read(self, hash_: str) -> bool:
        if hash_ not in self._playbooks and hash_ not in self.check.unreadable:
            content = read_content(self.connection, hash_)
            try:
                if content is not None:
                    self._playbooks[hash_] = parse(content, path=Path(f"playbook {hash_[:12]}"))
            except PlaybookError as error:
                self.check.unreadable[hash_] = (str(error), 0)
        return hash_ in self._playbooks

    def _make_decider(self, loaded: LoadedPlaybook) -> Decider:
        return Decider(loaded, {hash_: tuple(each.playbook.fields) for hash_, each in self._playbooks.items()})

    def _decide_as_recorded(self, inputs: Inputs) -> Frames:
        frames: dict[StageName, list[pd.DataFrame]] = {stage: [] for stage in RECORDED_STAGES}
        for hash_ in dict.fromkeys(each.playbook_hash for stage in inputs.values() for each in stage):
            decider = self._make_decider(self._playbooks[hash_])
            own = {stage: [each for each in given if each.playbook_hash == hash_] for stage, given in inputs.items()}
            joined = {stage: decider.join(given) for stage, given in own.items()}
            load_named(self.connection, joined[StageName.QUALIFICATION])
            now = max(each.at for given in own.values() for each in given)
            validation, enrichment, qualification, assignment = RECORDED_STAGES
            frames[validation].append(decider.validate(joined[validation], own[validation], now))
            frames[enrichment].append(decider.enrich(joined[enrichment], own[enrichment], now))
            frames[qualification].append(decider.qualify(joined[qualification], own[qualification], now))
            own_moments = {each.id: each.at for each in own[assignment]}
            frames[assignment].append(decider.assign(joined[assignment], own_moments, self._recorded))
        return {stage: pd.concat(each, ignore_index=True) for stage, each in frames.items()}

    def _decide_by_draft(self, portion: Portion) -> Frames:
        decider, carried = self._make_decider(self.draft), self._carried
        inputs, recorded, now = portion.inputs, portion.recorded, portion.now
        validation, enrichment, qualification, assignment = RECORDED_STAGES
        frames = {validation: recorded[validation], enrichment: recorded[enrichment]}
        if not self._reads_alike(portion):
            frames[validation] = decider.validate(decider.join(inputs[validation]), inputs[validation], now)
            carried.note_values(recorded[validation], frames[validation], [*STANDARD, *VALIDATED, *decider.fields])
            joined = carried.change_values(decider.join(inputs[enrichment]))
            frames[enrichment] = decider.enrich(joined, inputs[enrichment], now)
            carried.note_values(recorded[enrichment], frames[enrichment], [*STANDARD, *ENRICHED, *decider.fields])
        joined = carried.change_values(decider.join(inputs[qualification]))
        joined = _add(joined, self._find_newly_valid(frames, portion))
        frames[qualification] = decider.qualify(joined, inputs[qualification], now)
        frames[assignment] = decider.join(inputs[assignment])
        frames = self._keep_reached(frames, portion)
        carried.note_scores(frames[qualification])
        frames[assignment] = self._assign_by_draft(decider, portion, frames[assignment], frames[qualification])
        return frames

    def _keep_reached(self, frames: Frames, portion: Portion) -> Frames:
        """The rows that are reached under the draft. What a person approved that the draft asks them about as well goes
        on, and what they approved and it decides by itself does not."""
        asked = set(portion.facts.reviewed)
        went_on = {(row, stage) for stage in (*RECORDED_STAGES[:3],) for row in portion.list_going_on(stage)}
        scored = frames[StageName.QUALIFICATION]
        if len(scored):
            by_person = scored[scored["journey"].isin(asked)]
            approved = by_person["outcome"].isin(self.asks)
            went_on |= {(row, StageName.QUALIFICATION) for row in by_person.loc[~approved, "journey_id"]}
            went_on -= {(row, StageName.QUALIFICATION) for row in by_person.loc[approved, "journey_id"]}
        reached = self._carried.find_reached(frames, went_on)
        return {
            stage: frame[frame["journey_id"].isin(reached[stage])].reset_index(drop=True)
            for stage, frame in frames.items()
        }

    def _assign_by_draft(
        self, decider: Decider, portion: Portion, joined: pd.DataFrame, scored: pd.DataFrame
    ) -> pd.DataFrame:
        joined = self._carried.set_scores(self._carried.change_values(joined), portion.facts.reviewed)
        moments = {each.id: each.at for each in portion.inputs[StageName.ASSIGNMENT]}
        if len(scored):
            known = {*joined["journey_id"], *portion.list_going_on(StageName.QUALIFICATION)}
            newly = scored[(scored["outcome"] == Outcome.CONTINUE) & ~scored["journey_id"].isin(known)]
            newly = newly[~portion.facts.find_decided_later(newly)]
            if len(newly):
                joined = _add(joined, self._build_newly_assigned(newly, portion, moments))
        in_order = dict(sorted(moments.items(), key=lambda each: (each[1], each[0])))
        return decider.assign(joined, in_order, self._capacities)

    def _build_newly_assigned(
        self, newly: pd.DataFrame, portion: Portion, moments: dict[int, datetime]
    ) -> pd.DataFrame:
        """Leads that nobody was assigned to, as assignment gathers them. Who had them before is not known."""
        rows = self._place_newly_assigned(newly, portion, moments).assign(excluded=None, earlier_owner=None)
        return rows.reindex(columns=[*_ASSIGNED_FROM, *self.draft.playbook.fields])

    def _place_newly_assigned(
        self, newly: pd.DataFrame, portion: Portion, moments: dict[int, datetime]
    ) -> pd.DataFrame:
        """``newly`` with those of their batch who were assigned, or after the last that was."""
        places = {}
        for each in dict.fromkeys(newly["input"].tolist()):
            place = self._recorded.find_input(portion.batches[each])
            places[each] = -each if place is None else place
            moments.setdefault(places[each], portion.moments[each])
        return newly.assign(input=newly["input"].map(places))

    def _find_newly_valid(self, frames: Frames, portion: Portion) -> pd.DataFrame:
        """Leads that validation or enrichment held, and would not under the draft, as qualification gathers them: no
        provider was asked, or none since, and nothing else is known of them."""
        found = []
        for stage in (StageName.VALIDATION, StageName.ENRICHMENT):
            held = portion.recorded[stage]
            held = held[held["outcome"] == Outcome.HOLD]
            passes = frames[stage]
            passes = passes[passes["journey_id"].isin(held["journey_id"]) & (passes["outcome"] == Outcome.CONTINUE)]
            if len(passes):
                passes = portion.facts.add_to(passes, stage)
                others = is_by_others(passes["fact_outcome"], passes["fact_reason"])
                found.append(passes[~others & ~portion.facts.find_decided_later(passes)])
        if not any(len(each) for each in found):
            return pd.DataFrame()
        values = frames[StageName.VALIDATION].set_index("journey_id")
        rows = pd.concat(found, ignore_index=True).drop_duplicates("journey_id", keep="last")
        for name in (*STANDARD, *VALIDATED):
            if name not in rows or rows[name].isna().any():
                known = rows["journey_id"].map(values[name]).astype(object)
                rows[name] = known if name not in rows else rows[name].astype(object).where(rows[name].notna(), known)
        self.uncertain |= {int(journey) for journey in rows["journey"]}
        columns = [*_FACTS_OF_ROW, *STANDARD, *VALIDATED, *ENRICHED, "custom", *self.draft.playbook.fields]
        rows = rows.reindex(columns=columns).astype(object).where(lambda each: each.notna(), None)
        return rows.assign(was=None, engaged_before=float("nan"), finished=False)

    def _tell(self, frame: pd.DataFrame, stage: StageName, portion: Portion) -> pd.DataFrame:
        """``frame`` with what is kept of it; where others decided, with what they did."""
        if frame.empty:
            return frame
        told = portion.facts.add_to(frame, stage)
        others = is_by_others(told["fact_outcome"], told["fact_reason"])
        told["outcome"] = told["outcome"].where(~others, told["fact_outcome"])
        told["reason"] = told["reason"].where(~others, told["fact_reason"])
        told["at"] = [portion.moments[abs(each)] for each in told["input"]]
        return told.rename(columns={"rule": "route"})

    def _reads_alike(self, portion: Portion) -> bool:
        """Whether the draft cleans and enriches as the recorded playbooks did."""
        draft = _dump_early_parts(self.draft.playbook)
        hashes = {each.playbook_hash for stage in portion.inputs.values() for each in stage}
        return all(_dump_early_parts(self._playbooks[hash_].playbook) == draft for hash_ in hashes)


def _dump_early_parts(playbook: Playbook) -> dict[str, object]:
    return playbook.model_dump(exclude=set(_LATER_PARTS))


def _add(joined: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    if more.empty:
        return joined
    if joined.empty:
        return more.reset_index(drop=True)
    together = pd.concat(
        [joined.astype(object), more.reindex(columns=joined.columns).astype(object)], ignore_index=True
    )
    return together.where(together.notna(), None)
