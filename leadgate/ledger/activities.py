"""The table ``activity``: what leads and reps did, and which lead and which record it was about.

Belongs here: every statement that writes the table, and what stages ask about activities. Does not belong here: reading
files (``connectors.files``), or what counts as a touch (``leadgate.sla.touches``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.failpoints import failpoint
from leadgate.ledger import assignments, bulk, faults, leads
from leadgate.ledger.captured_rows import (
    SENDER_COLUMNS,
    StoredRow,
    build_sender_parameters,
    lock_source,
    match_rows_to_keys,
    notify_consumers,
)
from leadgate.ledger.journeys.locking import decide_again, lock_journeys_about
from leadgate.ledger.requests import Sender
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.vocabulary import ActivityActor, StageName

if TYPE_CHECKING:
    import pandas as pd


def read_lead_activities(connection: Connection, batch_id: int, stage: StageName) -> pd.DataFrame:
    """What the leads of a batch did: ``journey_id``, ``kind``, ``occurred_at``, oldest first."""
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, a.kind, a.occurred_at FROM journey j
        JOIN activity a ON a.lead_id = j.lead_id AND a.actor = 'lead'
        WHERE j.batch_id = :batch AND j.stage = :stage ORDER BY j.id, a.occurred_at, a.id""",
        batch=batch_id,
        stage=stage,
    )


def read_follow_up_activities(connection: Connection, batch_id: int, outcomes: Sequence[str]) -> pd.DataFrame:
    """The activities that count for the follow-up of a batch's owned leads since their assignment, oldest first.

    These are the reps' activities, and those in ``outcomes`` by anybody, unless they were withdrawn. Columns:
    ``journey_id``, ``kind``, ``actor``, ``rep``, ``occurred_at``, ``seconds``, ``automatic``.
    """
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, t.kind, t.actor, t.rep, t.occurred_at, t.seconds, t.automatic FROM journey j
        JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        JOIN activity t ON t.lead_id = j.lead_id AND t.occurred_at >= a.assigned_at
            AND (t.actor = 'rep' OR t.kind = ANY(:outcomes)) AND t.withdrawn_at IS NULL
        WHERE j.batch_id = :batch AND j.status = 'owned' ORDER BY j.id, t.occurred_at, t.id""",
        batch=batch_id,
        outcomes=list(outcomes),
    )


def list_unmatched(connection: Connection) -> list[int]:
    """Activities that nobody was known for, or whose record was not, and whose lead or record is known by now."""
    rows = connection.execute(
        text(
            "SELECT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email "
            f"WHERE u.lead_id IS NULL UNION SELECT u.id FROM activity u CROSS JOIN LATERAL ({_RECORD}) r "
            "WHERE u.record_id IS NULL AND u.record_key IS NOT NULL ORDER BY id"
        )
    )
    return [row.id for row in rows]


#: The record that an activity ``u`` names: by its number, as Leadgate prints it, or by its id at the source that is
#: meant. An id that records of several sources have names none of them.
_RECORD: Final = """
    SELECT n.id FROM record n WHERE u.record_source IS NULL
        AND n.id = CASE WHEN u.record_key ~ '^[Rr][0-9]{1,18}$' THEN CAST(substr(u.record_key, 2) AS bigint) END
    UNION ALL SELECT min(n.id) FROM record n
        WHERE n.key = u.record_key AND (u.record_source IS NULL OR n.source = u.record_source) HAVING count(*) = 1
    LIMIT 1"""


def try_to_match_activities(connection: Connection, now: datetime) -> None:
    """``match_activities`` within a transaction about something else, which an activity that cannot be matched must
    not stop: nothing is matched then, and the next claim finds the one to blame (``tasks.claiming``)."""
    try:
        with connection.begin_nested():
            match_activities(connection, now)
    except DBAPIError as error:
        if not faults.is_ours(error):
            raise


def match_activities(connection: Connection, now: datetime, only: RowFilter = ALL) -> None:
    """Give activities to the leads and the records that are known by now, and were not before.

    Activities that another transaction is giving away right now are left to it: nobody waits for anybody
    while holding activities.
    """
    matched = connection.execute(
        text(
            f"""
            UPDATE activity a SET lead_id = i.lead_id FROM identity i
            WHERE i.kind = 'email' AND i.value = a.email AND a.id IN (
                SELECT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email
                WHERE u.lead_id IS NULL AND {only.build_sql("u.id")} FOR UPDATE OF u SKIP LOCKED)
            RETURNING a.lead_id, a.actor"""
        ),
        only.parameters,
    ).fetchall()
    records = _match_records(connection, only)
    if not matched and not records:
        return
    journeys = lock_journeys_about(connection, [row.lead_id for row in matched], records)
    decide_again(connection, journeys)
    leads.score_again(connection, [row.lead_id for row in matched if row.actor == ActivityActor.LEAD], now)
    assignments.look_again(connection, journeys, now)


def _match_records(connection: Connection, only: RowFilter) -> list[int]:
    """Returns the records that activities were given to."""
    rows = connection.execute(
        text(
            f"""
            UPDATE activity a SET record_id = f.record_id FROM (
                SELECT u.id, r.id AS record_id FROM activity u CROSS JOIN LATERAL ({_RECORD}) r
                WHERE u.record_id IS NULL AND u.record_key IS NOT NULL AND {only.build_sql("u.id")}
                FOR UPDATE OF u SKIP LOCKED) f
            WHERE a.id = f.id RETURNING a.record_id"""
        ),
        only.parameters,
    )
    return [row.record_id for row in rows]


#: The source of activities that a rep logged by hand.
BY_HAND: Final = "by_hand"


def log_touch(
    connection: Connection,
    lead_id: int | None,
    record_id: int | None,
    *,
    kind: str,
    rep: str,
    at: datetime,
    seconds: int | None,
    now: datetime,
) -> int | None:
    """What ``rep`` did about a lead or a record ``at`` a moment, as a person says: the activity's id. None when that is
    known already; one that was withdrawn counts again."""
    subject = str(lead_id) if record_id is None else f"R{record_id}"
    values = {
        "source": BY_HAND,
        "key": f"{subject}:{kind}:{rep}:{at.isoformat()}",
        "kind": kind,
        "by": rep,
        "lead": lead_id,
        "record": record_id,
        "at": at,
        "seconds": seconds,
        "payload": orjson.dumps({"kind": kind, "seconds": seconds}).decode(),
        "now": now,
    }
    logged: int | None = connection.execute(
        text(
            "INSERT INTO activity AS a (source, key, kind, actor, rep, lead_id, record_id, occurred_at, payload, "
            "received_at, seconds) "
            "VALUES (:source, :key, :kind, 'rep', :by, :lead, :record, :at, :payload, :now, :seconds) "
            "ON CONFLICT (source, key) DO UPDATE SET withdrawn_at = NULL, seconds = excluded.seconds, "
            "payload = excluded.payload WHERE a.withdrawn_at IS NOT NULL RETURNING a.id"
        ),
        values,
    ).scalar()
    return logged


def withdraw(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """These activities, which somebody logged by mistake, count no more."""
    failpoint("undo.withdraw.before")
    connection.execute(
        text("UPDATE activity SET withdrawn_at = :now WHERE id = ANY(:ids)"), {"ids": list(ids), "now": now}
    )
    failpoint("undo.withdraw.after")


class NewActivity(NamedTuple):
    """An activity as it comes in, with its payload as JSON text. ``record_key`` names the record that it is about."""

    source: str
    key: str
    kind: str
    actor: str
    rep: str | None
    email: str | None
    occurred_at: datetime
    payload: str
    seconds: int | None
    automatic: bool | None
    record_key: str | None = None


#: The columns of ``NewActivity``, in their order, with their types.
ACTIVITY_COLUMNS: Final[dict[str, str]] = dict.fromkeys(NewActivity._fields, "text") | {
    "occurred_at": "timestamptz", "seconds": "int", "automatic": "boolean",
}  # fmt: skip


def store_activities(connection: Connection, rows: Sequence[NewActivity], now: datetime) -> int:
    """Store activities. Returns how many are new."""
    columns = list(ACTIVITY_COLUMNS)
    definition = ", ".join(f"{name} {kind}" for name, kind in ACTIVITY_COLUMNS.items())
    connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS incoming_activity ({definition}) ON COMMIT DELETE ROWS"))
    bulk.copy_rows(connection, "incoming_activity", columns, rows)
    lock_source(connection, rows[0].source)
    failpoint("capture.activities.before")
    new = connection.execute(
        text(
            f"INSERT INTO activity ({', '.join(columns)}, received_at) SELECT {', '.join(columns)}, :now "
            "FROM incoming_activity ON CONFLICT (source, key) DO NOTHING"
        ),
        {"now": now},
    ).rowcount
    notify_consumers(connection)
    failpoint("capture.activities.after")
    return new


class KnownActivity(NamedTuple):
    """An activity about a lead that is known, or about the record ``record_key`` of the source ``record_source``."""

    source: str
    key: str
    kind: str
    actor: str
    rep: str | None
    lead_id: int | None
    occurred_at: datetime
    payload: str
    seconds: int | None = None
    automatic: bool | None = None
    record_source: str | None = None
    record_key: str | None = None


_KNOWN_COLUMNS: Final[dict[str, str]] = dict.fromkeys(KnownActivity._fields, "text") | {
    "lead_id": "bigint", "occurred_at": "timestamptz", "seconds": "int", "automatic": "boolean",
}  # fmt: skip


def store_known(connection: Connection, rows: Sequence[KnownActivity], now: datetime) -> int:
    """Store what reps did about leads that are known, and about records, and check these again. Returns how many are
    new."""
    if not rows:
        return 0
    stored = connection.execute(
        text(
            f"""
            INSERT INTO activity ({", ".join(_KNOWN_COLUMNS)}, received_at) SELECT {", ".join(_KNOWN_COLUMNS)}, :now
            FROM unnest({", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _KNOWN_COLUMNS.items())})
                AS each ({", ".join(_KNOWN_COLUMNS)})
            ORDER BY source, key ON CONFLICT (source, key) DO NOTHING RETURNING id, lead_id, record_key"""
        ),
        {name: [row[at] for row in rows] for at, name in enumerate(_KNOWN_COLUMNS)} | {"now": now},
    ).fetchall()
    about_records = [row.id for row in stored if row.record_key is not None]
    records = _match_records(connection, RowFilter(among=tuple(about_records))) if about_records else []
    leads_of = [row.lead_id for row in stored if row.lead_id is not None]
    journeys = lock_journeys_about(connection, leads_of, records)
    decide_again(connection, journeys)
    assignments.look_again(connection, journeys, now)
    return len(stored)


def store_each_activity(
    connection: Connection, rows: Sequence[NewActivity], senders: Sequence[Sender], now: datetime
) -> list[StoredRow]:
    """Store activities, as ``store_each_signal`` does those of signals."""
    columns = ACTIVITY_COLUMNS | dict.fromkeys(SENDER_COLUMNS, "text")
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
        {name: [row[at] for row in rows] for at, name in enumerate(ACTIVITY_COLUMNS)}
        | build_sender_parameters(senders)
        | {"now": now},
    )
    notify_consumers(connection)
    return match_rows_to_keys([(row.source, row.key) for row in rows], found)
