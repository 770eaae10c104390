"""A learned score that has drifted goes back to being a shadow, and somebody is asked.

Belongs here: the check of the score in force, and what follows. Does not belong here: its measures
(``leadgate.learning.drift``), or its leads (``ledger.score_samples``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from leadgate.learning.drift import LEAST_RECENT, Drift, measure_drift
from leadgate.learning.indicators import build_matrix
from leadgate.learning.scorer import load
from leadgate.ledger import Ledger, score_models, work_items
from leadgate.ledger.score_models import KeptModel, RoleGiven
from leadgate.ledger.score_samples import ScoredThen, read_samples_since, read_scored
from leadgate.playbook import Playbook
from leadgate.vocabulary import LearnedRole, StageName
from tasks.learned_scores import NotLearnedError, require_learned
from tasks.score_roles import DRIFT_PROMISE, SCORE_DRIFTED
from tasks.score_training import list_winning_outcomes, read_values_then
from tasks.work_items import build_work_item

#: Whom the history names when a score goes back by itself.
BY: Final = "leadgate"
_RECENT: Final = timedelta(days=7)


@dataclass(frozen=True)
class CheckedScore:
    """The score in force, in the ``role`` that it had before the check; ``sent_back``: it is a shadow from now on."""

    number: int
    role: LearnedRole
    drift: Drift
    sent_back: bool


def check_score(ledger: Ledger, playbook: Playbook, now: datetime, *, only_look: bool = False) -> CheckedScore:
    """Measure whether the score in force has drifted. One that has, and advises or decides, becomes a shadow, with a
    work item; ``only_look`` changes nothing.

    Recent leads are those of the last week that were followed up, and at least the latest 200. Raises
    ``NotLearnedError`` where no score is in force.
    """
    require_learned(playbook)
    with ledger.snapshot() as connection:
        in_force = score_models.find_in_force(connection)
        model = None if in_force is None else score_models.find_model(connection, in_force.model_id)
        if in_force is None or model is None:
            raise NotLearnedError("No learned score is in force; `leadgate score train` learns one")
        scored = read_scored(
            connection, model.id, label=model.label, outcomes=list_winning_outcomes(playbook), horizon=model.horizon
        )
    drift = _measure(model, scored, now)
    back = bool(drift.problems) and in_force.role is not LearnedRole.SHADOW and not only_look
    if back:
        back = _send_back(ledger, playbook, model.id, "; ".join(drift.problems), now)
    return CheckedScore(model.id, in_force.role, drift, back)


def measure_since(connection: Connection, model: KeptModel, outcomes: Sequence[str], now: datetime) -> Drift:
    """Whether a score has drifted that may not have scored the latest leads: it scores them now, by what was recorded
    of each when it was decided about. Those that it was learned from or judged by are none of them."""
    score, since = load(model.parameters), datetime.fromisoformat(model.periods["judged"]["until"])
    samples = read_samples_since(
        connection,
        since,
        label=model.label,
        outcomes=outcomes,
        horizon=model.horizon,
        now=now,
        values=read_values_then(connection, score.fields, since) if score.fields else None,
    )
    samples.sort(key=lambda each: (each.decided_at, each.lead_id))
    chances = score.compute_chances(build_matrix([each.decision for each in samples], score.indicators))
    scored = [
        ScoredThen(chance, each.decided_at, each.won) for chance, each in zip(chances.tolist(), samples, strict=True)
    ]
    return _measure(model, scored, now)


def _measure(model: KeptModel, scored: Sequence[ScoredThen], now: datetime) -> Drift:
    of_week = sum(1 for each in scored if each.at > now - _RECENT)
    recent = scored[-max(of_week, LEAST_RECENT) :]
    ripe = [each for each in scored if each.at + model.horizon <= now]
    return measure_drift(
        model.quality["learned"]["reliability"],
        np.array([each.chance for each in recent], dtype=np.float64),
        np.array([each.chance for each in ripe], dtype=np.float64),
        np.array([each.won for each in ripe], dtype=bool),
    )


def _send_back(ledger: Ledger, playbook: Playbook, number: int, why: str, now: datetime) -> bool:
    """False where another score has come into force since, or this one is a shadow already."""
    with ledger.transaction() as connection:
        score_models.lock_roles(connection)
        in_force = score_models.find_in_force(connection)
        if in_force is None or in_force.model_id != number or in_force.role is LearnedRole.SHADOW:
            return False
        score_models.give_role(connection, RoleGiven(number, LearnedRole.SHADOW, f"it has drifted: {why}", BY, now))
        item = build_work_item(
            playbook,
            StageName.QUALIFICATION,
            now,
            reason=SCORE_DRIFTED,
            promise=DRIFT_PROMISE,
            message=(
                f"learned score {number} is a shadow again, and the rules go on alone: {why}. Learn another (`leadgate "
                "score train`), look at it, and promote it, or the same one"
            ),
        )
        work_items.open_work_items(connection, pd.DataFrame([item]))
    return True


def describe_check(checked: CheckedScore) -> str:
    """One sentence for the log of a run."""
    if not checked.drift.problems:
        return f"Score {checked.number} has not drifted as far as can be told"
    after = ": it is a shadow from now on" if checked.sent_back else ""
    return f"Score {checked.number} has drifted: {'; '.join(checked.drift.problems)}{after}"
