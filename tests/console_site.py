"""The web console as tests use it: the real application in a real server on loopback, and people who are signed in.

Belongs here: the server, and requests as a browser sends them. Does not belong here: Chromium (``browser``).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urldefrag, urlencode, urljoin

import lxml.html
import pytest
from argon2 import PasswordHasher
from forked import wait_for
from harness import NOW

from console.http.connections import Connections, Limits
from console.http.serving import Server, build_config
from console.web.app import build_app
from console.web.site import Site, SiteOptions
from console.web.visitors import COOKIE
from leadgate import passwords
from leadgate.actors import Actor
from leadgate.ledger import Ledger, accounts, web_sessions
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import Role

#: Who makes the accounts of tests.
ADMIN = Actor("tests", roles=frozenset({Role.ADMIN}))
#: Of a form that a page of ours sends.
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Page:
    """An answer of the console."""

    status: int
    headers: dict[str, str]
    text: str
    address: str

    @cached_property
    def tree(self) -> Any:
        return lxml.html.fromstring(self.text)

    def texts(self, xpath: str) -> list[str]:
        """The text of each element that ``xpath`` finds, its white space as a browser shows it."""
        return [" ".join(each.text_content().split()) for each in self.tree.xpath(xpath)]

    @property
    def words(self) -> str:
        """What is read on the page."""
        return " ".join(self.tree.body.text_content().split())


@dataclass
class Browser:
    """Sends requests as a browser does: with the cookie of a session, and where a form comes from."""

    port: int
    token: str | None = field(default=None, repr=False)

    def send(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Page:
        sent = {"Cookie": f"{COOKIE}={self.token}"} if self.token else {}
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, sent | (headers or {}))
            answer = connection.getresponse()
            given = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, given, answer.read().decode(), path)

    def get(self, path: str, **query: Any) -> Page:
        """The page at ``path``; redirections are followed."""
        page = self.send("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)
        return self._follow(page)

    def post(self, path: str, **fields: Any) -> Page:
        """Send a form of ours; the redirection after it is followed."""
        page = self.send("POST", path, urlencode(fields, doseq=True), SAME_ORIGIN | {"Content-Type": FORM})
        return self._follow(page)

    def _follow(self, page: Page) -> Page:
        for _ in range(5):
            if page.status != 303:
                break
            page = self.send("GET", urldefrag(urljoin(page.address, page.headers["location"])).url)
        return page


FORM = "application/x-www-form-urlencoded"


class ConsoleSite:
    """A console of the test's ledger, as of the tests' moment, and its people. It is started by the first visit: a
    ledger to which somebody is connected cannot be copied (``Harness.begin``)."""

    def __init__(self, site: Site, ends: contextlib.ExitStack) -> None:
        self.site = site
        self._ends = ends

    @cached_property
    def port(self) -> int:
        return self._ends.enter_context(serve(self.site))

    def visit(self) -> Browser:
        """A browser in which nobody is signed in."""
        return Browser(self.port)

    def sign_in(self, login: str, *roles: Role, rep: str | None = None) -> Browser:
        """The browser of somebody who has an account, made here where there is none, and is signed in."""
        ledger, now = self.site.ledger, self.site.now()
        account = accounts.find_account(ledger, login)
        if account is None:
            account = accounts.add_account(
                ledger, login=login, name=login.title(), roles=roles, rep=rep, by=ADMIN, now=now
            )
        return Browser(self.port, web_sessions.open_session(ledger, account.id, now))

    def sign_in_rep(self, rep: str) -> Browser:
        return self.sign_in(rep, Role.REP, rep=rep)


@contextlib.contextmanager
def serve(site: Site) -> Iterator[int]:
    """The port of the real application in a real server on loopback."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as taken:
        config = build_config(build_app(site), Connections(Limits.of(1024)))
        server = Server(config, "console", site.changes.end)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield taken.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def console_as_of() -> Any:
    """The moment at which the console is looked at; None: now."""
    return NOW


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of passwords that take no time. Nobody attacks those of a test."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "_make_unknown", cache(lambda: passwords._hasher.hash("nobody's")))


@pytest.fixture
def console(
    ledger: Ledger, loaded: LoadedPlaybook, settings: Settings, console_as_of: Any, cheap_passwords: None
) -> Iterator[ConsoleSite]:
    site = Site(
        ledger,
        loaded,
        settings,
        SiteOptions("http://console.example", prefect_url="http://127.0.0.1:4200", as_of=console_as_of),
    )
    with contextlib.ExitStack() as ends:
        yield ConsoleSite(site, ends)
