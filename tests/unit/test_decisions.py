"""What can be decided about a work item on its page: the best first, and nothing that would be refused."""

from __future__ import annotations

from typing import Any

import pytest
from harness import NOW
from made_rows import make_row

from console.resolution_preview import describe_outcome, explain_refusal
from console.suggestions import WAYS
from console.web.decisions import Decision, list_offers
from leadgate.ledger.reports import OpenWorkItem
from leadgate.resolutions import CorrectAsProposed, Discard, DoneByHand, TryAgain


def make_item(**columns: Any) -> OpenWorkItem:
    given = {"id": 1, "kind": "exception", "blocking": True, "reason": "email_malformed", "stage": "validation",
             "journey_id": 1, "journeys": 1, "route": "data_quality", "due_at": NOW, "opened_at": NOW}  # fmt: skip
    return make_row(OpenWorkItem, **given | columns)


def test_what_is_proposed_comes_first() -> None:
    proposes = list_offers(make_item(proposal={"email": "a@b.example"}))
    assert [offer.decision for offer in proposes[:2]] == [Decision.PROPOSED, Decision.CORRECT]
    assert list_offers(make_item())[0].field == "email"


def test_no_reason_is_offered_what_would_be_refused() -> None:
    resolutions = {
        Decision.APPROVE: DoneByHand("x"), Decision.DONE: DoneByHand("x"), Decision.AGAIN: TryAgain(),
        Decision.DISCARD: Discard("x"), Decision.PROPOSED: CorrectAsProposed(),
    }  # fmt: skip
    for reason in WAYS:
        for stage in ("capture", "validation", "qualification", "assignment", "follow_up"):
            for kind in ("exception", "review", "recovery", "breaker"):
                item = make_item(reason=reason, stage=stage, kind=kind)
                for offer in list_offers(item):
                    if offer.decision in resolutions:
                        assert explain_refusal(item, resolutions[offer.decision]) is None, (reason, stage, kind, offer)


def test_nothing_is_offered_for_what_closes_by_itself() -> None:
    assert list_offers(make_item(reason="first_touch_overdue", blocking=False, kind="escalation")) == []


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"proposal": {"email": "a@b.example", "phone": ""}},
            "email becomes a@b.example, phone becomes empty; it goes",
        ),
        ({"proposal": None}, "nothing changes"),
    ],
)
def test_a_preview_says_what_each_field_becomes(columns: dict[str, Any], words: str) -> None:
    assert describe_outcome(make_item(**columns), CorrectAsProposed()).startswith(words)


def test_a_preview_counts_the_leads_of_a_batch() -> None:
    item = make_item(journey_id=None, journeys=3)
    assert describe_outcome(item, TryAgain()) == "3 leads try validation again, as they are"
    assert describe_outcome(item, Discard("x")) == "3 leads end; what was captured stays"
