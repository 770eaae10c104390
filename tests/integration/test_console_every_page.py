"""Every address of the console, asked by every role with values that fit and values that do not: no answer is an error of
the server, and none has a value of a lead that the role may not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from console_site import FORM, SAME_ORIGIN, Browser, ConsoleSite
from fastapi.routing import APIRoute
from harness import Harness

from console.web.app import _PAGES
from leadgate.vocabulary import Role

#: Values of leads that only some may read.
SECRET = {
    "Email": "zzsecretmail@acme.example",
    "First name": "Zzsecretfirst",
    "Last name": "Zzsecretlast",
    "Phone": "+49301234567",
}
MARKERS = ("zzsecret", "301234567", "30 1234567")
HOSTILE = (
    "0",
    "-1",
    "99999999999999999999999",
    "9223372036854775808",
    "W1",
    "J1",
    "'; DROP TABLE lead; --",
    "%",
    "\\",
    "\x00",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "2026-02-30",
    "9999-12-31",
    "1e309",
    "x" * 5_000,
)


@pytest.fixture
def worked(harness: Harness, console: ConsoleSite) -> ConsoleSite:
    """A ledger with a lead that is owned, one that waits for a review and one that is held."""
    harness.begin(
        SECRET | {"Company": "Acme", "Title": "Chief"},
        {"Email": "lead2@company2.example", "Company": "Company 2", "Title": "Clerk", "Last name": "Zzsecrettwo"},
        {"Email": "no address", "Last name": "Zzsecretthree", "Phone": "none"},
    )
    return console


def list_routes() -> list[APIRoute]:
    """Those of every page; the stream of events is no page."""
    routes = [route for router in _PAGES for route in router.routes if isinstance(route, APIRoute)]
    return [route for route in routes if route.path != "/live"]


def build_requests(route: APIRoute, values: Sequence[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Method, path and body: one that fits, and then each parameter with each of ``values``, the others as they fit."""
    dependant = route.dependant
    paths, queries = [each.alias for each in dependant.path_params], [each.alias for each in dependant.query_params]
    fields = [each.alias for each in dependant.body_params]
    method = min(route.methods)
    places = [("p", name) for name in paths] + [("q", name) for name in queries] + [("f", name) for name in fields]
    for place, name in [("", ""), *places]:
        for value in values if name else ("1",):
            path = route.path
            for each in paths:
                given = value if (place, each) == ("p", name) else "1"
                path = path.replace("{" + each + "}", quote(given, safe="")).replace(
                    "{" + each + ":path}", quote(given)
                )
            query = {each: value for each in queries if (place, each) == ("q", name)}
            body = {each: value if (place, each) == ("f", name) else "1" for each in fields}
            yield method, path + (f"?{urlencode(query)}" if query else ""), urlencode(body)


def send(browser: Browser, method: str, path: str, body: str) -> Any:
    if method == "GET":
        return browser.send("GET", path)
    return browser.send(method, path, body, SAME_ORIGIN | {"Content-Type": FORM})


ROLES: Final = (*Role, None)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role or "nobody"))
def test_no_value_that_is_sent_makes_an_error_of_the_server(worked: ConsoleSite, role: Role | None) -> None:
    """Each role sends some of the values for each parameter; all of them together send all."""
    values = HOSTILE[ROLES.index(role) :: len(ROLES)]

    def sign_in() -> Browser:
        if role is None:
            return worked.visit()
        return worked.sign_in("olga", *Role) if role == Role.ADMIN else worked.sign_in("ben", role, rep="bob")

    browser = sign_in()
    for route in list_routes():
        for method, path, body in build_requests(route, values):
            answer = send(browser, method, path, body)
            assert answer.status < 500, (method, path, body[:200])
            if "/account" in path or "sign" in path:  # these end sessions
                browser = sign_in()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.REP, Role.MANAGER])
def test_no_page_shows_values_of_leads_to_who_may_not_read_them(
    worked: ConsoleSite, harness: Harness, role: Role
) -> None:
    """A rep and a manager of others, and an admin, who manages accounts alone."""
    owners = {owner for (owner,) in harness.rows("SELECT owner FROM assignment WHERE ended_at IS NULL")}
    other_rep = min({"ana", "bob", "cyn"} - owners)
    stranger = worked.sign_in("ben", role, rep=other_rep if role == Role.REP else "somebody of another team")
    for route in list_routes():
        for method, path, body in build_requests(route):
            if method == "GET":
                shown = send(stranger, method, path, body)
                assert not [each for each in MARKERS if each in shown.text.lower()], path


def test_every_page_asks_strangers_to_sign_in(worked: ConsoleSite) -> None:
    open_to_all = {"/sign-in", "/sign-out", "/welcome", "/healthz", "/sign-in/open-id", "/sign-in/open-id/back"}
    for route in list_routes():
        if route.path in open_to_all:
            continue
        for method, path, body in build_requests(route):
            answer = send(worked.visit(), method, path, body)
            assert answer.status in (303, 401), path
            if answer.status == 303:
                assert answer.headers["location"].startswith("/sign-in"), path
