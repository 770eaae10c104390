"""Signs of expansion: which count, and what an open opportunity at the same account does."""

from __future__ import annotations

from typing import Any

import pytest
from record_frames import judge_one, make_book

from leadgate.playbook import Playbook
from leadgate.vocabulary import JourneyKind, Outcome

SIGN = {"name": "Acme seats", "trigger": "seats", "seats": 100, "seats_used": 95}


def view(**section: Any) -> Playbook:
    return make_book(expansion=section).for_kind(JourneyKind.EXPANSION)


def judge(row: dict[str, Any], **section: Any) -> dict[str, Any]:
    return judge_one(view(**section), row)


@pytest.mark.parametrize(
    ("row", "outcome", "reason"),
    [
        (SIGN, Outcome.CONTINUE, None),
        (SIGN | {"seats_used": 20}, Outcome.NURTURE, "trigger_not_met"),
        (SIGN | {"seats": None}, Outcome.NURTURE, "trigger_not_met"),
        ({"trigger": "Usage", "usage": 1.5}, Outcome.CONTINUE, None),
        ({"trigger": "Product interest", "product": "Core"}, Outcome.CONTINUE, None),
        ({"trigger": None}, Outcome.HOLD, "trigger_missing"),
        ({"trigger": "seets"}, Outcome.HOLD, "trigger_unknown"),
        (SIGN | {"outcome": Outcome.NURTURE}, Outcome.NURTURE, "score_too_low"),
        (SIGN | {"outcome": Outcome.DISQUALIFIED}, Outcome.DISQUALIFIED, "disqualified"),
        (SIGN | {"outcome": Outcome.REVIEW}, Outcome.REVIEW, "score_in_review_band"),
        (SIGN | {"before": SIGN}, Outcome.DONE, "unchanged"),
    ],
)
def test_a_sign_goes_on_when_its_trigger_counts(row: dict[str, Any], outcome: Outcome, reason: str | None) -> None:
    judged = judge(row)

    assert (judged["outcome"], judged["reason"]) == (outcome, reason)
    assert judged["is_open"] == (outcome != Outcome.DISQUALIFIED)


def test_an_unknown_trigger_is_shown_with_the_nearest() -> None:
    judged = judge(SIGN | {"trigger": "seets"})

    assert judged["ask"] is None
    for part in ("Acme seats", "seets", "'seats'"):
        assert part in judged["item_message"]


def test_triggers_are_the_playbooks_and_have_its_words() -> None:
    triggers = {"usage": {"when": "usage >= 3", "also": ["Consumption"]}}

    assert judge(SIGN, triggers=triggers)["reason"] == "trigger_not_counted"
    assert judge({"trigger": "consumption", "usage": 2.9}, triggers=triggers)["reason"] == "trigger_not_met"
    assert judge({"trigger": "consumption", "usage": 3.0}, triggers=triggers)["outcome"] == Outcome.CONTINUE


def test_an_open_opportunity_at_the_account_is_a_question_to_its_owner() -> None:
    judged = judge(SIGN | {"open_opportunities": 2})

    assert (judged["outcome"], judged["reason"], judged["ask"]) == (Outcome.HOLD, "open_opportunity", "owner")
    assert "2 open opportunities" in judged["item_message"]
    assert judge(SIGN | {"open_opportunities": 2, "waived": "open_opportunity"})["outcome"] == Outcome.CONTINUE


@pytest.mark.parametrize(
    ("account_owner", "rep", "heard"),
    [("Ana@Sales.example", "ben", "ana"), ("nobody", "ben", "ben"), (None, None, None)],
)
def test_or_it_joins_it_and_the_accounts_owner_hears(
    account_owner: str | None, rep: str | None, heard: str | None
) -> None:
    row = SIGN | {"open_opportunities": 1, "account_owner": account_owner, "rep": rep}

    judged = judge(row, conflict="join")

    assert (judged["outcome"], judged["reason"], judged["is_open"]) == (Outcome.DONE, "joined", False)
    assert [to for to, _ in judged["tell"]] == ([] if heard is None else [heard])
