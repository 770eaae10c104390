"""How much a consumer claims: it follows what a batch may take, within bounds, whatever the batches were."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.pace import LEAST, TARGET, Pace


def test_a_quick_full_batch_lets_it_claim_more_and_a_slow_one_less() -> None:
    pace = Pace(20_000, 500)
    assert pace.after(500, 0.5).limit == 1000
    assert pace.after(500, 8.0).limit == 250
    assert pace.after(500, TARGET).limit == 500


def test_a_batch_that_was_not_full_says_nothing_unless_it_took_too_long() -> None:
    pace = Pace(20_000, 500)
    assert pace.after(3, 0.4) == pace
    assert pace.after(400, 5.0).limit == 250


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20_000),
    st.lists(st.tuples(st.integers(1, 20_000), st.floats(0, 100)), max_size=30),
)
def test_it_stays_within_its_bounds(most: int, batches: list[tuple[int, float]]) -> None:
    pace = Pace(most, min(500, most))
    for size, seconds in batches:
        following = pace.after(min(size, pace.limit), seconds)
        assert min(LEAST, most) <= following.limit <= most
        assert following.limit <= 2 * pace.limit
        pace = following
