"""The console shows what a draft would decide otherwise on live leads; operators start and end it there, with a reason."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accessible import find_violations
from console_site import Browser, ConsoleSite, Page
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from console.web.visitors import COOKIE
from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role
from tasks import playbook_in_use
from tasks.shadow import run_shadow, start_shadow

HOSTILE = "<script>alert(1)</script>" + "x" * 200


@pytest.fixture
def draft(loaded: LoadedPlaybook) -> LoadedPlaybook:
    """Nobody would get an owner any more, and whoever has no company is held."""
    return playbooks.parse(PLAYBOOK.replace("points: 30", "points: 10"), path=loaded.path)


@pytest.fixture
def shadowed(harness: Harness, draft: LoadedPlaybook) -> Harness:
    """Three leads that the draft would leave without an owner."""

    def work() -> None:
        start_shadow(harness.ledger, draft, f"fewer leads {HOSTILE}", by=make_actor("olga"), now=NOW)
        harness.capture(*(make_lead(number) for number in range(1, 4)))
        harness.run(NOW)
        run_shadow(harness.ledger, Path("tests.yaml"), limited=False)

    harness.begin_with("a shadow of three leads", work)
    return harness


def open_page(browser: Browser, path: str = "/playbook/shadow") -> Page:
    page = browser.get(path)
    while "refresh" in page.headers:
        page = browser.get(path)
    return page


def test_what_the_draft_would_decide_is_told_with_links_to_both_explanations(
    shadowed: Harness, draft: LoadedPlaybook, console: ConsoleSite
) -> None:
    rita = console.sign_in("rita", Role.REVIEWER)
    page = open_page(rita)
    for words in (draft.hash[:12], "Olga", "fewer leads <script>", "all 12 decisions"):
        assert words in page.words, words
    assert not page.tree.xpath("//script[not(@src)]")
    tiles = page.texts("//div[@class='tile']")
    assert tiles[0].startswith("3")
    assert tiles[1].startswith("3")
    assert ["has an owner", "nurture", "3"] in [
        row.xpath("(th|td)//text()") for row in page.tree.xpath("//article//tbody/tr")
    ]
    assert page.texts("//section[@aria-labelledby='told']//tbody/tr/th") == ["J1", "J2", "J3"]
    recorded, drafted = page.tree.xpath("//section[@aria-labelledby='told']//tbody/tr[1]//a/@href")
    assert "Owner" in rita.get(recorded).words
    both = rita.get(drafted)
    rows = {row.xpath("string(th/text())"): row.xpath("td//text()") for row in both.tree.xpath("//table/tbody/tr")}
    assert rows["Ends"][:2] == ["has an owner", "nurture"]
    assert rows["has company"][:2] == ["+30", "+10"]
    assert "10 points when the company is given." in both.words
    assert "3 leads decided, 3 differ" in open_page(rita, "/playbook").words
    assert not page.tree.xpath("//form[contains(@action, '/shadow/')]")


def test_who_may_not_see_leads_sees_figures_alone(shadowed: Harness, console: ConsoleSite) -> None:
    ada = console.sign_in("ada", Role.ADMIN)
    page = open_page(ada)
    assert page.texts("//div[@class='tile']")[0].startswith("3")
    assert "/leads/" not in page.text
    assert ada.get("/playbook/shadow/leads/1").status == 403
    assert console.sign_in("bob", Role.REP, rep="bob").get("/playbook/shadow").status == 403


def test_a_lead_that_does_not_differ_or_was_not_decided_has_no_page(shadowed: Harness, console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert olga.get("/playbook/shadow/leads/99").status == 404
    with shadowed.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow_journey SET kind = NULL, before = NULL, after = NULL"))
    assert olga.get("/playbook/shadow/leads/1").status == 404


def test_a_kept_version_is_started_and_ended_with_a_reason(
    harness: Harness, loaded: LoadedPlaybook, draft: LoadedPlaybook, console: ConsoleSite
) -> None:
    harness.begin(make_lead(1))
    for number, each in enumerate((draft, loaded)):
        playbook_in_use.activate(harness.ledger, each, "a try", by=make_actor("ops"), now=NOW.replace(minute=number))
    olga = console.sign_in("olga", Role.OPERATOR)
    version = olga.get(f"/playbook/versions/{draft.hash}")
    assert version.tree.xpath("//form[@action='/playbook/shadow/start']//input[@name='draft']/@value") == [draft.hash]
    assert olga.post("/playbook/shadow/start", draft=draft.hash, reason=" ").status == 409
    assert olga.post("/playbook/shadow/start", draft=loaded.hash, reason="why").status == 409
    assert olga.post("/playbook/shadow/start", draft="0" * 64, reason="why").status == 409
    started = open_page(olga)
    assert "Start" in started.words
    page = olga.post("/playbook/shadow/start", draft=draft.hash, reason="was it better?")
    assert "was it better?" in open_page(olga).words
    assert page.status == 200
    assert olga.post("/playbook/shadow/start", draft=draft.hash, reason="again").status == 409
    number = harness.one("SELECT id FROM shadow")
    assert olga.post("/playbook/shadow/stop", number=number + 1, reason="seen enough").status == 409
    assert harness.one("SELECT stopped_at FROM shadow") is None
    olga.post("/playbook/shadow/stop", number=number, reason="seen enough")
    assert "seen enough" in open_page(olga).words
    assert harness.rows("SELECT started_by, stopped_by, stop_reason FROM shadow") == [("olga", "olga", "seen enough")]


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.MANAGER, Role.PRIVACY_OFFICER, Role.ADMIN])
def test_only_who_may_operate_starts_and_ends(shadowed: Harness, console: ConsoleSite, role: Role) -> None:
    other = console.sign_in("rita", role)
    number = shadowed.one("SELECT id FROM shadow")
    assert other.post("/playbook/shadow/stop", number=number, reason="x").status == 403
    assert other.post("/playbook/shadow/start", draft="0" * 64, reason="x").status == 403
    assert shadowed.rows("SELECT stopped_at FROM shadow") == [(None,)]


def test_why_it_rests_is_told(shadowed: Harness, console: ConsoleSite) -> None:
    shadowed.capture(make_lead(9), now=NOW + timedelta(hours=1))
    shadowed.run(NOW + timedelta(hours=1))
    with shadowed.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE shadow_pass DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE shadow_pass SET seconds = 400"))
    olga = console.sign_in("olga", Role.OPERATOR)
    assert "400 s" in open_page(olga).texts("//div[contains(@class, 'warn')]")[0]
    with shadowed.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow SET problem = 'its file is gone', problem_at = now()"))
    console.site.figures.forget(("playbook", "shadow"))
    assert "its file is gone" in open_page(olga).texts("//div[contains(@class, 'warn')]")[0]
    assert "its file is gone" in open_page(olga, "/playbook").words


def test_the_pages_can_be_read_on_a_phone_and_by_everybody(
    shadowed: Harness, console: ConsoleSite, browser: Any
) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    open_page(olga)
    context = browser.new_context(
        extra_http_headers={"Cookie": f"{COOKIE}={olga.token}"}, viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    for path in ("/playbook/shadow", "/playbook/shadow/leads/1", "/playbook"):
        page.goto(f"http://127.0.0.1:{console.port}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert find_violations(page) == [], path
    context.close()
