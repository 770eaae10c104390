"""A kept version of the playbook is replayed on its page: within bounds, stored nowhere, and by operators alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from accessible import find_violations
from console_site import Browser, ConsoleSite, Page
from harness import NOW, Harness, make_actor
from replayed import STRICTER

from console.web.background_replays import BackgroundReplay
from console.web.pages import playbook_replay
from console.web.visitors import COOKIE
from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role
from tasks import playbook_in_use
from tasks.replay.results import ReplayResult

TABLES = ("decision_input", "handoff", "assignment", "qualification", "batch", "work_item", "playbook_version")
LONG = 60.0  # seconds: longer than any test waits


@pytest.fixture
def kept(five_owned: Harness, loaded: LoadedPlaybook) -> LoadedPlaybook:
    """A version that was in use for a moment, and would have nurtured all of them."""
    draft = playbooks.parse(STRICTER, path=loaded.path)
    for number, each in enumerate((draft, loaded)):
        playbook_in_use.activate(
            five_owned.ledger, each, "a try", by=make_actor("olga"), now=NOW.replace(minute=number)
        )
    return draft


def ask_replay(browser: Browser, hash_: str, **asked: str) -> Page:
    """The page once the replay is there, as it comes again by itself."""
    page = browser.post(f"/playbook/versions/{hash_}/replay", **asked)
    while "refresh" in page.headers:
        page = browser.get(page.address)
    return page


def run_another(console: ConsoleSite, go_on: threading.Event) -> None:
    """Another replay that goes on until it is let: one at a time is computed."""

    def wait(_: BackgroundReplay) -> list[ReplayResult]:
        go_on.wait(LONG)
        return []

    console.site.replays.start("another", wait, "Otto")


def test_a_kept_version_is_replayed_in_the_form_of_the_page(
    five_owned: Harness, kept: LoadedPlaybook, console: ConsoleSite
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    link = f"/playbook/versions/{kept.hash}/replay"
    assert link in olga.get(f"/playbook/versions/{kept.hash}").tree.xpath("//a/@href")
    asks = olga.get(link)
    assert "refresh" not in asks.headers, "looking starts nothing"
    assert asks.tree.xpath("//input[@name='since']/@value") == ["2026-02-02"]
    before = [five_owned.one(f"SELECT count(*) FROM {table}") for table in TABLES]
    page = ask_replay(olga, kept.hash)
    assert page.status == 200
    assert "all came out the same" in page.words
    assert "5 of 5 journeys differ" in page.words
    assert page.texts("//section[@aria-labelledby='check']//strong")[1:] == ["5", "0", "5"]
    assert page.texts("//section[@aria-labelledby='told']//tbody/tr/th") == [f"J{number}" for number in range(1, 6)]
    assert [five_owned.one(f"SELECT count(*) FROM {table}") for table in TABLES] == before


def test_turns_that_run_on_are_named_apart(kept: LoadedPlaybook, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert ask_replay(olga, kept.hash).texts("//h1") == [f"Replay of playbook {kept.hash[:12]}"]
    page = ask_replay(olga, kept.hash, simulate="1")
    assert page.texts("//h1") == [f"Simulated replay of playbook {kept.hash[:12]}"]
    assert "Turns and loads ran on from the start under the draft" in page.words


@pytest.mark.parametrize(
    ("limits", "title", "results"),
    [
        ({"max_dropped": "0", "max_owner_changes": "0"}, "Fail", ["within", "beyond"]),
        ({"max_dropped": "100%", "max_changes": "5"}, "Pass", ["within", "within"]),
        ({"max_dropped": "0", "since": "2026-03-05"}, "No verdict", []),
        ({}, None, []),
    ],
)
def test_limits_are_kept_or_not(
    kept: LoadedPlaybook, console: ConsoleSite, limits: dict[str, str], title: str | None, results: list[str]
) -> None:
    page = ask_replay(console.sign_in("olga", Role.OPERATOR), kept.hash, **limits)
    assert page.texts("//h2[@id='verdict']") == ([] if title is None else [title])
    assert page.texts("//section[@aria-labelledby='verdict']//td[@data-label='result']") == results


@pytest.mark.parametrize(
    "asked",
    [{"max_dropped": "a few"}, {"since": "yesterday"}, {"since": "2026-03-02", "until": "2026-03-01"},
     {"until": "9" * 40}],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_a_sentence(
    kept: LoadedPlaybook, console: ConsoleSite, asked: dict[str, str]
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    address = f"/playbook/versions/{kept.hash}/replay"
    for page in (olga.post(address, **asked), olga.get(address, **asked)):
        assert page.status == 400
        assert len(page.words) < 1_000


def test_the_days_are_those_that_were_asked_for(kept: LoadedPlaybook, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert "5 of 5" in ask_replay(olga, kept.hash, since="2026-03-03", until="2026-03-04").words
    assert "Nothing was decided" in ask_replay(olga, kept.hash, since="2026-01-01", until="2026-03-03").words


def test_what_was_found_is_kept_as_a_page_of_its_own(kept: LoadedPlaybook, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    address = f"/playbook/versions/{kept.hash}/replay.html"
    assert "<form" in olga.get(address).text, "nothing is there yet, so the form is"
    (link,) = ask_replay(olga, kept.hash, max_dropped="0").tree.xpath("//a[contains(@href, 'replay.html')]/@href")
    page = olga.get(link)
    assert page.headers["content-disposition"] == f'attachment; filename="replay_{kept.hash[:12]}.html"'
    assert "5 of 5 journeys differ" in page.text
    assert "Beyond the limits" in page.text
    assert str(console.site.loaded.path) not in page.text


def test_a_replay_that_is_cancelled_leaves_nothing(kept: LoadedPlaybook, console: ConsoleSite) -> None:
    olga, go_on = console.sign_in("olga", Role.OPERATOR), threading.Event()
    run_another(console, go_on)
    address = f"/playbook/versions/{kept.hash}/replay"
    page = olga.post(address, simulate="1")
    assert "refresh" in page.headers
    assert "Started by Olga" in page.words
    assert "this one is the next" in page.words
    (form,) = page.tree.xpath("//form[contains(@action, '/cancel')]")
    page = olga.post(form.get("action"), **dict(form.form_values()))
    go_on.set()
    assert "refresh" not in page.headers
    assert "was cancelled" in page.words
    assert not page.tree.xpath("//section[contains(@class, 'report')]")


def test_more_decisions_than_a_page_replays_are_left_to_the_command_line(
    kept: LoadedPlaybook, console: ConsoleSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook_replay, "MOST", 19)
    page = ask_replay(console.sign_in("olga", Role.OPERATOR), kept.hash)
    assert f"leadgate replay --playbook {kept.hash[:12]}" in page.words
    assert "20 decisions" in page.words
    assert not page.tree.xpath("//section[contains(@class, 'report')]")


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.MANAGER, Role.PRIVACY_OFFICER, Role.ADMIN, Role.REP])
def test_only_who_may_operate_replays(kept: LoadedPlaybook, console: ConsoleSite, role: Role) -> None:
    other = console.sign_in("rita", role, rep="ana" if role == Role.REP else None)
    address = f"/playbook/versions/{kept.hash}/replay"
    assert [each.status for each in (other.get(address), other.get(f"{address}.html"))] == [403, 403]
    assert [each.status for each in (other.post(address), other.post(f"{address}/cancel"))] == [403, 403]
    assert "/replay" not in other.get(f"/playbook/versions/{kept.hash}").text


def test_a_version_that_nobody_kept_is_not_found(five_owned: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert olga.get(f"/playbook/versions/{'0' * 64}/replay").status == 404
    assert olga.post(f"/playbook/versions/{'0' * 64}/replay").status == 404
    assert olga.get("/playbook/versions/1/replay").status == 422


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_on_a_phone_and_by_everybody(
    kept: LoadedPlaybook, console: ConsoleSite, browser: Any, scheme: str
) -> None:
    olga, go_on = console.sign_in("olga", Role.OPERATOR), threading.Event()
    found = ask_replay(olga, kept.hash, max_dropped="0", max_changes="100%").address
    run_another(console, go_on)
    waits = olga.post(f"/playbook/versions/{kept.hash}/replay", simulate="1").address
    context = browser.new_context(
        extra_http_headers={"Cookie": f"{COOKIE}={olga.token}"},
        viewport={"width": 390, "height": 800},
        color_scheme=scheme,
    )
    page = context.new_page()
    for path in (found, waits, f"/playbook/versions/{kept.hash}/replay", f"/playbook/versions/{kept.hash}"):
        page.goto(f"http://127.0.0.1:{console.port}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert find_violations(page) == [], path
    context.close()
    go_on.set()
