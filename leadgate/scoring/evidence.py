"""Evidence of qualification (BANT): whether a lead's budget, authority, need and timeline are known, and by what.

Belongs here: the state of each part (known, unknown or negative), with the field or the activity that shows it. Does
not belong here: the verdict that follows (``verdict``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate.json_columns import Proof
from leadgate.playbook import EvidenceRule
from leadgate.playbook.scoring import EvidencePart
from leadgate.scoring.points import ActivityMoments


@dataclass(frozen=True)
class PartState:
    """The state of one part of the evidence, as arrays with a value for each row.

    ``by_field``: a field of the lead shows the part. ``latest``: the time of the latest activity that shows it, in
    microseconds since 1970; 0 where there is none.
    """

    known: npt.NDArray[np.bool_]
    negative: npt.NDArray[np.bool_]
    by_field: npt.NDArray[np.bool_]
    latest: npt.NDArray[np.int64]


def list_expressions(evidence: Mapping[EvidencePart, EvidenceRule]) -> dict[str, str]:
    """The playbook's conditions by name; ``find_part_states`` needs to know which rows match them."""
    known = {f"known {part}": rule.when for part, rule in evidence.items() if rule.when is not None}
    return known | {f"negative {part}": rule.negative for part, rule in evidence.items() if rule.negative is not None}


def find_part_states(
    evidence: Mapping[EvidencePart, EvidenceRule], matched: pd.DataFrame, by_kind: Mapping[str, ActivityMoments]
) -> dict[str, PartState]:
    """The state of each part. A negative part is not known: "no budget" wins over anything else that shows a budget."""
    part_states = {}
    for part, rule in evidence.items():
        no_row = np.zeros(len(matched), dtype=bool)
        negative = matched[f"negative {part}"].to_numpy() if rule.negative is not None else no_row
        by_field = matched[f"known {part}"].to_numpy() if rule.when is not None else no_row
        latest = np.zeros(len(matched), dtype=np.int64)
        if rule.activity is not None and (moments := by_kind.get(rule.activity)) is not None:
            np.maximum.at(latest, moments.row, moments.at)
        part_states[str(part)] = PartState((by_field | (latest > 0)) & ~negative, negative, by_field, latest)
    return part_states


def format_evidence(
    evidence: Mapping[EvidencePart, EvidenceRule], rows: int, part_states: Mapping[str, PartState]
) -> list[str]:
    """One JSON text a row: the state of each part, and the field or the activity that shows it.

    It names a field, never its value, because the text is kept after the lead's values are erased. Rows in the same
    state share one text.
    """
    if not evidence:
        return ["{}"] * rows
    columns = []
    for part in evidence:
        state = part_states[part]
        by_activity = np.where(state.known & ~state.by_field, state.latest, 0)
        columns.append(list(zip(state.known.tolist(), state.negative.tolist(), by_activity.tolist(), strict=True)))
    text_of_state: dict[tuple[tuple[bool, bool, int], ...], str] = {}
    texts = []
    for row in zip(*columns, strict=True):
        if (text := text_of_state.get(row)) is None:
            proofs = {
                part: _build_proof(rule, *state) for (part, rule), state in zip(evidence.items(), row, strict=True)
            }
            text = text_of_state[row] = orjson.dumps(proofs, default=str).decode()
        texts.append(text)
    return texts


def _build_proof(rule: EvidenceRule, known: bool, negative: bool, by_activity: int) -> Proof:
    proof: Proof = {"known": known}
    if negative:
        proof["negative"] = True
    if by_activity:
        at = datetime.fromtimestamp(by_activity / 1_000_000, UTC).isoformat(timespec="seconds")
        return {**proof, "activity": str(rule.activity), "at": at}
    if rule.value is not None:
        proof["field"] = rule.value
    return proof
