"""What people do to a record on its page: the forms, who is offered them, what is done, and taking it back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from console_site import ConsoleSite
from harness import NOW, PLAYBOOK, Harness
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role
from tasks.batches import run_waiting

BOOK = PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n", 1) + "kinds: {opportunity: {}}\n"
DEAL = {
    "Id": "006A",
    "Opportunity Name": "Acme 100 seats",
    "Account Name": "Acme",
    "Owner": "ana",
    "Stage": "Prospecting",
}
HOUR = timedelta(hours=1)


@pytest.fixture
def console_as_of() -> Any:
    return NOW + HOUR


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("tests.yaml"))


@pytest.fixture
def desk(harness: Harness) -> Harness:
    """An opportunity of ana's: R1."""

    def work() -> None:
        harness.capture(DEAL, source="deals")
        run_waiting(harness.worker(), lambda: NOW, check=pass_all)

    harness.begin_with("an opportunity of ana's", work)
    return harness


ACTIONS: dict[str, dict[str, Any]] = {
    "accept": {},
    "reject": {"reason": "not_mine"},
    "wait": {"until": "2026-03-09"},
    "touch": {"kind": "call"},
    "reassign": {"to": "rep:cyn", "reason": "knows them", "generation": 0},
    "note": {"words": "asks for a call on Monday"},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_owner_acts_on_a_record_and_the_page_says_so(desk: Harness, console: ConsoleSite, action: str) -> None:
    ana = console.sign_in_rep("ana")
    offered = {link.rsplit("/", 1)[1] for link in ana.get("/records/1").tree.xpath("//a[@data-dialog]/@href")}
    assert offered == set(ACTIONS)
    form = ana.get(f"/records/1/{action}")
    assert form.status == 200
    assert "Acme 100 seats" in form.words
    assert form.tree.xpath("//form/@action[starts-with(., '/records/1/')]")
    done = ana.post(f"/records/1/{action}", **ACTIONS[action])
    assert done.status == 200
    assert desk.rows("SELECT what, by, journey_id FROM action") == [(action, "ana", 1)]
    seen = done if action != "reassign" else console.sign_in("mia", Role.MANAGER, rep="mia").get("/records/1")
    assert "ana" in " ".join(seen.texts("//ol[@class='timeline']")).lower()
    assert desk.find_broken() == []


def test_reasons_and_touches_of_a_form_are_those_of_the_kind(desk: Harness, console: ConsoleSite) -> None:
    ana = console.sign_in_rep("ana")
    reasons = ana.get("/records/1/reject").tree.xpath("//button[@name='reason']/@value")
    assert reasons == ["not_mine", "wrong_territory", "duplicate", "other"]


def test_what_was_done_is_taken_back_on_the_page(desk: Harness, console: ConsoleSite) -> None:
    ana = console.sign_in_rep("ana")
    ana.post("/records/1/accept")
    (undo,) = set(ana.get("/records/1").tree.xpath("//form[starts-with(@action, '/actions/')]/@action"))
    ana.post(undo, back="/records/1")
    assert desk.one("SELECT accepted_at FROM assignment") is None
    assert desk.find_broken() == []


def test_a_manager_gives_the_records_of_a_rep_who_leaves_to_others(desk: Harness, console: ConsoleSite) -> None:
    mia = console.sign_in("mia", Role.MANAGER, rep="mia")
    assert mia.get("/team/ana").tree.xpath("//button[@name='every']")
    preview = mia.get("/team/ana/reassign", to="turns", every="true")
    assert preview.tree.xpath("//a[@href='/records/1']")
    assert "Give 1 opportunity" in preview.words
    assert mia.post("/team/ana/reassign", to="turns", every="true", reason="leaves").status == 200
    assert desk.one("SELECT owner FROM assignment WHERE ended_at IS NULL") in ("bob", "cyn")
    assert desk.find_broken() == []


def test_who_may_not_decide_about_it_is_refused(desk: Harness, console: ConsoleSite) -> None:
    bob = console.sign_in_rep("bob")
    assert bob.post("/records/1/accept").status == 403
    assert "Acme" not in bob.get("/records/1/accept").text
    assert console.sign_in("mia", Role.MANAGER, rep="mia").post("/records/1/accept").status == 200
    assert console.sign_in_rep("ana").get("/records/7/accept").status == 404
    assert desk.one("SELECT count(*) FROM action") == 1
