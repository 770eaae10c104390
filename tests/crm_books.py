"""Playbooks with a CRM that a fake stands for, as several tests use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import databases
import pytest
from commands import Cli
from crm_fakes.hubspot.connected import TOKEN, Account
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import serve
from harness import KEY, NOW, PLAYBOOK, Harness, make_lead
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind
from tasks.batches import run_waiting
from tasks.outbox import DeliveryReport, deliver_waiting

HUBSPOT = """
crm:
  - name: sales
    type: hubspot
    url: URL
    allow_private: true
    credentials: {token: HUBSPOT_TOKEN}
    writes:
      email: email
      leadgate_score: {fact: score, policy: always}
      leadgate_grade: {fact: qualified_as, values: {marketing_qualified: A, sales_qualified: B}}
      hubspot_owner_id: owner
    task: {subject: "Call {company}"}
"""
SALESFORCE = """
crm:
  - name: sales
    type: salesforce
    url: URL
    allow_private: true
    credentials: {client_id: SALESFORCE_ID, client_secret: SALESFORCE_SECRET}
    writes:
      Email: email
      LastName: last_name
      Company: company
      OwnerId: owner
    task: {subject: "Call {company}"}
"""
ENVIRON = {"HUBSPOT_TOKEN": TOKEN, "SALESFORCE_ID": "app", "SALESFORCE_SECRET": TOKEN}
UseBook = Callable[[str, str], LoadedPlaybook]


@pytest.fixture
def use_book(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseBook:
    """Have commands use a playbook with this section about CRMs, whose reps are found by e-mail address."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)

    def use(section: str, url: str) -> LoadedPlaybook:
        reps = PLAYBOOK.replace("manager: mia}", "manager: mia, email: rep@example.com}")
        path = tmp_path / "playbook.yaml"
        path.write_text(reps + section.replace("URL", url), encoding="utf-8")
        return playbooks.parse(path.read_text(encoding="utf-8"), path=path)

    return use


@dataclass
class Org:
    """A fake of Salesforce that is served, whose one user is every rep."""

    fake: FakeSalesforce
    url: str


@pytest.fixture
def org() -> Iterator[Org]:
    fake = FakeSalesforce(App("app", "leadgate@example.com", consumer_secret=TOKEN))
    fake.org.add("User", Name="Rep", Email="rep@example.com", IsActive=True, UserType="Standard")
    with serve(fake) as url:
        yield Org(fake, url)
    assert fake.errors == []


def run_intake(harness: Harness) -> None:
    """Take what was captured through the stages, without the gates, which take long."""
    run_waiting(harness.worker(), lambda: NOW, kinds=(BatchKind.INTAKE,), check=pass_all)


def deliver(harness: Harness) -> DeliveryReport:
    """Write to the CRMs what waits for them."""
    return deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ=ENVIRON)


@pytest.fixture(scope="session")
def taken(postgres: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database to be copied, with two leads that have owners, and of whom the CRM ``sales`` is to be told."""
    with databases.fresh(postgres) as (url,):
        settings = Settings(home=tmp_path_factory.mktemp("taken"), database_url=url, key=KEY)
        with open_ledger(settings) as ledger:
            harness = Harness(ledger, playbooks.parse(PLAYBOOK + HUBSPOT, path=Path("taken.yaml")))
            harness.capture(make_lead(1), make_lead(2))
            run_intake(harness)
        yield url.rpartition("/")[2].partition("?")[0]


@pytest.fixture
def written(harness: Harness, hubspot: Account, use_book: UseBook) -> Harness:
    """The leads of ``taken``, written to HubSpot; the CRM has the last word about their company."""
    more = "    writes:\n      company: {fact: company, policy: if_empty}\n      leadgate_due: due_at\n"
    harness.loaded = use_book(HUBSPOT.replace("    writes:\n", more), hubspot.base_url)
    assert deliver(harness).count("delivered") == 2
    return harness
