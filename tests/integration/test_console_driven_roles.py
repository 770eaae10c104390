"""Every page in Chromium by each role: it is offered, and works, to who may see it; to others it is neither offered nor
open, and what they send all the same is refused in plain words and changes nothing."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from console_people import Ground, Window, ground
from console_site import ADMIN, ConsoleSite

from leadgate.ledger import accounts, invitations
from leadgate.vocabulary import Role

__all__ = ["ground"]

BOTH: Final = pytest.mark.parametrize("scripted", [True, False], ids=["script", "no script"])
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a ledger that ends with its test

ADDRESSES: Final = {
    "My leads": "/leads/mine",
    "Leads": "/leads",
    "Queue": "/queue",
    "Team": "/team",
    "Forecast": "/forecast",
    "Reports": "/reports",
    "Playbook": "/playbook",
    "Operations": "/operations",
    "Quality": "/quality",
    "Accounts": "/accounts",
}
#: By somebody of each role: the pages that they are offered, the one that they begin on first.
OFFERED: Final = {
    "ana": ("My leads", "Leads", "Queue", "Forecast"),
    "mia": ("Team", "Leads", "Queue", "Forecast", "Reports", "Playbook", "Operations", "Quality"),
    "rita": ("Queue", "Leads", "Reports", "Playbook", "Quality"),
    "otto": ("Operations", "Leads", "Queue", "Team", "Forecast", "Reports", "Playbook", "Quality"),
    "petra": ("Leads", "Playbook"),
    "ada": ("Accounts", "Team", "Reports", "Playbook", "Operations", "Quality"),
}
#: A manager's leads have a page, which they are not offered: their team's page leads to them.
UNOFFERED: Final = {("mia", "My leads"), ("max", "My leads")}


@pytest.mark.parametrize("login", OFFERED)
@BOTH
def test_each_role_is_led_to_its_pages_and_to_no_other(ground: Ground, login: str, scripted: bool) -> None:
    window = ground.window(login, scripted=scripted)
    page = window.open("/")
    first, *_ = OFFERED[login]
    assert page.url == ground.home + ADDRESSES[first]
    links = page.locator("#pages").get_by_role("link")
    assert set(links.all_inner_texts()) == set(OFFERED[login])
    for name in OFFERED[login]:
        page.locator("#pages").get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(re.compile(re.escape(ground.home + ADDRESSES[name])))
        page.get_by_role("heading", level=1, name=re.compile(name)).wait_for()
        assert page.locator("#pages [aria-current=page]").inner_text() == name
        window.check()
    for name in ADDRESSES.keys() - set(OFFERED[login]):
        if (login, name) in UNOFFERED:
            continue
        page.goto(ground.home + ADDRESSES[name])
        refused = page.get_by_role("alert").inner_text()
        assert "may not" in refused, name
        assert page.get_by_role("link", name="To the first page").count()
        window.problems.clear()  # the browser's console tells of the 403


#: What those who may not decide about leads of ana send all the same, with who they are.
STRANGERS: Final = ("cyn", "max", "petra", "ada")
FORMS: Final[dict[str, tuple[str, dict[str, str], tuple[str, ...]]]] = {
    "accept": ("/leads/{lead}/accept", {}, (*STRANGERS, "rita")),
    "reject": ("/leads/{lead}/reject", {"reason": "not_a_fit"}, (*STRANGERS, "rita")),
    "wait": ("/leads/{lead}/wait", {"reason": "x", "until": "2026-03-09"}, (*STRANGERS, "rita")),
    "resume": ("/leads/{lead}/resume", {}, (*STRANGERS, "rita")),
    "touch": ("/leads/{lead}/touch", {"kind": "call"}, (*STRANGERS, "rita")),
    "reassign": (
        "/leads/{lead}/reassign",
        {"to": "rep:cyn", "reason": "x", "generation": "0"},
        (*STRANGERS, "rita"),
    ),
    "note": ("/leads/{lead}/note", {"words": "x"}, (*STRANGERS, "rita")),
    "unmask": ("/leads/{lead}/unmask", {}, ("cyn", "ada")),
    "undo": ("/actions/{action}/undo", {}, (*STRANGERS, "rita")),
    "team": ("/team/ana/reassign", {"to": "rep:bob", "reason": "x", "every": "true"}, (*STRANGERS, "rita", "ana")),
    "away": ("/away", {}, ("mia", "max", "rita", "otto", "petra", "ada")),
    "back": ("/back", {}, ("mia", "max", "rita", "otto", "petra", "ada")),
    **{
        decision: (f"/queue/{{item}}/{decision}", {"words": "x", "field": "phone", "value": "1"}, STRANGERS)
        for decision in ("approve", "proposed", "correct", "again", "done", "discard", "same", "different", "take")
    },
    "bulk": ("/queue/bulk", {"do": "discard", "words": "x", "item": "{item}"}, ("petra", "ada")),
    "playbook": (
        f"/playbook/versions/{'0' * 64}/activate",
        {"instead_of": "0" * 64, "reason": "x"},
        ("ana", "cyn", "mia", "rita", "petra", "ada"),
    ),
    "shadow": ("/playbook/shadow/start", {"draft": "0" * 64, "reason": "x"}, ("ana", "mia", "rita", "petra", "ada")),
    "no shadow": ("/playbook/shadow/stop", {"number": "1", "reason": "x"}, ("ana", "mia", "rita", "petra", "ada")),
    "report": ("/reports/refresh", {}, ("ana", "cyn", "petra")),
    **{
        name: (
            f"/accounts{path}",
            {"login": "ana", "name": "Eve", "role": "admin"},
            ("ana", "mia", "rita", "otto", "petra"),
        )
        for name, path in (
            ("add", ""),
            ("link", "/link"),
            ("roles", "/roles"),
            ("disable", "/disable"),
            ("enable", "/enable"),
        )
    },
}


def read_all(ground: Ground) -> list[tuple[Any, ...]]:
    """All that a form could change."""
    tables = (
        "action",
        "unmasking",
        "absence",
        "correction",
        "account",
        "invitation",
        "activity",
        "playbook_activation",
    )
    found = {name for (name,) in ground.harness.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    counts = [f"SELECT '{name}', count(*) FROM {name}" for name in tables if name in found]
    items = "SELECT 'open', count(*) FROM work_item WHERE closed_at IS NULL AND assignee IS NULL"
    return sorted(ground.harness.rows(" UNION ALL ".join([*counts, items])))


def test_what_others_send_is_refused_in_plain_words_and_changes_nothing(ground: Ground) -> None:
    lead, (item,) = ground.find_lead(), ground.find_items("phone_impossible")
    ana = ground.window("ana")
    ana.open("/account")  # what it sends is sent from a page of the console
    ana.post(f"/leads/{ground.find_lead()}/accept")
    action = str(ground.harness.one("SELECT max(number) FROM action"))
    windows = {login: ground.window(login) for login in ("ana", "cyn", "mia", "max", "rita", "otto", "petra", "ada")}
    for window in windows.values():
        window.open("/account")
    before = read_all(ground)
    for name, (path, fields, logins) in FORMS.items():
        values = {field: value.format(item=item) for field, value in fields.items()}
        for login in logins:
            status, words = windows[login].post(path.format(lead=lead, item=item, action=action), **values)
            assert status == 403, (name, login, words)
            assert "may not" in words or "only the owner" in words or "no rep" in words, (name, login, words)
    assert read_all(ground) == before


def test_no_control_is_offered_for_what_would_be_refused(ground: Ground) -> None:
    lead, (item,) = ground.find_lead(), ground.find_items("phone_impossible")
    for login in (*STRANGERS, "rita"):
        window = ground.window(login)
        if login != "ada":
            page = window.open(f"/leads/{lead}")
            assert not page.get_by_role("group", name="What you can do").count(), login
            row = window.open("/leads?rep=ana").locator("[data-row]").first
            assert not row.locator("td.actions").locator("a, button").count(), login
        if login == "rita":
            continue
        window.page.goto(f"{ground.home}/queue/{item}")
        assert "may not" in window.page.get_by_role("alert").inner_text()
        window.problems.clear()
    page = ground.window("cyn").open("/queue")
    assert not page.locator(f"#item-{item}").count()
    page = ground.window("ada").open("/team/ana")
    assert not page.get_by_label("Give leads to").count()
    for login in ("mia", "rita", "otto"):
        assert not ground.window(login).open("/leads").get_by_role("link", name="I am away").count()


@BOTH
def test_a_person_signs_in_and_out(ground: Ground, scripted: bool) -> None:
    add_account(ground, "kim", Role.REVIEWER)
    window = ground.open_window(scripted=scripted)
    page = window.open("/queue?due=overdue")
    assert "/sign-in" in page.url
    page.get_by_label("Name").fill("kim")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    assert "wrong" in page.get_by_role("alert").inner_text()
    window.problems.clear()  # the browser's console tells of the 401
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{ground.home}/queue?due=overdue")
    window.check()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{ground.home}/sign-in")
    assert "/sign-in" in window.open("/queue").url


def add_account(ground: Ground, login: str, role: Role) -> None:
    ledger, now = ground.console.site.ledger, ground.console.site.now()
    if accounts.find_account(ledger, login) is None:
        accounts.add_account(
            ledger, login=login, name=login.title(), roles=(role,), password=PASSWORD, by=ADMIN, now=now
        )


@BOTH
def test_somebody_changes_what_is_theirs(ground: Ground, scripted: bool) -> None:
    add_account(ground, "kit", Role.REVIEWER)
    window = ground.open_window(scripted=scripted)
    sign_in(window, "kit", PASSWORD)
    page = window.open("/account")
    page.get_by_label("Time zone").select_option("Asia/Kolkata")
    page.get_by_role("button", name="Change the time zone").click()
    page.get_by_text("The time zone is changed").wait_for()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("The password is changed").wait_for()
    window.check()
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url(f"{ground.home}/sign-in")
    assert "/sign-in" in window.open("/account").url
    query = "SELECT time_zone FROM account WHERE login = 'kit'"
    assert ground.harness.one(query) == "Asia/Kolkata"


def sign_in(window: Window, login: str, password: str) -> None:
    page = window.open("/sign-in")
    page.get_by_label("Name").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)


@BOTH
def test_an_admin_adds_somebody_who_then_works(ground: Ground, scripted: bool) -> None:
    login = f"new-{scripted}".lower()
    window = ground.window("ada", scripted=scripted)
    page = window.open("/accounts")
    form = page.locator("section", has=page.get_by_role("heading", name="Add somebody"))
    form.get_by_label("Name to sign in with").fill(login)
    form.get_by_label("Name", exact=True).fill("Noor Newcomer")
    form.get_by_label("reviewer").check()
    form.get_by_role("button", name="Add").click()
    link = page.locator("#link").inner_text()
    window.check()
    person = ground.open_window(scripted=scripted)
    theirs = person.open(link.removeprefix("http://console.example"))
    theirs.get_by_label("Password").fill(PASSWORD)
    theirs.get_by_role("button", name="Go on").click()
    theirs.wait_for_url(f"{ground.home}/queue")
    person.check()
    row = page.locator("tr", has=page.get_by_text(login, exact=True))

    def press(button: str) -> None:
        if not row.get_by_role("button", name=button).is_visible():
            row.get_by_text("Change", exact=True).click()
        row.get_by_role("button", name=button).click()

    row.get_by_text("Change", exact=True).click()
    row.get_by_label("reviewer").uncheck()
    row.get_by_label("privacy officer").check()
    press("Change the roles")
    page.get_by_text("The roles are changed").wait_for()
    assert person.open("/").url == f"{ground.home}/leads"
    press("Disable")
    page.get_by_text("The account is disabled").wait_for()
    assert "/sign-in" in person.open("/").url
    press("Enable")
    page.get_by_text("The account is enabled again").wait_for()
    press("Make a link to set a password")
    assert page.locator("#link").inner_text() != link
    window.check()
    query = "SELECT roles::text, disabled_at FROM account WHERE login = :login"
    ((roles, disabled),) = ground.harness.rows(query, login=login)
    assert "privacy_officer" in roles
    assert "reviewer" not in roles
    assert disabled is None


@pytest.mark.parametrize("login", ["mia", "rita", "otto", "ada"])
@BOTH
def test_a_report_is_filtered_and_its_address_is_the_view(ground: Ground, login: str, scripted: bool) -> None:
    window = ground.window(login, scripted=scripted)
    page = window.open("/reports")
    page.get_by_label("Period").select_option("90_days")
    page.get_by_label("Rep").select_option("ana")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("period=90_days"))
    page.get_by_role("heading", name="Reports: Ana").wait_for()
    page.locator("section.report").wait_for()
    window.check()
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Load and fairness").click()
    page.wait_for_url(re.compile("section=load"))
    page.locator("section.report").wait_for()
    page.get_by_role("button", name="Refresh").click()
    page.locator("section.report").wait_for()
    assert re.search(r"rep=ana", page.url)
    window.check()


@pytest.mark.parametrize("login", ["mia", "rita", "otto", "petra", "ada"])
@BOTH
def test_a_made_up_lead_is_tried_and_nothing_is_stored(ground: Ground, login: str, scripted: bool) -> None:
    window, query = (
        ground.window(login, scripted=scripted),
        "SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM signal)",
    )
    before = ground.harness.rows(query)
    page = window.open("/playbook")
    page.get_by_role("link", name="What would this lead get?").click()
    page.get_by_label("Company", exact=True).fill("Acme")
    page.get_by_label("Job title").fill("Chief of Staff")
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("heading", name="The answer").wait_for()
    assert "score 55" in page.locator("#result").inner_text()
    window.check()
    assert ground.harness.rows(query) == before


@BOTH
def test_a_source_of_the_page_of_quality_is_chosen(ground: Ground, scripted: bool) -> None:
    window = ground.window("otto", scripted=scripted)
    page = window.open("/quality")
    page.get_by_label("Source").select_option("website")
    if not scripted:
        page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("source=website"))
    window.check()


@BOTH
def test_the_first_link_makes_an_admin_who_is_led_to_their_work(
    console: ConsoleSite, browser: Any, scripted: bool
) -> None:
    token = invitations.create_first_link(console.site.ledger, console.site.now())
    home = f"http://127.0.0.1:{console.port}"
    with browser.new_context(java_script_enabled=scripted) as context:
        page = context.new_page()
        page.goto(f"{home}/welcome?token={token}")
        page.get_by_label("Name to sign in with").fill("olga")
        page.get_by_label("Your name").fill("Olga")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url(f"{home}/queue")
        page.get_by_role("link", name="Accounts").click()
        page.get_by_role("heading", name="Accounts").wait_for()
        page.goto(f"{home}/welcome?token={token}")
        assert "cannot be used" in page.get_by_role("alert").inner_text()
    found = accounts.find_account(console.site.ledger, "olga")
    assert found is not None
    assert Role.ADMIN in found.roles
