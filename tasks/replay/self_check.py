"""The self-check: decisions made again under the playbook that made them, compared with what the ledger says of them.

Belongs here: which differences there are, and which decisions were not a stage's to make. Does not belong here:
deciding (``deciding``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from expectations.findings import CHECK_FAILED
from leadgate.deadlines import CHECK_TIMED_OUT
from leadgate.matching import ASKS
from leadgate.vocabulary import HandoffOutcome, NothingNew, Outcome, StageName
from tasks.failed_batches import CANCELLED, FAILED
from tasks.source_breaker import PARKED

#: Reasons of a hold that is no decision about the journey: who it is, its source, a fault. They are taken as facts.
HELD_BY_OTHERS: Final = frozenset({*ASKS, PARKED, FAILED, CANCELLED, CHECK_FAILED, CHECK_TIMED_OUT})
#: Reasons of an end that is no decision about the update: what is known of its record, or a deletion.
ENDED_BY_OTHERS: Final = frozenset({NothingNew.NOTHING_CHANGED, NothingNew.TOLD_LATE, NothingNew.RECORD_DELETED})
#: What a stage's outcome becomes as the handoff records it.
_RECORDED_AS: Final = {
    Outcome.CONTINUE: HandoffOutcome.CONTINUED,
    Outcome.OWNED: HandoffOutcome.CONTINUED,
    Outcome.HOLD: HandoffOutcome.HELD,
    Outcome.REVIEW: HandoffOutcome.HELD,
    Outcome.NURTURE: HandoffOutcome.NURTURE,
    Outcome.DISQUALIFIED: HandoffOutcome.DISQUALIFIED,
    Outcome.DONE: HandoffOutcome.DONE,
    Outcome.SUPERSEDED: HandoffOutcome.DONE,
}
#: What is compared of a stage beside its outcome: its name among the facts, and the column of the stage.
_COMPARED: Final = {
    StageName.QUALIFICATION: {name: name for name in ("fit", "engagement", "grade", "qualified_as")},
    StageName.ASSIGNMENT: {"owner": "owner", "route": "rule", "pool": "pool", "sla": "sla", "due_at": "due_at"},
}
#: Outcomes of which nothing else is kept.
_WITHOUT_MORE: Final = (Outcome.HOLD, Outcome.WAIT, Outcome.SUPERSEDED)
#: The differences that are named; all are counted.
NAMED: Final = 50


@dataclass(frozen=True)
class Difference:
    """A decision that came out otherwise when it was made again."""

    journey: int
    generation: int
    stage: StageName
    what: str  # ``outcome``, ``reason``, or the name of a column
    recorded: str
    again: str


@dataclass(frozen=True)
class NotMade:
    """A decision that cannot be made again."""

    journey: int
    stage: StageName
    why: str


@dataclass
class SelfCheck:
    """``decisions``: how many were made again; ``facts``: how many were not a stage's to make. ``different``: the
    journeys with a difference. ``unreadable``: the playbooks that cannot be read any more, each with its error and how
    many decisions it made. ``not_made`` names decisions that cannot be made again; ``damaged`` counts those of them
    whose inputs cannot be read."""

    decisions: int = 0
    facts: int = 0
    different_decisions: int = 0
    different: set[int] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    unreadable: dict[str, tuple[str, int]] = field(default_factory=dict)
    not_made: list[NotMade] = field(default_factory=list)
    damaged: int = 0

    def note_unreadable(self, playbook_hash: str, stage: StageName, journeys: Sequence[int]) -> None:
        """These were decided by a playbook that cannot be read."""
        why, count = self.unreadable.get(playbook_hash, ("the ledger does not have it", 0))
        self.unreadable[playbook_hash] = (why, count + len(journeys))
        self._name_not_made(stage, journeys, f"playbook {playbook_hash[:12]}: {why}")

    def note_damaged(self, stage: StageName, journeys: Sequence[int], decisions: int) -> None:
        """What these were decided from cannot be read. ``journeys``: those that are known; they are left out."""
        self.damaged += decisions
        self.different |= set(journeys)
        self._name_not_made(stage, journeys, "what it was decided from is damaged in the ledger")

    def _name_not_made(self, stage: StageName, journeys: Sequence[int], why: str) -> None:
        room = max(0, NAMED - len(self.not_made))
        self.not_made += [NotMade(journey, stage, why) for journey in journeys[:room]]

    def compare(self, stage: StageName, rows: pd.DataFrame) -> None:
        """``rows`` has a row for each decision that was made again, with the facts (``recorded_facts``)."""
        if rows.empty:
            return
        others = is_by_others(rows["fact_outcome"], rows["fact_reason"])
        self.facts += int(others.sum())
        self.decisions += int((~others).sum())
        expected = rows["outcome"].map(_RECORDED_AS)
        told = pd.DataFrame({"outcome": ~others & _differ(rows["fact_outcome"], expected)})
        held = ~others & (expected == HandoffOutcome.HELD)
        told["reason"] = held & ~told["outcome"] & _differ(rows["fact_reason"], rows["reason"])
        decided = ~others & ~told["outcome"] & ~rows["outcome"].isin(_WITHOUT_MORE)
        for name, column in _COMPARED.get(stage, {}).items():
            told[name] = decided & _differ(rows[f"fact_{name}"], rows[column])
        for place in told.index[told.any(axis=1)]:
            self._name(stage, rows.loc[place], [str(name) for name in told if told.at[place, name]])

    def _name(self, stage: StageName, row: Any, names: Sequence[str]) -> None:
        self.different.add(int(row["journey"]))
        self.different_decisions += 1
        if len(self.differences) < NAMED:
            columns = {"outcome": "outcome", "reason": "reason", **_COMPARED.get(stage, {})}
            self.differences += [
                Difference(
                    int(row["journey"]), int(row["generation"]), stage, name, _write(row[f"fact_{name}"]),
                    _write(row[columns[name]]),
                )
                for name in names
            ]  # fmt: skip


def is_by_others(outcome: pd.Series, reason: pd.Series) -> pd.Series:
    """Which journeys did not become what the ledger records of them by a decision of the stage."""
    by_others: pd.Series = (
        (outcome == HandoffOutcome.JOINED)
        | ((outcome == HandoffOutcome.HELD) & reason.isin(HELD_BY_OTHERS))
        | ((outcome == HandoffOutcome.DONE) & reason.isin(ENDED_BY_OTHERS))
    )
    return by_others


def _differ(one: pd.Series, other: pd.Series) -> pd.Series:
    return pd.Series([_read(a) != _read(b) for a, b in zip(one.tolist(), other.tolist(), strict=True)], index=one.index)


def _read(value: Any) -> object:
    """A cell in the form in which two are compared."""
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _write(value: object) -> str:
    read = _read(value)
    return "none" if read is None else str(read)
