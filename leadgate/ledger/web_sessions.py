"""The table ``web_session``: who is signed in to the console.

Belongs here: every statement that writes the table. Does not belong here: cookies and requests (``console``), or
accounts (``accounts``).

A browser has a random token, and the ledger has its SHA-256: whoever reads the ledger cannot act as somebody. The
token has 256 random bits, so a hash without salt cannot be searched.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.account_rows import COLUMNS, Account, build_account
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_statement

#: A session is over after so long without a request, and so long after it began.
IDLE: Final = timedelta(hours=12)
ABSOLUTE: Final = timedelta(days=7)
#: A session that is used is written so often at most: a page makes many requests.
SEEN_EVERY: Final = timedelta(minutes=1)


def open_session(ledger: Ledger, account_id: int, now: datetime) -> str:
    """Somebody has signed in. Returns the token for their browser, which is kept nowhere else."""
    token = make_token()
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO web_session (id_hash, account_id, created_at, last_seen_at) VALUES (:id, :of, :now, :now)"
            ),
            {"id": hash_token(token), "of": account_id, "now": now},
        )
    return token


def read_session(ledger: Ledger, token: str, as_of: datetime | None = None) -> tuple[Account, datetime] | None:
    """Whose session it is, and the ledger's time, or ``as_of``. None for a session that is over or never was, and for
    an account that was disabled.

    Every page asks this first, so it is one statement.
    """
    statement = f"""
        WITH clock AS MATERIALIZED (SELECT coalesce(CAST(:as_of AS timestamptz), clock_timestamp()) AS now),
        session AS (
            SELECT s.id_hash, s.account_id, s.last_seen_at, clock.now FROM web_session s, clock
            WHERE s.id_hash = :id AND s.ended_at IS NULL AND s.last_seen_at > clock.now - CAST(:idle AS interval)
                AND s.created_at > clock.now - CAST(:absolute AS interval)),
        seen AS (UPDATE web_session w SET last_seen_at = session.now FROM session
            WHERE w.id_hash = session.id_hash AND session.last_seen_at <= session.now - CAST(:seen_every AS interval))
        SELECT session.now, {COLUMNS} FROM account a JOIN session ON session.account_id = a.id
        WHERE a.disabled_at IS NULL"""
    limits = {"idle": IDLE, "absolute": ABSOLUTE, "seen_every": SEEN_EVERY}
    with ledger.statement() as connection:
        row = connection.execute(read_statement(statement), {"id": hash_token(token), "as_of": as_of, **limits}).first()
    return None if row is None else (build_account(*row[1:]), row[0])


def end_session(ledger: Ledger, token: str, now: datetime) -> None:
    """Somebody has signed out. A token that is none changes nothing."""
    with ledger.transaction() as connection:
        connection.execute(
            text("UPDATE web_session SET ended_at = :now WHERE id_hash = :id AND ended_at IS NULL"),
            {"id": hash_token(token), "now": now},
        )


def end_sessions(ledger: Ledger, account_id: int, now: datetime) -> int:
    """End all sessions of an account. Returns how many."""
    with ledger.transaction() as connection:
        return end_sessions_of(connection, account_id, now)


def end_sessions_of(connection: Connection, account_id: int, now: datetime) -> int:
    """The same in the caller's transaction."""
    return connection.execute(
        text("UPDATE web_session SET ended_at = :now WHERE account_id = :of AND ended_at IS NULL"),
        {"of": account_id, "now": now},
    ).rowcount


def forget_old_sessions(ledger: Ledger, now: datetime, at_most: int) -> int:
    """Delete sessions that began so long ago that they are over. Returns how many."""
    statement = text(
        "DELETE FROM web_session WHERE id_hash IN (SELECT id_hash FROM web_session WHERE created_at <= :since "
        "LIMIT :most FOR UPDATE SKIP LOCKED)"
    )
    with ledger.transaction() as connection:
        return connection.execute(statement, {"since": now - ABSOLUTE, "most": at_most}).rowcount


def make_token() -> str:
    """256 random bits, as text for a cookie or an address."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What the ledger keeps of a token: its SHA-256."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
