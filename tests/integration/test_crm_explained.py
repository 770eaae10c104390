"""What ``explain`` tells of a lead's records in CRMs: found, written, read back, refused, gone."""

from __future__ import annotations

from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from crm_fakes.hubspot.connected import Account
from harness import NOW, Harness
from sqlalchemy import text

from tasks.crm.reconcile import reconcile_crm


@pytest.fixture
def template(taken: str) -> str:
    return taken


def tell(cli: Cli, lead: str = "L1") -> str:
    """The evidence, as ``explain`` prints it."""
    return join_lines(cli("explain", lead, "--now", NOW))


def reconcile(harness: Harness, crm: Any) -> None:
    playbook = harness.loaded.playbook
    reconcile_crm(harness.ledger, playbook, playbook.crm[0], crm, NOW, NOW)


def test_the_record_what_was_written_and_the_task_are_told(written: Harness, hubspot: Account, cli: Cli) -> None:
    contact = hubspot.portal.by_key("contacts")["leadgate-L1"]
    told = tell(cli)
    assert f"sales: it is the record {contact.id}, which Leadgate created" in told
    assert "leadgate_score" in told
    assert "all as written" in told
    ((task, _),) = hubspot.portal.related("contacts", contact.id, "tasks")
    assert f"sales: follow-up task {task} for" in told
    with written.ledger.transaction() as connection:
        connection.execute(text("UPDATE crm_task SET task_id = NULL WHERE lead_id = 1"))
    assert "has not confirmed it" in tell(cli)
    (record,) = read_json(cli("explain", "L1", "--json"))["story"]["crm_records"]
    assert record["differing"] == []
    assert "leadgate_due" in record["fields"]


def test_a_difference_names_its_field_and_the_work_item_and_no_new_value(
    written: Harness, hubspot: Account, cli: Cli
) -> None:
    hubspot.portal.edit(hubspot.portal.by_key("contacts")["leadgate-L1"], email="other@elsewhere.example")
    reconcile(written, hubspot.crm)
    item = written.one("SELECT id FROM work_item")
    told = tell(cli)
    assert "email had another value" in told
    assert f"sales: work item W{item} (crm_write_not_kept) waits for a person" in told
    story = read_json(cli("explain", "L1", "--json"))["story"]
    assert "elsewhere" not in str(story["crm_records"])


def test_a_record_that_is_gone_is_told(written: Harness, hubspot: Account, cli: Cli) -> None:
    hubspot.portal.archive(hubspot.portal.by_key("contacts")["leadgate-L2"])
    reconcile(written, hubspot.crm)
    assert "sales: the record is gone, noticed" in tell(cli, "L2")
    assert "(crm_refused) waits for a person" in tell(cli, "L2")
    assert "gone" not in tell(cli, "L1")
