"""The table ``record_deletion``: records that were deleted where they came from, or merged into others. Append-only.

Belongs here: every statement that writes the table, and composing what ends then. Does not belong here: what a CRM says
(``connectors``), or leads whose records are gone (``crm_deletions``).

A record stays, with its versions and its story. From the deletion on it is not known: no forecast counts it, nobody
follows it up, and what was captured before changes nothing. An update that is captured later tells it anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import outbox, records, superseding
from leadgate.ledger.typed_rows import read_rows
from leadgate.vocabulary import OPEN, EndReason, JourneyKind, MessageKind

#: When the record ``r`` was deleted, where its current version ``v`` was stored before. None: it is known.
DELETED_AT: Final = (
    "(SELECT max(d.noticed_at) FROM record_deletion d WHERE d.record_id = r.id "
    "AND d.noticed_at >= coalesce(v.stored_at, '-infinity'))"
)


@dataclass(frozen=True, slots=True)
class _Gone:
    """A record that was known until now. ``told``: whoever has it, else the rep whom it names."""

    id: int
    is_open: bool
    journey_id: int | None
    told: str | None


_KNOWN: Final = f"""
    SELECT r.id, r.is_open, (SELECT max(j.id) FROM journey j WHERE j.record_id = r.id) AS journey_id,
        coalesce((SELECT a.owner FROM journey j JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
            WHERE j.record_id = r.id LIMIT 1), r.owner) AS told
    FROM record r LEFT JOIN record_version v ON v.id = r.version_id
    WHERE r.source = :source AND r.key = ANY(:keys) AND {DELETED_AT} IS NULL ORDER BY r.id"""


#: The ids that updates name which no run has validated yet.
_WAITING: Final = """
    SELECT DISTINCT x.key FROM journey j JOIN signal s ON s.id = j.signal_id
    CROSS JOIN LATERAL (SELECT CAST(s.payload AS json) ->> 'external_id' AS key) x
    WHERE j.source = :source AND j.kind = :kind AND j.record_id IS NULL AND j.status IN ('ready', 'held')
        AND x.key = ANY(:keys)"""


def end_deleted(connection: Connection, kind: JourneyKind, source: str, keys: Collection[str], now: datetime) -> int:
    """These records are gone: their journeys end, whatever their status, and whoever has them is told, once. Returns
    how many of them were open. One that is gone already is left alone.

    A record of which an update still waits to be validated is known as one that is gone: else that update would be the
    first to tell of it.
    """
    if not keys:
        return 0
    waiting = connection.execute(text(_WAITING), {"kind": kind, "source": source, "keys": sorted(set(keys))})
    if named := [(source, row.key) for row in waiting]:
        records.insert_unknown(connection, kind, named, now)
    gone = read_rows(connection, _Gone, _KNOWN, source=source, keys=sorted(set(keys)))
    if not gone:
        return 0
    ids = [each.id for each in gone]
    failpoint("crm.records.deleted.before")
    superseding.supersede(connection, ids, [], OPEN, now, reason=EndReason.DELETED)
    connection.execute(
        text(
            "INSERT INTO record_deletion (record_id, noticed_at) "
            "SELECT id, CAST(:now AS timestamptz) FROM unnest(CAST(:ids AS bigint[])) AS id ORDER BY id"
        ),
        {"ids": ids, "now": now},
    )
    records.look_again(connection, ids, [None] * len(ids))
    records.close_records(connection, ids)
    messages = [
        {
            "key": f"deleted:{each.id}:{now.isoformat()}",
            "journey_id": each.journey_id,
            "target": each.told,
            "kind": MessageKind.RECORD_DELETED,
        }
        for each in gone
        if each.told is not None and each.journey_id is not None
    ]
    outbox.send(connection, pd.DataFrame(messages), now)
    failpoint("crm.records.deleted.after")
    return sum(each.is_open for each in gone)
