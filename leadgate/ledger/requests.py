"""Requests that brought signals over HTTP: who sent them, and ids that were used again for another body.

Belongs here: the statements about ``reused_request``, and what is kept of a request with its signals. Does not belong
here: storing signals (``signals``), or answering (the console).

An id that a sender gives (``webhook-id``, or a bearer's ``Idempotency-Key``) names one body of its source for good. A
request with the same id and another body is refused, and the refusal is kept, for one of the two is a mistake or an
attack; what was accepted first stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger


class Sender(NamedTuple):
    """What is kept of a request with each of its signals and activities.

    ``hash`` is that of the body's content without volatile columns, where the sender gave the id; else None. It is as
    personal as the payload beside it: it is erased with its row.
    """

    source: str
    address: str | None = None
    id: str | None = None
    hash: str | None = None


#: One row each, by index: a join would be planned while the tables are empty, and then read them whole for ever.
_KEPT: Final = "WITH asked AS (SELECT * FROM unnest(CAST(:source AS text[]), CAST(:id AS text[])) a (source, id)) " + (
    " UNION ALL ".join(
        f"SELECT a.source, a.id, k.request_hash FROM asked a CROSS JOIN LATERAL (SELECT request_hash FROM {table} "
        "WHERE source = a.source AND request_id = a.id AND request_hash IS NOT NULL LIMIT 1) k"
        for table in ("signal", "activity")
    )
)


class Reused(NamedTuple):
    """An id that came again with another body, ``times`` times."""

    source: str
    request_id: str
    times: int
    last_at: datetime
    last_address: str | None


def find_reused(connection: Connection, senders: Sequence[Sender]) -> list[bool]:
    """For each sender whether its id was used for another body before: in the ledger, or earlier in ``senders``.

    The caller has the locks of the sources (``captured_rows.lock_sources``), so no other body comes between.
    """
    given = {(each.source, each.id) for each in senders if each.hash is not None}
    known: dict[tuple[str, str | None], str] = {}
    if given:
        found = connection.execute(
            text(_KEPT), {"source": [source for source, _ in given], "id": [id_ for _, id_ in given]}
        )
        known = {(row.source, row.id): row.request_hash for row in found}
    return [
        each.hash is not None and known.setdefault((each.source, each.id), each.hash) != each.hash for each in senders
    ]


def list_reused_since(ledger: Ledger, since: datetime) -> list[Reused]:
    """The ids that last came again with another body after ``since``, the latest first; at most 20."""
    statement = text(
        "SELECT source, request_id, times, last_at, last_address FROM reused_request WHERE last_at > :since "
        "ORDER BY last_at DESC, source, request_id LIMIT 20"
    )
    with ledger.transaction() as connection:
        return [Reused(*row) for row in connection.execute(statement, {"since": since})]


def record_reuse(connection: Connection, senders: Sequence[Sender], now: datetime) -> None:
    """Keep that these were refused, for ``find_reused``: a row for each id, however often it comes."""
    for each in senders:
        connection.execute(
            text(
                "INSERT INTO reused_request AS r (source, request_id, times, first_at, last_at, last_address) "
                "VALUES (:source, :id, 1, :now, :now, :address) ON CONFLICT (source, request_id) DO UPDATE "
                "SET times = r.times + 1, last_at = excluded.last_at, last_address = excluded.last_address"
            ),
            {"source": each.source, "id": each.id, "now": now, "address": each.address},
        )
