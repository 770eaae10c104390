"""Follow-up on a real ledger: due times on business hours, the ladder's steps, touches, accept and reject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.actors import ActorError
from leadgate.ledger import Ledger, actions, activities, ownership
from tasks.batches import run_waiting

# 4 hours of 09:00 to 17:00 in Berlin, from Wednesday 10:00 UTC: half of it, all of it, twice that
HALFWAY = NOW + timedelta(hours=2)
DUE = NOW + timedelta(hours=4)
TWICE = datetime(2026, 3, 5, 10, 0, tzinfo=UTC)
MOMENT = timedelta(minutes=1)
LEAD = "lead1@company1.example"
MESSAGES = "SELECT kind FROM outbox ORDER BY id"


def check(harness: Harness, now: datetime) -> None:
    """What a run does at ``now``: follow-up, and assignment of what it took back."""
    run_waiting(harness.worker(), lambda: now, kinds=("intake", "follow_up", "intake"), check=pass_all)


def messages(harness: Harness) -> list[str]:
    return [kind for (kind,) in harness.rows(MESSAGES)]


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """A ledger with one lead, owned since ``NOW``."""
    harness.begin(make_lead(1), check=pass_all)
    return harness


@pytest.fixture
def owner(owned: Harness) -> str:
    return str(owned.one("SELECT owner FROM assignment WHERE ended_at IS NULL"))


@pytest.fixture
def desk_with(ledger: Ledger) -> Callable[..., Harness]:
    """A harness whose playbook differs from the tests' in ``changes`` (old text, new text), with one owned lead."""

    def make(*changes: tuple[str, str]) -> Harness:
        words = PLAYBOOK
        for old, new in changes:
            assert words.count(old) == 1, old
            words = words.replace(old, new)
        harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
        harness.begin(make_lead(1), check=pass_all)
        return harness

    return make


@pytest.mark.parametrize(
    ("assigned", "due"),
    [
        ("2026-03-04T10:00", "2026-03-04T14:00"),
        ("2026-03-04T14:00", "2026-03-05T10:00"),  # 2 hours are left of the day in Berlin
        ("2026-03-04T23:30", "2026-03-05T12:00"),  # at night the clock waits for the morning
        ("2026-03-06T15:00", "2026-03-09T11:00"),  # over a weekend
        ("2026-03-07T12:00", "2026-03-09T12:00"),
        ("2026-03-27T15:00", "2026-03-30T10:00"),  # over the night in which the clocks change
    ],
)
def test_the_first_touch_is_due_on_the_pools_business_hours(harness: Harness, assigned: str, due: str) -> None:
    harness.capture(make_lead(1))
    check(harness, datetime.fromisoformat(assigned).replace(tzinfo=UTC))
    assert harness.one("SELECT due_at FROM assignment") == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_on_the_wall_clock_it_is_due_at_night_too(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(("first_touch: 4h", "first_touch: 12h\n    clock: wall"))
    assert harness.one("SELECT due_at FROM assignment") == NOW + timedelta(hours=12)


def test_each_step_of_the_ladder_is_taken_once_and_not_before_its_time(owned: Harness, owner: str) -> None:
    told = ["lead_assigned"]
    for step, at in (("first_touch_due", HALFWAY), ("first_touch_overdue", DUE), ("lead_taken_back", TWICE)):
        check(owned, at - MOMENT)
        assert messages(owned) == told
        told += [step] if step != "lead_taken_back" else [step, "lead_assigned"]
        for again in range(3):
            check(owned, at + again * MOMENT)
            assert messages(owned) == told
        assert owned.find_broken() == []
    to = dict(owned.rows("SELECT kind, target FROM outbox WHERE kind <> 'lead_assigned'"))
    assert to == {"first_touch_due": owner, "first_touch_overdue": "mia", "lead_taken_back": owner}


def test_a_check_that_comes_late_takes_all_steps_at_once_and_in_order(owned: Harness) -> None:
    check(owned, TWICE + timedelta(days=1))
    assert messages(owned) == [
        "lead_assigned", "first_touch_due", "first_touch_overdue", "lead_taken_back", "lead_assigned",
    ]  # fmt: skip
    assert owned.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    assert owned.find_broken() == []


def test_an_escalation_is_a_work_item_that_holds_nothing_and_closes_with_the_touch(owned: Harness, owner: str) -> None:
    check(owned, DUE)
    item = "SELECT kind, route, blocking, reason, resolution FROM work_item"
    assert owned.rows(item) == [("escalation", "mia", False, "first_touch_overdue", None)]
    assert owner in owned.one("SELECT message FROM work_item")
    assert owned.count_statuses() == {"owned": 1}
    owned.activity("call", LEAD, rep=owner, at=DUE + MOMENT)
    check(owned, DUE + 2 * MOMENT)
    assert owned.rows(item) == [("escalation", "mia", False, "first_touch_overdue", "followed_up")]
    assert owned.count_statuses() == {"done": 1}
    assert owned.find_broken() == []


@pytest.mark.parametrize(
    ("changes", "to"),
    [
        ([("do: escalate}", "do: escalate, to: sales_lead}")], "sales_lead"),
        ([("{name: ana, manager: mia}", "{name: ana}"), ("{name: bob, manager: mia}", "{name: bob}"),
          ("{name: cyn, manager: mia}", "{name: cyn}")], "revenue_operations"),
    ],
)  # fmt: skip
def test_an_escalation_goes_to_who_the_step_names_else_the_manager_else_the_exception_route(
    desk_with: Callable[..., Harness], changes: list[tuple[str, str]], to: str
) -> None:
    harness = desk_with(*changes)
    check(harness, DUE)
    assert harness.rows("SELECT route FROM work_item") == [(to,)]
    assert harness.rows("SELECT target FROM outbox WHERE kind = 'first_touch_overdue'") == [(to,)]


def test_a_lead_that_is_taken_back_gets_an_owner_who_has_not_had_it(owned: Harness, owner: str) -> None:
    check(owned, TWICE)
    (first, second) = owned.rows("SELECT owner, generation, end_reason FROM assignment ORDER BY id")
    assert first == (owner, 0, "sla_missed")
    assert second[0] != owner
    assert second[1:] == (1, None)
    candidates = owned.one("SELECT candidates FROM assignment ORDER BY id DESC LIMIT 1")
    assert [each["reason"] for each in candidates if each["rep"] == owner] == ["had the lead before"]
    assert owned.rows("SELECT status, stage, generation FROM journey") == [("owned", "follow_up", 1)]
    assert owned.find_broken() == []


def test_a_lead_that_everybody_has_had_is_held_for_a_person(owned: Harness) -> None:
    for days in (1, 2, 3, 4):
        check(owned, TWICE + timedelta(days=7 * days))
    assert owned.count_statuses() == {"held": 1}
    assert owned.rows("SELECT stage, reason FROM work_item WHERE closed_at IS NULL") == [
        ("assignment", "nobody_available")
    ]
    assert {name for (name,) in owned.rows("SELECT owner FROM assignment")} == {"ana", "bob", "cyn"}
    assert owned.find_broken() == []


def test_the_owners_touch_ends_it(owned: Harness, owner: str) -> None:
    called = NOW + timedelta(minutes=30)
    owned.activity("call", LEAD, rep=owner, at=called)
    check(owned, called + MOMENT)
    assert owned.count_statuses() == {"done": 1}
    assert owned.rows("SELECT touched_at, end_reason FROM assignment") == [(called, "touched")]
    assert owned.rows("SELECT outcome FROM handoff WHERE stage = 'follow_up'") == [("done",)]
    check(owned, TWICE)
    assert messages(owned) == ["lead_assigned"]
    assert owned.find_broken() == []


def test_a_touch_counts_when_it_happened_and_not_when_it_was_synced(owned: Harness, owner: str) -> None:
    check(owned, DUE)
    owned.activity("meeting", LEAD, rep=owner, at=NOW + MOMENT)
    check(owned, DUE + timedelta(hours=1))
    assert owned.rows("SELECT touched_at, end_reason FROM assignment") == [(NOW + MOMENT, "touched")]


def test_a_touch_by_somebody_whom_the_export_does_not_name_counts(owned: Harness) -> None:
    row = activities.NewActivity("activities", "key", "email", "rep", None, LEAD, NOW + MOMENT, "{}", None, None)
    with owned.ledger.transaction() as connection:
        activities.store_activities(connection, [row], NOW + MOMENT)
        activities.match_activities(connection, NOW + MOMENT)
    check(owned, NOW + 2 * MOMENT)
    assert owned.count_statuses() == {"done": 1}


@pytest.mark.parametrize("what", ["another rep", "before it was assigned", "no touch", "the lead itself"])
def test_what_is_no_touch_of_the_owner_leaves_the_ladder_running(owned: Harness, owner: str, what: str) -> None:
    at = NOW + timedelta(minutes=30)
    match what:
        case "another rep":
            owned.activity("call", LEAD, rep="ana" if owner != "ana" else "bob", at=at)
        case "before it was assigned":
            owned.activity("call", LEAD, rep=owner, at=NOW - MOMENT)
        case "no touch":
            owned.activity("page_view", LEAD, rep=owner, at=at)
        case _:
            owned.activity("call", LEAD, at=at)
    check(owned, HALFWAY)
    assert owned.count_statuses() == {"owned": 1}
    assert messages(owned) == ["lead_assigned", "first_touch_due"]
    assert owned.find_broken() == []


def test_accepting_is_noted_once_and_does_not_replace_the_touch(owned: Harness, owner: str) -> None:
    journey = owned.one("SELECT id FROM journey")
    ownership.accept(owned.ledger, journey, by=make_actor(owner), now=NOW + MOMENT)
    with pytest.raises(actions.ActionError, match=f"{owner} accepted it at 2026"):
        ownership.accept(owned.ledger, journey, by=make_actor("mia"), now=NOW + 2 * MOMENT)
    check(owned, HALFWAY)
    assert owned.rows("SELECT what, by FROM action") == [("accept", owner)]
    assert owned.rows("SELECT accepted_at, ended_at FROM assignment") == [(NOW + MOMENT, None)]
    assert messages(owned) == ["lead_assigned", "first_touch_due"]


def test_where_acceptance_qualifies_a_touch_stops_the_ladder_and_acceptance_ends_it(
    desk_with: Callable[..., Harness],
) -> None:
    harness = desk_with(("  sales_qualified: 50\n", "  sales_qualified: 50\n  sales_qualified_by: acceptance\n"))
    owner = harness.one("SELECT owner FROM assignment")
    harness.activity("call", LEAD, rep=owner, at=NOW + MOMENT)
    for at in (HALFWAY, DUE, TWICE):
        check(harness, at)
    assert harness.count_statuses() == {"owned": 1}
    assert messages(harness) == ["lead_assigned"]
    ownership.accept(harness.ledger, harness.one("SELECT id FROM journey"), by=make_actor(owner), now=TWICE)
    check(harness, TWICE + MOMENT)
    assert harness.count_statuses() == {"done": 1}
    assert harness.rows("SELECT end_reason FROM assignment") == [("accepted",)]
    assert harness.find_broken() == []


def test_a_rejected_lead_goes_to_nurture_with_the_reason(owned: Harness, owner: str) -> None:
    check(owned, DUE)
    journey = owned.one("SELECT id FROM journey")
    where = ownership.reject(
        owned.ledger, journey, by=make_actor(owner), now=DUE, reason="not_a_fit", playbook=owned.loaded.playbook
    )
    assert where.goes_to == "nurture"
    assert owned.count_statuses() == {"nurture": 1}
    assert owned.rows("SELECT end_reason FROM assignment") == [("rejected: not_a_fit",)]
    assert owned.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    check(owned, TWICE)
    assert owned.count_statuses() == {"nurture": 1}  # what was known then is no reason to score it again
    owned.activity("demo_request", LEAD, at=TWICE + MOMENT)
    check(owned, TWICE + 2 * MOMENT)
    assert owned.count_statuses() == {"nurture": 1, "owned": 1}  # but news is
    assert owned.find_broken() == []


def test_a_rejected_lead_goes_to_another_owner_where_the_playbook_says_so(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(("exceptions:\n", "follow_up: {rejected: reassign}\nexceptions:\n"))
    owner, journey = harness.rows("SELECT owner, journey_id FROM assignment")[0]
    where = ownership.reject(
        harness.ledger,
        journey,
        by=make_actor(owner),
        now=HALFWAY,
        reason="wrong_territory",
        playbook=harness.loaded.playbook,
    )
    assert where.goes_to == "another owner"
    assert harness.find_broken() == []
    check(harness, HALFWAY)
    assert harness.count_statuses() == {"owned": 1}
    assert harness.one("SELECT owner FROM assignment WHERE ended_at IS NULL") != owner
    assert harness.one("SELECT due_at FROM assignment WHERE ended_at IS NULL") == HALFWAY + timedelta(hours=4)
    assert harness.find_broken() == []


def test_a_lead_is_its_owners_or_their_managers(owned: Harness, owner: str) -> None:
    journey, book = owned.one("SELECT id FROM journey"), owned.loaded.playbook
    other = next(rep for rep in ("ana", "bob", "cyn") if rep != owner)
    for who in (make_actor("zzz"), make_actor(other), make_actor("zzz", other)):
        with pytest.raises(ActorError, match=f"--for {owner}"):
            ownership.accept(owned.ledger, journey, by=who, now=NOW + MOMENT)
        with pytest.raises(ActorError, match=f"--for {owner}"):
            ownership.reject(owned.ledger, journey, by=who, now=NOW + MOMENT, reason="not_a_fit", playbook=book)
    assert owned.count_statuses() == {"owned": 1}
    ownership.accept(owned.ledger, journey, by=make_actor("zzz", owner), now=NOW + MOMENT)
    assert owned.rows("SELECT what, by, acted_for FROM action") == [("accept", "zzz", owner)]
    assert owned.find_broken() == []


def test_what_nobody_owns_can_be_neither_accepted_nor_rejected(owned: Harness, owner: str) -> None:
    journey = owned.one("SELECT id FROM journey")
    reject: dict[str, Any] = {"by": make_actor(owner), "now": NOW, "playbook": owned.loaded.playbook}
    with pytest.raises(actions.ActionError, match="not_a_fit"):
        ownership.reject(owned.ledger, journey, reason="not_fit", **reject)
    ownership.reject(owned.ledger, journey, reason="duplicate", **reject)
    with pytest.raises(actions.ActionError, match="nurture"):
        ownership.reject(owned.ledger, journey, reason="duplicate", **reject)
    with pytest.raises(actions.ActionError, match="nurture"):
        ownership.accept(owned.ledger, journey, by=make_actor(owner), now=NOW)
    with pytest.raises(actions.ActionError, match="no journey J999"):
        ownership.accept(owned.ledger, 999, by=make_actor(owner), now=NOW)
    assert owned.find_broken() == []


def test_a_lead_that_was_followed_up_and_returns_begins_again(owned: Harness, owner: str) -> None:
    owned.activity("call", LEAD, rep=owner, at=NOW + MOMENT)
    check(owned, HALFWAY)
    owned.capture(make_lead(1, Message="again"))
    check(owned, DUE)
    assert owned.count_statuses() == {"done": 1, "owned": 1}
    assert owned.one("SELECT count(*) FROM lead") == 1
    assert owned.find_broken() == []
