"""Updates of opportunities: which are plausible, what they change, who decides and who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from record_frames import NOW, judge_one, make_book

from leadgate.playbook import Playbook
from leadgate.records.sales_stages import find_category
from leadgate.vocabulary import ForecastCategory, JourneyKind, Outcome

STAGES: list[dict[str, Any]] = [
    {"name": "talk", "also": ["First talk", "Discovery"], "probability": 20, "stale_after": "21d"},
    {"name": "offer", "category": "best_case", "requires": ["need", "amount"], "stale_after": "14d"},
    {"name": "contract", "category": "commit", "requires": ["budget"]},
    {"name": "won", "also": ["Closed Won"], "closed": "won", "requires": ["authority"]},
    {"name": "lost", "closed": "lost", "requires": ["lost_reason"]},
]
TALK = {
    "name": "Acme deal",
    "sales_stage": "talk",
    "amount": 50_000.0,
    "close_date": "2026-04-30",
    "occurred_at": "2026-03-05T09:00:00Z",
    "owner": "Ana",
}
OFFER = {**TALK, "sales_stage": "offer", "need": "Too many tools"}


def view(**section: Any) -> Playbook:
    return make_book(opportunity={"sales_stages": STAGES, **section}).for_kind(JourneyKind.OPPORTUNITY)


def judge(
    row: dict[str, Any], before: dict[str, Any] | None = None, now: datetime = NOW, **section: Any
) -> dict[str, Any]:
    return judge_one(view(**section), {**row, "before": before}, now)


def test_a_plausible_update_goes_on_and_says_what_it_changes() -> None:
    judged = judge(OFFER | {"amount": 65_000.0, "close_date": "2026-05-31"}, TALK)

    assert (judged["outcome"], judged["reason"], judged["item_message"]) == (Outcome.CONTINUE, None, None)
    assert judged["is_open"]
    assert judged["category"] == ForecastCategory.BEST_CASE
    facts = judged["judgement"]
    assert (facts["amount_change"], facts["pushed_days"], facts["pushed"]) == (15_000, 31, True)
    assert (facts["from_category"], facts["to_category"]) == ("pipeline", "best_case")
    assert facts["changed"] == ["amount", "close_date", "need", "sales_stage"]
    assert "15,000" in judged["detail"]
    assert "31 days" in judged["detail"]
    assert orjson.loads(orjson.dumps(facts)) == facts


def test_the_same_told_again_asks_nothing_and_ends() -> None:
    told = OFFER | {"need": None, "close_date": "2020-01-01", "amount": -5.0}

    judged = judge(told | {"occurred_at": "2026-03-06T09:00:00Z"}, told, approvals=[{"name": "all", "when": "true"}])

    assert (judged["outcome"], judged["reason"], judged["ask"], judged["tell"]) == (Outcome.DONE, "unchanged", None, ())


def test_another_word_for_the_same_sales_stage_is_no_change() -> None:
    assert judge(TALK | {"sales_stage": "DISCOVERY"}, TALK)["reason"] == "unchanged"
    assert judge(TALK, TALK | {"sales_stage": "first-talk"})["reason"] == "unchanged"


@pytest.mark.parametrize(
    ("row", "before", "section", "reason", "ask", "named"),
    [
        (TALK | {"sales_stage": None}, None, {}, "stage_missing", "owner", ["talk"]),
        (TALK | {"sales_stage": "ofer"}, None, {}, "stage_unknown", None, ["ofer", "offer"]),
        (TALK | {"amount": -1.0}, TALK, {}, "amount_implausible", "owner", ["-1"]),
        (TALK | {"amount": 5e13}, TALK, {}, "amount_implausible", "owner", ["50,000,000,000,000"]),
        (TALK | {"created_date": "2026-05-02"}, None, {}, "close_date_before_created", "owner", ["2026-05-02"]),
        (TALK | {"close_date": "2031-01-01"}, TALK, {}, "close_date_too_far", "owner", ["2031-01-01"]),
        (TALK | {"close_date": "2026-06-01"}, TALK, {"max_close_in": "30d"}, "close_date_too_far", "owner", ["30 days"]),
        (OFFER | {"need": None}, TALK, {}, "evidence_missing", "owner", ["need", "offer"]),
        (OFFER | {"sales_stage": "contract"}, TALK, {}, "evidence_missing", "owner", ["budget"]),
        (TALK | {"sales_stage": "contract"}, None, {}, "evidence_missing", "owner", ["need and budget"]),
        (TALK | {"sales_stage": "lost"}, TALK, {}, "evidence_missing", "owner", ["lost reason"]),
        (TALK, OFFER, {"moves": "forward"}, "stage_move_not_allowed", "owner", ["offer", "talk"]),
        (
            OFFER | {"sales_stage": "contract", "budget": "yes"},
            TALK,
            {"moves": {"talk": ["offer"]}},
            "stage_move_not_allowed",
            "owner",
            ["contract", "offer"],
        ),
        (TALK, TALK | {"sales_stage": "won"}, {}, "reopened", "manager", ["won"]),
        (TALK, TALK | {"sales_stage": "lost"}, {}, "reopened", "manager", ["lost"]),
        (TALK | {"close_date": "2026-03-05"}, TALK, {}, "slipped", "owner", ["2026-03-05"]),
    ],
)  # fmt: skip
def test_what_is_implausible_is_held_with_what_is_missing(
    row: dict[str, Any],
    before: dict[str, Any] | None,
    section: dict[str, Any],
    reason: str,
    ask: str | None,
    named: list[str],
) -> None:
    judged = judge(row, before, **section)

    assert (judged["outcome"], judged["reason"], judged["ask"]) == (Outcome.HOLD, reason, ask)
    assert judged["is_open"] == (row["sales_stage"] != "lost")
    assert reason in judged["judgement"]["findings"]
    for part in ("Acme deal", *named):
        assert part in judged["item_message"]


def test_several_questions_to_one_person_are_one_message_and_the_managers_come_after() -> None:
    asked = {"approvals": [{"name": "large", "when": "amount >= 10000 or amount < 0"}]}
    row = TALK | {"amount": -9.0, "close_date": "2036-01-01"}

    first = judge(row, TALK, **asked)
    later = judge_one(view(**asked), {**row, "before": TALK, "waived": ("amount_implausible", "close_date_too_far")})

    assert first["ask"] == "owner"
    assert "amount" in first["item_message"]
    assert "2036-01-01" in first["item_message"]
    assert first["judgement"]["findings"] == ["amount_implausible", "close_date_too_far", "approval_needed"]
    assert (later["reason"], later["ask"]) == ("approval_needed", "manager")


def test_what_a_person_let_pass_is_not_asked_again() -> None:
    row = {**OFFER, "need": None, "before": TALK}

    assert judge_one(view(), row)["reason"] == "evidence_missing"
    assert judge_one(view(), row | {"waived": "evidence_missing"})["outcome"] == Outcome.CONTINUE


@pytest.mark.parametrize(
    ("when", "change", "pushes", "asks"),
    [
        ("amount >= 60000", {"amount": 60_000.0}, None, True),
        ("amount >= 60000", {"amount": 59_000.0}, None, False),
        ("amount >= 40000", {"next_step": "Call"}, None, False),  # it was asked when the amount was told
        ("amount_change < 0", {"amount": 40_000.0}, None, True),
        ("amount_change < 0", {"close_date": "2026-05-30"}, None, False),
        ("pushed_days > 14", {"close_date": "2026-05-30"}, None, True),
        ("pushed_days > 14", {"close_date": "2026-05-10"}, None, False),
        ("pushed_days > 14", {"close_date": "2026-03-10"}, None, False),
        ("pushes >= 3", {"close_date": "2026-05-01"}, 2, True),
        ("pushes >= 3", {"close_date": "2026-05-01"}, 1, False),
        ("pushes >= 3", {"close_date": "2026-04-29"}, 3, True),
        ("account_tier = 'enterprise'", {"amount": 60_000.0}, None, False),
    ],
)
def test_an_approval_is_asked_when_the_update_changes_what_it_is_about(
    when: str, change: dict[str, Any], pushes: int | None, asks: bool
) -> None:
    asking = view(approvals=[{"name": "second_look", "when": when, "why": "signed by two"}])

    judged = judge_one(asking, {**TALK, **change, "before": TALK, "pushes": pushes, "account_tier": "enterprise"})

    assert (judged["reason"] == "approval_needed") == asks
    assert judged["ask"] == ("manager" if asks else None)
    if asks:
        assert "second_look" in judged["item_message"]
        assert "signed by two" in judged["item_message"]


def test_an_approval_about_a_new_record_is_asked() -> None:
    judged = judge(TALK, None, approvals=[{"name": "large", "when": "amount >= 40000"}])

    assert judged["reason"] == "approval_needed"


@pytest.mark.parametrize(
    ("rep", "to", "heard"),
    [("ana", "manager", "mia"), ("ana", "rep ben", "ben"), ("cy", "manager", None), (None, "manager", None)],
)
def test_somebody_hears_of_an_update(rep: str | None, to: str, heard: str | None) -> None:
    telling = view(tell=[{"name": "shrunk", "when": "amount_change < -1000", "to": to, "why": "the forecast falls"}])

    judged = judge_one(telling, {**TALK, "amount": 100.0, "before": TALK, "rep": rep})

    assert judged["outcome"] == Outcome.CONTINUE
    assert judged["tell"] == (() if heard is None else ((heard, "the forecast falls"),))


@pytest.mark.parametrize("sales_stage", ["won", "lost"])
def test_what_is_closed_ends_and_counts_as_it_ended(sales_stage: str) -> None:
    judged = judge(OFFER | {"sales_stage": sales_stage, "lost_reason": "Price", "authority": "x", "budget": "y"}, OFFER)

    assert (judged["outcome"], judged["reason"], judged["is_open"]) == (Outcome.DONE, sales_stage, False)
    assert judged["again_at"] is None
    assert judged["category"] == (ForecastCategory.CLOSED if sales_stage == "won" else ForecastCategory.OMITTED)


def test_what_was_closed_before_it_was_first_told_is_history() -> None:
    old = {"name": "Old deal", "sales_stage": "won", "close_date": "2017-03-01", "created_date": "2016-10-20"}

    assert judge(old)["reason"] == "won"
    assert judge(old | {"sales_stage": "lost"})["reason"] == "lost"


@pytest.mark.parametrize(
    ("sales_stage", "told", "category"),
    [
        ("talk", None, "pipeline"),
        ("talk", "Best Case", "best_case"),
        ("talk", "Forecast", "commit"),
        ("talk", "no such category", "pipeline"),
        ("talk", "closed", "pipeline"),  # an open one is not won
        ("contract", None, "commit"),
        ("contract", "Omitted", "omitted"),
        ("won", "Pipeline", "closed"),
        ("lost", "Closed", "omitted"),
        ("no such stage", "commit", "commit"),
        (None, None, "pipeline"),
    ],
)
def test_the_category_is_what_the_update_says_else_the_sales_stages(
    sales_stage: str | None, told: str | None, category: str
) -> None:
    judged = judge(OFFER | {"sales_stage": sales_stage, "forecast_category": told, "budget": "y"})

    assert judged["category"] == category
    assert judged["judgement"]["to_category"] == category


def test_each_category_is_known_by_its_own_word() -> None:
    assert [find_category(category.value.upper()) for category in ForecastCategory] == list(ForecastCategory)


def test_a_record_is_looked_at_again_when_something_passes() -> None:
    stale = judge(TALK)["again_at"]  # 21 days after 5 March
    step = judge(TALK | {"next_step_date": "2026-03-10"})["again_at"]
    closes = judge(TALK | {"close_date": "2026-03-09"})["again_at"]

    assert stale == datetime(2026, 3, 26, 9, tzinfo=UTC)
    assert step == datetime(2026, 3, 11, tzinfo=UTC)
    assert closes == datetime(2026, 3, 10, tzinfo=UTC)
    assert judge(TALK | {"close_date": None, "occurred_at": None})["again_at"] is None


@pytest.mark.parametrize(
    ("change", "now", "reason"),
    [
        ({"close_date": "2026-04-30"}, datetime(2026, 5, 1, tzinfo=UTC), "slipped"),
        ({}, datetime(2026, 3, 26, 9, tzinfo=UTC), "stale"),
        ({"next_step_date": "2026-03-10"}, datetime(2026, 3, 11, tzinfo=UTC), "next_step_passed"),
    ],
)
def test_time_alone_brings_questions_to_the_owner(change: dict[str, Any], now: datetime, reason: str) -> None:
    row = {**TALK, **change}
    due = judge_one(view(), {**row, "before": row, "due": True}, now)

    assert (due["outcome"], due["reason"], due["ask"]) == (Outcome.HOLD, reason, "owner")


def test_a_slip_is_told_to_owner_and_manager_once() -> None:
    after = datetime(2026, 5, 1, tzinfo=UTC)
    told_now = TALK | {"occurred_at": "2026-04-30T09:00:00Z"}
    row = {**told_now, "before": told_now, "due": True}

    first, again = judge_one(view(), row, after), judge_one(view(), row | {"slipped_on": "2026-04-30"}, after)

    assert [to for to, _ in first["tell"]] == ["ana", "mia"]
    assert all("2026-04-30" in why for _, why in first["tell"])
    assert first["judgement"]["slipped"]
    assert (again["tell"], again["outcome"], again["judgement"]["slipped"]) == ((), Outcome.NURTURE, True)


def test_a_look_that_finds_nothing_says_when_to_look_again() -> None:
    due = judge_one(view(), {**TALK, "before": TALK, "due": True})

    assert (due["outcome"], due["reason"]) == (Outcome.NURTURE, "not_yet")
    assert due["again_at"] == datetime(2026, 3, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.DISQUALIFIED, "disqualified"),
        (Outcome.NURTURE, "score_too_low"),
        (Outcome.REVIEW, "score_in_review_band"),
    ],
)
def test_what_qualification_decides_holds(outcome: Outcome, reason: str) -> None:
    judged = judge_one(view(), {**TALK, "outcome": outcome, "reasons": ["a test record"]})

    assert (judged["outcome"], judged["reason"], judged["detail"]) == (outcome, reason, "a test record")
    assert judged["is_open"] == (outcome != Outcome.DISQUALIFIED)


def test_a_section_that_says_nothing_knows_the_usual_words() -> None:
    usual = make_book().for_kind(JourneyKind.OPPORTUNITY)

    for word in ("Prospecting", "Value Proposition", "Negotiation/Review", "Closed Won", "closedlost", "Contract sent"):
        row = {"name": "x", "sales_stage": word, "amount": 1.0, "close_date": "2026-04-01"}
        assert judge_one(usual, row)["outcome"] in (Outcome.CONTINUE, Outcome.DONE), word
