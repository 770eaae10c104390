"""Fair turns: the bound that the design promises, and what a pool remembers."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment.rotation import MOST_OWED, PoolState, Rotation


def pool(*weights: int) -> dict[str, int]:
    return {f"rep{i}": weight for i, weight in enumerate(weights)}


def hand_out(rotation: Rotation, turns: int) -> list[str]:
    order = []
    for _ in range(turns):
        rep = rotation.find_next_in_turn()
        assert rep is not None
        rotation.take(rep)
        order.append(rep)
    return order


def seated(weights: dict[str, int], state: PoolState | None = None) -> Rotation:
    rotation = Rotation(state or PoolState())
    rotation.seat(weights)
    return rotation


weights = st.lists(st.integers(1, 20), min_size=1, max_size=14).map(lambda each: pool(*each))
carried = st.lists(st.integers(-MOST_OWED, MOST_OWED), min_size=14, max_size=14).map(
    lambda owed: {f"rep{i}": each for i, each in enumerate(owed)}
)


def furthest_from_share(weights: dict[str, int], order: list[str]) -> Fraction:
    everybody, had, furthest = sum(weights.values()), Counter[str](), Fraction(0)
    for t, rep in enumerate(order, start=1):
        had[rep] += 1
        for each, weight in weights.items():
            furthest = max(furthest, abs(had[each] - Fraction(weight * t, everybody)))
    return furthest


@settings(max_examples=tried(40))
@given(weights, carried)
@example(pool(1, 1, 1, 7, 7, 7), {})  # where largest deficit is 1.08 leads away
@example(pool(20, 19, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), {})
def test_each_rep_is_less_than_one_lead_from_the_share_whatever_is_carried_over(
    weights: dict[str, int], owed: dict[str, int]
) -> None:
    order = hand_out(seated(weights, PoolState(owed=owed)), 240)
    assert furthest_from_share(weights, order) < 1


@settings(max_examples=tried(30))
@given(st.lists(st.tuples(weights, st.integers(0, 60)), min_size=2, max_size=5))
def test_the_bound_holds_between_changes_of_who_is_eligible(epochs: list[tuple[dict[str, int], int]]) -> None:
    rotation = Rotation(PoolState())
    everything: list[str] = []
    for i, (eligible, length) in enumerate(epochs):
        eligible = eligible | {"joined": i + 1}  # so that no epoch repeats the one before
        rotation.seat(eligible)
        before = rotation.state().epoch
        order = hand_out(rotation, length)
        assert rotation.state().epoch == before
        assert furthest_from_share(eligible, order) < 1
        everything += order
    assert rotation.state().taken == Counter(everything)
    assert rotation.state().total == len(everything)


def test_a_period_gives_everybody_exactly_the_weight() -> None:
    weights = pool(5, 3, 2, 1)
    assert Counter(hand_out(seated(weights), 11)) == weights


def test_equal_weights_go_round_in_the_order_of_the_pool() -> None:
    assert hand_out(seated(pool(1, 1, 1)), 6) == ["rep0", "rep1", "rep2"] * 2


def test_epochs_of_one_turn_each_still_reach_everybody() -> None:
    """Caps can start an epoch at every lead; restarting alone would then never serve the lighter weight."""
    rotation = Rotation(PoolState())
    order = []
    for n in range(400):
        rotation.seat({"heavy": 7, "light": 1} | ({"guest": 1} if n % 2 else {}))
        order += hand_out(rotation, 1)
    had = Counter(order)
    assert had["light"] == pytest.approx(200 / 8 + 200 / 9, abs=3)
    assert had["guest"] == pytest.approx(200 / 9, abs=3)


def test_short_epochs_do_not_favour_the_first_of_the_pool() -> None:
    rotation = Rotation(PoolState())
    order = []
    for n in range(300):
        rotation.seat(pool(1, 1, 1) if n % 2 else pool(1, 1, 1, 1))
        order += hand_out(rotation, 2)
    had = Counter(order)
    assert max(had[rep] for rep in pool(1, 1, 1)) - min(had[rep] for rep in pool(1, 1, 1)) <= 3


def test_the_same_people_again_go_on_and_others_start_an_epoch() -> None:
    rotation = seated(pool(2, 1))
    hand_out(rotation, 1)
    first = rotation.state()
    rotation.seat(pool(2, 1))
    assert rotation.state() == first
    rotation.seat({"rep1": 1, "rep0": 2})  # only their order
    assert rotation.state() == first
    rotation.seat(pool(2, 2))  # a weight
    assert rotation.state().epoch == first.epoch + 1
    assert rotation.state().position == 0
    # rep0 had the one turn, where two thirds of it were the share
    assert rotation.state().owed == {"rep0": -333_333, "rep1": 333_333}


def test_nobody_is_owed_more_than_two_leads() -> None:
    state = PoolState(weights=pool(1, 1), turns={"rep0": 40, "rep1": 0}, taken={"rep0": 40})
    rotation = seated(pool(1, 1, 1), state)
    assert rotation.state().owed == {"rep0": -MOST_OWED, "rep1": MOST_OWED}


def test_who_is_passed_over_keeps_the_turn() -> None:
    rotation = seated(pool(1, 1, 1))
    assert rotation.find_next_in_turn() == "rep0"
    assert rotation.find_next_in_turn({"rep0"}) == "rep1"
    rotation.take("rep1")
    assert rotation.state().epoch == 1
    assert rotation.find_next_in_turn() == "rep0"
    assert rotation.find_next_in_turn({"rep0", "rep1", "rep2"}) is None


@settings(max_examples=tried(30))
@given(weights, st.lists(st.integers(0, 13), max_size=40))
def test_passing_over_never_leaves_a_lead_without_somebody(weights: dict[str, int], skips: list[int]) -> None:
    rotation = seated(weights)
    for skip in skips:
        left_out = {f"rep{skip}"}
        rep = rotation.find_next_in_turn(left_out)
        assert (rep is None) == (weights.keys() <= left_out)
        if rep is not None:
            assert rep not in left_out
            rotation.take(rep)


@settings(max_examples=tried(40))
@given(weights, carried, st.integers(0, 50), st.integers(0, 50))
def test_stopping_and_going_on_from_json_changes_nothing(
    weights: dict[str, int], owed: dict[str, int], first: int, second: int
) -> None:
    in_one = hand_out(seated(weights, PoolState(owed=owed)), first + second)
    rotation = seated(weights, PoolState(owed=owed))
    order = hand_out(rotation, first)
    stored = orjson.dumps(rotation.state().to_dict(), option=orjson.OPT_SORT_KEYS)  # as jsonb does
    state = PoolState.from_dict(orjson.loads(stored))
    assert state == rotation.state()
    assert order + hand_out(seated(weights, state), second) == in_one


def test_an_empty_state_is_a_new_pool() -> None:
    assert PoolState.from_dict({}) == PoolState()
    assert Rotation(PoolState()).find_next_in_turn() is None


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        ({"turn": {}}, "has no turn"),
        ({"weights": {"a": 0}, "turns": {"a": 0}}, "weights must be whole numbers from 1"),
        ({"weights": {"a": 1}, "turns": {"a": 1.5}}, "turns must be whole numbers from 0"),
        ({"taken": {"a": True}}, "taken must be whole numbers"),
        ({"taken": 3}, "taken must be whole numbers"),
        ({"weights": {"a": 1}}, "must name the same reps"),
        ({"epoch": -1}, "epoch must be a whole number"),
    ],
)
def test_a_damaged_state_is_refused(damaged: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PoolState.from_dict(damaged)
