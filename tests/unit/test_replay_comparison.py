"""What is kept and counted of two ways that journeys went, and the limits on it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.replay.comparison import TOLD, WITH_OWNER, Comparison, End, JourneyEnd, Kind, find_kind, list_ends
from leadgate.replay.comparison import compare as compare_ways
from leadgate.replay.journey_ends import ENDS, SCORES, JourneyEnds, share_codes
from leadgate.replay.limits import Limit, find_exceeded, read_limit
from leadgate.vocabulary import Outcome

Row = dict[str, Any]
NOW = datetime(2027, 3, 3, 14, 30, tzinfo=UTC)
OWNED = {"outcome": Outcome.OWNED, "stage": "assignment", "owner": "ann", "route": "all", "due_at": pd.Timestamp(NOW)}
SCORED = {"score": 40, "grade": "A1", "contributions": '{"chief":40}'}
ROWS = st.one_of(
    st.builds(
        lambda owner, route, scores: OWNED | {"owner": owner, "route": route} | scores,
        st.sampled_from(["ann", "bob", "cy", None]),
        st.sampled_from(["all", "big"]),
        st.sampled_from([SCORED, SCORED | {"score": 5}]),
    ),
    st.builds(
        lambda outcome, reason: {"outcome": outcome, "stage": "qualification", "reason": reason},
        st.sampled_from([Outcome.HOLD, Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED, Outcome.CONTINUE]),
        st.sampled_from(["one", "two"]),
    ),
)


def frame(rows: list[Row], first: int = 1) -> pd.DataFrame:
    """A row for each of the journeys from ``first`` on."""
    cells = [dict.fromkeys((*ENDS, *SCORES)) | {"at": NOW, "stage": "assignment"} | row for row in rows]
    numbered = [row | {"journey": first + place} for place, row in enumerate(cells)]
    return pd.DataFrame(numbered, columns=list(dict.fromkeys((*ENDS, *SCORES))), dtype=object)


def note(before: list[Row], after: list[Row], portion: int = 1_000) -> tuple[JourneyEnds, JourneyEnds]:
    """Two ways that journeys went, noted in portions of so many."""
    codes = share_codes()
    ways = JourneyEnds(codes), JourneyEnds(codes)
    for start in range(0, len(before), portion):
        for way, rows in zip(ways, (before, after), strict=True):
            noted = frame(rows[start : start + portion], first=start + 1)
            way.note(noted, noted[noted["score"].notna()])
    return ways


def compare(before: list[Row], after: list[Row], portion: int = 1_000, **more: Any) -> Comparison:
    """What differs between two ways."""
    return compare_ways(*note(before, after, portion), **more)


@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=40))
def test_everything_is_counted_once(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    found = compare([one for one, _ in pairs], [other for _, other in pairs])
    assert found.journeys == sum(found.ends.values()) == len(pairs)
    assert found.changed == sum(one != other for one, other in pairs)
    for side in (0, 1):
        owned = [pair[side] for pair in pairs if pair[side]["outcome"] == Outcome.OWNED]
        with_owner = sum(each["owner"] is not None for each in owned)
        assert sum(load[side] for load in found.loads.values()) == with_owner
        assert sum(due[side] for due in found.due_hours.values()) == with_owner
    assert sum(found.newly_held.values()) == sum(
        one["outcome"] != Outcome.HOLD and other["outcome"] == Outcome.HOLD for one, other in pairs
    )
    assert len(found.told) == min(TOLD, found.changed)
    assert {each.journey for each in found.told} <= set(range(1, len(pairs) + 1))


@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=40), st.integers(1, 40), st.integers(1, 40))
def test_portions_are_counted_as_each_journey_by_itself(pairs: list[tuple[Row, Row]], some: int, others: int) -> None:
    before, after = [one for one, _ in pairs], [other for _, other in pairs]
    found = compare(before, after, some)
    assert found == compare(before, after, others)
    ends = list(list_ends(*note(before, after, some)))
    assert found.ends == Counter((one.end, other.end) for _, _, one, other in ends)
    kinds = {journey: find_kind(one, other) for journey, _, one, other in ends}
    assert found.kinds == Counter(kind for kind in kinds.values() if kind is not None)
    assert list(found.dropped) == [journey for journey, kind in kinds.items() if kind is Kind.DROPPED]
    assert {each.journey: each.kind for each in found.told}.items() <= kinds.items()
    told = {each.journey: (each.at, each.before, each.after) for each in found.told}
    assert told == {journey: (at, one, other) for journey, at, one, other in ends if journey in told}
    assert found.no_longer_held == Counter(
        one.reason for _, _, one, other in ends if one.end is End.HELD and other.end is not End.HELD
    )


def test_what_came_last_of_a_journey_is_kept() -> None:
    ways = JourneyEnds(share_codes())
    for score, owner in ((40, "ann"), (None, "bob")):
        noted = frame([OWNED | SCORED | {"owner": owner, "score": score}] * 3, first=5)
        ways.note(noted.iloc[::-1], noted[noted["score"].notna()])
    ways.note(frame([OWNED], first=2), frame([]))
    assert ways.ids == [2, 5, 6, 7]
    assert ways.read("owner") == ["ann", "bob", "bob", "bob"]
    assert ways.read("score") == [None, 40, 40, 40]
    assert ways.read("due_at") == [NOW] * 4
    assert ways.find_scores([1, 2, 6]).keys() == {6}


@given(st.lists(ROWS, min_size=1, max_size=20))
def test_nothing_differs_from_itself(ends: list[dict[str, Any]]) -> None:
    found = compare(ends, ends)
    assert (found.changed, found.changed_owners, list(found.told), list(found.dropped)) == (0, 0, [], [])


def test_of_many_leads_that_differ_alike_others_are_told_too() -> None:
    before = [OWNED] * 60 + [OWNED]
    after = [OWNED | {"owner": "bob"}] * 60 + [{"outcome": Outcome.NURTURE, "stage": "qualification"}]
    found = compare(before, after)
    assert len(found.told) == TOLD
    assert found.told[0].kind is Kind.DROPPED
    assert (found.changed_owners, found.owned_both) == (60, 60)


def test_journeys_that_cannot_be_compared_are_left_out() -> None:
    found = compare([OWNED] * 3, [OWNED | {"owner": "bob"}] * 3, left_out={2}, uncertain={3})
    assert (found.journeys, found.changed, found.uncertain) == (2, 2, 1)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (End.OWNED, End.NURTURE, Kind.DROPPED),
        (End.OWNED, End.HELD, Kind.DROPPED),
        (End.NURTURE, End.OWNED, Kind.NEWLY_OWNED),
        (End.NURTURE, End.HELD, Kind.NEWLY_HELD),
        (End.HELD, End.NURTURE, Kind.NO_LONGER_HELD),
        (End.HELD, End.OWNED, Kind.NEWLY_OWNED),
        (End.REVIEW, End.NURTURE, Kind.OTHER_END),
        (End.OWNED, End.WAITING, Kind.OTHER_END),
    ],
)
def test_the_gravest_difference_names_a_lead(one: End, other: End, kind: Kind) -> None:
    assert find_kind(JourneyEnd(one, "x"), JourneyEnd(other, "x")) is kind
    assert find_kind(JourneyEnd(one, "x"), JourneyEnd(one, "x")) is None


@pytest.mark.parametrize(
    ("text", "limit"),
    [("5%", Limit(0.05, True)), (" 0.5 % ", Limit(0.005, True)), ("12", Limit(12, False)), ("0", Limit(0, False)),
     ("100%", Limit(1, True))],
)  # fmt: skip
def test_limits_are_shares_or_numbers(text: str, limit: Limit) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["", "five", "-1", "101%", "1.5", "nan", "inf", "%", "5 percent", "9" * 8_000])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit"):
        read_limit(text)


def test_a_limit_is_what_may_just_be_reached() -> None:
    found = compare([OWNED] * 20, [OWNED] * 19 + [OWNED | {"owner": "bob"}])
    assert find_exceeded(found, {"max-owner-changes": Limit(0.05, True), "max-dropped": Limit(0, False)}) == []
    (exceeded,) = find_exceeded(found, {"max-owner-changes": Limit(0.04, True)})
    assert (exceeded.count, exceeded.base) == (1, 20)
    nobody = compare([], [])
    assert find_exceeded(nobody, {"max-owner-changes": Limit(0, True)}) == []


def test_who_waits_for_an_owner_counts_as_having_one() -> None:
    assert End.WAITING in WITH_OWNER
