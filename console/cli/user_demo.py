"""``leadgate user demo``: accounts to try the console with.

Belongs here: who they are, and saying how they sign in. Does not belong here: accounts of real people (``user``).
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

import typer

from console.cli.options import Json
from console.command_context import CommandContext, identify_actor
from console.display_names import DisplayNames
from console.screen import build_console, build_table, find_program, print_json
from console.web.addresses import build_address
from leadgate import passwords
from leadgate.actors import require
from leadgate.ledger import accounts
from leadgate.ledger.clock import ask_time
from leadgate.permissions import Permission
from leadgate.playbook import Playbook
from leadgate.vocabulary import Role

_MOST_SHOWN: Final = 4  # people of one role


_LONGEST_LOGIN: Final = 100  # characters
_OTHERS: Final = (
    ("reviewer", "Rita Reviewer", Role.REVIEWER),
    ("operator", "Otto Operator", Role.OPERATOR),
    ("privacy", "Petra Privacy", Role.PRIVACY_OFFICER),
    ("admin", "Ada Admin", Role.ADMIN),
)


class _Person(NamedTuple):
    login: str
    name: str
    roles: tuple[Role, ...]
    rep: str | None


def demo(ctx: typer.Context, json: Json = False) -> None:
    """Create accounts to try the console with, while there are none: everybody of the playbook, a reviewer, an
    operator, a privacy officer and an admin, all with one new password, which is printed."""
    context: CommandContext = ctx.obj
    playbook = context.playbook().playbook
    by = identify_actor(playbook)
    require(by, Permission.MANAGE_ACCOUNTS)
    people, password = _list_people(playbook), secrets.token_urlsafe(9)
    kept = passwords.hash_password(password)
    with context.ledger() as ledger:
        now = ask_time(ledger)
        with ledger.transaction() as connection:
            known = accounts.is_anybody(connection)
            for each in () if known else people:
                accounts.insert_account(
                    connection,
                    login=each.login,
                    name=each.name,
                    roles=each.roles,
                    kept=kept,
                    rep=each.rep,
                    by=by.name,
                    now=now,
                )
    address = build_address(context.settings)
    if json:
        print_json({"new": not known, "password": None if known else password, "address": address})
    elif known:
        build_console().print(
            f"The console has accounts already. Next: {find_program()} up, and open {address}", soft_wrap=True
        )
    else:
        _print(people, password, address)


def _list_people(playbook: Playbook) -> list[_Person]:
    names = DisplayNames(playbook)
    reps = [rep.name for rep in playbook.reps]
    managers = {rep.manager for rep in playbook.reps if rep.manager}
    both = {name: (Role.REP, Role.MANAGER) if name in managers else (Role.REP,) for name in reps}
    both |= dict.fromkeys(sorted(managers - set(reps)), (Role.MANAGER,))
    people = [_Person(name, names.name_rep(name), roles, name) for name, roles in both.items()]
    people += [_Person(login, name, (role,), None) for login, name, role in _OTHERS]
    taken = set(accounts.RESERVED)
    return [each._replace(login=_choose_login(each.login, taken)) for each in people]


def _choose_login(name: str, taken: set[str]) -> str:
    """``name`` as a login, without spaces, and unlike those that are ``taken``, to which it is added."""
    login = "_".join(name.split())[:_LONGEST_LOGIN]
    while login.casefold() in taken:
        login += "_demo"
    taken.add(login.casefold())
    return login


def _print(people: list[_Person], password: str, address: str) -> None:
    console = build_console()
    console.print(f"\nPeople to try the console with. Each signs in with the password {password}\n", highlight=False)
    made = build_table("role", "signs in as")
    for role in Role:
        logins = [each.login for each in people if role in each.roles]
        more = f" and {len(logins) - _MOST_SHOWN} more" if len(logins) > _MOST_SHOWN else ""
        if logins:
            made.add_row(role.replace("_", " "), ", ".join(logins[:_MOST_SHOWN]) + more)
    console.print(made)
    console.print(f"\nNext\n  see the pages\n    {find_program()} up, and open {address}", soft_wrap=True)
