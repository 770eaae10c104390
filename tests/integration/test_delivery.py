"""The outbox, delivered to a real receiver: once, in order, tried again, given up to a person, killed."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked import Child, own_ledger
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from receiver import SECRET, Receiver, read_key, receiving

import leadgate
import tasks
from leadgate import playbook as playbooks
from leadgate.connectors import notify
from leadgate.ledger import Ledger, reruns
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.delivery import MOST_ATTEMPTS, WAITS
from tasks.outbox import ENOUGH, LEASE, DeliveryReport, deliver_waiting

#: Each message by itself; digests have tests of their own (``test_digests``).
NOTIFIED = """
notifications:
  - {to: everybody, address_env: NOTIFY_EVERYBODY, digest_from: null}
"""


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    """The tests' playbook, with an address for everybody."""
    return playbooks.parse(PLAYBOOK + NOTIFIED, path=Path("tests.yaml"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def round_of(harness: Harness, receiver: Receiver | None, now: datetime = NOW, **more: Any) -> DeliveryReport:
    """One round of delivery at ``now``."""
    environ = {} if receiver is None else {"NOTIFY_EVERYBODY": receiver.address}
    return deliver_waiting(harness.ledger, harness.loaded.playbook, now, environ=environ, **more)


def outbox(harness: Harness, columns: str = "key") -> list[Any]:
    rows = harness.rows(f"SELECT {columns} FROM outbox ORDER BY id")
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


# --- delivered --------------------------------------------------------------------------------------------


def test_every_message_is_delivered_once_with_its_key_and_not_again(harness: Harness, receiver: Receiver) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 6)))
    report = round_of(harness, receiver)
    assert report.count("delivered") == 5
    assert receiver.keys == outbox(harness)
    assert all(key.startswith("assigned:") for key in receiver.keys)
    assert "l••• at company1[.]example" in receiver.messages[0]["message"]
    assert round_of(harness, receiver, NOW + timedelta(days=1)).outcomes == {}
    assert len(receiver.messages) == 5
    assert harness.rows("SELECT DISTINCT attempts, failure, delivered_at FROM outbox") == [(1, None, NOW)]
    assert harness.find_broken() == []


def test_a_day_of_messages_reaches_people_in_order(harness: Harness, receiver: Receiver) -> None:
    harness.begin(make_lead(1))
    for hours in (2, 4, 24):
        harness.run(NOW + timedelta(hours=hours))
    due = harness.one(
        "SELECT to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM assignment ORDER BY id LIMIT 1"
    )
    report = round_of(harness, receiver, NOW + timedelta(hours=24))
    kinds = {kind for kind, _, _ in report.outcomes}
    assert kinds == {"lead_assigned", "first_touch_due", "first_touch_overdue", "lead_taken_back"}
    assert receiver.keys == outbox(harness)
    # of the assignment that each message is about, not of the one that followed it
    assert all(f"due: {due} (UTC)" in m["message"] for m in receiver.messages if read_key(m).startswith("remind"))
    assert "To mia: " in next(m["message"] for m in receiver.messages if read_key(m).startswith("escalate"))


def test_a_later_message_waits_for_an_earlier_one_to_the_same_person_about_the_same_lead(
    harness: Harness, receiver: Receiver
) -> None:
    harness.begin(make_lead(1), make_lead(2))
    harness.run(NOW + timedelta(hours=2))  # both are reminded of
    first = outbox(harness)[0]
    receiver.refuse = f"Key: {first}"
    later = NOW + timedelta(hours=2)
    report = round_of(harness, receiver, later)
    journey = first.split(":")[1]
    assert [key.split(":")[1] for key in receiver.keys] == [
        key.split(":")[1] for key in outbox(harness) if f":{journey}:" not in key
    ]
    assert (report.count("failed"), report.count("delivered"), report.later) == (1, 2, 2)
    receiver.refuse = ""
    round_of(harness, receiver, later + WAITS[0])
    assert [key for key in receiver.keys if f":{journey}:" in key] == [first, f"remind:{journey}:0:1"]


# --- no address -------------------------------------------------------------------------------------------


def test_without_an_address_messages_wait_and_nothing_is_claimed(harness: Harness, receiver: Receiver) -> None:
    harness.begin(make_lead(1), make_lead(2))
    report = round_of(harness, None)
    assert report.without_address == {"NOTIFY_EVERYBODY": 2}
    assert report.outcomes == {}
    assert set(outbox(harness, "attempts, retry_at")) == {(0, None)}
    assert round_of(harness, receiver).count("delivered") == 2


def test_a_target_that_no_notification_names_waits(harness: Harness, receiver: Receiver) -> None:
    only_ana = playbooks.parse(
        PLAYBOOK + "notifications: [{to: ana, address_env: NOTIFY_EVERYBODY}]", path=Path("tests.yaml")
    )
    harness.begin(*(make_lead(number) for number in range(1, 5)))
    report = round_of(Harness(harness.ledger, only_ana), receiver)
    assert report.without_entry == {"bob": 2, "cyn": 1}
    assert {kind_to[1] for kind_to in report.outcomes} == {"ana"}


# --- failures ---------------------------------------------------------------------------------------------


def test_a_failed_message_is_tried_again_after_growing_waits(harness: Harness, receiver: Receiver) -> None:
    harness.begin(make_lead(1))
    receiver.answer = 503
    now = NOW
    for attempt, wait in enumerate(WAITS, start=1):
        assert round_of(harness, receiver, now).count("failed") == 1
        assert round_of(harness, receiver, now + wait - timedelta(seconds=1)).outcomes == {}
        assert outbox(harness, "attempts, retry_at, failure") == [
            (attempt, now + wait, "NOTIFY_EVERYBODY: the receiver answered 503")
        ]
        now += wait
    receiver.answer = 200
    assert round_of(harness, receiver, now).count("delivered") == 1
    assert outbox(harness, "failure, retry_at") == [(None, None)]


def test_given_up_it_asks_a_person_who_has_it_sent_again(harness: Harness, receiver: Receiver) -> None:
    harness.begin(make_lead(1))
    receiver.answer = 500
    now = NOW
    for _ in range(MOST_ATTEMPTS):
        report = round_of(harness, receiver, now)
        now += WAITS[-1]
    assert report.count("given_up") == 1
    assert round_of(harness, receiver, now + timedelta(days=9)).outcomes == {}
    ((item, kind, blocking, route, message),) = harness.rows(
        "SELECT id, kind, blocking, route, message FROM work_item WHERE reason = 'undeliverable' AND closed_at IS NULL"
    )
    assert (kind, blocking, route) == ("recovery", False, "revenue_operations")
    assert "the receiver answered 500" in message
    assert harness.find_broken() == []
    assert harness.count_statuses() == {"owned": 1}

    receiver.answer = 200
    done = reruns.rerun(harness.ledger, [item], by=make_actor("rae"), now=now, playbook=harness.loaded.playbook)
    assert (done.work_items, done.skipped) == (1, [])
    assert round_of(harness, receiver, now).count("delivered") == 1
    assert receiver.keys == outbox(harness)
    assert harness.rows("SELECT resolution FROM work_item WHERE reason = 'undeliverable'") == [("rerun",)]
    assert harness.find_broken() == []


def test_one_given_up_lets_the_next_to_the_same_person_pass(harness: Harness, receiver: Receiver) -> None:
    harness.begin(make_lead(1))
    harness.run(NOW + timedelta(hours=2))
    first, second = outbox(harness)
    receiver.refuse = f"Key: {first}"
    now = NOW + timedelta(hours=2)
    for _ in range(MOST_ATTEMPTS):
        assert receiver.keys == []
        round_of(harness, receiver, now)
        now += WAITS[-1]
    assert receiver.keys == [second]


def test_a_receiver_that_is_down_is_not_asked_for_each_message(harness: Harness, receiver: Receiver) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 9)))
    receiver.answer = 500
    report = round_of(harness, receiver)
    assert report.count("failed") == ENOUGH
    assert report.later == 8
    assert harness.one("SELECT count(*) FROM outbox WHERE attempts = 0") == 8 - ENOUGH


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("json://127.0.0.1:1/x", "cannot be reached"),
        ("nonsense://token", "none that Apprise knows"),
        ("not an address", "none that Apprise knows"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_failure_in_words(harness: Harness, address: str, why: str) -> None:
    harness.begin(make_lead(1))
    environ = {"NOTIFY_EVERYBODY": address}
    report = deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ=environ)
    (failure,) = report.failures
    assert why in failure
    assert address not in failure


def test_a_receiver_that_does_not_answer_is_given_up_on_in_time(receiver: Receiver) -> None:
    receiver.slow = 2.5  # the address allows one second
    with pytest.raises(notify.NotifyError, match="did not answer in time"):
        notify.send(receiver.address, "title", "body")


# --- secrets ----------------------------------------------------------------------------------------------


def test_an_address_is_in_no_log_and_in_no_table(
    harness: Harness, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    harness.begin(make_lead(1), make_lead(2))
    for name in ("urllib3.connectionpool", "apprise"):
        caplog.set_level(logging.DEBUG, name)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("of.somebody.else").info("heard")
    receiver.refuse = "Key: assigned:1:"
    reports = [round_of(harness, receiver)]
    for address in (f"json://user:{SECRET}@127.0.0.1:1/{SECRET}", f"what://{SECRET}", f"slack://{SECRET}"):
        now = NOW + timedelta(hours=len(reports))
        environ = {"NOTIFY_EVERYBODY": address}
        reports.append(deliver_waiting(harness.ledger, harness.loaded.playbook, now, environ=environ))
    assert len(receiver.messages) == 1
    assert sum(report.count("failed") for report in reports) == 4
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "heard" in logged
    kept = harness.rows("SELECT row_to_json(o)::text FROM outbox o") + harness.rows(
        "SELECT row_to_json(w)::text FROM work_item w"
    )
    for text in (logged, str(kept), str([report.to_dict() for report in reports])):
        assert SECRET not in text
        assert str(receiver.port) not in text.replace(f"{NOW:%Y}", "")
    assert harness.find_broken() == []


# --- several at once, and killed --------------------------------------------------------------------------


def deliver_in(settings: Settings, loaded: LoadedPlaybook, address: str, now: datetime) -> dict[str, Any]:
    """A round in a process of its own."""
    with own_ledger(settings) as ledger:
        environ = {"NOTIFY_EVERYBODY": address}
        return deliver_waiting(ledger, loaded.playbook, now, environ=environ).to_dict()


def test_two_at_once_deliver_each_message_once(
    harness: Harness, settings: Settings, loaded: LoadedPlaybook, receiver: Receiver
) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 31)))
    harness.run(NOW + timedelta(hours=2))
    receiver.slow = 0.01  # so that they meet
    work = partial(deliver_in, settings, loaded, receiver.address, NOW + timedelta(hours=2))
    done = [child.result() for child in (Child(work), Child(work))]
    assert sum(each["delivered"] for each in done) == 60
    assert all(each["delivered"] for each in done)
    assert sorted(receiver.keys) == sorted(outbox(harness))
    for journey, _ in harness.rows("SELECT id, 0 FROM journey"):
        about = [key for key in receiver.keys if key.split(":")[1] == str(journey)]
        assert [key.split(":")[0] for key in about] == ["assigned", "remind"]


def failpoints() -> list[str]:
    """Where a delivery can be killed, as it stands in the source."""
    folders = [Path(package.__file__ or "").parent for package in (leadgate, tasks)]
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    return sorted({name for source in sources for name in re.findall(r'\bfailpoint\("(deliver\.[a-z_.]+)"\)', source)})


@pytest.mark.parametrize("failpoint", failpoints())
def test_killed_anywhere_a_message_is_delivered_after_the_lease_with_the_same_key(
    harness: Harness, settings: Settings, loaded: LoadedPlaybook, receiver: Receiver, failpoint: str
) -> None:
    harness.begin(make_lead(1), make_lead(2))
    giving_up = "give_up" in failpoint
    if giving_up:
        harness.rows(f"UPDATE outbox SET attempts = {MOST_ATTEMPTS - 1} RETURNING id")
        receiver.answer = 500
    victim = Child(partial(deliver_in, settings, loaded, receiver.address, NOW), failpoint=failpoint)
    assert victim.killed
    assert harness.find_broken() == []
    claimed = harness.one("SELECT count(*) FROM outbox WHERE retry_at IS NOT NULL")
    receiver.answer = 200
    round_of(harness, receiver, NOW + LEASE - timedelta(seconds=1))
    settled = harness.one("SELECT count(*) FROM outbox WHERE delivered_at IS NOT NULL OR given_up_at IS NOT NULL")
    assert settled == 2 - claimed  # the lease of what was being sent still runs
    round_of(harness, receiver, NOW + LEASE)
    first, second = outbox(harness)
    if giving_up:
        assert receiver.keys == [second]
        assert harness.rows("SELECT promise FROM work_item WHERE reason = 'undeliverable'") == [(first,)]
    else:  # only what was sent and not marked is sent again
        twice = [first] if failpoint in ("deliver.send.after", "deliver.mark.before") else []
        assert sorted(receiver.keys) == sorted([first, second, *twice])
    assert harness.one("SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND given_up_at IS NULL") == 0
    assert harness.find_broken() == []


def test_what_kills_each_process_that_sends_it_is_given_up(
    harness: Harness, settings: Settings, loaded: LoadedPlaybook, receiver: Receiver
) -> None:
    harness.begin(make_lead(1))
    now = NOW
    for _ in range(MOST_ATTEMPTS):
        work = partial(deliver_in, settings, loaded, receiver.address, now)
        assert Child(work, failpoint="deliver.send.before").killed
        now += LEASE
    assert round_of(harness, receiver, now).count("given_up") == 1
    assert receiver.messages == []
    assert harness.find_broken() == []
    assert "LEADGATE_FAILPOINT" not in os.environ


def test_a_round_can_be_stopped_between_two_messages(harness: Harness, receiver: Receiver, ledger: Ledger) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 5)))
    report = round_of(harness, receiver, stop=lambda: len(receiver.messages) == 2)
    assert (report.count("delivered"), report.later) == (2, 2)
