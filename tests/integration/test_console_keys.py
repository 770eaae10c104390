"""A rep works on My leads in Chromium with keys alone, and sees what changes without reload."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from console_site import COOKIE, ConsoleSite
from harness import NOW, Harness, make_lead
from sqlalchemy import text
from stub_gates import pass_all

from tasks.batches import run_waiting

LATER = NOW + timedelta(minutes=30)


@pytest.fixture
def console_as_of() -> Any:
    return LATER


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Sixteen leads: ana has four of them, 2, 6, 10 and 14 or so."""
    harness.begin(*(make_lead(number) for number in range(1, 17)), check=pass_all)
    return harness


@pytest.fixture
def page(owned: Harness, console: ConsoleSite, browser: Any) -> Iterator[Any]:
    """My leads of ana, in a window of its own."""
    context = browser.new_context(reduced_motion="reduce")
    token = console.sign_in_rep("ana").token
    context.add_cookies([{"name": COOKIE, "value": token, "url": f"https://127.0.0.1:{console.port}/", "secure": True}])
    window = context.new_page()
    window.goto(f"http://127.0.0.1:{console.port}/leads/mine")
    yield window
    context.close()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def find_chosen(page: Any) -> str:
    chosen: str = page.evaluate("document.activeElement.closest('[data-row]')?.id || ''")
    return chosen


def wait_for_words(page: Any, words: str) -> None:
    page.locator("#did").get_by_text(words).wait_for()


def list_actions(owned: Harness) -> list[tuple[Any, ...]]:
    return owned.rows(
        "SELECT 'lead-' || j.lead_id, x.what FROM action x JOIN journey j ON j.id = x.journey_id ORDER BY x.id"
    )


def test_a_rep_works_with_keys_alone(page: Any, owned: Harness) -> None:
    rows = page.locator("[data-row]").evaluate_all("rows => rows.map(row => row.id)")
    first, second = rows[:2]
    press(page, "j")
    assert find_chosen(page) == first
    press(page, "a")
    wait_for_words(page, "Accepted")
    press(page, "u")
    wait_for_words(page, "Undone: accept")
    assert find_chosen(page) == first

    press(page, "t")
    page.locator("dialog[open]").wait_for()
    press(page, "Enter")
    wait_for_words(page, "Logged a touch")
    assert find_chosen(page) == second  # nothing is left to do for the first
    page.locator(f"#{first}").wait_for(state="detached")  # the follow-up check has ended its journey
    assert find_chosen(page) == second

    press(page, "w")
    page.locator("dialog[open]").wait_for()
    press(page, "2")
    wait_for_words(page, "Waiting for")
    assert owned.rows("SELECT reason, until - started_at > interval '2 days' FROM pause") == [("", True)]
    press(page, "j", "k", "j")
    chosen = find_chosen(page)
    press(page, "r")
    page.locator("dialog[open]").wait_for()
    press(page, "1")
    wait_for_words(page, "Rejected")
    press(page, "n")
    page.locator("dialog[open]").wait_for()
    page.keyboard.type("asks for a call on Monday")
    press(page, "Control+Enter")
    wait_for_words(page, "Wrote a note")
    did = list_actions(owned)
    assert did[:4] == [(first, "accept"), (first, "undo"), (first, "touch"), (second, "wait")]
    assert did[4] == (chosen, "reject")
    assert did[5][1] == "note"

    press(page, "?")
    page.locator("dialog#keys[open]").wait_for()


def test_a_new_lead_appears_without_reload_and_what_was_chosen_stays(page: Any, owned: Harness) -> None:
    press(page, "j", "j")
    chosen, before = find_chosen(page), page.locator("[data-row]").count()
    page.evaluate("window.same = true")
    for number in range(20, 24):  # in turns: one of four is hers
        owned.capture(make_lead(number), now=LATER)
    run_waiting(owned.worker(), lambda: LATER, check=pass_all)
    page.locator("[data-row]").nth(before).wait_for()
    assert find_chosen(page) == chosen
    assert page.evaluate("window.same")


def test_a_refusal_is_told_in_the_dialog_and_nothing_is_lost(page: Any, owned: Harness, console: ConsoleSite) -> None:
    press(page, "j", "n")
    page.locator("dialog[open]").wait_for()
    lead = find_first(page)
    page.keyboard.type("a note that is not lost")
    with owned.ledger.transaction() as connection:
        connection.execute(text("UPDATE assignment SET owner = 'bob' WHERE journey_id = :id"), {"id": lead})
    press(page, "Control+Enter")
    page.locator("dialog[open] [role=alert]").wait_for()
    assert page.locator("dialog[open] textarea").input_value() == "a note that is not lost"
    assert list_actions(owned) == []


def find_first(page: Any) -> int:
    return int(page.locator("dialog[open] form").get_attribute("action").split("/")[2])
