"""What HubSpot's webhooks say of deals: each is read at once by its id, however far behind the search is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from crm_fakes.hubspot.connected import Account
from crm_fakes.hubspot.portal import Record
from deals_of_hubspot import HUBSPOT, KINDS, SOURCES, add_deal, sync, take
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, crm_changes
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.requests import Sender


def hear(desk: Harness, deal: Record, *events: str) -> None:
    """What HubSpot's webhooks say of a deal."""
    rows = [
        NewCrmChange("told", f"{deal.id}/{event}/{number}", "deal", deal.id, event, None, NOW, "{}")
        for number, event in enumerate(events, start=int(desk.one("SELECT count(*) FROM crm_change")))
    ]
    with desk.ledger.transaction() as connection:
        crm_changes.store_each_change(connection, rows, [Sender("told")] * len(rows), NOW)


@pytest.fixture
def told(ledger: Ledger, hubspot: Account) -> Harness:
    """A playbook that follows webhooks, and a HubSpot whose searches lag."""
    source = (
        "sources:\n  told: {http: {auth: hubspot, secret_env: TOLD, public_url: 'https://x.example/capture/told'}}\n"
    )
    section = HUBSPOT.replace("opportunities: deals}", "opportunities: deals, webhooks: told}")
    text = PLAYBOOK.replace("sources:\n", source + SOURCES.removeprefix("sources:\n"), 1)
    text = text.replace("manager: mia}", "manager: mia, email: rep@example.com}", 1)
    hubspot.portal.index_lag = 3_600
    return Harness(ledger, playbooks.parse(text + KINDS + section, path=Path("tests.yaml")))


def test_a_deal_that_a_webhook_names_is_read_at_once(told: Harness, hubspot: Account) -> None:
    deal = add_deal(hubspot)
    assert sync(told, hubspot.crm).new == 0
    hear(told, deal, "creation", "propertyChange")
    report = sync(told, hubspot.crm)
    assert (report.followed, report.new, report.problem) == (2, 1, None)
    take(told)
    rep = told.loaded.playbook.reps[0].name
    assert told.rows("SELECT key, owner, sales_stage FROM record") == [(deal.id, rep, "needs_analysis")]
    hubspot.portal.edit(deal, amount="9000")
    hear(told, deal, "propertyChange")
    sync(told, hubspot.crm, NOW + timedelta(minutes=1))
    take(told, NOW + timedelta(minutes=1))
    assert told.one("SELECT amount::int FROM record") == 9000
    hubspot.portal.archive(deal)
    hear(told, deal, "deletion")
    assert sync(told, hubspot.crm, NOW + timedelta(minutes=2)).ended == 1
    assert told.rows("SELECT target FROM outbox WHERE kind = 'record_deleted'") == [(rep,)]
    hubspot.portal.restore(deal)
    hear(told, deal, "restore")
    assert sync(told, hubspot.crm, NOW + timedelta(minutes=3)).new == 1
    take(told, NOW + timedelta(minutes=3))
    assert told.one("SELECT is_open FROM record") is True
    assert told.find_broken() == []
