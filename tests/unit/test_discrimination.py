"""How well scores tell won from lost: the AUC against its definition, and chances against what became of leads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.learning.discrimination import (
    GROUPS,
    compute_auc,
    compute_calibration_error,
    fit_curve,
    group_by_score,
)

_LEADS = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=40)


def arrays(leads: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in leads], dtype=float), np.array([won for _, won in leads], dtype=bool)


@given(_LEADS)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(leads: list[tuple[int, bool]]) -> None:
    scores, won = arrays(leads)
    pairs = [(a > b) + (a == b) / 2 for a in scores[won] for b in scores[~won]]
    found = compute_auc(scores, won)
    if found is None:
        assert pairs == []
        return
    assert found.value == pytest.approx(np.mean(pairs))
    assert 0 <= found.interval.low <= found.value <= found.interval.high <= 1
    turned = compute_auc(-scores, won)
    assert turned is not None
    assert turned.value == pytest.approx(1 - found.value)


def test_the_interval_of_the_auc_is_that_of_de_long_by_its_definition() -> None:
    scores, won = arrays([(1, True), (3, True), (4, True), (2, False), (3, False), (0, False), (1, False)])
    right = np.array([[(a > b) + (a == b) / 2 for b in scores[~won]] for a in scores[won]])
    variance = right.mean(axis=1).var(ddof=1) / 3 + right.mean(axis=0).var(ddof=1) / 4
    found = compute_auc(scores, won)
    assert found is not None
    assert found.value - found.interval.low == pytest.approx(1.959964 * variance**0.5)


def test_chances_are_those_of_leads_with_as_many_points() -> None:
    """Of two scores a logistic curve can be right about both."""
    scores = np.repeat([0.0, 10.0], 100)
    won = np.tile(np.arange(100) < 20, 2) | (np.arange(200) >= 140)
    curve = fit_curve(scores, won)
    assert curve is not None
    assert curve.compute_chances(np.array([0.0, 10.0])) == pytest.approx([won[:100].mean(), won[100:].mean()], abs=1e-3)
    groups = group_by_score(scores, curve.compute_chances(scores), won)
    assert [(group.lowest, group.highest, group.share.of) for group in groups] == [(0, 0, 100), (10, 10, 100)]
    assert compute_calibration_error(groups) == pytest.approx(0, abs=1e-3)


def test_the_error_is_how_far_chances_are_off_on_average() -> None:
    scores, won = np.repeat([0.0, 10.0], [30, 10]), np.array([True] * 15 + [False] * 15 + [True] * 10)
    groups = group_by_score(scores, np.repeat([0.3, 0.9], [30, 10]), won)
    assert compute_calibration_error(groups) == pytest.approx((0.2 * 30 + 0.1 * 10) / 40)


@pytest.mark.parametrize("won", [[True, True], [False, False]])
def test_without_both_outcomes_there_is_no_measure(won: list[bool]) -> None:
    assert compute_auc(np.array([1.0, 2.0]), np.array(won)) is None
    assert fit_curve(np.array([1.0, 2.0]), np.array(won)) is None
    assert compute_calibration_error([]) is None


def test_points_that_part_won_and_lost_perfectly_have_chances_all_the_same() -> None:
    scores, won = np.arange(20.0), np.arange(20) >= 10
    curve = fit_curve(scores, won)
    assert curve is not None
    chances = curve.compute_chances(scores)
    assert chances[9] < 0.5 < chances[10]
    assert np.isfinite(chances).all()


@given(_LEADS)
def test_every_lead_is_in_one_group_and_leads_with_equal_points_in_the_same(leads: list[tuple[int, bool]]) -> None:
    scores, won = arrays(leads)
    groups = group_by_score(scores, np.full(len(scores), 0.5), won)
    assert sum(group.share.of for group in groups) == len(leads)
    assert sum(group.share.count for group in groups) == won.sum()
    assert len(groups) <= GROUPS
    assert all(before.highest < after.lowest for before, after in itertools.pairwise(groups))
