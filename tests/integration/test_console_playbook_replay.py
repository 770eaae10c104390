"""A kept version of the playbook is replayed on its page: within bounds, stored nowhere, and by operators alone."""

from __future__ import annotations

from typing import Any

import pytest
from accessible import find_violations
from console_site import Browser, ConsoleSite, Page
from harness import NOW, Harness, make_actor
from replayed import STRICTER

from console.web.pages import playbook_replay
from console.web.visitors import COOKIE
from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role
from tasks import playbook_in_use

TABLES = ("decision_input", "handoff", "assignment", "qualification", "batch", "work_item", "playbook_version")


@pytest.fixture
def kept(five_owned: Harness, loaded: LoadedPlaybook) -> LoadedPlaybook:
    """A version that was in use for a moment, and would have nurtured all of them."""
    draft = playbooks.parse(STRICTER, path=loaded.path)
    for number, each in enumerate((draft, loaded)):
        playbook_in_use.activate(
            five_owned.ledger, each, "a try", by=make_actor("olga"), now=NOW.replace(minute=number)
        )
    return draft


def open_replay(browser: Browser, hash_: str) -> Page:
    """The page once the replay is there, as it comes again by itself."""
    page = browser.get(f"/playbook/versions/{hash_}/replay")
    while "refresh" in page.headers:
        page = browser.get(page.address)
    return page


def test_a_kept_version_is_replayed_in_the_form_of_the_page(
    five_owned: Harness, kept: LoadedPlaybook, console: ConsoleSite
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    link = f"/playbook/versions/{kept.hash}/replay"
    assert link in olga.get(f"/playbook/versions/{kept.hash}").tree.xpath("//a/@href")
    before = [five_owned.one(f"SELECT count(*) FROM {table}") for table in TABLES]
    page = open_replay(olga, kept.hash)
    assert page.status == 200
    assert "all came out the same" in page.words
    assert "5 of 5 journeys differ" in page.words
    assert page.texts("//section[1]//strong")[1:] == ["5", "0", "5"]
    assert page.texts("//section[@aria-labelledby='told']//tbody/tr/th") == [f"J{number}" for number in range(1, 6)]
    assert [five_owned.one(f"SELECT count(*) FROM {table}") for table in TABLES] == before


def test_more_leads_than_a_page_replays_are_left_to_the_command_line(
    kept: LoadedPlaybook, console: ConsoleSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook_replay, "MOST", 4)
    page = open_replay(console.sign_in("olga", Role.OPERATOR), kept.hash)
    assert f"leadgate replay --playbook {kept.hash[:12]}" in page.words
    assert "5 leads" in page.words
    assert not page.tree.xpath("//section[contains(@class, 'report')]")


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.MANAGER, Role.PRIVACY_OFFICER, Role.ADMIN, Role.REP])
def test_only_who_may_operate_replays(kept: LoadedPlaybook, console: ConsoleSite, role: Role) -> None:
    other = console.sign_in("rita", role, rep="ana" if role == Role.REP else None)
    assert other.get(f"/playbook/versions/{kept.hash}/replay").status == 403
    assert "/replay" not in other.get(f"/playbook/versions/{kept.hash}").text


def test_a_version_that_nobody_kept_is_not_found(five_owned: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert olga.get(f"/playbook/versions/{'0' * 64}/replay").status == 404
    assert olga.get("/playbook/versions/1/replay").status == 422


def test_the_page_can_be_read_on_a_phone_and_by_everybody(
    kept: LoadedPlaybook, console: ConsoleSite, browser: Any
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    open_replay(olga, kept.hash)
    context = browser.new_context(
        extra_http_headers={"Cookie": f"{COOKIE}={olga.token}"}, viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    for path in (f"/playbook/versions/{kept.hash}/replay", f"/playbook/versions/{kept.hash}", "/playbook"):
        page.goto(f"http://127.0.0.1:{console.port}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert find_violations(page) == [], path
    context.close()
