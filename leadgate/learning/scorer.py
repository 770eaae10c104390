"""A learned score: log-odds from indicators, what each contributes, and the chance that they stand for.

Belongs here: scoring with weights or trees that were learned, in numpy alone, and the form in which these are kept.
Does not belong here: learning them (``fitting``), or what a lead has (``indicators``).

The calibrated log-odds are ``curve.intercept + curve.slope · raw``, so contributions are scaled alike and still add up.
Of trees each split contributes what it moves the mean of the leaves below by, to the indicator that it asks for (A.
Saabas, "Interpreting random forests", 2014): these add up to the leaf's value exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from leadgate.learning.discrimination import Curve
from leadgate.learning.indicators import Decision, Floats, Indicator, build_matrix


@dataclass(frozen=True)
class Weights:
    """A logistic regression: a weight for each indicator."""

    intercept: float
    weights: tuple[float, ...]

    def contribute(self, matrix: Floats) -> tuple[float, Floats]:
        """What every lead begins with, and what each indicator adds to it, a row for each lead."""
        return self.intercept, matrix * np.array(self.weights)


@dataclass(frozen=True)
class Tree:
    """A tree by its nodes, the root first. A lead that has the node's ``indicator`` goes ``right``; of a leaf that is
    -1. ``values`` are log-odds: of a leaf what it adds, of a node above the mean over the leads that it was learned
    from."""

    indicators: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Trees:
    """Gradient boosting: the sum of many small trees."""

    intercept: float
    trees: tuple[Tree, ...]

    def contribute(self, matrix: Floats) -> tuple[float, Floats]:
        """What every lead begins with, and what each indicator adds to it, a row for each lead."""
        added = np.zeros_like(matrix)
        rows = np.arange(len(matrix))
        for tree in self.trees:
            asked, left, right = (np.array(part) for part in (tree.indicators, tree.left, tree.right))
            values = np.array(tree.values)
            node = np.zeros(len(matrix), dtype=np.int64)
            while (inner := asked[node] >= 0).any():
                at, where = node[inner], rows[inner]
                after = np.where(matrix[where, asked[at]] > 0, right[at], left[at])
                added[where, asked[at]] += values[after] - values[at]  # each row is there once
                node[inner] = after
        return self.intercept + sum(tree.values[0] for tree in self.trees), added


@dataclass(frozen=True)
class LearnedScore:
    """``of`` the ``indicators`` gives raw log-odds, which ``curve`` turns into those of a true chance."""

    indicators: tuple[Indicator, ...]
    of: Weights | Trees
    curve: Curve

    @property
    def kind(self) -> Literal["logistic", "boosting"]:
        return "logistic" if isinstance(self.of, Weights) else "boosting"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a lead that it reads."""
        return tuple(sorted({each.name for each in self.indicators if each.kind in ("equals", "range", "missing")}))

    def compute_log_odds(self, matrix: Floats) -> Floats:
        """Calibrated log-odds of each row of ``build_matrix``."""
        begin, added = self._contribute(matrix)
        summed: Floats = begin + added.sum(axis=1)
        return summed

    def compute_chances(self, matrix: Floats) -> Floats:
        """The chance of each row, between 0 and 1."""
        return compute_chances(self.compute_log_odds(matrix))

    def score(self, decisions: Sequence[Decision]) -> list[ScoredLead]:
        """The chance of each lead, with what it is made of."""
        matrix = build_matrix(decisions, self.indicators)
        begin, added = self._contribute(matrix)
        chances = compute_chances(begin + added.sum(axis=1)).tolist()
        words = [each.words for each in self.indicators]
        parts: list[dict[str, float]] = [{} for _ in decisions]
        rows, places = np.nonzero(added)
        for row, place, value in zip(rows.tolist(), places.tolist(), added[rows, places].tolist(), strict=True):
            of, name = parts[row], words[place]
            of[name] = of.get(name, 0.0) + value
        return [ScoredLead(chance, begin, of) for chance, of in zip(chances, parts, strict=True)]

    def _contribute(self, matrix: Floats) -> tuple[float, Floats]:
        begin, added = self.of.contribute(matrix)
        return self.curve.intercept + self.curve.slope * begin, self.curve.slope * added

    def dump(self) -> dict[str, Any]:
        """As JSON, from which ``load`` makes the same score."""
        return {
            "kind": self.kind,
            "indicators": [
                {name: value for name, value in asdict(each).items() if value is not None} for each in self.indicators
            ],
            "of": asdict(self.of),
            "curve": asdict(self.curve),
        }


@dataclass(frozen=True)
class ScoredLead:
    """A lead's ``chance``, and the log-odds that it is made of: ``begin``, which all leads have, and what each
    contribution adds."""

    chance: float
    begin: float
    contributions: dict[str, float]


def load(kept: Mapping[str, Any]) -> LearnedScore:
    """The score that ``LearnedScore.dump`` has kept. Raises ``ValueError`` for a kind that is not known here."""
    of = kept["of"]
    learned: Weights | Trees
    if kept["kind"] == "logistic":
        learned = Weights(of["intercept"], tuple(of["weights"]))
    elif kept["kind"] == "boosting":
        trees = (Tree(**{name: tuple(values) for name, values in each.items()}) for each in of["trees"])
        learned = Trees(of["intercept"], tuple(trees))
    else:
        raise ValueError(f"a learned score of the kind {kept['kind']!r} cannot be read by this version")
    return LearnedScore(tuple(Indicator(**each) for each in kept["indicators"]), learned, Curve(**kept["curve"]))


def compute_chances(log_odds: Floats) -> Floats:
    """The chance for log-odds."""
    chances: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
    return chances
