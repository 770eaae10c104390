"""Accounts as they are read: by the accounts' own module, by sessions and by links.

Belongs here: the dataclass, and reading it. Does not belong here: writing an account (``accounts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.vocabulary import Role

#: The columns of an account ``a``, in the order of the fields of ``Account``.
COLUMNS: Final = "a.id, a.login, a.name, a.email, a.time_zone, a.roles, a.rep, a.disabled_at"


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in, unless ``disabled_at`` is set. ``rep`` is the rep or manager of the playbook that they
    are."""

    id: int
    login: str
    name: str
    email: str | None
    time_zone: str | None
    roles: frozenset[Role]
    rep: str | None
    disabled_at: datetime | None


def read_accounts(connection: Connection, statement: str, **parameters: object) -> list[Account]:
    """The accounts of a statement that selects ``COLUMNS``."""
    return [build_account(*row) for row in connection.execute(text(statement), parameters)]


def build_account(
    id_: int,
    login: str,
    name: str,
    email: str | None,
    zone: str | None,
    roles: list[str],
    rep: str | None,
    disabled_at: datetime | None,
) -> Account:
    """The account of the values of ``COLUMNS``."""
    return Account(id_, login, name, email, zone, frozenset(map(Role, roles)), rep, disabled_at)
