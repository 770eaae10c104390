"""``leadgate user``: who may sign in to the console, and with which roles.

Belongs here: what was asked for, passwords that are typed, and saying what was done. Does not belong here: accounts
(``ledger.accounts``), links (``ledger.invitations``), or who may manage them (``leadgate.actors``).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from console.cli.options import Json, Now
from console.command_context import CommandContext, identify_actor, parse_now
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, format_moment, print_json
from console.web.addresses import build_address
from leadgate.actors import Actor, require
from leadgate.connectors.notify import is_mail_address
from leadgate.ledger import Ledger, accounts, invitations
from leadgate.ledger.accounts import Account
from leadgate.ledger.clock import ask_time
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.playbook import Playbook
from leadgate.vocabulary import Role

Login = Annotated[
    str, typer.Argument(metavar="LOGIN", help="The name to sign in with; upper and lower case are the same.")
]
Roles = Annotated[
    list[Role] | None,
    typer.Option("--role", "-r", help="A role of the account, from docs/console.md; may be repeated."),
]
Rep = Annotated[
    str | None,
    typer.Option(
        "--rep", metavar="NAME", help="The rep or manager of the playbook who the person is, for these roles."
    ),
]


@dataclass(frozen=True)
class _Desk:
    """What each of these commands works with."""

    context: CommandContext
    ledger: Ledger
    playbook: Playbook
    by: Actor
    now: datetime

    def find(self, login: str) -> Account:
        """The account. Raises ``CommandError`` with the nearest login where there is none."""
        if (account := accounts.find_account(self.ledger, login)) is None:
            known = [each.login for each in accounts.list_accounts(self.ledger)]
            hint = propose(login, known) if known else f"nobody has one yet: `{find_program()} user add`"
            raise CommandError(f"there is no account {sanitise(login, 80)!r}; {hint}")
        return account


@contextmanager
def _open_desk(ctx: typer.Context, now: str | None) -> Iterator[_Desk]:
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        by = identify_actor(loaded.playbook)
        require(by, Permission.MANAGE_ACCOUNTS)
        yield _Desk(context, ledger, loaded.playbook, by, ask_time(ledger, parse_now(now)))


def add(
    ctx: typer.Context,
    login: Login,
    name: Annotated[str, typer.Option("--name", help="The person's name, as others see it.")],
    role: Roles = None,
    rep: Rep = None,
    email: Annotated[str | None, typer.Option("--email", help="Their e-mail address.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Print a link with which the person sets a password.")] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Create an account. Asks for its password, or with --link prints a link that sets one."""
    with _open_desk(ctx, now) as desk:
        _require_rep(rep, role or [], desk.playbook)
        account = accounts.add_account(
            desk.ledger,
            login=login,
            name=name,
            roles=role or [],
            password=None if link else _read_password(),
            email=email,
            rep=rep,
            by=desk.by,
            now=desk.now,
        )
        made = _make_link(desk, account) if link else None
    _tell(account, "may sign in", made, as_json=json)


def list(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """List the accounts, with their roles."""
    with _open_desk(ctx, now) as desk:
        found = accounts.list_accounts(desk.ledger)
    if json:
        print_json({"accounts": [_build_data(each) for each in found]})
        return
    if not found:
        build_console().print(f"Nobody has an account. `{find_program()} up` prints a link that makes the first one.")
        return
    rows = build_table("login", "name", "roles", "in the playbook", "disabled")
    for each in found:
        disabled = "" if each.disabled_at is None else f"{format_moment(each.disabled_at)} UTC"
        shown = (sanitise(each.login, 80), sanitise(each.name, 80), _write_roles(each), sanitise(each.rep or "", 80))
        rows.add_row(*shown, disabled)
    build_console().print(rows)


def roles(
    ctx: typer.Context, login: Login, role: Roles = None, rep: Rep = None, json: Json = False, now: Now = None
) -> None:
    """Give an account exactly these roles, from now on."""
    with _open_desk(ctx, now) as desk:
        before = desk.find(login)
        rep = rep or before.rep
        _require_rep(rep, role or [], desk.playbook)
        account = accounts.set_roles(desk.ledger, before.login, role or [], rep=rep, by=desk.by, now=desk.now)
    _tell(account, "has other roles", as_json=json)


def password(ctx: typer.Context, login: Login, json: Json = False, now: Now = None) -> None:
    """Set another password for an account. Its sessions end."""
    with _open_desk(ctx, now) as desk:
        before = desk.find(login)
        account = accounts.set_password(desk.ledger, before.login, _read_password(), by=desk.by, now=desk.now)
    _tell(account, "has another password, and its sessions have ended", as_json=json)


def email(
    ctx: typer.Context,
    login: Login,
    address: Annotated[str, typer.Option("--address", metavar="ADDRESS", help="Their e-mail address.")],
    json: Json = False,
    now: Now = None,
) -> None:
    """Set another e-mail address for an account; reports are sent there."""
    if not is_mail_address(address.strip()):
        raise CommandError(f"{sanitise(address, 80)!r} is no e-mail address; write it like ana@example.com")
    with _open_desk(ctx, now) as desk:
        account = accounts.set_email(desk.ledger, desk.find(login).login, address.strip(), by=desk.by, now=desk.now)
    _tell(account, "has another e-mail address", as_json=json)


def disable(ctx: typer.Context, login: Login, json: Json = False, now: Now = None) -> None:
    """Disable an account: nobody can sign in with it any more, and its sessions end."""
    with _open_desk(ctx, now) as desk:
        account = accounts.disable_account(desk.ledger, desk.find(login).login, by=desk.by, now=desk.now)
    _tell(account, "is disabled, and its sessions have ended", as_json=json)


def enable(ctx: typer.Context, login: Login, json: Json = False, now: Now = None) -> None:
    """Enable an account again that `leadgate user disable` disabled."""
    with _open_desk(ctx, now) as desk:
        account = accounts.enable_account(desk.ledger, desk.find(login).login, by=desk.by, now=desk.now)
    _tell(account, "may sign in again", as_json=json)


def link(ctx: typer.Context, login: Login, json: Json = False, now: Now = None) -> None:
    """Print a link with which a person sets the password of their account, once."""
    with _open_desk(ctx, now) as desk:
        account = desk.find(login)
        made = _make_link(desk, account)
    _tell(account, "has a link", made, as_json=json)


def _make_link(desk: _Desk, account: Account) -> str:
    token = invitations.create_link(desk.ledger, desk.now, account_id=account.id, by=desk.by)
    return f"{build_address(desk.context.settings)}/welcome?token={token}"


def _read_password() -> str:
    """A password that is typed twice without being shown, or the first line of what is piped in.

    Never an option: others see those in the list of processes, and a shell keeps them.
    """
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise CommandError("no password came on stdin; type one at a terminal, pipe one in, or take --link")
    return given


def _require_rep(rep: str | None, given: Collection[Role], playbook: Playbook) -> None:
    """Raises ``CommandError`` for a name that is not in the playbook, and for roles that need one."""
    if rep is None and {Role.REP, Role.MANAGER} & {*given}:
        raise CommandError("a rep or a manager needs --rep: who they are in the playbook")
    known = {each.name for each in playbook.reps} | {each.manager for each in playbook.reps if each.manager}
    if rep is not None and rep not in known:
        raise CommandError(f"the playbook has no rep or manager {sanitise(rep, 80)!r}; {propose(rep, known)}")


def _tell(account: Account, what: str, made: str | None = None, *, as_json: bool) -> None:
    if as_json:
        print_json(_build_data(account) | ({} if made is None else {"link": made}))
        return
    console = build_console()
    console.print(f"{sanitise(account.login, 80)} {what}. Roles: {_write_roles(account) or 'none'}.")
    if made is not None:
        console.print("Give this link to them; it works once, within 24 hours:")
        typer.echo(made)


def _write_roles(account: Account) -> str:
    return ", ".join(role.value.replace("_", " ") for role in Role if role in account.roles)


def _build_data(account: Account) -> dict[str, object]:
    return {
        "login": account.login,
        "name": account.name,
        "email": account.email,
        "roles": [role for role in Role if role in account.roles],
        "rep": account.rep,
        "disabled_at": account.disabled_at,
    }
