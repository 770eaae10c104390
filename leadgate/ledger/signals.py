"""Signals and activities in: stored first, once, each signal with its journey.

Belongs here: the statements that store what was captured. Does not belong here: reading files
(``connectors.files``) or computing keys (``tasks.capture``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text

from leadgate.failpoints import hit
from leadgate.ledger import bulk

_INCOMING = {
    "n": "int",
    "source": "text",
    "key": "text",
    "payload": "text",
    "unreadable": "text",
    "origin": "text",
}


def store_signals(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> int:
    """Store ``(n, source, key, payload, unreadable, origin)`` rows with their journeys. Returns how many are new.

    A row whose ``(source, key)`` is known is left alone: capturing again is a no-op.
    """
    types = ", ".join(f"{name} {kind}" for name, kind in _INCOMING.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS incoming ({types}) ON COMMIT DELETE ROWS"))
    bulk.copy_rows(connection, "incoming", list(_INCOMING), rows)
    _one_after_the_other(connection, rows[0][1])
    hit("capture.signals.before")
    new = connection.execute(
        text(
            """
            WITH stored AS (
                INSERT INTO signal (source, key, payload, unreadable, origin, received_at)
                SELECT source, key, payload, unreadable, origin, :now FROM incoming ORDER BY n
                ON CONFLICT (source, key) DO NOTHING RETURNING id, source)
            INSERT INTO journey (trigger, signal_id, source, captured_at, run_after, stage, start_stage, status,
                version, generation)
            SELECT 'signal', id, source, :now, :now, 'capture', 'capture', 'ready', 0, 0 FROM stored ORDER BY id"""
        ),
        {"now": now},
    ).rowcount
    hit("capture.signals.after")
    return new


def store_activities(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> int:
    """Store ``(source, key, kind, actor, rep, email, occurred_at, payload)`` rows. Returns how many are new."""
    columns = ["source", "key", "kind", "actor", "rep", "email", "occurred_at", "payload"]
    connection.execute(
        text(
            "CREATE TEMP TABLE IF NOT EXISTS incoming_activity (source text, key text, kind text, actor text, "
            "rep text, email text, occurred_at timestamptz, payload text) ON COMMIT DELETE ROWS"
        )
    )
    bulk.copy_rows(connection, "incoming_activity", columns, rows)
    _one_after_the_other(connection, rows[0][0])
    hit("capture.activities.before")
    new = connection.execute(
        text(
            f"INSERT INTO activity ({', '.join(columns)}, received_at) SELECT {', '.join(columns)}, :now "
            "FROM incoming_activity ON CONFLICT (source, key) DO NOTHING"
        ),
        {"now": now},
    ).rowcount
    hit("capture.activities.after")
    return new


def _one_after_the_other(connection: Connection, source: str) -> None:
    """Two captures of overlapping files would insert the same keys in another order, and deadlock."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:source, 0))"), {"source": source})


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
