"""A question about an update of a record stays until somebody answers it: no later update goes past it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, reruns

BOOK = (
    PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1)
    + """kinds:
  opportunity:
    sales_stages:
      - {name: talk, next_step_within: 60d}
      - {name: offer, requires: [need], next_step_within: 60d}
      - {name: won, closed: won}
      - {name: lost, closed: lost}
    approvals:
      - {name: large_push, when: pushed_days > 30}
      - {name: often, when: pushes > 2}
"""
)
PUSHED = {"Close Date": "2026-07-30"}


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Harness:
    return Harness(ledger, playbooks.parse(BOOK, path=tmp_path / "playbook.yaml"))


def deal(day: int, **more: Any) -> dict[str, Any]:
    return {
        "Id": "006A", "Opportunity Name": "Acme", "Account Name": "Acme", "Owner": "ana", "Stage": "talk",
        "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": (NOW + timedelta(days=day)).isoformat(),
    } | more  # fmt: skip


def tell(desk: Harness, day: int, *rows: dict[str, Any]) -> None:
    now = NOW + timedelta(days=day)
    desk.capture(*rows, source="deals", now=now)
    desk.run(now)


def list_questions(desk: Harness) -> list[str]:
    return [reason for (reason,) in desk.rows("SELECT reason FROM work_item WHERE closed_at IS NULL ORDER BY id")]


def find_state(desk: Harness) -> str:
    return str(desk.one("SELECT status FROM journey ORDER BY id DESC LIMIT 1"))


def test_an_update_of_another_field_does_not_go_past_an_approval(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 1, deal(1, **PUSHED))
    tell(desk, 2, deal(2, **PUSHED, Next_Step="Call"))

    assert list_questions(desk) == ["approval_needed"]
    assert find_state(desk) == "held"
    assert desk.find_broken() == []


def test_nor_does_one_of_the_same_batch(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 2, deal(1, **PUSHED), deal(2, **PUSHED, Next_Step="Call"))

    assert list_questions(desk) == ["approval_needed"]
    assert desk.find_broken() == []


def test_what_was_pushed_and_is_taken_back_asks_nothing_more(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 1, deal(1, **PUSHED))
    tell(desk, 2, deal(2, Amount="9000"))

    assert list_questions(desk) == []
    assert find_state(desk) == "owned"


def test_the_same_told_again_leaves_the_question_as_it_is(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 1, deal(1, **PUSHED))
    asked = desk.one("SELECT id FROM work_item WHERE closed_at IS NULL")
    tell(desk, 2, deal(2, **PUSHED))

    assert desk.one("SELECT id FROM work_item WHERE closed_at IS NULL") == asked
    assert find_state(desk) == "done"


def test_an_answer_is_an_answer_for_the_updates_after_it(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 1, deal(1, **PUSHED))
    item = desk.one("SELECT id FROM work_item WHERE closed_at IS NULL")
    now = NOW + timedelta(days=1)
    reruns.mark_done_by_hand(desk.ledger, [item], by=make_actor("mia"), now=now, evidence="agreed")
    desk.run(now)
    assert find_state(desk) == "owned"
    tell(desk, 2, deal(2, **PUSHED, Amount="9000"))

    assert list_questions(desk) == []
    assert find_state(desk) == "owned"
    assert desk.find_broken() == []


def test_a_corrected_field_does_not_answer_for_another(desk: Harness) -> None:
    tell(desk, 0, deal(0))
    tell(desk, 1, deal(1, **PUSHED, Stage="offer"))
    assert list_questions(desk) == ["evidence_missing"]
    item, now = desk.one("SELECT id FROM work_item WHERE closed_at IS NULL"), NOW + timedelta(days=1)
    corrections = {"need": "Audit findings"}
    reruns.rerun(
        desk.ledger, [item], by=make_actor("ana"), now=now, playbook=desk.loaded.playbook, corrections=corrections
    )
    desk.run(now)

    assert list_questions(desk) == ["approval_needed"]


def test_a_date_that_moves_a_third_time_is_a_question(desk: Harness) -> None:
    for day, close in enumerate(("2026-04-30", "2026-05-10", "2026-05-20")):
        tell(desk, day, deal(day, **{"Close Date": close}))
        assert list_questions(desk) == []
    tell(desk, 4, deal(4, **{"Close Date": "2026-05-25"}))

    assert list_questions(desk) == ["approval_needed"]
