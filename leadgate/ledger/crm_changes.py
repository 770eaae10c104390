"""The table ``crm_change``: records of a CRM that its webhooks say were changed, until a sync has read them.

Belongs here: every statement about the table. Does not belong here: what a webhook says
(``leadgate.mapping.webhooks``), reading the record (``connectors``), or what follows from it (``tasks``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from leadgate.ledger.captured_rows import StoredRow, match_rows_to_keys
from leadgate.ledger.requests import Sender
from leadgate.ledger.typed_rows import read_rows


class NewCrmChange(NamedTuple):
    """A change as it comes in, with its payload as JSON text."""

    source: str
    key: str
    object: str
    record_id: str
    event: str
    property: str | None
    occurred_at: datetime
    payload: str


_COLUMNS: Final[dict[str, str]] = dict.fromkeys(NewCrmChange._fields, "text") | {"occurred_at": "timestamptz"}


@dataclass(frozen=True)
class ChangedRecord:
    """A record with what happened to it lately and was not followed yet."""

    object: str
    record_id: str
    events: list[str]
    ids: list[int]  # of the changes, for ``mark_followed``
    occurred_at: datetime  # of the latest


def store_each_change(
    connection: Connection, rows: Sequence[NewCrmChange], senders: Sequence[Sender], now: datetime
) -> list[StoredRow]:
    """Store changes of any sources, and say what each became, in their order.

    ``senders`` has the sender of each row. The caller has called ``lock_sources`` for their sources.
    """
    found = connection.execute(
        text(
            f"""
            WITH incoming AS (
                SELECT * FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())},
                    CAST(:client_address AS text[]))
                    WITH ORDINALITY AS each ({", ".join(_COLUMNS)}, client_address, n)),
            stored AS (
                INSERT INTO crm_change ({", ".join(_COLUMNS)}, client_address, received_at)
                SELECT {", ".join(_COLUMNS)}, client_address, :now FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source, key)
            SELECT id, source, key, true AS new FROM stored
            UNION ALL
            SELECT k.id, i.source, i.key, false FROM (SELECT DISTINCT source, key FROM incoming) i
                CROSS JOIN LATERAL (SELECT id FROM crm_change WHERE source = i.source AND key = i.key LIMIT 1) k"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(_COLUMNS)}
        | {"client_address": [sender.address for sender in senders], "now": now},
    )
    return match_rows_to_keys([(row.source, row.key) for row in rows], found)


def list_changed_records(connection: Connection, source: str, most: int) -> list[ChangedRecord]:
    """At most ``most`` records that wait to be followed, those that have waited for the longest first."""
    return read_rows(
        connection,
        ChangedRecord,
        "SELECT object, record_id, array_agg(DISTINCT event ORDER BY event) AS events, "
        "array_agg(id ORDER BY id) AS ids, max(occurred_at) AS occurred_at FROM crm_change "
        "WHERE source = :source AND followed_at IS NULL GROUP BY object, record_id ORDER BY min(id) LIMIT :most",
        source=source,
        most=most,
    )


def mark_followed(connection: Connection, ids: Collection[int], now: datetime) -> int:
    """These changes were followed, in the transaction that stored what was read. Returns how many were not before."""
    return connection.execute(
        text("UPDATE crm_change SET followed_at = :now WHERE id = ANY(:ids) AND followed_at IS NULL"),
        {"ids": list(ids), "now": now},
    ).rowcount
