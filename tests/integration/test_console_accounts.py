"""Accounts in the console: the first one, those that an admin makes, and what somebody changes of their own."""

from __future__ import annotations

import re

import pytest
from console_site import ADMIN, FORM, SAME_ORIGIN, Browser, ConsoleSite

from leadgate.ledger import accounts, invitations
from leadgate.vocabulary import Role

PASSWORD = "correct horse battery"  # noqa: S105 - of a ledger that ends with its test
ANOTHER = "staple of the other battery"


def may_sign_in(console: ConsoleSite, login: str, password: str) -> bool:
    return accounts.verify_password(console.site.ledger, login, password) is not None


def make_first_link(console: ConsoleSite) -> str:
    return invitations.create_first_link(console.site.ledger, console.site.now())


def post_raw(browser: Browser, path: str, body: str) -> int:
    return browser.send("POST", path, body, SAME_ORIGIN | {"Content-Type": FORM}).status


def test_the_first_link_makes_an_admin_once(console: ConsoleSite) -> None:
    token, visitor = make_first_link(console), console.visit()
    asked = visitor.get("/welcome", token=token)
    assert (asked.status, len(asked.tree.xpath("//input[@name='login'][@required]"))) == (200, 1)
    assert visitor.get("/welcome", token=token).status == 200, "looking at a link does not use it"
    made = f"token={token}&login=olga&name=Olga&password={PASSWORD}"
    assert post_raw(visitor, "/welcome", made) == 303
    assert accounts.find_account(console.site.ledger, "olga").roles >= {Role.ADMIN, Role.OPERATOR}  # type: ignore[union-attr]
    assert post_raw(visitor, "/welcome", made.replace("olga", "eve")) != 303
    assert accounts.find_account(console.site.ledger, "eve") is None


@pytest.mark.parametrize("token", ["", "guess", "x" * 9000, "\x00", "%00"])
def test_a_link_that_never_was_shows_nothing(console: ConsoleSite, token: str) -> None:
    assert 400 <= console.visit().get("/welcome", token=token).status < 500
    assert 400 <= post_raw(console.visit(), "/welcome", f"token={token}&login=eve&name=Eve&password={PASSWORD}") < 500


def test_an_admin_adds_somebody_who_sets_their_own_password(console: ConsoleSite) -> None:
    admin = console.sign_in("olga", Role.ADMIN)
    page = admin.post("/accounts", login="ana", name="<b>Ana</b>", role=["rep", "reviewer"], rep="ana")
    (link,) = page.texts("//pre[@id='link']")
    assert page.tree.xpath("//th/b") == []
    token = re.search(r"token=(.+)", link)[1]  # type: ignore[index]
    visitor = console.visit()
    assert post_raw(visitor, "/welcome", f"token={token}&password=short") == 400
    assert post_raw(visitor, "/welcome", f"token={token}&password={PASSWORD}") == 303
    assert may_sign_in(console, "ana", PASSWORD)
    found = accounts.find_account(console.site.ledger, "ana")
    assert found is not None
    assert (found.roles, found.rep) == ({Role.REP, Role.REVIEWER}, "ana")
    admin.post("/accounts/roles", login="ana", role=["manager"])
    admin.post("/accounts/disable", login="ana")
    assert not may_sign_in(console, "ana", PASSWORD)
    admin.post("/accounts/enable", login="ana")
    assert may_sign_in(console, "ana", PASSWORD)


@pytest.mark.parametrize(
    "path", ["/accounts", "/accounts/link", "/accounts/roles", "/accounts/disable", "/accounts/enable"]
)
@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_nobody_but_an_admin_changes_accounts(console: ConsoleSite, path: str, role: Role) -> None:
    somebody = console.sign_in("olga", role)
    accounts.add_account(
        console.site.ledger, login="eve", name="Eve", roles=(), by=ADMIN, now=console.site.now(), password=PASSWORD
    )
    assert somebody.post(path, login="eve", name="Eve", role="admin").status == 403
    assert somebody.get("/accounts").status == 403
    assert may_sign_in(console, "eve", PASSWORD)
    assert accounts.find_account(console.site.ledger, "eve").roles == frozenset()  # type: ignore[union-attr]


def test_the_last_admin_cannot_be_taken_away(console: ConsoleSite) -> None:
    admin = console.sign_in("olga", Role.ADMIN)
    assert admin.post("/accounts/disable", login="olga").status >= 400
    assert admin.post("/accounts/roles", login="olga", role="rep").status >= 400
    assert admin.get("/accounts").status == 200


def test_a_password_is_changed_by_who_knows_the_one_before_and_ends_other_sessions(console: ConsoleSite) -> None:
    site = console.site
    accounts.add_account(
        site.ledger, login="ana", name="Ana", roles=(Role.REVIEWER,), by=ADMIN, now=site.now(), password=PASSWORD
    )
    here, there = console.sign_in("ana"), console.sign_in("ana")
    assert post_raw(here, "/account/password", f"current=wrong&password={ANOTHER}") >= 400
    assert may_sign_in(console, "ana", PASSWORD)
    assert post_raw(here, "/account/password", f"current={PASSWORD}&password={ANOTHER}") == 303
    assert may_sign_in(console, "ana", ANOTHER)
    assert there.send("GET", "/account").status == 303


def test_the_password_of_an_account_cannot_be_guessed_by_who_sits_at_its_session(
    console: ConsoleSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.web.sign_in._TRIES", 3)
    ana = console.sign_in("ana", Role.REVIEWER)
    statuses = {post_raw(ana, "/account/password", f"current=guess{n}&password={ANOTHER}") for n in range(4)}
    assert 429 in statuses


def test_moments_are_shown_in_the_time_zone_that_somebody_chooses(console: ConsoleSite) -> None:
    ana = console.sign_in("ana", Role.REVIEWER)
    assert ana.post("/account/time-zone", zone="Asia/Kolkata").status == 200
    assert "Asia/Kolkata" in ana.get("/account").texts("//option[@selected]")
    assert ana.post("/account/time-zone", zone="Mars/Base").status == 400
