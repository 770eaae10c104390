"""The arithmetic of a report: the funnel adds up, intervals hold their shares, bands leave no gap, turns are fair."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment.rotation import PoolState, Rotation
from leadgate.figures import (
    FIRST_TOUCHES,
    OUTCOMES,
    STEPS,
    Due,
    Share,
    build_bands,
    build_steps,
    build_tens,
    compute_difference,
    compute_dues,
    compute_kept_share,
    compute_wilson,
    compute_won_share,
    find_band,
    find_largest_deviation,
    lift,
)
from leadgate.playbook import Band as Review
from leadgate.playbook import Qualification
from leadgate.vocabulary import STATUSES

shares = st.integers(1, 5000).flatmap(lambda of: st.builds(Share, st.integers(0, of), st.just(of)))
cells = st.lists(
    st.fixed_dictionaries(
        {"reached": st.integers(0, len(STEPS) - 1), "status": st.sampled_from(STATUSES), "n": st.integers(1, 10_000)}
    ),
    max_size=40,
)


# --- Shares -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_that_were_published(count: int, of: int, low: float, high: float) -> None:
    assert compute_wilson(count, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # R. G. Newcombe, "Interval estimation for the difference …" (1998), table II, method 10
        (Share(56, 70), Share(48, 80), 0.0524, 0.3339),
        (Share(9, 10), Share(3, 10), 0.1705, 0.8090),
        (Share(10, 10), Share(0, 10), 0.6075, 1.0000),
    ],
)
def test_differences_are_those_that_were_published(first: Share, second: Share, low: float, high: float) -> None:
    assert compute_difference(first, second) == pytest.approx((low, high), abs=5e-5)


@given(shares)
def test_an_interval_is_inside_0_and_1_and_holds_its_share(share: Share) -> None:
    low, high = compute_wilson(share.count, share.of)
    assert share.value is not None
    assert 0 <= low <= share.value <= high <= 1
    assert low < high


@given(shares)
def test_more_leads_of_the_same_share_narrow_it(share: Share) -> None:
    few, many = compute_wilson(share.count, share.of), compute_wilson(share.count * 10, share.of * 10)
    assert many.high - many.low < few.high - few.low


@given(shares, shares)
def test_a_difference_holds_the_difference_and_turns_round(first: Share, second: Share) -> None:
    there, back = compute_difference(first, second), compute_difference(second, first)
    assert there is not None
    assert back is not None
    apart = first.count / first.of - second.count / second.of
    assert -1 <= there.low <= apart + 1e-12
    assert apart - 1e-12 <= there.high <= 1
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


@given(st.fixed_dictionaries({name: st.integers(0, 10_000) for name in (*OUTCOMES, *FIRST_TOUCHES)}))
def test_a_share_is_of_what_is_decided_or_due(counts: dict[str, int]) -> None:
    for share, done, not_done in (
        (compute_won_share(counts), "won", "lost"),
        (compute_kept_share(counts), "kept", "missed"),
    ):
        assert (share.count, share.of - share.count) == (counts[done], counts[not_done])
        assert share.value is None if share.of == 0 else 0 <= (share.value or 0) <= 1


@given(st.fixed_dictionaries({name: st.integers(0, 10_000) for name in FIRST_TOUCHES}), st.integers(1, 100))
def test_what_becomes_due_and_is_not_done_lowers_the_share(counts: dict[str, int], late: int) -> None:
    before, after = (
        compute_kept_share(counts).value,
        compute_kept_share(counts | {"missed": counts["missed"] + late}).value,
    )
    assert after is not None
    assert before is None or after <= before


def test_nothing_has_no_share() -> None:
    nothing = Share(0, 0)
    assert (nothing.value, nothing.interval) == (None, None)
    assert compute_difference(nothing, Share(1, 2)) is None
    assert lift(Share(1, 2), nothing) is None
    assert lift(Share(1, 2), Share(0, 2)) is None
    assert lift(Share(3, 4), Share(1, 4)) == 3


# --- The funnel -------------------------------------------------------------------------------------------


@given(cells)
def test_every_step_adds_up_to_the_one_before(journeys: list[dict[str, int]]) -> None:
    found = build_steps((cell["reached"], str(cell["status"]), cell["n"]) for cell in journeys)
    assert [step.name for step in found] == list(STEPS)
    assert found[0].reached == sum(cell["n"] for cell in journeys)
    for step, following in itertools.pairwise(found):
        assert step.on == following.reached
        assert step.reached == step.on + sum(step.stopped.values())
    assert found[-1].on == 0
    assert sum(sum(step.stopped.values()) for step in found) == found[0].reached


def test_a_funnel_by_hand() -> None:
    found = build_steps(
        [
            (0, "held", 2),
            (1, "joined", 3),
            (6, "done", 4),
            (5, "owned", 1),
        ]
    )
    assert [step.reached for step in found] == [10, 8, 5, 5, 5, 5, 4]
    assert found[1].stopped == {"joined": 3}


# --- Bands ------------------------------------------------------------------------------------------------

thresholds = st.tuples(st.integers(-50, 200), st.integers(-50, 200))


@given(thresholds, st.none() | thresholds.map(sorted), st.integers(-1000, 1000))
def test_every_score_is_in_one_band(limits: tuple[int, int], review: list[int] | None, score: int) -> None:
    among = build_bands(
        Qualification(
            marketing_qualified=limits[0],
            sales_qualified=limits[1],
            review=None if review is None or review[0] == review[1] else Review(lowest=review[0], below=review[1]),
        )
    )
    assert [band.has_score(score) for band in among].count(True) == 1
    assert find_band(score, among).has_score(score)
    assert len({band.name for band in among}) == len(among)


@given(st.lists(st.integers(-300, 300)))
def test_tens_hold_every_score_once(scores: list[int]) -> None:
    among = build_tens(scores)
    assert all([band.has_score(score) for band in among].count(True) == 1 for score in scores)
    assert all(before.below == after.lowest for before, after in itertools.pairwise(among))


def test_bands_say_what_they_are() -> None:
    rules = Qualification(marketing_qualified=35, sales_qualified=55, review=Review(lowest=28, below=35))
    assert [(band.name, band.words) for band in build_bands(rules)] == [
        ("below 28", "nurture"),
        ("28 to 34", "reviewed by a person"),
        ("35 to 54", "marketing-qualified"),
        ("55 and more", "sales-qualified"),
    ]
    with pytest.raises(LookupError, match="no band holds a score of 7"):
        find_band(7, build_tens([20]))


# --- Fair shares ------------------------------------------------------------------------------------------

reps = st.sampled_from(["ana", "bob", "cyn", "dan"])


@given(st.dictionaries(reps, st.integers(0, 500)), st.dictionaries(reps, st.integers(1, 9), min_size=1))
def test_deviations_cancel_out(turns: dict[str, int], weights: dict[str, int]) -> None:
    dues = compute_dues(turns, weights)
    assert dues.keys() == turns.keys() | weights.keys()
    assert sum(due.turns for due in dues.values()) == sum(turns.values())
    assert sum(due.deviation for due in dues.values()) == pytest.approx(0, abs=1e-6)


@settings(max_examples=tried(40))
@given(st.dictionaries(reps, st.integers(1, 9), min_size=1), st.integers(0, 60))
def test_turns_as_they_are_taken_are_less_than_a_lead_off(weights: dict[str, int], turns: int) -> None:
    rotation = Rotation(PoolState())
    rotation.seat(weights)
    for _ in range(turns):
        rep = rotation.find_next_in_turn()
        assert rep is not None
        rotation.take(rep)
    state = rotation.state()
    assert find_largest_deviation(compute_dues(state.turns, state.weights).values()) < 1


def test_a_share_by_hand() -> None:
    assert compute_dues({"ana": 6, "bob": 2, "eve": 1}, {"ana": 2, "bob": 1}) == {
        "ana": Due(6, 6.0),
        "bob": Due(2, 3.0),
        "eve": Due(1, 0.0),
    }
    assert find_largest_deviation([]) == 0
