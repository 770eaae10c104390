"""A signal that was taken for a lead's is parted from it on the lead's page, by those who decide about work items."""

from __future__ import annotations

from typing import Any

import pytest
from console_site import ConsoleSite
from forked import wait_for
from harness import Harness, make_lead

from leadgate.vocabulary import Role

FORM = "/leads/1/unjoin/2"


@pytest.fixture
def joined(harness: Harness) -> Harness:
    """Lead 1, for whom the signal of J2 was taken, and lead 3."""
    harness.begin(make_lead(1), make_lead(1, City="<b>Bonn</b>"), make_lead(3))
    assert harness.rows("SELECT id, lead_id FROM journey ORDER BY id") == [(1, 1), (2, 1), (3, 3)]
    return harness


def test_a_reviewer_is_told_what_becomes_of_it_and_parts_it_once(joined: Harness, console: ConsoleSite) -> None:
    rita = console.sign_in("rita", Role.REVIEWER)
    assert rita.get("/leads/1").tree.xpath("//a[@data-dialog]/@href") == [FORM]
    form = rita.get(FORM)
    assert form.tree.xpath("//*[@data-form]//form/@action") == [FORM]
    assert "City" in form.words or "city" in form.words
    assert not form.tree.xpath("//main//b")
    done = rita.post(FORM)
    assert "goes its own way again" in done.words
    assert not done.tree.xpath("//*[@id='did']//form | //aside//a[@data-dialog]")
    wait_for(lambda: joined.rows("SELECT lead_id, status FROM journey WHERE id = 2") == [(2, "owned")])
    assert joined.one("SELECT city FROM lead WHERE id = 1") is None
    assert rita.post(FORM).status == 409
    assert joined.rows("SELECT what, by FROM action") == [("unjoin", "rita")]
    assert joined.find_broken() == []


def test_who_decides_about_no_item_is_offered_nothing_and_refused(joined: Harness, console: ConsoleSite) -> None:
    owner = joined.one("SELECT owner FROM assignment WHERE journey_id = 1")
    people: dict[str, Any] = {
        owner: console.sign_in_rep(owner),
        "mia": console.sign_in("mia", Role.MANAGER, rep="mia"),
        "pia": console.sign_in("pia", Role.PRIVACY_OFFICER),
        "adam": console.sign_in("adam", Role.ADMIN),
    }
    for name, somebody in people.items():
        assert "Not the same person" not in somebody.get("/leads/1").words, name
        assert somebody.get(FORM).status == 403, name
        assert somebody.post(FORM).status == 403, name
    assert joined.one("SELECT count(*) FROM action") == 0


@pytest.mark.parametrize(
    "address", ["/leads/1/unjoin/1", "/leads/3/unjoin/2", "/leads/1/unjoin/x", "/leads/9/unjoin/2"]
)
def test_what_was_not_joined_there_is_not_parted(joined: Harness, console: ConsoleSite, address: str) -> None:
    rita = console.sign_in("rita", Role.REVIEWER)
    assert 400 <= rita.get(address).status < 500
    assert 400 <= rita.post(address).status < 500
    assert joined.one("SELECT count(*) FROM action") == 0
