"""The frame of the console: signing in and out, what comes from other sites, and what every answer carries."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from console_site import ADMIN, FORM, SAME_ORIGIN, Browser, ConsoleSite
from harness import NOW, make_actor, make_lead
from stub_gates import pass_all

from leadgate.ledger import accounts
from leadgate.ledger.absences import go_away
from leadgate.ledger.announcements import CHANGED, find_kind
from leadgate.ledger.ownership import accept
from leadgate.vocabulary import Role

PASSWORD = "correct horse battery"  # noqa: S105 - of a ledger that ends with its test


@pytest.fixture
def ana(console: ConsoleSite) -> None:
    site = console.site
    accounts.add_account(
        site.ledger,
        login="ana",
        name="Ana",
        roles=(Role.REP,),
        password=PASSWORD,
        rep="ana",
        by=ADMIN,
        now=site.now(),
    )


def test_a_page_asks_who_is_not_signed_in_to_sign_in_and_goes_on_afterwards(console: ConsoleSite, ana: None) -> None:
    visitor = console.visit()
    asked = visitor.send("GET", "/?x=1")
    assert asked.status == 303
    assert asked.headers["location"] == "/sign-in?after=/%3Fx%3D1"
    body = f"login=ANA&password={PASSWORD}&after=/%3Fx%3D1"
    done = visitor.send("POST", "/sign-in", body, SAME_ORIGIN | {"Content-Type": FORM})
    assert (done.status, done.headers["location"]) == (303, "/?x=1")
    cookie = done.headers["set-cookie"]
    assert cookie.startswith("__Host-leadgate=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(
    ("login", "password"), [("ana", "wrong password"), ("nobody", PASSWORD), ("", ""), ("a" * 5000, "x")]
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(
    console: ConsoleSite, ana: None, login: str, password: str
) -> None:
    page = console.visit().post("/sign-in", login=login, password=password)
    assert page.status in (401, 422)
    assert "set-cookie" not in page.headers
    if page.status == 401:
        assert page.texts("//*[@role='alert']") == ["The name or the password is wrong."]


def test_passwords_cannot_be_guessed_fast(console: ConsoleSite, ana: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.web.sign_in._TRIES", 3)
    visitor = console.visit()
    statuses = [visitor.post("/sign-in", login="ana", password=f"guess {n}").status for n in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert console.visit().post("/sign-in", login="ana", password=PASSWORD).status == 429


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[x"}, False),
        ({}, True),
    ],
)
def test_a_form_that_another_site_sends_changes_nothing(
    console: ConsoleSite, headers: dict[str, str], taken: bool
) -> None:
    someone = console.sign_in("olga", Role.OPERATOR)
    answer = someone.send("POST", "/sign-out", "", headers | {"Content-Type": FORM})
    assert (answer.status == 303) is taken
    assert (someone.send("GET", "/").headers["location"].startswith("/sign-in")) is taken


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\\..\\b",
        "evil",
        "//[x",
        "/\x00",
    ],
)
def test_a_sign_in_leads_only_to_pages_of_ours(console: ConsoleSite, ana: None, address: str) -> None:
    body = f"login=ana&password={PASSWORD}&after={address}"
    answer = console.visit().send("POST", "/sign-in", body, SAME_ORIGIN | {"Content-Type": FORM})
    assert answer.headers["location"] == "/"


def test_every_answer_says_that_nothing_of_others_may_run_and_that_nothing_is_kept(console: ConsoleSite) -> None:
    visitor = console.visit()
    for path in ("/sign-in", "/", "/nothing/here", "/live", "/static/style.css", "/healthz"):
        headers = visitor.send("GET", path).headers
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert ("no-store" in headers["cache-control"]) is not path.startswith("/static/"), path


def test_a_body_without_an_end_is_cut_off(console: ConsoleSite) -> None:
    body = "login=" + "a" * 1_100_000
    assert console.visit().send("POST", "/sign-in", body, SAME_ORIGIN | {"Content-Type": FORM}).status == 413


def test_signing_out_ends_the_session_and_not_only_the_cookie(console: ConsoleSite) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert not olga.send("GET", "/").headers["location"].startswith("/sign-in")
    olga.post("/sign-out")
    assert olga.send("GET", "/").headers["location"].startswith("/sign-in")


@contextlib.contextmanager
def listening(browser: Browser, query: str = "") -> Iterator[socket.socket]:
    """The connection of an open page, which has heard that it hears."""
    with socket.create_connection(("127.0.0.1", browser.port), timeout=30) as stream:
        cookie = f"Cookie: __Host-leadgate={browser.token}"
        stream.sendall(f"GET /live{query} HTTP/1.1\r\nHost: x\r\n{cookie}\r\n\r\n".encode())
        heard = b""
        while b"event: changed\ndata:\n" not in heard:
            heard += stream.recv(4096)
        yield stream


def test_a_server_that_stops_ends_the_streams_of_open_pages(console: ConsoleSite) -> None:
    with contextlib.ExitStack() as ends, listening(ConsoleSite(console.site, ends).sign_in_rep("ana")) as stream:
        stopping = threading.Thread(target=ends.close)
        stopping.start()
        heard = b""
        while more := stream.recv(4096):
            heard += more
        stopping.join()
    assert heard.endswith(b"0\r\n\r\n")  # the answer is whole: it was not cut off after the time for others


def test_the_page_of_a_lead_hears_of_that_lead_alone(console: ConsoleSite, harness: Any) -> None:
    harness.begin(make_lead(1), make_lead(2), check=pass_all)
    owners = dict(harness.rows("SELECT journey_id, owner FROM assignment"))
    ana = console.sign_in_rep("ana")
    with listening(ana, "?lead=2") as stream:
        heard = b""
        accept(harness.ledger, 1, by=make_actor(owners[1]), now=NOW)
        go_away(harness.ledger, "ana", until=None, by=make_actor("ana"), now=NOW, playbook=harness.loaded.playbook)
        while heard.count(b"owners") < 1:  # who is away may be about any lead
            heard += stream.recv(4096)
        accept(harness.ledger, 2, by=make_actor(owners[2]), now=NOW)
        while heard.count(b"owners") < 2:
            heard += stream.recv(4096)
    assert ana.get("/live", lead="x").status == 422


@pytest.mark.parametrize(
    ("announced", "lead", "kind"),
    [
        ("owners 1 2", 2, "owners"),
        ("owners 12", 2, None),
        ("owners 12", None, "owners"),
        ("work_items", 2, "work_items"),
        ("work_items 0", 2, None),
        ("", 2, ""),
    ],
)
def test_a_change_is_about_a_lead_that_it_names_or_names_none(
    announced: str, lead: int | None, kind: str | None
) -> None:
    assert find_kind(announced, lead) == kind


def test_a_change_of_a_few_leads_names_them_and_one_of_many_names_none(harness: Any) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 24)), check=pass_all)
    with psycopg.connect(
        harness.ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as listener:
        listener.execute(f"LISTEN {CHANGED}")
        for which in ("= 1", "IN (2, 3)", "< 1", "> 0"):
            with harness.ledger.transaction() as connection:
                connection.exec_driver_sql(f"UPDATE assignment SET next_check_at = now() WHERE journey_id {which}")
        told = [each.payload for each in listener.notifies(timeout=20, stop_after=3)]
    assert [sorted(each.split()) for each in told] == [["1", "owners"], ["2", "3", "owners"], ["owners"]]


def test_an_open_page_hears_of_a_change_as_soon_as_it_is_committed(console: ConsoleSite, harness: Any) -> None:
    ana = console.sign_in_rep("ana")
    with listening(ana) as stream:
        heard = b""
        harness.capture({"Email": "lead1@company1.example", "Company": "Company 1", "Title": "Chief"})
        harness.run()
        while b"owners" not in heard:
            more = stream.recv(4096)
            assert more, heard
            heard += more
