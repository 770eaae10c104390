"""Every decision about work items in Chromium, by each role that may take it: one by one and several at once, with script
and without, and then what the ledger says."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from console_people import Ground, Window, alternate, ground

__all__ = ["ground"]

PEOPLE: Final = ("ana", "mia", "rita", "otto")


class Decided(NamedTuple):
    """A decision about an item of ``reason``: its key and button, what is written, and what the ledger says."""

    reason: str
    key: str
    button: str
    words: str
    resolution: str | None


DECISIONS: Final = {
    "approve": Decided("score_in_review_band", "a", "Approve", "", "done_by_hand"),
    "proposed": Decided("email_malformed", "a", "Correct as proposed", "", "corrected"),
    "correct": Decided("phone_impossible", "c", "Correct", "+4930123456", "corrected"),
    "again": Decided("phone_impossible", "g", "Try again", "", "rerun"),
    "discard": Decided("phone_impossible", "d", "Discard", "no number", "discarded"),
    "done": Decided("undeliverable", "a", "Done by hand", "told her", "done_by_hand"),
    "same": Decided("likely_duplicate", "s", "The person of lead", "", "same_person"),
    "different": Decided("likely_duplicate", "o", "Somebody else", "", "different_person"),
    "take": Decided("phone_impossible", "t", "I decide it", "", None),
}


def read_item(ground: Ground, item: int) -> tuple[Any, ...]:
    query = "SELECT resolution, closed_by, assignee FROM work_item WHERE id = :id"
    return ground.harness.rows(query, id=item)[0]


def open_item(window: Window, item: int, reason: str) -> None:
    """From the queue, by its row."""
    page = window.open(f"/queue?reason={reason}")
    if window.scripted:
        page.locator(f"#item-{item}").focus()
        page.keyboard.press("Enter")
    else:
        page.locator(f"#item-{item} a.plain").click()
    page.get_by_role("heading", name="What can be done").wait_for()
    window.check()


@alternate(PEOPLE, DECISIONS)
def test_an_item_is_decided(ground: Ground, login: str, action: str, scripted: bool) -> None:
    asked = DECISIONS[action]
    (item,) = ground.find_items(asked.reason)
    window = ground.window(login, scripted=scripted)
    open_item(window, item, asked.reason)
    page = window.page
    if scripted:
        page.keyboard.press(asked.key)
    else:
        page.get_by_role("link", name=re.compile(f"^{asked.button}")).first.click()
    form = page.locator("dialog[open]" if scripted else "main")
    decide = form.get_by_role("button", name=re.compile(f"^{asked.button}"))
    decide.wait_for()
    if action == "correct":
        form.get_by_label("Value").first.fill(asked.words)
    elif asked.words:
        form.get_by_role("textbox").fill(asked.words)
    window.check()
    decide.click()
    page.locator("#done").get_by_text(f"W{item} ").wait_for()
    window.check()
    closed_by = None if action == "take" else login
    assert read_item(ground, item)[:2] == (asked.resolution, closed_by)
    assert (read_item(ground, item)[2] == login) is (action == "take")


@alternate(PEOPLE, ["undo"])
def test_a_discarded_item_is_undone(ground: Ground, login: str, action: str, scripted: bool) -> None:
    (item,) = ground.find_items("phone_impossible")
    window = ground.window(login, scripted=scripted)
    page = window.open(f"/queue/{item}/discard")
    page.get_by_label("Why?").fill("no number")
    page.get_by_role("button", name="Discard").click()
    page.locator("#done").get_by_role("button", name="Undo").click()
    page.get_by_text(re.compile("Undone: discarded")).wait_for()
    window.check()
    assert read_item(ground, item)[:2] == (None, None)
    done = ground.harness.rows("SELECT what, by FROM action ORDER BY id DESC LIMIT 2")
    assert done == [(action, login), ("discarded", login)]


BULK: Final = {
    "Approve": ("score_in_review_band", "done_by_hand"),
    "Correct as proposed": ("email_malformed", "corrected"),
    "Try again": ("phone_impossible", "rerun"),
    "Done by hand": ("email_malformed", "done_by_hand"),
    "Discard": ("phone_impossible", "discarded"),
}


@alternate(PEOPLE, BULK)
def test_several_are_decided_after_a_preview(ground: Ground, login: str, action: str, scripted: bool) -> None:
    reason, resolution = BULK[action]
    items = ground.find_items(reason, 2)
    window = ground.window(login, scripted=scripted)
    page = window.open(f"/queue?reason={reason}")
    for item in items:
        if scripted:
            page.locator(f"#item-{item}").focus()
            page.keyboard.press("x")
        else:
            page.get_by_label(f"Choose W{item}", exact=True).check()
    page.get_by_role("button", name=f"{action} …").click()
    page.get_by_role("heading", name=f"{action}: 2 work items").wait_for()
    window.check()
    assert [read_item(ground, item)[0] for item in items] == [None, None]
    words = page.locator("input[name=words]")
    if words.count():
        words.fill("looked at both")
    page.get_by_role("button", name=f"{action} 2").click()
    page.get_by_role("heading", name=f"{action}: 2 done").wait_for()
    window.check()
    assert [read_item(ground, item)[:2] for item in items] == [(resolution, login)] * 2
