"""A lead's story in words, and the summary's layout, from data made up here: no ledger.

Long as one file: the same made-up story, told by each part of explain and of the summary.
"""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_story import make_story as story
from rich.console import Console

from console.answers import Answer, Grid
from console.cli import summary
from console.cli.run import format_stage
from console.explain import evidence, follow_up, trigger
from console.explain.command import render
from console.screen import format_span
from leadgate.ledger.reports import Examples, OwnerCounts, QueueCounts, Speed, StageCounts, Summary
from leadgate.playbook import Playbook
from leadgate.vocabulary import STAGES
from tasks.stage import StageReport

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)

PLAYBOOK = Playbook.model_validate(
    {
        "name": "Words",
        "sources": {"website": {}},
        "reps": [{"name": "ana"}],
        "pools": [{"name": "all", "members": [{"rep": "ana"}], "sla": "quick"}],
        "routing": [{"name": "everybody", "to": "pool all"}],
        "slas": [
            {
                "name": "quick",
                "first_touch": "1h",
                "ladder": [{"after": 50, "do": "remind"}, {"after": 100, "do": "escalate", "to": "mia"}],
            }
        ],
    }
)


def told(answer: Answer) -> str:
    """An answer as it is printed, in one line."""
    console = Console(file=io.StringIO(), width=100, markup=False, emoji=False, highlight=False)
    render(answer, console)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def signal(**columns: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "journey_id": 7,
        "source": "website",
        "origin": "leads.csv:2",
        "received_at": NOW,
        "payload": '{"Email": "ann@acme.example", "Fax": ""}',
        "unreadable": None,
    } | columns


def assignment(**columns: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "journey_id": 7,
        "generation": 0,
        "owner": "ana",
        "pool": "all",
        "rule": "everybody",
        "method": "route",
        "turn": True,
        "candidates": [
            {
                "rep": "ana",
                "eligible": True,
                "reason": "next in turn",
                "pool": "all",
                "turns": 2,
                "weight": 1,
            },
            {"rep": "bob", "eligible": False, "reason": "absent", "pool": "all", "turns": None, "weight": 1},
        ],
        "why": "ana is next in pool all.",
        "sla": "quick",
        "assigned_at": NOW,
        "due_at": NOW + timedelta(hours=1),
        "due_soon_at": NOW + timedelta(minutes=45),
        "clock_from": None,
        "priority": None,
        "ladder_step": 1,
        "acceptance_step": 0,
        "next_touch_step": 0,
        "stage_step": 0,
        "touched_at": None,
        "last_touched_at": None,
        "stale_since": None,
        "accepted_at": None,
        "ended_at": None,
        "end_reason": None,
    } | columns


def work_item(**columns: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "kind": "exception",
        "journey_id": 7,
        "generation": 0,
        "stage": "validation",
        "reason": "email_malformed",
        "promise": "email_well_formed",
        "blocking": True,
        "message": "The e-mail address is not well-formed",
        "value": "ann@gmial.com",
        "detail": None,
        "proposal": {"email": "ann@gmail.com"},
        "route": "data_quality",
        "assignee": None,
        "escalated_at": None,
        "escalated_to": None,
        "due_at": NOW + timedelta(hours=8),
        "closed_at": None,
        "closed_by": None,
        "resolution": None,
        "note": None,
    } | columns


def test_a_signal_is_told_with_what_it_said() -> None:
    answer = trigger.answer_trigger(story(signals=[signal()]))
    assert "source website, received 2026-03-04 10:00 UTC, from leads.csv:2." in told(answer)
    grid = next(part for part in answer.parts if isinstance(part, Grid))
    assert grid.rows == [("Email", "ann@acme.example")]


def test_a_signal_that_could_not_be_read_is_told_with_its_raw_line() -> None:
    broken = signal(payload='{"raw": "a;b"}', unreadable="line 2: 2 cells, the header has 3")
    words = told(trigger.answer_trigger(story(signals=[broken])))
    assert "could not be read: line 2: 2 cells" in words
    assert "As received: a;b" in words


def test_joined_signals_and_a_shared_phone_are_told() -> None:
    again = signal(id=9, journey_id=12, source="partner", origin=None)
    words = told(trigger.answer_trigger(story(signals=[signal(), again], same_phone=[4, 9], counts={"signals": 2})))
    assert "1 more signal is about the same person" in words
    assert "J12" in words
    assert "The same phone number: lead 4, 9. That is a hint, no proof" in words


def test_the_owner_is_told_with_everybody_who_was_passed_over() -> None:
    held = story(journey={"status": "owned", "stage": "follow_up"}, assignments=[assignment()])
    words = told(trigger.answer_owner(held, NOW))
    assert "ana has had it since 2026-03-04 10:00 UTC, by route everybody and pool all." in words
    spaced = story(journey={"status": "owned", "stage": "follow_up"}, assignments=[assignment(rule="all of them")])
    assert "by route all of them and pool all." in told(trigger.answer_owner(spaced, NOW))
    assert "bob no 1 absent" in words
    assert "ana yes 2, 1 next in turn" in words


def test_what_the_rule_read_and_how_the_turns_moved_is_told() -> None:
    kept = {
        "inputs": {"country": "DE", "employees": None, "postal_code": "(given)"},
        "pointer": {"epoch": 4, "position": [17, 18], "turns": [5, 6]},
    }
    words = told(trigger.answer_owner(story(journey={"status": "owned"}, assignments=[assignment(**kept)]), NOW))
    assert "It read: country DE, employees not given, postal code (given)." in words
    assert "Pool all went from 17 to 18 turns since its members last changed, ana from 5 to 6." in words


def test_a_lead_that_changed_hands_is_told_with_its_clock() -> None:
    before = assignment(owner="bob", ended_at=NOW, end_reason="transferred")
    left = {"journey_id": 7, "generation": 0, "what": "transfer", "by": "mia", "at": NOW, "note": "left us"}
    now = assignment(rule="transfer to all", method="transfer", clock_from=NOW - timedelta(hours=2))
    words = told(
        trigger.answer_owner(story(journey={"status": "owned"}, assignments=[before, now], actions=[left]), NOW)
    )
    assert "ana has had it since 2026-03-04 10:00 UTC, by hand (transfer to all)." in words
    assert "The SLA's clock of the owner before goes on, since 2026-03-04 08:00 UTC." in words
    assert "bob had it until 2026-03-04 10:00 UTC: transferred: left us." in words


def test_a_lead_that_nobody_can_take_is_told_with_why_of_each() -> None:
    item = work_item(reason="nobody_available", stage="assignment", detail="ana: reached 3 a day; bob: absent")
    words = told(evidence.answer_failure(story(work_items=[item]), PLAYBOOK, NOW))
    assert "Considered: ana: reached 3 a day; bob: absent" in words


def test_earlier_owners_are_told_with_how_it_ended() -> None:
    first = assignment(owner="bob", ended_at=NOW, end_reason="rejected: not_a_fit")
    words = told(trigger.answer_owner(story(journey={"status": "owned"}, assignments=[first, assignment()]), NOW))
    assert "bob had it until 2026-03-04 10:00 UTC: rejected: not_a_fit." in words


@pytest.mark.parametrize(
    ("journey", "words"),
    [
        ({"status": "ready", "stage": "assignment"}, "it waits at assignment for the next run"),
        ({"status": "ready", "run_after": NOW + timedelta(hours=1)}, "tried again after 2026-03-04 11:00"),
        (
            {
                "status": "ready",
                "stage": "assignment",
                "run_after": NOW + timedelta(hours=1),
                "waits_for": "Nobody in pool all is available. ana: absent.",
            },
            "it waits at assignment. Nobody in pool all is available. ana: absent.",
        ),
        (
            {"status": "held", "stage": "validation", "work_item_id": 5},
            "held at validation; data_quality decides",
        ),
        ({"status": "joined", "joined_to": 3}, "Whoever has journey J3"),
        ({"status": "done"}, "it was followed up"),
        ({"status": "nurture"}, "it is in nurture, because a score of 10 is too low"),
    ],
)
def test_why_nobody_owns_a_lead(journey: dict[str, Any], words: str) -> None:
    handoffs = [{"journey_id": 7, "reason": "a score of 10 is too low"}]
    assert words in told(trigger.answer_owner(story(journey=journey, work_items=[work_item()], handoffs=handoffs), NOW))


def test_every_handoff_names_its_gate_and_what_broke_or_warned() -> None:
    handoff = {
        "journey_id": 7,
        "generation": 0,
        "batch_id": 1,
        "at": NOW,
        "reason": None,
        "outcome": "continued",
    }
    gate = {"batch_id": 1, "rows": 20, "evidence": [{}] * 8}
    answer = evidence.answer_evidence(
        story(
            handoffs=[
                handoff | {"stage": "capture"},
                handoff | {"stage": "validation", "outcome": "held", "reason": "email_malformed"},
                handoff | {"stage": "validation", "generation": 1, "batch_id": None},
                handoff | {"stage": "enrichment"},
            ],
            gates=[gate | {"gate": "captured"}, gate | {"gate": "validated"}, gate | {"gate": "enriched"}],
            warnings=[{"journey_id": 7, "generation": 0, "gate": "enriched", "reason": "company_unknown"}],
            work_items=[work_item()],
        )
    )
    grid = next(part for part in answer.parts if isinstance(part, Grid))
    assert [row[1:] for row in grid.rows] == [
        ("capture", "continued", "captured: 8 promises, kept (batch 1, 20 rows)"),
        ("validation", "held: email_malformed", "validated: 8 promises, broken: email_well_formed (batch 1, 20 rows)"),
        ("validation, rerun 1", "continued", "by a person"),
        ("enrichment", "continued", "enriched: 8 promises, passed with a warning: company_unknown (batch 1, 20 rows)"),
    ]  # fmt: skip


def test_joins_comparisons_and_verdicts_are_told() -> None:
    join = {"journey_id": 7, "lead_id": 4, "joined_to": 4, "because": ["email", "crm_id:hubspot"]}
    compared = {
        "journey_id": 7, "generation": 1, "lead_id": 9, "score": 75,
        "levels": {"email": "differs", "phone": "same", "name": "similar", "company": "unknown"},
    }  # fmt: skip
    verdict = {"low": 7, "high": 9, "same": False, "keep": None, "by": "rita", "at": NOW}
    words = told(
        trigger.answer_trigger(
            story(
                journey={"lead_id": 4},
                joins=[join],
                lookalikes=[compared | {"generation": 0, "lead_id": 5}, compared],
                verdicts=[verdict, verdict | {"same": True, "keep": 9}],
            )
        )
    )
    assert (
        "about known lead 4, and joined its open journey, because of the same e-mail address, the same id in hubspot"
        in words
    )
    assert "9 75 the phone number is the same, the names are alike; the e-mail address differs" in words
    assert "5 75" not in words
    assert "rita said that lead 7 and lead 9 are different, 2026-03-04 10:00 UTC." in words
    assert "are the same person; what is about both goes to lead 9" in words


def test_the_score_is_told_rule_by_rule_with_its_evidence() -> None:
    scored = {
        "journey_id": 7,
        "fit": 40,
        "engagement": -5,
        "score": 35,
        "contributions": {"has_company": 40, "unsubscribed": -5},
        "reasons": ["a score of 35 reaches 30: marketing-qualified"],
        "evidence": {
            "budget": {"known": True, "field": "budget"},
            "authority": {"known": True, "field": "seats"},
            "need": {"known": False},
            "timeline": {"known": True, "field": "message"},
        },
    }
    says = {"budget": "50k", "custom": {"seats": 12}, "message": "my own words"}
    words = told(evidence.answer_evidence(story(qualifications=[scored], lead=says)))
    assert "Score 35, the sum of fit 40 and engagement -5: a score of 35 reaches 30" in words
    assert "Points: has_company +40, unsubscribed -5." in words
    assert (
        "Budget is known (budget: 50k), authority is known (seats: 12), need is not known, "
        "timeline is known (from message)." in words
    )


def test_a_score_that_ages_is_told_with_what_decayed_and_how_the_lead_was_qualified_before() -> None:
    scored = {
        "journey_id": 7,
        "at": NOW,
        "fit": 30,
        "engagement": 12,
        "score": 42,
        "grade": "B3",
        "was": "sales_qualified",
        "contributions": {"executive": 30, "pricing": 3, "webinar": 19, "cap of pages": -10},
        "details": {
            "fit": ["executive"],
            "decayed": {
                "pricing": {"of": 5, "latest": (NOW - timedelta(days=9)).isoformat()},
                "blog": {"of": 1, "latest": (NOW - timedelta(days=60)).isoformat()},
            },
        },
        "reasons": ["a score of 42 is below 45: no longer sales-qualified, but marketing-qualified"],
        "evidence": {
            "budget": {"known": False, "negative": True, "field": "budget"},
            "need": {"known": True, "activity": "demo_request", "at": NOW.isoformat()},
        },
        "changes_at": NOW + timedelta(days=6),
    }
    words = told(evidence.answer_evidence(story(qualifications=[scored], lead={"budget": "none"})))
    assert "Score 42, grade B3, the sum of fit 30 and engagement 12: a score of 42 is below 45" in words
    assert "Before, it was sales-qualified." in words
    assert "Fit: executive +30." in words
    assert (
        "Engagement: pricing +3 of +5 (the latest 9 d before), blog +0 of +1 (the latest 60 d before), webinar +19, "
        "cap of pages -10." in words
    )
    assert "There is no budget (budget: none), need is known (demo_request, 2026-03-04 10:00 UTC)." in words
    assert "Without news, its verdict or its grade changes 2026-03-10 10:00 UTC." in words


def test_a_lead_that_time_changed_is_told_so() -> None:
    before = {"journey_id": 3, "changes_at": NOW - timedelta(minutes=1)}
    again = {"trigger": "rescore", "status": "done", "stage": "qualification"}
    cold = story(journey=again, qualifications=[before], lead={"score_changes_at": NOW + timedelta(days=2)})
    assert "Nothing new: with time alone the verdict or the grade" in told(trigger.answer_trigger(cold))
    assert trigger.describe_standing(cold) == "Journey J7 scored it again: it stays qualified."
    assert "It was only scored again." in told(trigger.answer_owner(cold, NOW))
    words = told(evidence.answer_failure(cold, PLAYBOOK, NOW))
    assert "Without news it is scored again 2026-03-06 10:00 UTC" in words
    assert "Nobody is assigned again while it stays qualified." in words
    news = story(journey=again, qualifications=[before | {"changes_at": None}])
    assert "Something new became known" in told(trigger.answer_trigger(news))


def message(**more: Any) -> dict[str, Any]:
    return {
        "target": "ana", "kind": "lead_assigned", "created_at": NOW, "delivered_at": None, "attempts": 0,
        "retry_at": None, "given_up_at": None, "failure": None,
    } | more  # fmt: skip


def test_messages_touches_corrections_and_providers_are_evidence() -> None:
    words = told(
        evidence.answer_evidence(
            story(
                lead={
                    "employees": 120,
                    "provenance": {"employees": {"provider": "accounts", "at": NOW.isoformat()}},
                },
                assignments=[assignment(touched_at=NOW + timedelta(minutes=63))],
                messages=[
                    message(),
                    message(attempts=2, failure="SLACK: the receiver answered 500", retry_at=NOW),
                    message(attempts=10, failure="SLACK: the receiver answered 500", given_up_at=NOW),
                    message(attempts=3, delivered_at=NOW),
                    message(attempts=1, retry_at=NOW),
                ],
                corrections=[{"by": "ops", "field": "phone", "value": None, "at": NOW}],
                actions=[
                    {
                        "by": "ops",
                        "acted_for": None,
                        "what": "done_by_hand",
                        "work_item_id": 5,
                        "at": NOW,
                        "number": None,
                        "undoes": None,
                    }
                ],
            )
        )
    )
    assert "employees 120 accounts 2026-03-04 10:00" in words
    assert "First touch by ana: 2026-03-04 11:03 UTC, 1 h 3 min after assignment." in words
    told_so = "Message to ana: lead assigned, 2026-03-04 10:00 UTC, "
    assert told_so + "waiting in the outbox." in words
    why = "(SLACK: the receiver answered 500)"
    assert told_so + f"failed, after 2 attempts so far {why}, tried again after 2026-03-04 10:00 UTC." in words
    assert told_so + f"given up 2026-03-04 10:00 UTC after 10 attempts {why}." in words
    assert told_so + "delivered 2026-03-04 10:00 UTC, after 3 attempts." in words
    assert told_so + "being sent." in words
    assert "ops set phone to nothing, 2026-03-04 10:00 UTC." in words
    assert "ops: done by hand (work item W5), 2026-03-04 10:00 UTC." in words


def test_an_open_work_item_is_told_with_its_commands() -> None:
    held = story(journey={"status": "held", "work_item_id": 5}, work_items=[work_item()])
    words = told(evidence.answer_failure(held, PLAYBOOK, NOW + timedelta(hours=9)))
    assert "The value seen: ann@gmial.com" in words
    assert "data_quality decides, by 2026-03-04 18:00 UTC, 1 h ago." in words
    assert "leadgate rerun W5 --proposed" in words
    assert "--set email=ADDRESS" in words
    assert "escalated" not in words
    late = work_item(escalated_at=NOW + timedelta(hours=8), escalated_to="mia")
    words = told(evidence.answer_failure(story(work_items=[late]), PLAYBOOK, NOW + timedelta(hours=9)))
    assert "Nobody took it in time: escalated to mia at 2026-03-04 18:00 UTC." in words
    at_capture = story(journey={"work_item_id": 5}, work_items=[work_item(stage="capture", proposal=None)])
    words = told(evidence.answer_failure(at_capture, PLAYBOOK, NOW))
    assert "--approve" not in words
    assert "--proposed" not in words


def test_what_is_due_is_told_by_the_clock_of_the_owner_too() -> None:
    there = PLAYBOOK.model_copy(
        update={"reps": [rep.model_copy(update={"time_zone": "America/New_York"}) for rep in PLAYBOOK.reps]}
    )
    held = story(journey={"status": "owned", "stage": "follow_up"}, assignments=[assignment()])
    words = told(evidence.answer_failure(held, there, NOW + timedelta(minutes=5)))
    assert "due 2026-03-04 11:00 UTC, 2026-03-04 06:00 in America/New_York (SLA quick)" in words


def test_a_closed_work_item_and_the_ladder_are_told() -> None:
    closed = work_item(closed_at=NOW, closed_by="ops", resolution="corrected", note="called her")
    words = told(
        evidence.answer_failure(
            story(work_items=[closed], assignments=[assignment()]), PLAYBOOK, NOW + timedelta(hours=2)
        )
    )
    assert "W5 (email_malformed at validation) was closed by ops" in words
    assert "as corrected: called her." in words
    assert "The first touch was due 2026-03-04 11:00 UTC and is late (SLA quick)." in words
    assert "remind at 50 % (done), escalate to mia at 100 %." in words


def touched(**columns: Any) -> dict[str, Any]:
    return {
        "kind": "call", "actor": "rep", "rep": "ana", "occurred_at": NOW + timedelta(minutes=30), "seconds": None,
        "automatic": None,
    } | columns  # fmt: skip


def test_it_is_told_which_touch_counted_and_why_others_did_not() -> None:
    first = NOW + timedelta(minutes=40)
    words = told(
        follow_up.add_evidence(
            Answer("?"),
            story(
                assignments=[assignment(touched_at=first)],
                activities=[
                    touched(occurred_at=NOW - timedelta(hours=1)),
                    touched(seconds=0),
                    touched(kind="email", automatic=True),
                    touched(rep="bob"),
                    touched(occurred_at=first, seconds=95),
                    touched(occurred_at=first + timedelta(hours=1), rep=None),
                    touched(kind="page_view", actor="lead", rep=None),
                ],
            ),
            PLAYBOOK,
        )
    )
    assert "call, 0 s ana no: it took 0 s, and a call counts from 1 s on" in words
    assert "email ana no: it was sent automatically" in words
    assert "call bob no: bob did it, not the owner" in words
    assert "2026-03-04 10:40 call, 95 s ana yes, as the first touch" in words
    assert "2026-03-04 11:40 call the owner, as nobody is named yes" in words
    assert "09:00" not in words
    assert "page_view" not in words


@pytest.mark.parametrize(
    ("met", "words"),
    [
        (None, "Missed: The first touch by ana was due 2026-03-04 11:00 UTC and had not come by 2026-03-04 11:05 UTC."),
        (
            100,
            "Missed: The first touch by ana was due 2026-03-04 11:00 UTC and came 2026-03-04 11:40 UTC, 40 min late.",
        ),
        (50, "The first touch by ana was due 2026-03-04 11:00 UTC and was made in time, 2026-03-04 10:50 UTC"),
    ],
)
def test_what_was_missed_is_told_with_how_late_it_came(met: int | None, words: str) -> None:
    miss = {
        "journey_id": 7, "assignment_id": 1, "target": "first_touch", "due_at": NOW + timedelta(hours=1),
        "noticed_at": NOW + timedelta(minutes=65), "met_at": None if met is None else NOW + timedelta(minutes=met),
    }  # fmt: skip
    answer = follow_up.add_evidence(Answer("?"), story(assignments=[assignment()], missed=[miss]), PLAYBOOK)
    assert words in told(answer)


def test_a_wait_is_told_while_it_lasts_and_afterwards() -> None:
    pause = {
        "journey_id": 7, "by": "ana", "reason": "on a fair", "started_at": NOW + timedelta(minutes=30),
        "until": NOW + timedelta(days=2), "ended_at": None, "ended_by": None,
    }  # fmt: skip
    waiting = story(assignments=[assignment()], pauses=[pause])
    words = told(evidence.answer_failure(waiting, PLAYBOOK, NOW + timedelta(hours=1)))
    assert "ana waits for the lead since 2026-03-04 10:30 UTC: on a fair." in words
    assert "stands still until 2026-03-06 10:00 UTC, or until the lead is heard of." in words
    assert "The first touch is due 2026-03-06 10:30 UTC (SLA quick)." in words
    assert "The clock runs day and night." in words
    for ended_by, why in (("lead", "the lead was heard of"), ("leadgate", "the time was up"), ("bob", "bob went on")):
        over = story(
            assignments=[assignment()], pauses=[pause | {"ended_at": NOW + timedelta(hours=1), "ended_by": ended_by}]
        )
        words = told(follow_up.add_evidence(Answer("?"), over, PLAYBOOK))
        assert (
            f"from 2026-03-04 10:30 UTC to 2026-03-04 11:00 UTC (on a fair), until {why}. That time does not count."
            in words
        )


def test_a_priority_whose_clock_it_is_and_going_stale_are_told() -> None:
    book = PLAYBOOK.model_dump() | {
        "hours": {"own": {"time_zone": "Europe/Berlin", "week": {"wed": [["09:00", "17:00"]]}, "holidays": "DE"}},
        "reps": [{"name": "ana", "hours": "own"}],
        "slas": [{"name": "quick", "first_touch": "1h", "accept_within": "30m", "clock": "rep"}],
        "follow_up": {
            "finished_by": "acceptance",
            "priorities": [{"name": "hot", "when": "true", "sla": "quick"}],
            "stale": {"untouched": {"days": 2, "do": "recycle"}},
        },
    }
    owned = story(assignments=[assignment(priority="hot", candidates=[])])
    words = told(evidence.answer_failure(owned, Playbook.model_validate(book), NOW))
    assert "Priority hot sets its SLA, in place of the pool's." in words
    assert "The answer (accept, reject or touch) is due 2026-03-04 10:30 UTC (SLA quick)." in words
    assert "escalate to the manager at 100 %." in words
    assert "in ana's own working hours (own, Europe/Berlin), without the public holidays of DE." in words
    assert "After 2 working days without another, 2026-03-18 16:00 UTC, it goes to nurture" in words


def test_when_a_rejected_lead_comes_back_is_told_with_who_does_not_get_it() -> None:
    given_back = assignment(ended_at=NOW, end_reason="rejected: other")
    resting = story(
        journey={"status": "nurture"}, lead={"recycle_at": NOW + timedelta(days=30)}, assignments=[given_back]
    )
    words = told(evidence.answer_failure(resting, PLAYBOOK, NOW))
    assert (
        "goes through qualification again on 2026-04-03 10:00 UTC, with its history, for somebody other than ana."
        in words
    )
    back = story(journey={"trigger": "recycle"}, signals=[signal()])
    assert "its time to come back came, so it went through qualification again on" in told(trigger.answer_trigger(back))


def test_a_lead_that_is_not_known_yet_has_a_title() -> None:
    nobody = story()
    assert trigger.describe_lead(nobody) == "Lead 7: nothing is known"
    known = story(lead={"first_name": "Ann", "last_name": "Lee", "job_title": "CEO", "company": "Acme"})
    assert trigger.describe_lead(known) == "Lead 7: Ann Lee, CEO at Acme"
    others = [{"id": 2, "trigger": "signal", "status": "done"}, dataclasses.asdict(known.journey)]
    assert trigger.describe_standing(story(journeys=others)) == (
        "Journey J7 waits at capture. Its other journeys: J2 (signal, done)."
    )


def crowded() -> Summary:
    """A summary with more of everything than a screen has room for."""
    return Summary(
        signals=1_000_000,
        leads=900_000,
        journeys=dict.fromkeys(("owned", "held", "nurture", "disqualified", "joined", "done", "discarded"), 142_857),
        rescores={"owned": 12_345},
        stages=[
            StageCounts(
                stage=stage,
                entered=1_000_000,
                passed=700_000,
                held=100_000,
                waiting=100_000,
                ended={"joined": 50_000, "discarded": 50_000},
                reasons={f"a_rather_long_reason_of_the_playbook_{n}": 10_000 for n in range(9)},
            )
            for stage in STAGES
        ],
        owners=[OwnerCounts(f"a_rep_with_a_long_name_{n}", open=1000, overdue=10, total=2000) for n in range(40)],
        queue=[
            QueueCounts(f"a_rather_long_reason_{n}", "validation", "revenue_operations", 10_000, 10_000, NOW)
            for n in range(30)
        ],
        to_owner=Speed(800_000, 3.2, 86_400.0 * 3),
        to_first_touch=Speed(0, None, None),
        examples=Examples(owned_lead=17, any_lead=1, proposed_item=5, phone_item=6, review_item=8, any_item=5),
    )  # fmt: skip


def test_the_summary_fits_on_a_screen_whatever_is_in_it() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False, emoji=False, highlight=False)
    summary.render(crowded(), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().rstrip("\n").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    for words in ("and 34 more", "and 24 more", "p50 3.2 s, p95 3 d", "none yet", "8 more"):
        assert words in text
    for command in (
        "leadgate explain 17",
        "rerun W5 --proposed",
        "rerun W6 --set phone=",
        "--done-by-hand approved",
    ):
        assert command in text
    two_alike = dataclasses.replace(crowded(), examples=dataclasses.replace(crowded().examples, compare_item=9))
    commands = [command for command, _ in summary.suggest_commands(two_alike)]
    assert "leadgate review W9" in " ".join(commands)
    assert len(commands) == len(summary.suggest_commands(crowded()))


def test_a_stage_of_a_batch_is_told_in_a_line() -> None:
    report = StageReport("follow_up", 3, entered=12, outcomes={"stay": 10, "hold": 2}, reasons={"owner_not_told": 2})
    assert format_stage(report) == (
        "batch 3 · follow-up          12 in: 10 stay with their owner, 2 held (owner_not_told 2)"
    )


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (None, "none yet"),
        (0.04, "0.0 s"),
        (59.4, "59 s"),
        (timedelta(hours=1, minutes=3, seconds=9), "1 h 3 min"),
        (timedelta(days=2, minutes=5), "2 d"),
        (-5, "0.0 s"),
    ],
)
def test_a_length_of_time_is_told_in_two_units(length: timedelta | float | None, words: str) -> None:
    assert format_span(length) == words
