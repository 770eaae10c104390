"""The table ``crm_change``: records that webhooks name without their values, until they were read by their ids.

Belongs here: every statement about the table. Does not belong here: what a webhook says
(``leadgate.mapping.webhooks``), reading the record (``connectors``), or what follows from it (``tasks``).

A CRM's records are read many at once by its sync. Those of a source that has no sync, such as Facebook's leads, are
claimed one by one: by a lease (``ask_after``), with a time for another attempt, and with a rest of the whole source
(``source_rests_until``), which stands at the record that met its cause.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from leadgate.ledger.captured_rows import StoredRow, match_rows_to_keys
from leadgate.ledger.database import Ledger
from leadgate.ledger.requests import Sender
from leadgate.ledger.typed_rows import read_row, read_rows

ANSWERS_NOT_READ: Final = "answers_not_read"  #: the reason of the work item about a source whose records are not read


class NewCrmChange(NamedTuple):
    """A record that a webhook names, with the payload as JSON text."""

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


@dataclass(frozen=True)
class ClaimedRecord:
    """A record that nobody else asks for until the lease ends."""

    id: int  # of the change
    record_id: str
    payload: str
    attempts: int
    received_at: datetime


def claim_record(connection: Connection, source: str, now: datetime, until: datetime) -> ClaimedRecord | None:
    """The next record of ``source`` to ask for, claimed ``until`` then; None when none is due or the source rests."""
    return read_row(
        connection,
        ClaimedRecord,
        """
        UPDATE crm_change SET ask_after = :until WHERE id = (
            SELECT id FROM crm_change WHERE source = :source AND followed_at IS NULL
                AND (ask_after IS NULL OR ask_after <= :now)
                AND NOT EXISTS (SELECT 1 FROM crm_change r WHERE r.source = :source AND r.followed_at IS NULL
                    AND r.source_rests_until > :now)
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, record_id, payload, attempts, received_at""",
        source=source,
        now=now,
        until=until,
    )


def ask_later(connection: Connection, id_: int, ask_after: datetime) -> None:
    """Asking for this record alone has failed: another attempt follows."""
    connection.execute(
        text(
            "UPDATE crm_change SET attempts = attempts + 1, ask_after = :after WHERE id = :id AND followed_at IS NULL"
        ),
        {"id": id_, "after": ask_after},
    )


def rest(connection: Connection, id_: int, until: datetime) -> None:
    """No record of the source is asked for ``until`` then: this one met why."""
    connection.execute(
        text(
            "UPDATE crm_change SET ask_after = NULL, source_rests_until = :until WHERE id = :id AND followed_at IS NULL"
        ),
        {"id": id_, "until": until},
    )


@dataclass(frozen=True)
class WaitingRecords:
    """How many records wait to be read, and since when the oldest does."""

    count: int
    oldest: datetime | None


def read_waiting(ledger: Ledger, kind: str) -> WaitingRecords:
    """The records of this ``kind``, of any source, that nobody has read yet."""
    with ledger.transaction() as connection:
        (found,) = read_rows(
            connection,
            WaitingRecords,
            "SELECT count(*) AS count, min(received_at) AS oldest FROM crm_change "
            "WHERE followed_at IS NULL AND object = :kind",
            kind=kind,
        )
    return found
