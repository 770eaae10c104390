"""Messages in words, where they go, and when they are tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from leadgate import playbook as playbooks
from leadgate.connectors import notify
from leadgate.ledger.message_facts import MessageFacts
from leadgate.ledger.outbox import Message
from leadgate.playbook import CrmConnection, Playbook, ShownFact
from leadgate.sla.sla_targets import TARGETS
from leadgate.vocabulary import MessageKind
from tasks.delivery import MOST_ATTEMPTS, find_address, mask_target, wait_after
from tasks.message_texts import TEMPLATES, compose_digest, compose_message

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
TEXT = """
version: 1
name: Tests
sources: {website: {}}
reps:
  - {name: ana, label: Ana Lima, time_zone: America/Sao_Paulo, manager: mia}
  - {name: bob}
pools: [{name: all, members: [{rep: ana}]}]
routing: [{name: all, to: pool all}]
notifications:
  - {to: ana, address_env: NOTIFY_ANA}
  - {to: everybody, address_env: NOTIFY_ALL}
"""


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return playbooks.parse(TEXT, path=Path("tests.yaml")).playbook


def make_message(**more: Any) -> Message:
    given: dict[str, Any] = {
        "id": 1, "key": "assigned:12:0", "journey_id": 12, "target": "ana", "kind": "lead_assigned", "attempts": 1,
        "created_at": NOW, "claimed_at": NOW, "lead_id": 7, "source": "website", "generation": 0, "owner": "ana",
        "due_at": NOW + timedelta(hours=4), "email": "jane.doe@acme.example", "phone": "+493012345678",
        "has_contact": True,
    }  # fmt: skip
    return Message(**given | more)


def test_an_assignment_tells_who_what_until_when_and_how_to_see_more(playbook: Playbook) -> None:
    text = compose_message(make_message(), playbook, NOW)
    assert text.title == "New lead J12"
    assert text.body.splitlines() == [
        "To Ana Lima: This lead is yours.",
        "Lead: j••• at acme[.]example, from website",
        "First touch is due: 2026-03-04 11:00 (America/Sao_Paulo)",
        "More: leadgate explain J12",
        "Key: assigned:12:0",
    ]


FACTS = MessageFacts(
    12, name="Jane Doe", job_title="Chief Officer", company="Acme", country="DE", score=75, grade="A",
    contributions={"decides": 25, "has_company": 30, "student": -40, "nothing": 0, "fifth": 1, "sixth": 2},
)  # fmt: skip


def test_a_notification_shows_who_the_lead_is_and_why_as_far_as_it_allows(playbook: Playbook) -> None:
    everything = compose_message(make_message(), playbook, NOW, shows=get_args(ShownFact), facts=FACTS)
    assert everything.body.splitlines()[1:6] == [
        "Lead: j••• at acme[.]example, from website",
        "Who: Jane Doe, Chief Officer, Acme, DE",
        "Phone: +493012345678",
        "E-mail: jane[.]doe at acme[.]example",
        "Why: score 75, grade A, student -40, has_company +30, decides +25, sixth +2",
    ]
    some = compose_message(make_message(), playbook, NOW, shows=("company", "grade"), facts=FACTS).body
    assert "Who: Acme\n" in some
    assert "Why: grade A\n" in some
    for personal in ("Jane", "jane[.]doe", "3012345678", "75"):
        assert personal not in some


def test_a_message_leads_to_the_record_in_the_crm(playbook: Playbook) -> None:
    link = "https://crm.example/{record_id}"
    connections = [CrmConnection(name=name, type="hubspot", record_link=link) for name in ("sales", "other", "third")]
    connected = playbook.model_copy(update={"crm": tuple(connections)})
    facts = replace(FACTS, records={"sales": "17", "third": "1/../2?x= \n<b>", "gone": "5"})
    body = compose_message(make_message(), connected, NOW, shows=("record",), facts=facts).body
    assert [line for line in body.splitlines() if "crm.example" in line] == [
        "Record: https://crm.example/17",
        "Record: https://crm.example/1%2F..%2F2%3Fx%3D%20%0A%3Cb%3E",
    ]
    digest = compose_digest([make_message()] * 2, connected, NOW, shows=("record",), facts={12: facts}).body
    assert digest.count("https://crm.example/17") == 2
    for shows, known in ((("company",), facts), (("record",), FACTS), (("record",), None)):
        assert "crm.example" not in compose_message(make_message(), connected, NOW, shows=shows, facts=known).body


def test_what_validation_has_not_found_good_is_not_shown(playbook: Playbook) -> None:
    shows = get_args(ShownFact)
    told = compose_message(
        make_message(email="x@<evil>", phone="call now"), playbook, NOW, shows=shows, facts=FACTS
    ).body
    assert "evil" not in told
    assert "call now" not in told
    item = make_message(kind="work_item_overdue", key="work_item_overdue:31", target="mia")
    assert "Jane" not in compose_message(item, playbook, NOW, shows=shows, facts=FACTS).body


def test_a_digest_shows_what_is_due_first_and_counts_the_rest(playbook: Playbook) -> None:
    many = [make_message(id=n, journey_id=n, due_at=NOW + timedelta(hours=100 - n)) for n in range(1, 31)]
    told = compose_digest(many, playbook, NOW, shows=("company",), facts={30: replace(FACTS, journey_id=30)})
    assert told.title == "30 new leads"
    lines = told.body.splitlines()
    assert lines[0] == "To Ana Lima: These leads are yours."
    assert lines[1] == "J30: Acme, j••• at acme[.]example, due 2026-03-07 05:00 (America/Sao_Paulo)"
    assert [line.partition(":")[0] for line in lines[1:21]] == [f"J{n}" for n in range(30, 10, -1)]
    assert lines[21] == "and 10 more"
    assert lines[-1] == "Key: assigned:12:0"


def test_every_kind_of_message_has_words_of_its_own() -> None:
    assert set(TEMPLATES) == set(MessageKind)


@pytest.mark.parametrize(
    "kind",
    [
        "lead_assigned",
        "lead_heard_again",
        "lead_warmed_up",
        "lead_taken_back",
        "lead_stale",
        "lead_recycled",
        "of_tomorrow",
        *(f"{target}_{how}" for target in TARGETS for how in ("due", "overdue")),
    ],
)
def test_every_kind_carries_its_key_and_nothing_personal(playbook: Playbook, kind: str) -> None:
    text = compose_message(make_message(kind=kind, key=f"{kind}:12"), playbook, NOW)
    assert text.body.endswith(f"\nKey: {kind}:12")
    assert "J12" in text.title
    assert ("There is news about this lead" in text.body) == (kind == "of_tomorrow")
    for personal in ("jane", "Doe", "3012345678"):
        assert personal not in text.title + text.body


def test_an_escalation_names_the_owner_and_what_was_due_on_their_clock(playbook: Playbook) -> None:
    text = compose_message(
        make_message(kind="first_touch_overdue", target="mia", due_at=NOW - timedelta(hours=1)), playbook, NOW
    )
    assert "Ana Lima has not touched this lead yet." in text.body
    assert "First touch was due: 2026-03-04 06:00 (America/Sao_Paulo)" in text.body


def test_a_work_item_that_nobody_took_is_named(playbook: Playbook) -> None:
    late = make_message(kind="work_item_overdue", key="work_item_overdue:31", target="mia", owner=None, due_at=None)
    text = compose_message(late, playbook, NOW)
    assert text.title == "Overdue: work item W31"
    assert "behind W31, which nobody has taken or decided in time: leadgate explain W31." in text.body
    assert "jane" not in text.body


def test_a_lead_without_an_address_is_shown_by_its_number_or_not_at_all(playbook: Playbook) -> None:
    assert "Lead: •••78, from website" in compose_message(make_message(email=None), playbook, NOW).body
    nothing = make_message(email=None, phone=None, due_at=None)
    assert "Lead: an address that could not be validated, from website" in compose_message(nothing, playbook, NOW).body
    assert "Lead: no address is known" in compose_message(replace(nothing, has_contact=False), playbook, NOW).body


def test_a_target_has_its_own_address_else_that_of_everybody(playbook: Playbook) -> None:
    environ = {"NOTIFY_ANA": "json://ana", "NOTIFY_ALL": " json://all "}
    assert find_address("ana", playbook, environ).value == "json://ana"
    assert find_address("bob", playbook, environ).value == "json://all"
    # an own entry without an address waits for it, rather than tell everybody
    assert find_address("ana", playbook, {"NOTIFY_ALL": "json://all"}).value is None
    assert find_address("ana", playbook, {"NOTIFY_ANA": ""}).variable == "NOTIFY_ANA"
    nobody = playbook.model_copy(update={"notifications": ()})
    assert find_address("ana", nobody, environ).variable is None


def test_neither_an_address_nor_a_lead_is_shown_by_accident(playbook: Playbook) -> None:
    assert "json://ana" not in repr(find_address("ana", playbook, {"NOTIFY_ANA": "json://ana"}))
    assert "jane" not in repr(make_message())


def test_the_waits_grow_up_to_a_cap_and_end() -> None:
    waits = [wait_after(attempts) for attempts in range(1, MOST_ATTEMPTS)]
    assert [int(wait.total_seconds()) for wait in waits if wait][:5] == [10, 30, 120, 600, 3600]
    assert None not in waits
    assert wait_after(MOST_ATTEMPTS) is None
    total = sum((wait for wait in waits if wait), timedelta())
    assert timedelta(hours=17) < total < timedelta(hours=18)


def test_a_manager_named_by_an_address_is_masked(playbook: Playbook) -> None:
    text = compose_message(
        replace(make_message(), target="mia.b@acme.example", kind="first_touch_overdue"), playbook, NOW
    )
    assert "To m••• at acme[.]example" in text.body
    assert mask_target("mia.b@acme.example") == "m•••@acme.example"
    assert mask_target("mia") == "mia"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ana@team.example", True),
        ("ana+lead@sub.team.example", True),
        ("ana@team.example, b@c.example", False),
        ("Ana <ana@team.example>", False),
        ("ana@team.example\r\nBcc: b@c.example", False),
        ("ana@localhost", False),
        ("@team.example", False),
        ("", False),
    ],
)
def test_an_address_is_one_address(text: str, is_one: bool) -> None:
    assert notify.is_mail_address(text) is is_one
