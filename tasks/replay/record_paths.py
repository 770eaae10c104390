"""Updates of records through the stages again: as they went, and as they would go under another playbook.

Belongs here: what is different from leads. Does not belong here: deciding (``record_deciding``), or comparing
(``leadgate.replay``).

The values of an update are those that validation read, and the version that it is compared with is the one that was
accepted then: what the draft would have held or let pass before changes no later update. What an update asks that
validation had held is not known under a draft that lets it pass.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

import pandas as pd

from leadgate.fields import QUALIFIED
from leadgate.playbook import LoadedPlaybook
from leadgate.records.fields import ENRICHED
from leadgate.records.reading import list_field_types
from leadgate.vocabulary import Outcome, StageName
from tasks.decision_inputs import RECORDED_STAGES
from tasks.replay.paths import Frames, Paths, Portion
from tasks.replay.record_deciding import RecordDecider
from tasks.replay.record_times import Times
from tasks.replay.recorded_facts import Facts, find_sent_on, read_facts

#: The columns of an update that assignment decides from, beside its fields and what it was scored.
_ASSIGNED_FROM: Final = (
    "journey_id", "journey", "version", "generation", "lead_id", "record_id", "source", "captured_at", "waived", "due",
    "slipped_on", "number", "values", "changes", "changed_at", "changed_by", "rep", "category", "is_open",
    "record_outcome", "closes_on", "enriched", "superseded", "input", "batch", "had_by", "earlier_owner", "excluded",
    "record_owner", *ENRICHED, *QUALIFIED,
)  # fmt: skip


class RecordPaths(Paths):
    """Both ways of the journeys of one kind of records."""

    asks: ClassVar[frozenset[Outcome]] = frozenset({Outcome.REVIEW, Outcome.HOLD})

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._times = Times()
        self._now: datetime | None = None  # of the last portion

    def find_brought(self) -> dict[str, int]:
        """What time would have brought up to the last decision."""
        if self._now is not None:
            self._times.decide(self._make_decider(self.draft), self._now)
        return dict(self._times.brought.most_common())

    def _read_facts(self, journeys: Collection[int]) -> Facts:
        """A person may let any question of qualification pass."""
        facts = read_facts(self.connection, journeys)
        return replace(facts, reviewed=find_sent_on(facts.handoffs))

    def _make_decider(self, loaded: LoadedPlaybook) -> RecordDecider:
        views = {hash_: each.playbook.for_kind(self.kind) for hash_, each in self._playbooks.items()}
        section = loaded.playbook.kinds.find(self.kind)
        return RecordDecider(
            loaded,
            {hash_: tuple(view.fields) for hash_, view in views.items()},
            self.kind,
            rewords=loaded is self.draft and any(each.kinds.find(self.kind) != section for each in views.values()),
        )

    def _decide_by_draft(self, portion: Portion) -> Frames:
        decider, inputs, now = self._make_decider(self.draft), portion.inputs, portion.now
        validation, enrichment, qualification, assignment = RECORDED_STAGES
        joined = {stage: decider.join(given) for stage, given in inputs.items()}
        frames = {
            validation: decider.validate(joined[validation], inputs[validation], now),
            enrichment: decider.enrich(joined[enrichment], inputs[enrichment], now),
            qualification: decider.qualify(joined[qualification], inputs[qualification], now),
            assignment: joined[assignment],
        }
        frames = self._keep_reached(frames, portion)
        given = joined[qualification]
        self._times.note(portion.recorded[qualification], frames[qualification], given, portion.moments)
        self._times.decide(decider)
        self._now = now
        self._carried.note_scores(frames[qualification])
        frames[assignment] = self._assign_by_draft(decider, portion, frames[assignment], frames[qualification])
        return frames

    def _tell(self, frame: pd.DataFrame, stage: StageName, portion: Portion) -> pd.DataFrame:
        """Until somebody gets the record, ``owner`` is what the update says."""
        told = super()._tell(frame, stage, portion)
        if "owner" not in told:
            return told
        return told.assign(owner=told["owner"].where(told["outcome"] == Outcome.OWNED, None))

    def _build_newly_assigned(
        self, newly: pd.DataFrame, portion: Portion, moments: dict[int, datetime]
    ) -> pd.DataFrame:
        """Updates that nobody was assigned to, as assignment gathers them. The record is its owner's whom it names, or
        who had it; what else was known of earlier owners then is not kept."""
        rows = self._place_newly_assigned(newly, portion, moments)
        rows = rows.assign(record_owner=rows["rep"], had_by=None, earlier_owner=None, excluded=None)
        columns = [*_ASSIGNED_FROM, *list_field_types(self.draft.playbook.for_kind(self.kind))]
        return rows.reindex(columns=list(dict.fromkeys(columns)))
