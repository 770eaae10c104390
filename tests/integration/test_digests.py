"""Many messages of one kind to one person, delivered to a real receiver as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from forked import Child, own_ledger
from harness import NOW, PLAYBOOK, Harness, make_lead
from receiver import Receiver, receiving

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.delivery import DIGEST_ATTEMPTS, WAITS
from tasks.outbox import DeliveryReport, deliver_waiting

DIGESTED = """
notifications:
  - {to: everybody, address_env: NOTIFY_EVERYBODY, digest_from: 4}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def digested(harness: Harness) -> Harness:
    """A ledger whose messages become digests from four on."""
    harness.loaded = playbooks.parse(PLAYBOOK + DIGESTED, path=Path("tests.yaml"))
    return harness


def round_of(harness: Harness, receiver: Receiver, now: datetime = NOW) -> DeliveryReport:
    """One round of delivery at ``now``."""
    environ = {"NOTIFY_EVERYBODY": receiver.address}
    return deliver_waiting(harness.ledger, harness.loaded.playbook, now, environ=environ)


def deliver_in(settings: Settings, loaded: LoadedPlaybook, address: str) -> int:
    """In a process of its own: how many messages it delivered."""
    with own_ledger(settings) as ledger:
        report = deliver_waiting(ledger, loaded.playbook, NOW, environ={"NOTIFY_EVERYBODY": address})
    return report.count("delivered")


def test_many_new_leads_are_one_message_to_each_owner(digested: Harness, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 101)))
    digested.run()
    report = round_of(digested, receiver)
    assert report.count("delivered") == 100
    assert len(receiver.messages) == 3  # one for each of three owners
    owned = dict(digested.rows("SELECT target, count(*) FROM outbox GROUP BY target"))
    told = {message["message"].split()[1].rstrip(":"): message for message in receiver.messages}
    for owner, leads in owned.items():
        assert told[owner]["title"] == f"{leads} new leads"
        lines = told[owner]["message"].splitlines()
        assert len([line for line in lines if re.match(r"J\d+: ", line)]) == 20
        assert f"and {leads - 20} more" in lines
    assert round_of(digested, receiver).count("delivered") == 0


def test_a_few_messages_stay_messages_of_their_own(digested: Harness, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 7)))  # no owner gets four of them
    digested.run()
    assert round_of(digested, receiver).count("delivered") == 6
    assert len(receiver.messages) == 6


def test_a_digest_that_fails_is_tried_again_as_a_whole(digested: Harness, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 41)))
    digested.run()
    receiver.answer = 500
    assert round_of(digested, receiver).count("failed") == 40
    receiver.answer = 200
    receiver.messages.clear()
    assert round_of(digested, receiver, NOW + WAITS[0]).count("delivered") == 40
    assert len(receiver.messages) == 3


def test_what_no_digest_survives_is_sent_by_itself_in_the_end(digested: Harness, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 41)))
    digested.run()
    digested.rows("UPDATE outbox SET attempts = :n RETURNING 1", n=DIGEST_ATTEMPTS)
    assert round_of(digested, receiver).count("delivered") == 40
    assert len(receiver.messages) == 40


def test_a_digest_leaves_a_message_that_waits_behind_another_to_it(digested: Harness, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 41)))
    digested.run()
    first = digested.one("SELECT min(id) FROM outbox")
    digested.rows(
        "INSERT INTO outbox (key, journey_id, target, kind, created_at, attempts) SELECT 'again', journey_id, target, "
        "kind, created_at, 0 FROM outbox WHERE id = :id RETURNING 1",
        id=first,
    )
    assert round_of(digested, receiver).count("delivered") == 41
    assert sum("Key: again" in message["message"] for message in receiver.messages) == 1
    assert len(receiver.messages) == 4


def test_two_at_once_tell_of_each_lead_once(digested: Harness, settings: Settings, receiver: Receiver) -> None:
    digested.capture(*(make_lead(number) for number in range(1, 41)))
    digested.run()
    receiver.slow = 0.05
    work = partial(deliver_in, settings, digested.loaded, receiver.address)
    done = [child.result() for child in (Child(work), Child(work))]
    assert sum(done) == 40
    # who claims one of an owner's messages between the two claims of the other process sends that one by itself
    named = [
        name
        for message in receiver.messages
        for name in re.findall(r"(?m)^(J\d+): |^New lead (J\d+)$", f"{message['title']}\n{message['message']}")
    ]
    assert sorted("".join(each) for each in named) == sorted(f"J{number}" for number in range(1, 41))
