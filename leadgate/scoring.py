"""Points, and what they make of a lead.

Belongs here: the points each rule contributes, their exact sum, and the verdict by the playbook's
thresholds, review band, disqualifiers and evidence rules.
Does not belong here: how an expression is evaluated (``rules``), or where a verdict is kept.

A score never decays here. A contribution is computed as of a moment, so that decay has a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate import fields, rules
from leadgate.expressions import parse
from leadgate.playbook import EngagementRule, Playbook, Qualification

Points = npt.NDArray[np.int64]

STAGE: Final = "qualification"
_VALUE_SHOWN: Final = 200


def score(frame: pd.DataFrame, playbook: Playbook, activities: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Points of each journey as of ``now`` (aware UTC): a frame with the index of ``frame``.

    ``frame`` is a batch as enrichment left it, one row per ``journey_id``. ``activities`` has the
    columns ``journey_id``, ``kind`` and ``occurred_at`` (aware UTC); those after ``now`` and those
    of other journeys do not count.

    Returns ``fit``, ``engagement``, ``score`` (integers), ``contributions`` (JSON text, rule to
    points, those that are not zero in the playbook's order) and ``contribution_sum``, added up from
    the contributions as they are written, so that a gate can compare it with ``score``.
    """
    scoring = playbook.scoring
    expressions = {f"fit {rule.name}": rule.when for rule in scoring.fit} | {
        f"engagement {rule.name}": rule.when for rule in scoring.engagement if rule.when is not None
    }
    matched = rules.matches(expressions, frame, _columns(playbook))
    heard = _heard(frame, activities, now)
    fit = [matched[f"fit {rule.name}"].to_numpy() * np.int64(rule.points) for rule in scoring.fit]
    engagement = [
        _activity_points(rule, heard, len(frame), now)
        if rule.when is None
        else matched[f"engagement {rule.name}"].to_numpy() * np.int64(rule.points)
        for rule in scoring.engagement
    ]
    names = [rule.name for rule in scoring.fit] + [rule.name for rule in scoring.engagement]
    fit_points, engagement_points = _sum(fit, len(frame)), _sum(engagement, len(frame))
    contributions, sums = _written(names, [*fit, *engagement], len(frame))
    return pd.DataFrame(
        {
            "fit": fit_points,
            "engagement": engagement_points,
            "score": fit_points + engagement_points,
            "contributions": pd.Series(contributions, index=frame.index, dtype=object),
            "contribution_sum": np.array(sums, dtype=np.int64),
        },
        index=frame.index,
    )


def qualify(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """The verdict on each scored journey: a frame with the index of ``frame``.

    ``frame`` is a batch with the columns that ``score`` returns. In this order: a disqualifier that
    matches disqualifies; a score in the review band waits for a person; a score at a threshold
    qualifies; the rest is nurtured. Where sales accepts (``sales_qualified_by: acceptance``), a
    lead is at most marketing-qualified here. ``now`` is the moment of the verdict; no rule depends
    on it yet.

    Returns ``outcome`` (continue, review, nurture, disqualified), ``qualified_as`` (None,
    marketing_qualified, sales_qualified), ``reasons`` (a list of plain words) and ``evidence``
    (JSON text: budget, authority, need, timeline, each with whether it is known, the field that
    tells, and the field's value unless it is personal).
    """
    del now
    rule = playbook.qualification
    expressions = {f"out {d.name}": d.when for d in rule.disqualify} | {
        f"known {part}": evidence.when for part, evidence in rule.evidence.items()
    }
    matched = rules.matches(expressions, frame, _columns(playbook))
    scores = frame["score"].to_numpy(dtype=np.int64)
    refused = matched[[f"out {d.name}" for d in rule.disqualify]].to_numpy(dtype=bool)
    out = refused.any(axis=1)
    in_band = np.zeros(len(frame), dtype=bool)
    if rule.review is not None:
        in_band = (scores >= rule.review.lowest) & (scores < rule.review.below)
    sales, marketing = scores >= rule.sales_qualified, scores >= rule.marketing_qualified
    outcome = np.select([out, in_band, sales | marketing], ["disqualified", "review", "continue"], default="nurture")
    goes_on = outcome == "continue"
    by_threshold = rule.sales_qualified_by == "threshold"
    qualified_as = np.full(len(frame), None, dtype=object)
    qualified_as[goes_on] = "marketing_qualified"
    qualified_as[goes_on & sales & by_threshold] = "sales_qualified"
    return pd.DataFrame(
        {
            "outcome": pd.Series(outcome, index=frame.index, dtype=object),
            "qualified_as": pd.Series(qualified_as, index=frame.index, dtype=object),
            "reasons": pd.Series(_reasons(rule, outcome, scores, refused), index=frame.index, dtype=object),
            "evidence": pd.Series(_evidence(rule, frame, matched), index=frame.index, dtype=object),
        },
        index=frame.index,
    )


def _columns(playbook: Playbook) -> dict[str, fields.FieldType]:
    return fields.columns(STAGE, {name: field.type for name, field in playbook.fields.items()})


def _heard(frame: pd.DataFrame, activities: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The batch's activities up to ``as_of``: ``row`` (position in ``frame``), ``kind``, ``occurred_at``."""
    if activities.empty:
        return pd.DataFrame({"row": np.empty(0, np.int64), "kind": [], "occurred_at": []})
    row = pd.Index(frame["journey_id"]).get_indexer(pd.Index(activities["journey_id"]))
    occurred_at = pd.to_datetime(activities["occurred_at"], utc=True)
    counts = (row >= 0) & (occurred_at <= pd.Timestamp(as_of)).to_numpy()
    heard = pd.DataFrame(
        {
            "row": row,
            "kind": activities["kind"].to_numpy(),
            "occurred_at": occurred_at.dt.tz_localize(None).to_numpy(),
        }
    )
    kept: pd.DataFrame = heard.loc[counts]
    return kept


def _activity_points(rule: EngagementRule, heard: pd.DataFrame, rows: int, as_of: datetime) -> Points:
    """What one activity rule contributes to each row as of a moment. A window includes its first instant."""
    mine = heard[heard["kind"] == rule.activity]
    if rule.within is not None and not mine.empty:
        since = pd.Timestamp(as_of - rule.within).tz_convert("UTC").tz_localize(None)
        mine = mine[mine["occurred_at"] >= since]
    counts = np.bincount(mine["row"].to_numpy(dtype=np.int64), minlength=rows)
    if rule.count == "once":
        return (counts > 0) * np.int64(rule.points)
    points = counts.astype(np.int64) * rule.points
    if rule.max_points is None:
        return points
    most = abs(rule.max_points)
    return np.clip(points, -most, most)


def fields_read(playbook: Playbook) -> list[str]:
    """The columns of a lead that the scoring rules read, in the rules' order: what a score rests on."""
    conditions = [rule.when for rule in playbook.scoring.fit] + [rule.when for rule in playbook.scoring.engagement]
    read = [sorted(parse(condition).columns) for condition in conditions if condition is not None]
    return list(dict.fromkeys(name for names in read for name in names if name != "source"))


def _sum(points: Sequence[Points], rows: int) -> Points:
    return np.sum(points, axis=0, dtype=np.int64) if points else np.zeros(rows, dtype=np.int64)


def _written(names: Sequence[str], points: Sequence[Points], rows: int) -> tuple[list[str], list[int]]:
    """Contributions as JSON text, and their sum; written once for each distinct combination of points."""
    if not points:
        return ["{}"] * rows, [0] * rows
    matrix = np.ascontiguousarray(np.stack(points, axis=1))
    written: dict[bytes, tuple[str, int]] = {}
    result = []
    for row in matrix:
        key = row.tobytes()
        if (known := written.get(key)) is None:
            nonzero = {name: value for name, value in zip(names, row.tolist(), strict=True) if value}
            known = written[key] = (orjson.dumps(nonzero).decode(), sum(nonzero.values()))
        result.append(known)
    return [text for text, _ in result], [total for _, total in result]


def _reasons(
    rule: Qualification, outcome: npt.NDArray[Any], scores: Points, refused: npt.NDArray[np.bool_]
) -> list[list[str]]:
    disqualified = [d.reason for d in rule.disqualify]
    hit: dict[bytes, list[str]] = {}
    said: dict[tuple[str, int], str] = {}
    reasons = []
    for row, (verdict, points) in enumerate(zip(outcome.tolist(), scores.tolist(), strict=True)):
        if verdict == "disqualified":
            pattern = refused[row].tobytes()
            if (why := hit.get(pattern)) is None:
                why = hit[pattern] = [disqualified[i] for i in np.flatnonzero(refused[row])]
            reasons.append(list(why))
            continue
        if (words := said.get((verdict, points))) is None:
            words = said[verdict, points] = _words(rule, verdict, points)
        reasons.append([words])
    return reasons


def _words(rule: Qualification, verdict: str, points: int) -> str:
    if verdict == "review" and rule.review is not None:
        return f"a score of {points} is in the review band, {rule.review.lowest} to {rule.review.below - 1}"
    if verdict == "nurture":
        return f"a score of {points} is below {rule.marketing_qualified}, from which a lead is marketing-qualified"
    if points < rule.sales_qualified:
        return f"a score of {points} reaches {rule.marketing_qualified}: marketing-qualified"
    if rule.sales_qualified_by == "acceptance":
        return f"a score of {points} reaches {rule.sales_qualified}: sales-qualified once sales accepts it"
    return f"a score of {points} reaches {rule.sales_qualified}: sales-qualified"


def _evidence(rule: Qualification, frame: pd.DataFrame, matched: pd.DataFrame) -> list[str]:
    """One JSON text a row, written once for each distinct combination of what is known."""
    if not rule.evidence:
        return ["{}"] * len(frame)
    parts = list(rule.evidence)
    shown = []
    for part, evidence in rule.evidence.items():
        known = matched[f"known {part}"].to_numpy()
        field = evidence.value
        if field is None or field in fields.PERSONAL:
            shown.append([(flag, None) for flag in known.tolist()])
        else:
            values = frame[field].astype(object).where(known & frame[field].notna().to_numpy(), None)
            shown.append(list(zip(known.tolist(), values.tolist(), strict=True)))
    written: dict[tuple[Any, ...], str] = {}
    texts = []
    for row in zip(*shown, strict=True):
        if (text := written.get(row)) is None:
            found = {
                part: _proof(rule.evidence[part].value, known, value)
                for part, (known, value) in zip(parts, row, strict=True)
            }
            text = written[row] = orjson.dumps(found, default=str).decode()
        texts.append(text)
    return texts


def _proof(field: str | None, known: bool, value: Any) -> Mapping[str, Any]:
    proof: dict[str, Any] = {"known": known}
    if field is not None:
        proof["field"] = field
    if value is not None:
        if isinstance(value, str):
            if "@" in value:  # free text may carry somebody's address
                return proof
            value = value.replace("\0", "")[:_VALUE_SHOWN]
        proof["value"] = value.item() if isinstance(value, np.generic) else value
    return proof
