"""Signals and activities in: stored first, once, each signal with its journey.

Belongs here: the statements that store what was captured. Does not belong here: reading files
(``connectors.files``) or computing keys (``tasks.capture``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.consumers import CHANNEL
from leadgate.ledger.journeys import starting
from leadgate.ledger.requests import Sender

if TYPE_CHECKING:
    import pandas as pd

_INCOMING = {
    "n": "int",
    "source": "text",
    "key": "text",
    "payload": "text",
    "unreadable": "text",
    "origin": "text",
}


class Stored(NamedTuple):
    """A captured row in the ledger: its id, and whether it was stored now or known before."""

    id: int
    new: bool


def store_signals(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> int:
    """Store ``(n, source, key, payload, unreadable, origin)`` rows with their journeys. Returns how many are new.

    A row whose ``(source, key)`` is known is left alone: capturing again is a no-op.
    """
    types = ", ".join(f"{name} {kind}" for name, kind in _INCOMING.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS incoming ({types}) ON COMMIT DELETE ROWS"))
    bulk.copy_rows(connection, "incoming", list(_INCOMING), rows)
    _one_after_the_other(connection, rows[0][1])
    failpoint("capture.signals.before")
    new = connection.execute(
        text(
            f"""
            WITH stored AS (
                INSERT INTO signal (source, key, payload, unreadable, origin, received_at)
                SELECT source, key, payload, unreadable, origin, :now FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source)
            {starting.OF_SIGNALS}"""
        ),
        {"now": now},
    ).rowcount
    _say_that_some_wait(connection)
    failpoint("capture.signals.after")
    return new


#: What is known of an activity when it comes in, in the order of the rows that are stored.
ACTIVITY_COLUMNS: Final[dict[str, str]] = {
    "source": "text", "key": "text", "kind": "text", "actor": "text", "rep": "text", "email": "text",
    "occurred_at": "timestamptz", "payload": "text", "seconds": "int", "automatic": "boolean",
}  # fmt: skip


def store_activities(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> int:
    """Store rows of ``ACTIVITY_COLUMNS``. Returns how many are new."""
    columns = list(ACTIVITY_COLUMNS)
    definition = ", ".join(f"{name} {kind}" for name, kind in ACTIVITY_COLUMNS.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS incoming_activity ({definition}) ON COMMIT DELETE ROWS"))
    bulk.copy_rows(connection, "incoming_activity", columns, rows)
    _one_after_the_other(connection, rows[0][0])
    failpoint("capture.activities.before")
    new = connection.execute(
        text(
            f"INSERT INTO activity ({', '.join(columns)}, received_at) SELECT {', '.join(columns)}, :now "
            "FROM incoming_activity ON CONFLICT (source, key) DO NOTHING"
        ),
        {"now": now},
    ).rowcount
    _say_that_some_wait(connection)
    failpoint("capture.activities.after")
    return new


def store_each_signal(
    connection: Connection, rows: Sequence[Sequence[Any]], senders: Sequence[Sender], now: datetime
) -> list[Stored]:
    """Store the rows of ``store_signals``, of any sources, and say what each became, in their order.

    ``senders`` has the sender of each row. For a few rows at a time, whose senders wait for an answer. A key that is
    there twice is new the first time. The caller has called ``one_capture_at_a_time`` for their sources.

    Known ones are found a row each, by index: a join is planned while the table is small, and then reads all of it.
    """
    found = connection.execute(
        text(
            f"""
            WITH incoming AS (
                SELECT * FROM unnest(CAST(:source AS text[]), CAST(:key AS text[]), CAST(:payload AS text[]),
                    CAST(:unreadable AS text[]), CAST(:origin AS text[]), CAST(:client_address AS text[]),
                    CAST(:request_id AS text[]), CAST(:request_hash AS text[]))
                    WITH ORDINALITY AS each (source, key, payload, unreadable, origin, client_address, request_id,
                    request_hash, n)),
            stored AS (
                INSERT INTO signal (source, key, payload, unreadable, origin, received_at, client_address, request_id,
                    request_hash)
                SELECT source, key, payload, unreadable, origin, :now, client_address, request_id, request_hash
                FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source, key),
            started AS ({starting.OF_SIGNALS})
            SELECT id, source, key, true AS new FROM stored
            UNION ALL
            SELECT k.id, i.source, i.key, false FROM (SELECT DISTINCT source, key FROM incoming) i
                CROSS JOIN LATERAL (SELECT id FROM signal WHERE source = i.source AND key = i.key LIMIT 1) k"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(_INCOMING) if at} | _sent(senders) | {"now": now},
    )
    _say_that_some_wait(connection)
    return _in_order([(row[1], row[2]) for row in rows], found)


def store_each_activity(
    connection: Connection, rows: Sequence[Sequence[Any]], senders: Sequence[Sender], now: datetime
) -> list[Stored]:
    """Store the rows of ``store_activities``, as ``store_each_signal`` does those of signals."""
    columns = ACTIVITY_COLUMNS | dict.fromkeys(_SENT, "text")
    found = connection.execute(
        text(
            f"""
            WITH incoming AS (
                SELECT * FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())})
                    WITH ORDINALITY AS each ({", ".join(columns)}, n)),
            stored AS (
                INSERT INTO activity ({", ".join(columns)}, received_at)
                SELECT {", ".join(columns)}, :now FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source, key)
            SELECT id, source, key, true AS new FROM stored
            UNION ALL
            SELECT k.id, i.source, i.key, false FROM (SELECT DISTINCT source, key FROM incoming) i
                CROSS JOIN LATERAL (SELECT id FROM activity WHERE source = i.source AND key = i.key LIMIT 1) k"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(ACTIVITY_COLUMNS)} | _sent(senders) | {"now": now},
    )
    _say_that_some_wait(connection)
    return _in_order([(row[0], row[1]) for row in rows], found)


#: What is kept of its sender with each row, in the order of ``Sender`` without its source.
_SENT: Final = ("client_address", "request_id", "request_hash")


def _sent(senders: Sequence[Sender]) -> dict[str, list[str | None]]:
    return {name: [each[at] for each in senders] for at, name in enumerate(_SENT, start=1)}


def _in_order(keys: Sequence[tuple[str, str]], found: Iterable[Any]) -> list[Stored]:
    """What was found of each key. The known half of the query sees the ledger as it was before the insert."""
    known = {(row.source, row.key): Stored(row.id, row.new) for row in found}
    answers = []
    for key in keys:
        answers.append(known[key])
        known[key] = Stored(known[key].id, False)
    return answers


def _one_after_the_other(connection: Connection, source: str) -> None:
    """Two captures of overlapping files would insert the same keys in another order, and deadlock."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:source, 0))"), {"source": source})


def one_capture_at_a_time(connection: Connection, sources: Collection[str]) -> datetime:
    """The same for several sources, in an order that is everybody's. The statement after it sees what others stored.

    Returns the ledger's time once it is their turn: what is stored then is not dated earlier than what was there.
    """
    turns = (
        "SELECT pg_advisory_xact_lock(hashtextextended(source, 0)), clock_timestamp() "
        "FROM unnest(CAST(:sources AS text[])) source"
    )
    moment: datetime = connection.execute(text(turns), {"sources": sorted(sources)}).all()[-1][1]
    return moment


def _say_that_some_wait(connection: Connection) -> None:
    """Wakes whoever takes journeys through the stages, once this transaction is committed."""
    connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


def captured(connection: Connection, batch_id: int) -> pd.DataFrame:
    """The signals of a batch that wait at capture, with their journeys."""
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, j.version, j.generation, j.lead_id, j.source, j.captured_at,
            s.key, s.payload, s.unreadable
        FROM journey j JOIN signal s ON s.id = j.signal_id
        WHERE j.batch_id = :batch AND j.stage = 'capture' AND j.status = 'ready' ORDER BY j.id""",
        batch=batch_id,
    )


def corrections(connection: Connection, batch_id: int, stage: str) -> pd.DataFrame:
    """What people set on reruns of the batch's journeys, oldest first: ``journey_id``, ``field``, ``value``."""
    return bulk.select(
        connection,
        """
        SELECT c.journey_id, c.field, c.value FROM correction c JOIN journey j ON j.id = c.journey_id
        WHERE j.batch_id = :batch AND j.stage = :stage ORDER BY c.id""",
        batch=batch_id,
        stage=stage,
    )


def leads_at(connection: Connection, batch_id: int, stage: str, columns: Sequence[str]) -> pd.DataFrame:
    """The journeys of a batch that are ready for ``stage``, with ``columns`` of their leads."""
    wanted = "".join(f", l.{name}" for name in columns)
    return bulk.select(
        connection,
        f"""
        SELECT j.id AS journey_id, j.version, j.generation, j.lead_id, j.source, j.captured_at, j.waived{wanted}
        FROM journey j JOIN lead l ON l.id = j.lead_id
        WHERE j.batch_id = :batch AND j.stage = :stage AND j.status = 'ready' ORDER BY j.id""",
        batch=batch_id,
        stage=stage,
    )
