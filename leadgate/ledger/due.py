"""Leads that are due for another journey: there is news of them, time has changed their score, nurture is over.

Belongs here: finding these leads and starting their journeys. Does not belong here: when a lead is due next (the
stages), or claiming what was started (``batches``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.only import ALL, Only
from leadgate.stages import OPEN

_OPEN = ", ".join(f"'{status}'" for status in OPEN)

#: Why a lead is due, and after which last journey that starts another. Time changes what a score decided: a lead that
#: was followed up goes cold, what spoke against a nurtured one fades. What its owner rejected stays rejected until
#: there is news.
_DUE: Final = (
    ("rescore_at", "last.status IN ('nurture', 'disqualified', 'done')"),
    ("score_changes_at", "last.status = 'done' OR (last.status = 'nurture' AND last.stage = 'qualification')"),
)


def due_for_rescore(connection: Connection, now: datetime) -> list[int]:
    """The leads that ``start_rescores`` would look at."""
    rows = connection.execute(
        text("SELECT id FROM lead WHERE rescore_at <= :now OR score_changes_at <= :now ORDER BY id"), {"now": now}
    )
    return [row.id for row in rows]


def start_rescores(connection: Connection, now: datetime, only: Only = ALL) -> int:
    """A journey that begins at qualification for each lead with news, or whom time alone has changed. Returns how many.

    A lead whose journey is still open needs none: it is scored when it gets there, or its owner knows.
    """
    return sum(_start_rescores(connection, now, column, after, only) for column, after in _DUE)


def _start_rescores(connection: Connection, now: datetime, column: str, after: str, only: Only) -> int:
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT l.id, last.source, {after} AS starts FROM lead l
                JOIN LATERAL (SELECT source, status, stage FROM journey WHERE lead_id = l.id
                    AND status <> 'joined' ORDER BY id DESC LIMIT 1) last ON true
                WHERE l.{column} <= :now AND {only.condition("l.id")}
                AND NOT EXISTS (SELECT 1 FROM journey WHERE lead_id = l.id AND status IN ({_OPEN}))
                ORDER BY l.id FOR UPDATE OF l SKIP LOCKED),
            cleared AS (UPDATE lead SET {column} = NULL WHERE id IN (SELECT id FROM due))
            INSERT INTO journey (trigger, lead_id, source, captured_at, run_after, stage, start_stage,
                status, version, generation)
            SELECT 'rescore', id, source, :now, :now, 'qualification', 'qualification', 'ready', 0, 0
            FROM due WHERE starts ORDER BY id ON CONFLICT DO NOTHING"""
        ),
        {"now": now} | only.parameters,
    ).rowcount


def due_for_recycling(connection: Connection, now: datetime) -> list[int]:
    """The leads that ``start_recycles`` would look at."""
    rows = connection.execute(text("SELECT id FROM lead WHERE recycle_at <= :now ORDER BY id"), {"now": now})
    return [row.id for row in rows]


def start_recycles(connection: Connection, now: datetime, only: Only = ALL) -> int:
    """A journey that begins at qualification for each lead in nurture whose time to come back has come.

    One that came back by itself meanwhile, or was ruled out, is left where it is. Returns how many were started.
    """
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT id FROM lead WHERE recycle_at <= :now AND {only.condition("id")}
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
            cleared AS (UPDATE lead SET recycle_at = NULL WHERE id IN (SELECT id FROM due))
            INSERT INTO journey (trigger, lead_id, source, captured_at, run_after, stage, start_stage,
                status, version, generation)
            SELECT 'recycle', d.id, last.source, :now, :now, 'qualification', 'qualification', 'ready', 0, 0
            FROM due d JOIN LATERAL (SELECT source, status FROM journey WHERE lead_id = d.id
                AND status <> 'joined' ORDER BY id DESC LIMIT 1) last ON last.status = 'nurture'
            WHERE NOT EXISTS (SELECT 1 FROM journey WHERE lead_id = d.id AND status IN ({_OPEN}))
            ORDER BY d.id ON CONFLICT DO NOTHING"""
        ),
        {"now": now} | only.parameters,
    ).rowcount
