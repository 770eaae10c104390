"""My leads, the list of leads, and what people do to a lead there: who may, what is shown, and what is done once."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from console_site import ConsoleSite, Page
from forked import wait_for
from harness import NOW, Harness, make_lead
from sqlalchemy import text
from stub_gates import pass_all

from leadgate.vocabulary import Role
from tasks.batches import run_waiting

HOUR = timedelta(hours=1)
PUPIL = {"Email": "pupil@school.example", "Title": "Student"}
HOSTILE = "<script>alert(1)</script>\u202e<b>x</b>" + "y" * 8_000


@pytest.fixture
def console_as_of() -> Any:
    return NOW + HOUR


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Leads 1 to 4, of ana (1), bob (2, 4) and cyn (3), in some order; lead 5 is nobody's."""
    harness.begin(*(make_lead(number) for number in range(1, 5)), PUPIL, check=pass_all)
    assert harness.count_statuses()["owned"] == 4
    return harness


@pytest.fixture
def many(harness: Harness) -> Harness:
    """120 leads."""
    harness.begin(*(make_lead(number) for number in range(1, 121)), check=pass_all)
    return harness


@pytest.fixture
def hostile(harness: Harness) -> Harness:
    """One lead that says all that should not be said."""

    def take() -> None:
        harness.capture(make_lead(1))
        run_waiting(harness.worker(), lambda: NOW, check=pass_all)
        with harness.ledger.transaction() as connection:
            connection.execute(
                text("UPDATE lead SET first_name = :v, last_name = NULL, company = :v, phone = :p, email = :e"),
                {"v": HOSTILE, "p": "+49 30 1;ext=javascript:alert(1)", "e": "a@b.example?cc=x@y.example"},
            )

    harness.begin_with("a hostile lead", take)
    return harness


def find_owned(harness: Harness, rep: str) -> list[int]:
    rows = harness.rows(
        "SELECT j.lead_id FROM assignment a JOIN journey j ON j.id = a.journey_id "
        "WHERE a.owner = :rep AND a.ended_at IS NULL ORDER BY a.id",
        rep=rep,
    )
    return [row[0] for row in rows]


def list_shown(page: Page) -> list[int]:
    return [int(row.removeprefix("lead-")) for row in page.tree.xpath("//tr[@data-row]/@id")]


def count_actions(harness: Harness) -> int:
    return int(harness.one("SELECT count(*) FROM action"))


def test_a_rep_sees_their_leads_with_names_and_others_see_theirs(owned: Harness, console: ConsoleSite) -> None:
    for rep in ("ana", "bob", "cyn"):
        page = console.sign_in_rep(rep).get("/leads/mine")
        assert list_shown(page) == find_owned(owned, rep)
        for lead in find_owned(owned, rep):
            assert f"Alex Number{lead}" in page.words
    manager = console.sign_in("mia", Role.MANAGER, rep="mia").get("/leads/mine")
    assert len(list_shown(manager)) == 4


def test_all_leads_are_listed_and_values_of_others_are_masked(owned: Harness, console: ConsoleSite) -> None:
    page = console.sign_in_rep("ana").get("/leads")
    assert len(list_shown(page)) == 4
    for lead in range(1, 5):
        mine = lead in find_owned(owned, "ana")
        assert (f"lead{lead}@company{lead}.example" in page.text) is mine
        assert (f"Number{lead}" in page.text) is mine
    assert "Number1" in console.sign_in("olga", Role.OPERATOR).get("/leads").text
    assert console.sign_in("adam", Role.ADMIN).get("/leads").status == 403


def test_a_search_tells_nothing_of_what_is_masked(owned: Harness, console: ConsoleSite) -> None:
    (mine,) = find_owned(owned, "ana")
    ana = console.sign_in_rep("ana")
    assert list_shown(ana.get("/leads", search="alex")) == [mine]
    assert list_shown(ana.get("/leads", search="alex", rep="bob")) == []
    everything = console.sign_in("rhea", Role.REVIEWER).get("/leads", search="pupil")
    assert list_shown(everything) == [5]


def test_pages_of_the_list_hold_every_lead_once(many: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    page, seen = olga.get("/leads"), []
    while True:
        seen += list_shown(page)
        links = page.tree.xpath("//*[@id='paging']//a[contains(text(), 'Next')]/@href")
        if not links:
            break
        page = olga.get(links[0])
    assert len(seen) == len(set(seen)) == 120
    assert olga.get("/leads").texts("//*[@id='filters']//a[1]/span") == ["120"]


def test_an_address_that_cannot_be_meant_is_refused(console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    for query in (
        {"due": "soon"},
        {"after": "9_x_1"},
        {"after": "0_2026-03-04T10:00_1"},
        {"after": "0_9999999_1"},
        {"after": "0_0000-99-01T00:00:00+00:00_1"},
        {"search": "x" * 201},
        {"rep": "x" * 201},
    ):
        assert 400 <= olga.get("/leads", **query).status < 500, query


def test_odd_words_find_nothing_and_break_nothing(console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    for query in ({"search": "\x00%_\\"}, {"rep": "\x00"}, {"rep": "nobody"}, {"search": "'; DROP"}):
        assert olga.get("/leads", **query).status == 200, query


ACTIONS: dict[str, dict[str, Any]] = {
    "accept": {},
    "reject": {"reason": "not_a_fit"},
    "wait": {"until": "2026-03-09"},
    "touch": {"kind": "call"},
    "reassign": {"to": "rep:cyn", "reason": "knows them", "generation": 0, "anyway": "true"},
    "note": {"words": "asks for a call on Monday"},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_owner_does_it_and_is_told_on_the_page_where_they_were(
    owned: Harness, console: ConsoleSite, action: str
) -> None:
    (lead,) = find_owned(owned, "ana")
    ana = console.sign_in_rep("ana")
    form = ana.get(f"/leads/{lead}/{action}", back="/leads/mine?due=due")
    assert form.status == 200
    assert form.tree.xpath("//form[@data-swap]/input[@name='back']/@value") == ["/leads/mine?due=due"]
    done = ana.post(f"/leads/{lead}/{action}", back="/leads/mine?due=due", **ACTIONS[action])
    assert done.status == 200
    assert done.address.startswith("/leads/mine?due=due&did=A")
    (told,) = done.texts("//*[@id='did']//p")
    assert f"Number{lead}" in told
    assert owned.rows("SELECT what, by, acted_for FROM action") == [(action, "ana", None)]
    assert done.tree.xpath("//*[@id='did']//form")
    assert owned.find_broken() == []


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_sent_twice_is_done_once(owned: Harness, console: ConsoleSite, action: str) -> None:
    (lead,) = find_owned(owned, "ana")
    # a manager still decides about a lead that has another owner of their team
    mia = console.sign_in("mia", Role.MANAGER, Role.REP, rep="ana") if action != "reassign" else None
    who = mia or console.sign_in("mia", Role.MANAGER, rep="mia")
    at = (NOW + HOUR).isoformat()
    for _ in range(2):
        assert who.post(f"/leads/{lead}/{action}", at=at, **ACTIONS[action]).status < 500
    assert count_actions(owned) == 1


def test_nobody_else_does_anything_to_a_lead(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    for login, roles, rep in (
        ("bob", (Role.REP,), "bob"),
        ("rhea", (Role.REVIEWER,), None),
        ("pia", (Role.PRIVACY_OFFICER,), None),
        ("adam", (Role.ADMIN,), None),
        ("mo", (Role.MANAGER,), "mo"),  # of nobody
    ):
        somebody = console.sign_in(login, *roles, rep=rep)
        for action, fields in ACTIONS.items():
            for more in ({}, {"acts_for": "ana"}):
                assert somebody.post(f"/leads/{lead}/{action}", **fields, **more).status == 403, (login, action)
            assert somebody.get(f"/leads/{lead}/{action}").status == 403, (login, action)
    assert count_actions(owned) == 0
    assert console.visit().send("POST", f"/leads/{lead}/accept").status == 401


def test_an_operator_acts_for_the_owner_and_both_names_are_stored(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    olga = console.sign_in("olga", Role.OPERATOR)
    form = olga.get(f"/leads/{lead}/touch")
    assert form.tree.xpath("//form/input[@name='acts_for']/@value") == ["ana"]
    assert olga.post(f"/leads/{lead}/accept").status == 403
    assert olga.post(f"/leads/{lead}/accept", acts_for="zoe").status == 403
    olga.post(f"/leads/{lead}/accept", acts_for="ana")
    olga.post(f"/leads/{lead}/touch", acts_for="ana", kind="call")
    assert owned.rows("SELECT what, by, acted_for FROM action ORDER BY id") == [
        ("accept", "olga", "ana"),
        ("touch", "olga", "ana"),
    ]
    assert owned.one("SELECT rep FROM activity") == "ana"


def test_a_touch_ends_the_journey_soon_after_the_answer(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    ana = console.sign_in_rep("ana")
    ana.post(f"/leads/{lead}/touch", kind="call", when="2026-03-04T10:30", minutes="5")
    wait_for(lambda: owned.one("SELECT status FROM journey WHERE lead_id = :lead", lead=lead) == "done")
    assert owned.one("SELECT seconds FROM activity") == 300
    assert list_shown(ana.get("/leads/mine")) == []


def test_a_form_that_cannot_be_meant_changes_nothing(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    ana = console.sign_in_rep("ana")
    forms: list[tuple[str, dict[str, Any]]] = [
        ("reject", {"reason": "because"}),
        ("reject", {}),
        ("wait", {"reason": "x", "until": "soon"}),
        ("wait", {"reason": "x", "until": "2026-03-01"}),
        ("touch", {"kind": "dance"}),
        ("touch", {"kind": "call", "when": "2027-01-01T10:00"}),
        ("touch", {"kind": "call", "when": "later"}),
        ("touch", {"kind": "call", "minutes": "-1"}),
        ("touch", {"kind": "call", "minutes": "1e9"}),
        ("reassign", {"to": "rep:nobody", "reason": "x", "generation": 0}),
        ("reassign", {"to": "everybody", "reason": "x", "generation": 0}),
        ("reassign", {"to": "rep:cyn", "reason": " ", "generation": 0}),
        ("reassign", {"to": "rep:cyn", "reason": "x", "generation": "x"}),
        ("note", {"words": " \n "}),
        ("note", {"words": "x" * 2_001}),
        ("note", {"words": "x" * 21_000}),
        ("resume", {}),
        ("dance", {}),
    ]
    for action, fields in forms:
        assert 400 <= ana.post(f"/leads/{lead}/{action}", **fields).status < 500, (action, fields)
    assert count_actions(owned) == 0


def test_a_lead_that_there_is_not_is_no_error_of_ours(console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    for lead in ("0", "999999999999999999", "9" * 30, "x", "J1", "%00"):
        assert 400 <= olga.get(f"/leads/{lead}/accept").status < 500, lead
        assert 400 <= olga.post(f"/leads/{lead}/note", words="x").status < 500, lead
        assert 400 <= olga.post(f"/actions/{lead}/undo").status < 500, lead


def test_an_action_is_undone_once_and_only_by_who_may(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    ana, bob = console.sign_in_rep("ana"), console.sign_in_rep("bob")
    page = ana.post(f"/leads/{lead}/reject", reason="not_a_fit", back="/leads/mine")
    (undo,) = page.tree.xpath("//*[@id='did']//form/@action")
    assert bob.post(undo).status >= 400
    back = ana.post(undo, back="/leads/mine")
    assert list_shown(back) == [lead]
    assert "Undone: reject" in back.words
    assert ana.post(undo).status == 409
    assert bob.get("/leads/mine", did=undo.split("/")[2]).texts("//*[@id='did']//p") == []


def test_a_page_leads_back_to_pages_of_ours_only(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    ana = console.sign_in_rep("ana")
    form = ana.get(f"/leads/{lead}/note", back="//evil.example/x")
    assert "evil" not in form.text
    answer = ana.post(f"/leads/{lead}/note", words="x", back="https://evil.example/")
    assert answer.address.startswith("/")
    assert "evil" not in answer.address


def test_hostile_values_are_shown_as_text_and_linked_to_nothing(hostile: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    page = olga.get("/leads")
    assert not page.tree.xpath("//td//script | //th//script | //th//b")
    assert "\u202e" not in page.text
    assert len(page.text) < 20_000
    assert not page.tree.xpath("//a[starts-with(@href, 'tel:') or starts-with(@href, 'mailto:')]")
    olga.post("/leads/1/note", words=HOSTILE[:1_900])
    form = olga.get("/leads/1/touch", back="/leads")
    assert not form.tree.xpath("//main//script | //main//b")


def test_a_plain_number_and_address_are_links(owned: Harness, console: ConsoleSite) -> None:
    (lead,) = find_owned(owned, "ana")
    page = console.sign_in_rep("ana").get("/leads/mine")
    assert page.tree.xpath("//a[starts-with(@href, 'tel:')]/@href") == [f"tel:+4930{1000000 + lead}"]
    assert page.tree.xpath("//a[starts-with(@href, 'mailto:')]/@href") == [f"mailto:lead{lead}@company{lead}.example"]


def test_a_note_is_kept_by_the_command_too_and_the_story_and_the_page_tell_it(
    owned: Harness, cli: Cli, console: ConsoleSite
) -> None:
    (lead,) = find_owned(owned, "ana")
    console.sign_in_rep("ana").post(f"/leads/{lead}/note", words="back on Monday\r\nask for Jo")
    said = cli("note", lead, "--words", "has budget", "--now", NOW + HOUR)
    assert "Undo: leadgate undo A" in join_lines(said)
    again = read_json(cli("note", lead, "--words", "has budget", "--json", "--now", NOW + HOUR))
    assert again["new"] is False
    assert owned.rows("SELECT note FROM action ORDER BY id") == [("back on Monday\nask for Jo",), ("has budget",)]
    told = join_lines(cli("explain", lead))
    assert "has budget" in told
    assert "ask for Jo" in console.sign_in_rep("ana").get(f"/leads/{lead}").words
    assert cli("note", lead, "--words", " ", code=2).stderr
    assert owned.find_broken() == []


def read_csv(page: Page) -> list[dict[str, str]]:
    assert page.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(page.text.removeprefix("\ufeff"))))


def test_a_list_is_a_file_that_has_what_its_page_has(owned: Harness, console: ConsoleSite) -> None:
    ana = console.sign_in_rep("ana")
    (mine,) = find_owned(owned, "ana")
    (link,) = ana.get("/leads/mine").tree.xpath("//a[starts-with(@href, '/leads.csv')]/@href")
    assert [row["lead_id"] for row in read_csv(ana.get(link))] == [str(mine)]
    rows = read_csv(ana.get("/leads.csv"))
    assert {row["lead_id"] for row in rows} == {"1", "2", "3", "4"}
    for row in rows:
        assert ("Number" in row["name"]) is (row["lead_id"] == str(mine))
        assert (f"lead{row['lead_id']}@" in row["email"]) is (row["lead_id"] == str(mine))
    assert read_csv(ana.get("/leads.csv", search="alex", rep="bob")) == []
    assert console.sign_in("adam", Role.ADMIN).get("/leads.csv").status == 403
    assert console.sign_in("rhea", Role.REVIEWER).get("/leads.csv", mine="true").status == 403
    assert ana.get("/leads.csv", due="soon").status == 400


def test_no_cell_of_the_file_is_a_formula(hostile: Harness, console: ConsoleSite) -> None:
    with hostile.ledger.transaction() as connection:
        connection.execute(text("UPDATE lead SET company = '=HYPERLINK(1)'"))
    (row,) = read_csv(console.sign_in("olga", Role.OPERATOR).get("/leads.csv"))
    assert row["company"] == "'=HYPERLINK(1)"
    assert row["phone"].startswith("'+49")
