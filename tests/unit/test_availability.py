"""Who can take a lead, when they can again, whom it suits, and how those who were away or are new come in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment.assignment_result import Assigned
from leadgate.assignment.availability import Load, find_mondays
from leadgate.assignment.rotation import LEAD, MOST_MISSED, PoolState, Rotation
from leadgate.assignment.routing import assign
from leadgate.playbook import Playbook
from leadgate.values.languages import find_language

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # a Friday, 16:00 in Berlin, 10:00 in New York
WORKDAYS = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
HOURS = {
    "berlin": {"time_zone": "Europe/Berlin", "week": WORKDAYS},
    "new_york": {"time_zone": "America/New_York", "week": WORKDAYS},
}


def playbook(*reps: dict[str, Any], routing: list[dict[str, Any]] | None = None, **pool: Any) -> Playbook:
    """``reps`` in one pool ``sales`` with the keys of ``pool``."""
    members = pool.pop("members", [{"rep": rep["name"]} for rep in reps])
    return Playbook.model_validate(
        {
            "name": "test",
            "sources": {"web": {}},
            "hours": HOURS,
            "reps": reps,
            "pools": [{"name": "sales", "members": members, **pool}],
            "routing": routing or [{"name": "everybody", "to": "pool sales"}],
        }
    )


def rep(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def run(
    book: Playbook,
    count: int = 1,
    *,
    loads: dict[str, Load] | None = None,
    pools: dict[str, PoolState] | None = None,
    now: datetime = NOW,
    **columns: list[Any],
) -> Assigned:
    routes = tuple(route.name for route in book.routing)
    frame = pd.DataFrame({"routes": [routes] * count, **columns})
    return assign(frame, book, pools or {}, loads or {}, now)


def owners(assigned: Assigned) -> list[str | None]:
    found: list[str | None] = assigned.frame["owner"].tolist()
    return found


def reasons(assigned: Assigned, row: int = 0) -> dict[str, str]:
    return {each["rep"]: each["reason"] for each in orjson.loads(assigned.frame["candidates"].iloc[row])}


# --- caps and absences ------------------------------------------------------------------------------------


def test_a_weeks_cap_begins_on_monday_at_the_reps_own_midnight() -> None:
    book = playbook(rep("ana", time_zone="America/New_York"), rep("ben", time_zone="Asia/Tokyo"), rep("cy"))
    assert find_mondays(book, NOW) == {
        "ana": datetime(2026, 3, 2, 5, tzinfo=UTC),
        "ben": datetime(2026, 3, 1, 15, tzinfo=UTC),
        "cy": datetime(2026, 3, 2, tzinfo=UTC),
    }
    monday = datetime(2026, 3, 9, 4, 30, tzinfo=UTC)  # half past midnight in New York, since the clocks went forward
    assert find_mondays(book, monday)["ana"] == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_who_reached_the_weeks_cap_waits_until_monday() -> None:
    book = playbook(rep("ana", max_per_week=10, max_per_day=10), nobody_available={"do": "wait"})
    assigned = run(book, 3, loads={"ana": Load(open=8, today=0, week=8)})
    assert owners(assigned) == ["ana", "ana", None]
    assert reasons(assigned, 2) == {"ana": "reached 10 a week"}
    assert assigned.frame["run_after"].iloc[2] == datetime(2026, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2026-03-06T11:59Z", None),
        ("2026-03-06T12:00Z", "absent until 2026-03-09 12:00"),  # 13:00 in Berlin
        ("2026-03-09T10:59Z", "absent until 2026-03-09 12:00"),
        ("2026-03-09T11:00Z", None),
    ],
)
def test_an_absence_may_begin_and_end_within_a_day(now: str, reason: str | None) -> None:
    away = [{"first": "2026-03-06", "last": "2026-03-09", "leaves": "13:00", "returns": "12:00"}]
    book = playbook(rep("ana", time_zone="Europe/Berlin", absent=away))
    assert reasons(run(book, now=datetime.fromisoformat(now)))["ana"] == (reason or "next in turn")


# --- working hours ----------------------------------------------------------------------------------------


def test_who_is_outside_their_hours_is_passed_over_with_the_time_they_are_back() -> None:
    book = playbook(
        rep("ana", time_zone="Europe/Berlin"), rep("ben", hours="new_york"), only_in_hours=True, hours="berlin"
    )
    friday_evening = run(book, now=datetime(2026, 3, 6, 17, 0, tzinfo=UTC))
    assert owners(friday_evening) == ["ben"]
    assert reasons(friday_evening)["ana"] == "outside their hours, back 2026-03-09 09:00 (Europe/Berlin)"
    assert owners(run(book, 2)) == ["ana", "ben"]


def test_a_lead_waits_until_the_first_of_them_is_back_at_work() -> None:
    away = [{"first": "2026-03-09", "last": "2026-03-09"}]  # ana's Monday, who would have been the first
    book = playbook(
        rep("ana", time_zone="Europe/Berlin", absent=away), rep("ben", hours="new_york"), rep("cy", max_open=0),
        only_in_hours=True, hours="berlin", nobody_available={"do": "wait"},
    )  # fmt: skip
    saturday = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    without_cy = run(book, now=saturday)
    assert without_cy.frame["run_after"].iloc[0] == saturday + timedelta(hours=1)  # cy's cap may end at any time
    book = playbook(
        rep("ana", time_zone="Europe/Berlin", absent=away), rep("ben", hours="new_york"),
        only_in_hours=True, hours="berlin", nobody_available={"do": "wait"},
    )  # fmt: skip
    waits = run(book, now=saturday)
    assert waits.frame["run_after"].iloc[0] == datetime(2026, 3, 9, 13, 0, tzinfo=UTC)  # 9 o'clock in New York
    assert "It is tried again at 2026-03-09 13:00 UTC." in waits.frame["why"].iloc[0]
    tuesday = run(book, now=saturday, excluded=[["ben"]])
    assert tuesday.frame["run_after"].iloc[0] == datetime(2026, 3, 10, 8, 0, tzinfo=UTC)  # when ana is


# --- languages and skills ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [("de", "de"), ("DE-at", "de"), ("pt_BR", "pt"), ("German", "de"), ("Deutsch", "de"), (" Español ", "es"),
     ("Klingon, maybe", "klingon, maybe")],
)  # fmt: skip
def test_a_language_is_known_however_it_is_written(text: str, code: str) -> None:
    assert find_language(text) == code


SPEAKERS = (rep("ana", languages=["de", "en"]), rep("ben", languages=["EN"]), rep("cy", languages=["fr"]))


def test_who_speaks_the_leads_language_is_preferred_and_the_others_keep_their_turn() -> None:
    assigned = run(playbook(*SPEAKERS, language="preferred"), 4, language=["German", None, "fr-FR", "sv"])
    assert owners(assigned) == ["ana", "ben", "cy", "ana"]  # nobody speaks Swedish, so it is anybody's turn
    assert reasons(assigned) == {
        "ana": "next in turn",
        "ben": "does not speak the lead's language, de, and others do",
        "cy": "does not speak the lead's language, de, and others do",
    }
    assert "because they do not suit the lead: ben, cy." in assigned.frame["why"].iloc[0]


def test_a_language_that_is_required_leaves_nobody_else() -> None:
    book = playbook(*SPEAKERS, language="required", nobody_available={"do": "wait"})
    assigned = run(book, 2, language=["fr", "sv"])
    assert owners(assigned) == ["cy", None]
    assert assigned.frame["outcome"].iloc[1] == "hold"  # waiting would teach nobody Swedish
    assert reasons(assigned, 1)["ana"] == "does not speak the lead's language, sv"


def test_a_route_asks_for_skills_and_a_pool_for_the_product() -> None:
    reps = (rep("ana", skills=["Payroll"]), rep("ben", skills=["payroll", "Billing Suite"]), rep("cy"))
    routing = [{"name": "payroll", "to": "pool sales", "requires": ["PAYROLL"]}]
    assigned = run(playbook(*reps, product="preferred", routing=routing), 2, product=["billing suite ", None])
    assert owners(assigned) == ["ben", "ana"]
    assert reasons(assigned) == {
        "ana": "does not know the product, and others do",
        "ben": "next in turn",
        "cy": "does not have the skill payroll",
    }


# --- named people -----------------------------------------------------------------------------------------

AWAY = [{"first": "2026-03-02", "last": "2026-03-08"}]


@pytest.mark.parametrize(
    ("when_away", "to", "outcome", "owner"),
    [
        (None, "account_owner", "owned", "cy"),
        (None, "rep ana", "hold", None),
        ("pass_on", "rep ana", "owned", "cy"),
        ("hold", "account_owner", "hold", None),
        ("manager", "account_owner", "owned", "ben"),
        ("wait", "account_owner", "wait", None),
    ],
)
def test_a_named_person_who_is_away(when_away: str | None, to: str, outcome: str, owner: str | None) -> None:
    routing = [{"name": "named", "to": to, "when_away": when_away}, {"name": "rest", "to": "pool sales"}]
    book = playbook(
        rep("ana", manager="ben", absent=AWAY), rep("ben", max_open=0), rep("cy"), routing=routing,
        members=[{"rep": "cy"}],
    )  # fmt: skip
    row = run(book, account_owner=["ana"]).frame.iloc[0]
    assert (row["outcome"], row["owner"]) == (outcome, owner)
    assert "ana: absent until 2026-03-08." in row["why"]
    if outcome == "wait":
        assert row["run_after"] == datetime(2026, 3, 9, tzinfo=UTC)
        assert "It waits for ana" in row["why"]


def test_waiting_for_somebody_who_had_the_lead_would_never_end_and_a_manager_must_be_a_rep() -> None:
    routing = [{"name": "named", "to": "rep ana", "when_away": "wait"}]
    assert run(playbook(rep("ana"), routing=routing), excluded=[["ana"]]).frame["outcome"].tolist() == ["hold"]
    routing = [{"name": "named", "to": "rep ana", "when_away": "manager"}]
    book = playbook(rep("ana", manager="boss@team.example", absent=AWAY), routing=routing)
    assert run(book).frame["outcome"].tolist() == ["hold"]


def test_a_lead_that_returns_goes_to_who_had_it() -> None:
    routing = [{"name": "returning", "to": "earlier_owner"}, {"name": "rest", "to": "pool sales"}]
    assigned = run(
        playbook(rep("ana"), rep("ben"), routing=routing), 3, earlier_owner=["ben", None, "somebody who left"]
    )
    assert owners(assigned) == ["ben", "ana", "ben"]
    assert assigned.frame["rule"].tolist() == ["returning", "rest", "rest"]
    why = assigned.frame["why"].tolist()
    assert "ben had the lead when it came before." in why[0]
    assert "returning" not in why[1]
    assert "The lead's earlier owner is none of the reps." in why[2]


# --- open leads, ramps, catching up -----------------------------------------------------------------------

TEAM = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=6)


@settings(max_examples=tried(60))
@given(TEAM, st.integers(1, 60))
def test_by_open_leads_nobody_ends_up_heavier_than_one_more_lead_would_make_another(
    team: list[tuple[int, int]], count: int
) -> None:
    """For all that were within twice their share; and nobody is ever beyond that."""
    names = [f"rep{i}" for i in range(len(team))]
    weights = dict(zip(names, (weight for weight, _ in team), strict=True))
    load = dict(zip(names, (open_ for _, open_ in team), strict=True))
    book = playbook(
        *(rep(name) for name in names),
        order="open_leads",
        members=[{"rep": name, "weight": weight} for name, weight in weights.items()],
    )
    assigned = run(book, count, loads={name: Load(open=open_) for name, open_ in load.items()})
    everybody, had = sum(weights.values()), Counter[str]()
    for t, owner in enumerate(owners(assigned)):
        assert owner is not None
        paced = [name for name in names if had[name] * everybody <= 2 * weights[name] * t]
        assert owner in paced
        load[owner] += 1
        had[owner] += 1
        for other in paced:
            level = load[other] if other == owner else load[other] + 1
            assert load[owner] * weights[other] <= level * weights[owner]
        assert had[owner] * everybody < 2 * weights[owner] * (t + 1) + everybody


@settings(max_examples=tried(30))
@given(st.integers(2, 6), st.integers(0, 80))
def test_by_open_leads_equal_reps_who_start_level_never_differ_by_more_than_one(size: int, count: int) -> None:
    book = playbook(*(rep(f"rep{i}") for i in range(size)), order="open_leads")
    had = Counter(owners(run(book, count)))
    assert max(had.values(), default=0) - min((had[f"rep{i}"] for i in range(size)), default=0) <= 1


def test_somebody_new_is_no_flood_by_open_leads() -> None:
    book = playbook(*(rep(name) for name in ("ana", "ben", "cy", "new")), order="open_leads")
    loads = {name: Load(open=50) for name in ("ana", "ben", "cy")}
    order = owners(run(book, 40, loads=loads))
    assert order.count("new") == 20  # half of the leads, at a quarter of the weight
    assert all(pair != ("new", "new") for pair in pairwise(order))


@pytest.mark.parametrize(
    ("days", "share"), [(-1, 0.0), (0, 1 / 4), (6, 1 / 4), (7, 2 / 4), (14, 3 / 4), (21, 1.0), (28, 1.0), (99, 1.0)]
)
def test_somebody_who_starts_ramps_up_by_quarters(days: int, share: float) -> None:
    book = playbook(rep("ana"), rep("new", starts="2026-03-06", ramp="28d"))
    start = datetime(2026, 3, 6, tzinfo=UTC)
    assigned = run(book, 200, now=start + timedelta(days=days))
    assert abs(owners(assigned).count("new") - 200 * share / (1 + share)) < 1
    if days < 0:
        assert reasons(assigned)["new"] == "starts on 2026-03-06"
    elif share < 1:
        line = next(c for c in orjson.loads(assigned.frame["candidates"].iloc[0]) if c["rep"] == "new")
        assert line["weight"] == share


def test_after_an_absence_a_pool_keeps_the_position_or_catches_up() -> None:
    away = [{"first": "2026-03-06", "last": "2026-03-06"}]
    reps = (rep("ana"), rep("ben"), rep("cy", absent=away))
    tomorrow = NOW + timedelta(days=1)
    for choice, leads in (("keep_position", 20), ("catch_up", 27)):
        book = playbook(*reps, on_return=choice)
        first = run(book, 30)
        assert Counter(owners(first)) == {"ana": 15, "ben": 15}
        second = run(book, 60, pools=first.pools, now=tomorrow)
        order = owners(second)
        # ten were missed; every second of the leads at twice the weight makes up for one of them
        assert order.count("cy") == pytest.approx(leads, abs=1)
        if choice == "catch_up":
            assert "doubled to catch up after an absence" in " ".join(second.frame["why"])
            assert order[:38].count("cy") == 19
            assert second.pools["sales"].missed["cy"] < LEAD
            assert Counter(order[-15:]) == {"ana": 5, "ben": 5, "cy": 5}


@settings(max_examples=tried(40))
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(0, 6), st.integers(0, 200), st.integers(1, 60))
def test_whoever_returns_never_gets_more_than_twice_their_share(
    weights: list[int], who: int, missed: int, count: int
) -> None:
    members = {f"rep{i}": weight for i, weight in enumerate(weights)}
    back = f"rep{who % len(weights)}"
    away = [{"first": "2026-03-06", "last": "2026-03-06"}]
    reps = [rep(name, absent=away if name == back else []) for name in members]
    book = playbook(
        *reps, on_return="catch_up", members=[{"rep": name, "weight": weight} for name, weight in members.items()]
    )
    first = run(book, missed)
    order = owners(run(book, count, pools=first.pools, now=NOW + timedelta(days=1)))
    share = 2 * members[back] / (sum(weights) + members[back])
    for t in range(1, count + 1):
        # within one lead of it while they catch up, and within one of the usual share in the epoch after that
        assert order[:t].count(back) < share * t + 2
    assert Rotation(first.pools.get("sales", PoolState())).state().missed.get(back, 0) <= MOST_MISSED


def test_nobody_catches_up_on_the_time_before_they_started() -> None:
    book = playbook(rep("ana"), rep("new", starts="2026-03-07"), on_return="catch_up")
    first = run(book, 100)
    assert first.pools["sales"].away == {}
    order = owners(run(book, 20, pools=first.pools, now=NOW + timedelta(days=1)))
    assert order.count("new") == 10


def test_the_pointer_says_how_the_pools_count_moved() -> None:
    assigned = run(playbook(rep("ana"), rep("ben")), 3)
    pointers = [orjson.loads(each) for each in assigned.frame["pointer"]]
    assert [each["position"] for each in pointers] == [[0, 1], [1, 2], [2, 3]]
    assert [each["turns"] for each in pointers] == [[0, 1], [0, 1], [1, 2]]
    assert {each["epoch"] for each in pointers} == {1}


def test_what_is_missed_is_part_of_the_state_that_is_stored() -> None:
    state = PoolState(
        epoch=3, weights={"ana": 1}, turns={"ana": 2}, away={"ben": 2}, missed={"ben": LEAD}, order="open_leads"
    )
    assert PoolState.from_dict(orjson.loads(orjson.dumps(state.to_dict()))) == state
    with pytest.raises(ValueError, match="go by 'turns' or 'open_leads', not 'luck'"):
        PoolState.from_dict({"order": "luck"})
