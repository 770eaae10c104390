"""Assignment: routes, caps, absences, nobody available, due times, and the evidence of all of it.

Long as one file: every test routes the same leads by the same playbook.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment.assignment_result import Assigned
from leadgate.assignment.availability import Load, find_midnights
from leadgate.assignment.rotation import PoolState
from leadgate.assignment.routing import assign
from leadgate.playbook import Playbook, Route
from leadgate.vocabulary import AssignmentMethod

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # a Friday, 16:00 in Berlin


def playbook(**parts: Any) -> Playbook:
    """Three reps taking turns in one pool, unless ``parts`` say otherwise."""
    content: dict[str, Any] = {
        "name": "test",
        "sources": {"web": {}},
        "reps": [{"name": "ana", "email": "Ana@Example.com"}, {"name": "ben"}, {"name": "cy"}],
        "pools": [{"name": "sales", "members": [{"rep": "ana"}, {"rep": "ben"}, {"rep": "cy"}]}],
        "routing": [{"name": "everybody", "to": "pool sales"}],
    }
    return Playbook.model_validate(content | parts)


def leads(count: int, *, routes: tuple[str, ...] = ("everybody",), **columns: Any) -> pd.DataFrame:
    content = {"journey_id": range(1, count + 1), "routes": [routes] * count, **columns}
    return pd.DataFrame(content, index=pd.RangeIndex(100, 100 + count))


def run(frame: pd.DataFrame, book: Playbook, loads: dict[str, Load] | None = None, now: datetime = NOW) -> Assigned:
    return assign(frame, book, {}, loads or {}, now)


def the_row(assigned: Assigned) -> dict[str, Any]:
    assert len(assigned.frame) == 1
    row = {str(column): value for column, value in assigned.frame.iloc[0].items()}
    row["candidates"] = orjson.loads(row["candidates"])
    return row


def reasons(row: dict[str, Any]) -> dict[str, str]:
    return {each["rep"]: each["reason"] for each in row["candidates"]}


def rep(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def pool(name: str, *members: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "members": [{"rep": member} for member in members], **more}


AWAY = [{"first": "2026-03-02", "last": "2026-12-01"}]


def test_a_pool_takes_turns_and_the_record_says_who_was_considered() -> None:
    book = playbook(routing=[{"name": "everybody", "to": "pool sales", "why": "no other rule applies"}])
    assigned = run(leads(4), book)
    assert assigned.frame.index.tolist() == [100, 101, 102, 103]
    assert assigned.frame["owner"].tolist() == ["ana", "ben", "cy", "ana"]
    assert assigned.frame["turn"].all()
    second = the_row(Assigned(assigned.frame.iloc[[1]], {}, {}))
    assert second["candidates"] == [
        {
            "rep": "ana",
            "eligible": True,
            "reason": "another's turn",
            "pool": "sales",
            "turns": 1,
            "weight": 1,
        },
        {"rep": "ben", "eligible": True, "reason": "next in turn", "pool": "sales", "turns": 0, "weight": 1},
        {"rep": "cy", "eligible": True, "reason": "another's turn", "pool": "sales", "turns": 0, "weight": 1},
    ]
    assert second["outcome"] == "owned"
    assert second["rule"] == "everybody"
    assert second["pool"] == "sales"
    assert second["reasons"] == ()
    assert second["why"] == (
        "Route everybody: no other rule applies. ben is next in pool sales, with 0 of 1 turns at weight 1 of 3."
    )
    assert assigned.loads == {"ana": Load(2, 2, 2), "ben": Load(1, 1, 1), "cy": Load(1, 1, 1)}
    assert assigned.pools["sales"].taken == {"ana": 2, "ben": 1, "cy": 1}


def test_who_cannot_take_a_lead_is_passed_over_with_the_reason() -> None:
    book = playbook(
        reps=[rep("ana", absent=AWAY), rep("ben", max_per_day=10), rep("cy", max_open=50), rep("dee")],
        pools=[pool("sales", "ana", "ben", "cy", "dee")],
    )
    row = the_row(run(leads(1), book, {"ben": Load(open=11, today=10), "cy": Load(open=50, today=1)}))
    assert row["owner"] == "dee"
    assert reasons(row) == {
        "ana": "absent until 2026-12-01",
        "ben": "reached 10 a day",
        "cy": "reached 50 open",
        "dee": "next in turn",
    }
    assert [each["eligible"] for each in row["candidates"]] == [False, False, False, True]


def test_a_cap_reached_within_the_batch_counts_and_starts_an_epoch() -> None:
    book = playbook(reps=[rep("ana", max_per_day=1), rep("ben"), rep("cy", max_open=2)])
    assigned = run(leads(8), book)
    assert Counter(assigned.frame["owner"]) == {"ana": 1, "ben": 5, "cy": 2}
    assert assigned.pools["sales"].epoch == 3
    assert assigned.pools["sales"].weights == {"ben": 1}


def test_a_cap_counts_leads_from_every_pool() -> None:
    book = playbook(
        reps=[rep("ana", max_open=2), rep("ben")],
        pools=[pool("sales", "ana", "ben"), pool("partners", "ana")],
        routing=[{"name": "everybody", "to": "pool sales"}, {"name": "partner", "to": "pool partners"}],
    )
    frame = pd.concat([leads(2, routes=("partner",)), leads(1), leads(1, routes=("partner",))])
    assert run(frame, book).frame["owner"].tolist()[:3] == ["ana", "ana", "ben"]
    assert run(frame, book).frame["outcome"].tolist()[3] == "hold"


@pytest.mark.parametrize(
    ("zone", "now", "owner"),
    [
        ("Pacific/Auckland", "2026-03-01T12:00+00:00", "ben"),  # already the 2nd there
        ("America/New_York", "2026-03-01T12:00+00:00", "ana"),
        (
            "America/New_York",
            "2026-03-04T03:00+00:00",
            "ben",
        ),  # still the 3rd there: the last day is included
        ("America/New_York", "2026-03-04T05:00+00:00", "ana"),
    ],
)
def test_absences_are_days_of_the_reps_own_time_zone(zone: str, now: str, owner: str) -> None:
    away = [{"first": "2026-03-02", "last": "2026-03-03"}]
    book = playbook(reps=[rep("ana", time_zone=zone, absent=away), rep("ben")], pools=[pool("sales", "ana", "ben")])
    assert the_row(run(leads(1), book, now=datetime.fromisoformat(now)))["owner"] == owner


def test_a_days_cap_begins_at_the_reps_own_midnight() -> None:
    book = playbook(reps=[rep("ana", time_zone="America/New_York"), rep("ben", time_zone="Asia/Tokyo"), rep("cy")])
    assert find_midnights(book, NOW) == {
        "ana": datetime(2026, 3, 6, 5, tzinfo=UTC),
        "ben": datetime(2026, 3, 6, 15, tzinfo=UTC),  # midnight this very moment
        "cy": datetime(2026, 3, 6, 0, tzinfo=UTC),
    }


NAMED = [
    {"name": "known", "to": "account_owner"},
    {"name": "vip", "to": "rep ben"},
    {"name": "everybody", "to": "pool sales"},
]


@pytest.mark.parametrize("account_owner", ["ana", "ANA@example.com ", " Ana"])
def test_the_accounts_owner_is_found_by_name_or_email(account_owner: str) -> None:
    frame = leads(1, routes=("known", "everybody"), account_owner=[account_owner])
    row = the_row(run(frame, playbook(routing=NAMED)))
    assert (row["owner"], row["rule"], row["pool"], row["turn"]) == ("ana", "known", None, False)
    assert row["candidates"] == [
        {
            "rep": "ana",
            "eligible": True,
            "reason": "named by route known",
            "pool": None,
            "turns": None,
            "weight": None,
        }
    ]


@pytest.mark.parametrize(
    ("account_owner", "says"),
    [
        (None, "The account has no owner."),
        (float("nan"), "The account has no owner."),
        (" ", "The account has no owner."),
        ("somebody@example.com", "The account's owner is none of the reps."),
        ("ana", "ana: absent until 2026-12-01."),
    ],
)
def test_an_account_owner_who_cannot_take_it_leaves_it_to_the_next_route(account_owner: object, says: str) -> None:
    book = playbook(routing=NAMED, reps=[rep("ana", absent=AWAY), rep("ben"), rep("cy")])
    row = the_row(run(leads(1, routes=("known", "everybody"), account_owner=[account_owner]), book))
    assert (row["owner"], row["rule"]) == ("ben", "everybody")
    assert says in row["why"]


def test_without_a_further_route_the_account_owners_lead_is_held() -> None:
    book = playbook(routing=NAMED, reps=[rep("ana", absent=AWAY), rep("ben"), rep("cy")])
    row = the_row(run(leads(1, routes=("known",), account_owner=["ana"]), book))
    assert (row["outcome"], row["reasons"], row["rule"]) == ("hold", ("nobody_available",), "known")
    row = the_row(run(leads(1, routes=("known",)), book))
    assert (row["outcome"], row["reasons"], row["rule"]) == ("hold", ("no_route",), None)


def test_a_named_rep_who_is_full_holds_the_lead_rather_than_losing_the_rule() -> None:
    book = playbook(routing=NAMED, reps=[rep("ana"), rep("ben", max_open=1), rep("cy")])
    frame = leads(2, routes=("vip", "everybody"))
    assigned = run(frame, book)
    assert assigned.frame["owner"].tolist() == ["ben", None]
    second = the_row(Assigned(assigned.frame.iloc[[1]], {}, {}))
    assert (second["outcome"], second["reasons"], second["rule"]) == ("hold", ("nobody_available",), "vip")
    assert reasons(second) == {"ben": "reached 1 open"}
    assert assigned.pools == {}  # nobody's turn was used


@pytest.mark.parametrize("routes", [(), None, float("nan")])
def test_no_matching_route_is_a_hold(routes: object) -> None:
    row = the_row(run(pd.DataFrame({"routes": [routes]}), playbook()))
    assert (row["outcome"], row["reasons"], row["candidates"]) == ("hold", ("no_route",), [])
    assert row["owner"] is None
    assert row["why"] == "No route matches."


@pytest.mark.parametrize(
    ("method", "says"),
    [(AssignmentMethod.ROUTE, "named by route all leads"), (AssignmentMethod.REASSIGN, "named by hand")],
)
def test_who_chose_the_owner_is_said_and_not_read_from_the_routes_name(method: AssignmentMethod, says: str) -> None:
    book = playbook().model_copy(update={"routing": (Route.model_construct(name="all leads", to="rep ben"),)})
    row = the_row(assign(leads(1, routes=("all leads",)), book, {}, {}, NOW, method))
    assert reasons(row) == {"ben": says}
    assert ("A person chose them." in row["why"]) == method.by_hand


def test_an_excluded_rep_is_skipped_once_and_has_the_next_turn() -> None:
    frame = leads(3, excluded=[["ana"], None, ()])
    assigned = run(frame, playbook())
    assert assigned.frame["owner"].tolist() == ["ben", "ana", "cy"]
    first = the_row(Assigned(assigned.frame.iloc[[0]], {}, {}))
    assert reasons(first)["ana"] == "had the lead before"
    assert not first["candidates"][0]["eligible"]
    assert reasons(the_row(Assigned(assigned.frame.iloc[[2]], {}, {})))["ana"] == "another's turn"
    assert assigned.pools["sales"].epoch == 1


def nobody(policy: dict[str, Any], *more: dict[str, Any], **rep_ben: Any) -> Playbook:
    """Pool sales has only ana, who is absent, and ``policy``; ``more`` are further pools."""
    return playbook(
        reps=[rep("ana", absent=AWAY), rep("ben", **rep_ben), rep("cy", absent=AWAY)],
        pools=[pool("sales", "ana", nobody_available=policy), *more],
    )


def test_nobody_available_wait() -> None:
    row = the_row(run(leads(1), nobody({"do": "wait", "retry_after": "2h"})))
    assert (row["outcome"], row["reasons"]) == ("wait", ("nobody_available",))
    assert row["run_after"] == NOW + timedelta(hours=2)
    assert reasons(row) == {"ana": "absent until 2026-12-01"}
    assert "It is tried again at 2026-03-06 17:00 UTC." in row["why"]


def test_waiting_for_reps_who_all_had_the_lead_before_would_never_end_so_it_is_held() -> None:
    row = the_row(run(leads(1, excluded=[("ana",)]), nobody({"do": "wait"})))
    assert row["outcome"] == "hold"
    assert pd.isna(row["run_after"])
    assert "Waiting would change nothing" in row["why"]


def test_nobody_available_hold() -> None:
    row = the_row(run(leads(1), nobody({"do": "hold"})))
    assert (row["outcome"], row["rule"], row["pool"]) == ("hold", "everybody", "sales")
    assert row["why"] == "Route everybody. Nobody in pool sales is available."


def test_nobody_available_assign_ignores_the_cap_but_not_an_absence() -> None:
    book = nobody({"do": "assign", "rep": "ben"}, max_open=0)
    row = the_row(run(leads(1), book))
    assert (row["outcome"], row["owner"], row["pool"], row["turn"]) == ("owned", "ben", "sales", False)
    assert reasons(row) == {"ana": "absent until 2026-12-01", "ben": "named by pool sales"}
    held = the_row(run(leads(1), nobody({"do": "assign", "rep": "cy"})))
    assert (held["outcome"], held["reasons"]) == ("hold", ("nobody_available",))
    assert reasons(held)["cy"] == "absent until 2026-12-01"
    had_it = the_row(run(leads(1, excluded=[["ben"]]), book))
    assert had_it["outcome"] == "hold"


def test_nobody_available_overflow_takes_the_other_pools_turn() -> None:
    assigned = run(leads(1), nobody({"do": "overflow", "pool": "others"}, pool("others", "cy", "ben")))
    row = the_row(assigned)
    assert (row["owner"], row["pool"], row["turn"], row["rule"]) == ("ben", "others", True, "everybody")
    assert [(each["pool"], each["rep"]) for each in row["candidates"]] == [
        ("sales", "ana"),
        ("others", "cy"),
        ("others", "ben"),
    ]
    assert set(assigned.pools) == {"others"}


def test_pools_that_overflow_into_each_other_end_in_a_hold() -> None:
    back = {"do": "overflow", "pool": "sales"}
    row = the_row(
        run(
            leads(1),
            nobody({"do": "overflow", "pool": "others"}, pool("others", "cy", nobody_available=back)),
        )
    )
    assert (row["outcome"], row["pool"]) == ("hold", "others")
    assert reasons(row) == {"ana": "absent until 2026-12-01", "cy": "absent until 2026-12-01"}


WORKDAYS = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
TIMED: dict[str, Any] = {
    "hours": {"berlin": {"time_zone": "Europe/Berlin", "week": WORKDAYS}},
    "slas": [
        {"name": "four_hours", "first_touch": "4h", "due_soon": 50},
        {"name": "on_the_wall", "first_touch": "4h", "clock": "wall"},
    ],
}


@pytest.mark.parametrize(
    ("sla", "hours", "due_soon_at", "due_at"),
    [
        (
            "four_hours",
            "berlin",
            "2026-03-09T09:00Z",
            "2026-03-09T11:00Z",
        ),  # an hour of Friday, the rest on Monday
        ("four_hours", None, "2026-03-06T17:00Z", "2026-03-06T19:00Z"),
        ("on_the_wall", "berlin", "2026-03-06T18:00Z", "2026-03-06T19:00Z"),
    ],
)
def test_the_first_touch_is_due_on_the_pools_clock(sla: str, hours: str | None, due_soon_at: str, due_at: str) -> None:
    book = playbook(**TIMED, pools=[pool("sales", "ana", sla=sla, hours=hours)])
    row = the_row(run(leads(1), book))
    assert row["sla"] == sla
    assert row["due_at"] == pd.Timestamp(due_at)
    assert row["due_soon_at"] == pd.Timestamp(due_soon_at)


def test_a_named_rep_is_due_as_in_their_own_pool_and_without_an_sla_nothing_is_due() -> None:
    book = playbook(
        **TIMED,
        routing=NAMED,
        pools=[pool("sales", "ana"), pool("vips", "ben", sla="four_hours", hours="berlin")],
    )
    frame = pd.concat([leads(1, routes=("vip",)), leads(1)])
    decided = run(frame, book).frame
    assert decided["sla"].tolist() == ["four_hours", None]
    assert decided["due_at"].iloc[0] == pd.Timestamp("2026-03-09T11:00Z")
    assert decided["due_at"].isna().tolist() == [False, True]
    assert str(decided["due_at"].dtype) == str(decided["run_after"].dtype) == "datetime64[us, UTC]"


def test_an_overflow_pool_without_an_sla_does_not_lift_the_first_ones() -> None:
    full = pool("sales", "ana", sla="four_hours", nobody_available={"do": "overflow", "pool": "others"})
    book = playbook(**TIMED, reps=[rep("ana", max_open=0), rep("ben")], pools=[full, pool("others", "ben")])
    row = the_row(run(leads(1), book))
    assert (row["owner"], row["sla"]) == ("ben", "four_hours")


def test_an_empty_batch_has_every_column() -> None:
    assigned = run(leads(0), playbook())
    assert assigned.frame.empty
    assert assigned.frame.columns.tolist() == run(leads(1), playbook()).frame.columns.tolist()
    assert (assigned.frame.dtypes == run(leads(1), playbook()).frame.dtypes).all()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"routing": [{"name": "everybodi", "to": "pool sales"}]}, "did you mean 'everybodi'"),
        ({"routing": [{"name": "everybody", "to": "pool sale"}]}, "did you mean 'sales'"),
        ({"routing": [{"name": "everybody", "to": "rep bem"}]}, "did you mean 'ben'"),
        ({"pools": [pool("sales", "anna")]}, "pool sales names 'anna', who is not a rep; did you mean 'ana'"),
        ({"pools": [pool("sales", "ana", sla="fast")]}, "pool sales names SLA 'fast'; none is defined"),
        (
            TIMED | {"pools": [pool("sales", "ana", sla="four_hours", hours="berlim")]},
            "names hours 'berlim'; did you mean 'berlin'",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_an_error(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        run(leads(1), playbook(**parts))


def test_now_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        run(leads(1), playbook(), now=datetime(2026, 3, 6))  # noqa: DTZ001 - the point of the test


REPS = ["ana", "ben", "cy", "dee", "eli"]


@st.composite
def teams(draw: st.DrawFn) -> Playbook:
    """Five reps with any caps, absences, hours and languages, in two pools with any weights, orders and policies."""
    caps = st.none() | st.integers(0, 8)
    reps = [
        rep(
            name,
            max_per_day=draw(caps),
            max_open=draw(caps),
            max_per_week=draw(caps),
            languages=draw(st.lists(st.sampled_from(["de", "fr"]), max_size=2)),
            hours=draw(st.sampled_from([None, None, "berlin", "night"])),
            **draw(st.sampled_from([{}, {}, {"starts": "2026-02-20", "ramp": "28d"}, {"starts": "2026-03-07"}])),
            absent=AWAY if draw(st.integers(0, 4)) == 0 else [],
        )
        for name in REPS
    ]
    pools = []
    for name, other in (("one", "two"), ("two", "one")):
        members = draw(st.lists(st.sampled_from(REPS), min_size=1, unique=True))
        policies: list[dict[str, Any]] = [{"do": "hold"}, {"do": "wait"}, {"do": "overflow", "pool": other}]
        asked = st.sampled_from(["ignored", "preferred", "required"])
        pools.append(
            {
                "name": name,
                "members": [{"rep": member, "weight": draw(st.integers(1, 9))} for member in members],
                "nobody_available": draw(st.sampled_from(policies)),
                "order": draw(st.sampled_from(["turns", "open_leads"])),
                "on_return": draw(st.sampled_from(["keep_position", "catch_up"])),
                "language": draw(asked),
                "hours": "berlin",
                "only_in_hours": draw(st.booleans()),
            }
        )
    routing = [
        {"name": "known", "to": "account_owner"},
        {"name": "to_one", "to": "pool one"},
        {"name": "to_two", "to": "pool two"},
        {"name": "to_ana", "to": "rep ana"},
    ]
    night = {"time_zone": "Europe/Berlin", "week": {"fri": [["20:00", "23:00"]]}}
    return playbook(reps=reps, pools=pools, routing=routing, hours={**TIMED["hours"], "night": night})


rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["known", "to_one", "to_two", "to_ana"]), max_size=3).map(tuple),
        st.none() | st.sampled_from(REPS),
        st.lists(st.sampled_from(REPS), max_size=2),
        st.sampled_from([None, "de", "French"]),
    ),
    max_size=40,
).map(lambda each: pd.DataFrame(each, columns=["routes", "account_owner", "excluded", "language"], dtype=object))
loads_of_one = st.builds(Load, st.integers(0, 9), st.integers(0, 4), st.integers(0, 7))
all_loads = st.dictionaries(st.sampled_from(REPS), loads_of_one)


@settings(max_examples=tried(50))
@given(teams(), rows, all_loads)
def test_caps_absences_and_sums_hold_for_any_team(book: Playbook, frame: pd.DataFrame, loads: dict[str, Load]) -> None:
    assigned = run(frame, book, loads)
    decided = assigned.frame
    owned = decided[decided["outcome"] == "owned"]
    given_to = Counter(owned["owner"])
    for each in book.reps:
        before = loads.get(each.name, Load())
        assert assigned.loads[each.name] == Load(*(count + given_to[each.name] for count in before))
        if given_to[each.name]:
            assert not each.absent
            assert each.max_per_day is None or assigned.loads[each.name].today <= each.max_per_day
            assert each.max_open is None or assigned.loads[each.name].open <= each.max_open
            assert each.max_per_week is None or assigned.loads[each.name].week <= each.max_per_week
            assert each.starts is None or each.starts <= NOW.date()
    turns = owned[owned["turn"]]
    in_hours = {pool.name: pool.only_in_hours for pool in book.pools}
    at_night = {rep.name for rep in book.reps if rep.hours == "night"}
    assert not any(in_hours[pool] for pool in turns.loc[turns["owner"].isin(at_night), "pool"])
    assert owned["pointer"].notna().tolist() == owned["turn"].tolist()
    for name in ("one", "two"):
        state = assigned.pools.get(name, PoolState())
        assert state.taken == Counter(turns.loc[turns["pool"] == name, "owner"])
    for excluded, (_, row) in zip(frame["excluded"], decided.iterrows(), strict=True):
        candidates = orjson.loads(row["candidates"])
        assert row["owner"] not in excluded
        if row["outcome"] == "owned":
            assert row["owner"] in [each["rep"] for each in candidates if each["eligible"]]
            assert row["reasons"] == ()
        else:
            assert row["owner"] is None
            assert not any(each["eligible"] for each in candidates)
            assert row["reasons"]
        if row["outcome"] == "wait":
            assert row["run_after"] > NOW


@settings(max_examples=tried(40))
@given(teams(), rows, all_loads, st.integers(0, 40))
def test_two_batches_in_a_row_decide_what_one_would_have(
    book: Playbook, frame: pd.DataFrame, loads: dict[str, Load], cut: int
) -> None:
    whole = run(frame, book, loads)
    first = run(frame[:cut], book, loads)
    stored = {
        name: PoolState.from_dict(orjson.loads(orjson.dumps(state.to_dict()))) for name, state in first.pools.items()
    }
    second = assign(frame[cut:], book, stored, first.loads, NOW)
    pd.testing.assert_frame_equal(
        pd.concat([first.frame, second.frame]),
        whole.frame,
        check_dtype=len(first.frame) * len(second.frame) > 0,
    )
    assert second.pools == whole.pools
    assert second.loads == whole.loads
