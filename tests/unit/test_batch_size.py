"""How much a consumer claims: it follows what a batch may take, within bounds, whatever the batches were."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from flows.runtime.batch_size import LEAST, TARGET, BatchSize


def test_a_quick_full_batch_lets_it_claim_more_and_a_slow_one_less() -> None:
    pace = BatchSize.from_limit(20_000)
    assert pace.adapt(1000, 0.5).limit == 2000
    assert pace.adapt(1000, 3.0).limit == 666
    assert pace.adapt(1000, TARGET) == pace


def test_a_batch_that_was_not_full_says_nothing_unless_it_took_too_long() -> None:
    pace = BatchSize.from_limit(20_000)
    assert pace.adapt(3, 0.4) == pace
    assert pace.adapt(900, 3.0).limit == 600


def test_on_a_busy_machine_it_does_not_dwindle() -> None:
    pace = BatchSize.from_limit(20_000)
    for _ in range(10):
        pace = pace.adapt(pace.limit, 30.0)
    assert pace.limit == LEAST


@settings(max_examples=tried(60))
@given(
    st.integers(1, 20_000),
    st.lists(st.tuples(st.integers(1, 20_000), st.floats(0, 100)), max_size=30),
)
def test_it_stays_within_its_bounds(most: int, batches: list[tuple[int, float]]) -> None:
    pace = BatchSize.from_limit(most)
    for size, seconds in batches:
        following = pace.adapt(min(size, pace.limit), seconds)
        assert min(LEAST, most) <= following.limit <= most
        assert following.limit <= 2 * pace.limit
        pace = following
