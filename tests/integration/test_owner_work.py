"""An owner at work, on a real ledger: priorities, waits, touches that count, answers, next touches, what comes back.

Long as one file: one owner's day, whose steps build on the same playbook.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import NOW, PLAYBOOK, Desk, make_actor, make_lead
from open_gate import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, actions, ownership
from tasks.batches import run_waiting

LEAD = "lead1@company1.example"
MOMENT = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    """A moment of the test's week, in UTC; Berlin is an hour ahead. NOW is Wednesday 4 March, 10:00."""
    return datetime.fromisoformat(f"2026-03-{text}").replace(tzinfo=UTC)


def check(desk: Desk, now: datetime) -> None:
    run_waiting(desk.worker(), lambda: now, kinds=("intake", "follow_up", "intake"), check=pass_all)
    assert desk.holds() == []


MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk_with(ledger: Ledger) -> MakeDesk:
    """A desk with one owned lead, whose playbook has ``sla`` and ``follow_up`` beside what the tests' has."""

    def make(*, sla: str = "", ladder: str = "", follow_up: str = "", **lead: Any) -> Desk:
        words = PLAYBOOK.replace("    first_touch: 4h\n", f"    first_touch: 4h\n{sla}")
        words = words.replace("exceptions:\n", f"{ladder}follow_up:\n  rejected: nurture\n{follow_up}exceptions:\n")
        desk = Desk(ledger, playbooks.parse(words, path=Path("tests.yaml")))
        desk.capture(make_lead(1, **lead))
        check(desk, NOW)
        return desk

    return make


def journey(desk: Desk) -> int:
    return int(desk.one("SELECT id FROM journey WHERE status = 'owned'"))


def owner(desk: Desk) -> str:
    return str(desk.one("SELECT owner FROM assignment WHERE ended_at IS NULL"))


def messages(desk: Desk) -> list[str]:
    return [kind for (kind,) in desk.rows("SELECT kind FROM outbox ORDER BY id")]


def due_at(desk: Desk) -> datetime:
    return desk.one("SELECT due_at FROM assignment WHERE ended_at IS NULL")  # type: ignore[no-any-return]


def missed(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows("SELECT target, due_at, met_at FROM missed ORDER BY due_at, target")


QUICK = "  - {name: quick, first_touch: 30m, ladder: [{after: 100, do: escalate}]}\n"


@pytest.mark.parametrize(
    ("title", "sla", "due"), [("Chief Buyer", "quick", "04T10:30"), ("Buyer", "standard", "04T14:00")]
)
def test_a_priority_gives_another_sla_than_the_pools(desk_with: MakeDesk, title: str, sla: str, due: str) -> None:
    desk = desk_with(
        ladder=QUICK,
        follow_up="  priorities: [{name: hot, when: score >= 50, sla: quick}]\n",
        Title=title,
    )
    assert desk.rows("SELECT sla, due_at, priority FROM assignment") == [
        (sla, at(due), "hot" if sla == "quick" else None)
    ]
    check(desk, at("04T10:30"))
    assert ("first_touch_overdue" in messages(desk)) == (sla == "quick")


def test_on_the_reps_clock_the_first_touch_is_due_in_their_own_hours(ledger: Ledger) -> None:
    words = PLAYBOOK.replace("first_touch: 4h", "first_touch: 4h\n    clock: rep")
    words = words.replace("reps:\n", "  late: {time_zone: Europe/Berlin, week: {wed: [['13:00', '21:00']]}}\nreps:\n")
    for rep in ("ana", "cyn"):
        words = words.replace(f"{{name: {rep}, manager: mia}}", f"{{name: {rep}, manager: mia, hours: late}}")
    desk = Desk(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    desk.capture(*(make_lead(n) for n in range(1, 5)))
    check(desk, NOW)
    assert desk.rows("SELECT DISTINCT owner, due_at FROM assignment ORDER BY owner") == [
        ("ana", at("04T16:00")), ("bob", at("04T14:00")), ("cyn", at("04T16:00")),
    ]  # fmt: skip
    check(desk, at("04T14:00"))
    assert desk.one("SELECT count(*) FROM work_item WHERE reason = 'first_touch_overdue'") == 2  # bob's weight


def test_while_the_lead_is_waited_for_nothing_is_due_and_afterwards_all_is_due_so_much_later(
    desk_with: MakeDesk,
) -> None:
    desk = desk_with()
    ownership.wait(
        desk.ledger, journey(desk), until=at("06T11:00"), reason="on a fair", by=make_actor(owner(desk)), now=NOW + HOUR
    )
    for now in (at("04T11:30"), at("04T14:00"), at("05T12:00"), at("06T10:59")):
        check(desk, now)
        assert messages(desk) == ["lead_assigned"]
    assert due_at(desk) == at("06T14:00")  # one of four hours had passed
    assert desk.one("SELECT next_check_at FROM assignment") == at("06T11:00")
    check(desk, at("06T11:59"))
    assert messages(desk) == ["lead_assigned"]
    check(desk, at("06T12:00"))
    assert messages(desk) == ["lead_assigned", "first_touch_due"]
    assert desk.rows("SELECT ended_at, ended_by FROM pause") == [(at("06T11:00"), "leadgate")]
    check(desk, at("06T14:00"))
    assert messages(desk)[-1] == "first_touch_overdue"


@pytest.mark.parametrize("how", ["activity", "signal", "resume"])
def test_a_wait_ends_early_when_the_lead_is_heard_of_or_the_owner_goes_on(desk_with: MakeDesk, how: str) -> None:
    desk = desk_with()
    lead, rep = journey(desk), owner(desk)
    ownership.wait(desk.ledger, lead, until=at("20T10:00"), reason="holiday", by=make_actor(rep), now=NOW + HOUR)
    check(desk, NOW + 2 * HOUR)
    assert due_at(desk) == at("20T13:00")
    match how:
        case "activity":
            desk.activity("email_reply", LEAD, at=at("05T09:00"))
        case "signal":
            desk.capture(make_lead(1, Message="again"), now=at("05T09:00"))
        case _:
            ownership.resume(desk.ledger, lead, by=make_actor(rep), now=at("05T09:00"))
    check(desk, at("05T09:05"))
    ended_by = {"activity": "lead", "signal": "lead", "resume": rep}[how]
    assert desk.rows("SELECT ended_at, ended_by FROM pause") == [(at("05T09:00"), ended_by)]
    assert due_at(desk) == at("05T12:00")


def test_a_second_wait_takes_the_place_of_the_first_and_nobody_waits_for_what_nobody_owns(desk_with: MakeDesk) -> None:
    desk = desk_with()
    lead, rep = journey(desk), owner(desk)
    with pytest.raises(actions.ActionError, match="is not ahead"):
        ownership.wait(desk.ledger, lead, until=NOW, reason="r", by=make_actor(rep), now=NOW)
    with pytest.raises(actions.ActionError, match="its clocks run"):
        ownership.resume(desk.ledger, lead, by=make_actor(rep), now=NOW)
    ownership.wait(desk.ledger, lead, until=at("05T10:00"), reason="first", by=make_actor(rep), now=NOW + HOUR)
    ownership.wait(desk.ledger, lead, until=at("09T10:00"), reason="second", by=make_actor(rep), now=NOW + 2 * HOUR)
    check(desk, NOW + 2 * HOUR)
    assert desk.rows("SELECT reason, ended_at FROM pause ORDER BY id") == [("first", NOW + 2 * HOUR), ("second", None)]
    assert due_at(desk) == at("09T13:00")
    ownership.reject(
        desk.ledger, lead, by=make_actor(rep), now=NOW + 3 * HOUR, reason="other", playbook=desk.loaded.playbook
    )
    assert desk.one("SELECT count(*) FROM pause WHERE ended_at IS NULL") == 0
    with pytest.raises(actions.ActionError, match="nobody owns it"):
        ownership.wait(desk.ledger, lead, until=at("09T10:00"), reason="r", by=make_actor(rep), now=NOW + 4 * HOUR)
    assert desk.rows("SELECT what FROM action ORDER BY id") == [("wait",), ("wait",), ("reject",)]


def test_a_wait_that_begins_while_a_check_decides_has_it_decide_again(desk_with: MakeDesk) -> None:
    desk = desk_with()
    lead, rep = journey(desk), owner(desk)

    def wait() -> None:
        ownership.wait(desk.ledger, lead, until=at("09T10:00"), reason="r", by=make_actor(rep), now=NOW + HOUR)

    late = NOW + 2 * HOUR
    run_waiting(desk.worker(), lambda: late, kinds=("follow_up",), check=act_at_gate("followed_up", wait))
    assert messages(desk) == ["lead_assigned"]
    assert due_at(desk) == at("09T13:00")


@pytest.mark.parametrize(
    ("rules", "what", "counts"),
    [
        ("", {"kind": "call", "seconds": 0}, False),
        ("", {"kind": "call", "seconds": 1}, True),
        ("", {"kind": "call"}, True),
        ("", {"kind": "email", "automatic": True}, False),
        ("", {"kind": "email", "automatic": False}, True),
        ("  touches: [{kind: call, min_seconds: 0}]\n", {"kind": "call", "seconds": 0}, True),
        ("  touches: [{kind: call, min_seconds: 60}]\n", {"kind": "call", "seconds": 59}, False),
        ("  touches: [{kind: email, automatic: true}]\n", {"kind": "email", "automatic": True}, True),
        ("  touches: [call]\n", {"kind": "meeting"}, False),
    ],
)
def test_what_reaches_nobody_is_no_touch_unless_the_playbook_says_so(
    desk_with: MakeDesk, rules: str, what: dict[str, Any], counts: bool
) -> None:
    desk = desk_with(follow_up=rules)
    desk.activity(email=LEAD, rep=owner(desk), at=NOW + HOUR, **what)
    check(desk, NOW + 2 * HOUR)
    assert desk.statuses() == {"done" if counts else "owned": 1}


@pytest.mark.parametrize(("by", "counts"), [("owner", False), ("anybody", True)])
def test_a_colleagues_touch_counts_where_anybodys_does(desk_with: MakeDesk, by: str, counts: bool) -> None:
    desk = desk_with(follow_up=f"  touched_by: {by}\n")
    desk.activity("call", LEAD, rep="ana" if owner(desk) != "ana" else "bob", at=NOW + HOUR)
    check(desk, NOW + 2 * HOUR)
    assert desk.statuses() == {"done" if counts else "owned": 1}


def test_a_touch_that_is_logged_by_hand_counts_once_and_when_it_was(desk_with: MakeDesk) -> None:
    desk = desk_with()
    lead, rep = journey(desk), owner(desk)
    call: dict[str, Any] = {
        "kind": "call",
        "rep": rep,
        "by": make_actor(rep),
        "at": NOW + HOUR,
        "seconds": 90,
        "now": NOW + 2 * HOUR,
    }
    with pytest.raises(actions.ActionError, match="is ahead"):
        ownership.touch(desk.ledger, lead, **call | {"at": NOW + 3 * HOUR})
    assert [ownership.touch(desk.ledger, lead, **call).new for _ in range(2)] == [True, False]
    check(desk, NOW + 2 * HOUR)
    assert desk.rows("SELECT touched_at, end_reason FROM assignment") == [(NOW + HOUR, "touched")]
    assert messages(desk) == ["lead_assigned"]


def test_what_was_missed_is_recorded_once_and_how_late_it_came(desk_with: MakeDesk) -> None:
    desk = desk_with()
    for now in (at("04T14:00"), at("04T14:30"), at("04T15:00")):
        check(desk, now)
        assert missed(desk) == [("first_touch", at("04T14:00"), None)]
    desk.activity("call", LEAD, rep=owner(desk), at=at("04T15:10"))
    check(desk, at("04T15:20"))
    assert missed(desk) == [("first_touch", at("04T14:00"), at("04T15:10"))]


def test_a_miss_is_recorded_also_when_nobody_looked_in_between(desk_with: MakeDesk) -> None:
    desk = desk_with()
    desk.activity("call", LEAD, rep=owner(desk), at=at("04T15:10"))
    check(desk, at("06T09:00"))
    assert missed(desk) == [("first_touch", at("04T14:00"), at("04T15:10"))]
    assert messages(desk) == ["lead_assigned"]  # nobody is chased for what is done


def test_a_touch_in_time_that_becomes_known_late_makes_the_miss_good(desk_with: MakeDesk) -> None:
    desk = desk_with()
    check(desk, at("04T14:00"))
    desk.activity("call", LEAD, rep=owner(desk), at=at("04T13:00"))
    check(desk, at("04T15:00"))
    assert missed(desk) == [("first_touch", at("04T14:00"), at("04T13:00"))]


ANSWER = "    accept_within: 1h\n"


def test_no_answer_in_time_is_a_miss_that_is_told_and_a_touch_is_an_answer(desk_with: MakeDesk) -> None:
    desk = desk_with(sla=ANSWER)
    check(desk, at("04T11:00"))
    assert missed(desk) == [("acceptance", at("04T11:00"), None)]
    assert messages(desk) == ["lead_assigned", "acceptance_overdue"]
    assert desk.rows("SELECT kind, route, reason, resolution FROM work_item") == [
        ("escalation", "mia", "acceptance_overdue", None)
    ]
    ownership.accept(desk.ledger, journey(desk), by=make_actor(owner(desk)), now=at("04T11:30"))
    check(desk, at("04T11:31"))
    assert missed(desk) == [("acceptance", at("04T11:00"), at("04T11:30"))]
    assert desk.one("SELECT resolution FROM work_item") == "followed_up"
    check(desk, at("04T14:00"))
    assert messages(desk)[2:] == ["first_touch_due", "first_touch_overdue"]  # accepted is not touched


def test_no_answer_takes_the_lead_back_where_the_ladder_says_so(desk_with: MakeDesk) -> None:
    desk = desk_with(sla=f"{ANSWER}", ladder="      - {after: 100, do: reassign, of: acceptance}\n")
    first = owner(desk)
    check(desk, at("04T11:00"))
    assert desk.rows("SELECT owner, end_reason FROM assignment ORDER BY id")[0] == (first, "sla_missed")
    assert owner(desk) != first
    assert messages(desk) == ["lead_assigned", "lead_taken_back", "lead_assigned"]


NEXT = {
    "sla": "    next_touch: 8h\n    stage: 16h\n",
    "ladder": "      - {after: 50, do: remind, of: next_touch}\n",
    "follow_up": "  finished_by: outcome\n  outcomes: [opportunity_created]\n",
}


def test_until_the_outcome_each_touch_asks_for_the_next_and_the_stage_may_not_last(desk_with: MakeDesk) -> None:
    desk = desk_with(**NEXT)
    rep = owner(desk)
    desk.activity("call", LEAD, rep=rep, at=at("04T11:00"))
    check(desk, at("04T14:59"))
    assert desk.statuses() == {"owned": 1}
    assert messages(desk) == ["lead_assigned"]
    check(desk, at("04T15:00"))  # 4 of 8 hours since the touch
    assert messages(desk) == ["lead_assigned", "next_touch_due"]
    desk.activity("call", LEAD, rep=rep, at=at("05T12:00"))  # 9 hours after the first: late by one
    check(desk, at("05T12:01"))
    assert missed(desk) == [("next_touch", at("05T11:00"), at("05T12:00"))]
    check(desk, at("06T08:00"))
    assert messages(desk)[2:] == ["next_touch_due"]  # its clock began anew
    check(desk, at("06T10:00"))  # 16 hours since the assignment
    assert messages(desk)[3:] == ["stage_overdue"]
    desk.activity("opportunity_created", LEAD, at=at("06T10:30"))
    check(desk, at("06T11:00"))
    assert desk.statuses() == {"done": 1}
    assert desk.one("SELECT end_reason FROM assignment") == "outcome: opportunity_created"
    assert desk.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    assert missed(desk)[1:] == [("stage", at("06T10:00"), at("06T10:30"))]


def test_however_often_it_is_checked_each_target_is_chased_once(desk_with: MakeDesk) -> None:
    desk = desk_with(**NEXT | {"sla": f"{ANSWER}{NEXT['sla']}"})
    for hours in range(1, 60):
        check(desk, NOW + hours * HOUR)
        if hours == 1:
            desk.activity("call", LEAD, rep=owner(desk), at=at("04T11:30"))
    assert sorted(messages(desk)) == sorted(["lead_assigned", "acceptance_overdue", "next_touch_due", "stage_overdue"])
    assert [target for target, _, _ in missed(desk)] == ["acceptance", "next_touch", "stage"]


@pytest.mark.parametrize("do", ["remind", "reassign", "recycle"])
def test_a_lead_that_nothing_happens_about_goes_stale_once(desk_with: MakeDesk, do: str) -> None:
    desk = desk_with(
        follow_up=f"  finished_by: acceptance\n  recycle_after: 7d\n  stale: {{touched: {{days: 2, do: {do}}}}}\n"
    )
    rep = owner(desk)
    desk.activity("call", LEAD, rep=rep, at=NOW + HOUR)
    check(desk, NOW + 2 * HOUR)
    end = at("06T16:00")  # Thursday and Friday passed without anything, and Friday's hours are over
    assert desk.one("SELECT next_check_at FROM assignment") == end
    check(desk, end - MOMENT)
    assert messages(desk) == ["lead_assigned"]
    for again in range(3):
        check(desk, end + again * MOMENT)
    match do:
        case "remind":
            assert messages(desk) == ["lead_assigned", "lead_stale"]
            desk.activity("page_view", LEAD, at=at("09T09:00"))
            check(desk, at("11T16:00"))
            assert messages(desk) == ["lead_assigned", "lead_stale", "lead_stale"]
        case "reassign":
            assert messages(desk) == ["lead_assigned", "lead_taken_back", "lead_assigned"]
            assert owner(desk) != rep
        case _:
            assert desk.statuses() == {"nurture": 1}
            check(desk, end + 7 * DAY - MOMENT)
            assert desk.statuses() == {"nurture": 1}
            check(desk, end + 7 * DAY + 3 * MOMENT)
            assert desk.rows("SELECT trigger, start_stage FROM journey WHERE status = 'owned'") == [
                ("recycle", "qualification")
            ]
            assert owner(desk) != rep
            assert desk.one("SELECT count(*) FROM lead") == 1
            assert desk.one("SELECT end_reason FROM assignment WHERE ended_at IS NOT NULL") == "stale: touched"


@pytest.mark.parametrize("again", [True, False])
def test_whose_lead_went_stale_gets_it_again_where_the_playbook_says_so(ledger: Ledger, again: bool) -> None:
    stale = f"{{untouched: {{days: 1, do: recycle, same_owner: {str(again).lower()}}}}}"
    words = PLAYBOOK.replace("exceptions:\n", f"follow_up: {{recycle_after: 1h, stale: {stale}}}\nexceptions:\n")
    words = words.replace("members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]", "members: [{rep: ana}]")
    words = words.replace("      - {after: 200, do: reassign}\n", "")
    desk = Desk(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    desk.capture(make_lead(1))
    check(desk, NOW)
    check(desk, at("05T16:00"))
    check(desk, at("05T17:00"))
    assert desk.statuses() == {"nurture": 1, "owned" if again else "held": 1}


REASONS = """  reject_reasons:
    - {name: not_a_fit, then: disqualify}
    - {name: not_now, then: recycle, after: 3d, same_owner: true}
    - {name: unreachable, then: recycle}
    - {name: wrong_territory, then: reassign}
    - other
  recycle_after: 7d
"""


@pytest.mark.parametrize(
    ("reason", "goes_to", "status"),
    [
        ("not_a_fit", "the disqualified leads", "disqualified"),
        ("wrong_territory", "another owner", "ready"),
        ("other", "nurture", "nurture"),
        ("not_now", "nurture until 2026-03-07, and through qualification again then", "nurture"),
    ],
)
def test_each_reason_to_reject_has_its_own_consequence(
    desk_with: MakeDesk, reason: str, goes_to: str, status: str
) -> None:
    desk = desk_with(follow_up=REASONS)
    book = desk.loaded.playbook
    assert (
        ownership.reject(
            desk.ledger, journey(desk), by=make_actor("mia"), now=NOW, reason=reason, playbook=book
        ).goes_to
        == goes_to
    )
    assert desk.statuses() == {status: 1}
    assert desk.holds() == []


@pytest.mark.parametrize(("reason", "days", "again"), [("not_now", 3, True), ("unreachable", 7, False)])
def test_a_rejected_lead_comes_back_with_its_history_to_its_owner_or_another(
    ledger: Ledger, reason: str, days: int, again: bool
) -> None:
    words = PLAYBOOK.replace("exceptions:\n", f"follow_up:\n{REASONS}exceptions:\n")
    words = words.replace("members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]", "members: [{rep: ana}]")
    desk = Desk(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    desk.capture(make_lead(1))
    check(desk, NOW)
    ownership.reject(ledger, journey(desk), by=make_actor("mia"), now=NOW, reason=reason, playbook=desk.loaded.playbook)
    check(desk, NOW + days * DAY - MOMENT)
    assert desk.statuses() == {"nurture": 1}
    check(desk, NOW + days * DAY)
    assert desk.statuses() == ({"nurture": 1, "owned": 1} if again else {"nurture": 1, "held": 1})
    assert desk.one("SELECT count(*) FROM lead WHERE recycle_at IS NOT NULL") == 0
    assert desk.rows("SELECT trigger FROM journey ORDER BY id") == [("signal",), ("recycle",)]


def test_a_lead_that_came_back_by_itself_is_not_recycled_too(desk_with: MakeDesk) -> None:
    desk = desk_with(follow_up=REASONS)
    ownership.reject(
        desk.ledger, journey(desk), by=make_actor("mia"), now=NOW, reason="unreachable", playbook=desk.loaded.playbook
    )
    desk.capture(make_lead(1, Message="me again"), now=NOW + DAY)
    check(desk, NOW + DAY)
    check(desk, NOW + 8 * DAY)
    assert desk.rows("SELECT trigger FROM journey ORDER BY id") == [("signal",), ("signal",)]
    assert desk.one("SELECT count(*) FROM lead WHERE recycle_at IS NOT NULL") == 0


def test_accepting_while_a_check_decides_is_not_lost(desk_with: MakeDesk) -> None:
    desk = desk_with(follow_up="  finished_by: acceptance\n")

    def accept() -> None:
        ownership.accept(desk.ledger, journey(desk), by=make_actor(owner(desk)), now=NOW + 2 * HOUR)

    late = NOW + 2 * HOUR
    run_waiting(desk.worker(), lambda: late, kinds=("follow_up",), check=act_at_gate("followed_up", accept))
    assert desk.statuses() == {"done": 1}
