"""Reps say that they are away and back: by command and on their page, and assignment respects it from the next batch on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from console_site import ConsoleSite
from harness import NOW, Harness, make_actor, make_lead
from stub_gates import pass_all

from leadgate.actors import ActorError, identify_account
from leadgate.ledger import absences
from leadgate.ledger.actions import ActionError
from leadgate.vocabulary import Role
from tasks import reassignments
from tasks.batches import run_waiting

HOUR = timedelta(hours=1)
ANA = make_actor("ana")


@pytest.fixture
def console_as_of() -> Any:
    return NOW


def say_away(harness: Harness, rep: str = "ana", until: Any = None, by: Any = ANA) -> None:
    absences.go_away(harness.ledger, rep, until=until, by=by, now=NOW, playbook=harness.loaded.playbook)


def assign(harness: Harness, first: int, now: Any = NOW) -> set[str]:
    """Who gets eight more leads, from number ``first`` on."""
    harness.capture(*(make_lead(number) for number in range(first, first + 8)), now=now)
    before = harness.one("SELECT coalesce(max(id), 0) FROM assignment")
    run_waiting(harness.worker(), lambda: now, check=pass_all)
    return {owner for (owner,) in harness.rows("SELECT owner FROM assignment WHERE id > :before", before=before)}


def test_who_is_away_gets_no_leads_from_the_next_batch_on_until_they_are_back(harness: Harness) -> None:
    assert assign(harness, 1) == {"ana", "bob", "cyn"}
    say_away(harness)
    assert assign(harness, 11, NOW + HOUR) == {"bob", "cyn"}
    lines = harness.one("SELECT candidates FROM assignment ORDER BY id DESC LIMIT 1")
    assert any(line["rep"] == "ana" and "away" in line["reason"] for line in lines)
    assert absences.come_back(harness.ledger, "ana", by=ANA, now=NOW + 2 * HOUR)
    assert "ana" in assign(harness, 21, NOW + 2 * HOUR)
    assert not absences.come_back(harness.ledger, "ana", by=ANA, now=NOW + 3 * HOUR)
    assert harness.find_broken() == []


def test_an_absence_with_an_end_is_over_then(harness: Harness) -> None:
    say_away(harness, until=NOW + 2 * HOUR)
    assert assign(harness, 1, NOW + HOUR) == {"bob", "cyn"}
    assert "ana" in assign(harness, 11, NOW + 3 * HOUR)


def test_an_end_beyond_all_calendars_is_refused_and_stops_nobodys_assignment(harness: Harness) -> None:
    for year in (2200, 9999):
        with pytest.raises(ActionError):
            say_away(harness, until=datetime(year, 12, 31, 23, 30, tzinfo=UTC))
    assert assign(harness, 1) == {"ana", "bob", "cyn"}


@pytest.mark.parametrize("until", ["9999-12-31T23:30:00-05:00", "0001-01-01T00:00:00+05:00", "2200-01-01"])
def test_a_page_refuses_an_end_beyond_all_calendars(harness: Harness, console: ConsoleSite, until: str) -> None:
    assign(harness, 1)
    (lead,) = harness.rows(
        "SELECT j.lead_id FROM journey j JOIN assignment a ON a.journey_id = j.id WHERE a.owner = 'ana' LIMIT 1"
    )
    ana = console.sign_in_rep("ana")
    assert 400 <= ana.post("/away", until=until).status < 500
    assert 400 <= ana.post(f"/leads/{lead[0]}/wait", until=until, reason="a trip").status < 500
    assert harness.one("SELECT count(*) FROM absence") + harness.one("SELECT count(*) FROM pause") == 0


def test_when_everybody_is_away_the_lead_is_held_as_with_absences_of_the_playbook(harness: Harness) -> None:
    for rep in ("ana", "bob", "cyn"):
        say_away(harness, rep, by=make_actor("mia"))
    assert assign(harness, 1) == set()
    assert harness.count_statuses() == {"held": 8}
    assert harness.rows("SELECT DISTINCT reason FROM work_item") == [("nobody_available",)]


def test_a_lead_is_handed_to_who_is_away_only_on_purpose(harness: Harness) -> None:
    assign(harness, 1)
    (journey,) = harness.rows("SELECT journey_id FROM assignment WHERE owner = 'bob' ORDER BY id LIMIT 1")[0]
    say_away(harness)
    asked: dict[str, Any] = {"rep": "ana", "reason": "knows them", "by": make_actor("bob"), "now": NOW}
    with pytest.raises(ActionError, match="away"):
        reassignments.reassign(harness.ledger, harness.loaded, journey, **asked)
    assert reassignments.reassign(harness.ledger, harness.loaded, journey, anyway=True, **asked).owner == "ana"


def test_only_the_rep_their_manager_and_an_operator_may_say_it_and_the_last_word_counts(harness: Harness) -> None:
    mia = make_actor("mia")
    say_away(harness, by=mia)
    say_away(harness, by=mia)
    assert harness.one("SELECT count(*) FROM absence") == 1
    say_away(harness, until=NOW + HOUR)
    (lasting,) = absences.find_absences(harness.ledger, ["ana"], NOW)
    assert (lasting.until, lasting.by) == (NOW + HOUR, "ana")
    bob = identify_account("bob", {Role.REP}, "bob", harness.loaded.playbook)
    with pytest.raises(ActorError):
        say_away(harness, by=bob)
    with pytest.raises(ActorError):
        absences.come_back(harness.ledger, "ana", by=bob, now=NOW)
    with pytest.raises(ActionError, match="not ahead"):
        say_away(harness, until=NOW)
    with pytest.raises(ActionError, match="no rep"):
        say_away(harness, rep="zoe", by=make_actor("ops"))


def test_the_commands_say_it(harness: Harness, cli: Cli) -> None:
    said = read_json(cli("away", "--for", "ana", "--until", "2026-03-06", "--json", "--now", NOW))
    assert said["away"]
    assert said["until"].startswith("2026-03-06T00:00")
    assert assign(harness, 1) == {"bob", "cyn"}
    assert "takes leads again" in join_lines(cli("back", "--for", "ana", "--now", NOW + HOUR))
    assert "--for" in cli("away", code=2).stderr
    assert "ahead" in cli("away", "--for", "ana", "--until", "2026-03-01", "--now", NOW, code=2).stderr


def test_the_page_has_the_switch(harness: Harness, console: ConsoleSite) -> None:
    ana = console.sign_in_rep("ana")
    assert ana.get("/away").status == 200
    page = ana.post("/away", until="2026-03-06")
    assert "away until Fri 6 Mar" in page.words
    assert "away" not in console.sign_in_rep("bob").get("/leads/mine").texts("//*[@id='away']//span")
    assert assign(harness, 1) == {"bob", "cyn"}
    assert ana.post("/away", day="soon").status == 400
    page = ana.post("/back")
    assert page.tree.xpath("//*[@id='away']//a[@href='/away']")
    assert console.sign_in("olga", Role.OPERATOR).post("/away").status == 403
