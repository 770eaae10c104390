"""``leadgate user``: accounts of the console, by the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW
from typer.testing import CliRunner, Result

from console.cli import app
from console.cli.commands import COMMANDS, Group
from console.command_context import find_login
from leadgate.ledger import Ledger, accounts, web_sessions
from leadgate.ledger.invitations import use_link
from leadgate.vocabulary import Role

PASSWORD, ANOTHER = "correct horse battery", "another password"
AT = ("--now", NOW.isoformat())


pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
def typed(cli: Cli, ledger: Ledger) -> Callable[..., Result]:
    """Run a command with something on its standard input."""

    def run(stdin: str, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*arguments], input=stdin)
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
        return result

    return run


def test_an_account_is_added_with_the_password_of_stdin(typed: Callable[..., Result], ledger: Ledger) -> None:
    told = typed(
        PASSWORD + "\n", "user", "add", "Ana", "--name", "Ana Ruiz", "-r", "rep", "-r", "manager", "--rep", "ana"
    )
    assert PASSWORD not in told.stdout + told.stderr
    account = accounts.verify_password(ledger, "ana", PASSWORD)
    assert account is not None
    assert (account.name, account.roles, account.rep) == ("Ana Ruiz", {Role.REP, Role.MANAGER}, "ana")
    with ledger.transaction() as connection:
        made_by = connection.exec_driver_sql("SELECT created_by FROM account").scalar_one()
    assert made_by == find_login()


@pytest.mark.parametrize(
    ("stdin", "arguments", "told"),
    [
        ("", ("--name", "Kim"), "no password"),
        ("short\n", ("--name", "Kim"), "10 to 1,000 characters"),
        (f"{PASSWORD}\n", ("--name", "Kim", "--role", "rep"), "needs --rep"),
        (f"{PASSWORD}\n", ("--name", "Kim", "--role", "manager", "--rep", "mja"), "mia"),
        (f"{PASSWORD}\n", ("--name", "\x1b[2J"), "can be printed"),
        (f"{PASSWORD}\n", ("--name", "Kim", "--role", "boss"), "boss"),
    ],
    ids=["no password", "short", "no rep", "misspelt rep", "escape", "no role"],
)
def test_what_does_not_fit_makes_no_account(
    typed: Callable[..., Result], ledger: Ledger, stdin: str, arguments: tuple[str, ...], told: str
) -> None:
    refused = typed(stdin, "user", "add", "kim", *arguments, code=2)
    assert told in " ".join(refused.stderr.split())
    assert accounts.list_accounts(ledger) == []


def test_no_password_is_an_option_or_an_argument() -> None:
    group = COMMANDS["user"]
    assert isinstance(group, Group)
    for name in group.commands:
        shown = CliRunner().invoke(app, ["user", name, "--help"]).stdout
        assert shown.startswith((" ", "\n")), name
        assert not re.search(r"--(?:new-)?pass", shown), name
        assert len(re.findall(r"^│ \*    [A-Z]", shown, re.MULTILINE)) <= 1, name  # the login, and nothing else


def test_a_link_is_printed_that_sets_the_password(cli: Cli, ledger: Ledger) -> None:
    made = read_json(cli("user", "add", "kim", "--name", "Kim", "--role", "reviewer", "--link", "--json", *AT))
    address, _, token = made["link"].partition("/welcome?token=")
    assert (made["login"], made["roles"], address) == ("kim", ["reviewer"], "http://127.0.0.1:8421")
    assert use_link(ledger, token, NOW, password=PASSWORD).login == "kim"
    told = cli("user", "link", "KIM", *AT).stdout
    (token,) = re.findall(r"^http://127\.0\.0\.1:8421/welcome\?token=(\S+)$", told, re.MULTILINE)
    use_link(ledger, token, NOW, password=ANOTHER)
    assert accounts.verify_password(ledger, "kim", ANOTHER) is not None


def test_roles_passwords_and_disabling_change_an_account(
    typed: Callable[..., Result], cli: Cli, ledger: Ledger
) -> None:
    cli("user", "add", "kim", "--name", "Kim", "--role", "rep", "--rep", "ana", "--link")
    found = accounts.find_account(ledger, "kim")
    assert found is not None
    session = web_sessions.open_session(ledger, found.id, NOW)
    cli("user", "roles", "kim", "--role", "rep", "--role", "operator")
    found_session = web_sessions.read_session(ledger, session, NOW)
    assert found_session is not None
    changed = found_session[0]
    assert (changed.roles, changed.rep) == ({Role.REP, Role.OPERATOR}, "ana")
    typed(f"{ANOTHER}\n", "user", "password", "kim")
    assert web_sessions.read_session(ledger, session, NOW) is None
    assert accounts.verify_password(ledger, "kim", ANOTHER) is not None
    cli("user", "disable", "kim")
    assert accounts.verify_password(ledger, "kim", ANOTHER) is None
    cli("user", "enable", "kim")
    assert accounts.verify_password(ledger, "kim", ANOTHER) is not None


def test_accounts_are_listed_and_a_misspelt_login_gets_the_nearest(cli: Cli, ledger: Ledger) -> None:
    assert "leadgate up" in join_lines(cli("user", "list"))
    cli("user", "add", "martin", "--name", "Martin", "--role", "privacy_officer", "--link")
    (listed,) = read_json(cli("user", "list", "--json"))["accounts"]
    assert (listed["login"], listed["roles"], listed["disabled_at"]) == ("martin", ["privacy_officer"], None)
    assert "privacy officer" in join_lines(cli("user", "list"))
    for command in ("roles", "password", "disable", "enable", "link"):
        assert "martin" in cli("user", command, "marten", code=2).stderr


def test_people_to_try_the_console_with_are_made_once(typed: Callable[..., Result], cli: Cli, ledger: Ledger) -> None:
    made = read_json(typed("", "user", "demo", "--json"))
    found = {account.login: account for account in accounts.list_accounts(ledger)}
    assert found["ana"].roles == {Role.REP}
    assert (found["mia"].roles, found["mia"].rep) == ({Role.MANAGER}, "mia")
    assert {role for account in found.values() for role in account.roles} == set(Role)
    assert accounts.verify_password(ledger, "ana", made["password"]) is not None
    again = read_json(typed("", "user", "demo", "--json"))
    assert (again["new"], again["password"]) == (False, None)
    assert accounts.verify_password(ledger, "ana", made["password"]) is not None


def test_people_to_try_the_console_with_are_not_made_beside_real_ones(
    typed: Callable[..., Result], ledger: Ledger
) -> None:
    typed(PASSWORD + "\n", "user", "add", "Olga", "--name", "Olga", "-r", "admin")
    assert read_json(typed("", "user", "demo", "--json"))["new"] is False
    assert [account.login.lower() for account in accounts.list_accounts(ledger)] == ["olga"]
