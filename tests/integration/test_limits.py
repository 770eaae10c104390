"""Values that are too long for their field: that lead is held and says why, the others go on, whatever came."""

from __future__ import annotations

from typing import Any

import pytest
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead

from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import reruns, signals
from leadgate.ledger.actions import ActionError
from leadgate.ledger.activities import store_activities
from tasks import activities

CRM = PLAYBOOK + "matching: {certain: [phone_and_name, crm_id], crm_ids: {hubspot: [website]}}\n"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"Email": "a" * 8_000 + "@company.example"}, "email"),
        ({"Email": "é" * 2_750}, "email"),
        ({"Email": f"{'a' * 320}@company.example"}, "email"),
        ({"Phone": "+49 30 " + "1" * 9_000}, "phone"),
        ({"External id": "x" * 9_000}, "external_id"),
        ({"First name": "𝕏" * 1_000}, "first_name"),
        ({"Company": "Société " * 100}, "company"),
        ({"Message": "Hello " * 100_000}, "message"),
    ],
)
def test_a_value_that_is_too_long_for_its_field_holds_its_lead_and_no_other(
    harness: Harness, value: dict[str, str], field: str
) -> None:
    harness.loaded = playbooks.parse(CRM, path=harness.loaded.path)
    harness.capture(make_lead(1), make_lead(2, **value), make_lead(3))
    harness.run()
    assert harness.count_statuses() == {"owned": 2, "held": 1}
    ((journey, detail, shown),) = harness.rows("SELECT journey_id, detail, value FROM work_item WHERE blocking")
    assert journey == 2
    assert harness.one("SELECT reason FROM work_item WHERE blocking") == "value_too_long"
    assert detail.startswith(f"{field}: ")
    assert next(iter(value.values())).startswith(shown)
    assert len(shown) <= 200
    assert harness.find_broken() == []

    item = harness.one("SELECT id FROM work_item WHERE blocking")
    corrections = {field: "+49301000002" if field == "phone" else "two@company2.example"}
    reruns.rerun(
        harness.ledger, [item], by=make_actor("mia"), now=NOW, playbook=harness.loaded.playbook, corrections=corrections
    )
    harness.run()
    assert harness.count_statuses() == {"owned": 3}
    assert harness.find_broken() == []


def test_a_playbook_that_lets_long_values_pass_loses_the_value_and_not_the_batch(harness: Harness) -> None:
    lenient = PLAYBOOK.removesuffix(INSISTS) + "gates: {captured: {severity: {values_fit: warning}}}\n"
    harness.loaded = playbooks.parse(lenient, path=harness.loaded.path)
    harness.capture(make_lead(1), make_lead(2, Email="a" * 8_000), make_lead(3, Email="a" * 8_000, Phone=""))
    harness.run()
    assert harness.rows("SELECT journey_id, reason FROM work_item WHERE blocking") == [(3, "no_contact")]
    assert harness.count_statuses() == {"owned": 2, "held": 1}
    assert harness.one("SELECT email FROM lead WHERE id = 2") is None


def test_a_correction_that_is_too_long_is_refused_and_one_of_odd_characters_is_kept_as_text(harness: Harness) -> None:
    harness.begin(make_lead(1, Email="nonsense"))
    item = harness.one("SELECT id FROM work_item WHERE blocking")
    rules = harness.loaded.playbook
    with pytest.raises(ActionError, match=r"email: 8,000 characters, at most 320"):
        reruns.rerun(
            harness.ledger, [item], by=make_actor("mia"), now=NOW, playbook=rules, corrections={"email": "a" * 8_000}
        )
    assert harness.count_statuses() == {"held": 1}
    odd = {"company": "a\x00b\udcff", "email": "one@company1.example"}
    reruns.rerun(harness.ledger, [item], by=make_actor("mia"), now=NOW, playbook=rules, corrections=odd)
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_names_that_grow_when_they_are_compared_fit_an_identity(harness: Harness) -> None:
    harness.loaded = playbooks.parse(CRM, path=harness.loaded.path)
    long = {"Email": "", "First name": "ﷺ" * 199, "Last name": "ﷺ" * 200}  # eighteen letters each, compared
    harness.capture(make_lead(1), make_lead(2, **long), make_lead(3))
    harness.run()
    assert harness.count_statuses() == {"owned": 3}
    harness.capture(make_lead(2, **long, Message="again"))
    harness.run()
    assert harness.count_statuses() == {"owned": 3, "joined": 1}


def test_activities_of_any_length_and_character_are_kept_or_held(harness: Harness) -> None:
    odd: list[dict[str, Any]] = [
        {"type": "call", "email": "one@company.example", "date": "2026-03-01"},
        {"type": "call", "email": "a" * 8_000 + "@company.example", "date": "2026-03-01"},
        {"type": "call", "email": "two@company.example", "date": "2026-03-01", "owner": "x" * 70_000, "note": "\ud800"},
        {"type": "call", "email": "two@company.example", "date": "2026-03-02", "owner": "\ud800\x00", "\ud800": "\x00"},
        {"type": "x" * 70_000, "email": "two@company.example", "date": "2026-03-03"},
        {"type": "call", "email": "two@company.example", "date": "0000-13-45"},
    ]
    reader = activities.Reader("activities", "calls\udcff.csv", harness.loaded.playbook, NOW)
    sorted_ = reader.sort([Row(line, row) for line, row in enumerate(odd, start=2)])
    with harness.ledger.transaction() as connection:
        assert store_activities(connection, sorted_.activities, NOW) == 4
        assert signals.store_signals(connection, sorted_.held, NOW) == 2
    harness.run()
    assert harness.rows("SELECT reason, count(*) FROM work_item GROUP BY reason") == [("unreadable_row", 2)]
    assert harness.find_broken() == []
