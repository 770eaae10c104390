"""Follow-up on a real ledger: the ladder climbs once, a touch ends it, and people accept or reject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import NOW, PLAYBOOK, Desk, person

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, actions

OPEN = "SELECT owner FROM assignment WHERE ended_at IS NULL"


@pytest.fixture
def owned(desk: Desk) -> Desk:
    """A ledger with one lead that got its owner at NOW, first touch due four working hours later."""
    desk.capture(person(1))
    desk.run()
    assert desk.statuses() == {"owned": 1}
    return desk


@pytest.fixture
def playing(ledger: Ledger) -> Callable[[str, str], Desk]:
    """A ledger whose playbook is the tests' with one text replaced."""

    def play(old: str, new: str) -> Desk:
        assert old in PLAYBOOK
        return Desk(ledger, playbooks.parse(PLAYBOOK.replace(old, new), path=Path("tests.yaml")))

    return play


def messages(desk: Desk) -> list[str]:
    return [kind for (kind,) in desk.rows("SELECT kind FROM outbox ORDER BY id")]


def journey(desk: Desk) -> int:
    return int(desk.one("SELECT id FROM journey WHERE status = 'owned'"))


def test_the_first_touch_is_due_on_business_hours(desk: Desk) -> None:
    friday_afternoon = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # 16:00 in Berlin, one working hour left
    desk.capture(person(1))
    desk.run(friday_afternoon)
    monday = datetime(2026, 3, 9, 11, 0, tzinfo=UTC)  # 12:00 in Berlin: three more hours
    assert desk.one("SELECT due_at FROM assignment") == monday


def test_the_ladder_reminds_escalates_and_takes_back_each_once(owned: Desk) -> None:
    first_owner = owned.one(OPEN)
    for hours, expected in (
        (1, ["lead_assigned"]),
        (2, ["lead_assigned", "first_touch_due"]),
        (4, ["lead_assigned", "first_touch_due", "first_touch_overdue"]),
    ):
        for _ in range(2):
            owned.run(NOW + timedelta(hours=hours))
            assert messages(owned) == expected
            assert owned.holds() == []
    assert owned.rows("SELECT kind, reason, route, closed_at FROM work_item") == [
        ("escalation", "first_touch_overdue", "mia", None)
    ]
    assert owned.one("SELECT target FROM outbox WHERE kind = 'first_touch_overdue'") == "mia"
    next_day = NOW + timedelta(days=1)
    owned.run(next_day, kinds=("follow_up", "intake"))
    second_owner = owned.one(OPEN)
    assert second_owner != first_owner
    assert owned.one("SELECT generation FROM journey") == 1
    assert owned.rows("SELECT end_reason FROM assignment WHERE ended_at IS NOT NULL") == [("sla_missed",)]
    assert owned.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    passed_over = owned.one("SELECT candidates::text FROM assignment WHERE ended_at IS NULL")
    assert "had the lead before" in passed_over
    assert owned.holds() == []


def test_a_check_that_comes_late_takes_every_step_it_missed(owned: Desk) -> None:
    owned.run(NOW + timedelta(hours=5), kinds=("follow_up",))
    assert messages(owned) == ["lead_assigned", "first_touch_due", "first_touch_overdue"]
    assert owned.one("SELECT ladder_step FROM assignment") == 2


def test_a_touch_by_the_owner_ends_the_chase(owned: Desk) -> None:
    owned.run(NOW + timedelta(hours=4), kinds=("follow_up",))
    assert owned.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 1
    called = NOW + timedelta(hours=4, minutes=30)
    owned.activity("call", "lead1@company1.example", rep=owned.one(OPEN), at=called)
    owned.run(called + timedelta(minutes=1))
    assert owned.statuses() == {"done": 1}
    assert owned.rows("SELECT touched_at, end_reason FROM assignment") == [(called, "touched")]
    assert owned.rows("SELECT resolution FROM work_item") == [("followed_up",)]
    assert owned.rows("SELECT stage, outcome FROM handoff ORDER BY id DESC LIMIT 1") == [("follow_up", "done")]
    assert owned.holds() == []


@pytest.mark.parametrize(
    ("kind", "rep", "at"),
    [
        ("call", "somebody_else", NOW + timedelta(hours=1)),
        ("call", None, NOW + timedelta(hours=1)),  # the lead called
        ("note", "owner", NOW + timedelta(hours=1)),  # no kind of activity that counts
        ("call", "owner", NOW - timedelta(hours=1)),  # before it was theirs
    ],
)
def test_what_is_no_touch_does_not_stop_the_clock(owned: Desk, kind: str, rep: str | None, at: datetime) -> None:
    who = owned.one(OPEN) if rep == "owner" else rep
    owned.activity(kind, "lead1@company1.example", rep=who, at=at)
    owned.run(NOW + timedelta(hours=4))
    assert owned.statuses() == {"owned": 1}
    assert owned.one("SELECT touched_at FROM assignment") is None
    assert "first_touch_overdue" in messages(owned)


def test_an_accepted_lead_is_still_chased_for_its_first_touch(owned: Desk) -> None:
    actions.accept(owned.ledger, journey(owned), by="ana", now=NOW)
    actions.accept(owned.ledger, journey(owned), by="ana", now=NOW)
    owned.run(NOW + timedelta(hours=2))
    assert owned.statuses() == {"owned": 1}
    assert messages(owned) == ["lead_assigned", "first_touch_due"]
    assert owned.one("SELECT count(*) FROM action WHERE what = 'accept'") == 1


def test_where_sales_decides_acceptance_ends_the_journey(playing: Callable[[str, str], Desk]) -> None:
    desk = playing("qualification:\n", "qualification:\n  sales_qualified_by: acceptance\n")
    desk.capture(person(1, Title="Chief Buyer"))
    desk.run()
    assert desk.one("SELECT qualified_as FROM qualification") == "marketing_qualified"
    desk.activity("call", "lead1@company1.example", rep=desk.one(OPEN), at=NOW + timedelta(minutes=5))
    desk.run(NOW + timedelta(minutes=10))
    assert desk.statuses() == {"owned": 1}
    actions.accept(desk.ledger, journey(desk), by="ana", now=NOW + timedelta(minutes=20))
    desk.run(NOW + timedelta(minutes=21))
    assert desk.statuses() == {"done": 1}
    assert desk.one("SELECT end_reason FROM assignment") == "accepted"
    assert desk.holds() == []


def test_a_rejected_lead_is_nurtured_with_the_reason(owned: Desk) -> None:
    where = actions.reject(
        owned.ledger, journey(owned), by="ana", now=NOW, reason="not_a_fit", playbook=owned.loaded.playbook
    )
    assert where == "nurture"
    owned.run(NOW + timedelta(days=2))
    assert owned.statuses() == {"nurture": 1}
    assert owned.one("SELECT end_reason FROM assignment") == "rejected: not_a_fit"
    assert messages(owned) == ["lead_assigned"]
    assert owned.holds() == []


def test_a_rejected_lead_goes_to_somebody_else_where_the_playbook_says_so(
    playing: Callable[[str, str], Desk],
) -> None:
    desk = playing("exceptions:\n", "follow_up: {rejected: reassign}\nexceptions:\n")
    desk.capture(person(1))
    desk.run()
    before = desk.one(OPEN)
    actions.reject(desk.ledger, journey(desk), by=before, now=NOW, reason="not_a_fit", playbook=desk.loaded.playbook)
    desk.run()
    assert desk.statuses() == {"owned": 1}
    assert desk.one(OPEN) != before
    assert desk.holds() == []


def test_a_rejection_needs_one_of_the_playbooks_reasons_and_an_owner(owned: Desk) -> None:
    number, rules = journey(owned), owned.loaded.playbook
    with pytest.raises(actions.ActionError, match="not_a_fit"):
        actions.reject(owned.ledger, number, by="ana", now=NOW, reason="not_a_fitt", playbook=rules)
    actions.reject(owned.ledger, number, by="ana", now=NOW, reason="not_a_fit", playbook=rules)
    with pytest.raises(actions.ActionError, match="nurture"):
        actions.accept(owned.ledger, number, by="ana", now=NOW)
    with pytest.raises(actions.ActionError, match="no journey 999"):
        actions.accept(owned.ledger, 999, by="ana", now=NOW)


def test_a_broken_follow_up_promise_becomes_a_recovery_task_once_and_the_owner_keeps_the_lead(owned: Desk) -> None:
    owned.rows("UPDATE assignment SET due_at = NULL, next_check_at = :now RETURNING id", now=NOW)
    for hours in (3, 6):
        owned.run(NOW + timedelta(hours=hours))
    assert owned.statuses() == {"owned": 1}
    assert owned.rows("SELECT kind, reason FROM work_item") == [("recovery", "due_missing")]
    assert messages(owned) == ["lead_assigned"]
