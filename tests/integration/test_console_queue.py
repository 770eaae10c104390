"""The queue: which work items a person sees, and what becomes of those that they decide about, one by one or several."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from console_site import Browser, ConsoleSite
from forked import wait_for
from harness import NOW, PLAYBOOK, make_lead
from sqlalchemy import text

from console.web.pages import queue
from leadgate import playbook as playbooks
from leadgate.actors import Actor
from leadgate.ledger import reviews
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role

MATCHING = """matching:
  certain: [phone_and_name]
  likely: [phone, name]
scoring:
"""
HOSTILE = "<script>alert(1)</script>\u202e@x"


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(PLAYBOOK.replace("scoring:\n", MATCHING, 1), path=Path("queue.yaml"))


@pytest.fixture
def waiting(harness: Any) -> dict[str, int]:
    """Six leads that wait, by what is wrong: their work items."""
    harness.begin(
        make_lead(1, Email="jane@gmial.com"),  # proposes gmail.com
        make_lead(2, Email=HOSTILE),
        make_lead(3, Phone="12"),
        make_lead(4, Company=""),  # in the review band: nothing but a chief's title
        make_lead(5),
        make_lead(6, Email="tom@yaho.com"),
    )
    rows = harness.rows("SELECT journey_id, id FROM work_item WHERE closed_at IS NULL")
    return {f"lead {journey}": item for journey, item in rows}


@pytest.fixture
def rita(waiting: dict[str, int], console: ConsoleSite) -> Browser:
    return console.sign_in("rita", Role.REVIEWER)


def read_items(harness: Any) -> dict[int, str | None]:
    return dict(harness.rows("SELECT id, resolution FROM work_item"))


def test_the_list_says_what_is_wrong_first_with_the_value_and_the_proposal(
    waiting: dict[str, int], rita: Browser
) -> None:
    page = rita.get("/queue")
    assert page.status == 200
    first = page.texts(f"//tr[@id='item-{waiting['lead 1']}']/td[2]")[0]
    assert first.index("e-mail") < first.index("jane@gmial.com") < first.index("jane@gmail.com")
    assert len(page.tree.xpath("//tr[@data-row]")) == len(waiting)
    assert f"{len(waiting)} open" in page.words


def test_each_filter_is_a_chip_with_its_count_that_a_click_takes_away(
    waiting: dict[str, int], rita: Browser, harness: Any
) -> None:
    harness.capture(make_lead(7, Phone="12"), source="partner")
    harness.run()
    page = rita.get("/queue", source="partner", reason="phone_impossible", due="overdue", mine=1)
    chips = dict(zip(page.texts("//*[@id='chips']/a"), page.tree.xpath("//*[@id='chips']/a/@href"), strict=True))
    assert [each.split(" ×")[0] for each in chips] == [
        "phone impossible 2", "from partner 1", "overdue 0", "mine 0", "All",
    ]  # fmt: skip
    without = rita.get(page.tree.xpath("//*[@id='chips']/a[contains(., 'overdue')]/@href")[0])
    without = rita.get(without.tree.xpath("//*[@id='chips']/a[contains(., 'mine')]/@href")[0])
    (row,) = without.tree.xpath("//tr[@data-row]/@id")
    item = harness.one("SELECT max(id) FROM work_item")
    assert row == f"item-{item}"
    assert rita.get("/queue", source="website").tree.xpath("//tr[@data-row]/@id") != [row]
    everything = rita.get("/queue/bulk", source="partner", everything=1, do="discard")
    assert f"W{item}" in everything.words
    assert f"W{waiting['lead 3']}" not in everything.words
    assert rita.get("/queue", source="<b>nobody</b>").tree.xpath("//main//b") == []


def test_filters_and_pages_show_each_item_once(
    waiting: dict[str, int], rita: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ON_PAGE", 2)
    page, seen = rita.get("/queue"), []
    while True:
        seen += page.tree.xpath("//tr[@data-row]/@id")
        more = page.tree.xpath("//a[@rel='next']/@href")
        if not more:
            break
        page = rita.get(more[0])
    assert sorted(seen) == sorted(f"item-{item}" for item in waiting.values())
    only = rita.get("/queue", reason="phone_impossible")
    assert only.tree.xpath("//tr[@data-row]/@id") == [f"item-{waiting['lead 3']}"]
    assert rita.get("/queue", due="overdue").tree.xpath("//tr[@data-row]") == []
    assert rita.get("/queue", mine="1").tree.xpath("//tr[@data-row]") == []
    rita.post(f"/queue/{waiting['lead 3']}/take")
    assert rita.get("/queue", mine="1").tree.xpath("//tr[@data-row]/@id") == [f"item-{waiting['lead 3']}"]


def test_an_item_is_corrected_on_a_form_that_begins_with_its_proposal(
    waiting: dict[str, int], rita: Browser, harness: Any
) -> None:
    item = waiting["lead 1"]
    form = rita.get(f"/queue/{item}/correct")
    assert form.tree.xpath("//*[@data-form]")
    assert form.tree.xpath("//option[@selected]/@value") == ["email"]
    assert form.tree.xpath("//input[@name='value']/@value")[0] == "jane@gmail.com"
    back = "/queue?reason=email_malformed"
    done = rita.post(f"/queue/{item}/correct", field=["email", ""], value=["jane@gmail.com", ""], back=back)
    assert done.address.startswith(back)
    assert "corrected" in done.texts("//*[@role='status']")[0]
    assert harness.rows("SELECT field, value, by FROM correction") == [("email", "jane@gmail.com", "rita")]
    again = rita.post(f"/queue/{item}/correct", field="email", value="jane@gmail.com", back=back)
    assert again.status == 409
    assert "Rita" in again.texts("//*[@id='problem']")[0]
    assert harness.one("SELECT count(*) FROM correction") == 1
    wait_for(lambda: "has an owner" in rita.get("/queue", did=f"W{item}").texts("//*[@role='status']")[0])


def test_a_correction_that_would_be_held_again_changes_nothing(
    waiting: dict[str, int], rita: Browser, harness: Any
) -> None:
    item = waiting["lead 1"]
    for fields in (
        {"field": "email", "value": "x"},
        {"field": "nonsense", "value": "x"},
        {},
        {"field": "", "value": "x"},
    ):
        refused = rita.post(f"/queue/{item}/correct", **fields)
        assert refused.status in (409, 422), fields
        assert refused.texts("//*[@id='problem']")
    assert read_items(harness)[item] is None


def test_one_that_is_discarded_can_be_undone_from_what_the_page_says(
    waiting: dict[str, int], rita: Browser, harness: Any
) -> None:
    item = waiting["lead 3"]
    assert rita.post(f"/queue/{item}/discard", words="  ").status == 409  # a reason is needed
    done = rita.post(f"/queue/{item}/discard", words="not <b>real</b>")
    number = harness.one("SELECT number FROM action WHERE work_item_id = :id", id=item)
    assert done.tree.xpath(f"//form[@action='/actions/{number}/undo']")
    assert "ended" in done.texts("//*[@role='status']")[0]
    assert "not <b>real</b>" in rita.get("/leads/3").words


def test_several_are_previewed_and_one_failure_leaves_the_others_done(
    waiting: dict[str, int], rita: Browser, harness: Any
) -> None:
    ids = [waiting[f"lead {n}"] for n in (1, 2, 3, 6)]
    page = rita.get("/queue/bulk", do="proposed", item=[*ids, 999])
    taken = [int(each) for each in page.tree.xpath("//input[@name='item']/@value")]
    assert taken == [waiting["lead 1"], waiting["lead 6"]]
    assert "email becomes jane@gmail.com" in page.words
    assert "it proposes nothing" in page.words
    assert set(read_items(harness).values()) == {None}  # a preview changes nothing
    # meanwhile another reviewer discards one of them
    reviewer = rita.post(f"/queue/{taken[0]}/discard", words="by somebody else")
    assert reviewer.status == 200
    done = rita.post("/queue/bulk", do="proposed", item=[*taken, waiting["lead 2"]], back="/queue?reason=x")
    items = read_items(harness)
    assert (items[taken[0]], items[taken[1]], items[waiting["lead 2"]]) == ("discarded", "corrected", None)
    assert f"W{waiting['lead 2']}" in done.words
    assert "it proposes nothing" in done.words
    assert done.tree.xpath("//a[@href='/queue?reason=x']")
    before = harness.one("SELECT count(*) FROM action")
    rita.post("/queue/bulk", do="proposed", item=taken)
    assert harness.one("SELECT count(*) FROM action") == before


def test_all_that_match_can_be_decided_at_once(waiting: dict[str, int], rita: Browser, harness: Any) -> None:
    page = rita.get("/queue/bulk", do="discard", everything="1", reason="email_malformed")
    assert len(page.tree.xpath("//input[@name='item']")) == 3
    assert rita.post("/queue/bulk", do="discard", item=list(waiting.values())).status == 409  # without a reason
    assert set(read_items(harness).values()) == {None}


def test_two_at_once_about_one_item_have_one_winner(
    waiting: dict[str, int], console: ConsoleSite, harness: Any
) -> None:
    item, statuses = waiting["lead 3"], []
    people = [console.sign_in(name, Role.REVIEWER) for name in ("rita", "rob", "ria", "ron")]

    def decide(person: Browser) -> None:
        statuses.append(person.send("POST", f"/queue/{item}/discard", "words=no", FORM_HEADERS).status)

    threads = [threading.Thread(target=decide, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 409, 409, 409]
    assert harness.one("SELECT count(*) FROM action WHERE what = 'discarded'") == 1


FORM_HEADERS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


def test_a_rep_sees_and_decides_what_is_theirs_only(
    waiting: dict[str, int], console: ConsoleSite, harness: Any
) -> None:
    ana = console.sign_in_rep("ana")
    assert ana.get("/queue").tree.xpath("//tr[@data-row]") == []
    foreign = waiting["lead 1"]
    assert ana.get(f"/queue/{foreign}").status == 403
    assert "jane" not in ana.get(f"/queue/{foreign}").text
    assert ana.post(f"/queue/{foreign}/discard", words="x").status == 403
    assert ana.post(f"/queue/{foreign}/take").status == 403
    ana.post("/queue/bulk", do="discard", item=[foreign], words="x")
    assert "jane" not in ana.get("/queue/bulk", do="discard", item=[foreign]).text
    assert "jane" not in ana.get("/queue/bulk/done", do="discard", item=[foreign]).text
    assert read_items(harness)[foreign] is None
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE work_item SET route = 'ana' WHERE id = :id"), {"id": foreign})
    assert ana.get("/queue").tree.xpath("//tr[@data-row]/@id") == [f"item-{foreign}"]
    assert "jane@gmial.com" in ana.get(f"/queue/{foreign}").text
    assert ana.post(f"/queue/{foreign}/discard", words="x").status == 200
    for role in (Role.ADMIN, Role.PRIVACY_OFFICER):
        other = console.sign_in(f"the-{role}", role)
        for path in ("/queue", f"/queue/{foreign}", "/queue/bulk?do=again", "/queue/bulk/done?do=again&item=1"):
            assert other.get(path).status == 403, (role, path)
    assert console.visit().send("GET", "/queue").status == 303


def test_what_is_taken_says_so_to_others(waiting: dict[str, int], rita: Browser, harness: Any) -> None:
    item = waiting["lead 3"]
    page = rita.post(f"/queue/{item}/take", back=f"/queue/{item}")
    assert "Rita" in page.words
    assert not page.tree.xpath(f"//a[starts-with(@href, '/queue/{item}/take')]")
    reviews.take(harness.ledger, item, by=Actor("rob", roles=frozenset({Role.REVIEWER})), now=NOW)
    assert "Rob" in rita.get("/queue").texts(f"//tr[@id='item-{item}']")[0]


def test_hostile_values_are_shown_and_do_nothing(waiting: dict[str, int], rita: Browser) -> None:
    item = waiting["lead 2"]
    paths = ("/queue", f"/queue/{item}", f"/queue/{item}/correct", f"/queue/bulk?do=discard&item={item}")
    for path in paths:
        page = rita.get(path)
        assert page.status == 200, path
        assert not page.tree.xpath("//main//script"), path
        assert "\u202e" not in page.text, path
    assert "<script>alert(1)</script>" in rita.get(f"/queue/{item}").words


NO_SUCH = (
    "/queue/999", "/queue/x", "/queue/J1", "/queue/-1", "/queue/" + "9" * 40, "/queue/1/nothing", "/queue?after=x",
"/queue?due=nonsense", "/queue?mine=perhaps", "/queue?reason=" + "x" * 9000,
    "/queue/bulk", "/queue/bulk?do=nothing", "/queue/bulk?do=take&item=1", "/queue/bulk?do=again&item=x",
    "/queue/bulk?do=again&item=" + "9" * 25, "/queue/bulk/done?do=again&item=-1", "/queue/1/same?lead=0",
    "/queue/1/same?lead=" + "9" * 30, "/queue/1/different",
)  # fmt: skip


def test_addresses_that_mean_nothing_are_refused_and_never_break(waiting: dict[str, int], rita: Browser) -> None:
    for path in NO_SUCH:
        assert 400 <= rita.get(path).status < 500, path
    for path in (
        "/queue?reason=%00",
        "/queue?route=%E2%80%AE<b>",
        "/queue?did=W999",
        "/queue?did=%00",
        "/queue?due=",
        "/queue?after=99999999999999999-1",
    ):
        assert rita.get(path).status == 200, path
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "/sign-out", "javascript:alert(1)"):
        links = rita.get(f"/queue/{waiting['lead 1']}", back=back).tree.xpath("//main//a/@href")
        assert not [link for link in links if "evil" in link or "sign-out" in link or "javascript" in link]


def test_two_records_are_compared_side_by_side_and_joined(console_duplicates: Any, console: ConsoleSite) -> None:
    harness = console_duplicates
    item = harness.one("SELECT id FROM work_item WHERE reason = 'likely_duplicate' AND closed_at IS NULL")
    rita = console.sign_in("rita", Role.REVIEWER)
    page = rita.get(f"/queue/{item}")
    assert "differs" in page.texts("//section[@id='comparison']//tr[contains(., 'email')]")[0]
    assert "the same" in page.texts("//section[@id='comparison']//tr[contains(., 'phone')]")[0]
    other = page.tree.xpath("//a[contains(@href, '/same?lead=')]/@href")[0]
    assert rita.get(other).tree.xpath("//input[@name='lead']/@value") == ["1"]
    assert rita.post(f"/queue/{item}/same", lead="2").status == 409
    done = rita.post(f"/queue/{item}/same", lead="1")
    assert "same person" in done.texts("//*[@role='status']")[0]
    wait_for(lambda: harness.one("SELECT count(*) FROM journey WHERE lead_id = 1") == 2)


@pytest.mark.parametrize(("decision", "same"), [("likeliest", True), ("different", False)])
def test_questions_who_somebody_is_are_answered_in_bulk(
    console_duplicates: Any, console: ConsoleSite, decision: str, same: bool
) -> None:
    harness = console_duplicates
    item = harness.one("SELECT id FROM work_item WHERE reason = 'likely_duplicate' AND closed_at IS NULL")
    rita = console.sign_in("rita", Role.REVIEWER)
    page = rita.get("/queue/bulk", do=decision, everything="1", reason="likely_duplicate")
    assert page.tree.xpath("//input[@name='item']/@value") == [str(item)]
    rita.post("/queue/bulk", do=decision, item=[item])
    assert harness.rows("SELECT low, high, same FROM lead_verdict") == [(1, 2, same)]


@pytest.fixture
def console_duplicates(harness: Any) -> Any:
    """Two leads with one phone number, of whom the second is held."""
    harness.begin(
        make_lead(1),
        make_lead(2, Phone="+49301000001"),
    )
    return harness
