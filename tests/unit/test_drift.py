"""Drift of a learned score: how far leads are from those that judged, and whether chances are still true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.learning.drift import LEAST_RECENT, LEAST_RIPE, compute_shift, measure_drift

JUDGED = [{"lowest": group / 10, "leads": 100} for group in range(10)]
EVEN = np.linspace(0.001, 0.999, LEAST_RECENT)
NOTHING = np.empty(0)
NO_FLAG = np.empty(0, dtype=bool)


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=300))
def test_the_index_is_that_of_its_formula_and_never_negative(chances: list[float]) -> None:
    found = compute_shift(JUDGED, np.array(chances))
    edges = [each["lowest"] for each in JUDGED[1:]]
    shares = [
        (sum(1 for chance in chances if sum(chance >= edge for edge in edges) == group) + 0.5) / (len(chances) + 5)
        for group in range(10)
    ]
    assert found == pytest.approx(sum((share - 0.1) * np.log(share / 0.1) for share in shares))
    assert found >= 0


def test_leads_like_those_that_judged_have_not_drifted_and_others_have() -> None:
    same = measure_drift(JUDGED, EVEN, NOTHING, NO_FLAG)
    assert same.shift == pytest.approx(0, abs=0.001)
    assert same.problems == []
    other = measure_drift(JUDGED, EVEN / 2, NOTHING, NO_FLAG)
    assert "are others than those that judged it" in other.problems[0]
    assert measure_drift(JUDGED, EVEN[:-1] / 2, NOTHING, NO_FLAG).shift is None  # too few to tell


def test_chances_are_outside_when_they_are_so_by_interval_and_by_size() -> None:
    def measure(chance: float, won: int, leads: int) -> list[str]:
        flags = np.arange(leads) < won
        return measure_drift(JUDGED, NOTHING, np.full(leads, chance), flags).problems

    assert measure(0.5, 50, LEAST_RIPE) == []
    assert measure(0.5, 30, LEAST_RIPE) == [
        "of 100 leads whose time is up 30 % came to it, and their chances said 50 %"
    ]
    assert measure(0.5, 44, LEAST_RIPE) == []  # within the interval
    assert measure(0.5, 46_000, 100_000) == []  # outside of it, and only four points away
    assert measure(0.5, 20, LEAST_RIPE - 1) == []  # too few
