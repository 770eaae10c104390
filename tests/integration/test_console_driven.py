"""Every action about leads in Chromium, by each role that may do it: with clicks and keys, with script and without, and
then what the ledger says.

Belongs here: leads, and what people say of themselves. Does not belong here: the queue (``test_console_driven_queue``), or
pages and refusals (``test_console_driven_roles``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import pytest
from console_people import Ground, Window, alternate, ground

__all__ = ["ground"]

BOTH: Final = pytest.mark.parametrize("scripted", [True, False], ids=["script", "no script"])


def find_form(window: Window) -> Any:
    """The form that was opened: in a dialog, or in a page of its own."""
    return window.page.locator("dialog[open]" if window.scripted else "main")


def accept(form: Any) -> None:
    form.get_by_role("button", name="Accept").click()


def reject(form: Any) -> None:
    form.get_by_role("button", name=re.compile("not a fit")).click()


def wait(form: Any) -> None:
    form.get_by_label("What for").fill("an answer")
    form.get_by_role("button", name="tomorrow").click()


def resume(form: Any) -> None:
    form.get_by_role("button", name="Go on").click()


def touch(form: Any) -> None:
    form.get_by_role("button", name=re.compile("call")).click()


def hand_over(form: Any) -> None:
    form.get_by_label("Who gets it").select_option("rep:bob")
    form.get_by_label("Why").fill("knows them")
    form.get_by_role("button", name="Hand over").click()


def write_note(form: Any) -> None:
    form.get_by_label("Note").fill("asks for a call on Monday")
    form.get_by_role("button", name="Keep the note").click()


#: The key, the beginning of the control's name, what is done with its form, and what the page says then.
ACTIONS: Final[dict[str, tuple[str, str, Callable[[Any], None], str]]] = {
    "accept": ("a", "Accept", accept, "Accepted"),
    "touch": ("t", "Log a touch", touch, "Logged a touch"),
    "wait": ("w", "Wait", wait, "Waiting for"),
    "resume": ("w", "Go on", resume, "No longer waiting"),
    "reassign": ("h", "Hand over", hand_over, "Handed over"),
    "note": ("n", "Note", write_note, "Wrote a note"),
    "reject": ("r", "Reject", reject, "Rejected"),
}
#: In a list these need no form: the press of a button, and its undo, are as quick.
AT_ONCE: Final = ("accept", "resume")
#: Where each role works on leads of ana, and for whom.
PLACES: Final = {
    "ana": "/leads/mine",
    "mia": "/leads/{lead}",
    "otto": "/leads?search=lead{number}%40company{number}.example",
}


def find_place(ground: Ground, login: str, lead: int) -> str:
    email = ground.harness.one("SELECT email FROM lead WHERE id = :lead", lead=lead)
    number = re.sub(r"\D.*", "", email.removeprefix("lead"))
    return PLACES[login].format(lead=lead, number=number)


def find_controls(window: Window, lead: int) -> Any:
    """Those of one lead: its row in a list, or its page."""
    row = window.page.locator(f"#lead-{lead}")
    return row if row.count() else window.page.get_by_role("group", name="What you can do")


def do(window: Window, lead: int, action: str) -> None:
    key, label, fill, words = ACTIONS[action]
    controls = find_controls(window, lead)
    in_list = "/leads/mine" in window.page.url or "search=" in window.page.url
    if window.scripted and in_list:
        window.page.locator(f"#lead-{lead}").focus()
    if window.scripted and window.login != "otto":  # who clicks; the others use keys
        window.page.keyboard.press(key)
    else:
        controls.get_by_role("link", name=re.compile(f"^{label}")).or_(
            controls.get_by_role("button", name=re.compile(f"^{label}"))
        ).first.click()
    if not (in_list and action in AT_ONCE):
        fill(find_form(window))
    window.page.locator("#did").get_by_text(words).wait_for()


@alternate([*PLACES], ACTIONS)
def test_a_lead_is_acted_on(ground: Ground, login: str, action: str, scripted: bool) -> None:
    lead = ground.find_lead()
    window = ground.window(login, scripted=scripted)
    # a lead that is waited for is at the end of a list, behind all that are due
    window.open(f"/leads/{lead}" if action == "resume" else find_place(ground, login, lead))
    before = ["wait"] if action == "resume" else []
    for each in [*before, action]:
        do(window, lead, each)
        window.check()
    acted_for = "ana" if login == "otto" and action != "note" else None
    assert ground.list_actions(lead) == [(each, login, acted_for) for each in [*before, action]]


@alternate([*PLACES], ["undo"])
def test_what_was_done_is_undone(ground: Ground, login: str, action: str, scripted: bool) -> None:
    lead = ground.find_lead()
    window = ground.window(login, scripted=scripted)
    window.open(find_place(ground, login, lead))
    do(window, lead, "accept")
    if scripted:
        window.page.keyboard.press("u")
    else:
        window.page.locator("#did").get_by_role("button", name="Undo").click()
    window.page.locator("#did").get_by_text("Undone: accept").wait_for()
    window.check()
    assert [(what, by) for what, by, _ in ground.list_actions(lead)] == [("accept", login), (action, login)]
    assert ground.harness.rows(
        "SELECT a.accepted_at FROM assignment a JOIN journey j ON j.id = a.journey_id "
        "WHERE j.lead_id = :lead AND a.ended_at IS NULL",
        lead=lead,
    ) == [(None,)]


@BOTH
def test_masked_values_are_shown_on_record(ground: Ground, scripted: bool) -> None:
    """To a manager of another team, who does not have them; those who have are not offered it."""
    lead = ground.find_lead("ana" if scripted else "bob")
    email = ground.harness.one("SELECT email FROM lead WHERE id = :lead", lead=lead)
    for login in ("mia", "rita", "otto", "petra"):
        page = ground.window(login, scripted=scripted).open(f"/leads/{lead}")
        assert page.get_by_text(email).count(), login
        assert not page.get_by_role("button", name="Show them").count(), login
    window = ground.window("max", scripted=scripted)
    page = window.open(f"/leads/{lead}")
    assert not page.get_by_text(email).count()
    page.get_by_role("button", name="Show them").click()
    page.get_by_text(email).first.wait_for()
    window.check()
    told = ground.harness.rows(
        "SELECT by FROM unmasking u JOIN journey j ON j.id = u.journey_id WHERE j.lead_id = :lead", lead=lead
    )
    assert told == [("max",)]


@BOTH
def test_a_rep_goes_away_and_comes_back(ground: Ground, scripted: bool) -> None:
    window = ground.window("ana", scripted=scripted)
    page = window.open("/leads/mine")
    for choice in ("until I am back", "until tomorrow"):
        page.get_by_role("link", name="I am away").click()
        find_form(window).get_by_role("button", name=re.compile(choice)).click()
        page.get_by_role("button", name="I am back").click()
        page.get_by_role("link", name="I am away").wait_for()
        window.check()
    said = ground.harness.rows("SELECT by, ended_at IS NOT NULL, until IS NULL FROM absence ORDER BY id")
    assert said[-2:] == [("ana", True, True), ("ana", True, False)]


@alternate(["mia", "otto"], ["transfer"])
def test_leads_of_a_rep_are_given_to_another_after_a_preview(
    ground: Ground, login: str, action: str, scripted: bool
) -> None:
    query = "SELECT count(*) FROM assignment WHERE owner = 'bob' AND ended_at IS NULL"
    before = ground.harness.one(query)
    window = ground.window(login, scripted=scripted)
    page = window.open("/team")
    page.get_by_role("link", name="Ana").first.click()
    page.get_by_label("Give leads to").select_option("rep:bob")
    last = -2 if login == "mia" else -4  # each their own: the ledger's moment stands still, and tells no order
    for box in page.get_by_role("checkbox", name=re.compile("Choose lead")).all()[last:][:2]:
        box.check()
    window.check()
    page.get_by_role("button", name="Preview the chosen ones").click()
    page.get_by_text("Nothing is stored yet").wait_for()
    window.check()
    assert ground.harness.one(query) == before
    page.get_by_label("Reason").fill("ana is on the road")
    page.get_by_role("button", name="Give 2 leads").click()
    page.get_by_text("2 to Bob").wait_for()
    window.check()
    assert ground.harness.one(query) == before + 2
    page.get_by_role("button", name="Undo").click()
    page.get_by_text(re.compile("Undone: transfer")).wait_for()
    assert ground.harness.one(query) == before
    done = "SELECT what, by FROM action WHERE number IN (SELECT DISTINCT number FROM action ORDER BY 1 DESC LIMIT 2)"
    assert set(ground.harness.rows(done)) == {(action, login), ("undo", login)}


def test_the_jump_menu_does_what_keys_do_opens_pages_and_finds_leads(ground: Ground) -> None:
    lead = ground.find_lead()
    window = ground.window("ana")
    page = window.open("/leads/mine")
    menu = page.locator("dialog#jump")
    page.locator(f"#lead-{lead}").focus()
    page.keyboard.press("Control+k")
    page.keyboard.type("note")
    page.keyboard.press("Enter")
    write_note(find_form(window))
    page.locator("#did").get_by_text("Wrote a note").wait_for()
    assert ground.list_actions(lead) == [("note", "ana", None)]
    page.keyboard.press("/")
    page.keyboard.type("queue")
    assert menu.get_by_role("button").all_inner_texts() == ["Queue"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{ground.home}/queue")
    page.keyboard.press("?")  # a page without a list of its keys
    page.keyboard.type("number101")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{ground.home}/leads?search=number101")
    window.check()
    page.keyboard.press("/")  # a page with a search of its own
    assert page.evaluate("document.activeElement.name") == "search"
    assert not menu.is_visible()
    page.get_by_role("link", name="Without “number101”").click()
    page.wait_for_url(f"{ground.home}/leads")


def test_who_sees_no_leads_has_pages_alone_in_the_menu(ground: Ground) -> None:
    page = ground.window("ada").open("/accounts")
    page.keyboard.press("/")
    page.keyboard.type("number101")
    page.keyboard.press("Enter")
    page.locator("#jump input").fill("")
    page.keyboard.press("Enter")
    assert page.url == f"{ground.home}/accounts"
    page.locator("#jump input").fill("qual")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{ground.home}/quality")


def test_a_call_is_logged_next(ground: Ground) -> None:
    """A click on a number calls, and asks what it was; on an address the form begins with the e-mail."""
    lead = ground.find_lead()
    window = ground.window("ana")
    page = window.open("/leads/mine")
    for link, kind in (("mailto:", "email"), ("tel:", "call")):
        page.evaluate("addEventListener('click', (event) => event.preventDefault(), { once: true })")  # no mail program
        page.locator(f"#lead-{lead} a[href^='{link}']").click()
        page.locator("dialog[open]").wait_for()
        assert page.evaluate("document.activeElement.value") == kind
        if kind == "email":
            page.keyboard.press("Escape")
    assert [each.partition(":")[0] for each in window.problems] == ["mailto", "tel"]  # what the click asked for
    window.problems.clear()
    page.keyboard.press("Enter")
    page.locator("#did").get_by_text("Logged a touch").wait_for()
    assert ground.list_actions(lead) == [("touch", "ana", None)]


def test_the_chosen_lead_is_shown_beside_the_list_and_acted_on_there(ground: Ground) -> None:
    window = ground.window("ana")
    page = window.open("/leads/mine")
    panel = page.locator("#preview")
    listed = page.locator("[data-row]").evaluate_all("rows => rows.map(({ id }) => Number(id.split('-')[1]))")
    # nothing was done about either: a lead that was touched leaves the list when that is noticed
    untouched = [each for each in listed if not ground.list_actions(each)]
    other, lead = next(pair for pair in pairwise(listed) if set(pair) <= set(untouched))
    before, row = page.locator(f"#lead-{other}"), page.locator(f"#lead-{lead}")
    before.focus()
    page.keyboard.press("Space")
    panel.get_by_role("heading", name=before.locator("th a").inner_text()).wait_for()
    panel.get_by_text("What happened").wait_for()
    window.check()
    page.keyboard.press("j")
    panel.get_by_role("heading", name=row.locator("th a").inner_text()).wait_for()
    assert panel.locator("form, [id], [data-key]").count() == 0
    assert page.evaluate("document.activeElement.id") == f"lead-{lead}"
    page.keyboard.press("a")  # what keys do is done to the chosen row
    page.locator("#did").get_by_text("Accepted").wait_for()
    assert ground.list_actions(lead) == [("accept", "ana", None)]
    panel.get_by_text("accepted", exact=False).first.wait_for()  # it tells what has happened since
    window.check()
    page.keyboard.press("u")
    page.locator("#did").get_by_text("Undone: accept").wait_for()
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")


def test_the_chosen_work_item_is_shown_beside_the_queue(ground: Ground) -> None:
    (item,) = ground.find_items("phone_impossible")
    window = ground.window("rita")
    page = window.open("/queue?reason=phone_impossible")
    page.locator(f"#item-{item} td").nth(2).click(position={"x": 2, "y": 2})  # a row is chosen by a click, too
    page.get_by_role("button", name="Preview").click()
    page.locator("#preview").get_by_text(f"W{item},").wait_for()
    window.check()
    page.locator("#preview").get_by_role("link", name="Open").click()
    page.wait_for_url(re.compile(f"/queue/{item}"))


def test_rows_take_less_room_until_somebody_wants_more(ground: Ground) -> None:
    window = ground.open_window("ana")
    page = window.open("/leads/mine")
    heights = [page.locator("[data-row]").first.bounding_box()["height"]]
    for _ in range(2):
        page.get_by_role("button", name="Denser").click()
        page = window.open("/leads/mine")  # it is kept
        heights.append(page.locator("[data-row]").first.bounding_box()["height"])
    assert heights[1] < 0.7 * heights[0]
    assert heights[2] == heights[0]
