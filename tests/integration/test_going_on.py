"""What a person's action released goes on at once where no consumer runs, and nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from commands import Cli, of, words
from desk import NOW, Desk, person

from leadgate.ledger import consumers
from tasks import released

HOUR = timedelta(hours=1)


@pytest.fixture
def held(desk: Desk) -> Desk:
    """Lead 1 owned, lead 2 held for its phone number, lead 3 captured and waiting."""
    desk.capture(person(1), person(2, Phone="12"))
    desk.run()
    desk.capture(person(3))
    assert desk.statuses() == {"owned": 1, "held": 1, "ready": 1}
    return desk


def test_a_corrected_lead_goes_on_at_once_and_no_other_does(cli: Cli, held: Desk) -> None:
    told = words(cli("rerun", "W1", "--set", "phone=+49 30 901820", "--now", NOW + HOUR))
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 2")
    assert f"J2: has an owner, {owner}" in told
    assert held.statuses() == {"owned": 2, "ready": 1}
    assert held.one("SELECT count(*) FROM gate_result WHERE gate = 'assigned'") == 2  # its gates are on record
    assert held.holds() == []


def test_what_is_to_go_on_later_waits(cli: Cli, held: Desk) -> None:
    told = words(cli("rerun", "W1", "--set", "phone=+49 30 901820", "--later", "--now", NOW + HOUR))
    assert "1 journey waits again. Next: leadgate run" in told
    assert held.statuses() == {"owned": 1, "ready": 2}


def test_a_touch_counts_at_once(cli: Cli, held: Desk) -> None:
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 1")
    at = NOW + HOUR
    assert "J1: done" in words(cli("touch", "J1", "--kind", "call", "--for", owner, "--seconds", 90, "--now", at))
    assert held.one("SELECT touched_at FROM assignment WHERE journey_id = 1") == at


def test_an_approval_goes_on_at_once(cli: Cli, desk: Desk) -> None:
    desk.capture(person(1, Company="", **{"Job title": "Chief"}))
    desk.run()
    assert desk.statuses() == {"held": 1}
    done = of(cli("review", "W1", "--approve", "called them", "--now", NOW + HOUR, "--json"))
    assert [each["status"] for each in done["standing"]] == ["owned"]


def test_a_consumer_that_runs_takes_what_waits(held: Desk) -> None:
    assert not released.a_consumer_runs(held.ledger)
    consumers.seen(held.ledger, name="c", host="h", pid=1, doing="waiting")
    assert released.a_consumer_runs(held.ledger)
    consumers.seen(held.ledger, name="c", host="h", pid=1, doing=consumers.PAUSED)
    assert not released.a_consumer_runs(held.ledger)
    (waiting,) = released.wait_for_consumer(held.ledger, [3], patience=0)
    assert waiting["status"] == "ready"
    (owned,) = released.wait_for_consumer(held.ledger, [1], sleep=pytest.fail)
    assert owned["status"] == "owned"
