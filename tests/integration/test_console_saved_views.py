"""Saved views of the report on its page: named, listed, edited, paused, sent, deleted; each its person's own."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, read_json
from console_site import ADMIN, Browser, ConsoleSite, Page
from harness import NOW, Harness, make_lead
from smtp_sink import taking_mail

from leadgate.ledger import accounts
from leadgate.vocabulary import Role

FIELDS = {
    "name": "Website, weekly", "section": "speed", "period": "last_week", "source": "website", "rep": "", "zone": "",
    "every": "weekly", "weekday": "0", "day": "1", "at": "08:30", "time_zone": "Europe/Berlin",
}  # fmt: skip


@pytest.fixture
def worked(harness: Harness) -> Harness:
    harness.begin(*[make_lead(number, Title="Chief") for number in range(4)])
    return harness


def sign_in(console: ConsoleSite, login: str = "mia", *roles: Role, email: str | None = "mia@team.example") -> Browser:
    browser = console.sign_in(login, *(roles or (Role.MANAGER,)))
    if email:
        accounts.set_email(console.site.ledger, login, email, by=ADMIN, now=NOW)
    return browser


@pytest.fixture
def mia(worked: Harness, console: ConsoleSite) -> Browser:
    return sign_in(console)


def list_saved(browser: Browser) -> list[str]:
    return browser.get("/reports").texts("//section[@id='saved']//tbody/tr")


def find_id(page: Page) -> int:
    (href,) = page.tree.xpath("//section[@id='saved']//a[starts-with(@href, '/reports/views/') and @aria-label]/@href")
    return int(re.findall(r"[0-9]+", href)[0])


def test_a_view_is_saved_from_the_page_listed_edited_paused_and_deleted(mia: Browser) -> None:
    page = mia.get("/reports", section="speed", period="last_week", source="website")
    (new,) = page.tree.xpath("//section[@id='saved']//a[text()='Save this view']/@href")
    form = mia.get(new)
    assert form.tree.xpath("//select[@name='period']/option[@selected]/@value") == ["last_week"]
    assert form.tree.xpath("//select[@name='source']/option[@selected]/@value") == ["website"]
    for _ in range(2):  # pressed twice, it is one view
        listed = mia.post("/reports/views", **FIELDS)
    (row,) = listed.texts("//section[@id='saved']//tbody/tr")
    assert "Website, weekly" in row
    assert "every Monday at 08:30 (Europe/Berlin)" in row
    (address,) = listed.tree.xpath("//section[@id='saved']//tbody//th/a/@href")
    assert address == "/reports?section=speed&period=last_week&source=website"
    assert mia.get(address).status == 200

    view = find_id(listed)
    edited = mia.get(f"/reports/views/{view}")
    assert edited.tree.xpath("//input[@name='at']/@value") == ["08:30"]
    assert edited.tree.xpath("//select[@name='weekday']/option[@selected]/@value") == ["0"]
    mia.post(f"/reports/views/{view}", **FIELDS | {"name": "Mine", "every": "daily"})
    assert "every day at 08:30" in list_saved(mia)[0]
    assert "paused" in mia.post(f"/reports/views/{view}/pause").texts("//section[@id='saved']//tbody/tr")[0]
    assert "paused" not in mia.post(f"/reports/views/{view}/resume").texts("//section[@id='saved']//tbody/tr")[0]
    assert mia.post(f"/reports/views/{view}/delete").texts("//section[@id='saved']//tbody/tr") == []
    assert mia.post(f"/reports/views/{view}/delete").status == 404


def test_a_view_of_somebody_else_is_not_there(mia: Browser, console: ConsoleSite) -> None:
    view = find_id(mia.post("/reports/views", **FIELDS))
    other = sign_in(console, "max", Role.MANAGER, Role.ADMIN, email="max@team.example")
    assert list_saved(other) == []
    assert other.get(f"/reports/views/{view}").status == 404
    for action in ("", "/pause", "/resume", "/send", "/delete"):
        assert other.post(f"/reports/views/{view}{action}", **(FIELDS if not action else {})).status == 404
    assert len(list_saved(mia)) == 1


@pytest.mark.parametrize("role", [Role.REP, Role.PRIVACY_OFFICER])
def test_who_may_not_read_reports_saves_no_view(worked: Harness, console: ConsoleSite, role: Role) -> None:
    someone = sign_in(console, "someone", role, email="someone@team.example")
    assert someone.get("/reports/views/new").status == 403
    for action in ("", "/1", "/1/pause", "/1/resume", "/1/send", "/1/delete"):
        assert someone.post(f"/reports/views{action}", **(FIELDS if action in ("", "/1") else {})).status == 403
    assert worked.rows("SELECT * FROM saved_view") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "n" * 8_000}, "1 to 80 characters; this one has 8,000"),
        ({"name": "x\r\nBcc: all@example.com"}, "characters that can be printed"),
        ({"name": ""}, "1 to 80 characters"),
        ({"period": "next_week"}, "there is no period"),
        ({"section": "nothing"}, "there is no section"),
        ({"source": "nowhere"}, "there is no source"),
        ({"rep": "nobody"}, "there is no rep"),
        ({"zone": "Mars/Olympus"}, "is not a time zone"),
        ({"every": "hourly"}, "daily, weekly, monthly"),
        ({"weekday": "9"}, "weekday"),
        ({"every": "monthly", "day": "32"}, "day of the month"),
        ({"every": "monthly", "day": "x"}, "is a number"),
        ({"at": "8 o'clock"}, "written like 08:00"),
        ({"at": "08:00+02:00"}, "written like 08:00"),
        ({"time_zone": "../../etc/passwd"}, "is not a time zone"),
    ],
)
def test_what_cannot_be_saved_is_told(worked: Harness, mia: Browser, change: dict[str, str], words: str) -> None:
    page = mia.post("/reports/views", **FIELDS | change)
    assert page.status == 400
    assert words in page.words
    assert worked.rows("SELECT * FROM saved_view") == []


def test_without_an_address_a_view_is_saved_and_not_sent(worked: Harness, console: ConsoleSite) -> None:
    mia = sign_in(console, email=None)
    assert "no e-mail address" in mia.post("/reports/views", **FIELDS).words
    view = find_id(mia.post("/reports/views", **FIELDS | {"every": ""}))
    assert mia.post(f"/reports/views/{view}/send").status == 400


def test_hostile_names_are_shown_harmless(worked: Harness, mia: Browser) -> None:
    page = mia.post("/reports/views", **FIELDS | {"name": "<script>alert(1)</script>{{ 7 * 7 }}"})
    assert "<script>alert(1)</script>{{ 7 * 7 }}" in page.texts("//section[@id='saved']")[0]
    assert page.tree.xpath("//main//script") == []
    assert mia.get(f"/reports/views/{find_id(page)}").tree.xpath("//main//script") == []


def test_asked_for_on_the_page_it_is_sent_by_the_process_that_delivers(
    worked: Harness, mia: Browser, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = find_id(mia.post("/reports/views", **FIELDS))
    assert "is being sent" in mia.post(f"/reports/views/{view}/send").texts("//section[@id='saved']//tbody/tr")[0]
    now = (NOW + timedelta(minutes=2)).isoformat()
    assert "set LEADGATE_MAIL_SERVER" in cli("deliver", "--now", now).stdout
    with taking_mail() as box:
        monkeypatch.setenv("LEADGATE_MAIL_SERVER", f"mailto://127.0.0.1:{box.port}?from=leadgate@example.com")
        monkeypatch.setenv("LEADGATE_CONSOLE_URL", "https://leads.example.com")
        assert read_json(cli("deliver", "--now", now, "--json"))["reports"]["sent"] == 1
        assert read_json(cli("views", "send", f"V{view}", "--now", now, "--json"))["sent"] == 1
        assert cli("views", "send", "V99", code=2)
    assert [message["To"] for message in box.messages] == ["mia@team.example"] * 2
    (listed,) = read_json(cli("views", "list", "--json"))["views"]
    assert (listed["view"], listed["account"], listed["last"]) == (f"V{view}", "mia", "sent")
    assert "Website, weekly" in cli("views", "list").stdout
    assert "sent Wed 4 Mar" in list_saved(mia)[0]


def test_an_admin_gives_an_account_an_address(worked: Harness, cli: Cli) -> None:
    accounts.add_account(worked.ledger, login="mia", name="Mia", roles=[Role.MANAGER], by=ADMIN, now=NOW)
    cli("user", "email", "mia", "--address", "mia@team.example")
    account = accounts.find_account(worked.ledger, "mia")
    assert account is not None
    assert account.email == "mia@team.example"
    for address in ("mia", "a@b.example,c@d.example", "mia@team.example\nBcc: x@y.example"):
        cli("user", "email", "mia", "--address", address, code=2)


def test_what_waits_to_be_sent_is_on_the_page_of_operations(
    worked: Harness, mia: Browser, console: ConsoleSite
) -> None:
    view = find_id(mia.post("/reports/views", **FIELDS))
    mia.post(f"/reports/views/{view}/send")
    page: Any = mia.get("/operations")
    while "refresh" in page.headers:
        page = mia.get("/operations")
    assert "reports by e-mail" in page.words
