"""The table ``sign_in_link``: links by which somebody sets their password, or becomes the first admin; each once.

Belongs here: every statement that writes the table. Does not belong here: the page behind a link (``console``), or
accounts (``accounts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate import passwords
from leadgate.ledger import accounts
from leadgate.ledger.account_rows import COLUMNS, Account, read_accounts
from leadgate.ledger.accounts import AccountError
from leadgate.ledger.database import Ledger
from leadgate.ledger.web_sessions import hash_token, make_token
from leadgate.vocabulary import Role

#: For how long a link can be used.
VALID: Final = timedelta(hours=24)
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


def create_link(ledger: Ledger, now: datetime, *, account_id: int | None = None) -> str:
    """The token of a new link, for an account, or for the first admin. The links before it cannot be used any more.

    Raises ``LinkError`` for a first admin when there is an account already.
    """
    token = make_token()
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE sign_in_link SET expires_at = :now "
                "WHERE account_id IS NOT DISTINCT FROM CAST(:of AS bigint) AND used_at IS NULL AND expires_at > :now"
            ),
            {"of": account_id, "now": now},
        )
        if account_id is None and accounts.is_anybody(connection):  # in the order in which ``use_link`` locks
            raise LinkError("there are accounts already; an admin makes others, or `leadgate user add`")
        connection.execute(
            text(
                "INSERT INTO sign_in_link (id_hash, account_id, created_at, expires_at) "
                "VALUES (:id, CAST(:of AS bigint), :now, :until)"
            ),
            {"id": hash_token(token), "of": account_id, "now": now, "until": now + VALID},
        )
    return token


def find_link(ledger: Ledger, token: str, now: datetime) -> OpenLink | None:
    """What a link is for, while it can be used. It stays unused."""
    with ledger.transaction() as connection:
        row = connection.execute(
            text("SELECT account_id FROM sign_in_link WHERE id_hash = :id AND used_at IS NULL AND expires_at > :now"),
            {"id": hash_token(token), "now": now},
        ).first()
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
        row = connection.execute(
            text(
                "UPDATE sign_in_link SET used_at = :now "
                "WHERE id_hash = :id AND used_at IS NULL AND expires_at > :now RETURNING account_id"
            ),
            {"id": hash_token(token), "now": now},
        ).first()
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


def forget_old_links(ledger: Ledger, now: datetime, at_most: int) -> int:
    """Delete links that cannot be used any more. Returns how many."""
    statement = text(
        "DELETE FROM sign_in_link WHERE id_hash IN (SELECT id_hash FROM sign_in_link "
        "WHERE expires_at <= :since LIMIT :most FOR UPDATE SKIP LOCKED)"
    )
    with ledger.transaction() as connection:
        return connection.execute(statement, {"since": now, "most": at_most}).rowcount


def _read_account(connection: Connection, account_id: int) -> Account:
    return read_accounts(connection, f"SELECT {COLUMNS} FROM account a WHERE a.id = :id", id=account_id)[0]
