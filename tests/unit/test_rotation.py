"""Fair turns: the bound that the design promises, and what a pool remembers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
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


# --- turns that are given back ----------------------------------------------------------------------------


class Desk:
    """A pool whose leads are returned, with or without the turn, and whose returns are undone; by its own book.

    ``kept`` are the leads of each rep that were not returned with their turn."""

    def __init__(self, eligible: dict[str, int]) -> None:
        self.rotation = seated(eligible)
        self.kept: Counter[str] = Counter()
        self.open: list[str] = []
        self.returned: list[str] = []

    def assign(self) -> None:
        rep = self.rotation.find_given_back()
        if rep is not None:
            self.rotation.take_given_back(rep)
        else:
            self.rotation.pass_turns()
            rep = self.rotation.find_next_in_turn()
            assert rep is not None
            self.rotation.take(rep)
        self.kept[rep] += 1
        self.open.append(rep)

    def give_back(self, which: int, by: int) -> None:
        """As the ledger does it: in the stored state, between two batches."""
        source, target = (self.open, self.returned) if by > 0 else (self.returned, self.open)
        if not source:
            return
        rep = source.pop(which % len(source))
        target.append(rep)
        self.kept[rep] -= by
        state = self.rotation.state()
        given_back = {**state.given_back, rep: state.given_back.get(rep, 0) + by}
        stored = replace(state, given_back=given_back).to_dict()
        self.rotation = Rotation(PoolState.from_dict(orjson.loads(orjson.dumps(stored))))

    def count_turns(self, everybody: dict[str, int]) -> dict[str, int]:
        """By the desk's own book: what was kept, and what is still to be filled, or to go by."""
        return {rep: self.kept[rep] + self.rotation.given_back(rep) for rep in everybody}


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["reject", "reject with the turn", "undo", "away"]), st.integers(0, 100)),
    ),
    max_size=60,
)


@settings(max_examples=tried(150))
@given(weights, _STEPS)
def test_leads_that_were_kept_are_within_one_of_the_share_whatever_gives_turns_back(
    eligible: dict[str, int], steps: list[tuple[str, int]]
) -> None:
    """Since the last change of who is there: with the turns that are still to be filled at every moment, and without
    them as soon as none is. Who is away gets nothing."""
    desk = Desk(eligible)
    here, since = eligible, desk.count_turns(eligible)

    def find_furthest(counts: dict[str, int]) -> Fraction:
        got = {rep: counts[rep] - since[rep] for rep in eligible}
        whole = sum(got.values())
        return max(abs(got[rep] - Fraction(here.get(rep, 0) * whole, sum(here.values()))) for rep in eligible)

    for what, number in steps:
        if what == "assign":
            for _ in range(number):
                desk.assign()
        elif what == "away":
            away = f"rep{number % len(eligible)}"
            here = {rep: w for rep, w in eligible.items() if (rep in here) is (rep != away)} or eligible
            desk.rotation.seat(here)
            since = desk.count_turns(eligible)
        elif what == "reject" and desk.open:
            desk.open.pop(number % len(desk.open))
        elif what in ("reject with the turn", "undo"):
            desk.give_back(number, 1 if what == "reject with the turn" else -1)
        assert find_furthest(desk.count_turns(eligible)) < 1
    if here != eligible:
        here, since = eligible, desk.count_turns(eligible)
        desk.rotation.seat(here)
    for _ in range(10_000):
        if not any(desk.rotation.given_back(rep) for rep in eligible):
            break
        desk.assign()
    assert find_furthest({rep: desk.kept[rep] for rep in eligible}) < 1
    assert desk.rotation.state().total == sum(desk.kept.values()) + len(desk.returned)


def test_a_turn_that_was_given_back_is_filled_before_any_other_and_moves_no_count() -> None:
    desk = Desk(pool(1, 2, 1))
    for _ in range(6):
        desk.assign()
    first = desk.open[0]
    before = desk.rotation.state()
    plain = hand_out(Rotation(before), 12)
    desk.give_back(0, 1)
    desk.assign()
    assert desk.open[-1] == first
    after = desk.rotation.state()
    assert (after.turns, after.position, after.total) == (before.turns, before.position, before.total + 1)
    assert hand_out(desk.rotation, 12) == plain


def test_a_return_that_is_undone_after_its_turn_was_filled_lets_the_next_turn_go_by() -> None:
    desk = Desk(pool(1, 1))
    desk.assign()
    desk.give_back(0, 1)
    desk.assign()
    desk.give_back(0, -1)
    for _ in range(4):
        desk.assign()
    assert desk.kept == {"rep0": 3, "rep1": 3}
    assert (desk.rotation.state().given_back, desk.rotation.state().passed) == ({}, {"rep0": 1})


def test_who_is_away_has_the_turn_filled_when_they_are_back() -> None:
    rotation = seated(pool(1, 1, 1), PoolState(given_back={"rep2": 1}))
    assert rotation.find_given_back({"rep2"}) is None
    rotation.seat(pool(1, 1))
    assert rotation.find_given_back() is None
    hand_out(rotation, 3)
    rotation.seat(pool(1, 1, 1))
    assert rotation.find_given_back() == "rep2"
