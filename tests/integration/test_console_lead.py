"""The page of a lead: what it tells, to whom, and who has had its masked values shown."""

from __future__ import annotations

from typing import Any

import pytest
from console_site import ConsoleSite
from harness import NOW, make_lead

from leadgate.actors import Actor
from leadgate.ledger import ownership
from leadgate.vocabulary import Role
from tasks import reassignments

MIA = Actor("mia", None, frozenset({"ana", "bob", "cyn", "mia"}), roles=frozenset({Role.MANAGER}))
PERSONAL = ("lead1@company1.example", "Number1", "+49301000001")


@pytest.fixture
def owner(harness: Any) -> str:
    """Who owns lead 1; a second one is held, because its number cannot be one."""
    harness.begin(make_lead(1, Title="Chief of Staff"), make_lead(2, Phone="12", Title="<script>alert(1)</script>"))
    return str(harness.one("SELECT owner FROM assignment WHERE journey_id = 1"))


def test_the_owner_sees_what_happened_the_four_answers_and_what_can_be_done(owner: str, console: ConsoleSite) -> None:
    page = console.sign_in_rep(owner).get("/leads/1")
    assert page.status == 200
    assert page.texts("//h1") == ["Alex Number1"]
    assert [each for each in page.texts("//h2") if each.endswith("?")] == [
        "What triggered it?",
        "Who owns it, and why them?",
        "What evidence proves it worked?",
        "What happens when the normal path fails?",
    ]
    told = " ".join(page.texts("//ol[@id='timeline']/li"))
    for stage in ("Capture", "Validation", "Enrichment", "Qualification", "Assignment"):
        assert f"{stage}: continued" in told
    assert "Score 55" in told
    assert "has company" in told
    assert page.texts("//ol[@id='timeline']/li")[-1].startswith("Signal of website")
    assert all(value in page.words for value in PERSONAL)
    assert {"/leads/1/accept", "/leads/1/reject", "/leads/1/touch", "/leads/1/reassign"} <= set(
        page.tree.xpath("//a[@data-dialog]/@href")
    )
    assert page.tree.xpath("//input[@readonly]/@value") == ["http://console.example/leads/1"]


def test_who_may_not_read_values_sees_them_nowhere(owner: str, console: ConsoleSite, harness: Any) -> None:
    other = next(name for name in ("ana", "bob", "cyn") if name != owner)
    page = console.sign_in_rep(other).get("/leads/1")
    assert page.status == 200
    assert "Company 1" in page.words  # that is no personal value
    assert not [value for value in PERSONAL if value in page.text]
    assert not page.tree.xpath("//a[@data-dialog]")
    refused = console.sign_in_rep(other).post("/leads/1/unmask")
    assert refused.status == 403
    assert harness.one("SELECT count(*) FROM unmasking") == 0
    admin = console.sign_in("adam", Role.ADMIN)
    assert admin.get("/leads/1").status == 403
    assert console.visit().send("GET", "/leads/1").status == 303


def test_an_unmasking_is_on_record_once_and_holds_for_the_visit(owner: str, console: ConsoleSite, harness: Any) -> None:
    max_ = console.sign_in("max", Role.MANAGER, rep="max")  # manages nobody of the playbook
    assert "Number1" not in max_.get("/leads/1").text
    shown = max_.post("/leads/1/unmask")
    assert all(value in shown.text for value in PERSONAL)
    assert "Max" in " ".join(shown.texts("//ol[@id='timeline']/li[contains(., 'masked values')]"))
    max_.post("/leads/1/unmask")
    assert harness.rows('SELECT journey_id, "by" FROM unmasking') == [(1, "max")]
    assert "Number1" not in console.sign_in("moe", Role.MANAGER, rep="moe").get("/leads/1").text


@pytest.mark.parametrize("reference", ["J1", "W1", "j1"])
def test_other_ids_of_a_lead_lead_to_its_one_address(owner: str, console: ConsoleSite, reference: str) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    answer = olga.send("GET", f"/leads/{reference}")
    assert answer.status == 303
    assert answer.headers["location"] == ("/leads/2" if reference == "W1" else "/leads/1")


NO_LEAD = ("99", "0", "J99", "W99", "A1", "batch%201", "x", "-1", "1" * 30, "%00", "1;drop", "../1", "%E2%80%AE1")


def test_what_is_no_lead_is_not_found(owner: str, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    for reference in NO_LEAD:
        for answer in (olga.send("GET", f"/leads/{reference}"), olga.post(f"/leads/{reference}/unmask")):
            assert answer.status in (404, 422), reference


def test_a_held_lead_says_what_is_wrong_first_and_where_to_decide(owner: str, console: ConsoleSite) -> None:
    page = console.sign_in("rita", Role.REVIEWER).get("/leads/2")
    (notice,) = page.texts("//div[contains(@class, 'notice')]")
    assert "12" in notice
    assert page.tree.xpath("//a[@href='/queue/1'][@data-key='d']")


@pytest.fixture
def hostile(harness: Any) -> None:
    nasty = "<img src=x onerror=alert(1)>\u202e{{7*7}}" + "x" * 8000
    harness.begin(make_lead(1, Title="Chief", **{"Last name": '"><script>alert(1)</script>', "Notes": nasty}))


def test_hostile_values_are_shown_and_do_nothing(hostile: None, console: ConsoleSite) -> None:
    page = console.sign_in("olga", Role.OPERATOR).get("/leads/1")
    assert page.status == 200
    assert not page.tree.xpath("//main//script | //main//img | //*[@onerror]")
    assert "\u202e" not in page.text
    assert "<script>alert(1)</script>" in page.words
    assert "{{7*7}}" in page.words


def test_a_lead_that_changed_hands_is_seen_by_the_new_owner(owner: str, console: ConsoleSite, harness: Any) -> None:
    other = next(name for name in ("ana", "bob", "cyn") if name != owner)
    mia = console.sign_in("mia", Role.MANAGER, rep="mia")
    reassignments.reassign(
        harness.ledger, harness.loaded, 1, rep=other, reason="on <b>leave</b>",
        by=MIA, now=NOW,
    )  # fmt: skip
    assert "Number1" in console.sign_in_rep(other).get("/leads/1").text
    page = console.sign_in_rep(owner).get("/leads/1")
    assert "Number1" not in page.text
    told = mia.get("/leads/1")
    assert "on <b>leave</b>" in told.words
    assert told.tree.xpath("//form[starts-with(@action, '/actions/')]")


def test_the_action_that_was_just_taken_is_named_with_its_undo(owner: str, console: ConsoleSite, harness: Any) -> None:
    number = ownership.accept(harness.ledger, 1, by=MIA, now=NOW)
    mia = console.sign_in("mia", Role.MANAGER, rep="mia")
    page = mia.get("/leads/1", did=f"A{number}")
    assert page.tree.xpath(f"//*[@role='status']//form[@action='/actions/{number}/undo']")
    undone = mia.post(f"/actions/{number}/undo", back="/leads/1")
    assert "Undid" in " ".join(undone.texts("//ol[@id='timeline']/li"))
    for did in ("A999", "x", "1", "A" + "9" * 30, "\x00"):
        assert not mia.get("/leads/1", did=did).tree.xpath("//*[@role='status']")


def test_each_button_leads_to_a_form_that_its_visitor_may_send(owner: str, console: ConsoleSite) -> None:
    other = next(name for name in ("ana", "bob", "cyn") if name != owner)
    for visitor, count in (
        (console.sign_in_rep(owner), 6),
        (console.sign_in("mia", Role.MANAGER, rep="mia"), 6),
        (console.sign_in("olga", Role.OPERATOR), 6),
        (console.sign_in("rita", Role.REVIEWER), 0),
        (console.sign_in_rep(other), 0),
    ):
        links = visitor.get("/leads/1").tree.xpath("//a[@data-dialog]/@href")
        assert len(links) == count
        for link in links:
            assert visitor.get(link).tree.xpath("//*[@data-form]"), link


def test_a_note_is_told_and_masked_like_the_lead(owner: str, console: ConsoleSite) -> None:
    rep = console.sign_in_rep(owner)
    rep.post("/leads/1/note", words="call Alex <b>Number1</b> at home")
    assert "Wrote a note" in " ".join(rep.get("/leads/1").texts("//ol[@id='timeline']/li"))
    assert "call Alex <b>Number1</b> at home" in rep.get("/leads/1").words
    other = next(name for name in ("ana", "bob", "cyn") if name != owner)
    assert "Number1" not in console.sign_in_rep(other).get("/leads/1").text
