"""A new lead at a customer's account starts an expansion: once, with the account's owner, and each tells of the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead

from console.display_names import DisplayNames
from console.explain import evidence, record_answers
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.ledger.lead_history import load_story
from leadgate.ledger.record_history import load_record_story
from leadgate.playbook.check import check

ENRICHMENT = """enrichment:
  providers:
    - type: company_domain
    - type: accounts_file
      path: accounts.csv
      company: name
      fields: {account_id: id, account_name: name, account_tier: tier, account_owner: owner}
"""
ACCOUNTS = """id,name,domain,tier,owner
A1,Company 1 GmbH,company1.example,customer,cyn@team.example
A2,Company 2,company2.example,prospect,bob
A3,Company 3,company3.example,customer,
"""
SOURCES = """sources:
  deals: {kind: opportunities, default_country: DE}
  leads_of_customers: {kind: expansions}
"""
STARTS = "    new_leads: {when: account_tier = 'customer', source: leads_of_customers}\n"
BOOK = (
    ENRICHMENT
    + PLAYBOOK.replace("sources:\n", SOURCES, 1).replace("{name: cyn, ", "{name: cyn, email: cyn@team.example, ")
    + "kinds:\n  opportunity: {max_close_in: 400d}\n  expansion:\n"
)
Open = Callable[..., Harness]


@pytest.fixture
def open_desk(ledger: Ledger, tmp_path: Path) -> Open:
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    return lambda more=STARTS: Harness(ledger, playbooks.parse(BOOK + more, path=tmp_path / "playbook.yaml"))


def list_expansions(desk: Harness) -> list[tuple[Any, ...]]:
    return desk.rows(
        "SELECT r.key, r.account, r.values ->> 'trigger', j.status, a.owner, a.rule FROM record r "
        "JOIN journey j ON j.record_id = r.id LEFT JOIN assignment a ON a.journey_id = j.id "
        "WHERE r.kind = 'expansion' ORDER BY r.key, j.id"
    )


def test_a_lead_at_a_customers_account_starts_an_expansion_with_the_accounts_owner(open_desk: Open) -> None:
    desk = open_desk()
    desk.capture(*(make_lead(number) for number in range(1, 5)))
    desk.run()

    assert list_expansions(desk) == [
        ("L1:A1", "Company 1 GmbH", "new_lead", "owned", "cyn", "record_owner"),
        ("L3:A3", "Company 3", "new_lead", "owned", desk.one("SELECT min(owner) FROM assignment WHERE rule = 'first_pool'"), "first_pool"),
    ]  # fmt: skip
    assert desk.one("SELECT count(*) FROM assignment WHERE kind = 'lead'") == 4, "the leads go their own way"
    told = desk.one("SELECT payload FROM signal WHERE source = 'leads_of_customers' ORDER BY id LIMIT 1")
    assert all(word not in told for word in ("lead1@", "Alex", "+49"))
    assert desk.find_broken() == []


def test_a_lead_that_comes_by_again_starts_no_second_one(open_desk: Open) -> None:
    desk = open_desk()
    desk.capture(make_lead(1))
    desk.run()
    desk.capture(make_lead(1))  # the same file again
    desk.capture(make_lead(1), source="partner")  # the same person again: the signal joins the lead
    desk.run(NOW + timedelta(hours=1))
    desk.run(NOW + timedelta(hours=47))  # nobody reacted: somebody else gets the lead, which is assigned once more
    desk.run(NOW + timedelta(hours=47))
    assert desk.one("SELECT count(*) FROM assignment WHERE kind = 'lead'") == 2
    assert len(list_expansions(desk)) == 1

    desk.activity("demo_request", "lead1@company1.example", at=NOW + timedelta(hours=48))
    desk.run(NOW + timedelta(hours=49))
    assert desk.one("SELECT count(*) FROM signal WHERE source = 'leads_of_customers'") == 1
    assert desk.find_broken() == []


@pytest.mark.parametrize(
    "more", ["    {}\n", STARTS.replace("'customer'", "'partner'")], ids=["off by default", "no customer"]
)
def test_other_leads_start_none(open_desk: Open, more: str) -> None:
    desk = open_desk(more)
    desk.capture(make_lead(1), make_lead(2))
    desk.run()

    desk.run(NOW + timedelta(hours=47))
    assert desk.one("SELECT count(*) FROM assignment WHERE kind = 'lead'") == 2
    assert desk.one("SELECT count(*) FROM signal WHERE source = 'leads_of_customers'") == 0


def test_an_open_opportunity_at_the_account_is_a_question(open_desk: Open) -> None:
    desk = open_desk()
    desk.capture(
        {"Id": "D1", "Opportunity Name": "Seats", "Account Name": "Company 1 GmbH", "Owner": "ana", "Stage": "Proposal",
         "Amount": "8000", "Close Date": "2026-04-30"},
        source="deals",
    )  # fmt: skip
    desk.run()
    desk.capture(make_lead(1))
    desk.run(NOW + timedelta(hours=1))

    assert [row[3] for row in list_expansions(desk)] == ["held"]
    assert desk.rows("SELECT reason, route FROM work_item WHERE reason = 'open_opportunity'") == [
        ("open_opportunity", "cyn")
    ]


def test_the_expansion_and_the_lead_tell_of_each_other(open_desk: Open) -> None:
    desk = open_desk()
    desk.capture(make_lead(1))
    desk.run()
    record, journey = desk.rows("SELECT record_id, id FROM journey WHERE kind = 'expansion'")[0]

    of_lead = load_story(desk.ledger, desk.one("SELECT id FROM journey WHERE kind = 'lead'"))
    assert f"`leadgate explain R{record}`" in str(evidence.answer_evidence(of_lead).parts)
    with desk.ledger.transaction() as connection:
        told = load_record_story(connection, record)
    assert told is not None
    book = desk.loaded.playbook
    answers = record_answers.answer_questions(told, load_story(desk.ledger, journey), book, DisplayNames(book), NOW)
    assert "It came from lead 1: `leadgate explain L1`" in str(answers[0].parts)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("account_tier", "acount_tier", "new_leads.when", "did you mean 'account_tier'"),
        ("source: leads_of_customers", "source: leads_of_customer", "new_leads.source", "'leads_of_customers'"),
        ("source: leads_of_customers", "source: deals", "new_leads.source", "source of expansions"),
        (STARTS, f"{STARTS}    triggers: [usage]\n", "new_leads", "leaves out new_lead"),
    ],
)
def test_what_is_wrong_with_it_is_told_where_it_is(tmp_path: Path, old: str, new: str, key: str, said: str) -> None:
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    text = BOOK + STARTS
    assert [each for each in check(playbooks.parse(text, path=tmp_path / "playbook.yaml")) if not each.note] == []

    before, _, after = text.rpartition(old)
    found = check(playbooks.parse(f"{before}{new}{after}", path=tmp_path / "playbook.yaml"))

    (problem,) = [each for each in found if not each.note]
    assert problem.key == f"kinds.expansion.{key}"
    assert said in problem.message
    assert problem.line == len((BOOK + STARTS).splitlines())
