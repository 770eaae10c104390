"""Scores that age: decay, caps, grades, hysteresis, and the moment at which time alone changes a verdict.

Long as one file: properties of one function over time, with the same strategies.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.playbook import Playbook
from leadgate.scoring import find_next_changes, qualify, score

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def playbook(scoring: dict[str, Any], **qualification: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "name": "test",
            "sources": {"website": {}},
            "reps": [{"name": "ann"}],
            "pools": [{"name": "all", "members": [{"rep": "ann"}]}],
            "routing": [{"name": "all", "to": "pool all"}],
            "scoring": scoring,
            "qualification": qualification,
        }
    )


def lead(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"journey_id": [1], "source": "website", **{name: [value] for name, value in columns.items()}})


def did(*activities: tuple[str, timedelta]) -> pd.DataFrame:
    """What lead 1 did, each so long before ``NOW``."""
    rows = [(1, kind, NOW - ago) for kind, ago in activities]
    return pd.DataFrame(rows, columns=["journey_id", "kind", "occurred_at"])


def points(rule: dict[str, Any], *ages: timedelta, at: datetime = NOW) -> int:
    engagement = [{"name": "view", "activity": "view", **rule}]
    views = did(*[("view", age) for age in ages])
    return int(score(lead(), playbook({"engagement": engagement}), views, at)["score"].iloc[0])


def judged(rules: Playbook, activities: pd.DataFrame, at: datetime, was: str | None = None) -> dict[str, Any]:
    """The whole decision about lead 1 as of a moment."""
    frame = lead(was=was, finished=False)
    scored = score(frame, rules, activities, at)
    frame[list(scored.columns)] = scored
    verdict = qualify(frame, rules, at, activities)
    frame[list(verdict.columns)] = verdict
    frame["changes_at"] = find_next_changes(frame, rules, activities, at)
    return {str(name): value for name, value in frame.iloc[0].items()}


# --- Decay ------------------------------------------------------------------------------------------------


def test_an_activity_is_worth_half_after_each_half_life_and_is_rounded_once() -> None:
    rule = {"points": 20, "half_life": "14d"}
    assert [points(rule, n * 14 * DAY) for n in (0, 1, 2, 3, 4, 5, 6)] == [20, 10, 5, 2, 1, 1, 0]
    assert points({"points": -20, "half_life": "14d"}, 3 * 14 * DAY) == -2  # a half is rounded towards zero


def test_each_activity_decays_by_its_own_age_and_their_sum_is_rounded() -> None:
    rule = {"points": 1, "half_life": "7d", "count": "each"}
    assert points(rule, 7 * DAY) == 0
    assert points(rule, 7 * DAY, 7 * DAY) == 1
    assert points(rule, *[7 * DAY] * 5, 0 * DAY) == 3  # 3.5
    assert points({**rule, "points": 10, "max_points": 12}, 0 * DAY, 7 * DAY) == 12


def test_of_a_rule_that_counts_once_the_latest_counts_and_the_window_ends_it() -> None:
    rule = {"points": 16, "half_life": "10d", "within": "20d"}
    assert points(rule, 15 * DAY, 10 * DAY, 30 * DAY) == 8
    assert points(rule, 20 * DAY) == 4
    assert points(rule, 20 * DAY + timedelta(microseconds=1)) == 0


def test_what_decayed_is_told_with_what_it_was() -> None:
    rules = playbook({
        "fit": [{"name": "web", "when": "source = 'website'", "points": 7}],
        "engagement": [
            {"name": "view", "activity": "view", "points": 5, "half_life": "9d"},
            {"name": "demo", "activity": "demo", "points": 25, "half_life": "30d"},
        ],
    })  # fmt: skip
    result = score(lead(), rules, did(("view", 9 * DAY), ("view", 20 * DAY), ("demo", timedelta())), NOW).iloc[0]
    assert json.loads(result["contributions"]) == {"web": 7, "view": 2, "demo": 25}
    latest = (NOW - 9 * DAY).isoformat(timespec="seconds")
    assert json.loads(result["details"]) == {"fit": ["web"], "decayed": {"view": {"of": 5, "latest": latest}}}


AGES = st.lists(st.integers(0, 60 * 86_400).map(lambda seconds: timedelta(seconds=seconds)), min_size=1, max_size=6)
RULES = st.fixed_dictionaries(
    {"points": st.integers(-60, 60)},
    optional={
        "half_life": st.sampled_from(["6h", "5d", "30d"]),
        "within": st.sampled_from(["2d", "45d"]),
        "count": st.just("each"),
    },
)


@settings(max_examples=tried(25))
@given(rule=RULES, ages=AGES, later=st.integers(0, 90 * 86_400))
def test_without_news_points_only_move_towards_zero(rule: dict[str, Any], ages: list[timedelta], later: int) -> None:
    before = points(rule, *ages)
    after = points(rule, *ages, at=NOW + timedelta(seconds=later))
    assert abs(after) <= abs(before)
    assert before * after >= 0


@settings(max_examples=tried(20))
@given(rule=RULES, ages=AGES, order=st.randoms(use_true_random=False))
def test_a_score_as_of_a_moment_rests_on_what_had_happened_by_then_in_any_order(
    rule: dict[str, Any], ages: list[timedelta], order: Any
) -> None:
    shuffled = [*ages, *[-age - SECOND for age in ages]]  # and as many that are yet to happen
    order.shuffle(shuffled)
    assert points(rule, *shuffled) == points(rule, *ages)
    beside = pd.concat([did(*[("view", age) for age in ages]).assign(journey_id=n) for n in (1, 2, 3)])
    frame = pd.DataFrame({"journey_id": [3, 1, 2], "source": "website"})
    rules = playbook({"engagement": [{"name": "view", "activity": "view", **rule}]})
    assert set(score(frame, rules, beside, NOW)["score"]) == {points(rule, *ages)}


# --- Caps and grades --------------------------------------------------------------------------------------


def test_a_cap_is_a_contribution_of_its_own() -> None:
    rules = playbook({
        "groups": {"pages": {"max_points": 15}, "doubts": {"min_points": -10}},
        "caps": {"engagement": {"max_points": 20}},
        "fit": [
            {"name": "a", "when": "source = 'website'", "points": -30, "group": "doubts"},
            {"name": "b", "when": "source = 'website'", "points": 40},
        ],
        "engagement": [
            {"name": "view", "activity": "view", "points": 10, "group": "pages"},
            {"name": "visit", "activity": "visit", "points": 10, "group": "pages"},
            {"name": "demo", "activity": "demo", "points": 25},
        ],
    })  # fmt: skip
    result = score(lead(), rules, did(("view", DAY), ("visit", DAY), ("demo", DAY)), NOW).iloc[0]
    assert (result["fit"], result["engagement"], result["score"]) == (30, 20, 50)
    assert json.loads(result["contributions"]) == {
        "a": -30, "b": 40, "cap of doubts": 20,
        "view": 10, "visit": 10, "demo": 25, "cap of pages": -5, "cap of engagement": -20,
    }  # fmt: skip
    assert json.loads(result["details"])["fit"] == ["a", "b", "cap of doubts"]


@settings(max_examples=tried(25))
@given(data=st.data())
def test_contributions_sum_to_the_score_and_caps_are_kept(data: st.DataObject) -> None:
    caps = st.fixed_dictionaries({"max_points": st.integers(0, 40), "min_points": st.integers(-40, 0)})
    group = st.none() | st.sampled_from(["one", "two"])
    fit = [
        {"name": f"f{n}", "when": "source = 'website'", "points": p, "group": g and f"fit_{g}"}
        for n, (p, g) in enumerate(data.draw(st.lists(st.tuples(st.integers(-50, 50), group), max_size=4)))
    ]
    engagement = [
        {"name": f"e{n}", "activity": kind, "group": g, **rule}
        for n, (kind, g, rule) in enumerate(
            data.draw(st.lists(st.tuples(st.sampled_from(["view", "demo"]), group, RULES), max_size=4))
        )
    ]
    groups = {name: data.draw(caps) for name in ("one", "two", "fit_one", "fit_two")}
    whole = {name: data.draw(caps) for name in ("fit", "engagement")}
    scoring = {"fit": fit, "engagement": engagement, "groups": groups, "caps": whole}
    views = did(*[(data.draw(st.sampled_from(["view", "demo"])), age) for age in data.draw(AGES)])
    as_of = NOW + data.draw(st.integers(-40, 40)) * DAY
    result = score(lead(), playbook(scoring), views, as_of).iloc[0]
    told = json.loads(result["contributions"])
    shown = set(json.loads(result["details"])["fit"])
    assert sum(told.values()) == result["score"] == result["contribution_sum"] == result["fit"] + result["engagement"]
    assert sum(number for name, number in told.items() if name in shown) == result["fit"]
    for part in whole:
        assert whole[part]["min_points"] <= result[part] <= whole[part]["max_points"]
    for name, cap in groups.items():
        members = [rule["name"] for rule in (*fit, *engagement) if rule["group"] == name]
        together = sum(told.get(member, 0) for member in (*members, f"cap of {name}"))
        assert cap["min_points"] <= together <= cap["max_points"]


GRADES = {"fit": {"A": 40, "B": 25, "C": 10}, "engagement": {1: 30, 2: 15, 3: 5}}


@pytest.mark.parametrize(
    ("fit", "engagement", "grade"), [(40, 30, "A1"), (39, 29, "B2"), (10, 5, "C3"), (9, 4, "D4"), (-5, -5, "D4")]
)
def test_grades_are_told_beside_the_number(fit: int, engagement: int, grade: str) -> None:
    rules = playbook({
        "grades": GRADES,
        "fit": [{"name": "f", "when": "true", "points": fit}],
        "engagement": [{"name": "e", "when": "true", "points": engagement}],
    })  # fmt: skip
    result = score(lead(), rules, did(), NOW).iloc[0]
    assert (result["grade"], result["fit_grade"], result["engagement_grade"]) == (grade, grade[0], int(grade[1]))


def test_without_grades_there_are_none() -> None:
    result = score(lead(), playbook({}), did(), NOW)
    assert result[["grade", "fit_grade", "engagement_grade"]].isna().all(axis=None)


def test_leads_can_qualify_by_grade_and_stay_down_to_others() -> None:
    by_grade = {"marketing_qualified": ["B1", "A2"], "sales_qualified": ["A1"]}
    rules = playbook({"grades": GRADES}, grades=by_grade, leave={"grades": {"marketing_qualified": ["A3"]}})
    frame = pd.DataFrame({
        "journey_id": range(6), "source": "website", "score": 0, "finished": False,
        "grade": ["A1", "A2", "A3", "A3", "D4", "D4"],
        "was": [None, None, None, "marketing_qualified", None, "sales_qualified"],
    })  # fmt: skip
    result = qualify(frame, rules, NOW)
    assert result["qualified_as"].tolist() == [
        "sales_qualified", "marketing_qualified", None, "marketing_qualified", None, None,
    ]  # fmt: skip
    assert result["reasons"].map("".join).tolist() == [
        "grade A1 is sales-qualified",
        "grade A2 is marketing-qualified",
        "grade A3 is not among those from which a lead is marketing-qualified (B1, A2, A1)",
        "a lead that was marketing-qualified stays so at grade A3",
        "grade D4 is not among those from which a lead is marketing-qualified (B1, A2, A1)",
        "grade D4 is no longer among those from which a lead is marketing-qualified (B1, A2, A1)",
    ]


# --- Hysteresis -------------------------------------------------------------------------------------------

EDGES: dict[str, Any] = {
    "marketing_qualified": 35,
    "sales_qualified": 55,
    "leave": {"marketing_qualified": 28, "sales_qualified": 48},
}
NUMBERS = {None: 0, "marketing_qualified": 1, "sales_qualified": 2}


def verdict(number: int, was: str | None, **more: Any) -> pd.Series[Any]:
    frame = lead(score=number, was=was, finished=more.pop("finished", False))
    return qualify(frame, playbook({}, **(EDGES | more)), NOW).iloc[0]


@settings(max_examples=tried(25))
@given(path=st.lists(st.integers(20, 65), min_size=1, max_size=8))
def test_a_verdict_changes_only_by_crossing_enter_upwards_or_leave_downwards(path: list[int]) -> None:
    was: str | None = None
    for number in path:
        now = verdict(number, was)["qualified_as"]
        for level, enter, leave in ((1, 35, 28), (2, 55, 48)):
            before, after = NUMBERS[was] >= level, NUMBERS[now] >= level
            assert (after and not before) == (not before and number >= enter)
            assert (before and not after) == (before and number < leave)
        assert verdict(number, now)["qualified_as"] == now  # the same score never changes it twice
        was = now


@pytest.mark.parametrize(
    ("number", "was", "words"),
    [
        (35, None, "a score of 35 reaches 35: marketing-qualified"),
        (30, None, "a score of 30 is below 35, from which a lead is marketing-qualified"),
        (30, "marketing_qualified", "a score of 30 is below 35, but a lead that was marketing-qualified stays so down to 28"),
        (27, "marketing_qualified", "a score of 27 is below 28: no longer marketing-qualified"),
        (50, "sales_qualified", "a score of 50 is below 55, but a lead that was sales-qualified stays so down to 48"),
        (47, "sales_qualified", "a score of 47 is below 48: no longer sales-qualified, but marketing-qualified"),
        (20, "sales_qualified", "a score of 20 is below 28: no longer marketing-qualified"),
    ],
)  # fmt: skip
def test_the_edge_is_told_in_words(number: int, was: str | None, words: str) -> None:
    assert verdict(number, was)["reasons"] == [words]


def test_a_lead_that_was_followed_up_is_done_or_nurtured_never_reviewed_or_assigned_again() -> None:
    review = {"review": {"lowest": 20, "below": 35}}
    stays = verdict(30, "marketing_qualified", finished=True, **review)
    assert (stays["outcome"], stays["qualified_as"]) == ("done", "marketing_qualified")
    assert stays["reasons"][-1] == "it was followed up before, so nobody is assigned again"
    assert verdict(25, "marketing_qualified", finished=True, **review)["outcome"] == "nurture"
    assert verdict(25, "marketing_qualified", **review)["outcome"] == "review"


# --- Evidence ---------------------------------------------------------------------------------------------


def test_evidence_is_known_by_a_field_or_an_activity_or_known_to_be_missing() -> None:
    rules = playbook(
        {},
        evidence={
            "budget": {"when": "budget is not null", "negative": "budget = 'none'", "value": "budget"},
            "need": {"when": "product is not null", "activity": "demo_request", "value": "product"},
            "timeline": {"activity": "asked_for_a_quote"},
        },
    )
    frame = lead(score=50, budget="none", product=None)
    asked = did(("demo_request", 3 * DAY), ("demo_request", 5 * DAY), ("asked_for_a_quote", -DAY))
    found = json.loads(qualify(frame, rules, NOW, asked)["evidence"].iloc[0])
    assert found == {
        "budget": {"known": False, "negative": True, "field": "budget"},
        "need": {"known": True, "activity": "demo_request", "at": (NOW - 3 * DAY).isoformat(timespec="seconds")},
        "timeline": {"known": False},  # it is yet to happen
    }


def test_a_verdict_can_require_evidence() -> None:
    rules: dict[str, Any] = {
        "evidence": {"budget": {"when": "budget is not null"}, "need": {"when": "product is not null"}},
        "requires": {"sales_qualified": ["budget", "need"], "marketing_qualified": ["need"]},
    }
    frame = pd.DataFrame(
        {
            "journey_id": range(3),
            "source": "website",
            "score": 70,
            "budget": ["1", None, None],
            "product": ["x", "x", None],
        }
    )
    result = qualify(frame, playbook({}, **rules), NOW)
    assert result["qualified_as"].tolist() == ["sales_qualified", "marketing_qualified", None]
    assert result["outcome"].tolist() == ["continue", "continue", "nurture"]
    assert result["reasons"].tolist()[1:] == [
        ["budget is not known, which sales-qualified requires", "a score of 70 reaches 40: marketing-qualified"],
        ["need is not known, which marketing-qualified requires", "a score of 70 would reach 40"],
    ]


# --- When time alone changes a verdict --------------------------------------------------------------------


def test_a_lead_goes_cold_at_a_moment_that_is_known_beforehand() -> None:
    rules = playbook(
        {"engagement": [{"name": "demo", "activity": "demo", "points": 40, "half_life": "10d"}]},
        marketing_qualified=20, leave={"marketing_qualified": 10},
    )  # fmt: skip
    found = judged(rules, did(("demo", timedelta())), NOW)
    # 9.5 is rounded towards zero: 40 · 2^(−t/10) = 9.5
    exact = NOW + 10 * DAY * float(np.log2(40 / 9.5))
    assert abs(found["changes_at"] - exact) <= SECOND


def test_the_end_of_a_window_and_an_activity_to_come_are_moments_of_change() -> None:
    rules = playbook({"engagement": [{"name": "demo", "activity": "demo", "points": 40, "within": "30d"}]})
    assert judged(rules, did(("demo", 29 * DAY)), NOW)["changes_at"] == NOW + DAY + SECOND
    assert judged(rules, did(("demo", -3 * DAY)), NOW)["changes_at"] == NOW + 3 * DAY


def test_time_alone_can_warm_a_lead_up() -> None:
    rules = playbook({
        "fit": [{"name": "web", "when": "true", "points": 50}],
        "engagement": [{"name": "complained", "activity": "complaint", "points": -40, "half_life": "7d"}],
    })  # fmt: skip
    complaint = did(("complaint", timedelta()))
    cold = judged(rules, complaint, NOW)
    assert cold["outcome"] == "nurture"
    assert judged(rules, complaint, cold["changes_at"])["outcome"] == "continue"


def test_a_dip_in_between_is_found_though_the_score_recovers() -> None:
    rules = playbook(
        {
            "fit": [{"name": "web", "when": "true", "points": 40}],
            "engagement": [
                {"name": "demo", "activity": "demo", "points": 20, "half_life": "2d"},
                {"name": "complained", "activity": "complaint", "points": -20, "half_life": "60d"},
            ],
        },
        **EDGES,
    )  # fmt: skip
    both = did(("demo", timedelta()), ("complaint", timedelta()))
    moment = judged(rules, both, NOW)["changes_at"]
    assert moment < NOW + 5 * DAY
    assert judged(rules, both, moment)["score"] == 27
    assert judged(rules, both, NOW + 600 * DAY)["score"] == judged(rules, both, NOW)["score"] == 40


def test_where_sales_accepts_only_the_lower_threshold_changes_a_verdict() -> None:
    scoring = {"engagement": [{"name": "demo", "activity": "demo", "points": 80, "half_life": "10d"}]}
    asked = did(("demo", timedelta()))
    by_score = judged(playbook(scoring, **EDGES), asked, NOW)["changes_at"]
    accepted = judged(playbook(scoring, **EDGES, sales_qualified_by="acceptance"), asked, NOW)["changes_at"]
    assert by_score < NOW + 10 * DAY < accepted


@pytest.mark.parametrize("activities", [did(), did(("other", DAY)), did(("demo", DAY))])
def test_what_does_not_age_never_changes(activities: pd.DataFrame) -> None:
    rules = playbook({"engagement": [{"name": "demo", "activity": "demo", "points": 50}]})
    assert judged(rules, activities, NOW)["changes_at"] is None


@settings(max_examples=tried(20))
@given(
    engagement=st.lists(st.tuples(st.sampled_from(["view", "demo"]), RULES), min_size=1, max_size=3),
    fit=st.integers(-20, 40),
    happened=st.lists(
        st.tuples(st.sampled_from(["view", "demo"]), st.integers(0, 40 * 86_400)), min_size=1, max_size=5
    ),
    was=st.sampled_from([None, "marketing_qualified", "sales_qualified"]),
    graded=st.booleans(),
    more=st.fixed_dictionaries(
        {"sales_qualified_by": st.sampled_from(["threshold", "acceptance"])},
        optional={
            "evidence": st.just({"need": {"activity": "demo"}}),
            "requires": st.just({"sales_qualified": ["need"]}),
        },
    ),
    samples=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_nothing_changes_before_the_moment_foretold_and_something_does_then(
    engagement: list[Any], fit: int, happened: list[Any], was: str | None, graded: bool, more: Any, samples: list[float]
) -> None:
    rules = playbook(
        {
            "fit": [{"name": "f", "when": "true", "points": fit}],
            "engagement": [{"name": f"e{n}", "activity": kind, **rule} for n, (kind, rule) in enumerate(engagement)],
            "caps": {"engagement": {"max_points": 50}},
            "grades": GRADES if graded else None,
        },
        **EDGES,
        review={"lowest": 15, "below": 25},
        **more,
    )
    activities = did(*[(kind, timedelta(seconds=ago)) for kind, ago in happened])
    now = judged(rules, activities, NOW, was)
    if now["outcome"] == "review":
        assert now["changes_at"] is None
        return

    def decided(at: datetime) -> tuple[Any, ...]:
        later = judged(rules, activities, at, now["qualified_as"])
        review = later["outcome"] == "review" and now["outcome"] == "nurture"
        return later["qualified_as"], later["grade"], review

    moment = now["changes_at"]
    today = now["qualified_as"], now["grade"], False
    if moment is not None:
        assert decided(moment) != today
        assert decided(moment - SECOND) == today
    span = (moment - SECOND if moment is not None else NOW + 3000 * DAY) - NOW
    for sample in samples:
        at = NOW + timedelta(seconds=int(span.total_seconds() * sample))
        assert decided(at) == today


@settings(max_examples=tried(5))
@given(ages=st.lists(st.integers(0, 40 * 86_400), min_size=2, max_size=6))
def test_the_forecast_of_a_batch_is_that_of_each_lead(ages: list[int]) -> None:
    rules = playbook({"engagement": [{"name": "view", "activity": "view", "points": 50, "half_life": "9d"}]}, **EDGES)
    rows = [(n, "view", NOW - timedelta(seconds=age)) for n, age in enumerate(ages)]
    frame = pd.DataFrame({"journey_id": range(len(ages)), "source": "website"}).set_axis(
        [f"x{n}" for n in range(len(ages))]
    )
    activities = pd.DataFrame(rows, columns=["journey_id", "kind", "occurred_at"])
    frame = frame.join(score(frame, rules, activities, NOW))
    frame = frame.join(qualify(frame, rules, NOW, activities))
    alone = [judged(rules, did(("view", timedelta(seconds=age))), NOW)["changes_at"] for age in ages]
    assert find_next_changes(frame, rules, activities, NOW).tolist() == alone
