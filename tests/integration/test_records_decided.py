"""Work items and messages about records: what is shown in place of a lead, what people decide, who is told what."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, read_json
from console_site import ConsoleSite
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from made_records import insert_opportunities
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.ledger import outbox, ownership
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import WorkItemFilter
from leadgate.ledger.reruns import RerunReport
from leadgate.playbook import LoadedPlaybook
from leadgate.resolutions import Correct, Discard, DoneByHand, Resolution, TryAgain
from leadgate.vocabulary import Role
from tasks import outbox as delivery
from tasks import reruns
from tasks.event_delivery import EventSender

#: Of ``insert_opportunities``: the one that is held, and who owns the third.
REPS = ["ana", "bob", "cyn"]
WITH_KINDS = PLAYBOOK + "kinds: {opportunity: {sales_stages: [{name: proposal}, {name: won, closed: won}]}}\n"


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(WITH_KINDS, path=Path("records.yaml"))


@pytest.fixture
def beside(harness: Harness) -> dict[str, int]:
    """A lead with an owner, and five opportunities: the item of the one that is held, and its record and journey."""

    def work() -> None:
        harness.capture(make_lead(1))
        harness.run()
        with harness.ledger.transaction() as connection:
            insert_opportunities(connection, 5, REPS, NOW)

    harness.begin_with("five opportunities beside a lead", work)
    ((item, journey, record),) = harness.rows(
        "SELECT j.work_item_id, j.id, j.record_id FROM journey j WHERE j.kind <> 'lead' AND j.status = 'held'"
    )
    return {"item": item, "journey": journey, "record": record}


def test_the_queue_names_the_record(beside: dict[str, int], cli: Cli) -> None:
    (item,) = read_json(cli("queue", "--json", "--now", NOW))["items"]
    assert (item["about"], item["record_id"], item["record_name"]) == ("opportunity", beside["record"], "Deal 0")
    assert item["lead_id"] is None
    assert f"R{beside['record']}" in cli("queue", "--now", NOW).stdout
    shown = cli("review", f"W{beside['item']}").stdout
    assert f"opportunity R{beside['record']} (Deal 0)" in shown
    assert "+30" in shown  # a score by the rules of opportunities


def test_the_pages_of_the_queue_name_the_record_and_lead_to_it(beside: dict[str, int], console: ConsoleSite) -> None:
    rita = console.sign_in("rita", Role.REVIEWER)
    for page in (rita.get("/queue"), rita.get(f"/queue/W{beside['item']}")):
        assert page.status == 200
        assert f"R{beside['record']} · Deal 0" in page.words
        assert page.tree.xpath(f"//a[@href='/records/{beside['record']}']")
    form = rita.get(f"/queue/{beside['item']}/correct")
    assert form.status == 200
    assert {"close_date", "amount"} <= set(form.tree.xpath("//option/@value | //option/text()"))


@pytest.mark.parametrize(
    ("resolution", "stands"),
    [
        (TryAgain(), ("qualification", "ready")),
        (DoneByHand("approved"), ("assignment", "ready")),
        (Discard("a mistake"), ("qualification", "discarded")),
        (Correct({"close_date": "2026-04-30"}), ("validation", "ready")),
    ],
    ids=["again", "approved", "discarded", "corrected"],
)
def test_people_decide_about_records_as_about_leads(
    beside: dict[str, int], harness: Harness, resolution: Resolution, stands: tuple[str, str]
) -> None:
    done = _resolve(harness, beside["item"], resolution)
    assert (done.work_items, done.skipped) == (1, [])
    assert harness.rows("SELECT stage, status FROM journey WHERE id = :id", id=beside["journey"]) == [stands]
    assert harness.one("SELECT closed_at IS NOT NULL FROM work_item WHERE id = :id", id=beside["item"])
    assert harness.find_broken() == []


def _resolve(harness: Harness, item: int, resolution: Resolution) -> RerunReport:
    items = reruns.find_items(harness.ledger, WorkItemFilter(ids=(item,)), resolution)
    return reruns.resolve_items(
        harness.ledger, items, resolution, by=make_actor("mia"), now=NOW, playbook=harness.loaded.playbook
    )


def test_a_correction_is_kept_for_the_stage_that_reads_it(beside: dict[str, int], harness: Harness) -> None:
    _resolve(harness, beside["item"], Correct({"close_date": "2026-04-30"}))
    kept = harness.rows("SELECT journey_id, generation, field, value FROM correction")
    assert kept == [(beside["journey"], 1, "close_date", "2026-04-30")]


def test_a_field_of_leads_is_none_of_an_opportunity(beside: dict[str, int], harness: Harness) -> None:
    with pytest.raises(ActionError, match="an opportunity has no field 'email'"):
        _resolve(harness, beside["item"], Correct({"email": "a@b.example"}))
    assert harness.one("SELECT status FROM journey WHERE id = :id", id=beside["journey"]) == "held"


def _claim(harness: Harness, target: str) -> list[outbox.Message]:
    found = []
    while (message := outbox.claim(harness.ledger, [target], lease=timedelta(hours=1), now=NOW)) is not None:
        found.append(message)
    return found


def test_an_owner_is_told_of_an_opportunity_by_its_number(beside: dict[str, int], harness: Harness) -> None:
    (message,) = [each for each in _claim(harness, "cyn") if each.about != "lead"]
    book = harness.loaded.playbook

    def word(shows: tuple[Any, ...]) -> Any:
        return delivery._compose(harness.ledger, [message], delivery.DeliveryAddress("NOTIFY", "", shows), book)

    plain, shown = word(()), word(("company",))
    number = f"R{message.record_id}"
    assert plain.title == f"Opportunity {number} is yours"
    assert f"Opportunity: {number}, sales stage proposal, from opportunities" in plain.body
    assert f"leadgate explain {number}" in plain.body
    assert "Deal" not in plain.body
    assert "Acme" not in plain.body
    assert "lead " not in plain.body.lower()
    assert "Who: Deal 2, Acme 2" in shown.body


def test_a_digest_is_about_opportunities_or_about_leads(beside: dict[str, int], harness: Harness) -> None:
    owner = harness.one("SELECT owner FROM assignment WHERE kind = 'lead'")
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE outbox SET kind = 'first_touch_due', target = :owner"), {"owner": owner})
    lead = outbox.claim(harness.ledger, [owner], lease=timedelta(hours=1), now=NOW)
    assert lead is not None
    assert lead.about == "lead"
    asked: dict[str, Any] = {"least": 1, "attempts": 5, "lease": timedelta(hours=1), "now": NOW}
    assert outbox.claim_alike(harness.ledger, lead, **asked) == []
    first = outbox.claim(harness.ledger, [owner], lease=timedelta(hours=1), now=NOW)
    assert first is not None
    assert first.about == "opportunity"
    others = outbox.claim_alike(harness.ledger, first, **asked)
    assert {each.about for each in others} == {"opportunity"}
    address = delivery.DeliveryAddress("NOTIFY", "")
    digest = delivery._compose(harness.ledger, [first, *others], address, harness.loaded.playbook)
    assert digest.title == f"Reminder: {1 + len(others)} opportunities wait"


def test_other_systems_are_told_what_an_event_is_about(beside: dict[str, int], harness: Harness) -> None:
    (message,) = [each for each in _claim(harness, "cyn") if each.about != "lead"]
    book = playbooks.parse(
        WITH_KINDS
        + "events: [{name: hub, url: 'https://h.example', secret_env: LEADGATE_EVENTS_HUB, about: [owned], shows: [company]}]",
        path=Path("events.yaml"),
    ).playbook
    owned = replace(message, kind="event_owned")
    document = json.loads(EventSender(harness.ledger).compose(owned, book.events[0]))
    assert document["type"] == "opportunity.owned"
    assert document["data"]["record_number"] == message.record_id
    assert "lead_number" not in document["data"]
    assert document["data"]["company"] == "Acme 2"


def test_the_owner_of_a_record_accepts_it_and_waits_for_it(beside: dict[str, int], harness: Harness) -> None:
    journey = harness.one("SELECT journey_id FROM assignment WHERE kind <> 'lead' AND owner = 'cyn'")
    who: dict[str, Any] = {"by": make_actor("cyn"), "now": NOW + timedelta(hours=1)}
    ownership.accept(harness.ledger, journey, **who)
    ownership.wait(harness.ledger, journey, until=NOW + timedelta(days=2), reason="legal", **who)
    ownership.resume(harness.ledger, journey, **who)
    with pytest.raises(ActionError, match="no reason of the playbook"):
        ownership.reject(harness.ledger, journey, reason="not_a_fit", playbook=harness.loaded.playbook, **who)
    assert harness.one("SELECT accepted_at FROM assignment WHERE journey_id = :id", id=journey) == who["now"]
    assert harness.find_broken() == []


def test_the_playbooks_page_tells_the_rules_of_records_without_hits(console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    page = olga.get("/playbook")
    while "refresh" in page.headers:
        page = olga.get("/playbook")
    titles = page.texts("//h2[starts-with(@id, 'section-')]")
    assert "Opportunities: what is decided" in titles
    (row,) = page.tree.xpath("//tr[@id='opportunity-rule-won']")
    assert "Here it is won and ends." in row.text_content()
    assert row.xpath("td[@data-label='last hit']") == []
    ids = page.tree.xpath("//main//@id")
    assert len(ids) == len(set(ids))
    assert "opportunity-rule-won" not in olga.get("/playbook", show="unused").text


def test_what_time_brought_cannot_be_corrected(beside: dict[str, int], harness: Harness) -> None:
    """There is nothing told that a correction could take the place of: the journey would wait for ever."""
    with harness.ledger.transaction() as connection:
        connection.execute(
            text("UPDATE journey SET signal_id = NULL, trigger = 'due' WHERE id = :id"), {"id": beside["journey"]}
        )
    with pytest.raises(ActionError, match="nothing was told"):
        _resolve(harness, beside["item"], Correct({"close_date": "2026-04-30"}))
    assert harness.one("SELECT status FROM journey WHERE id = :id", id=beside["journey"]) == "held"
