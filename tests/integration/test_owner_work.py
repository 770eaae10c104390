"""An owner at work, on a real ledger: priorities, waits, touches that count, answers, next touches, what comes back.

Long as one file: one owner's day, whose steps build on the same playbook.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import act_at_gate, pass_all

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


def check(harness: Harness, now: datetime) -> None:
    run_waiting(harness.worker(), lambda: now, kinds=("intake", "follow_up", "intake"), check=pass_all)
    assert harness.find_broken() == []


MakeDesk = Callable[..., Harness]


@pytest.fixture
def desk_with(ledger: Ledger) -> MakeDesk:
    """A harness with one owned lead, whose playbook has ``sla`` and ``follow_up`` beside what the tests' has."""

    def make(*, sla: str = "", ladder: str = "", follow_up: str = "", **lead: Any) -> Harness:
        words = PLAYBOOK.replace("    first_touch: 4h\n", f"    first_touch: 4h\n{sla}")
        words = words.replace("exceptions:\n", f"{ladder}follow_up:\n  rejected: nurture\n{follow_up}exceptions:\n")
        harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
        harness.begin(make_lead(1, **lead), check=pass_all)
        return harness

    return make


def journey(harness: Harness) -> int:
    return int(harness.one("SELECT id FROM journey WHERE status = 'owned'"))


def owner(harness: Harness) -> str:
    return str(harness.one("SELECT owner FROM assignment WHERE ended_at IS NULL"))


def messages(harness: Harness) -> list[str]:
    return [kind for (kind,) in harness.rows("SELECT kind FROM outbox ORDER BY id")]


def due_at(harness: Harness) -> datetime:
    return harness.one("SELECT due_at FROM assignment WHERE ended_at IS NULL")  # type: ignore[no-any-return]


def missed(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT target, due_at, met_at FROM missed ORDER BY due_at, target")


QUICK = "  - {name: quick, first_touch: 30m, ladder: [{after: 100, do: escalate}]}\n"


@pytest.mark.parametrize(
    ("title", "sla", "due"), [("Chief Buyer", "quick", "04T10:30"), ("Buyer", "standard", "04T14:00")]
)
def test_a_priority_gives_another_sla_than_the_pools(desk_with: MakeDesk, title: str, sla: str, due: str) -> None:
    harness = desk_with(
        ladder=QUICK,
        follow_up="  priorities: [{name: hot, when: score >= 50, sla: quick}]\n",
        Title=title,
    )
    assert harness.rows("SELECT sla, due_at, priority FROM assignment") == [
        (sla, at(due), "hot" if sla == "quick" else None)
    ]
    check(harness, at("04T10:30"))
    assert ("first_touch_overdue" in messages(harness)) == (sla == "quick")


def test_on_the_reps_clock_the_first_touch_is_due_in_their_own_hours(ledger: Ledger) -> None:
    words = PLAYBOOK.replace("first_touch: 4h", "first_touch: 4h\n    clock: rep")
    words = words.replace("reps:\n", "  late: {time_zone: Europe/Berlin, week: {wed: [['13:00', '21:00']]}}\nreps:\n")
    for rep in ("ana", "cyn"):
        words = words.replace(f"{{name: {rep}, manager: mia}}", f"{{name: {rep}, manager: mia, hours: late}}")
    harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    harness.capture(*(make_lead(n) for n in range(1, 5)))
    check(harness, NOW)
    assert harness.rows("SELECT DISTINCT owner, due_at FROM assignment ORDER BY owner") == [
        ("ana", at("04T16:00")), ("bob", at("04T14:00")), ("cyn", at("04T16:00")),
    ]  # fmt: skip
    check(harness, at("04T14:00"))
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'first_touch_overdue'") == 2  # bob's weight


def test_while_the_lead_is_waited_for_nothing_is_due_and_afterwards_all_is_due_so_much_later(
    desk_with: MakeDesk,
) -> None:
    harness = desk_with()
    ownership.wait(
        harness.ledger,
        journey(harness),
        until=at("06T11:00"),
        reason="on a fair",
        by=make_actor(owner(harness)),
        now=NOW + HOUR,
    )
    for now in (at("04T11:30"), at("04T14:00"), at("05T12:00"), at("06T10:59")):
        check(harness, now)
        assert messages(harness) == ["lead_assigned"]
    assert due_at(harness) == at("06T14:00")  # one of four hours had passed
    assert harness.one("SELECT next_check_at FROM assignment") == at("06T11:00")
    check(harness, at("06T11:59"))
    assert messages(harness) == ["lead_assigned"]
    check(harness, at("06T12:00"))
    assert messages(harness) == ["lead_assigned", "first_touch_due"]
    assert harness.rows("SELECT ended_at, ended_by FROM pause") == [(at("06T11:00"), "leadgate")]
    check(harness, at("06T14:00"))
    assert messages(harness)[-1] == "first_touch_overdue"


@pytest.mark.parametrize("how", ["activity", "signal", "resume"])
def test_a_wait_ends_early_when_the_lead_is_heard_of_or_the_owner_goes_on(desk_with: MakeDesk, how: str) -> None:
    harness = desk_with()
    lead, rep = journey(harness), owner(harness)
    ownership.wait(harness.ledger, lead, until=at("20T10:00"), reason="holiday", by=make_actor(rep), now=NOW + HOUR)
    check(harness, NOW + 2 * HOUR)
    assert due_at(harness) == at("20T13:00")
    match how:
        case "activity":
            harness.activity("email_reply", LEAD, at=at("05T09:00"))
        case "signal":
            harness.capture(make_lead(1, Message="again"), now=at("05T09:00"))
        case _:
            ownership.resume(harness.ledger, lead, by=make_actor(rep), now=at("05T09:00"))
    check(harness, at("05T09:05"))
    ended_by = {"activity": "lead", "signal": "lead", "resume": rep}[how]
    assert harness.rows("SELECT ended_at, ended_by FROM pause") == [(at("05T09:00"), ended_by)]
    assert due_at(harness) == at("05T12:00")


def test_a_second_wait_takes_the_place_of_the_first_and_nobody_waits_for_what_nobody_owns(desk_with: MakeDesk) -> None:
    harness = desk_with()
    lead, rep = journey(harness), owner(harness)
    with pytest.raises(actions.ActionError, match="is not ahead"):
        ownership.wait(harness.ledger, lead, until=NOW, reason="r", by=make_actor(rep), now=NOW)
    with pytest.raises(actions.ActionError, match="its clocks run"):
        ownership.resume(harness.ledger, lead, by=make_actor(rep), now=NOW)
    ownership.wait(harness.ledger, lead, until=at("05T10:00"), reason="first", by=make_actor(rep), now=NOW + HOUR)
    ownership.wait(harness.ledger, lead, until=at("09T10:00"), reason="second", by=make_actor(rep), now=NOW + 2 * HOUR)
    check(harness, NOW + 2 * HOUR)
    assert harness.rows("SELECT reason, ended_at FROM pause ORDER BY id") == [
        ("first", NOW + 2 * HOUR),
        ("second", None),
    ]
    assert due_at(harness) == at("09T13:00")
    ownership.reject(
        harness.ledger, lead, by=make_actor(rep), now=NOW + 3 * HOUR, reason="other", playbook=harness.loaded.playbook
    )
    assert harness.one("SELECT count(*) FROM pause WHERE ended_at IS NULL") == 0
    with pytest.raises(actions.ActionError, match="nobody owns it"):
        ownership.wait(harness.ledger, lead, until=at("09T10:00"), reason="r", by=make_actor(rep), now=NOW + 4 * HOUR)
    assert harness.rows("SELECT what FROM action ORDER BY id") == [("wait",), ("wait",), ("reject",)]


def test_a_wait_that_begins_while_a_check_decides_has_it_decide_again(desk_with: MakeDesk) -> None:
    harness = desk_with()
    lead, rep = journey(harness), owner(harness)

    def wait() -> None:
        ownership.wait(harness.ledger, lead, until=at("09T10:00"), reason="r", by=make_actor(rep), now=NOW + HOUR)

    late = NOW + 2 * HOUR
    run_waiting(harness.worker(), lambda: late, kinds=("follow_up",), check=act_at_gate("followed_up", wait))
    assert messages(harness) == ["lead_assigned"]
    assert due_at(harness) == at("09T13:00")


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
    harness = desk_with(follow_up=rules)
    harness.activity(email=LEAD, rep=owner(harness), at=NOW + HOUR, **what)
    check(harness, NOW + 2 * HOUR)
    assert harness.count_statuses() == {"done" if counts else "owned": 1}


@pytest.mark.parametrize(("by", "counts"), [("owner", False), ("anybody", True)])
def test_a_colleagues_touch_counts_where_anybodys_does(desk_with: MakeDesk, by: str, counts: bool) -> None:
    harness = desk_with(follow_up=f"  touched_by: {by}\n")
    harness.activity("call", LEAD, rep="ana" if owner(harness) != "ana" else "bob", at=NOW + HOUR)
    check(harness, NOW + 2 * HOUR)
    assert harness.count_statuses() == {"done" if counts else "owned": 1}


def test_a_touch_that_is_logged_by_hand_counts_once_and_when_it_was(desk_with: MakeDesk) -> None:
    harness = desk_with()
    lead, rep = journey(harness), owner(harness)
    call: dict[str, Any] = {
        "kind": "call",
        "rep": rep,
        "by": make_actor(rep),
        "at": NOW + HOUR,
        "seconds": 90,
        "now": NOW + 2 * HOUR,
    }
    with pytest.raises(actions.ActionError, match="is ahead"):
        ownership.touch(harness.ledger, lead, **call | {"at": NOW + 3 * HOUR})
    assert [ownership.touch(harness.ledger, lead, **call).new for _ in range(2)] == [True, False]
    check(harness, NOW + 2 * HOUR)
    assert harness.rows("SELECT touched_at, end_reason FROM assignment") == [(NOW + HOUR, "touched")]
    assert messages(harness) == ["lead_assigned"]


def test_what_was_missed_is_recorded_once_and_how_late_it_came(desk_with: MakeDesk) -> None:
    harness = desk_with()
    for now in (at("04T14:00"), at("04T14:30"), at("04T15:00")):
        check(harness, now)
        assert missed(harness) == [("first_touch", at("04T14:00"), None)]
    harness.activity("call", LEAD, rep=owner(harness), at=at("04T15:10"))
    check(harness, at("04T15:20"))
    assert missed(harness) == [("first_touch", at("04T14:00"), at("04T15:10"))]


def test_a_miss_is_recorded_also_when_nobody_looked_in_between(desk_with: MakeDesk) -> None:
    harness = desk_with()
    harness.activity("call", LEAD, rep=owner(harness), at=at("04T15:10"))
    check(harness, at("06T09:00"))
    assert missed(harness) == [("first_touch", at("04T14:00"), at("04T15:10"))]
    assert messages(harness) == ["lead_assigned"]  # nobody is chased for what is done


def test_a_touch_in_time_that_becomes_known_late_makes_the_miss_good(desk_with: MakeDesk) -> None:
    harness = desk_with()
    check(harness, at("04T14:00"))
    harness.activity("call", LEAD, rep=owner(harness), at=at("04T13:00"))
    check(harness, at("04T15:00"))
    assert missed(harness) == [("first_touch", at("04T14:00"), at("04T13:00"))]


ANSWER = "    accept_within: 1h\n"


def test_no_answer_in_time_is_a_miss_that_is_told_and_a_touch_is_an_answer(desk_with: MakeDesk) -> None:
    harness = desk_with(sla=ANSWER)
    check(harness, at("04T11:00"))
    assert missed(harness) == [("acceptance", at("04T11:00"), None)]
    assert messages(harness) == ["lead_assigned", "acceptance_overdue"]
    assert harness.rows("SELECT kind, route, reason, resolution FROM work_item") == [
        ("escalation", "mia", "acceptance_overdue", None)
    ]
    ownership.accept(harness.ledger, journey(harness), by=make_actor(owner(harness)), now=at("04T11:30"))
    check(harness, at("04T11:31"))
    assert missed(harness) == [("acceptance", at("04T11:00"), at("04T11:30"))]
    assert harness.one("SELECT resolution FROM work_item") == "followed_up"
    check(harness, at("04T14:00"))
    assert messages(harness)[2:] == ["first_touch_due", "first_touch_overdue"]  # accepted is not touched


def test_no_answer_takes_the_lead_back_where_the_ladder_says_so(desk_with: MakeDesk) -> None:
    harness = desk_with(sla=f"{ANSWER}", ladder="      - {after: 100, do: reassign, of: acceptance}\n")
    first = owner(harness)
    check(harness, at("04T11:00"))
    assert harness.rows("SELECT owner, end_reason FROM assignment ORDER BY id")[0] == (first, "sla_missed")
    assert owner(harness) != first
    assert messages(harness) == ["lead_assigned", "lead_taken_back", "lead_assigned"]


NEXT = {
    "sla": "    next_touch: 8h\n    stage: 16h\n",
    "ladder": "      - {after: 50, do: remind, of: next_touch}\n",
    "follow_up": "  finished_by: outcome\n  outcomes: [opportunity_created]\n",
}


def test_until_the_outcome_each_touch_asks_for_the_next_and_the_stage_may_not_last(desk_with: MakeDesk) -> None:
    harness = desk_with(**NEXT)
    rep = owner(harness)
    harness.activity("call", LEAD, rep=rep, at=at("04T11:00"))
    check(harness, at("04T14:59"))
    assert harness.count_statuses() == {"owned": 1}
    assert messages(harness) == ["lead_assigned"]
    check(harness, at("04T15:00"))  # 4 of 8 hours since the touch
    assert messages(harness) == ["lead_assigned", "next_touch_due"]
    harness.activity("call", LEAD, rep=rep, at=at("05T12:00"))  # 9 hours after the first: late by one
    check(harness, at("05T12:01"))
    assert missed(harness) == [("next_touch", at("05T11:00"), at("05T12:00"))]
    check(harness, at("06T08:00"))
    assert messages(harness)[2:] == ["next_touch_due"]  # its clock began anew
    check(harness, at("06T10:00"))  # 16 hours since the assignment
    assert messages(harness)[3:] == ["stage_overdue"]
    harness.activity("opportunity_created", LEAD, at=at("06T10:30"))
    check(harness, at("06T11:00"))
    assert harness.count_statuses() == {"done": 1}
    assert harness.one("SELECT end_reason FROM assignment") == "outcome: opportunity_created"
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    assert missed(harness)[1:] == [("stage", at("06T10:00"), at("06T10:30"))]


def test_however_often_it_is_checked_each_target_is_chased_once(desk_with: MakeDesk) -> None:
    harness = desk_with(**NEXT | {"sla": f"{ANSWER}{NEXT['sla']}"})
    for hours in range(1, 60):
        check(harness, NOW + hours * HOUR)
        if hours == 1:
            harness.activity("call", LEAD, rep=owner(harness), at=at("04T11:30"))
    assert sorted(messages(harness)) == sorted(
        ["lead_assigned", "acceptance_overdue", "next_touch_due", "stage_overdue"]
    )
    assert [target for target, _, _ in missed(harness)] == ["acceptance", "next_touch", "stage"]


@pytest.mark.parametrize("do", ["remind", "reassign", "recycle"])
def test_a_lead_that_nothing_happens_about_goes_stale_once(desk_with: MakeDesk, do: str) -> None:
    harness = desk_with(
        follow_up=f"  finished_by: acceptance\n  recycle_after: 7d\n  stale: {{touched: {{days: 2, do: {do}}}}}\n"
    )
    rep = owner(harness)
    harness.activity("call", LEAD, rep=rep, at=NOW + HOUR)
    check(harness, NOW + 2 * HOUR)
    end = at("06T16:00")  # Thursday and Friday passed without anything, and Friday's hours are over
    assert harness.one("SELECT next_check_at FROM assignment") == end
    check(harness, end - MOMENT)
    assert messages(harness) == ["lead_assigned"]
    for again in range(3):
        check(harness, end + again * MOMENT)
    match do:
        case "remind":
            assert messages(harness) == ["lead_assigned", "lead_stale"]
            harness.activity("page_view", LEAD, at=at("09T09:00"))
            check(harness, at("11T16:00"))
            assert messages(harness) == ["lead_assigned", "lead_stale", "lead_stale"]
        case "reassign":
            assert messages(harness) == ["lead_assigned", "lead_taken_back", "lead_assigned"]
            assert owner(harness) != rep
        case _:
            assert harness.count_statuses() == {"nurture": 1}
            check(harness, end + 7 * DAY - MOMENT)
            assert harness.count_statuses() == {"nurture": 1}
            check(harness, end + 7 * DAY + 3 * MOMENT)
            assert harness.rows("SELECT trigger, start_stage FROM journey WHERE status = 'owned'") == [
                ("recycle", "qualification")
            ]
            assert owner(harness) != rep
            assert harness.one("SELECT count(*) FROM lead") == 1
            assert harness.one("SELECT end_reason FROM assignment WHERE ended_at IS NOT NULL") == "stale: touched"


@pytest.mark.parametrize("again", [True, False])
def test_whose_lead_went_stale_gets_it_again_where_the_playbook_says_so(ledger: Ledger, again: bool) -> None:
    stale = f"{{untouched: {{days: 1, do: recycle, same_owner: {str(again).lower()}}}}}"
    words = PLAYBOOK.replace("exceptions:\n", f"follow_up: {{recycle_after: 1h, stale: {stale}}}\nexceptions:\n")
    words = words.replace("members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]", "members: [{rep: ana}]")
    words = words.replace("      - {after: 200, do: reassign}\n", "")
    harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    harness.capture(make_lead(1))
    check(harness, NOW)
    check(harness, at("05T16:00"))
    check(harness, at("05T17:00"))
    assert harness.count_statuses() == {"nurture": 1, "owned" if again else "held": 1}


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
        ("not_a_fit", "those that are disqualified", "disqualified"),
        ("wrong_territory", "another owner", "ready"),
        ("other", "nurture", "nurture"),
        ("not_now", "nurture until 2026-03-07, and through qualification again then", "nurture"),
    ],
)
def test_each_reason_to_reject_has_its_own_consequence(
    desk_with: MakeDesk, reason: str, goes_to: str, status: str
) -> None:
    harness = desk_with(follow_up=REASONS)
    book = harness.loaded.playbook
    assert (
        ownership.reject(
            harness.ledger, journey(harness), by=make_actor("mia"), now=NOW, reason=reason, playbook=book
        ).goes_to
        == goes_to
    )
    assert harness.count_statuses() == {status: 1}
    assert harness.find_broken() == []


@pytest.mark.parametrize(("reason", "days", "again"), [("not_now", 3, True), ("unreachable", 7, False)])
def test_a_rejected_lead_comes_back_with_its_history_to_its_owner_or_another(
    ledger: Ledger, reason: str, days: int, again: bool
) -> None:
    words = PLAYBOOK.replace("exceptions:\n", f"follow_up:\n{REASONS}exceptions:\n")
    words = words.replace("members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]", "members: [{rep: ana}]")
    harness = Harness(ledger, playbooks.parse(words, path=Path("tests.yaml")))
    harness.capture(make_lead(1))
    check(harness, NOW)
    ownership.reject(
        ledger, journey(harness), by=make_actor("mia"), now=NOW, reason=reason, playbook=harness.loaded.playbook
    )
    check(harness, NOW + days * DAY - MOMENT)
    assert harness.count_statuses() == {"nurture": 1}
    check(harness, NOW + days * DAY)
    assert harness.count_statuses() == ({"nurture": 1, "owned": 1} if again else {"nurture": 1, "held": 1})
    assert harness.one("SELECT count(*) FROM lead WHERE recycle_at IS NOT NULL") == 0
    assert harness.rows("SELECT trigger FROM journey ORDER BY id") == [("signal",), ("recycle",)]


def test_a_lead_that_came_back_by_itself_is_not_recycled_too(desk_with: MakeDesk) -> None:
    harness = desk_with(follow_up=REASONS)
    ownership.reject(
        harness.ledger,
        journey(harness),
        by=make_actor("mia"),
        now=NOW,
        reason="unreachable",
        playbook=harness.loaded.playbook,
    )
    harness.capture(make_lead(1, Message="me again"), now=NOW + DAY)
    check(harness, NOW + DAY)
    check(harness, NOW + 8 * DAY)
    assert harness.rows("SELECT trigger FROM journey ORDER BY id") == [("signal",), ("signal",)]
    assert harness.one("SELECT count(*) FROM lead WHERE recycle_at IS NOT NULL") == 0


def test_accepting_while_a_check_decides_is_not_lost(desk_with: MakeDesk) -> None:
    harness = desk_with(follow_up="  finished_by: acceptance\n")

    def accept() -> None:
        ownership.accept(harness.ledger, journey(harness), by=make_actor(owner(harness)), now=NOW + 2 * HOUR)

    late = NOW + 2 * HOUR
    run_waiting(harness.worker(), lambda: late, kinds=("follow_up",), check=act_at_gate("followed_up", accept))
    assert harness.count_statuses() == {"done": 1}
