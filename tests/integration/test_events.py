"""Events for other systems: real webhooks on loopback, whose receiver verifies them by the reference of the standard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_fakes.serving import RESET_AFTER, FakeService, Request, Response, answer_with, serve
from forked import Child
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from poison import refuse_rows
from standardwebhooks.webhooks import Webhook
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate import source_secrets
from leadgate.ledger import Ledger, open_ledger, ownership, reruns
from leadgate.ledger.event_facts import EventFacts
from leadgate.ledger.message_facts import MessageFacts
from leadgate.ledger.outbox import Message
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check import check
from leadgate.playbook.check.secrets import check_values
from leadgate.settings import Settings
from tasks.batches import run_waiting
from tasks.delivery import MOST_ATTEMPTS
from tasks.event_delivery import compose_event
from tasks.outbox import LEASE, DeliveryReport, deliver_waiting

SECRET, OTHER = source_secrets.make(), source_secrets.make()
VARIABLE = "LEADGATE_EVENTS_HUB"
EVENTS = """
events:
  - name: hub
    url: URL/hooks?of=leadgate
    secret_env: LEADGATE_EVENTS_HUB
    allow_private: true
    shows: [email, company, score, reasons]
"""


@dataclass
class Event:
    id: str
    type: str
    data: dict[str, Any]
    timestamp: str


class Hub(FakeService):
    """A receiver that accepts events signed with ``secret``, and keeps each one as often as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = SECRET
        self.events: list[Event] = []

    def answer(self, request: Request) -> Response:
        Webhook(self.secret).verify(request.body, dict(request.headers))  # raises: then the test fails by ``errors``
        document = orjson.loads(request.body)
        assert set(document) == {"type", "timestamp", "data"}
        id = request.headers["webhook-id"]
        self.events.append(Event(id, document["type"], document["data"], document["timestamp"]))
        return Response(204)

    @property
    def received(self) -> list[tuple[str, Any]]:
        return [(event.type, event.data["lead_number"]) for event in self.events]


@dataclass
class EventSender:
    """A ledger whose playbook sends events to ``hub``, at ``url``. ``now`` is the time of the next step."""

    harness: Harness
    hub: Hub
    url: str
    now: datetime = NOW
    environ: dict[str, str] = field(default_factory=lambda: {VARIABLE: SECRET})

    def use_events(self, events: str) -> None:
        """Use a playbook with this part ``events``; ``URL`` in it is the address of the hub."""
        text = PLAYBOOK + events.replace("URL", self.url)
        self.harness.loaded = playbooks.parse(text, path=Path("tests.yaml"))

    def own_leads(self, *numbers: int, **more: Any) -> None:
        """Capture these leads, with ``more`` columns, and take them to an owner."""
        self.harness.capture(*(make_lead(number, **more) for number in numbers), now=self.now)
        self.run()

    def run(self, **later: float) -> None:
        """Take waiting leads through the stages, with gates that every lead passes, ``later`` than before."""
        self.now += timedelta(**later)
        run_waiting(self.harness.worker(), lambda: self.now, kinds=("intake", "follow_up"), check=pass_all)

    def deliver(self, **later: float) -> DeliveryReport:
        """Deliver the waiting messages, ``later`` than the step before."""
        self.now += timedelta(**later)
        loaded = self.harness.loaded
        return deliver_waiting(self.harness.ledger, loaded.playbook, self.now, environ=self.environ)

    @property
    def journey(self) -> int:
        return int(self.harness.one("SELECT max(id) FROM journey"))


@pytest.fixture
def sender(ledger: Ledger, loaded: LoadedPlaybook) -> Iterator[EventSender]:
    hub = Hub()
    with serve(hub) as url:
        made = EventSender(Harness(ledger, loaded), hub, url)
        made.use_events(EVENTS)
        yield made
    assert hub.errors == []


def test_events_of_a_lead_are_sent_in_order_signed_and_once(sender: EventSender) -> None:
    sender.own_leads(1)
    owner = sender.harness.one("SELECT owner FROM assignment")
    sender.deliver()
    ownership.accept(sender.harness.ledger, sender.journey, by=make_actor(owner), now=sender.now + timedelta(minutes=1))
    sender.run(hours=6)  # the first touch was due after four
    sender.deliver()
    sender.run(hours=1)
    sender.deliver()

    assert sender.hub.received == [("lead.owned", 1), ("lead.accepted", 1), ("lead.missed", 1)]
    assert len({event.id for event in sender.hub.events}) == 3
    owned, accepted, missed = (event.data for event in sender.hub.events)
    assert owned == {
        "lead_number": 1, "journey": 1, "source": "website", "status": "owned", "stage": "follow_up",
        "reason": None, "owner": owner, "route": "all_leads", "pool": "everybody", "work_items": [],
        "email": "lead1@company1.example", "company": "Company 1", "score": 30, "reasons": {"has_company": 30},
    }  # fmt: skip
    assert accepted["owner"] == owner
    assert missed["missed"] == "first_touch"
    assert sender.hub.events[0].timestamp == NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert "Alex" not in repr(sender.hub.log)  # ``shows`` of the playbook lacks the name
    assert sender.harness.find_broken() == []


def test_a_rejected_lead_and_its_next_owner_are_told(sender: EventSender) -> None:
    sender.use_events(EVENTS + "    about: [owned, rejected]\n")
    sender.own_leads(1)
    owner = sender.harness.one("SELECT owner FROM assignment")
    ownership.reject(
        sender.harness.ledger, sender.journey, by=make_actor(owner), reason="not_a_fit", now=NOW + timedelta(minutes=1),
        playbook=sender.harness.loaded.playbook,
    )  # fmt: skip
    sender.deliver(minutes=2)
    assert sender.hub.received == [("lead.owned", 1), ("lead.rejected", 1)]
    assert sender.hub.events[1].data["status"] == "nurture"


@pytest.mark.parametrize("failpoint", ["deliver.send.before", "deliver.send.after", "deliver.mark.before"])
def test_a_delivery_that_is_killed_is_sent_again_with_the_same_id(
    sender: EventSender, settings: Settings, failpoint: str
) -> None:
    sender.own_leads(1)
    playbook, environ = sender.harness.loaded.playbook, sender.environ

    def deliver_in_child() -> None:
        with open_ledger(settings) as ledger:
            deliver_waiting(ledger, playbook, NOW, environ=environ)

    assert Child(deliver_in_child, failpoint=failpoint).killed
    sender.deliver(seconds=LEASE.total_seconds())
    assert {event.id for event in sender.hub.events} == {"owned:1:0:hub"}
    assert len(sender.hub.events) == (1 if failpoint == "deliver.send.before" else 2)
    assert sender.harness.find_broken() == []


def test_an_event_that_is_not_taken_is_tried_again_and_given_up_to_a_person(sender: EventSender) -> None:
    sender.own_leads(1)
    sender.hub.faults.plan(answer_with(500), RESET_AFTER, answer_with(302, Location=f"{sender.url}/elsewhere"))
    sender.hub.faults.plan(*[answer_with(403)] * (MOST_ATTEMPTS - 3))
    for _ in range(MOST_ATTEMPTS):
        report = sender.deliver(hours=4)
    assert report.count("given_up") == 1
    assert [request.path for request in sender.hub.requests()] == ["/hooks"] * MOST_ATTEMPTS
    assert {request.headers["webhook-id"] for request in sender.hub.requests()} == {"owned:1:0:hub"}
    [(item, message)] = sender.harness.rows("SELECT id, message FROM work_item WHERE reason = 'undeliverable'")
    assert "403" in message
    playbook = sender.harness.loaded.playbook
    assert (
        reruns.rerun(sender.harness.ledger, [item], by=make_actor("mia"), now=sender.now, playbook=playbook).skipped
        == []
    )
    assert sender.deliver(minutes=1).count("delivered") == 1
    assert sender.hub.received[-1] == ("lead.owned", 1)
    assert sender.harness.find_broken() == []


def test_a_receiver_that_is_gone_is_left_alone_and_events_wait(sender: EventSender) -> None:
    sender.own_leads(1, 2, 3)
    sender.hub.faults.plan(*[answer_with(410)] * 9)
    sender.deliver()
    sender.own_leads(4)
    sender.deliver(hours=4)
    assert len(sender.hub.requests()) == 1
    items = sender.harness.rows("SELECT id, promise, message FROM work_item")
    assert [(promise, "410" in message) for _, promise, message in items] == [("event:hub", True)]
    sender.hub.faults.stop()
    playbook = sender.harness.loaded.playbook
    assert (
        reruns.rerun(
            sender.harness.ledger, [items[0][0]], by=make_actor("mia"), now=sender.now, playbook=playbook
        ).skipped
        == []
    )
    assert sender.deliver(hours=1).count("delivered") == 4
    assert sender.harness.find_broken() == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", None),
        ("x" * 40 + "1234567", "whsec_"),
        ("whsec_!", "base64"),
        (f"{SECRET} a-bearers-token-of-24-chars!", "whsec_"),
    ],
    ids=["none", "no prefix", "no base64", "a second that is none"],
)
def test_without_a_secret_nothing_is_sent(sender: EventSender, value: str, words: str | None) -> None:
    sender.own_leads(1)
    sender.environ = {VARIABLE: value}
    report = sender.deliver()
    assert sender.hub.requests() == []
    if words is None:
        assert report.without_address == {VARIABLE: 1}
    else:
        [failure] = report.failures
        assert words in failure
        assert value[:30] not in failure


def test_two_secrets_sign_while_the_receiver_changes_from_one_to_the_other(sender: EventSender) -> None:
    sender.own_leads(1)
    sender.environ = {VARIABLE: f"{OTHER} {SECRET}"}
    assert sender.deliver().count("delivered") == 1


def test_a_private_address_is_refused_unless_it_is_allowed(sender: EventSender) -> None:
    sender.use_events(EVENTS.replace("    allow_private: true\n", ""))
    sender.own_leads(1)
    [failure] = sender.deliver().failures
    assert "not public" in failure
    assert sender.hub.requests() == []


def test_a_new_receiver_gets_no_earlier_events(sender: EventSender) -> None:
    sender.use_events("")
    sender.own_leads(1)
    sender.use_events(EVENTS)
    sender.now += timedelta(hours=1)
    sender.own_leads(2)
    owner = sender.harness.one("SELECT owner FROM assignment WHERE journey_id = 1")
    ownership.accept(sender.harness.ledger, 1, by=make_actor(owner), now=sender.now)
    sender.deliver()
    assert sorted(sender.hub.received) == [("lead.accepted", 1), ("lead.owned", 2)]
    sender.use_events("")
    sender.own_leads(3)
    sender.deliver(hours=1)
    assert len(sender.hub.events) == 2


def test_a_lead_at_which_a_stage_fails_is_told_as_held(sender: EventSender) -> None:
    sender.use_events(EVENTS + "    about: [held]\n")
    with refuse_rows(sender.harness, "assignment", "true"):
        sender.own_leads(1)
    sender.deliver()
    [event] = sender.hub.events
    assert event.type == "lead.held"
    assert (event.data["status"], event.data["owner"], event.data["work_items"]) == ("held", None, ["stage_failed"])


def test_no_log_report_or_outbox_row_holds_the_secret_or_personal_values(
    sender: EventSender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sender.own_leads(1)
    sender.hub.faults.plan(answer_with(500, SECRET), answer_with(400, SECRET))
    reports = [sender.deliver(hours=1) for _ in range(3)]
    row = sender.harness.one("SELECT string_agg(CAST(o AS text), '') FROM outbox o WHERE target = 'event:hub'")
    for text in (caplog.text, repr(reports), row):
        assert SECRET not in text
        assert "lead1@" not in text


def test_a_receiver_does_not_get_the_secret_of_a_source(sender: EventSender) -> None:
    sources = PLAYBOOK.replace(
        "website: {", "website: {http: {auth: standard_webhooks, secret_env: LEADGATE_SECRET_WEBSITE}, "
    )
    loaded = playbooks.parse(sources + EVENTS.replace("URL", sender.url), path=Path("tests.yaml"))
    same = {"LEADGATE_SECRET_WEBSITE": SECRET, VARIABLE: SECRET}
    assert [problem.key for problem in check_values(loaded, same)] == ["events[0].secret_env"]
    assert check_values(loaded, same | {VARIABLE: OTHER}) == []
    assert len(check_values(loaded, {VARIABLE: "a-bearers-token-of-24-chars!"})) == 1


def test_hostile_values_are_told_as_text(sender: EventSender) -> None:
    sender.own_leads(1, Company="<b>\x1b[31m\u202e'\"}" + "x" * 100)
    sender.deliver()
    [event] = sender.hub.events
    assert event.data["company"].startswith("<b>")


@pytest.mark.parametrize("text", ["x" * 8_000, "\x00\ud800\u202e", '{"type": "lead.owned"}'])
def test_any_text_makes_a_document(text: str) -> None:
    message = Message(
        1,
        "missed:12:0:first_touch-1764230000:hub",
        12,
        "event:hub",
        "event_missed",
        1,
        NOW,
        NOW,
        7,
        text,
        0,
        email=text,
    )
    facts = EventFacts(text, text, text, text, text, text, [text])
    shown = MessageFacts(12, name=text, company=text, contributions={text: 3})
    document = orjson.loads(compose_event(message, facts, ("name", "email", "company", "reasons"), shown))
    assert (document["type"], document["data"]["lead_number"]) == ("lead.missed", 7)
    assert document["data"]["missed"] == "first_touch"
    assert len(document["data"]["name"]) <= 520


def test_the_playbooks_events_are_checked(sender: EventSender) -> None:
    def list_problems(events: str) -> list[str]:
        found = check(playbooks.parse(PLAYBOOK + events, path=Path("tests.yaml")))
        return [problem.message for problem in found if not problem.note and problem.key.startswith("events")]

    assert list_problems(EVENTS.replace("URL", "https://hub.example")) == []
    for url in ("http://hub.example", "https://a:b@hub.example", "ftp://hub.example", "hub", "https://hub.example/#x"):
        assert list_problems(EVENTS.replace("URL/hooks?of=leadgate", url)), url
    assert list_problems(EVENTS.replace("URL", "http://127.0.0.1").replace("    allow_private: true\n", ""))
    assert list_problems(EVENTS.replace("URL", "https://hub.example") + "    about: [owned, owned]\n")
    twice = EVENTS.replace("URL", "https://hub.example")
    assert list_problems(twice + twice.partition("events:")[2])
    for bad in ("name: A", "secret_env: PATH", "about: []", "about: [won]", "shows: [everything]"):
        key = bad.partition(":")[0]
        rest = [line for line in twice.splitlines() if f" {key}:" not in line]
        start = "  - " + bad if key == "name" else "    " + bad
        at = next(i for i, line in enumerate(rest) if line.startswith("events")) + 1
        rest.insert(at if key == "name" else len(rest), start)
        with pytest.raises(playbooks.PlaybookError):
            playbooks.parse(PLAYBOOK + "\n".join(rest), path=Path("tests.yaml"))
