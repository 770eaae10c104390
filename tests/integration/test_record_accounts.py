"""The account of a record: found by its name in the playbook's file of accounts, and whose record it is then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger

ENRICHMENT = """enrichment:
  providers:
    - type: company_domain
    - type: accounts_file
      path: accounts.csv
      company: name
      fields: {account_id: id, account_name: name, account_tier: tier, account_owner: owner}
"""
ACCOUNTS = """id,name,domain,tier,owner
A1,Acme GmbH,acme.example,enterprise,bob
A2,Globex,globex.example,small,
"""
BOOK = (
    PLAYBOOK.replace("sources:\n", "sources:\n  contracts: {kind: renewals, default_country: DE}\n", 1)
    + "kinds:\n  renewal: {window: 90d, prepare: 7d}\n"
)


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Harness:
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    return Harness(ledger, playbooks.parse(ENRICHMENT + BOOK, path=tmp_path / "playbook.yaml"))


def contract(**more: Any) -> dict[str, Any]:
    return {
        "Id": "C1", "Contract Name": "Acme 2025", "Account Name": "Acme", "End Date": "2026-04-30",
        "Last Modified Date": "2026-03-04T08:00:00Z",
    } | more  # fmt: skip


def test_a_contract_without_an_owner_goes_to_the_owner_of_its_account(desk: Harness) -> None:
    desk.capture(contract(), source="contracts")
    desk.run()

    assert desk.rows("SELECT enriched ->> 'account_id', enriched ->> 'account_tier' FROM record") == [
        ("A1", "enterprise")
    ]
    assert desk.rows("SELECT owner, rule FROM assignment") == [("bob", "account_owner")]


@pytest.mark.parametrize("account", ["Globex", "Nobody Knows Ltd", ""], ids=["unowned", "unknown", "none"])
def test_a_contract_of_nobody_goes_to_the_first_pool(desk: Harness, account: str) -> None:
    desk.capture(contract(**{"Account Name": account}), source="contracts")
    desk.run()

    assert desk.rows("SELECT rule FROM assignment") == [("first_pool",)]
    assert desk.rows("SELECT reason FROM work_item") == []
