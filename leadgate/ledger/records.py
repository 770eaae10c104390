"""The tables ``record`` and ``record_version``: what journeys of other kinds than leads are about, and each version.

Belongs here: every statement that writes these tables, and what stages read of them. Does not belong here: what an
update changes (``leadgate.records``), or the journeys of a record (``journeys.record_moves``).

Who changes a record has locked it and compared its version: two batches with updates of one record come one after the
other. Lock order: batch, journeys by id, records by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.faults import Conflict
from leadgate.ledger.typed_rows import read_rows
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import JourneyKind, MessageKind, NothingNew, StageName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """A record as its last version says. ``changed_at`` and ``journey_id`` are of that version. ``deleted_at``: since
    then it is not known any more."""

    id: int
    source: str
    key: str
    version: int
    values: JsonObject
    changed_at: datetime | None
    journey_id: int | None
    deleted_at: datetime | None


_CURRENT: Final = """
    SELECT r.id, r.source, r.key, r.version, coalesce(r.values, '{}') AS values, v.changed_at, v.journey_id,
        (SELECT max(d.noticed_at) FROM record_deletion d
            WHERE d.record_id = r.id AND d.noticed_at >= coalesce(v.stored_at, '-infinity')) AS deleted_at
    FROM record r LEFT JOIN record_version v ON v.id = r.version_id"""


def read_by_key(connection: Connection, kind: JourneyKind, keys: Sequence[tuple[str, str]]) -> list[CurrentRecord]:
    """The records of a kind that have one of these sources and keys, locked in the order of ids; the others are new."""
    return read_rows(
        connection,
        CurrentRecord,
        f"""{_CURRENT} JOIN unnest(CAST(:sources AS text[]), CAST(:keys AS text[])) AS x (source, key)
            ON r.kind = :kind AND r.source = x.source AND r.key = x.key
        ORDER BY r.id FOR NO KEY UPDATE OF r""",
        kind=kind,
        sources=[source for source, _ in keys],
        keys=[key for _, key in keys],
    )


def insert_new(
    connection: Connection, kind: JourneyKind, keys: Sequence[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], int]:
    """Records of these sources and keys, without a version yet; returns their ids. Raises ``Conflict`` when one is
    known."""
    ids = insert_unknown(connection, kind, keys, now)
    if len(ids) != len(keys):
        raise Conflict("another run was the first to hear of a record")
    return ids


def insert_unknown(
    connection: Connection, kind: JourneyKind, keys: Sequence[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], int]:
    """As ``insert_new``, of those that are not known."""
    rows = connection.execute(
        text(
            "INSERT INTO record (kind, source, key, version, is_open, created_at, updated_at) "
            "SELECT CAST(:kind AS text), x.source, x.key, 0, true, CAST(:now AS timestamptz), "
            "CAST(:now AS timestamptz) FROM unnest(CAST(:sources AS text[]), CAST(:keys AS text[])) AS x (source, key) "
            "ORDER BY x.source, x.key ON CONFLICT (kind, source, key) DO NOTHING RETURNING id, source, key"
        ),
        {"kind": kind, "sources": [each for each, _ in keys], "keys": [key for _, key in keys], "now": now},
    )
    return {(row.source, row.key): row.id for row in rows}


#: What lists and figures read of a version, beside its values.
FIGURES: Final = ("owner", "sales_stage", "amount", "close_date", "category", "is_open", "outcome")
_VERSION_COLUMNS: Final = [
    "id", "record_id", "number", "journey_id", "changed_at", "changed_by", "received_at", "stored_at", "values",
    "changes", "late", *FIGURES,
]  # fmt: skip
_CURRENT_TYPES: Final = {
    "record_id": "bigint PRIMARY KEY",
    "version_id": "bigint",
    "values": "jsonb",
    "name": "text",
    "account": "text",
    "account_key": "text",
    "owner": "text",
    "sales_stage": "text",
    "amount": "numeric",
    "close_date": "date",
    "category": "text",
    "is_open": "boolean",
    "outcome": "text",
}


def insert_versions(connection: Connection, versions: pd.DataFrame, current: pd.DataFrame, now: datetime) -> None:
    """Store versions, a row each, and what their records are from now on, a row a record.

    ``versions`` has the columns of the table but ``id`` and ``stored_at``; ``current`` those of ``_CURRENT_TYPES`` but
    ``version_id``, for each record that has a version which is not late. ``versions`` come in the order of their
    numbers.
    """
    if versions.empty:
        return
    failpoint("apply.versions.before")
    versions = versions.assign(id=bulk.make_ids(connection, "record_version", len(versions)), stored_at=now)
    bulk.copy(connection, "record_version", _VERSION_COLUMNS, versions)
    last = versions.drop_duplicates("record_id", keep="last")
    connection.execute(
        text(
            "UPDATE record r SET version = x.number FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS int[])) "
            "AS x (id, number) WHERE r.id = x.id"
        ),
        {"ids": bulk.list_values(last["record_id"]), "numbers": bulk.list_values(last["number"])},
    )
    if not current.empty:
        newest = versions[~versions["late"].astype(bool)].drop_duplicates("record_id", keep="last")
        ids = newest.set_index("record_id")["id"]
        bulk.fill_temporary(
            connection, "current", _CURRENT_TYPES, current.assign(version_id=current["record_id"].map(ids))
        )
        sets = ", ".join(f"{name} = c.{name}" for name in _CURRENT_TYPES if name != "record_id")
        connection.execute(
            text(
                f"UPDATE record r SET {sets}, again_at = NULL, updated_at = :now, "
                "slipped_on = CASE WHEN r.close_date IS NOT DISTINCT FROM c.close_date AND c.is_open "
                "THEN r.slipped_on END FROM current c WHERE r.id = c.record_id"
            ),
            {"now": now},
        )
    failpoint("apply.versions.after")


def look_again(connection: Connection, record_ids: Sequence[int], at: Sequence[datetime | None]) -> None:
    """When a run starts a journey of each record by itself (``journeys.starting``)."""
    if record_ids:
        connection.execute(
            text(
                "UPDATE record r SET again_at = x.at FROM unnest(CAST(:ids AS bigint[]), "
                "CAST(:at AS timestamptz[])) AS x (id, at) WHERE r.id = x.id"
            ),
            {"ids": list(record_ids), "at": list(at)},
        )


#: Clears what was due of the records that ``due`` selects: a part of the statement that starts their journeys.
CLEAR_DUE: Final = "UPDATE record r SET again_at = NULL FROM due WHERE r.id = due.id"

#: What a version is compared with since the record was told, or told anew after a deletion, which qualification alone
#: asks for: the version before, the last one about which no
#: question is open, and how often the close date was moved later.
_COMPARED: Final = f"""
        (SELECT p.values FROM record_version p WHERE p.record_id = v.record_id AND p.number < v.number AND NOT p.late
            AND p.stored_at > t.anew_since ORDER BY p.number DESC LIMIT 1) AS before,
        (SELECT p.values FROM record_version p WHERE p.record_id = v.record_id AND p.number < v.number AND NOT p.late
            AND p.stored_at > t.anew_since
            AND (EXISTS (SELECT FROM journey g WHERE g.id = p.journey_id AND g.stage IN ('assignment', 'follow_up'))
                OR EXISTS (SELECT FROM handoff h WHERE h.journey_id = p.journey_id AND h.stage = 'qualification'
                AND (h.outcome IN ('continued', 'nurture', 'disqualified') OR h.outcome = 'done'
                    AND coalesce(h.reason, '') NOT IN ('{NothingNew.LATER_UPDATE}', '{NothingNew.UNCHANGED}'))))
            ORDER BY p.number DESC LIMIT 1) AS accepted,
        (SELECT count(*) FROM record_version p WHERE p.record_id = v.record_id AND p.number < v.number AND NOT p.late
            AND (p.changes->'close_date'->>0) COLLATE "C" < (p.changes->'close_date'->>1) COLLATE "C") AS pushes"""
#: The journeys of a batch at a stage, each with the version that it is about: its own, else the record's current one.
_ABOUT: Final = """
        j.id AS journey_id, j.version, j.generation, j.lead_id, j.record_id, j.source, j.captured_at, j.waived,
        j.trigger = 'due' AS due, r.slipped_on,
        v.number, v.values, v.changes, v.changed_at, v.changed_by, v.owner AS rep, v.category, v.is_open,
        v.outcome AS record_outcome, v.close_date AS closes_on, r.enriched, r.version_id <> v.id AS superseded"""
_AT_STAGE: Final = """
    FROM journey j JOIN record r ON r.id = j.record_id
    JOIN LATERAL (SELECT * FROM record_version o
        WHERE o.record_id = r.id AND (o.journey_id = j.id OR o.id = r.version_id)
        ORDER BY (o.journey_id = j.id) DESC, o.number DESC LIMIT 1) v ON true
    CROSS JOIN LATERAL (SELECT coalesce(max(d.noticed_at), '-infinity') AS anew_since FROM record_deletion d
        WHERE d.record_id = r.id AND d.noticed_at < v.stored_at) t
    WHERE j.batch_id = :batch AND j.stage = :stage AND j.status = 'ready' ORDER BY j.id"""


def read_at_stage(connection: Connection, batch_id: int, stage: StageName) -> pd.DataFrame:
    """The journeys of a batch that are ready for ``stage``, each with the version that it is about.

    ``values`` and ``changes`` are that version's; ``rep`` is its owner as a rep of the playbook; ``superseded``: the
    record has a later version.
    """
    return bulk.select(connection, f"SELECT {_ABOUT} {_AT_STAGE}", batch=batch_id, stage=stage)


def read_for_qualification(connection: Connection, batch_id: int) -> pd.DataFrame:
    """As ``read_at_stage``, with what a version is compared with.

    ``before`` are the values of the version before, or None, and ``accepted`` those of the last one that qualification
    let pass, by itself or because a person said so. ``pushes``: how often the close date was moved later until then.
    """
    statement = f"SELECT {_ABOUT}, {_COMPARED} {_AT_STAGE}"
    return bulk.select(connection, statement, batch=batch_id, stage=StageName.QUALIFICATION)


def find_last_told(connection: Connection, kind: JourneyKind, source: str, keys: Sequence[str]) -> dict[str, str]:
    """The key of the signal that made the current version of each of these records, by the record's key."""
    rows = connection.execute(
        text(
            "SELECT r.key, s.key AS told FROM record r JOIN record_version v ON v.id = r.version_id "
            "JOIN journey j ON j.id = v.journey_id JOIN signal s ON s.id = j.signal_id "
            "WHERE r.kind = :kind AND r.source = :source AND r.key = ANY(:keys)"
        ),
        {"kind": kind, "source": source, "keys": list(keys)},
    )
    return {row.key: row.told for row in rows}


def has_unread(connection: Connection, source: str) -> bool:
    """Whether an update of ``source`` waits that is no version of its record yet. One index is over journeys without a
    batch, another over the others: the condition that always holds has PostgreSQL use both."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM journey WHERE (batch_id IS NULL OR batch_id IS NOT NULL) "
                "AND status = 'ready' AND source = :source AND stage IN ('capture', 'validation'))"
            ),
            {"source": source},
        ).scalar()
    )


def keep_enriched(connection: Connection, record_ids: Sequence[int], enriched: Sequence[str]) -> None:
    """What enrichment added to each record, as JSON text."""
    connection.execute(
        text(
            "UPDATE record r SET enriched = CAST(x.enriched AS jsonb) FROM unnest(CAST(:ids AS bigint[]), "
            "CAST(:enriched AS text[])) AS x (id, enriched) WHERE r.id = x.id"
        ),
        {"ids": list(record_ids), "enriched": list(enriched)},
    )


def read_activities(connection: Connection, batch_id: int, stage: StageName) -> pd.DataFrame:
    """What happened about the records of a batch at ``stage``: ``journey_id``, ``kind``, ``occurred_at``."""
    return bulk.select(
        connection,
        """SELECT j.id AS journey_id, a.kind, a.occurred_at FROM journey j JOIN activity a ON a.record_id = j.record_id
        WHERE j.batch_id = :batch AND j.stage = :stage AND a.withdrawn_at IS NULL""",
        batch=batch_id,
        stage=stage,
    )


def read_follow_up_activities(connection: Connection, batch_id: int, outcomes: Sequence[str]) -> pd.DataFrame:
    """As ``activities.read_follow_up_activities``, of a batch's owned records."""
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, t.kind, t.actor, t.rep, t.occurred_at, t.seconds, t.automatic FROM journey j
        JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        JOIN activity t ON t.record_id = j.record_id AND t.occurred_at >= a.assigned_at
            AND (t.actor = 'rep' OR t.kind = ANY(:outcomes)) AND t.withdrawn_at IS NULL
        WHERE j.batch_id = :batch AND j.status = 'owned' ORDER BY j.id, t.occurred_at, t.id""",
        batch=batch_id,
        outcomes=list(outcomes),
    )


def list_told_before(connection: Connection, batch_id: int) -> list[int]:
    """The owned journeys of a batch whose owner was told of an earlier assignment of the record."""
    rows = connection.execute(
        text(
            f"""SELECT told.id FROM (
                SELECT j.id, (SELECT true FROM journey e JOIN outbox b ON b.journey_id = e.id
                    AND b.kind = '{MessageKind.RECORD_ASSIGNED}' AND b.target = a.owner
                    WHERE e.record_id = j.record_id LIMIT 1) AS before
                FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
                WHERE j.batch_id = :batch AND j.status = 'owned') told
            WHERE told.before"""
        ),
        {"batch": batch_id},
    )
    return [row.id for row in rows]


def count_open_at_accounts(connection: Connection, kind: JourneyKind, accounts: Sequence[str]) -> dict[str, int]:
    """How many open records of ``kind`` there are at each of these accounts (in the form in which accounts are
    compared)."""
    rows = connection.execute(
        text(
            "SELECT account_key, count(*) AS open FROM record WHERE kind = :kind AND account_key = ANY(:accounts) "
            "AND is_open GROUP BY account_key"
        ),
        {"kind": kind, "accounts": sorted(set(accounts))},
    )
    return {row.account_key: row.open for row in rows}


def list_open_ids(connection: Connection, kind: JourneyKind, record_ids: Sequence[int]) -> set[int]:
    """Those of these records that are of ``kind``, and open."""
    rows = connection.execute(
        text("SELECT id FROM record WHERE id = ANY(:ids) AND kind = :kind AND is_open"),
        {"ids": sorted(set(record_ids)), "kind": kind},
    )
    return {row.id for row in rows}


def close_records(connection: Connection, record_ids: Sequence[int]) -> None:
    """Records that nobody works on any more, though no update says that they ended."""
    connection.execute(text("UPDATE record SET is_open = false WHERE id = ANY(:ids)"), {"ids": list(record_ids)})


def note_slips(
    connection: Connection,
    record_ids: Sequence[int],
    close_dates: Sequence[date],
    journeys: Sequence[int],
    now: datetime,
) -> set[int]:
    """Note that these records are open although their close dates have passed, each once for its close date. Returns
    those of which it is news."""
    rows = connection.execute(
        text(
            """WITH slipped AS (
                SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:dates AS date[]), CAST(:journeys AS bigint[]))
                    AS x (id, close_date, journey_id)),
            marked AS (UPDATE record r SET slipped_on = s.close_date FROM slipped s WHERE r.id = s.id)
            INSERT INTO record_slip (record_id, close_date, journey_id, noticed_at)
            SELECT id, close_date, journey_id, CAST(:now AS timestamptz) FROM slipped ORDER BY id
            ON CONFLICT (record_id, close_date) DO NOTHING RETURNING record_id"""
        ),
        {"ids": list(record_ids), "dates": list(close_dates), "journeys": list(journeys), "now": now},
    )
    return {row.record_id for row in rows}
