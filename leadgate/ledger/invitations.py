"""Inviting people to sign in: one-time links by which somebody sets their password, or becomes the first admin.

Belongs here: making a link, and what using it does. Does not belong here: the table of links (``sign_in_links``), the
page behind one (``console``), or accounts (``accounts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate import passwords
from leadgate.actors import Actor, require
from leadgate.ledger import accounts, sign_in_links
from leadgate.ledger.account_rows import COLUMNS, Account, read_accounts
from leadgate.ledger.accounts import AccountError
from leadgate.ledger.database import Ledger
from leadgate.permissions import Permission
from leadgate.vocabulary import Role

#: The roles of the first admin, who reads what ``leadgate up`` prints and so can read the data folder. The admin can
#: give these to others and do without them.
FIRST_ROLES: Final = frozenset({Role.ADMIN, Role.OPERATOR, Role.REVIEWER, Role.PRIVACY_OFFICER})
#: Who has made the first account, on record.
MADE_BY_LINK: Final = "the link of leadgate up"

#: One refusal for a link that never was, is used, or is too old: nobody learns which.
_NO_LINK: Final = "this link cannot be used (any more); have another one made: `leadgate user link LOGIN`"


class LinkError(AccountError):
    """A link cannot be made, or cannot be used."""


@dataclass(frozen=True)
class OpenLink:
    """A link that can be used: for ``account``, or without one for the first admin."""

    account: Account | None


def create_first_link(ledger: Ledger, now: datetime) -> str:
    """The token of a new link that makes the first admin. The links before it cannot be used any more.

    Raises ``LinkError`` where there is an account already.
    """
    with ledger.transaction() as connection:
        token = sign_in_links.insert(connection, None, now)
        if accounts.is_anybody(connection):  # in the order in which ``use_link`` locks
            raise LinkError("there are accounts already; an admin makes others, or `leadgate user add`")
    return token


def create_link(ledger: Ledger, now: datetime, *, account_id: int, by: Actor) -> str:
    """The token of a new link for an account. The links before it cannot be used any more. Raises ``ActorError``."""
    require(by, Permission.MANAGE_ACCOUNTS)
    with ledger.transaction() as connection:
        return sign_in_links.insert(connection, account_id, now)


def find_link(ledger: Ledger, token: str, now: datetime) -> OpenLink | None:
    """What a link is for, while it can be used. It stays unused."""
    with ledger.transaction() as connection:
        row = sign_in_links.find_open(connection, token, now)
        if row is None:
            return None
        if row.account_id is None:
            anybody = connection.execute(text("SELECT EXISTS (SELECT 1 FROM account)")).scalar_one()
            return None if anybody else OpenLink(None)
        account = _read_account(connection, row.account_id)
    return None if account.disabled_at is not None else OpenLink(account)


def use_link(
    ledger: Ledger, token: str, now: datetime, *, password: str, login: str | None = None, name: str | None = None
) -> Account:
    """Set the password of the link's account; or make the first admin, whose ``login`` and ``name`` it takes.

    Of two that use one link at once, one does. A password or a login that is refused leaves the link as it was. Raises
    ``LinkError``, ``AccountError`` and ``PasswordError``.
    """
    if find_link(ledger, token, now) is None:  # before the hash: who has no link costs us nothing
        raise LinkError(_NO_LINK)
    kept = passwords.hash_password(password)
    with ledger.transaction() as connection:
        row = sign_in_links.mark_used(connection, token, now)
        if row is None:
            raise LinkError(_NO_LINK)
        if row.account_id is None:
            if accounts.is_anybody(connection):
                raise LinkError(_NO_LINK)
            if login is None:
                raise AccountError("the first admin needs a login; give one")
            return accounts.insert_account(
                connection, login=login, name=name or login, roles=FIRST_ROLES, kept=kept, by=MADE_BY_LINK, now=now
            )
        account = _read_account(connection, row.account_id)
        if account.disabled_at is not None:
            raise LinkError(_NO_LINK)
        accounts.store_password(connection, account.id, kept, by=account.login, now=now)
        return account


def _read_account(connection: Connection, account_id: int) -> Account:
    return read_accounts(connection, f"SELECT {COLUMNS} FROM account a WHERE a.id = :id", id=account_id)[0]
