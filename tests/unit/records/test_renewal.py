"""Updates of contracts: when their renewal is worked on, how it ended, who decides and who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from record_frames import NOW, judge_one, make_book

from leadgate.playbook import Playbook
from leadgate.vocabulary import ForecastCategory, JourneyKind, Outcome

FAR = {"name": "Acme 2026", "end_date": "2026-09-30", "start_date": "2025-10-01", "status": "Active", "amount": 900.0}
NEAR = FAR | {"end_date": "2026-04-30", "start_date": "2025-05-01"}


def view(**section: Any) -> Playbook:
    return make_book(renewal=section).for_kind(JourneyKind.RENEWAL)


def judge(
    row: dict[str, Any], before: dict[str, Any] | None = None, now: datetime = NOW, **section: Any
) -> dict[str, Any]:
    return judge_one(view(**section), {**row, "before": before}, now)


def test_a_contract_waits_until_an_owner_is_sought_before_its_window() -> None:
    judged = judge(FAR, window="90d", prepare="7d")

    assert (judged["outcome"], judged["reason"], judged["is_open"]) == (Outcome.NURTURE, "not_yet", True)
    assert judged["again_at"] == datetime(2026, 9, 30, tzinfo=UTC) - timedelta(days=97)
    assert judged["judgement"]["window_opens"] == "2026-07-02"


@pytest.mark.parametrize("is_due", [True, False])
def test_from_then_on_it_goes_to_its_owner(is_due: bool) -> None:
    opens = datetime(2026, 9, 30, tzinfo=UTC) - timedelta(days=97)
    row = {**FAR, "before": FAR if is_due else None, "due": is_due}

    early, late = judge_one(view(), row, opens - timedelta(seconds=1)), judge_one(view(), row, opens)

    assert early["outcome"] == Outcome.NURTURE
    assert (late["outcome"], late["reason"]) == (Outcome.CONTINUE, None)
    assert late["again_at"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert late["judgement"]["in_window"] is False
    assert orjson.loads(orjson.dumps(late["judgement"])) == late["judgement"]


def test_news_in_the_window_go_on_and_the_same_told_again_ends() -> None:
    assert judge(NEAR | {"usage": 0.4}, NEAR)["outcome"] == Outcome.CONTINUE
    assert judge(NEAR | {"occurred_at": "2026-03-06T00:00:00Z"}, NEAR)["reason"] == "unchanged"


@pytest.mark.parametrize(
    ("status", "end", "category"),
    [("RENEWED", "won", "closed"), ("Not renewed", "lost", "omitted"), ("cancelled", "churned", "omitted")],
)
def test_a_renewal_ends_by_the_words_of_its_status(status: str, end: str, category: str) -> None:
    judged = judge(NEAR | {"status": status}, NEAR)

    assert (judged["outcome"], judged["reason"], judged["is_open"]) == (Outcome.DONE, end, False)
    assert judged["category"] == category
    assert judged["again_at"] is None


def test_the_words_are_the_playbooks() -> None:
    words = {"closed": {"won": ["Verlängert"]}}

    assert judge(NEAR | {"status": "verlängert"}, NEAR, **words)["reason"] == "won"
    assert judge(NEAR | {"status": "Renewed"}, NEAR, **words)["outcome"] == Outcome.CONTINUE


@pytest.mark.parametrize(
    ("row", "reason", "ask", "named"),
    [
        (NEAR | {"end_date": None}, "end_date_missing", "owner", "end date"),
        (NEAR | {"end_date": "2025-04-30"}, "end_date_before_start", "owner", "2025-05-01"),
        (NEAR | {"end_date": "2026-03-05"}, "end_date_passed", "manager", "2026-03-05"),
        (NEAR | {"amount": -1.0}, "amount_implausible", "owner", "-1"),
    ],
)
def test_what_is_missing_or_late_is_held(row: dict[str, Any], reason: str, ask: str, named: str) -> None:
    judged = judge(row)

    assert (judged["outcome"], judged["reason"], judged["ask"]) == (Outcome.HOLD, reason, ask)
    assert "Acme 2026" in judged["item_message"]
    assert named in judged["item_message"]


def test_an_end_that_passes_is_told_to_owner_and_manager_once() -> None:
    after = datetime(2026, 5, 1, tzinfo=UTC)
    row = {**NEAR, "before": NEAR, "due": True}

    first, again = judge_one(view(), row, after), judge_one(view(), row | {"slipped_on": "2026-04-30"}, after)

    assert (first["reason"], [to for to, _ in first["tell"]]) == ("end_date_passed", ["ana", "mia"])
    assert first["judgement"]["slipped"]
    assert again["tell"] == ()
    assert again["reason"] != "end_date_passed"


def test_a_new_term_of_the_same_contract_waits_again() -> None:
    renewed = judge(NEAR | {"end_date": "2027-04-30", "status": "Active"}, NEAR | {"status": "Renewed"})

    assert (renewed["outcome"], renewed["judgement"]["moved_days"]) == (Outcome.NURTURE, 365)


def test_a_contract_that_renews_itself_is_committed() -> None:
    assert judge(NEAR | {"auto_renews": True})["category"] == ForecastCategory.COMMIT
    assert judge(NEAR | {"auto_renews": False})["category"] == ForecastCategory.PIPELINE


def test_the_score_is_the_health_that_is_kept_with_it() -> None:
    facts = judge(NEAR | {"score": -20, "seats": 50, "seats_used": 20, "usage": 0.5})["judgement"]

    assert (facts["score"], facts["seats_used_share"], facts["usage"]) == (-20, 0.4, 0.5)
