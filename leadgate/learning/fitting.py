"""Learning weights and trees by scikit-learn, in the form in which they are kept and used without it.

Belongs here: every import of scikit-learn, within the functions that use it: no lead and no command waits for it. Does
not belong here: which of them is used (``training``), or scoring (``scorer``).

One thread learns: leads go through the stages on the same cores, and threads that wait for one another on busy cores
take eight times as long for a thousand leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from leadgate.learning.discrimination import Flags
from leadgate.learning.indicators import Floats
from leadgate.learning.scorer import Tree, Trees, Weights

_ROUNDS: Final = 100
_RATE: Final = 0.1
_MOST_LEAVES: Final = 8
_LEAST_IN_LEAF: Final = 30
_MOST_STEPS: Final = 1_000


def fit_logistic(matrix: Floats, won: Flags, strength: float) -> Weights:
    """A logistic regression with an L2 penalty: the smaller ``strength``, the closer the weights are to zero."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = LogisticRegression(C=strength, max_iter=_MOST_STEPS, tol=1e-6).fit(matrix, won)
    return Weights(float(fitted.intercept_[0]), tuple(fitted.coef_[0].tolist()))


def fit_boosting(matrix: Floats, won: Flags, signs: Sequence[int]) -> Trees:
    """Gradient boosting by histograms. With the sign 1 having the indicator never lowers the score, with -1 it never
    raises it, with 0 it may do either."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    boosting = HistGradientBoostingClassifier(
        max_iter=_ROUNDS,
        learning_rate=_RATE,
        max_leaf_nodes=_MOST_LEAVES,
        min_samples_leaf=_LEAST_IN_LEAF,
        l2_regularization=1.0,
        monotonic_cst=list(signs),
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1):
        return convert_boosting(boosting.fit(matrix, won))


def convert_boosting(fitted: Any) -> Trees:
    """The trees of a fitted classifier. They are found where scikit-learn keeps them for itself: a test compares what
    they predict with what it predicts."""
    intercept = float(np.asarray(fitted._baseline_prediction).ravel()[0])
    return Trees(intercept, tuple(_convert_tree(each[0].nodes) for each in fitted._predictors))


def _convert_tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    counts = nodes["count"].astype(np.float64)
    values = nodes["value"].astype(np.float64)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    for node in reversed(np.flatnonzero(~leaf).tolist()):  # a node comes before those below it
        below = [left[node], right[node]]
        values[node] = float(values[below] @ counts[below]) / float(counts[below].sum())
    asked = np.where(leaf, -1, nodes["feature_idx"].astype(np.int64))
    return Tree(*(tuple(part.tolist()) for part in (asked, left, right, values)))
