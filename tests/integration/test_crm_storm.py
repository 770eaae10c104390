"""A small storm at the CRMs: faults by chance, and deliverers that end in the middle; in the end both sides are equal."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from crm_fakes.serving import serve
from harness import Harness
from stub_gates import pass_all

from benchmarks import crm_storm
from benchmarks.crm_accounts import ACCOUNTS, Account, Place, State
from leadgate.connectors.crm import Crm
from leadgate.ledger import Ledger
from leadgate.playbook import CrmConnection
from tasks.crm.delivery import OpenCrms

LEADS = 40


class KilledError(BaseException):
    """What stands in for SIGKILL in a process that goes on."""


class Mortal:
    """A connector whose process ends before or after some of its requests that write."""

    def __init__(self, crm: Crm, draw: random.Random) -> None:
        self._crm, self._draw = crm, draw

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._crm, name)
        if name not in ("write", "write_tasks"):
            return found

        def call(*arguments: Any) -> Any:
            self._die()
            result = found(*arguments)
            self._die()
            return result

        return call

    def _die(self) -> None:
        if self._draw.random() < 0.06:
            raise KilledError


@pytest.fixture
def accounts() -> Iterator[dict[str, tuple[Account, Place]]]:
    with ExitStack() as stack:
        made = {kind: build(crm_storm.REPS) for kind, build in ACCOUNTS.items()}
        yield {kind: (one, one.describe(stack.enter_context(serve(one.fake)))) for kind, one in made.items()}


def test_both_crms_have_what_the_ledger_has(
    ledger: Ledger, accounts: Mapping[str, tuple[Account, Place]], caplog: pytest.LogCaptureFixture
) -> None:
    draw = random.Random(5)
    places = [place for _, place in accounts.values()]
    book = crm_storm.parse_playbook(places)
    for number, (account, _) in enumerate(accounts.values()):
        account.begin_storm(number)
        for lead in range(0, LEADS, 9):
            account.add_person(f"lead{lead}@company{lead}.example")
    kills = 0
    told: list[str] = []
    rounds = iter(range(1_000))

    def open_mortal(connection: CrmConnection, environ: Mapping[str, str]) -> Any:
        return Mortal(crm_storm.open_quickly(connection, environ), draw)

    def blow() -> None:
        """Two rounds; the clock is far enough ahead for leases of those that died."""
        nonlocal kills
        for _ in range(2):
            now = crm_storm.DELIVERED_FROM + crm_storm.timedelta(minutes=6 * next(rounds))
            try:
                report = crm_storm.deliver(ledger, book, places, now, OpenCrms(open_mortal), 5.0)
                told.append(str(report.to_dict()))
            except KilledError:
                kills += 1

    crm_storm.change(ledger, book, LEADS, draw, blow, steps=1, check=pass_all)
    for account, _ in accounts.values():
        account.end_storm()
    crm_storm.settle(ledger, book, places)

    states: dict[str, State] = {kind: account.read_state() for kind, (account, _) in accounts.items()}
    violations = crm_storm.find_violations(ledger, places, states, crm_storm.list_refused(LEADS), [*told, caplog.text])
    assert violations == []
    assert kills > 0
    assert all(state.faults.total() > 5 for state in states.values())


def test_what_is_broken_is_found(ledger: Ledger, accounts: Mapping[str, tuple[Account, Place]]) -> None:
    """The storm's own judgement: a lost update, a second record, a second task, a secret."""
    places = [place for _, place in accounts.values()]
    book = crm_storm.parse_playbook(places)
    crm_storm.change(ledger, book, 6, random.Random(1), lambda: None, steps=0, check=pass_all)
    crm_storm.settle(ledger, book, places)
    refused = crm_storm.list_refused(6)
    assert find(ledger, accounts, refused) == []
    hubspot, salesforce = (account for account, _ in accounts.values())
    record = next(r for r in hubspot.portal.records["contacts"].values() if r.values["leadgate_id"] == "leadgate-L1")
    hubspot.portal.edit(record, leadgate_score="7")
    row = next(row for row in salesforce.org.rows["Task"].values() if row["Status"] != "Completed")
    salesforce.org.add("Task", **{name: row[name] for name in ("Leadgate_Id__c", "WhoId", "OwnerId", "Status")})
    salesforce.org.add("Lead", Email="lead1@company1.example", LastName="Again", Company="Again")

    found = "\n".join(find(ledger, accounts, refused, [crm_storm.HUBSPOT_TOKEN]))

    for part in ("L1 is", "2 tasks have the key", "2 records have the address", "a secret is in a log"):
        assert part in found
    assert Harness(ledger, book).find_broken() == []


def find(
    ledger: Ledger,
    accounts: Mapping[str, tuple[Account, Place]],
    refused: Sequence[str],
    logs: Sequence[str] = (),
) -> list[str]:
    states = {kind: account.read_state() for kind, (account, _) in accounts.items()}
    return crm_storm.find_violations(ledger, [place for _, place in accounts.values()], states, refused, logs)
