"""What a person's action released goes on at once where no consumer runs, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_lead
from sqlalchemy import text

from leadgate.ledger import consumers
from tasks import released

HOUR = timedelta(hours=1)


@pytest.fixture
def held(harness: Harness) -> Harness:
    """Lead 1 owned, lead 2 held for its phone number, lead 3 captured and waiting."""
    harness.begin(make_lead(1), make_lead(2, Phone="12"))
    harness.capture(make_lead(3))
    assert harness.count_statuses() == {"owned": 1, "held": 1, "ready": 1}
    return harness


def test_a_corrected_lead_goes_on_at_once_and_no_other_does(cli: Cli, held: Harness) -> None:
    told = join_lines(cli("rerun", "W1", "--set", "phone=+49 30 901820", "--now", NOW + HOUR))
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 2")
    assert f"J2: has an owner, {owner}" in told
    assert held.count_statuses() == {"owned": 2, "ready": 1}
    assert held.one("SELECT count(*) FROM gate_result WHERE gate = 'assigned'") == 2  # its gates are on record
    assert held.find_broken() == []


def test_what_is_to_go_on_later_waits(cli: Cli, held: Harness) -> None:
    told = join_lines(cli("rerun", "W1", "--set", "phone=+49 30 901820", "--later", "--now", NOW + HOUR))
    assert "1 journey waits again. Next: leadgate run" in told
    assert held.count_statuses() == {"owned": 1, "ready": 2}


def test_a_touch_counts_at_once(cli: Cli, held: Harness) -> None:
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 1")
    at = NOW + HOUR
    assert "J1: done" in join_lines(cli("touch", "J1", "--kind", "call", "--for", owner, "--seconds", 90, "--now", at))
    assert held.one("SELECT touched_at FROM assignment WHERE journey_id = 1") == at


def test_an_approval_goes_on_at_once(cli: Cli, harness: Harness) -> None:
    harness.begin(make_lead(1, Company="", **{"Job title": "Chief"}))
    assert harness.count_statuses() == {"held": 1}
    done = read_json(cli("review", "W1", "--approve", "called them", "--now", NOW + HOUR, "--json"))
    assert [each["status"] for each in done["standing"]] == ["owned"]


def test_what_a_review_takes_as_proposed_goes_on_at_once(cli: Cli, held: Harness) -> None:
    assert "W1 proposes nothing" in cli("review", "W1", "--proposed", "--now", NOW + HOUR, code=2).stderr
    with held.ledger.transaction() as connection:
        proposal = {"proposal": '{"phone": "+49 30 901820"}'}
        connection.execute(text("UPDATE work_item SET proposal = CAST(:proposal AS jsonb)"), proposal)
    told = join_lines(cli("review", "W1", "--proposed", "--now", NOW + HOUR))
    assert "W1 corrected" in told
    assert "J2: has an owner" in told
    assert "--set and --proposed exclude" in cli("review", "W1", "--proposed", "--set", "phone=1", code=2).stderr


def test_a_consumer_that_runs_takes_what_waits(held: Harness) -> None:
    assert not released.is_consumer_running(held.ledger)
    consumers.record_consumer(held.ledger, name="c", host="h", pid=1, doing="waiting")
    assert released.is_consumer_running(held.ledger)
    consumers.record_consumer(held.ledger, name="c", host="h", pid=1, doing=consumers.PAUSED)
    assert not released.is_consumer_running(held.ledger)
    (waiting,) = released.wait_for_consumer(held.ledger, [3], patience=0)
    assert waiting.status == "ready"
    (owned,) = released.wait_for_consumer(held.ledger, [1], sleep=pytest.fail)
    assert owned.status == "owned"


# --- what an owner decides, and what is taken back ------------------------------------------------------------


@pytest.fixture
def playbook(cli: Cli, tmp_path: Path) -> Callable[[str], None]:
    """Give the commands the tests' playbook with more at its end."""

    def write(more: str) -> None:
        (tmp_path / "playbook.yaml").write_text(PLAYBOOK + more, encoding="utf-8")

    return write


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Lead 1 has an owner."""
    harness.begin(make_lead(1))
    assert harness.count_statuses() == {"owned": 1}
    return harness


def owners(harness: Harness) -> list[Any]:
    """Who has or had lead 1, in order, and how that ended."""
    return harness.rows("SELECT owner, end_reason FROM assignment WHERE journey_id = 1 ORDER BY id")


def checks(harness: Harness) -> int:
    """How many follow-up checks there were."""
    return int(harness.one("SELECT count(*) FROM gate_result WHERE gate = 'followed_up'"))


ENDS_BY_ACCEPTANCE = "follow_up: {finished_by: acceptance}\n"
GOES_TO_ANOTHER = "follow_up: {rejected: reassign}\n"


def test_an_acceptance_ends_the_lead_and_the_wait_for_it_at_once(
    cli: Cli, owned: Harness, playbook: Callable[[str], None]
) -> None:
    playbook(ENDS_BY_ACCEPTANCE)
    ((owner, _),) = owners(owned)
    cli("wait", 1, "--until", NOW + 9 * HOUR, "--reason", "away", "--for", owner, "--now", NOW + HOUR)
    told = join_lines(cli("accept", 1, "--for", owner, "--now", NOW + 2 * HOUR))
    assert "J1: done" in told
    assert owners(owned) == [(owner, "accepted")]
    assert owned.one("SELECT count(*) FROM pause WHERE ended_at IS NULL") == 0
    # the way back that is printed is one
    undone = read_json(cli("undo", f"A{told.rpartition('undo A')[2]}", "--now", NOW + 3 * HOUR, "--json"))
    assert [each["status"] for each in undone["standing"]] == ["owned"]
    assert owners(owned) == [(owner, None)]
    assert owned.rows("SELECT a.accepted_at, p.ended_at FROM assignment a JOIN pause p USING (journey_id)") == [
        (None, None)
    ]
    assert owned.find_broken() == []
    assert "J1: done" in join_lines(cli("accept", 1, "--for", owner, "--now", NOW + 4 * HOUR))
    assert owned.find_broken() == []


def test_a_lead_that_its_owner_gives_back_has_another_at_once(
    cli: Cli, owned: Harness, playbook: Callable[[str], None]
) -> None:
    playbook(GOES_TO_ANOTHER)
    ((owner, _),) = owners(owned)
    told = join_lines(cli("reject", 1, "--reason", "not_a_fit", "--for", owner, "--now", NOW + HOUR))
    (_, (other, _)) = owners(owned)
    assert other != owner
    assert f"J1: has an owner, {other}" in told
    assert "leadgate run" not in told
    # the way back that is printed is one, as long as the new owner has done nothing
    cli("undo", f"A{told.rpartition('undo A')[2]}", "--now", NOW + 2 * HOUR)
    assert owners(owned) == [(owner, None), (other, "reassigned")]
    assert owned.find_broken() == []


def test_a_rejection_stands_once_the_new_owner_has_accepted(
    cli: Cli, owned: Harness, playbook: Callable[[str], None]
) -> None:
    playbook(GOES_TO_ANOTHER)
    ((owner, _),) = owners(owned)
    done = read_json(cli("reject", 1, "--reason", "not_a_fit", "--for", owner, "--now", NOW + HOUR, "--json"))
    (new,) = done["standing"]
    cli("accept", 1, "--for", new["owner"], "--now", NOW + 2 * HOUR)
    refused = cli("undo", done["action"], "--now", NOW + 3 * HOUR, code=2).stderr
    assert f"{new['owner']} has accepted it" in " ".join(refused.split())


@pytest.mark.parametrize(("nobody", "status"), [("wait", "ready"), ("hold", "held")])
def test_a_rejection_is_taken_back_where_nobody_can_take_the_lead(
    cli: Cli, owned: Harness, tmp_path: Path, nobody: str, status: str
) -> None:
    ((owner, _),) = owners(owned)
    absent = "absent: [{first: 2026-03-01, last: 2026-03-20}]"
    changed = PLAYBOOK.replace("manager: mia}", f"manager: mia, {absent}}}")
    changed = changed.replace("hours: office\n", f"hours: office\n    nobody_available: {{do: {nobody}}}\n")
    (tmp_path / "playbook.yaml").write_text(changed + GOES_TO_ANOTHER, encoding="utf-8")
    done = read_json(cli("reject", 1, "--reason", "not_a_fit", "--for", owner, "--now", NOW + HOUR, "--json"))
    assert [each["status"] for each in done["standing"]] == [status]
    cli("undo", done["action"], "--now", NOW + 2 * HOUR)
    assert owners(owned) == [(owner, None)]
    assert owned.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 0
    assert owned.find_broken() == []


def test_a_signal_that_was_joined_by_mistake_has_an_owner_at_once(cli: Cli, harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2, Email="lead1@company1.example"))
    assert harness.count_statuses() == {"owned": 1, "joined": 1}
    told = join_lines(cli("unjoin", "J2", "--now", NOW + HOUR))
    owner = harness.one("SELECT owner FROM assignment WHERE journey_id = 2 AND ended_at IS NULL")
    assert f"J2: has an owner, {owner}" in told
    assert harness.find_broken() == []


def test_a_lead_whose_acceptance_is_taken_back_is_checked_at_once(cli: Cli, owned: Harness) -> None:
    ((owner, _),) = owners(owned)
    number = read_json(cli("accept", 1, "--for", owner, "--now", NOW + HOUR, "--json"))["action"]
    before = checks(owned)
    assert "J1: has an owner" in join_lines(cli("undo", f"A{number}", "--now", NOW + 6 * HOUR))
    assert checks(owned) == before + 1
    # the touch was due meanwhile
    assert owned.one("SELECT count(*) FROM work_item WHERE reason = 'first_touch_overdue' AND closed_at IS NULL") == 1


def test_what_owners_decide_waits_where_they_say_so(cli: Cli, owned: Harness, playbook: Callable[[str], None]) -> None:
    playbook(GOES_TO_ANOTHER)
    ((owner, _),) = owners(owned)
    before = checks(owned)
    accepted = read_json(cli("accept", 1, "--for", owner, "--later", "--now", NOW + HOUR, "--json"))
    cli("undo", accepted["action"], "--later", "--now", NOW + HOUR)
    assert checks(owned) == before
    told = join_lines(cli("reject", 1, "--reason", "not_a_fit", "--for", owner, "--later", "--now", NOW + 2 * HOUR))
    assert "`leadgate run` finds one" in told
    assert owned.count_statuses() == {"ready": 1}


def test_a_join_that_is_undone_later_waits(cli: Cli, harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2, Email="lead1@company1.example"))
    assert "Next: leadgate run" in join_lines(cli("unjoin", "J2", "--later", "--now", NOW + HOUR))
    assert harness.count_statuses() == {"owned": 1, "ready": 1}


def test_beside_a_consumer_owned_leads_are_checked_and_the_others_left_to_it(
    cli: Cli, harness: Harness, playbook: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer takes leads through intake alone, and what --now says is not for it."""
    now = datetime.now(UTC)
    harness.capture(make_lead(1), now=now)
    harness.run(now)
    playbook(GOES_TO_ANOTHER)
    monkeypatch.setattr(released, "PATIENCE", 0.0)
    monkeypatch.setattr(released, "is_consumer_running", lambda ledger: True)
    ((owner, _),) = owners(harness)
    before = checks(harness)
    cli("accept", 1, "--for", owner)
    assert checks(harness) == before + 1
    told = cli("reject", 1, "--reason", "not_a_fit", "--for", owner)
    assert "A consumer runs" in told.stderr
    assert harness.count_statuses() == {"ready": 1}
