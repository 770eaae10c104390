"""Every page of the console in Chromium: what WCAG 2 AA asks for, in both colour schemes; nothing wider than a phone; no
error in the browser's console; and nothing lost without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from accessible import find_violations
from console_site import ConsoleSite
from harness import Harness
from opportunities import tell_a_week

from console.web.navigation import PAGES
from console.web.visitors import COOKIE
from leadgate.vocabulary import Role

#: Addresses beside those of the navigation.
_TRIAL: Final = "/playbook/try?source=website&email=one%40acme.example&company=Acme&job_title=Chief&phone=12"
_MORE: Final = (
    "/sign-in",
    "/account",
    "/team/ana",
    "/reports?section=load",
    "/records/R1",
    "/leads/1",
    "/queue/1",
    "/nothing/here",
    "/playbook/shadow",
    _TRIAL,
)
ADDRESSES: Final = (*(page.address for page in PAGES), *_MORE)
_SCREEN: Final = {"width": 1280, "height": 720}
_PHONE: Final = {"width": 390, "height": 800}


@pytest.fixture
def worked(harness: Harness, console: ConsoleSite) -> ConsoleSite:
    """A ledger with a lead that is owned and work items that wait."""
    harness.begin(
        {"Email": "lead1@company1.example", "Company": "Company 1", "Title": "Chief", "Last name": "One"},
        {"Email": "lead2@company2.example", "Company": "Company 2", "Title": "Clerk", "Last name": "Two"},
        {"Email": "no address", "Last name": "Three", "Phone": "none"},
    )
    tell_a_week(harness.ledger)
    return console


@pytest.fixture
def open_page(worked: ConsoleSite, browser: Any) -> Iterator[Any]:
    """Opens pages in a browser in which somebody of every role is signed in: a test's pages one after the other in one
    window, as another takes the browser as long as two pages."""
    person = worked.sign_in("olga", *Role, rep="ana")
    windows: list[Any] = []

    def open_(address: str, **options: Any) -> Any:
        if not windows:
            context = browser.new_context(extra_http_headers={"Cookie": f"{COOKIE}={person.token}"}, **options)
            page = context.new_page()
            page.on("console", lambda told: page.problems.append(told.text) if told.type == "error" else None)
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            windows.append(page)
        (page,) = windows
        page.problems = []
        page.goto(f"http://127.0.0.1:{worked.port}{address}")
        return page

    yield open_
    for page in windows:
        page.context.close()


def test_every_page_is_accessible_in_both_colour_schemes_and_no_wider_than_a_phone(open_page: Any) -> None:
    found, wide = {}, {}
    for address in ADDRESSES:
        page = open_page(address)
        if broken := find_violations(page):
            found[address] = broken
        page.set_viewport_size(_PHONE)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > _PHONE["width"]:
            wide[address] = width
        page.set_viewport_size(_SCREEN)
        assert [each for each in page.problems if "404" not in each] == [], address
    assert found == {}
    assert wide == {}


def test_a_lead_beside_its_list_is_accessible(open_page: Any) -> None:
    page = open_page("/leads")
    page.get_by_role("button", name="Preview").click()
    page.locator("#preview").get_by_role("heading", name="What happened").wait_for()
    page.get_by_role("button", name="Denser").click()
    assert find_violations(page) == []


@pytest.mark.parametrize(
    "folder", ["console/web/static", "console/report/templates", "expectations/data_docs/templates"]
)
def test_by_night_nothing_but_colours_is_another(folder: str) -> None:
    """So that rules about anything else need not be asked again."""
    text = (Path(__file__).parents[2] / folder / "style.css").read_text(encoding="utf-8")
    (dark,) = re.findall(r"@media \(prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}\s*\}", text)
    assert text.count("prefers-color-scheme") == 1
    declared = [each.split(":") for each in dark.split(";") if each.strip()]
    assert {name.strip()[:2] for name, _ in declared} == {"--"}
    assert all(re.fullmatch(r"\s*#[0-9a-f]{3,8}\s*", value) for _, value in declared)


def test_every_page_is_whole_without_script(open_page: Any) -> None:
    for address in ADDRESSES:
        page = open_page(address, java_script_enabled=False)
        assert page.get_by_role("main").inner_text().strip(), address
