"""Starting journeys: of signals, and of leads that are due to be scored or looked up again, or come back from nurture.

Belongs here: finding these leads, and every statement that inserts into the table ``journey``. Does not belong here:
when a lead is due next (the stages), or claiming what was started (``claiming``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, text

from leadgate.ledger import leads, records
from leadgate.ledger.journeys.transitions import CAPTURE, DUE, ENRICH, RECYCLE, RESCORE, Transition
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.vocabulary import OPEN, JourneyKind, Trigger, list_in_sql

_OPEN: Final = list_in_sql(OPEN)


_LEAD: Final = f"'{JourneyKind.LEAD}'"


def insert(
    transition: Transition, of: Literal["signal_id", "lead_id", "record_id"], rows: str, kind: str = _LEAD
) -> str:
    """The statement that starts a journey by ``transition`` for each row ``d`` (``id``, ``source``) that ``rows``
    selects. ``kind``: the expression of the journey's kind."""
    trigger = Trigger.SIGNAL if transition is CAPTURE else Trigger(transition.name)
    return (
        f"INSERT INTO journey (kind, trigger, {of}, source, captured_at, run_after, stage, start_stage, status, "
        f"version, generation) SELECT {kind}, '{trigger}', d.id, d.source, :now, :now, '{transition.stage}', "
        f"'{transition.stage}', '{transition.status}', 0, 0 FROM ({rows}) d ORDER BY d.id"
    )


#: Starts a journey for each signal of ``stored``, a part of the statement that stores signals. Its parameter ``kinds``
#: maps a source to the kind of its journeys, as JSON; those of a source that is not in it are about leads.
INSERT_SIGNAL_JOURNEYS: Final = insert(
    CAPTURE,
    "signal_id",
    "SELECT id, source FROM stored",
    f"coalesce(CAST(:kinds AS jsonb) ->> d.source, {_LEAD})",
)

#: Why a lead is due, and after which last journey that starts another. Time changes what a score decided: a lead that
#: was followed up goes cold, what spoke against a nurtured one fades. What its owner rejected stays rejected until
#: there is news.
_DUE: Final[tuple[tuple[leads.Due, str], ...]] = (
    ("rescore_at", "last.status IN ('nurture', 'disqualified', 'done')"),
    ("score_changes_at", "last.status = 'done' OR (last.status = 'nurture' AND last.stage = 'qualification')"),
)


def list_due_rescores(connection: Connection, now: datetime) -> list[int]:
    """The leads that ``start_rescores`` would look at."""
    rows = connection.execute(
        text("SELECT id FROM lead WHERE rescore_at <= :now OR score_changes_at <= :now ORDER BY id"), {"now": now}
    )
    return [row.id for row in rows]


def start_rescores(connection: Connection, now: datetime, only: RowFilter = ALL) -> int:
    """A journey that begins at qualification for each lead with news, or whom time alone has changed. Returns how many.

    A lead whose journey is still open needs none: it is scored when it gets there, or its owner knows.
    """
    return sum(_start_rescores(connection, now, column, after, only) for column, after in _DUE)


def _start_rescores(connection: Connection, now: datetime, column: leads.Due, after: str, only: RowFilter) -> int:
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT l.id, last.source, {after} AS starts FROM lead l
                JOIN LATERAL (SELECT source, status, stage FROM journey WHERE lead_id = l.id
                    AND status <> 'joined' ORDER BY id DESC LIMIT 1) last ON true
                WHERE l.{column} <= :now AND {only.build_sql("l.id")}
                AND NOT EXISTS (SELECT 1 FROM journey WHERE lead_id = l.id AND status IN ({_OPEN}))
                ORDER BY l.id FOR UPDATE OF l SKIP LOCKED),
            cleared AS ({leads.clear_due(column)})
            {insert(RESCORE, "lead_id", "SELECT id, source FROM due WHERE starts")} ON CONFLICT DO NOTHING"""
        ),
        {"now": now} | only.parameters,
    ).rowcount


#: The leads of ``due`` that are still in nurture, with the source of their last journey.
_IN_NURTURE: Final = f"""SELECT due.id, last.source FROM due
    JOIN LATERAL (SELECT source, status FROM journey WHERE lead_id = due.id
        AND status <> 'joined' ORDER BY id DESC LIMIT 1) last ON last.status = 'nurture'
    WHERE NOT EXISTS (SELECT 1 FROM journey WHERE lead_id = due.id AND status IN ({_OPEN}))"""


def list_due_recycles(connection: Connection, now: datetime) -> list[int]:
    """The leads that ``start_recycles`` would look at."""
    rows = connection.execute(text("SELECT id FROM lead WHERE recycle_at <= :now ORDER BY id"), {"now": now})
    return [row.id for row in rows]


def start_recycles(connection: Connection, now: datetime, only: RowFilter = ALL) -> int:
    """A journey that begins at qualification for each lead in nurture whose time to come back has come.

    One that came back by itself meanwhile, or was ruled out, is left where it is. Returns how many were started.
    """
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT id FROM lead WHERE recycle_at <= :now AND {only.build_sql("id")}
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
            cleared AS ({leads.clear_due("recycle_at")})
            {insert(RECYCLE, "lead_id", _IN_NURTURE)} ON CONFLICT DO NOTHING"""
        ),
        {"now": now} | only.parameters,
    ).rowcount


def list_due_records(connection: Connection, now: datetime) -> list[int]:
    """The records that ``start_due_records`` would look at."""
    rows = connection.execute(text("SELECT id FROM record WHERE again_at <= :now ORDER BY id"), {"now": now})
    return [row.id for row in rows]


def start_due_records(connection: Connection, now: datetime, only: RowFilter = ALL) -> int:
    """A journey for each record whose time has come: a renewal's window opens, a close date has passed.

    One that somebody owns, or about which a question is open, may have a journey beside, as after an update: a close
    date passes all the same. A record of which a journey is under way is looked at when that has gone on. Returns how
    many were started.
    """
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT r.id, r.source, r.kind FROM record r WHERE r.again_at <= :now AND {only.build_sql("r.id")}
                AND NOT EXISTS (SELECT 1 FROM journey WHERE record_id = r.id AND status = 'ready')
                ORDER BY r.id FOR NO KEY UPDATE SKIP LOCKED),
            cleared AS ({records.CLEAR_DUE})
            {insert(DUE, "record_id", "SELECT id, source, kind FROM due", "d.kind")}"""
        ),
        {"now": now} | only.parameters,
    ).rowcount


#: Leads that are looked up again in one go. What cannot be asked is found out with so many, not with all that wait.
_LOOKED_UP_TOGETHER: Final = 100


def list_due_enrichments(connection: Connection, now: datetime) -> list[int]:
    """The leads that ``start_enrichments`` would look at, first or later."""
    rows = connection.execute(text("SELECT id FROM lead WHERE enrich_at <= :now ORDER BY id"), {"now": now})
    return [row.id for row in rows]


def start_enrichments(connection: Connection, now: datetime, only: RowFilter = ALL) -> int:
    """A journey that begins at enrichment for the leads that passed without a provider and wait longest.

    None while any provider is left alone. A lead whose journey is still open is looked at a day later. Returns how many
    were started.
    """
    return connection.execute(
        text(
            f"""
            WITH due AS (
                SELECT l.id, last.source, last.status IN ({_OPEN}) AS is_open,
                    last.status = 'done' OR (last.status IN ('nurture', 'disqualified')
                        AND last.stage = 'qualification') AS starts
                FROM (SELECT id FROM lead WHERE enrich_at <= :now AND {only.build_sql("id")}
                    AND NOT EXISTS (SELECT 1 FROM provider_state WHERE closed_until > :now)
                    ORDER BY enrich_at, id LIMIT {_LOOKED_UP_TOGETHER} FOR NO KEY UPDATE SKIP LOCKED) l
                JOIN LATERAL (SELECT source, status, stage FROM journey WHERE lead_id = l.id
                    AND status <> 'joined' ORDER BY id DESC LIMIT 1) last ON true),
            postponed AS ({leads.POSTPONE_ENRICHMENTS})
            {insert(ENRICH, "lead_id", "SELECT id, source FROM due WHERE starts")} ON CONFLICT DO NOTHING"""
        ),
        {"now": now} | only.parameters,
    ).rowcount
