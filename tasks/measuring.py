"""How well a playbook's points tell won leads from lost ones, on leads that are kept aside.

Belongs here: scoring the leads whose outcome is known again, parting them, and the measures of both parts. Does not
belong here: the points (``leadgate.scoring``), the measures themselves (``discrimination``), or words.

The leads to learn from teach the joint weights, and what chance to be won points stand for. The others judge both.
Which lead is kept aside is a matter of its number alone, so that it is the same ones each time.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate.learning.discrimination import (
    Auc,
    Group,
    compute_auc,
    compute_calibration_error,
    fit_curve,
    group_by_score,
)
from leadgate.learning.joint_weights import JointFit, Pattern, fit_joint_weights
from leadgate.ledger import Ledger, decided_leads, leads
from leadgate.playbook import Playbook
from leadgate.scoring.points import score

#: The share of the leads that is kept aside.
ASIDE: Final = 0.3
_AT_A_TIME: Final = 20_000  # leads that are scored together

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """Of scores of the leads kept aside: the AUC, the calibration error, and what points stand for."""

    auc: Auc | None
    error: float | None
    groups: list[Group]


@dataclass(frozen=True)
class Measured:
    """``points`` are those of the playbook, ``joint`` those of the fit over the leads to ``learn`` from."""

    leads: int
    won: int
    learn: int
    aside: int
    aside_won: int
    points: Judged
    joint: Judged
    fit: JointFit | None
    given: dict[str, int]  # the points that each rule has in the playbook


@dataclass(frozen=True)
class ScoredLeads:
    """A value for each lead: its number and points, the rules that gave some, whether it was won, whether it is kept
    aside."""

    leads: list[int]
    scores: Floats
    rules: list[frozenset[str]]
    won: Flags
    aside: Flags


def measure(ledger: Ledger, playbook: Playbook, now: datetime) -> Measured:
    """Score every lead whose outcome is known by ``playbook``, and judge the scores."""
    scored = score_decided(ledger, playbook, now)
    learn, aside = ~scored.aside, scored.aside
    fit = fit_joint_weights(_count_patterns(scored, learn))
    joint = np.zeros(len(scored.scores))
    if fit is not None:
        told = {rules: sum(fit.log_odds.get(rule, 0.0) for rule in rules) for rules in set(scored.rules)}
        joint = np.array([told[rules] * fit.scale for rules in scored.rules])
    return Measured(
        leads=len(scored.won),
        won=int(scored.won.sum()),
        learn=int(learn.sum()),
        aside=int(aside.sum()),
        aside_won=int(scored.won[aside].sum()),
        points=judge(scored.scores, scored.won, learn, aside),
        joint=judge(joint, scored.won, learn, aside),
        fit=fit,
        given={rule.name: rule.points for rule in playbook.scoring.fit}
        | {rule.name: rule.points for rule in playbook.scoring.engagement},
    )


def judge(scores: Floats, won: Flags, learn: Flags, aside: Flags) -> Judged:
    """Scores as those of ``aside`` judge them; what points stand for is a curve that ``learn`` teaches."""
    auc = compute_auc(scores[aside], won[aside])
    curve = fit_curve(scores[learn], won[learn]) if learn.any() else None
    if curve is None:
        return Judged(auc, None, [])
    groups = group_by_score(scores[aside], curve.compute_chances(scores[aside]), won[aside])
    return Judged(auc, compute_calibration_error(groups), groups)


def _count_patterns(scored: ScoredLeads, which: Flags) -> list[Pattern]:
    counts: dict[frozenset[str], list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for place in np.flatnonzero(which).tolist():
        counted = counts[scored.rules[place]]
        counted[0 if scored.won[place] else 1] += 1
        counted[2] += float(scored.scores[place])
    return [Pattern(rules, int(won), int(lost), points) for rules, (won, lost, points) in counts.items()]


def score_decided(ledger: Ledger, playbook: Playbook, now: datetime) -> ScoredLeads:
    """Every lead whose outcome is known, scored by ``playbook`` as of then."""
    rules = playbook.follow_up
    scores: list[Floats] = []
    met: list[frozenset[str]] = []
    known: dict[str, frozenset[str]] = {}
    with ledger.snapshot() as connection:
        decided = decided_leads.read_decided(connection, rules.outcomes, rules.lost_outcomes)
        for start in range(0, len(decided), _AT_A_TIME):
            part = decided.iloc[start : start + _AT_A_TIME]
            ids = [int(lead) for lead in part["lead_id"]]
            values = decided_leads.read_values(connection, ids)
            frame = part.merge(values, on="lead_id", how="left").astype(object)
            frame = leads.expand_custom(frame, {name: each.type for name, each in playbook.fields.items()})
            done = _shift(decided_leads.read_activities(connection, ids), part, now)
            found = score(frame, playbook, done, now)
            scores.append(found["score"].to_numpy(dtype=np.float64))
            met += [_read_rules(text, known) for text in found["contributions"]]
    numbers = decided["lead_id"].tolist() if len(decided) else []
    return ScoredLeads(
        numbers,
        np.concatenate(scores) if scores else np.empty(0),
        met,
        np.array(decided["won"].tolist(), dtype=bool),
        is_kept_aside(numbers),
    )


def is_kept_aside(lead_ids: Sequence[int]) -> Flags:
    """Which leads are kept aside, by their numbers alone."""
    return np.array([zlib.crc32(str(lead).encode()) < ASIDE * 2**32 for lead in lead_ids], dtype=bool)


def _read_rules(contributions: str, known: dict[str, frozenset[str]]) -> frozenset[str]:
    if (found := known.get(contributions)) is None:
        names = orjson.loads(contributions)
        found = known[contributions] = frozenset(name for name in names if not name.startswith("cap of "))
    return found


def _shift(activities: pd.DataFrame, decided: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The activities up to the moment of each lead, moved so that all of these moments are ``now``: what came later is
    no reason of a score, and what had aged by then has aged as much."""
    of = decided[["lead_id", "journey_id", "as_of"]]
    found = activities.merge(of, on="lead_id")
    if found.empty:
        return pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})
    at, until = (pd.to_datetime(found[name], utc=True) for name in ("occurred_at", "as_of"))
    found["occurred_at"] = at + (pd.Timestamp(now) - until)
    return found.loc[at <= until, ["journey_id", "kind", "occurred_at"]]
