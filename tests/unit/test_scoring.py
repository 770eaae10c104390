"""Points and verdicts: sums that are exact, windows, thresholds, bands, evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.playbook import Playbook
from leadgate.scoring import qualify, score

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOTHING_DONE = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})


def playbook(**parts: Any) -> Playbook:
    whole: dict[str, Any] = {
        "name": "test",
        "sources": {"website": {}},
        "reps": [{"name": "ann"}],
        "pools": [{"name": "all", "members": [{"rep": "ann"}]}],
        "routing": [{"name": "all", "to": "pool all"}],
    }
    return Playbook.model_validate(whole | parts)


def leads(count: int = 1, **columns: Any) -> pd.DataFrame:
    """A batch whose index is not 0, 1, 2, so that results must be aligned by it."""
    frame = pd.DataFrame({"journey_id": [1000 + i for i in range(count)], "source": "website", **columns})
    return frame.set_axis([7 * i + 3 for i in range(count)])


def done(*activities: tuple[int, str, datetime]) -> pd.DataFrame:
    return pd.DataFrame(activities, columns=["journey_id", "kind", "occurred_at"])


def scored(rule: dict[str, Any], activities: pd.DataFrame) -> int:
    result = score(leads(), playbook(scoring={"engagement": [{"name": "r", **rule}]}), activities, NOW)
    return int(result["engagement"].iloc[0])


def verdict(points: int, **qualification: Any) -> pd.Series[Any]:
    frame = leads(score=[points])
    return qualify(frame, playbook(qualification=qualification), NOW).iloc[0]


def test_every_contribution_is_named_and_they_add_up() -> None:
    rules = {
        "fit": [
            {"name": "large", "when": "employees >= 200", "points": 15},
            {"name": "german", "when": "country = 'DE'", "points": 8},
            {"name": "free_mail", "when": "is_free_mail", "points": -10},
        ],
        "engagement": [
            {"name": "web", "when": "source = 'website'", "points": 5},
            {"name": "demo", "activity": "demo_request", "points": 25},
        ],
    }
    frame = leads(2, employees=[500, None], country=["DE", "DE"], is_free_mail=[False, True])
    activities = done((1000, "demo_request", NOW - timedelta(days=1)))
    result = score(frame, playbook(scoring=rules), activities, NOW)
    assert result.index.tolist() == [3, 10]
    assert result["fit"].tolist() == [23, -2]
    assert result["engagement"].tolist() == [30, 5]
    assert result["score"].tolist() == [53, 3]
    assert result["contribution_sum"].tolist() == [53, 3]
    assert result["contributions"].tolist() == [
        '{"large":15,"german":8,"web":5,"demo":25}',
        '{"german":8,"free_mail":-10,"web":5}',
    ]


def test_without_rules_everybody_has_nothing() -> None:
    result = score(leads(2), playbook(), NOTHING_DONE, NOW)
    assert result["score"].tolist() == [0, 0]
    assert result["contributions"].tolist() == ["{}", "{}"]


def test_an_empty_batch_has_every_column() -> None:
    rules = {"fit": [{"name": "a", "when": "country = 'DE'", "points": 1}]}
    result = score(leads(0, country=[]), playbook(scoring=rules), NOTHING_DONE, NOW)
    assert result.empty
    grades = {"fit_grade", "engagement_grade", "grade"}
    written = {"contributions", "contribution_sum", "details"}
    assert {"fit", "engagement", "score", *grades, *written} == set(result.columns)


def test_an_activity_counts_once_or_each_time_up_to_its_most() -> None:
    three = done(*[(1000, "page_view", NOW - timedelta(hours=h)) for h in (1, 2, 3)])
    view = {"activity": "page_view", "points": 5}
    assert scored(view, three) == 5
    assert scored({**view, "count": "each"}, three) == 15
    assert scored({**view, "count": "each", "max_points": 12}, three) == 12
    assert scored({**view, "points": -5, "count": "each", "max_points": 12}, three) == -12


def test_a_window_includes_its_first_instant_and_nothing_before() -> None:
    rule = {"activity": "demo", "points": 5, "within": "2d"}
    assert scored(rule, done((1000, "demo", NOW - timedelta(days=2)))) == 5
    assert scored(rule, done((1000, "demo", NOW - timedelta(days=2, microseconds=1)))) == 0


def test_what_is_yet_to_happen_and_what_others_did_does_not_count() -> None:
    rule = {"activity": "demo", "points": 5}
    assert scored(rule, done((1000, "demo", NOW))) == 5
    assert scored(rule, done((1000, "demo", NOW + timedelta(microseconds=1)))) == 0
    assert scored(rule, done((999, "demo", NOW))) == 0
    assert scored(rule, done((1000, "call", NOW))) == 0


def test_activities_count_for_their_own_journey_in_any_order() -> None:
    rules = {"engagement": [{"name": "demo", "activity": "demo", "points": 5, "count": "each"}]}
    activities = done((1002, "demo", NOW), (1000, "demo", NOW), (1002, "demo", NOW))
    result = score(leads(3), playbook(scoring=rules), activities, NOW)
    assert result["score"].tolist() == [5, 0, 10]


POINTS = st.integers(-1000, 1000)


@settings(max_examples=tried(40))
@given(
    fit=st.lists(st.tuples(st.integers(0, 9), POINTS), max_size=6),
    engagement=st.lists(st.tuples(POINTS, st.booleans(), st.none() | POINTS), max_size=4),
    employees=st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=8),
    happened=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=20),
)
def test_the_score_is_the_exact_sum_of_what_is_written(
    fit: list[tuple[int, int]],
    engagement: list[tuple[int, bool, int | None]],
    employees: list[int | None],
    happened: list[tuple[int, int]],
) -> None:
    rules = {
        "fit": [
            {"name": f"f{i}", "when": f"employees >= {limit}", "points": points}
            for i, (limit, points) in enumerate(fit)
        ],
        "engagement": [
            {"name": f"e{i}", "activity": f"a{i}", "points": points, "count": "each" if each else "once"}
            | ({"max_points": most} if each else {})
            for i, (points, each, most) in enumerate(engagement)
        ],
    }
    frame = leads(len(employees), employees=pd.Series(employees, dtype="Int64"))
    activities = done(*[(1000 + lead, f"a{kind}", NOW) for lead, kind in happened])
    result = score(frame, playbook(scoring=rules), activities, NOW)

    def expected(position: int, count: int | None) -> dict[str, int]:
        found = {}
        for i, (limit, points) in enumerate(fit):
            found[f"f{i}"] = points if count is not None and count >= limit else 0
        for i, (points, each, most) in enumerate(engagement):
            times = happened.count((position, i))
            total = points * (times if each else min(times, 1))
            cap = abs(most) if each and most is not None else abs(total)
            found[f"e{i}"] = max(-cap, min(cap, total))
        return {name: value for name, value in found.items() if value}

    for position, (row, count) in enumerate(zip(result.itertuples(), employees, strict=True)):
        written = json.loads(str(row.contributions))
        assert written == expected(position, count)
        assert list(written) == list(expected(position, count))
        assert row.score == row.contribution_sum == sum(written.values()) == row.fit + row.engagement


@pytest.mark.parametrize(
    ("points", "outcome", "qualified_as"),
    [
        (29, "nurture", None),
        (30, "review", None),
        (39, "review", None),
        (40, "continue", "marketing_qualified"),
        (59, "continue", "marketing_qualified"),
        (60, "continue", "sales_qualified"),
    ],
)
def test_thresholds_and_band(points: int, outcome: str, qualified_as: str | None) -> None:
    result = verdict(points, review={"lowest": 30, "below": 40})
    assert (result["outcome"], result["qualified_as"]) == (outcome, qualified_as)
    assert len(result["reasons"]) == 1
    assert str(points) in result["reasons"][0]


def test_between_band_and_threshold_is_nurtured() -> None:
    assert verdict(36, review={"lowest": 30, "below": 35})["outcome"] == "nurture"


def test_sales_says_when_it_is_qualified() -> None:
    result = verdict(90, sales_qualified_by="acceptance")
    assert result["qualified_as"] == "marketing_qualified"
    assert "once sales accepts" in result["reasons"][0]


def test_a_disqualifier_beats_any_score_and_every_reason_is_given() -> None:
    rules = [
        {"name": "student", "when": "job_title ilike '%student%'", "reason": "A student"},
        {"name": "embargo", "when": "country = 'KP'", "reason": "A country we may not sell to"},
        {"name": "tiny", "when": "employees < 2", "reason": "Too small"},
    ]
    frame = leads(
        3,
        job_title=["Student", "CEO", None],
        country=["KP", "DE", None],
        employees=[500, 1, None],
        score=[99] * 3,
    )
    result = qualify(frame, playbook(qualification={"disqualify": rules}), NOW)
    assert result["outcome"].tolist() == ["disqualified", "disqualified", "continue"]
    assert result["reasons"].tolist()[:2] == [["A student", "A country we may not sell to"], ["Too small"]]
    assert result["qualified_as"].tolist() == [None, None, "sales_qualified"]


def test_evidence_names_the_field_and_never_its_value() -> None:
    rules = {
        "budget": {"when": "budget is not null", "value": "budget"},
        "authority": {"when": "job_title ilike '%chief%'", "value": "job_title"},
        "need": {"when": "message is not null", "value": "message"},
        "timeline": {"when": "timeline is not null"},
    }
    frame = leads(
        2,
        budget=["50k", None],
        job_title=["Chief Bean Counter", "Intern"],
        message=["my own words", None],
        timeline=["soon", None],
        score=[0, 0],
    )
    first, second = map(json.loads, qualify(frame, playbook(qualification={"evidence": rules}), NOW)["evidence"])
    assert first == {
        "budget": {"known": True, "field": "budget"},
        "authority": {"known": True, "field": "job_title"},
        "need": {"known": True, "field": "message"},  # personal: named, not copied
        "timeline": {"known": True},
    }
    assert {part: proof["known"] for part, proof in second.items()} == dict.fromkeys(rules, False)
    assert not any("value" in proof for proof in second.values())


def test_qualifying_keeps_the_index_and_takes_an_empty_batch() -> None:
    result = qualify(leads(2, score=[0, 100]), playbook(), NOW)
    assert result.index.tolist() == [3, 10]
    assert result["evidence"].tolist() == ["{}", "{}"]
    rules = [{"name": "x", "when": "country = 'KP'", "reason": "no"}]
    empty = leads(0, score=[], country=[])
    assert qualify(empty, playbook(qualification={"disqualify": rules}), NOW).empty
