"""A playbook that reads what reps do in a CRM, and syncs of the fakes over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from crm_fakes.hubspot.connected import TOKEN
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.connectors.crm_opening import open_crm
from leadgate.playbook import LoadedPlaybook
from tasks.crm.sync import SyncReport, sync_crm
from tasks.outbox import deliver_waiting

#: Reps, and their ids in the CRMs of tests that run in memory.
IDS = {"ana": "1", "bob": "2", "cyn": "3"}
LATER = NOW + timedelta(minutes=1)
ENVIRON = {"CRM_TOKEN": TOKEN, "CRM_ID": "app"}
_CREDENTIALS = {"hubspot": "{token: CRM_TOKEN}", "salesforce": "{client_id: CRM_ID, client_secret: CRM_TOKEN}"}
_FIELDS = {
    "hubspot": "{email: email, lastname: last_name, company: company, hubspot_owner_id: owner}",
    "salesforce": "{Email: email, LastName: last_name, Company: company, OwnerId: owner}",
}


def make_book(crm: str, ids: dict[str, str], *, text: str = PLAYBOOK) -> LoadedPlaybook:
    """The tests' playbook with a CRM, and the ids of reps there."""
    for rep, owner_id in ids.items():
        plain = f"name: {rep}, manager: mia}}"
        text = text.replace(plain, f"{plain.removesuffix('}')}, crm_ids: {{sales: '{owner_id}'}}}}")
    return playbooks.parse(text + crm, path=Path("tests.yaml"))


def build_connection(type_: str, url: str, reads: str) -> str:
    """A CRM of the playbook that is written to, and read from as ``reads`` says."""
    return f"""
crm:
  - name: sales
    type: {type_}
    url: {url}
    allow_private: true
    credentials: {_CREDENTIALS[type_]}
    writes: {_FIELDS[type_]}
    task: {{subject: "Call {{company}}"}}
    reads: {reads}
"""


def deliver(harness: Harness, now: datetime = LATER) -> int:
    """How many messages were delivered."""
    return deliver_waiting(harness.ledger, harness.loaded.playbook, now, environ=ENVIRON).count("delivered")


def read(harness: Harness, now: datetime = LATER) -> SyncReport:
    """Sync by the playbook's connection."""
    connection = harness.loaded.playbook.crm[0]
    crm = open_crm(connection, ENVIRON)
    try:
        return sync_crm(harness.ledger, harness.loaded, connection, crm, now)
    finally:
        crm.close()


def find_owner(harness: Harness) -> str:
    return str(harness.one("SELECT owner FROM assignment WHERE ended_at IS NULL"))
