"""What makes sense for each reason why something waits for a person."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from made_rows import make_row

from console.suggestions import OTHERWISE, RETRIED, WAYS, suggest
from expectations import PROMISES
from expectations.findings import WHOLE_BATCH
from leadgate.assignment.assignment_result import NO_ROUTE, NOBODY_AVAILABLE
from leadgate.ledger.outbox import SENT_AGAIN, UNDELIVERABLE
from leadgate.ledger.reports import OpenWorkItem
from leadgate.matching import ASKS
from leadgate.playbook import Target, load_default
from tasks.escalation import find_overdue_kind
from tasks.failed_batches import CANCELLED, FAILED
from tasks.qualification import IN_REVIEW_BAND
from tasks.reassignments import UNASSIGNED
from tasks.source_breaker import PARKED

BUILT_IN = {
    *(promise.reason for suite in PROMISES.values() for promise in suite),
    *(reason for route in load_default().playbook.exceptions for reason in route.reasons),
    *(find_overdue_kind(target) for target in get_args(Target)),
    *WHOLE_BATCH, *ASKS, NO_ROUTE, NOBODY_AVAILABLE, UNASSIGNED, IN_REVIEW_BAND, PARKED, FAILED, CANCELLED, UNDELIVERABLE,
}  # fmt: skip


def item(reason: str, **more: Any) -> OpenWorkItem:
    columns = {
        "id": 7, "kind": "exception", "reason": reason, "stage": "validation", "journey_id": 3, "blocking": True,
        "proposal": None,
    } | more  # fmt: skip
    return make_row(OpenWorkItem, **columns)


def commands(reason: str, **more: Any) -> str:
    return "\n".join(command for command, _ in suggest(item(reason, **more)))


def test_every_built_in_reason_says_what_makes_sense_and_no_other_does() -> None:
    assert set(WAYS) == BUILT_IN
    assert all(WAYS.values())


def test_what_was_not_delivered_can_be_sent_again() -> None:
    assert SENT_AGAIN == RETRIED
    for reason in RETRIED:
        assert commands(reason, kind="recovery", blocking=False).splitlines()[0] == "leadgate rerun W7"


def test_a_refused_consent_is_not_tried_again() -> None:
    told = commands("consent_refused")
    assert told.splitlines()[0] == "leadgate review W7 --reject REASON"
    assert "rerun" not in told
    assert "--approve" not in told


@pytest.mark.parametrize(
    ("reason", "more", "first"),
    [
        ("email_malformed", {"proposal": {"email": "a@b.example"}}, "leadgate rerun W7 --proposed"),
        ("email_malformed", {}, "leadgate review W7 --set email=ADDRESS"),
        ("likely_duplicate", {"kind": "review"}, "leadgate review W7"),
        ("score_in_review_band", {"kind": "review", "stage": "qualification"}, "leadgate review W7 --approve WORDS"),
        ("source_parked", {"kind": "breaker", "journey_id": None}, "leadgate rerun W7"),
        ("stage_failed", {"kind": "recovery", "journey_id": None}, "leadgate rerun W7"),
        ("undeliverable", {"kind": "recovery", "blocking": False}, "leadgate rerun W7"),
        ("first_touch_overdue", {"kind": "escalation", "blocking": False}, ""),
        ("of_our_own", {}, "leadgate review W7 --set FIELD=VALUE"),
    ],
)
def test_the_best_comes_first(reason: str, more: dict[str, Any], first: str) -> None:
    assert suggest(item(reason, **more))[0][0] == first


def test_what_a_stage_does_not_allow_is_not_proposed() -> None:
    assert any(way.what == "approve" for way in OTHERWISE)
    assert "--approve" in commands("of_our_own")
    assert "--approve" not in commands("of_our_own", stage="capture")
