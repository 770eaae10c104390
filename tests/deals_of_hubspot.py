"""Deals of the fake HubSpot, a playbook that reads them, and a sync of them without the gates."""

from __future__ import annotations

from datetime import datetime

from crm_fakes.hubspot.connected import Account
from crm_fakes.hubspot.portal import Record
from harness import NOW, Harness
from stub_gates import pass_all

from leadgate.connectors.hubspot import HubSpot
from leadgate.connectors.salesforce import Salesforce
from leadgate.vocabulary import BatchKind
from tasks.batches import run_waiting
from tasks.crm.sync import SyncReport, sync_crm

SOURCES = "sources:\n  deals: {kind: opportunities}\n  contracts: {kind: renewals}\n"
KINDS = """kinds:
  opportunity:
    approvals:
      - {name: large_push, when: pushed_days > 30 and amount > 10000}
  renewal: {window: 90d, prepare: 7d}
"""
HUBSPOT = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: HUBSPOT_TOKEN}
    reads: {opportunities: deals}
"""


def sync(harness: Harness, crm: HubSpot | Salesforce, now: datetime = NOW) -> SyncReport:
    return sync_crm(harness.ledger, harness.loaded, harness.loaded.playbook.crm[0], crm, now)


def take(harness: Harness, now: datetime = NOW) -> None:
    """Take what was captured through the stages, without the gates, which take long."""
    run_waiting(harness.worker(), lambda: now, kinds=(BatchKind.INTAKE,), check=pass_all)


def add_deal(hubspot: Account, **values: str) -> Record:
    owner = hubspot.portal.owners[0]["id"]
    given = {
        "dealname": "Acme 100 seats", "dealstage": "presentationscheduled", "pipeline": "default", "amount": "8000",
        "closedate": "2026-04-30T00:00:00.000Z", "hubspot_owner_id": owner,
    }  # fmt: skip
    return hubspot.portal.add_record("deals", **given | values)
