"""People who use the console in Chromium, each signed in for themselves, with script and without, on one worked ledger.

Belongs here: the ledger, who the people are, their windows, and what must be true of every page that they see. Does not
belong here: what they do (the tests), or the console that is served (``console_site``).

A window with script is a desktop's, one without is a phone's: so both widths are driven, too. Everything is done in both,
and by everybody in both, though not everything by everybody in both (``alternate``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import databases
import pytest
from argon2 import PasswordHasher
from console_site import ConsoleSite
from harness import INSISTS, KEY, NOW, PLAYBOOK, Harness, make_lead

from console.web.site import Site, SiteOptions
from console.web.visitors import COOKIE
from leadgate import passwords
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import Role

#: The moment at which the console is looked at: all leads came half an hour before.
LATER: Final = NOW + timedelta(minutes=30)
#: Leads of a kind: more than the tests use up.
OWNED: Final = 64
HELD: Final = 28

#: By login: their roles, and who they are in the playbook.
PEOPLE: Final[dict[str, tuple[Role, str | None]]] = {
    "ana": (Role.REP, "ana"),
    "cyn": (Role.REP, "cyn"),
    "mia": (Role.MANAGER, "mia"),  # of ana and bob
    "max": (Role.MANAGER, "max"),  # of cyn
    "rita": (Role.REVIEWER, None),
    "otto": (Role.OPERATOR, None),
    "petra": (Role.PRIVACY_OFFICER, None),
    "ada": (Role.ADMIN, None),
}
#: Decided by ana, so that everybody who decides work items may decide all of them: she, her manager, and who has all.
REASONS: Final = ("email_malformed", "phone_impossible", "likely_duplicate", "score_in_review_band", "undeliverable")


def alternate(logins: Sequence[str], actions: Iterable[str]) -> Any:
    """Each of ``logins`` with each of ``actions``, by turns with script and without."""
    cases = [
        pytest.param(
            login,
            action,
            (row + column) % 2 == 0,
            id=f"{login}-{action}{'' if (row + column) % 2 == 0 else '-no script'}",
        )
        for row, login in enumerate(logins)
        for column, action in enumerate(actions)
    ]
    return pytest.mark.parametrize(("login", "action", "scripted"), cases)


def load() -> LoadedPlaybook:
    text = (
        PLAYBOOK.removesuffix(INSISTS)
        .replace("{name: cyn, manager: mia}", "{name: cyn, manager: max}")
        .replace("{rep: ana}, {rep: bob, weight: 2}", "{rep: ana, weight: 3}, {rep: bob}")
        .replace("scoring:\n", "matching: {likely: [phone]}\nbreaker: {share: 1}\nscoring:\n", 1)
        .replace("exceptions:\n", f"exceptions:\n  - {{to: ana, within: 8h, reasons: [{', '.join(REASONS)}]}}\n")
        .replace("  - {to: data_quality, within: 8h, reasons: [email_malformed, phone_impossible]}\n", "")
    )
    return playbooks.parse(text + INSISTS, path=Path("people.yaml"))


def fill(harness: Harness) -> None:
    """Leads with owners, and those that wait for a decision, some of each kind."""
    owned = [make_lead(number) for number in range(100, 100 + OWNED)]
    held = [
        row
        for number in range(300, 300 + HELD)
        for row in (
            make_lead(number, Phone="12"),
            make_lead(number + 100, Email=f"jo{number}@gmial.com"),
            make_lead(number + 200, Company="", Title="Chief"),
        )
    ]
    harness.capture(*owned, *held)
    harness.run()
    twins = [make_lead(number + 500, Phone=f"+4930{1000000 + number}") for number in range(100, 112)]
    harness.capture(*twins)
    harness.run()
    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql(UNDELIVERABLE)


#: Of leads that ana owns: a message to her was given up.
UNDELIVERABLE: Final = (
    "INSERT INTO work_item (kind, blocking, reason, stage, promise, journey_id, generation, message, route, due_at, "
    "opened_at) SELECT 'recovery', false, 'undeliverable', 'follow_up', 'owner_told', journey_id, 0, "
    "'a message was given up', 'ana', assigned_at + interval '8 hours', assigned_at FROM assignment "
    "WHERE owner = 'ana' AND ended_at IS NULL ORDER BY id LIMIT 6"
)


@dataclass
class Window:
    """A page in which ``login`` is signed in. ``problems``: what no page may do, whoever looks at it."""

    page: Any
    login: str
    scripted: bool
    home: str
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda told: self.problems.append(told.text) if told.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda sent: None if sent.url.startswith(self.home) else self.problems.append(sent.url))

    def open(self, path: str) -> Any:
        self.page.goto(self.home + path)
        self.check()
        return self.page

    def check(self) -> None:
        """Nothing failed, nothing was asked of another server, and nothing is wider than the window."""
        self.page.wait_for_load_state()  # its heading may be there before the rest of it
        assert self.problems == [], (self.login, self.page.url)
        # by the element, which is waited for: a page that has just come may have none yet
        wide = self.page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
        assert wide <= 0, (self.login, self.page.url, wide)

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """What a form of another role, sent from a page of theirs, is answered: the status, and the words."""
        status, words = self.page.evaluate(_POST, [path, fields])
        self.problems[:] = [each for each in self.problems if "Failed to load resource" not in each]
        return int(status), str(words)


_POST: Final = """async ([path, fields]) => {
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return [answer.status, page.getElementById("problem")?.textContent.trim() || ""];
}"""


class Ground:
    """A worked ledger, its console, and the windows of its people, which are opened once."""

    def __init__(self, harness: Harness, console: ConsoleSite, browser: Any, ends: contextlib.ExitStack) -> None:
        self.harness, self.console = harness, console
        self._browser, self._ends = browser, ends
        self._windows: dict[tuple[str, bool], Window] = {}

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.console.port}"

    def open_window(self, login: str = "", *, scripted: bool = True) -> Window:
        """A new window; somebody is signed in where a login is given."""
        home = self.home  # the server is started before the window is opened, so that it is stopped after
        size = {"width": 1280, "height": 900} if scripted else {"width": 390, "height": 800}
        context = self._browser.new_context(java_script_enabled=scripted, viewport=size, reduced_motion="reduce")
        context.set_default_timeout(60_000)
        self._ends.callback(context.close)
        if login:
            role, rep = PEOPLE[login]
            token = self.console.sign_in(login, role, rep=rep).token
            address = home.replace("http:", "https:")
            context.add_cookies([{"name": COOKIE, "value": token, "url": address, "secure": True}])
        window = Window(context.new_page(), login, scripted, home)
        window.watch()
        return window

    def window(self, login: str, *, scripted: bool = True) -> Window:
        """The window of somebody, which stays open for all that they do."""
        if (login, scripted) not in self._windows:
            self._windows[login, scripted] = self.open_window(login, scripted=scripted)
        return self._windows[login, scripted]

    def find_lead(self, owner: str = "ana") -> int:
        """A lead that its owner has done nothing about yet."""
        return int(
            self.harness.rows(
                "SELECT j.lead_id FROM assignment a JOIN journey j ON j.id = a.journey_id WHERE a.owner = :owner "
                "AND a.ended_at IS NULL AND NOT EXISTS (SELECT FROM action x WHERE x.journey_id = j.id) "
                "ORDER BY a.due_at, a.id LIMIT 1",
                owner=owner,
            )[0][0]
        )

    def find_items(self, reason: str, count: int = 1) -> list[int]:
        """Open work items that nobody has taken, as the queue lists them."""
        rows = self.harness.rows(
            "SELECT id FROM work_item WHERE reason = :reason AND closed_at IS NULL AND assignee IS NULL "
            "ORDER BY due_at, id LIMIT :count",
            reason=reason,
            count=count,
        )
        assert len(rows) == count
        return [item for (item,) in rows]

    def list_actions(self, lead: int) -> list[tuple[Any, ...]]:
        """What was done about a lead, by whom, and for whom."""
        return self.harness.rows(
            "SELECT x.what, x.by, x.acted_for FROM action x JOIN journey j ON j.id = x.journey_id "
            "WHERE j.lead_id = :lead ORDER BY x.id",
            lead=lead,
        )


@pytest.fixture(scope="module")
def ground(postgres: Ledger, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    loaded = load()
    with contextlib.ExitStack() as ends:
        (url,) = ends.enter_context(databases.fresh(postgres))
        settings = Settings(home=tmp_path_factory.mktemp("people"), database_url=url, lease_seconds=5.0, key=KEY)
        ledger = ends.enter_context(open_ledger(settings))
        patch = ends.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        harness = Harness(ledger, loaded)
        harness.begin_with(f"people {loaded.hash}", lambda: fill(harness))
        options = SiteOptions("http://console.example", prefect_url="http://127.0.0.1:4200", as_of=LATER)
        console = ConsoleSite(Site(ledger, loaded, settings, options), ends)
        yield Ground(harness, console, browser, ends)
