"""SLAs: the choice of SLA and clock, exact pauses, steps and misses that come once, and the time of the next check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.playbook import FollowUp, Hours, Playbook
from leadgate.sla import pauses, sla_targets
from leadgate.sla.hours import Clock, make_clock
from leadgate.sla.moments import build_column, read_moments
from leadgate.sla.touches import explain_no_touch

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)

OFFICE = {"time_zone": "UTC", "week": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
NIGHT = {"time_zone": "America/New_York", "week": {day: [["18:00", "02:00"]] for day in ("mon", "wed", "sat")}}
BOOK: dict[str, Any] = {
    "name": "SLAs",
    "sources": {"website": {}},
    "hours": {"office": OFFICE, "night": NIGHT},
    "reps": [{"name": "ana", "hours": "night"}, {"name": "bob"}],
    "pools": [
        {"name": "all", "members": [{"rep": "ana"}, {"rep": "bob"}], "hours": "office", "sla": "full"},
        {"name": "free", "members": [{"rep": "bob"}]},
    ],
    "routing": [{"name": "everybody", "to": "pool all"}],
    "slas": [
        {
            "name": "full", "first_touch": "4h", "accept_within": "2h", "next_touch": "6h", "stage": "20h",
            "ladder": [
                {"after": 50, "do": "remind"}, {"after": 100, "do": "escalate"}, {"after": 300, "do": "escalate"},
                {"after": 50, "do": "remind", "of": "next_touch"}, {"after": 100, "do": "escalate", "of": "next_touch"},
            ],
        },
        {"name": "wall", "first_touch": "1h", "clock": "wall"},
        {"name": "rep", "first_touch": "1h", "clock": "rep"},
    ],
    "follow_up": {
        "finished_by": "outcome",
        "outcomes": ["won"],
        "priorities": [{"name": "hot", "when": "score > 80", "sla": "wall"}, {"name": "own", "when": "true", "sla": "rep"}],
        "stale": {"touched": {"days": 2}, "untouched": {"days": 9}},
    },
}  # fmt: skip
PLAYBOOK = Playbook.model_validate(BOOK)


def make_owned_lead(**columns: Any) -> pd.DataFrame:
    """Make an owned lead as a check reads it: a frame of one row, with ``columns`` in place of the defaults."""
    row = {
        "owner": "bob", "pool": "all", "sla": "full", "assigned_at": NOW, "clock_from": NOW,
        "due_at": NOW + 4 * HOUR,
        "due_soon_at": NOW + 3 * HOUR, "touches": (), "accepted_at": None, "finished_at": None, "pauses": (),
        "active_at": NOW, "stale_since": None, "last_touched_at": None, "ladder_step": 0, "acceptance_step": 0,
        "next_touch_step": 0, "stage_step": 0,
    } | columns  # fmt: skip
    return pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})


def check_lead(now: datetime, **columns: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check one lead. Returns its row, and its targets."""
    found = sla_targets.check(make_owned_lead(**columns), PLAYBOOK, now)
    return dict(found.rows.iloc[0]), found.targets.to_dict("records")  # type: ignore[return-value]


# --- which SLA, on whose clock ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sla_name", "pool", "owner", "hours"),
    [
        ("full", "all", "ana", "office"),
        ("full", "free", "bob", None),
        ("wall", "all", "ana", None),
        ("rep", "all", "ana", "night"),
        ("rep", "all", "bob", "office"),  # has no hours of their own
        ("full", None, "bob", "office"),  # who was named works as in their first pool with an SLA
        (None, "all", "ana", "office"),
    ],
)
def test_whose_hours_count(sla_name: str | None, pool: str | None, owner: str, hours: str | None) -> None:
    rule = next((each for each in PLAYBOOK.slas if each.name == sla_name), None)
    assert sla_targets.find_hours(PLAYBOOK, rule, pool, owner) == hours


def test_the_first_priority_wins_over_the_pools_sla_and_each_clock_is_its_own() -> None:
    frame = pd.DataFrame(
        {
            "owner": ["ana", "ana", "bob", None],
            "pool": ["all", "all", "all", "all"],
            "sla": ["full", "full", "full", "full"],
            "priority": ["hot", "own", None, "hot"],
        },
        index=[4, 3, 2, 1],
        dtype=object,
    )
    due = sla_targets.compute_due_times(frame, PLAYBOOK, NOW)
    assert due.index.tolist() == [4, 3, 2, 1]
    assert due["sla"].tolist() == ["wall", "rep", "full", None]
    assert due["due_at"].tolist()[:3] == [NOW + HOUR, datetime(2026, 3, 5, 0, 0, tzinfo=UTC), NOW + 4 * HOUR]
    assert due["due_at"].isna().tolist() == [False, False, False, True]


def test_a_target_that_the_ladder_forgets_is_escalated_when_it_is_late() -> None:
    full = PLAYBOOK.slas[0]
    assert [(step.after, step.do, step.of) for step in sla_targets.list_ladder_steps(full, "stage")] == [
        (100, "escalate", "stage")
    ]
    assert sla_targets.list_ladder_steps(PLAYBOOK.slas[1], "stage") == ()
    assert sla_targets.list_ladder_steps(PLAYBOOK.slas[1], "first_touch") == ()


# --- what a check finds -----------------------------------------------------------------------------------


def list_steps(row: dict[str, Any]) -> list[tuple[str, int]]:
    """The target and the number of each step that the check takes."""
    return [(step.target, step.number) for step in row["steps"]]


def test_steps_come_in_the_order_of_their_times_whatever_the_target() -> None:
    row, _ = check_lead(NOW + 6 * HOUR)
    assert list_steps(row) == [("first_touch", 1), ("acceptance", 1), ("first_touch", 2)]
    assert (row["ladder_step"], row["acceptance_step"]) == (2, 1)
    again, _ = check_lead(NOW + 6 * HOUR, ladder_step=2, acceptance_step=1)
    assert list_steps(again) == []


def test_nothing_is_taken_after_the_step_that_takes_the_lead_back() -> None:
    part = {
        **BOOK["slas"][0],
        "ladder": [{"after": 100, "do": "reassign", "of": "acceptance"}, {"after": 100, "do": "remind"}],
    }
    book = Playbook.model_validate({**BOOK, "slas": [part, *BOOK["slas"][1:]]})
    assert list_steps(dict(sla_targets.check(make_owned_lead(), book, NOW + 30 * HOUR).rows.iloc[0])) == [
        ("acceptance", 1)
    ]


def test_a_touch_stops_two_clocks_and_starts_a_third() -> None:
    touched = NOW + HOUR
    row, targets = check_lead(NOW + 2 * HOUR, touches=(touched,), active_at=touched)
    closed = {target["target"]: target["closed_at"] for target in targets}
    assert closed["first_touch"] == closed["acceptance"] == touched
    assert pd.isna(closed["next_touch"])
    assert pd.isna(closed["stage"])
    assert row["touched_at"] == row["last_touched_at"] == touched
    assert row["next_check_at"] == touched + 3 * HOUR


def test_each_touch_begins_a_new_count_of_steps() -> None:
    first, second = NOW + HOUR, NOW + 5 * HOUR
    row, _ = check_lead(
        second + 2 * HOUR, touches=(first, second), last_touched_at=first, next_touch_step=2, active_at=second
    )
    assert (list_steps(row), row["next_touch_step"]) == ([], 0)


@pytest.mark.parametrize(
    ("columns", "missed"),
    [
        ({}, {"first_touch", "acceptance"}),
        ({"touches": (NOW + HOUR,)}, set()),
        ({"touches": (NOW + 2 * HOUR,)}, set()),  # on the dot is in time
        ({"touches": (NOW + 3 * HOUR,)}, {"acceptance"}),
        ({"touches": (NOW + 5 * HOUR,)}, {"first_touch", "acceptance"}),
        ({"accepted_at": NOW + HOUR}, {"first_touch"}),
        ({"finished_at": NOW + 3 * HOUR}, {"acceptance"}),
        ({"pauses": ((NOW, NOW + 6 * HOUR),)}, set()),
    ],
)
def test_what_stops_after_it_was_due_is_missed(columns: dict[str, Any], missed: set[str]) -> None:
    _, targets = check_lead(NOW + 6 * HOUR, **columns)
    assert {target["target"] for target in targets if target["missed"]} == missed


def test_a_lead_is_stale_by_what_has_happened_about_it() -> None:
    touched = NOW + HOUR
    friday = datetime(2026, 3, 6, 17, 0, tzinfo=UTC)
    at = {"touches": (touched,), "active_at": touched}
    assert [check_lead(when, **at)[0]["stale"] for when in (friday - MICROSECOND, friday)] == [False, True]
    assert not check_lead(friday, **at, stale_since=touched)[0]["stale"]
    assert not check_lead(friday, **at, finished_at=touched)[0]["stale"]
    assert not check_lead(friday)[0]["stale"]  # an untouched one has nine days
    waited = ((datetime(2026, 3, 6, 16, tzinfo=UTC), datetime(2026, 3, 6, 18, tzinfo=UTC)),)
    assert check_lead(NOW + 2 * HOUR, **at, pauses=waited)[0]["stale_at"] == datetime(2026, 3, 9, 17, tzinfo=UTC)


def test_nobody_is_chased_while_the_lead_is_waited_for_and_what_was_due_before_is_made_up_for() -> None:
    wait = {"pauses": ((NOW + 3 * HOUR, NOW + 5 * HOUR),)}
    row, targets = check_lead(NOW + 4 * HOUR, **wait)
    assert (row["steps"], row["next_check_at"]) == ((), NOW + 5 * HOUR)
    assert [each["target"] for each in targets if each["missed"]] == ["acceptance"]
    assert list_steps(check_lead(NOW + 5 * HOUR, **wait)[0]) == [("first_touch", 1), ("acceptance", 1)]


def test_an_empty_frame_is_checked() -> None:
    found = sla_targets.check(make_owned_lead().iloc[:0], PLAYBOOK, NOW)
    assert found.rows.empty
    assert found.targets.empty


# --- properties -------------------------------------------------------------------------------------------

few_examples = settings(max_examples=tried(20))
clocks = st.sampled_from(
    [Clock(None), make_clock(Hours.model_validate(OFFICE)), make_clock(Hours.model_validate(NIGHT))]
)
minutes = st.integers(0, 14 * 24 * 60)
moments = minutes.map(lambda minute: NOW + timedelta(minutes=minute))
lengths = st.integers(0, 60 * 60).map(lambda minute: timedelta(minutes=minute))
#: Up to three pauses of a lead, apart from one another: pairs of sorted, distinct moments.
waits = st.lists(minutes, max_size=6, unique=True).map(
    lambda ends: tuple(
        (NOW + timedelta(minutes=a), NOW + timedelta(minutes=b))
        for a, b in zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False)
    )
)


@few_examples
@given(clocks, moments, lengths, waits)
def test_exactly_the_open_time_outside_of_pauses_passes(
    clock: Clock, start: datetime, length: timedelta, waited: tuple[pauses.Pause, ...]
) -> None:
    due = pauses.compute_due(clock, start, length, waited)
    assert pauses.compute_elapsed(clock, start, due, waited) == length
    if length:
        assert pauses.compute_elapsed(clock, start, due - MICROSECOND, waited) < length  # and no earlier
    assert build_column(pauses.compute_due_many(clock, read_moments([start]), length, [waited]))[0] == due


@few_examples
@given(clocks, moments, lengths, lengths, waits)
def test_time_with_pauses_adds_up_and_never_ends_earlier_for_more(
    clock: Clock, start: datetime, a: timedelta, b: timedelta, waited: tuple[pauses.Pause, ...]
) -> None:
    assert pauses.compute_due(clock, pauses.compute_due(clock, start, a, waited), b, waited) == pauses.compute_due(
        clock, start, a + b, waited
    )
    assert pauses.compute_due(clock, start, a, waited) <= pauses.compute_due(clock, start, a + b, waited)
    assert pauses.compute_due(clock, start, a, waited) >= pauses.compute_due(clock, start, a, ())


@few_examples
@given(clocks, moments, lengths, waits, minutes)
def test_a_pause_in_two_parts_is_one_pause(
    clock: Clock, start: datetime, length: timedelta, waited: tuple[pauses.Pause, ...], cut: int
) -> None:
    at = NOW + timedelta(minutes=cut)
    parts = [part for a, b in waited for part in ([(a, at), (at, b)] if a < at < b else [(a, b)])]
    assert pauses.compute_due(clock, start, length, parts) == pauses.compute_due(clock, start, length, waited)


facts = st.fixed_dictionaries(
    {
        "touches": st.lists(moments, max_size=3, unique=True).map(lambda each: tuple(sorted(each))),
        "accepted_at": st.none() | moments,
        "finished_at": st.none() | moments,
        "pauses": waits,
    }
)
COUNTERS = ("ladder_step", "acceptance_step", "next_touch_step", "stage_step")


@settings(max_examples=tried(12))
@given(facts, st.lists(moments, min_size=1, max_size=5))
def test_along_any_checks_each_step_is_taken_once_none_is_skipped_and_each_miss_stays(
    happened: dict[str, Any], times: list[datetime]
) -> None:
    """Each check knows the facts that happened before it, and keeps its counters for the next check."""
    kept: dict[str, Any] = {}
    taken: list[tuple[str, datetime, int]] = []
    misses: dict[tuple[str, datetime], datetime] = {}
    for now in [*sorted(times), max(times)]:
        known = {
            "touches": tuple(at for at in happened["touches"] if at <= now),
            **{
                name: at if (at := happened[name]) is not None and at <= now else None
                for name in ("accepted_at", "finished_at")
            },
            "pauses": tuple(each for each in happened["pauses"] if each[0] <= now),
        }
        row, targets = check_lead(now, **known, **kept)
        fresh = [(step.target, step.since, step.number) for step in row["steps"]]
        for target, since, number in fresh:
            assert number == 1 or (target, since, number - 1) in [*taken, *fresh]
        taken += fresh
        kept = {name: row[name] for name in (*COUNTERS, "last_touched_at")}
        missed = {(each["target"], each["since"]): each["due_at"] for each in targets if each["missed"]}
        assert len(missed) == sum(each["missed"] for each in targets)
        assert misses.items() <= missed.items()
        assert all(due <= now for due in missed.values())
        misses = missed
    assert len(taken) == len(set(taken))
    assert fresh == []  # the last check was at the same moment as the one before it


@settings(max_examples=tried(15))
@given(facts, moments, st.floats(0, 0.999))
def test_nothing_changes_before_the_next_check(happened: dict[str, Any], now: datetime, share: float) -> None:
    past: dict[str, Any] = {
        "touches": tuple(at for at in happened["touches"] if at <= now),
        "accepted_at": at if (at := happened["accepted_at"]) is not None and at <= now else None,
        "pauses": tuple(each for each in happened["pauses"] if each[0] <= now),
    }
    row, targets = check_lead(now, **past)
    kept = {name: row[name] for name in (*COUNTERS, "last_touched_at")}
    if row["stale"]:
        kept["stale_since"] = NOW
    until = row["next_check_at"]
    if pd.isna(until):
        until = now + timedelta(days=400)
    assert until > now
    later, then = check_lead(now + (until - now) * share, **past, **kept)
    assert later["steps"] == ()
    assert not later["stale"]
    assert [each["missed"] for each in then] == [each["missed"] for each in targets]


# --- touches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activity", "says"),
    [
        ({}, None),
        ({"rep": None}, None),
        ({"seconds": 0}, "it took 0 s, and a call counts from 1 s on"),
        ({"seconds": 1}, None),
        ({"kind": "demo"}, "demo is no kind of touch"),
        ({"kind": "email", "automatic": True}, "it was sent automatically"),
        ({"occurred_at": NOW - MICROSECOND}, "it was before the assignment"),
        ({"rep": "bob"}, "bob did it, not the owner"),
    ],
)
def test_why_something_is_no_touch(activity: dict[str, Any], says: str | None) -> None:
    call = {"kind": "call", "rep": "ana", "occurred_at": NOW, "seconds": None, "automatic": None}
    assert explain_no_touch(SimpleNamespace(**call | activity), FollowUp(), "ana", NOW) == says


def test_an_owner_who_takes_over_a_clock_is_not_charged_with_what_was_missed_before() -> None:
    before = {"clock_from": NOW, "due_at": NOW + 4 * HOUR, "due_soon_at": NOW + 3 * HOUR}
    _, late = check_lead(NOW + 6 * HOUR, assigned_at=NOW + 5 * HOUR, **before)
    _, in_time = check_lead(NOW + 6 * HOUR, assigned_at=NOW + 2 * HOUR, **before)
    told = [{each["target"]: (each["since"], each["missed"]) for each in found} for found in (late, in_time)]
    assert [each["first_touch"] for each in told] == [(pd.Timestamp(NOW), False), (pd.Timestamp(NOW), True)]
