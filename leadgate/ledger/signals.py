"""The table ``signal``: each payload exactly as received, stored once, with its journey. Append-only.

Belongs here: every statement that writes the table, and reading the signals of a batch. Does not belong here: reading
files (``connectors.files``), computing keys (``tasks.capture``), or activities (``activities``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.captured_rows import (
    StoredRow,
    build_sender_parameters,
    lock_source,
    match_rows_to_keys,
    notify_consumers,
)
from leadgate.ledger.journeys import starting
from leadgate.ledger.requests import Sender
from leadgate.vocabulary import JourneyKind, StageName

if TYPE_CHECKING:
    import pandas as pd


class NewSignal(NamedTuple):
    """A signal to store: its position ``n`` among the others, and its payload as JSON text.

    ``recognised``: what columns of its file are by their values, a field or a notation of dates or numbers, as JSON
    text; the capture stage reads the signal by it.
    ``journey_kind``: what its journey is about; all signals of one source are about the same.
    """

    n: int
    source: str
    key: str
    payload: str
    unreadable: str | None
    origin: str
    recognised: str | None = None
    journey_kind: str = JourneyKind.LEAD.value


#: The columns of the temporary table ``incoming``, with their types.
_INCOMING = dict(zip(NewSignal._fields, ("int", *["text"] * 7), strict=True))


def store_signals(connection: Connection, rows: Sequence[NewSignal], now: datetime) -> int:
    """Store signals with their journeys. Returns how many are new.

    A row whose ``(source, key)`` is stored already is skipped: capturing a file again changes nothing.
    """
    types = ", ".join(f"{name} {kind}" for name, kind in _INCOMING.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS incoming ({types}) ON COMMIT DELETE ROWS"))
    bulk.copy_rows(connection, "incoming", list(_INCOMING), rows)
    lock_source(connection, rows[0].source)
    failpoint("capture.signals.before")
    new = connection.execute(
        text(
            f"""
            WITH stored AS (
                INSERT INTO signal (source, key, payload, unreadable, origin, recognised, received_at)
                SELECT source, key, payload, unreadable, origin, recognised, :now FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source)
            {starting.INSERT_SIGNAL_JOURNEYS}"""
        ),
        {"now": now, "kinds": _format_kinds(rows)},
    ).rowcount
    notify_consumers(connection)
    failpoint("capture.signals.after")
    return new


def store_each_signal(
    connection: Connection,
    rows: Sequence[NewSignal],
    senders: Sequence[Sender],
    now: datetime,
) -> list[StoredRow]:
    """Store signals of any sources; returns the stored row of each, in the order of ``rows``.

    For a few rows at a time, whose senders wait for an answer. ``senders`` has the sender of each row. Of two rows with
    the same key, only the first is new. The caller has locked the sources (``lock_sources``).

    Rows that are stored already are looked up one by one, by index: PostgreSQL would plan a join while the table is
    small, keep that plan, and then read the whole table.
    """
    found = connection.execute(
        text(
            f"""
            WITH incoming AS (
                SELECT * FROM unnest(CAST(:source AS text[]), CAST(:key AS text[]), CAST(:payload AS text[]),
                    CAST(:unreadable AS text[]), CAST(:origin AS text[]), CAST(:recognised AS text[]),
                    CAST(:journey_kind AS text[]),
                    CAST(:client_address AS text[]), CAST(:request_id AS text[]), CAST(:request_hash AS text[]))
                    WITH ORDINALITY AS each (source, key, payload, unreadable, origin, recognised, journey_kind,
                    client_address, request_id, request_hash, n)),
            stored AS (
                INSERT INTO signal (source, key, payload, unreadable, origin, recognised, received_at, client_address,
                    request_id, request_hash)
                SELECT source, key, payload, unreadable, origin, recognised, :now, client_address, request_id,
                    request_hash
                FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source, key),
            started AS ({starting.INSERT_SIGNAL_JOURNEYS})
            SELECT id, source, key, true AS new FROM stored
            UNION ALL
            SELECT k.id, i.source, i.key, false FROM (SELECT DISTINCT source, key FROM incoming) i
                CROSS JOIN LATERAL (SELECT id FROM signal WHERE source = i.source AND key = i.key LIMIT 1) k"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(_INCOMING) if at}
        | build_sender_parameters(senders)
        | {"now": now, "kinds": _format_kinds(rows)},
    )
    notify_consumers(connection)
    return match_rows_to_keys([(row.source, row.key) for row in rows], found)


def _format_kinds(rows: Sequence[NewSignal]) -> str:
    """What the journeys of each source are about, as JSON; sources of leads are left out."""
    kinds = {row.source: row.journey_kind for row in rows if row.journey_kind != JourneyKind.LEAD}
    return orjson.dumps(kinds).decode()


def find_known(connection: Connection, source: str, keys: Collection[str]) -> set[str]:
    """Those of these keys that signals of ``source`` have."""
    rows = connection.execute(
        text("SELECT key FROM signal WHERE source = :source AND key = ANY(:keys)"),
        {"source": source, "keys": sorted(keys)},
    )
    return {row.key for row in rows}


def read_captured(connection: Connection, batch_id: int, stage: StageName = StageName.CAPTURE) -> pd.DataFrame:
    """The signals of a batch that are ready for ``stage``, with their journeys. ``posted``: over HTTP."""
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, j.version, j.generation, j.lead_id, j.source, j.captured_at, j.waived,
            s.key, s.payload, s.unreadable, s.recognised,
            s.client_address IS NOT NULL AS posted
        FROM journey j JOIN signal s ON s.id = j.signal_id
        WHERE j.batch_id = :batch AND j.stage = :stage AND j.status = 'ready' ORDER BY j.id""",
        batch=batch_id,
        stage=stage,
    )
