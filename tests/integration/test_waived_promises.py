"""Promises that a person answers for: each stays waived when the next one of the same lead is asked about."""

from __future__ import annotations

import pytest
from harness import NOW, Harness, make_actor, make_lead

from leadgate.ledger import reruns

MIA = make_actor("mia")
WAITS = "SELECT id, promise FROM work_item WHERE closed_at IS NULL"


def waive(harness: Harness) -> str:
    """Answer for the promise that the lead is held for; returns it."""
    ((item, promise),) = harness.rows(WAITS)
    reruns.mark_done_by_hand(harness.ledger, [item], by=MIA, now=NOW, evidence="known from the fair")
    harness.run()
    return str(promise)


@pytest.fixture
def held(harness: Harness) -> Harness:
    """A lead that breaks two promises of validation; it is held for one at a time."""
    harness.begin(make_lead(1, Phone="call me", Country="Atlantis"))
    return harness


def test_a_lead_that_breaks_two_promises_goes_on_once_both_are_waived(held: Harness) -> None:
    waived = [waive(held), waive(held)]
    assert sorted(waived) == ["country_known", "phone_possible"]
    assert held.rows(WAITS) == []
    assert held.one("SELECT waived FROM journey") == waived
    assert held.count_statuses() == {"owned": 1}
    assert held.find_broken() == []


def test_what_was_waived_stays_so_when_the_other_is_corrected(held: Harness) -> None:
    first = waive(held)
    ((item, other),) = held.rows(WAITS)
    corrections = {"country_known": {"country": "DE"}, "phone_possible": {"phone": "+49301234567"}}[other]
    book = held.loaded.playbook
    reruns.rerun(held.ledger, [item], by=MIA, now=NOW, playbook=book, corrections=corrections)
    held.run()
    assert held.one("SELECT waived FROM journey") == [first]
    assert held.count_statuses() == {"owned": 1}
    assert held.find_broken() == []
