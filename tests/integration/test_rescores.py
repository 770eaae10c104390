"""Leads that go cold or warm up: scored again when time or news change what was decided, and never without need."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, ownership, reruns
from leadgate.ledger.journeys import starting
from leadgate.ledger.verify import read_projection

DAY = timedelta(days=1)
EMAIL = "lead1@company1.example"

#: A lead without a company has 0 points of fit; a demo request is worth 40 at first, 20 after ten days.
RULES = PLAYBOOK.replace(
    "{name: asked_for_demo, activity: demo_request, points: 20}",
    "{name: asked_for_demo, activity: demo_request, points: 40, half_life: 10d}",
).replace(
    "  review: {lowest: 20, below: 30}",
    "  leave: {marketing_qualified: 20}\n  evidence: {need: {activity: demo_request}}",
)


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(RULES, path=Path("rules.yaml")))


def hot(harness: Harness) -> None:
    """Lead 1 asked for a demo and has an owner."""

    def work() -> None:
        harness.activity("demo_request", EMAIL)
        harness.capture(make_lead(1, Company=""))
        harness.run()

    harness.begin_with(repr((harness.loaded.text, "asked for a demo")), work)


def followed_up(harness: Harness, at: datetime = NOW + timedelta(hours=1)) -> None:
    """Its owner called."""
    harness.activity("call", EMAIL, rep=harness.one("SELECT owner FROM assignment WHERE ended_at IS NULL"), at=at)
    harness.run(now=at)


def journeys(harness: Harness) -> list[tuple[str, str, str]]:
    return harness.rows("SELECT trigger, stage, status FROM journey ORDER BY id")  # type: ignore[return-value]


def foretold(harness: Harness) -> datetime:
    """When the lead is to be scored again without news."""
    at = harness.one("SELECT score_changes_at FROM lead")
    assert isinstance(at, datetime)
    return at


def test_a_lead_that_was_followed_up_goes_cold_at_the_moment_foretold(harness: Harness) -> None:
    hot(harness)
    assert harness.one("SELECT score_changes_at FROM lead") is None  # somebody has it
    followed_up(harness)
    moment = foretold(harness)
    assert 10 * DAY < moment - NOW < 11 * DAY  # 20 is where it stays, so it leaves when 19.5 is reached
    harness.run(now=moment - timedelta(seconds=1))
    assert journeys(harness) == [("signal", "follow_up", "done")]
    harness.run(now=moment)
    assert journeys(harness)[1:] == [("rescore", "qualification", "nurture")]
    assert harness.rows("SELECT outcome, reason FROM handoff ORDER BY id DESC LIMIT 1") == [
        ("nurture", "a score of 19 is below 20: no longer marketing-qualified")
    ]
    assert harness.rows("SELECT was, qualified_as FROM qualification ORDER BY id") == [
        (None, "marketing_qualified"),
        ("marketing_qualified", None),
    ]
    harness.run(now=moment + 100 * DAY)
    assert len(journeys(harness)) == 2
    assert harness.find_broken() == []


def test_a_lead_that_went_cold_warms_up_again_and_gets_an_owner(harness: Harness) -> None:
    hot(harness)
    followed_up(harness)
    cold = foretold(harness)
    harness.run(now=cold)
    # below the threshold to enter, whatever the one to leave: not qualified yet
    later = cold + 20 * DAY
    harness.activity("demo_request", EMAIL, at=later - 6 * DAY)
    harness.run(now=later)
    assert journeys(harness)[2:] == [("rescore", "qualification", "nurture")]
    harness.activity("demo_request", EMAIL, at=later)
    harness.run(now=later)
    assert journeys(harness)[3:] == [("rescore", "follow_up", "owned")]
    assert harness.one("SELECT count(*) FROM assignment") == 2
    assert harness.find_broken() == []


def test_a_lead_that_stays_qualified_is_scored_again_without_an_owner(harness: Harness) -> None:
    hot(harness)
    followed_up(harness)
    first = foretold(harness)
    harness.activity("demo_request", EMAIL, at=NOW + 5 * DAY)
    harness.run(now=NOW + 5 * DAY)
    assert journeys(harness)[1:] == [("rescore", "qualification", "done")]
    assert harness.one("SELECT outcome FROM handoff ORDER BY id DESC LIMIT 1") == "done"
    assert harness.one("SELECT count(*) FROM assignment") == 1
    assert foretold(harness) - first == 5 * DAY
    assert harness.one("SELECT count(*) FROM outbox WHERE kind = 'lead_warmed_up'") == 0  # as qualified as before
    harness.run(now=first)
    assert len(journeys(harness)) == 2
    harness.run(now=foretold(harness))
    assert journeys(harness)[2:] == [("rescore", "qualification", "nurture")]
    assert harness.find_broken() == []


def test_whoever_followed_up_hears_that_the_lead_warmed_up(ledger: Ledger) -> None:
    grades = "  grades: {fit: {A: 50, B: 20, C: 10}, engagement: {1: 60, 2: 40, 3: 20}}\n"
    rules = RULES.replace("  fit:", f"{grades}  fit:").replace(
        "half_life: 10d}", "half_life: 10d}\n    - {name: page, activity: page_view, points: 25, half_life: 10d}"
    )
    harness = Harness(ledger, playbooks.parse(rules, path=Path("rules.yaml")))
    hot(harness)
    followed_up(harness)
    owner = harness.one("SELECT owner FROM assignment")
    harness.activity("page_view", EMAIL, at=NOW + DAY)  # 40 becomes 37 and 25: sales-qualified, and 1 instead of 2
    harness.run(now=NOW + DAY)
    harness.activity("page_view", EMAIL, at=NOW + DAY + timedelta(hours=1))
    harness.run(now=NOW + DAY + timedelta(hours=1))
    assert harness.rows("SELECT was, qualified_as, engagement_grade FROM qualification ORDER BY id") == [
        (None, "marketing_qualified", 2),
        ("marketing_qualified", "sales_qualified", 1),
        ("sales_qualified", "sales_qualified", 1),
    ]
    assert harness.rows("SELECT journey_id, target FROM outbox WHERE kind = 'lead_warmed_up'") == [(2, owner)]
    assert harness.find_broken() == []


def test_a_lead_that_somebody_owns_keeps_its_owner_while_it_cools(harness: Harness) -> None:
    hot(harness)
    harness.run(now=NOW + timedelta(hours=2), kinds=("intake",))
    much_later = NOW + 30 * DAY
    harness.run(now=much_later, kinds=("intake",))
    assert journeys(harness) == [("signal", "follow_up", "owned")]
    followed_up(harness, at=much_later)
    harness.run(now=much_later)  # what has changed meanwhile is found once nobody has it any more
    assert journeys(harness) == [("signal", "follow_up", "done"), ("rescore", "qualification", "nurture")]
    assert harness.find_broken() == []


def test_what_an_owner_rejected_stays_rejected_until_there_is_news(harness: Harness) -> None:
    hot(harness)
    ownership.reject(
        harness.ledger, 1, by=make_actor("mia"), reason="not_a_fit", now=NOW, playbook=harness.loaded.playbook
    )
    harness.run(now=NOW + 60 * DAY)
    assert journeys(harness) == [("signal", "follow_up", "nurture")]
    assert harness.one("SELECT score_changes_at FROM lead") is None
    harness.activity("demo_request", EMAIL, at=NOW + 61 * DAY)
    harness.run(now=NOW + 61 * DAY)
    assert harness.one("SELECT was FROM qualification ORDER BY id DESC LIMIT 1") is None
    assert journeys(harness)[1:] == [("rescore", "follow_up", "owned")]
    assert harness.find_broken() == []


def test_a_returning_lead_at_the_edge_does_not_flap(harness: Harness) -> None:
    hot(harness)
    followed_up(harness)
    harness.capture(make_lead(1, Company="", City="Bonn"), now=NOW + 8 * DAY)  # 40 has become 23: above 20, below 30
    harness.run(now=NOW + 8 * DAY)
    assert journeys(harness)[1:] == [("signal", "follow_up", "owned")]
    assert harness.one("SELECT score FROM qualification ORDER BY id DESC LIMIT 1") == 23
    harness.capture(make_lead(2, Company=""), now=NOW + 8 * DAY)
    harness.activity("demo_request", "lead2@company2.example", at=NOW)
    harness.run(now=NOW + 8 * DAY)
    assert journeys(harness)[2][2] == "nurture"  # the same score of a lead that never was qualified
    assert harness.find_broken() == []


def test_what_a_person_approved_counts_as_qualified_when_the_lead_returns(ledger: Ledger) -> None:
    grades = "  grades: {fit: {A: 40, B: 20, C: 10}, engagement: {1: 30, 2: 15, 3: 5}}\n"
    leave = "  leave: {marketing_qualified: 25}\n"
    rules = PLAYBOOK.replace("  fit:", f"{grades}  fit:").replace("  review:", f"{leave}  review:")
    harness = Harness(ledger, playbooks.parse(rules, path=Path("rules.yaml")))
    harness.begin(make_lead(1, Company="", Title="Chief Buyer"))
    item = harness.one("SELECT work_item_id FROM journey")
    reruns.mark_done_by_hand(harness.ledger, [item], by=make_actor("mia"), now=NOW, evidence="known from the fair")
    harness.run()
    followed_up(harness)
    harness.capture(make_lead(1, Company="", Title="Chief Buyer", City="Bonn"))
    harness.run()
    assert harness.rows("SELECT score, was, qualified_as, outcome FROM qualification ORDER BY id") == [
        (25, None, None, "review"),
        (25, None, "marketing_qualified", "continue"),  # by hand
        (25, "marketing_qualified", "marketing_qualified", "continue"),
    ]
    assert journeys(harness) == [("signal", "follow_up", "done"), ("signal", "follow_up", "owned")]
    assert harness.rows("SELECT DISTINCT grade, fit_grade, engagement_grade FROM qualification") == [("B4", "B", 4)]
    assert harness.find_broken() == []


def test_a_rerun_with_the_same_score_comes_to_the_same_verdict(harness: Harness) -> None:
    hot(harness)
    harness.capture(make_lead(2, Company="", Phone="call me"))
    harness.activity("demo_request", "lead2@company2.example", at=NOW - 5 * DAY)
    harness.run()
    item = harness.one("SELECT work_item_id FROM journey WHERE status = 'held'")
    reruns.rerun(
        harness.ledger,
        [item],
        by=make_actor("mia"),
        now=NOW,
        playbook=harness.loaded.playbook,
        corrections={"phone": "+4930123456"},
    )
    harness.run(now=NOW)
    assert harness.rows("SELECT was, outcome FROM qualification ORDER BY id") == [(None, "continue"), (None, "nurture")]
    assert harness.find_broken() == []


def test_a_moment_starts_one_journey_however_often_and_by_whomever_it_is_looked_for(harness: Harness) -> None:
    hot(harness)
    followed_up(harness)
    moment = foretold(harness)
    with harness.ledger.transaction() as connection:
        assert starting.start_rescores(connection, moment - timedelta(seconds=1)) == 0
        assert starting.start_rescores(connection, moment) == 1
        assert starting.start_rescores(connection, moment) == 0
    harness.run(now=moment)
    before = read_projection(harness.ledger)
    harness.run(now=moment)
    assert read_projection(harness.ledger) == before


def test_an_idle_look_for_leads_to_score_again_reads_partial_indexes(harness: Harness) -> None:
    hot(harness)
    followed_up(harness)
    with harness.ledger.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # so small a table is read as a whole otherwise
        for column, index in (
            ("rescore_at", "lead_rescore"),
            ("score_changes_at", "lead_score_changes"),
            ("enrich_at", "lead_enrich"),
        ):
            plan = connection.execute(text(f"EXPLAIN SELECT id FROM lead WHERE {column} <= now()")).scalars()
            assert f"Scan on {index}" in " ".join(plan).replace("Scan using", "Scan on")


def test_a_route_can_read_the_grade(ledger: Ledger) -> None:
    grades = "  grades: {fit: {A: 50, B: 20, C: 10}, engagement: {1: 30, 2: 15, 3: 5}}\n"
    route = (
        "routing:\n  - {name: best, when: \"grade = 'A2' and fit_grade = 'A' and engagement_grade <= 2\", to: rep cyn}"
    )
    rules = PLAYBOOK.replace("  fit:", f"{grades}  fit:").replace("routing:", route)
    harness = Harness(ledger, playbooks.parse(rules, path=Path("rules.yaml")))
    harness.activity("demo_request", EMAIL)
    harness.capture(make_lead(1, Title="Chief Buyer"), make_lead(2))
    harness.run()
    assert harness.rows("SELECT rule FROM assignment ORDER BY journey_id") == [("best",), ("all_leads",)]
    assert harness.rows("SELECT grade FROM qualification ORDER BY journey_id") == [("A2",), ("B4",)]
    assert harness.find_broken() == []


def test_the_activity_that_proves_a_need_is_kept_with_the_score(harness: Harness) -> None:
    hot(harness)
    assert harness.one("SELECT evidence -> 'need' FROM qualification") == {
        "known": True,
        "activity": "demo_request",
        "at": NOW.isoformat(timespec="seconds"),
    }
