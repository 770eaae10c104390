"""Signing in by an OpenID Connect server, and by a proxy that names its visitors: who gets in, and who does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import open_id_server
import pytest
import requests
from console_site import ADMIN, Browser, Page, serve
from crm_fakes.serving import answer_with
from crm_fakes.serving import serve as serve_fake
from harness import NOW
from open_id_server import OpenIdServer

from console.web.sign_in_settings import HeaderSettings, OpenIdSettings, SignInSettings
from console.web.site import Site, SiteOptions
from console.web.trusted_header import SECRET_HEADER
from leadgate.ledger import Ledger, accounts
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings, SettingsError
from leadgate.vocabulary import Role

HERE = "http://console.example"
KIM = {"sub": "007", "email": "kim@acme.example", "email_verified": True, "name": "Kim Okonkwo"}
ROLES = {"leads-ops": Role.OPERATOR, "leads-sales": Role.REP}


@dataclass
class Door:
    """A browser that keeps its cookies, in front of a console that knows ``server``."""

    browser: Browser
    server: OpenIdServer
    site: Site
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **headers: str) -> Page:
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(HTTPConnection("127.0.0.1", self.browser.port, timeout=60)) as connection:
            connection.request("GET", address, headers=sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("set-cookie") or ():
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
            given = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, given, answer.read().decode(), address)

    def start(self, after: str = "/") -> str:
        """Where the server sends the browser back to, after it was sent there."""
        sent = self.get(f"/sign-in/open-id?after={after}")
        assert sent.status == 303, sent.text
        answer = requests.get(sent.headers["location"], allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text
        back = answer.headers["Location"]
        assert back.startswith(f"{HERE}/sign-in/open-id/back?")
        parts = urlsplit(back)
        return f"{parts.path}?{parts.query}"

    def sign_in(self, **person: Any) -> Page:
        self.server.person = {**KIM, **person}
        return self.get(self.start())

    def find(self, login: str = "kim@acme.example") -> accounts.Account | None:
        return accounts.find_account(self.site.ledger, login)

    @property
    def is_signed_in(self) -> bool:
        return self.get("/account").status == 200


@pytest.fixture
def open_door(ledger: Ledger, loaded: LoadedPlaybook, settings: Settings) -> Iterator[Callable[..., Door]]:
    """A console with these settings for its OpenID Connect server."""
    with contextlib.ExitStack() as stack:

        def opened(**more: Any) -> Door:
            server = OpenIdServer(f"{HERE}/sign-in/open-id/back", NOW)
            server.base = stack.enter_context(serve_fake(server))
            known = OpenIdSettings(server.base, open_id_server.CLIENT, open_id_server.SECRET, **more)
            options = SiteOptions(HERE, as_of=NOW, sign_in=SignInSettings(known))
            site = Site(ledger, loaded, settings, options)
            return Door(Browser(stack.enter_context(serve(site))), server, site)

        yield opened


def add(ledger: Ledger, login: str, *roles: Role, password: str | None = None) -> accounts.Account:
    return accounts.add_account(ledger, login=login, name=login, roles=roles, password=password, by=ADMIN, now=NOW)


def test_somebody_goes_to_the_server_and_comes_back_signed_in(open_door: Callable[..., Door]) -> None:
    door = open_door(roles=ROLES)
    door.server.person = {**KIM, "groups": ["leads-ops", "everybody"]}
    back = door.get(door.start("/account%3Fx%3D1"))
    assert (back.status, back.headers["location"]) == (303, "/account?x=1")
    assert door.is_signed_in
    account = door.find()
    assert account is not None
    assert (account.name, account.roles, account.email) == ("Kim Okonkwo", {Role.OPERATOR}, "kim@acme.example")
    assert door.server.errors == []


def test_the_page_of_the_sign_in_leads_to_the_server_and_only_where_there_is_one(
    open_door: Callable[..., Door], console: Any
) -> None:
    assert open_door().get("/sign-in?after=/x").tree.xpath("//a/@href[starts-with(., '/sign-in/open-id')]")
    without = console.visit()
    assert not without.get("/sign-in").tree.xpath("//a/@href[starts-with(., '/sign-in/open-id')]")
    assert {without.send("GET", path).status for path in ("/sign-in/open-id", "/sign-in/open-id/back")} == {404}


def test_a_secret_may_be_sent_in_the_form_where_the_server_asks_for_that(open_door: Callable[..., Door]) -> None:
    door = open_door(roles=ROLES)
    door.server.ways = ("client_secret_post",)
    assert door.sign_in(groups=["leads-ops"]).status == 303
    assert door.is_signed_in


# --- what is refused --------------------------------------------------------------------------------------


def say(**changed: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {name: value for name, value in (claims | changed).items() if value is not ...}


LONG_AGO, AHEAD = int((NOW - timedelta(hours=1)).timestamp()), int((NOW + timedelta(hours=1)).timestamp())


@pytest.mark.parametrize(
    "changed",
    [
        say(iss="https://other.example"),
        say(iss=...),
        say(aud="another client"),
        say(aud=["another client"]),
        say(aud=[open_id_server.CLIENT, "another client"], azp="another client"),
        say(exp=LONG_AGO),
        say(exp=...),
        say(exp="soon"),
        say(iat=AHEAD),
        say(nbf=AHEAD),
        say(nonce="of another sign-in"),
        say(nonce=...),
        say(sub=...),
        say(sub=7),
        say(sub=""),
        say(sub="7" * 256),
    ],
    ids=[
        "iss", "no iss", "aud", "aud in a list", "azp", "exp", "no exp", "exp as words", "iat", "nbf", "nonce",
        "no nonce", "no sub", "sub as a number", "empty sub", "long sub",
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    open_door: Callable[..., Door], changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    door = open_door(roles=ROLES)
    door.server.change_claims = changed
    assert door.sign_in(groups=["leads-ops"]).status == 403
    assert not door.is_signed_in
    assert door.find() is None
    assert door.server.errors == []


@pytest.mark.parametrize("how", ["sign_by_secret", "sign_not", "sign_by_stranger"])
def test_a_token_that_the_server_has_not_signed_lets_nobody_in(open_door: Callable[..., Door], how: str) -> None:
    door = open_door(roles=ROLES)
    door.server.sign = getattr(door.server, how)
    assert door.sign_in(groups=["leads-ops"]).status == 403
    assert door.find() is None
    assert door.server.errors == []


def test_keys_that_the_server_has_changed_are_asked_for_again(
    open_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = open_door(roles=ROLES)
    assert door.sign_in(groups=["leads-ops"]).status == 303
    door.server.turn_keys()
    assert door.sign_in(groups=["leads-ops"]).status == 403  # asked for a moment ago: nobody makes us ask all the time
    monkeypatch.setattr("console.web.open_id_provider._ASKED_AGAIN", 0.0)
    assert door.sign_in(groups=["leads-ops"]).status == 303


def test_a_way_back_counts_once_and_in_the_browser_where_it_began(open_door: Callable[..., Door]) -> None:
    door = open_door(roles=ROLES)
    door.server.person = {**KIM, "groups": ["leads-ops"]}
    back = door.start()
    stolen = Door(door.browser, door.server, door.site)
    assert stolen.get(back).status == 403  # without the cookie
    stolen.start()
    assert stolen.get(back).status == 403  # with that of another attempt
    cookie = door.cookies["__Host-leadgate-open-id"]
    body, _, signature = cookie.partition(".")
    for forged in (f"{body}.", f"{body}x.{signature}", f".{signature}", "no cookie", "\u00e9"):
        stolen.cookies["__Host-leadgate-open-id"] = forged
        assert stolen.get(back).status == 403
    assert door.get(back).status == 303
    assert door.get(back).status == 403
    door.cookies["__Host-leadgate-open-id"] = cookie
    assert door.get(back).status == 403  # the server gives nothing for a code that it has seen


def test_somebody_whom_the_server_does_not_let_in_is_told_so_in_our_words(open_door: Callable[..., Door]) -> None:
    door = open_door(roles=ROLES)
    _, _, query = door.start().partition("?")
    state = dict(part.split("=") for part in query.split("&"))["state"]
    page = door.get(f"/sign-in/open-id/back?error=access_denied&error_description=EVIL&state={state}")
    assert (page.status, "EVIL" in page.text) == (403, False)


def test_an_address_elsewhere_is_no_place_to_go_on(open_door: Callable[..., Door]) -> None:
    door = open_door(roles=ROLES)
    door.server.person = {**KIM, "groups": ["leads-ops"]}
    assert door.get(door.start("//evil.example")).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_a_server_that_fails_or_answers_nonsense_lets_nobody_in(open_door: Callable[..., Door], path: str) -> None:
    door = open_door(roles=ROLES)
    door.server.person = {**KIM, "groups": ["leads-ops"]}
    for fault in (answer_with(200, b"<html>"), answer_with(200, []), answer_with(404, {})):
        door.server.faults.plan(fault, matching=path)
        sent = door.get("/sign-in/open-id")
        if path.startswith("/.well"):
            assert (sent.status, door.server.faults.are_used_up) == (503, True)
            continue
        answer = requests.get(sent.headers["location"], allow_redirects=False, timeout=30)
        parts = urlsplit(answer.headers["Location"])
        assert door.get(f"{parts.path}?{parts.query}").status in (403, 503)
        assert door.server.faults.are_used_up
    assert door.find() is None


# --- whose account it is ----------------------------------------------------------------------------------


def test_an_account_that_an_admin_made_is_whose_login_it_is_and_then_theirs_for_good(
    open_door: Callable[..., Door], ledger: Ledger
) -> None:
    door = open_door()
    assert door.sign_in().status == 400  # roles are an admin's to give
    made = add(ledger, "Kim@acme.example", Role.REVIEWER)
    assert door.sign_in().status == 303
    assert door.find() == made
    assert door.sign_in(email="kim.married@acme.example").status == 303  # the same person, with another address
    assert len(accounts.list_accounts(ledger)) == 1
    assert door.sign_in(sub="008").status == 400  # another person, to whom the server gave the address


def test_an_account_with_a_password_is_nobody_elses(open_door: Callable[..., Door], ledger: Ledger) -> None:
    door = open_door(roles=ROLES)
    add(ledger, "kim@acme.example", Role.ADMIN, password="correct horse battery")  # noqa: S106 - of this test
    assert door.sign_in(groups=["leads-ops"]).status == 400
    assert not door.is_signed_in


def test_an_address_that_is_not_verified_is_nobodys(open_door: Callable[..., Door], ledger: Ledger) -> None:
    door = open_door(roles=ROLES)
    for verified in (False, None, "false"):
        assert door.sign_in(email_verified=verified, groups=["leads-ops"]).status == 403
    for email in ("", 7, None):
        assert door.sign_in(email=email, groups=["leads-ops"]).status == 403
    assert accounts.list_accounts(ledger) == []


def test_roles_are_those_of_the_servers_groups_at_each_sign_in(open_door: Callable[..., Door], ledger: Ledger) -> None:
    door = open_door(roles=ROLES)
    assert door.sign_in(groups=["leads-ops", "leads-sales"]).status == 303
    account = door.find()
    assert account is not None
    assert account.roles == {Role.OPERATOR, Role.REP}
    assert door.sign_in(groups="leads-sales").status == 303
    account = door.find()
    assert account is not None
    assert account.roles == {Role.REP}
    for groups in ([], ["admin"], "operator", None, {"leads-ops": 1}, 7):
        assert door.sign_in(groups=groups).status == 403


def test_a_disabled_account_lets_nobody_in(open_door: Callable[..., Door], ledger: Ledger) -> None:
    door = open_door(roles=ROLES)
    door.sign_in(groups=["leads-ops"])
    accounts.disable_account(ledger, "kim@acme.example", by=ADMIN, now=NOW)
    assert door.sign_in(groups=["leads-ops"]).status == 400
    assert not door.is_signed_in


# --- a proxy that names its visitors ----------------------------------------------------------------------

PROXY = "the proxy's secret, which is long enough"


@pytest.fixture
def behind(ledger: Ledger, loaded: LoadedPlaybook, settings: Settings, request: Any) -> Iterator[Door]:
    """A console that believes proxies on these networks."""
    networks = getattr(request, "param", "127.0.0.0/8")
    header = HeaderSettings("X-Forwarded-User", (ip_network(networks),), PROXY)
    site = Site(ledger, loaded, settings, SiteOptions(HERE, as_of=NOW, sign_in=SignInSettings(header=header)))
    add(ledger, "kim", Role.REVIEWER)
    add(ledger, "ann", Role.REVIEWER)
    with serve(site) as port:
        yield Door(Browser(port), OpenIdServer("", NOW), site)


def vouch(login: str, secret: str = PROXY) -> dict[str, str]:
    return {"X_Forwarded_User": login, SECRET_HEADER.replace("-", "_"): secret}


def test_whom_a_trusted_proxy_names_is_signed_in(behind: Door) -> None:
    asked = behind.get("/account", **vouch("KIM"))
    assert asked.headers["location"] == "/sign-in?after=/account"
    assert behind.get("/sign-in?after=/account", **vouch("KIM")).headers["location"] == "/account"
    assert "kim" in behind.get("/account", **vouch("KIM")).words


def test_another_person_at_the_same_browser_is_not_the_one_before(behind: Door) -> None:
    behind.get("/sign-in", **vouch("kim"))
    assert behind.get("/account", **vouch("ann")).status == 303
    behind.get("/sign-in", **vouch("ann"))
    page = behind.get("/account", **vouch("ann"))
    assert page.status == 200
    assert "ann" in page.words


@pytest.mark.parametrize("secret", ["", "wrong", PROXY[:-1], PROXY + " x"])
def test_a_header_without_the_secret_signs_nobody_in(behind: Door, secret: str) -> None:
    page = behind.get("/sign-in", **vouch("kim", secret))
    assert (page.status, "set-cookie" in page.headers) == (200, False)


@pytest.mark.parametrize("behind", ["10.0.0.0/8"], indirect=True)
def test_a_header_from_elsewhere_signs_nobody_in(behind: Door) -> None:
    page = behind.get("/sign-in", **vouch("kim"), X_Forwarded_For="10.0.0.1")
    assert (page.status, "set-cookie" in page.headers) == (200, False)


def test_somebody_without_an_account_and_with_a_disabled_one_is_told_alike(behind: Door, ledger: Ledger) -> None:
    accounts.disable_account(ledger, "ann", by=ADMIN, now=NOW)
    told = [behind.get("/sign-in", **vouch(login)) for login in ("ann", "zoe", "'; --")]
    assert {page.status for page in told} == {403}
    assert len({tuple(page.texts("//*[@role='alert']")) for page in told}) == 1


def test_other_ways_to_sign_in_stay_where_no_proxy_is_in_between(behind: Door) -> None:
    assert behind.get("/sign-in").texts("//button")


# --- settings ---------------------------------------------------------------------------------------------

OPEN_ID = {"LEADGATE_OIDC_ISSUER": "https://login.example.com/realm", "LEADGATE_OIDC_CLIENT_ID": "leadgate"}
HEADER = {
    "LEADGATE_TRUSTED_HEADER": "X-Forwarded-User",
    "LEADGATE_TRUSTED_HEADER_PEERS": "127.0.0.1",
    "LEADGATE_TRUSTED_HEADER_SECRET": PROXY,
}


def test_settings_are_read_from_the_environment_and_secrets_are_not_shown() -> None:
    assert SignInSettings.from_environment({}) == SignInSettings(None, None)
    roles = {"LEADGATE_OIDC_ROLES": "leads-ops=operator, CN=a=b=rep", "LEADGATE_OIDC_CLIENT_SECRET": "hush"}
    read = SignInSettings.from_environment(OPEN_ID | HEADER | roles)
    assert read.open_id is not None
    assert read.open_id.roles == {"leads-ops": Role.OPERATOR, "CN=a=b": Role.REP}
    assert read.header is not None
    assert "hush" not in repr(read)
    assert PROXY not in repr(read)


@pytest.mark.parametrize(
    "given",
    [
        {"LEADGATE_OIDC_ISSUER": "https://login.example.com"},
        {"LEADGATE_OIDC_CLIENT_ID": "leadgate"},
        OPEN_ID | {"LEADGATE_OIDC_ISSUER": "http://login.example.com"},
        OPEN_ID | {"LEADGATE_OIDC_ISSUER": "login.example.com"},
        OPEN_ID | {"LEADGATE_OIDC_ROLES": "operator"},
        OPEN_ID | {"LEADGATE_OIDC_ROLES": "leads-ops=operater"},
        HEADER | {"LEADGATE_TRUSTED_HEADER": "X User"},
        HEADER | {"LEADGATE_TRUSTED_HEADER_PEERS": ""},
        HEADER | {"LEADGATE_TRUSTED_HEADER_PEERS": "everywhere"},
        HEADER | {"LEADGATE_TRUSTED_HEADER_SECRET": ""},
        HEADER | {"LEADGATE_TRUSTED_HEADER_SECRET": "short"},
    ],
    ids=range(11),
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="LEADGATE_"):
        SignInSettings.from_environment(given)
