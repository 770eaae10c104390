"""What is counted of two ways that journeys went, and the limits on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.replay.comparison import TOLD, WITH_OWNER, End, JourneyEnd, Kind, compare, find_kind
from leadgate.replay.limits import Limit, find_exceeded, read_limit
from leadgate.vocabulary import Outcome

NOW = datetime(2027, 3, 3, 14, 30, tzinfo=UTC)
COLUMNS = ("at", "stage", "outcome", "reason", "score", "grade", "qualified_as", "contributions", "owner", "route", "pool",
           "sla", "due_at")  # fmt: skip
OWNED = {"outcome": Outcome.OWNED, "stage": "assignment", "owner": "ann", "route": "all", "due_at": pd.Timestamp(NOW)}
ENDS = st.one_of(
    st.builds(
        lambda owner, route: OWNED | {"owner": owner, "route": route},
        st.sampled_from(["ann", "bob", "cy"]),
        st.sampled_from(["all", "big"]),
    ),
    st.builds(
        lambda outcome, reason: {"outcome": outcome, "stage": "qualification", "reason": reason},
        st.sampled_from([Outcome.HOLD, Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED, Outcome.CONTINUE]),
        st.sampled_from(["one", "two"]),
    ),
)


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    cells = [dict.fromkeys(COLUMNS) | {"at": NOW, "stage": "assignment"} | row for row in rows]
    return pd.DataFrame(cells, columns=list(COLUMNS), index=range(1, len(rows) + 1), dtype=object)


@given(st.lists(st.tuples(ENDS, ENDS), min_size=1, max_size=40))
def test_everything_is_counted_once(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    found = compare(frame([one for one, _ in pairs]), frame([other for _, other in pairs]))
    assert found.journeys == sum(found.ends.values()) == len(pairs)
    assert found.changed == sum(one != other for one, other in pairs)
    for side in (0, 1):
        owned = [pair[side] for pair in pairs if pair[side]["outcome"] == Outcome.OWNED]
        assert sum(load[side] for load in found.loads.values()) == len(owned)
        assert sum(due[side] for due in found.due_hours.values()) == len(owned)
    assert sum(found.newly_held.values()) == sum(
        one["outcome"] != Outcome.HOLD and other["outcome"] == Outcome.HOLD for one, other in pairs
    )
    assert len(found.told) == min(TOLD, found.changed)
    assert {each.journey for each in found.told} <= set(range(1, len(pairs) + 1))


@given(st.lists(ENDS, min_size=1, max_size=20))
def test_nothing_differs_from_itself(ends: list[dict[str, Any]]) -> None:
    found = compare(frame(ends), frame(ends))
    assert (found.changed, found.changed_owners, list(found.told), list(found.dropped)) == (0, 0, [], [])


def test_of_many_leads_that_differ_alike_others_are_told_too() -> None:
    before = [OWNED] * 60 + [OWNED]
    after = [OWNED | {"owner": "bob"}] * 60 + [{"outcome": Outcome.NURTURE, "stage": "qualification"}]
    found = compare(frame(before), frame(after))
    assert len(found.told) == TOLD
    assert found.told[0].kind is Kind.DROPPED
    assert (found.changed_owners, found.owned_both) == (60, 60)


def test_journeys_that_cannot_be_compared_are_left_out() -> None:
    found = compare(frame([OWNED] * 3), frame([OWNED | {"owner": "bob"}] * 3), left_out={2}, uncertain={3})
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
    found = compare(frame([OWNED] * 20), frame([OWNED] * 19 + [OWNED | {"owner": "bob"}]))
    assert find_exceeded(found, {"max-owner-changes": Limit(0.05, True), "max-dropped": Limit(0, False)}) == []
    (exceeded,) = find_exceeded(found, {"max-owner-changes": Limit(0.04, True)})
    assert (exceeded.count, exceeded.base) == (1, 20)
    nobody = compare(frame([]), frame([]))
    assert find_exceeded(nobody, {"max-owner-changes": Limit(0, True)}) == []


def test_who_waits_for_an_owner_counts_as_having_one() -> None:
    assert End.WAITING in WITH_OWNER
