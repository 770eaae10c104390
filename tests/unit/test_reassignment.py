"""What changes hands by a person's word: a leaver's book is spread within one lead, whatever weights and caps."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment import reassignment
from leadgate.assignment.availability import Load
from leadgate.assignment.rotation import PoolState
from leadgate.playbook import Playbook
from leadgate.vocabulary import AssignmentMethod

NOW = datetime(2026, 3, 7, 3, 0, tzinfo=UTC)  # a Saturday night, when nobody is at work


def playbook(weights: list[int], caps: dict[str, int] | None = None) -> Playbook:
    """``rep0`` leaves; the others share by ``weights`` in a pool that hands out in working hours only."""
    names = [f"rep{i}" for i in range(len(weights))]
    content: dict[str, Any] = {
        "name": "test",
        "sources": {"web": {}},
        "hours": {"office": {"week": {"mon": [["09:00", "17:00"]]}}},
        "reps": [{"name": name, "max_open": (caps or {}).get(name)} for name in names],
        "pools": [
            {
                "name": "sales",
                "members": [{"rep": n, "weight": w} for n, w in zip(names, weights, strict=True)],
                "hours": "office",
                "only_in_hours": True,
                "nobody_available": {"do": "assign", "rep": "rep0"},
            },
            {"name": "alone", "members": [{"rep": "rep0"}]},
        ],
        "routing": [{"name": "everybody", "to": "pool sales"}],
    }
    return Playbook.model_validate(content)


def book_of(count: int, **columns: Any) -> pd.DataFrame:
    """``count`` leads of ``rep0``."""
    content = {"excluded": [["rep0"]] * count, "language": None, "product": None, "pool": "sales"} | columns
    return pd.DataFrame(content, index=range(count), dtype=object)


def transfer(book: Playbook, frame: pd.DataFrame, **more: Any) -> pd.DataFrame:
    pools = reassignment.find_target_pools(frame, "rep0", book, None)
    states = more.pop("states", {})
    loads = more.pop("loads", {})
    return reassignment.to_pools(
        frame, pools, book, states, loads, NOW, method=AssignmentMethod.TRANSFER, why="rep0's leads", leaver="rep0"
    ).frame  # fmt: skip


@settings(max_examples=tried(60))
@given(st.lists(st.integers(1, 9), min_size=2, max_size=7), st.integers(0, 80), st.lists(st.integers(0, 9), max_size=7))
def test_each_colleague_gets_their_share_of_a_book_within_one_lead(
    weights: list[int], count: int, before: list[int]
) -> None:
    book = playbook(weights)
    turns = {f"rep{i}": n for i, n in enumerate(before[: len(weights)])}
    state = PoolState(epoch=1, weights={rep: weights[int(rep[3:])] for rep in turns}, turns=turns, taken=turns)
    moved = transfer(book, book_of(count), states={"sales": state})
    had = Counter(moved["owner"])
    assert had["rep0"] == 0
    assert sum(had.values()) == count
    for i, weight in enumerate(weights[1:], start=1):
        assert abs(had[f"rep{i}"] - count * weight / sum(weights[1:])) < 1


@settings(max_examples=tried(40))
@given(st.lists(st.integers(0, 12), min_size=2, max_size=6), st.integers(0, 60), st.integers(0, 6))
def test_no_cap_is_passed_and_what_stays_is_only_what_nobody_could_take(caps: list[int], count: int, had: int) -> None:
    limits = {f"rep{i}": cap for i, cap in enumerate(caps)}
    loads = {rep: Load(open=had) for rep in limits}
    moved = transfer(playbook([1] * len(caps), limits), book_of(count), loads=loads)
    room = {rep: max(0, cap - had) for rep, cap in limits.items() if rep != "rep0"}
    given_to = Counter(moved["owner"].dropna())
    assert all(given_to[rep] <= room[rep] for rep in given_to)
    assert sum(given_to.values()) == min(count, sum(room.values()))
    assert (moved["outcome"] == "hold").sum() == count - sum(given_to.values())


def test_a_lead_goes_by_the_pool_it_came_by_else_the_leavers_first_one() -> None:
    book = playbook([1, 1])
    frame = book_of(4, pool=["sales", None, "closed_since", "alone"])
    assert reassignment.find_target_pools(frame, "rep0", book, None) == ["sales", "sales", "sales", "alone"]
    assert reassignment.find_target_pools(frame, "rep0", book, "alone") == ["alone"] * 4
    assert reassignment.find_target_pools(frame, "who_left_long_ago", book, None) == ["sales", None, None, "alone"]
    assert transfer(book, frame)["owner"].tolist() == ["rep1"] * 3 + [None]


def test_somebody_who_cannot_take_it_gets_it_only_anyway() -> None:
    book = playbook([1, 1], {"rep1": 0})
    with pytest.raises(reassignment.ReassignmentError, match="rep1 cannot take it: reached 0 open"):
        reassignment.to_rep(book_of(1), "rep1", book, {}, NOW)
    row = reassignment.to_rep(book_of(1), "rep1", book, {}, NOW, anyway=True).frame.iloc[0]
    assert row["owner"] == "rep1"
    assert row["why"] == (
        "Reassign to rep1: all the same, because rep1: reached 0 open. A person chose them."
    )  # fmt: skip
