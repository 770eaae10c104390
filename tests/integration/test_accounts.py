"""Accounts of the console: making and changing them, passwords, sessions, and links that are used once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache

import argon2
import pytest
from harness import NOW
from sqlalchemy import event, text

from leadgate import passwords
from leadgate.actors import Actor, ActorError, identify_account
from leadgate.ledger import Ledger, sign_in_links
from leadgate.ledger.accounts import (
    Account,
    AccountError,
    add_account,
    disable_account,
    enable_account,
    find_account,
    list_accounts,
    set_password,
    set_roles,
    set_time_zone,
    verify_password,
)
from leadgate.ledger.invitations import LinkError, create_first_link, create_link, find_link, use_link
from leadgate.ledger.web_sessions import (
    ABSOLUTE,
    IDLE,
    end_session,
    end_sessions,
    forget_old_sessions,
    open_session,
    read_session,
)
from leadgate.passwords import PasswordError
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role

ADMIN = Actor("root", roles=frozenset({Role.ADMIN}))
PASSWORD, ANOTHER = "correct horse battery", "another password"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real parameters take a quarter of a second for each hash, and memory; one test has them."""
    monkeypatch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(passwords, "_make_unknown", cache(lambda: passwords._hasher.hash("nobody's")))


def add(ledger: Ledger, login: str = "kim", *roles: Role, password: str | None = PASSWORD) -> Account:
    return add_account(
        ledger, login=login, name=login.title(), roles=roles or {Role.REVIEWER}, password=password, by=ADMIN, now=NOW
    )


def kept(ledger: Ledger, column: str, table: str = "account") -> list[object]:
    with ledger.transaction() as connection:
        return [row[0] for row in connection.execute(text(f"SELECT {column} FROM {table} ORDER BY 1"))]


# --- accounts ---------------------------------------------------------------------------------------------


def test_an_account_is_found_by_its_login_in_any_case(ledger: Ledger) -> None:
    made = add_account(
        ledger, login=" Ana ", name="Ana Ruiz", roles=[Role.REP, Role.REP, Role.MANAGER], email="ana@x.example",
        rep="ana", by=ADMIN, now=NOW,
    )  # fmt: skip
    assert made == find_account(ledger, "aNA") == list_accounts(ledger)[0]
    assert (made.login, made.name, made.rep, made.roles) == ("Ana", "Ana Ruiz", "ana", {Role.REP, Role.MANAGER})
    assert kept(ledger, "created_by") == ["root"]
    assert find_account(ledger, "ana ruiz") is None
    with pytest.raises(AccountError, match="already"):
        add(ledger, "ANA")


@pytest.mark.parametrize("login", ["", "  ", "two words", "x" * 201, "a\u202eb", "a\nb", "leadgate", "Lead"])
def test_a_login_that_would_mislead_in_a_record_is_refused(ledger: Ledger, login: str) -> None:
    with pytest.raises(AccountError):
        add(ledger, login)
    assert list_accounts(ledger) == []


def test_only_an_admin_manages_accounts(ledger: Ledger, loaded: LoadedPlaybook) -> None:
    account = add(ledger, "kim", Role.OPERATOR, Role.MANAGER)
    kim = identify_account(account.login, account.roles, None, loaded.playbook)
    for refused in (
        lambda: add_account(ledger, login="eve", name="Eve", roles={Role.ADMIN}, by=kim, now=NOW),
        lambda: set_roles(ledger, "kim", {Role.ADMIN}, by=kim, now=NOW),
        lambda: disable_account(ledger, "kim", by=kim, now=NOW),
        lambda: enable_account(ledger, "kim", by=kim, now=NOW),
        lambda: set_password(ledger, "ana", PASSWORD, by=kim, now=NOW),
        lambda: set_time_zone(ledger, "ana", "Europe/Berlin", by=kim, now=NOW),
    ):
        with pytest.raises(ActorError, match="manage accounts"):
            refused()
    assert find_account(ledger, "kim") == account
    set_password(ledger, "KIM", ANOTHER, by=kim, now=NOW)  # one's own
    assert verify_password(ledger, "kim", ANOTHER) == account
    assert set_time_zone(ledger, "kim", "Asia/Tokyo", by=kim, now=NOW).time_zone == "Asia/Tokyo"
    with pytest.raises(AccountError, match="Europe/Berlin"):
        set_time_zone(ledger, "kim", "Europe/Berlim", by=kim, now=NOW)


def test_the_last_admin_stays_one_also_when_two_admins_are_changed_at_once(ledger: Ledger) -> None:
    add(ledger, "ann", Role.ADMIN, password=None)
    add(ledger, "bea", Role.ADMIN, password=None)

    def demote(login: str) -> bool:
        try:
            set_roles(ledger, login, {Role.REP}, by=ADMIN, now=NOW)
        except AccountError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, ["ann", "bea"])) == [False, True]
    (left,) = (each for each in list_accounts(ledger) if Role.ADMIN in each.roles)
    with pytest.raises(AccountError, match="only admin"):
        disable_account(ledger, left.login, by=ADMIN, now=NOW)
    assert find_account(ledger, left.login) == left


def test_a_rep_is_one_account_so_that_what_they_do_is_one_persons(ledger: Ledger) -> None:
    def make(login: str, rep: str | None) -> Account:
        return add_account(ledger, login=login, name=login, roles={Role.REP}, rep=rep, by=ADMIN, now=NOW)

    make("ana", "ana")
    kim = make("kim", None)
    with pytest.raises(AccountError, match="'ana'"):
        make("eve", "ana")
    with pytest.raises(AccountError, match="'ana'"):
        set_roles(ledger, "kim", {Role.REP}, rep="ana", by=ADMIN, now=NOW)
    assert list_accounts(ledger)[1] == kim
    assert set_roles(ledger, "ana", {Role.REP, Role.MANAGER}, rep="ana", by=ADMIN, now=NOW).rep == "ana"
    disable_account(ledger, "ana", by=ADMIN, now=NOW)
    assert set_roles(ledger, "kim", {Role.REP}, rep="ana", by=ADMIN, now=NOW).rep == "ana"
    with pytest.raises(AccountError, match="'kim'"):
        enable_account(ledger, "ana", by=ADMIN, now=NOW)


def test_of_two_accounts_that_are_made_for_a_rep_at_once_one_is(ledger: Ledger) -> None:
    def make(login: str) -> bool:
        try:
            add_account(ledger, login=login, name=login, roles={Role.REP}, rep="ana", by=ADMIN, now=NOW)
        except AccountError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, ["a", "b"])) == [False, True]


def test_a_login_that_nobody_has_gets_the_nearest(ledger: Ledger) -> None:
    add(ledger, "martin", password=None)
    with pytest.raises(AccountError, match="martin"):
        set_roles(ledger, "marten", {Role.REP}, by=ADMIN, now=NOW)


# --- passwords --------------------------------------------------------------------------------------------


def test_a_password_is_kept_as_argon2id_and_checked(ledger: Ledger) -> None:
    account = add(ledger)
    assert verify_password(ledger, "Kim", PASSWORD) == account
    for login, password in (("kim", PASSWORD + "x"), ("kim", ""), ("nobody", PASSWORD), ("kim\x00", "x" * 5_000)):
        assert verify_password(ledger, login, password) is None
    (hashed,) = kept(ledger, "password_hash")
    assert str(hashed).startswith("$argon2id$")
    assert PASSWORD not in str(hashed)


def test_an_account_without_a_password_or_a_disabled_one_is_let_in_by_none(ledger: Ledger) -> None:
    add(ledger, "link", password=None)
    add(ledger, "kim")
    disable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert verify_password(ledger, "link", "nobody's") is None
    assert verify_password(ledger, "link", "") is None
    assert verify_password(ledger, "kim", PASSWORD) is None
    enable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert verify_password(ledger, "kim", PASSWORD) is not None


def test_the_work_is_the_same_whether_there_is_such_an_account_or_not(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(argon2.PasswordHasher):
        asked = 0

        def verify(self, kept: str | bytes, password: str | bytes) -> bool:
            Counting.asked += 1
            return super().verify(kept, password)

    add(ledger, "kim")
    add(ledger, "link", password=None)
    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=64, parallelism=1))
    for number, login in enumerate(("kim", "link", "nobody", ""), start=1):
        verify_password(ledger, login, "not the password")
        assert Counting.asked == number


@pytest.mark.parametrize("password", ["nine char", " " * 12, "x" * 1_001, "", "a broken \ud800 surrogate"])
def test_an_unfit_password_is_refused_and_not_quoted(ledger: Ledger, password: str) -> None:
    with pytest.raises(PasswordError) as refusal:
        add(ledger, password=password)
    assert not password.strip() or password not in str(refusal.value)
    assert list_accounts(ledger) == []


def test_a_hash_of_other_parameters_is_made_again_at_the_next_sign_in(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger)
    before = kept(ledger, "password_hash")
    assert verify_password(ledger, "kim", PASSWORD) is not None
    assert kept(ledger, "password_hash") == before  # same parameters
    monkeypatch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert verify_password(ledger, "kim", "not the password") is None
    assert kept(ledger, "password_hash") == before
    assert verify_password(ledger, "kim", PASSWORD) is not None
    (after,) = kept(ledger, "password_hash")
    assert ",t=2," in str(after) or "t=2" in str(after)
    assert verify_password(ledger, "kim", PASSWORD) is not None


def test_the_parameters_are_those_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real parameters
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in passwords.hash_password(PASSWORD)


# --- sessions ---------------------------------------------------------------------------------------------


def test_a_session_is_kept_by_the_hash_of_its_token(ledger: Ledger) -> None:
    account = add(ledger, password=None)
    token = open_session(ledger, account.id, NOW)
    assert read_session(ledger, token, NOW) == (account, NOW)
    assert kept(ledger, "id_hash", "web_session") == [hashlib.sha256(token.encode()).hexdigest()]
    for other in ("", token[:-1], str(kept(ledger, "id_hash", "web_session")[0]), "\x00", "\ud800"):
        assert read_session(ledger, other, NOW) is None
    assert open_session(ledger, account.id, NOW) != token


def test_a_session_ends_without_requests_and_in_the_end(ledger: Ledger) -> None:
    account = add(ledger, password=None)
    idle, used = open_session(ledger, account.id, NOW), open_session(ledger, account.id, NOW)
    assert read_session(ledger, idle, NOW + IDLE - MINUTE) is not None  # that was a request: 12 h from then on
    assert read_session(ledger, idle, NOW + 2 * IDLE - 2 * MINUTE) is not None
    assert read_session(ledger, idle, NOW + 3 * IDLE - 2 * MINUTE) is None
    at = NOW
    while (at := at + timedelta(hours=11)) < NOW + ABSOLUTE:
        assert read_session(ledger, used, at) is not None
    assert read_session(ledger, used, NOW + ABSOLUTE) is None


def test_a_session_is_written_once_a_minute_and_read_by_one_statement(ledger: Ledger) -> None:
    token = open_session(ledger, add(ledger, password=None).id, NOW)
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for seconds, seen in ((30, 0), (59, 0), (60, 60), (100, 60), (125, 125)):
        statements.clear()
        assert read_session(ledger, token, NOW + timedelta(seconds=seconds)) is not None
        assert len(statements) == 1
        assert kept(ledger, "last_seen_at", "web_session") == [NOW + timedelta(seconds=seen)]


def test_sessions_end_when_somebody_signs_out_or_is_disabled_or_has_another_password(ledger: Ledger) -> None:
    account, other = add(ledger), add(ledger, "ann", password=None)
    here, there, hers = (open_session(ledger, each.id, NOW) for each in (account, account, other))
    end_session(ledger, here, NOW)
    end_session(ledger, "no token", NOW)
    assert read_session(ledger, here, NOW) is None
    assert read_session(ledger, there, NOW) == (account, NOW)
    set_password(ledger, "kim", ANOTHER, by=ADMIN, now=NOW)
    assert read_session(ledger, there, NOW) is None
    again = open_session(ledger, account.id, NOW)
    disable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert read_session(ledger, again, NOW) is None
    enable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert read_session(ledger, again, NOW) is None
    assert read_session(ledger, hers, NOW) == (other, NOW)
    assert end_sessions(ledger, other.id, NOW) == 1
    assert read_session(ledger, hers, NOW) is None


def test_roles_that_are_taken_away_are_gone_from_sessions_at_once(ledger: Ledger) -> None:
    token = open_session(ledger, add(ledger, "kim", Role.OPERATOR, Role.REP, password=None).id, NOW)
    set_roles(ledger, "kim", {Role.REP}, rep="ana", by=ADMIN, now=NOW)
    found = read_session(ledger, token, NOW)
    assert found is not None
    assert (found[0].roles, found[0].rep) == ({Role.REP}, "ana")


def test_old_sessions_are_forgotten_in_parts(ledger: Ledger) -> None:
    account = add(ledger, password=None)
    for _ in range(3):
        open_session(ledger, account.id, NOW)
    last = open_session(ledger, account.id, NOW + MINUTE)
    assert [forget_old_sessions(ledger, NOW + ABSOLUTE, 2) for _ in range(3)] == [2, 1, 0]
    assert read_session(ledger, last, NOW + MINUTE) == (account, NOW + MINUTE)


# --- links ------------------------------------------------------------------------------------------------


def test_the_first_admin_is_made_by_a_link_once(ledger: Ledger) -> None:
    token = create_first_link(ledger, NOW)
    assert token not in kept(ledger, "id_hash", "sign_in_link")
    link = find_link(ledger, token, NOW)
    assert link is not None
    assert link.account is None
    with pytest.raises(PasswordError):
        use_link(ledger, token, NOW, password=PASSWORD[:9], login="ann")
    with pytest.raises(AccountError):
        use_link(ledger, token, NOW, password=PASSWORD, login="two words")
    admin = use_link(ledger, token, NOW, password=PASSWORD, login="ann", name="Ann")  # the refused left it as it was
    assert Role.ADMIN in admin.roles
    assert verify_password(ledger, "ann", PASSWORD) == admin
    assert find_link(ledger, token, NOW) is None
    with pytest.raises(LinkError):
        use_link(ledger, token, NOW, password=PASSWORD, login="eve")
    with pytest.raises(LinkError):
        create_first_link(ledger, NOW)


def test_of_two_that_use_a_link_at_once_one_does(ledger: Ledger) -> None:
    token = create_first_link(ledger, NOW)

    def use(login: str) -> bool:
        try:
            use_link(ledger, token, NOW, password=PASSWORD, login=login)
        except LinkError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, ["a", "b", "c", "d"])) == [False, False, False, True]
    assert len(list_accounts(ledger)) == 1


def test_a_link_for_the_first_admin_is_worth_nothing_once_there_is_an_account(ledger: Ledger) -> None:
    token = create_first_link(ledger, NOW)
    add(ledger, password=None)
    assert find_link(ledger, token, NOW) is None
    with pytest.raises(LinkError):
        use_link(ledger, token, NOW, password=PASSWORD, login="eve")
    assert [each.login for each in list_accounts(ledger)] == ["kim"]


def test_a_link_sets_the_password_of_its_account_and_the_one_before_it_is_worth_nothing(ledger: Ledger) -> None:
    account, other = add(ledger), add(ledger, "ann", password=None)
    session = open_session(ledger, account.id, NOW)
    first, second = (create_link(ledger, NOW, account_id=account.id, by=ADMIN) for _ in range(2))
    hers = create_link(ledger, NOW, account_id=other.id, by=ADMIN)
    for useless in (first, "", "no link"):
        assert find_link(ledger, useless, NOW) is None
        with pytest.raises(LinkError):
            use_link(ledger, useless, NOW, password=ANOTHER)
    assert use_link(ledger, second, NOW, password=ANOTHER, login="ignored") == account
    assert verify_password(ledger, "kim", ANOTHER) == account
    assert read_session(ledger, session, NOW) is None
    late = NOW + sign_in_links.VALID
    assert find_link(ledger, hers, late) is None
    with pytest.raises(LinkError):
        use_link(ledger, hers, late, password=PASSWORD)
    assert sign_in_links.forget_old_links(ledger, late, 10) == 3
    assert kept(ledger, "id_hash", "sign_in_link") == []


def test_a_link_of_a_disabled_account_lets_nobody_in(ledger: Ledger) -> None:
    token = create_link(ledger, NOW, account_id=add(ledger, password=None).id, by=ADMIN)
    disable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert find_link(ledger, token, NOW) is None
    with pytest.raises(LinkError):
        use_link(ledger, token, NOW, password=PASSWORD)
    enable_account(ledger, "kim", by=ADMIN, now=NOW)
    assert use_link(ledger, token, NOW, password=PASSWORD).login == "kim"


@pytest.mark.parametrize("login", ["\ud800", "kim\udcff", "\x00"])
def test_a_login_that_cannot_be_stored_is_nobodys(ledger: Ledger, login: str) -> None:
    add(ledger)
    assert verify_password(ledger, login, PASSWORD) is None
