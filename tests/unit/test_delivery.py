"""Messages in words, where they go, and when they are tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leadgate import playbook as playbooks
from leadgate.ledger.outbox import Message
from leadgate.playbook import Playbook
from leadgate.sla.sla_targets import TARGETS
from leadgate.vocabulary import MessageKind
from tasks.delivery import MOST_ATTEMPTS, TEMPLATES, compose_message, find_address, mask_target, wait_after

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
