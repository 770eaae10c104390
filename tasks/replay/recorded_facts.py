"""What the ledger says of the decisions of a portion: the facts that deciding again is compared with and bound to.

Belongs here: the facts of a portion's journeys, and what people and other stages made of them later. Does not belong
here: the statements (``leadgate.ledger.decision_facts``), or the comparison (``self_check``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import decision_facts
from leadgate.vocabulary import HandoffOutcome, StageName
from tasks.qualification import IN_REVIEW_BAND

_KEY = ["journey", "generation"]
_BATCH_KEY = [*_KEY, "batch"]


@dataclass(frozen=True)
class Facts:
    """``reviewed``: journeys that a person sent on from the review band. ``last``: the last generation of each journey
    of which there is a handoff."""

    handoffs: pd.DataFrame
    scores: pd.DataFrame
    owners: pd.DataFrame
    reviewed: Collection[int]
    last: Mapping[int, int]

    def add_to(self, frame: pd.DataFrame, stage: StageName) -> pd.DataFrame:
        """``frame``, whose rows have their ``batch``, with ``fact_outcome`` and ``fact_reason`` of the handoff of that
        batch, and what else is kept of ``stage``, each as ``fact_NAME``. A lead that waits is at assignment in several
        batches, and handed on by the last."""
        own = self.handoffs[self.handoffs["stage"] == stage].drop(columns="stage")
        if stage == StageName.QUALIFICATION:
            own = own.merge(self.scores, on=_KEY, how="left")
        if stage == StageName.ASSIGNMENT:
            own = own.merge(self.owners, on=_KEY, how="left")
        named = {name: f"fact_{name}" for name in own.columns if name not in _BATCH_KEY}
        return frame.merge(own.rename(columns=named), on=_BATCH_KEY, how="left")

    def find_decided_later(self, frame: pd.DataFrame) -> pd.Series:
        """Of which rows there is a decision in a later generation."""
        return frame["journey"].map(self.last).fillna(-1) > frame["generation"]


def _find_last(handoffs: pd.DataFrame) -> dict[int, int]:
    last: dict[int, int] = {}
    for journey, generation in zip(handoffs["journey"].tolist(), handoffs["generation"].tolist(), strict=True):
        last[journey] = max(generation, last.get(journey, generation))
    return last


def find_sent_on(handoffs: pd.DataFrame) -> set[int]:
    """The journeys that a person let pass at qualification: held there, and next handed on by assignment."""
    stages, held = list(StageName), (StageName.QUALIFICATION, HandoffOutcome.HELD)
    rows = zip(*(handoffs[name].tolist() for name in ("journey", "generation", "stage", "outcome")), strict=True)
    in_order = sorted(rows, key=lambda row: (row[0], row[1], stages.index(row[2])))
    return {
        one[0]
        for one, other in pairwise(in_order)
        if one[0] == other[0] and one[2:] == held and other[2] == StageName.ASSIGNMENT
    }


def read_facts(connection: Connection, journeys: Collection[int]) -> Facts:
    handoffs = decision_facts.read_handoffs(connection, journeys)
    by_person = handoffs[(handoffs["outcome"] == HandoffOutcome.HELD) & (handoffs["reason"] == IN_REVIEW_BAND)]
    assigned = handoffs[handoffs["stage"] == StageName.ASSIGNMENT]
    return Facts(
        handoffs,
        decision_facts.read_qualifications(connection, journeys),
        decision_facts.read_assignments(connection, journeys),
        set(by_person["journey"]) & set(assigned["journey"]),
        _find_last(handoffs),
    )
