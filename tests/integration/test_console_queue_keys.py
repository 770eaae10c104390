"""A reviewer clears the queue with keys alone, in Chromium: the list follows without being loaded again."""

from __future__ import annotations

from typing import Any

import pytest
from console_site import ConsoleSite
from harness import NOW, make_lead

from console.web.visitors import COOKIE
from leadgate.actors import Actor
from leadgate.ledger import reruns
from leadgate.vocabulary import Role

ROB = Actor("rob", roles=frozenset({Role.REVIEWER}))


@pytest.fixture
def items(harness: Any) -> dict[int, int]:
    """The work item of each lead: two addresses with a proposal, and two numbers that cannot be any."""
    harness.begin(
        make_lead(1, Email="jane@gmial.com"),
        make_lead(2, Email="tom@yaho.com"),
        make_lead(3, Phone="12"),
        make_lead(4, Phone="13"),
    )
    return dict(harness.rows("SELECT journey_id, id FROM work_item"))


def test_keys_decide_and_the_list_follows_also_what_others_decide(
    browser: Any, items: dict[int, int], console: ConsoleSite, harness: Any
) -> None:
    rita = console.sign_in("rita", Role.REVIEWER)
    address = f"http://127.0.0.1:{console.port}"
    with browser.new_context() as context:
        context.add_cookies(
            [{"name": COOKIE, "value": rita.token, "url": address.replace("http:", "https:"), "secure": True}]
        )
        page, problems = context.new_page(), []
        page.on("console", lambda told: problems.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{address}/queue")
        page.evaluate("window.loadedOnce = true")
        rows = page.locator("tr[data-row]")
        assert rows.count() == 4

        page.keyboard.press("j")
        page.keyboard.press("a")  # as proposed: its form, whose button has the focus
        page.locator("dialog[open] button.main").wait_for()
        page.keyboard.press("Enter")
        page.locator(f"#item-{items[1]}").wait_for(state="detached")
        assert "corrected" in page.get_by_role("status").inner_text()

        page.keyboard.press("j")
        reruns.discard(harness.ledger, [items[2]], by=ROB, now=NOW, reason="no")  # by another reviewer
        page.locator(f"#item-{items[2]}").wait_for(state="detached")
        assert page.evaluate("window.loadedOnce") is True

        page.locator(f"#item-{items[3]}").focus()
        page.keyboard.press("x")
        page.locator(f"#item-{items[4]}").focus()
        page.keyboard.press("x")
        page.get_by_role("button", name="Discard …").click()
        page.get_by_label("Why?").fill("no number")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Discard: 2 done").wait_for()
        assert not problems
    closed = dict(harness.rows("SELECT id, closed_by FROM work_item WHERE closed_at IS NOT NULL"))
    assert closed == {items[1]: "rita", items[2]: "rob", items[3]: "rita", items[4]: "rita"}
