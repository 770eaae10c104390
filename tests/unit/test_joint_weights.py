"""Joint weights of rules: what each tells while the others are held fixed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.learning.joint_weights import LEAST, Pattern, fit_joint_weights


def pattern(rules: str, won: int, lost: int, points: float = 0.0) -> Pattern:
    return Pattern(frozenset(rules), won, lost, points * (won + lost))


def weights(*patterns: Pattern) -> dict[str, tuple[float | None, float | None, float | None]]:
    found = fit_joint_weights(patterns)
    assert found is not None
    return {w.rule: (w.points, *(w.interval or (None, None))) for w in found.weights}


def test_a_rule_that_only_goes_with_another_gets_nothing_of_its_effect() -> None:
    """``b`` meets mostly leads that ``a`` met: its lift says 2.2, though with ``a`` fixed it changes nothing."""
    found = weights(
        pattern("ab", 320, 80, 20), pattern("a", 80, 20, 10), pattern("b", 20, 80, 10), pattern("", 80, 320, 0)
    )
    a, b = found["a"], found["b"]
    assert (a[1] or 0) > 0
    assert abs(b[0] or 99) < 0.1 * (a[0] or 0)
    assert (b[1] or 0) < 0 < (b[2] or 0)


def test_one_rule_is_the_log_of_the_odds_ratio_with_its_textbook_interval() -> None:
    """Woolf's interval of a table of two by two; the prior of half a lead shows in neither."""
    found = fit_joint_weights([pattern("a", 4000, 2000, 10), pattern("", 3000, 6000, 0)])
    assert found is not None
    odds, deviation = math.log(4.0), math.sqrt(1 / 4000 + 1 / 2000 + 1 / 3000 + 1 / 6000)
    assert found.log_odds["a"] == pytest.approx(odds, abs=1e-3)
    assert found.intercept == pytest.approx(math.log(0.5), abs=1e-3)
    (weight,) = found.weights
    assert weight.points == pytest.approx(10, abs=1e-6)  # the points vary as much as they do now
    assert weight.interval is not None
    assert weight.interval.high - weight.interval.low == pytest.approx(2 * 1.96 * deviation * 10 / odds, rel=1e-2)


def test_a_rule_that_parts_won_and_lost_perfectly_has_a_finite_weight_and_is_called_too_few() -> None:
    found = fit_joint_weights([pattern("a", 50, 0, 10), pattern("", 20, 60, 0)])
    assert found is not None
    assert 0 < found.log_odds["a"] < 20
    assert [(w.points, w.interval, w.leads) for w in found.weights] == [(None, None, 50)]


def test_rules_that_always_meet_the_same_leads_share_their_effect() -> None:
    found = fit_joint_weights([pattern("ab", 300, 100, 20), pattern("", 100, 300, 0)])
    assert found is not None
    assert found.log_odds["a"] == pytest.approx(found.log_odds["b"])
    assert found.log_odds["a"] + found.log_odds["b"] == pytest.approx(math.log(9), rel=0.02)


@pytest.mark.parametrize("few", [LEAST - 1, LEAST])
def test_below_the_stated_bound_there_are_too_few(few: int) -> None:
    found = weights(pattern("a", 50, few, 10), pattern("", 50, 50, 0))
    assert (found["a"][0] is None) is (few < LEAST)


@pytest.mark.parametrize(
    "patterns", [[], [pattern("a", 5, 0)], [pattern("a", 0, 5), pattern("", 0, 5)], [pattern("", 5, 5)]]
)
def test_without_both_outcomes_or_a_rule_there_is_no_fit(patterns: list[Pattern]) -> None:
    assert fit_joint_weights(patterns) is None


_PATTERNS = st.lists(
    st.tuples(st.frozensets(st.sampled_from("abcde")), st.integers(0, 400), st.integers(0, 400), st.integers(-50, 50)),
    min_size=1,
    max_size=12,
)


@given(_PATTERNS)
def test_the_slope_of_the_likelihood_is_zero_at_the_fit(rows: list[tuple[frozenset[str], int, int, int]]) -> None:
    """So it is the maximum, as the penalised likelihood is concave."""
    patterns = [Pattern(rules, won, lost, float(points)) for rules, won, lost, points in rows]
    found = fit_joint_weights(patterns)
    if found is None:
        return
    assert found.leads == sum(p.won + p.lost for p in patterns)
    slopes = dict.fromkeys(["", *found.log_odds], 0.0)
    for each in patterns:
        told = found.intercept + sum(found.log_odds[rule] for rule in each.rules if rule in found.log_odds)
        rest = each.won - (each.won + each.lost) / (1 + math.exp(-told))
        slopes[""] += rest
        for rule in each.rules & found.log_odds.keys():
            slopes[rule] += rest
    for rule, log_odds in found.log_odds.items():
        slopes[rule] += 0.5 - 1 / (1 + math.exp(-log_odds))
    assert np.allclose(list(slopes.values()), 0, atol=1e-2)
