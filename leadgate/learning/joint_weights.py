"""Joint weights: what each scoring rule tells of winning while all the other rules are held fixed.

Belongs here: the fit over the patterns of rules that gave points, and its weights in points. Does not belong here:
counting the patterns (``ledger.figures``), or how well scores tell won from lost (``discrimination``).

The lift of a rule compares the leads that it met with the others, which differ in the other rules, too: of two rules
that meet the same leads, each has the effect of both. A logistic regression over all rules at once parts them. It is
right also where only leads with enough points were followed up: it holds the rules fixed by which these were chosen.

Weights are penalised by the log-F(1,1) prior of S. Greenland and M. A. Mansournia, "Penalization, bias reduction, and
default priors in logistic and related categorical and survival regressions", Statistics in Medicine 34 (2015): half a
won and half a lost lead are added that met this rule alone. So a weight is finite where a rule parts won and lost leads
perfectly, and two rules that meet the same leads share their effect. Intervals are Wald's, from the curvature of the
penalised likelihood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from leadgate.figures import Interval

#: So many leads must be won, and so many lost, of those that a rule met and of the others; else there are too few.
LEAST: Final = 10
_Z: Final = 1.959963984540054  # of the normal distribution: 95 % are within so many deviations
_PRIOR: Final = 1.0  # leads that are added for each rule, half of them won
_MOST_STEPS: Final = 100
_CLOSE: Final = 1e-9

Floats = npt.NDArray[np.float64]


class Pattern(NamedTuple):
    """Decided leads that the same rules met: how many were won and lost, and the points of all of them together."""

    rules: frozenset[str]
    won: int
    lost: int
    points: float


@dataclass(frozen=True)
class JointWeight:
    """Of a rule that met ``leads`` decided leads. The weight is in points on the playbook's scale, with its interval;
    both are None where there are too few leads to tell."""

    rule: str
    leads: int
    points: float | None
    interval: Interval | None


@dataclass(frozen=True)
class JointFit:
    """``log_odds`` of each rule and the ``intercept``; ``scale``: points for a unit of log odds."""

    leads: int
    intercept: float
    log_odds: dict[str, float]
    scale: float
    weights: list[JointWeight]


def fit_joint_weights(patterns: Iterable[Pattern], least: int = LEAST) -> JointFit | None:
    """The fit over all rules that the ``patterns`` name. Weights of fewer leads than ``least`` are not told.

    On the playbook's scale the points of leads vary as much as they do now: the standard deviation is the same. None
    where all leads were won, or all lost, or no rule met any.
    """
    counted = _add_up(patterns)
    rules = sorted({rule for pattern in counted for rule in pattern.rules})
    won = np.array([pattern.won for pattern in counted], dtype=np.float64)
    lost = np.array([pattern.lost for pattern in counted], dtype=np.float64)
    if not rules or won.sum() == 0 or lost.sum() == 0:
        return None
    hits = np.array([[rule in pattern.rules for rule in rules] for pattern in counted], dtype=np.float64)
    coefficients, deviations = _maximise(hits, won, won + lost)
    points = np.array([pattern.points for pattern in counted]) / (won + lost)
    scale = _find_scale(hits @ coefficients[1:], points, won + lost)
    weights = []
    for place, rule in enumerate(rules):
        met = hits[:, place] > 0
        groups = (won[met].sum(), lost[met].sum(), won[~met].sum(), lost[~met].sum())
        log_odds, reach = float(coefficients[place + 1]), _Z * float(deviations[place + 1])
        enough = min(groups) >= least
        weights.append(
            JointWeight(
                rule,
                int(groups[0] + groups[1]),
                log_odds * scale if enough else None,
                Interval((log_odds - reach) * scale, (log_odds + reach) * scale) if enough else None,
            )
        )
    log_odds_of = dict(zip(rules, coefficients[1:].tolist(), strict=True))
    return JointFit(int((won + lost).sum()), float(coefficients[0]), log_odds_of, scale, weights)


def _add_up(patterns: Iterable[Pattern]) -> Sequence[Pattern]:
    """One pattern for each set of rules: the time of a step grows with their number, not with that of the leads."""
    together: dict[frozenset[str], Pattern] = {}
    for pattern in patterns:
        rules, won, lost, points = together.get(pattern.rules, Pattern(pattern.rules, 0, 0, 0.0))
        together[rules] = Pattern(rules, won + pattern.won, lost + pattern.lost, points + pattern.points)
    return [pattern for pattern in together.values() if pattern.won + pattern.lost]


def _maximise(hits: Floats, won: Floats, decided: Floats) -> tuple[Floats, Floats]:
    """The coefficients, the intercept first, and their standard deviations: by Newton's method, with halved steps."""
    design = np.column_stack([np.ones(len(hits)), hits])
    coefficients = np.zeros(design.shape[1])
    share = won.sum() / decided.sum()
    coefficients[0] = np.log(share / (1 - share))
    best = _compute_likelihood(design, won, decided, coefficients)
    information = np.eye(design.shape[1])
    for _ in range(_MOST_STEPS):
        chance, prior = _logistic(design @ coefficients), _logistic(coefficients)
        gradient = design.T @ (won - decided * chance)
        gradient[1:] += _PRIOR * (0.5 - prior[1:])
        information = design.T @ (design * (decided * chance * (1 - chance))[:, None])
        information[np.arange(1, len(prior)), np.arange(1, len(prior))] += _PRIOR * (prior * (1 - prior))[1:]
        step = np.linalg.solve(information, gradient)
        gain = float(gradient @ step)
        if gain < _CLOSE:
            break
        while (found := _compute_likelihood(design, won, decided, coefficients + step)) < best and gain > _CLOSE:
            step, gain = step / 2, gain / 2
        coefficients, best = coefficients + step, found
    return coefficients, np.sqrt(np.diag(np.linalg.inv(information)))


def _compute_likelihood(design: Floats, won: Floats, decided: Floats, coefficients: Floats) -> float:
    """The penalised log likelihood."""
    told = design @ coefficients
    penalty = _PRIOR * (0.5 * coefficients[1:] - np.logaddexp(0, coefficients[1:]))
    return float(won @ told - decided @ np.logaddexp(0, told) + penalty.sum())


def _logistic(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))


def _find_scale(log_odds: Floats, points: Floats, decided: Floats) -> float:
    """Points for a unit of log odds; ten points double the odds where the points now do not vary."""
    told, given = _compute_deviation(log_odds, decided), _compute_deviation(points, decided)
    return given / told if told > _CLOSE and given > _CLOSE else 10 / float(np.log(2))


def _compute_deviation(values: Floats, counts: Floats) -> float:
    mean = np.average(values, weights=counts)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
