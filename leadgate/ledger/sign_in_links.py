"""The table ``sign_in_link``: one-time links, for an account or for the first admin.

Belongs here: every statement that writes the table. Does not belong here: what a link does (``invitations``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row
from leadgate.ledger.web_sessions import hash_token, make_token

#: For how long a link can be used.
VALID: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """Whose link it is; None: of the first admin."""

    account_id: int | None


def insert(connection: Connection, account_id: int | None, now: datetime) -> str:
    """The token of a new link. The links before it of this account, or of the first admin, end."""
    token = make_token()
    end_links_of(connection, account_id, now)
    connection.execute(
        text(
            "INSERT INTO sign_in_link (id_hash, account_id, created_at, expires_at) "
            "VALUES (:id, CAST(:of AS bigint), :now, :until)"
        ),
        {"id": hash_token(token), "of": account_id, "now": now, "until": now + VALID},
    )
    return token


def end_links_of(connection: Connection, account_id: int | None, now: datetime) -> None:
    """The links of this account, or of the first admin, cannot be used any more."""
    connection.execute(
        text(
            "UPDATE sign_in_link SET expires_at = :now "
            "WHERE account_id IS NOT DISTINCT FROM CAST(:of AS bigint) AND used_at IS NULL AND expires_at > :now"
        ),
        {"of": account_id, "now": now},
    )


def find_open(connection: Connection, token: str, now: datetime) -> LinkRow | None:
    """The link of a token, while it can be used."""
    return read_row(
        connection,
        LinkRow,
        "SELECT account_id FROM sign_in_link WHERE id_hash = :id AND used_at IS NULL AND expires_at > :now",
        id=hash_token(token),
        now=now,
    )


def mark_used(connection: Connection, token: str, now: datetime) -> LinkRow | None:
    """The link of a token, which could be used and is used now."""
    return read_row(
        connection,
        LinkRow,
        "UPDATE sign_in_link SET used_at = :now "
        "WHERE id_hash = :id AND used_at IS NULL AND expires_at > :now RETURNING account_id",
        id=hash_token(token),
        now=now,
    )


def forget_old_links(ledger: Ledger, now: datetime, at_most: int) -> int:
    """Delete links that cannot be used any more. Returns how many."""
    statement = text(
        "DELETE FROM sign_in_link WHERE id_hash IN (SELECT id_hash FROM sign_in_link "
        "WHERE expires_at <= :since LIMIT :most FOR UPDATE SKIP LOCKED)"
    )
    with ledger.transaction() as connection:
        return connection.execute(statement, {"since": now, "most": at_most}).rowcount
