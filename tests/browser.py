"""A headless Chromium, and the Prefect UI as a person uses it there.

Belongs here: the browser, signing in, and what people do on its pages. Does not belong here: what Leadgate does
about it (the tests), or ``leadgate up`` (``served``).

Tests that use it are skipped, with the reason, where Playwright or Chromium is missing. Pictures of what a person
sees are test output, in ``build/screenshots/``.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from served import Served, wait_until

SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"
PATIENCE = 300.0  # seconds: a worker's look for runs, and a process that imports everything


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium: Debian's, or whichever the machine has; preferably without the parts around a page, which take most
    of its time. While it lasts, Playwright has an event loop running in this thread, and ``asyncio.run`` is refused: so
    no longer than a module."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("Playwright is not installed: pip install playwright")
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        arguments = [
            # Chromium refuses to sandbox itself as root, and /dev/shm is small in containers
            *("--no-sandbox", "--disable-dev-shm-usage"),
            # the Prefect UI asks an outside service for its settings; nothing outside is needed. A `route` of Playwright
            # would do the same, and turn Chromium's cache off: each page would then load and compile all scripts again
            # without a graphics card, the time line of a run takes most of a core for as long as it is seen
            *("--disable-gpu", "--disable-software-rasterizer", "--disable-3d-apis"),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


class Screen:
    """A page of the Prefect UI."""

    def __init__(self, page: Any, up: Served) -> None:
        self.page = page
        self.up = up
        self.main = page.get_by_role("main")

    def picture(self, name: str) -> None:
        """What is seen now, as ``build/screenshots/NAME.png``."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def sign_in(self, auth: str) -> None:
        self.page.get_by_placeholder("admin:pass").fill(auth)
        self.page.get_by_role("button", name="Login").click()

    def open_deployment(self, name: str) -> None:
        self.page.get_by_role("link", name="Deployments").first.click()
        # a flow may have the same name, and its link comes second
        self.page.get_by_role("row").get_by_role("link", name=name, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).wait_for()

    def open_form(self, deployment: str) -> None:
        """Deployments, this one, Run, Custom run."""
        self.open_deployment(deployment)
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        self.page.get_by_role("button", name="Submit").wait_for()

    def choose(self, field: str, value: str) -> list[str]:
        """Choose from a list; everything that it offers."""
        self.page.get_by_role("button", name=f"Select {field}").click()
        self.page.get_by_role("option").first.wait_for()
        options: list[str] = self.page.get_by_role("option").all_inner_texts()
        self.page.get_by_role("option", name=value, exact=True).click()
        self.page.get_by_role("option").first.wait_for(state="hidden")  # it fades, and would be read as the next list
        return options

    def write(self, field: str, value: str) -> None:
        self.page.get_by_role("textbox", name=f"{field} (Optional)").fill(value)

    def write_json(self, value: str) -> None:
        """Into the only field of the form that takes JSON."""
        self.page.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(value)

    def add_item(self, value: str) -> None:
        """Into the only list of the form, which is its first field."""
        self.page.get_by_role("button", name="Add item").click()
        self.page.locator("form textarea").first.fill(value)  # the name of the run is an input

    def submit(self) -> None:
        """Submit the form and look at the run."""
        self.page.get_by_role("button", name="Submit").click()
        self.page.get_by_role("link", name="View run").last.click()
        self.page.wait_for_url("**/runs/flow-run/**")

    def open_run(self, run: str) -> None:
        self.page.goto(f"{self.up.url}/v2/runs/flow-run/{run}")
        self.page.get_by_role("tab", name="Details").wait_for()

    def wait_for_state(self, state: str) -> None:
        """Until the run that is looked at has this state, and its page shows it.

        Meanwhile the page is left: its graph, drawn without a graphics card, would take the time of what it shows.
        """
        run = urlsplit(self.page.url).path.rpartition("/")[2]
        if self.up.read_state(run) != state:
            self.page.goto("about:blank")
            wait_until(lambda: self.up.read_state(run) == state, f"the run to be {state}", PATIENCE)
            self.open_run(run)
        self.main.get_by_text(state, exact=True).first.wait_for()

    def act(self, action: str, confirm: str | None = None) -> None:
        """An action from the run's menu, confirmed."""
        self.page.get_by_role("button", name="Open menu").first.click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()
        dialog = self.page.get_by_role("alertdialog").or_(self.page.get_by_role("dialog"))
        dialog.get_by_role("button", name=confirm or action, exact=True).click()

    def tab(self, name: str, words: str) -> None:
        """Look at a tab of the page until these words are there."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        self.page.get_by_role("tabpanel", name=name, exact=True).get_by_text(words).first.wait_for()


@pytest.fixture
def window(browser: Any, up: Served, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """A window of its own, where nobody is signed in."""
    with _context(browser) as context, _opened(context, up, request) as shown:
        yield shown


@pytest.fixture
def screen(up: Served, signed_in: Any, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """A window of its own, where somebody is signed in."""
    with _opened(signed_in, up, request) as shown:
        # the page signs out when it is left while it still asks whether the string is right
        shown.page.get_by_role("link", name="Deployments").first.wait_for()
        yield shown


@pytest.fixture(scope="module")
def signed_in(browser: Any, up: Served) -> Iterator[Any]:
    """A browser's profile in which somebody has signed in: its windows share what it keeps, scripts in its cache, too."""
    with _context(browser) as context:
        with _opened(context, up) as shown:
            shown.sign_in(up.auth)
            shown.page.wait_for_url("**/dashboard*")
        yield context


@contextlib.contextmanager
def _context(browser: Any) -> Iterator[Any]:
    # no animations: each would be drawn without a graphics card
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context
    context.close()


@contextlib.contextmanager
def _opened(context: Any, up: Served, request: pytest.FixtureRequest | None = None) -> Iterator[Screen]:
    """A window at the first page. A failing test leaves a picture of where it stopped."""
    page = context.new_page()
    page.goto(up.url)
    shown = Screen(page, up)
    failed_before = request.session.testsfailed if request else 0
    yield shown
    if request and request.session.testsfailed > failed_before:
        shown.picture(f"failed-{request.node.name}")
    page.close()
