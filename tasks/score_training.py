"""Learning a score from the ledger's leads, and keeping it with how good it is.

Belongs here: gathering the leads, and the form in which a score and its measures are kept. Does not belong here:
learning (``leadgate.learning.training``), the schedule (``tasks.score_training_task``), or tables for people
(``console.cli.score``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from leadgate.learning.indicators import Value
from leadgate.learning.quality import Comparison, Measure, Quality
from leadgate.learning.training import Period, TooFewError, Trained, train
from leadgate.ledger import Ledger, decision_inputs, score_models
from leadgate.ledger.score_models import KeptModel, NewModel
from leadgate.ledger.score_samples import SampleCounts, ValuesThen, count_leads, read_samples
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.playbook.learned import Learned
from leadgate.vocabulary import JourneyKind, StageName
from tasks.decision_inputs import decode
from tasks.learned_scores import NotLearnedError, read_fields, require_learned
from tasks.score_roles import follow_newest


@dataclass(frozen=True)
class TrainedModel:
    """The score that was learned; ``is_new`` unless the same leads had taught it before."""

    model: KeptModel
    is_new: bool


def train_score(
    ledger: Ledger, loaded: LoadedPlaybook, *, by: str, now: datetime, history: bool = False
) -> TrainedModel:
    """Learn a score from the leads whose time is up, and keep it.

    ``history`` takes leads whose outcome was known before they were scored (``score_samples.read_samples``). Raises
    ``NotLearnedError`` where the playbook asks for no score, or there is not enough to learn from.
    """
    learned = require_learned(loaded.playbook)
    won = list_winning_outcomes(loaded.playbook)
    with ledger.snapshot() as connection:
        samples = read_samples(
            connection,
            label=learned.label,
            outcomes=won,
            horizon=learned.horizon,
            history=history,
            now=now,
            values=read_values_then(connection, learned.fields) if learned.fields else None,
        )
        counts = count_leads(connection, horizon=learned.horizon, history=history, now=now)
    points = list_rule_points(loaded.playbook)
    try:
        trained = train(samples, points)
    except TooFewError as error:
        raise NotLearnedError(f"No score was learned: {error}. The rules alone decide.") from error
    model = NewModel(
        trained_at=now,
        by=by,
        playbook_hash=loaded.hash,
        data_hash=_compute_hash(trained, points, learned, won),
        label=learned.label,
        horizon=learned.horizon,
        counts=_describe_counts(counts, samples=len(samples), won=sum(1 for each in samples if each.won)),
        periods={
            name: _describe_period(period)
            for name, period in (
                ("taught", trained.taught), ("calibrated", trained.calibrated), ("judged", trained.judged),
            )
        },
        quality=_describe_comparison(trained.comparison) | {"boosting_gain": list(trained.boosting_gain)},
        parameters=trained.score.dump(),
    )  # fmt: skip
    with ledger.transaction() as connection:
        number, is_new = score_models.insert_model(connection, model)
        kept = score_models.find_model(connection, number)
        if is_new and kept is not None:
            follow_newest(connection, kept)
    assert kept is not None  # noqa: S101 - it was just kept, and no model is ever deleted
    return TrainedModel(kept, is_new)


def is_training_due(ledger: Ledger, playbook: Playbook, now: datetime) -> bool:
    """Whether the playbook asks for a score, and the newest one is older than it says."""
    if playbook.learned is None:
        return False
    with ledger.statement() as connection:
        newest = score_models.find_model(connection)
    return newest is None or newest.trained_at + playbook.learned.train_every <= now


def list_winning_outcomes(playbook: Playbook) -> list[str]:
    """The outcomes of the playbook with which a lead is won."""
    rules = playbook.follow_up
    return [kind for kind in rules.outcomes if kind not in rules.lost_outcomes]


def list_rule_points(playbook: Playbook) -> dict[str, int]:
    """The points of each scoring rule."""
    scoring = playbook.scoring
    fit = {rule.name: rule.points for rule in scoring.fit}
    return fit | {rule.name: rule.points for rule in scoring.engagement}


def describe_trained(trained: TrainedModel) -> str:
    """One sentence for the log of a run."""
    model = trained.model
    learned, rules = model.quality["learned"]["auc"][0], model.quality["rules"]["auc"][0]
    so = "better" if model.quality["is_better"] else "not shown to be better"
    again = "" if trained.is_new else ", which the same leads had taught before"
    return (
        f"Score {model.id} ({model.parameters['kind']}{again}), learned from {model.counts['leads']:,} leads: on the "
        f"latest of them its AUC is {learned:.3f}, that of the rules' points {rules:.3f}; {so}"
    )


def read_values_then(connection: Connection, fields: Sequence[str], since: datetime | None = None) -> ValuesThen:
    """What the ``fields`` of each journey said whenever it was scored (``since`` then), from what qualification decided
    from."""
    values: dict[tuple[int, datetime], Mapping[str, Value]] = {}
    for row in decision_inputs.list_since(connection, JourneyKind.LEAD, since):
        if row.stage is StageName.QUALIFICATION:
            frame = decode(row.content).frame
            for journey, then in zip(frame["journey_id"].tolist(), read_fields(frame, fields), strict=True):
                values[int(journey), row.at] = then
    return values


def _compute_hash(trained: Trained, points: dict[str, int], learned: Learned, won: list[str]) -> str:
    content = [trained.data_hash, points, learned.label, learned.horizon.total_seconds(), won, list(learned.fields)]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _describe_counts(counts: SampleCounts, *, samples: int, won: int) -> dict[str, int]:
    return {**asdict(counts), "leads": samples, "won": won}


def _describe_period(period: Period) -> dict[str, Any]:
    return {
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "leads": period.leads,
        "won": period.won,
    }


def _describe_comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "learned": _describe_quality(comparison.learned),
        "rules": _describe_quality(comparison.rules),
        "auc_gain": describe_measure(comparison.auc_gain),
        "brier_gain": describe_measure(comparison.brier_gain),
        "is_better": comparison.is_better,
    }


def _describe_quality(quality: Quality) -> dict[str, Any]:
    return {
        "auc": describe_measure(quality.auc),
        "brier": describe_measure(quality.brier),
        "calibration_error": describe_measure(quality.calibration_error),
        "top_lift": describe_measure(quality.top_lift),
        "reliability": [
            {
                "lowest": each.lowest, "highest": each.highest, "chance": each.chance, "won": each.share.count,
                "leads": each.share.of,
            }
            for each in quality.groups
        ],
    }  # fmt: skip


def describe_measure(measure: Measure) -> list[float]:
    """The figure, and the ends of its interval."""
    return [measure.value, *measure.interval]
