"""What is known of budget, authority, need and timeline, and what proves it.

Belongs here: known, unknown or negative for each, with the field or the activity that tells. Does not belong
here: what follows from it (``verdict``).
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
from leadgate.scoring.points import Heard


@dataclass(frozen=True)
class Proved:
    """The state of one part for each row. ``latest`` is the activity that proves it (microseconds, 0 is none)."""

    known: npt.NDArray[np.bool_]
    negative: npt.NDArray[np.bool_]
    by_field: npt.NDArray[np.bool_]
    latest: npt.NDArray[np.int64]


def list_expressions(evidence: Mapping[EvidencePart, EvidenceRule]) -> dict[str, str]:
    """What has to be matched for ``prove``."""
    known = {f"known {part}": rule.when for part, rule in evidence.items() if rule.when is not None}
    return known | {f"negative {part}": rule.negative for part, rule in evidence.items() if rule.negative is not None}


def prove(
    evidence: Mapping[EvidencePart, EvidenceRule], matched: pd.DataFrame, heard: Mapping[str, Heard]
) -> dict[str, Proved]:
    """Each part's state. What is negative is not known: no budget is no budget, whatever else was said."""
    proved = {}
    for part, rule in evidence.items():
        nothing = np.zeros(len(matched), dtype=bool)
        negative = matched[f"negative {part}"].to_numpy() if rule.negative is not None else nothing
        by_field = matched[f"known {part}"].to_numpy() if rule.when is not None else nothing
        latest = np.zeros(len(matched), dtype=np.int64)
        if rule.activity is not None and (told := heard.get(rule.activity)) is not None:
            np.maximum.at(latest, told.row, told.at)
        proved[str(part)] = Proved((by_field | (latest > 0)) & ~negative, negative, by_field, latest)
    return proved


def format_evidence(
    evidence: Mapping[EvidencePart, EvidenceRule], rows: int, proved: Mapping[str, Proved]
) -> list[str]:
    """One JSON text a row, written once for each distinct combination of what is known.

    It names the field that tells, and never its value: the text is kept after the lead's values are erased.
    """
    if not evidence:
        return ["{}"] * rows
    columns = []
    for part in evidence:
        state = proved[part]
        by_activity = np.where(state.known & ~state.by_field, state.latest, 0)
        columns.append(list(zip(state.known.tolist(), state.negative.tolist(), by_activity.tolist(), strict=True)))
    known: dict[tuple[tuple[bool, bool, int], ...], str] = {}
    texts = []
    for row in zip(*columns, strict=True):
        if (text := known.get(row)) is None:
            found = {
                part: _build_proof(rule, *state) for (part, rule), state in zip(evidence.items(), row, strict=True)
            }
            text = known[row] = orjson.dumps(found, default=str).decode()
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
