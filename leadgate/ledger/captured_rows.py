"""The common parts of storing signals and storing activities: locks of sources, sender columns, and stored rows.

Belongs here: these functions, none of which writes a table. Does not belong here: storing (``signals``,
``activities``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, text

from leadgate.ledger.announcements import WAITING
from leadgate.ledger.requests import Sender


class StoredRow(NamedTuple):
    """A captured row in the ledger: its id, and whether it is new (or was stored before)."""

    id: int
    new: bool


#: The columns in which a row names its sender, in the order of the fields of ``Sender`` after ``source``.
SENDER_COLUMNS: Final = ("client_address", "request_id", "request_hash")


def build_sender_parameters(senders: Sequence[Sender]) -> dict[str, list[str | None]]:
    """The parameters of a statement with ``SENDER_COLUMNS``: a list of values for each column."""
    return {name: [sender[at] for sender in senders] for at, name in enumerate(SENDER_COLUMNS, start=1)}


def match_rows_to_keys(
    keys: Sequence[tuple[str, str]], found: Iterable[Row[tuple[int, str, str, bool]]]
) -> list[StoredRow]:
    """The stored row of each of ``keys`` (source and key), in order. A key that occurs again is no longer new.

    ``found`` has each key once: the query looks for stored rows in the ledger as it was before its own insert.
    """
    by_key = {(row.source, row.key): StoredRow(row.id, row.new) for row in found}
    rows = []
    for key in keys:
        rows.append(by_key[key])
        by_key[key] = StoredRow(by_key[key].id, False)
    return rows


def lock_source(connection: Connection, source: str) -> None:
    """Lock ``source`` until the transaction ends. Without the lock, two captures of overlapping files would insert the
    same keys in different orders, and deadlock."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:source, 0))"), {"source": source})


def lock_sources(connection: Connection, sources: Collection[str]) -> datetime:
    """Lock several sources, always in the same order. The next statement sees everything that others stored before.

    Returns the ledger's time after the last lock, so that new rows are never dated earlier than stored ones.
    """
    statement = (
        "SELECT pg_advisory_xact_lock(hashtextextended(source, 0)), clock_timestamp() "
        "FROM unnest(CAST(:sources AS text[])) source"
    )
    locked_at: datetime = connection.execute(text(statement), {"sources": sorted(sources)}).all()[-1][1]
    return locked_at


def notify_consumers(connection: Connection) -> None:
    """Wake the consumers when this transaction is committed."""
    connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": WAITING})
