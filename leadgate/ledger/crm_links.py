"""The table ``crm_link``: which record of a CRM a lead is, what was written to it, and what was read back.

Belongs here: every statement that writes the table. Does not belong here: follow-up tasks (``crm_tasks``), or what is
written (``leadgate.crm``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows
from leadgate.values.json_types import JsonValue

LONGEST_READ: Final = 1_000  # characters of a value that are kept of what was read


@dataclass(frozen=True)
class Link:
    """The record that a lead is. ``written`` is what Leadgate wrote last, ``read`` what the CRM had after that.

    ``sent_at``: a later write was begun then, and whether the CRM has done it is not known.
    """

    lead_id: int
    record_id: str = field(repr=False)
    found_by: str
    gone_at: datetime | None
    sent_at: datetime | None
    written: dict[str, JsonValue] | None = field(repr=False)
    written_at: datetime | None
    read_at: datetime | None
    differing: int
    read: dict[str, JsonValue] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ReadBack:
    """What was written to a record, and what the CRM had when it was read again."""

    lead_id: int
    written: Mapping[str, JsonValue] = field(repr=False)
    read: Mapping[str, JsonValue] = field(repr=False)
    differing: int


@dataclass(frozen=True)
class OwnedRecord:
    """A record that is a lead's, what was written to it and read back, and the lead's open assignment if it has one."""

    record_id: str = field(repr=False)
    lead_id: int
    written: dict[str, JsonValue] = field(repr=False)
    read: dict[str, JsonValue] | None = field(repr=False)
    journey_id: int | None
    assignment_id: int | None
    owner: str | None
    assigned_at: datetime | None


def read_links(ledger: Ledger, crm: str, lead_ids: Collection[int]) -> dict[int, Link]:
    """The links of these leads, by lead."""
    with ledger.transaction() as connection:
        rows = read_rows(
            connection,
            Link,
            "SELECT lead_id, record_id, found_by, gone_at, sent_at, written, written_at, read_at, differing, read "
            "FROM crm_link WHERE crm = :crm AND lead_id = ANY(:leads)",
            crm=crm,
            leads=sorted(lead_ids),
        )
    return {row.lead_id: row for row in rows}


def read_written(connection: Connection, crm: str, record_ids: Collection[str]) -> dict[str, dict[str, JsonValue]]:
    """What Leadgate wrote last to each of these records that is a lead's, by record."""
    rows = connection.execute(
        text(
            "SELECT record_id, written FROM crm_link "
            "WHERE crm = :crm AND record_id = ANY(:records) AND written IS NOT NULL"
        ),
        {"crm": crm, "records": sorted(record_ids)},
    )
    return {row.record_id: row.written for row in rows}


def list_owned(connection: Connection, crm: str) -> list[str]:
    """The records to which an owner of a lead was written who has it now."""
    rows = connection.execute(
        text(
            "SELECT l.record_id FROM crm_link l JOIN journey j ON j.lead_id = l.lead_id AND j.status = 'owned' "
            "WHERE l.crm = :crm AND l.gone_at IS NULL AND l.written IS NOT NULL ORDER BY l.lead_id"
        ),
        {"crm": crm},
    )
    return [row.record_id for row in rows]


def read_owned(connection: Connection, crm: str, record_ids: Collection[str]) -> list[OwnedRecord]:
    """The records among these that are leads', with who owns each lead now."""
    return read_rows(
        connection,
        OwnedRecord,
        """
        SELECT l.record_id, l.lead_id, l.written, l.read, j.id AS journey_id, a.id AS assignment_id, a.owner,
            a.assigned_at
        FROM crm_link l
        LEFT JOIN journey j ON j.lead_id = l.lead_id AND j.status = 'owned'
        LEFT JOIN assignment a ON a.journey_id = j.id AND a.ended_at IS NULL
        WHERE l.crm = :crm AND l.record_id = ANY(:records) AND l.gone_at IS NULL AND l.written IS NOT NULL
        ORDER BY l.lead_id""",
        crm=crm,
        records=sorted(record_ids),
    )


def find_leads(connection: Connection, crm: str, record_ids: Collection[str], ids: Collection[str]) -> dict[str, int]:
    """The leads that these records are, by record. ``ids`` are kinds of identities that are ids of this CRM, too."""
    rows = connection.execute(
        text(
            "SELECT value AS record_id, lead_id FROM identity WHERE kind = ANY(:kinds) AND value = ANY(:records) "
            "UNION ALL "  # last, so that a link wins
            "SELECT record_id, lead_id FROM crm_link WHERE crm = :crm AND record_id = ANY(:records)"
        ),
        {"kinds": sorted(ids), "crm": crm, "records": sorted(record_ids)},
    )
    return {row.record_id: row.lead_id for row in rows}


def find_first_link(ledger: Ledger, crm: str) -> datetime | None:
    """When the first lead was linked to a record of this CRM."""
    with ledger.transaction() as connection:
        found: datetime | None = connection.execute(
            text("SELECT min(linked_at) FROM crm_link WHERE crm = :crm"), {"crm": crm}
        ).scalar_one()
        return found


def keep_owners(connection: Connection, crm: str, field: str, owners: Mapping[int, str]) -> None:
    """``field`` holds these owners of leads, by lead, as if Leadgate had written them and read them back."""
    connection.execute(
        text(
            """
            UPDATE crm_link l SET written = l.written || jsonb_build_object(CAST(:field AS text), o.owner),
                read = l.read || jsonb_build_object(CAST(:field AS text), o.owner)
            FROM unnest(CAST(:leads AS bigint[]), CAST(:owners AS text[])) AS o(lead_id, owner)
            WHERE l.crm = :crm AND l.lead_id = o.lead_id AND l.written IS NOT NULL"""
        ),
        {"crm": crm, "field": field, "leads": list(owners), "owners": list(owners.values())},
    )


@dataclass(frozen=True)
class WrittenLink:
    """A record that Leadgate has written. ``read`` is what the CRM had when it was last read back."""

    lead_id: int
    record_id: str = field(repr=False)
    written: dict[str, JsonValue] = field(repr=False)
    written_at: datetime
    read: dict[str, JsonValue] | None = field(repr=False)


def list_written(ledger: Ledger, crm: str, since: datetime, *, after: int, limit: int) -> list[WrittenLink]:
    """The next records that were written since then, by lead, ``after`` a lead."""
    with ledger.transaction() as connection:
        return read_rows(
            connection,
            WrittenLink,
            "SELECT lead_id, record_id, written, written_at, read FROM crm_link WHERE crm = :crm AND lead_id > :after "
            "AND gone_at IS NULL AND written IS NOT NULL AND written_at >= :since ORDER BY lead_id LIMIT :limit",
            crm=crm,
            after=after,
            since=since,
            limit=limit,
        )


def lock_unchanged(connection: Connection, crm: str, links: Sequence[WrittenLink]) -> set[int]:
    """The leads among these whose records were neither written nor lost since they were listed. Locked until the end
    of the transaction."""
    rows = connection.execute(
        text(
            "SELECT l.lead_id FROM crm_link l JOIN unnest(CAST(:leads AS bigint[]), CAST(:records AS text[]), "
            "CAST(:written AS timestamptz[])) AS k(lead_id, record_id, written_at) ON l.lead_id = k.lead_id "
            "WHERE l.crm = :crm AND l.record_id = k.record_id AND l.written_at = k.written_at AND l.gone_at IS NULL "
            "ORDER BY l.lead_id FOR NO KEY UPDATE OF l"
        ),
        {
            "crm": crm,
            "leads": [link.lead_id for link in links],
            "records": [link.record_id for link in links],
            "written": [link.written_at for link in links],
        },
    )
    return {row.lead_id for row in rows}


def link_leads(connection: Connection, crm: str, records: Sequence[tuple[int, str, str]], now: datetime) -> set[int]:
    """Keep which record each lead is: lead, record, and how it was found. Returns the leads that are linked to it now.

    A record that another lead has is left to that lead.
    """
    rows = connection.execute(
        text(
            """
            INSERT INTO crm_link (crm, lead_id, record_id, found_by, linked_at)
            SELECT CAST(:crm AS text), l.lead_id, l.record_id, l.found_by, :now
            FROM unnest(CAST(:leads AS bigint[]), CAST(:records AS text[]), CAST(:found AS text[]))
                AS l(lead_id, record_id, found_by)
            WHERE NOT EXISTS (SELECT 1 FROM crm_link o
                WHERE o.crm = :crm AND o.record_id = l.record_id AND o.lead_id <> l.lead_id)
            ORDER BY l.lead_id
            ON CONFLICT (crm, lead_id) DO UPDATE SET record_id = excluded.record_id, found_by = excluded.found_by,
                linked_at = CASE WHEN crm_link.record_id = excluded.record_id THEN crm_link.linked_at ELSE :now END,
                written = CASE WHEN crm_link.record_id = excluded.record_id THEN crm_link.written END,
                gone_at = NULL
            RETURNING lead_id"""
        ),
        {
            "crm": crm,
            "leads": [lead for lead, _, _ in records],
            "records": [record for _, record, _ in records],
            "found": [found for _, _, found in records],
            "now": now,
        },
    )
    return {row.lead_id for row in rows}


def begin_writes(connection: Connection, crm: str, lead_ids: Collection[int], now: datetime) -> None:
    """Keep that these leads' records are about to be written: until it is known what they have, they are written."""
    connection.execute(
        text("UPDATE crm_link SET sent_at = :now WHERE crm = :crm AND lead_id = ANY(:leads)"),
        {"crm": crm, "leads": sorted(lead_ids), "now": now},
    )


def mark_gone(connection: Connection, crm: str, lead_ids: Collection[int], now: datetime) -> None:
    """The records of these leads are not there any more."""
    connection.execute(
        text("UPDATE crm_link SET gone_at = :now, written = NULL WHERE crm = :crm AND lead_id = ANY(:leads)"),
        {"crm": crm, "leads": sorted(lead_ids), "now": now},
    )


def keep_read_back(
    connection: Connection, crm: str, results: Sequence[ReadBack], now: datetime, *, wrote: bool
) -> None:
    """What was written and read back of these leads' records. ``wrote``: just now, and not at an earlier time."""
    connection.execute(
        text(
            """
            UPDATE crm_link l SET written = r.written, read = r.read, read_at = :now, differing = r.differing,
                written_at = CASE WHEN CAST(:wrote AS boolean) THEN :now ELSE l.written_at END,
                sent_at = CASE WHEN CAST(:wrote AS boolean) THEN NULL ELSE l.sent_at END
            FROM unnest(CAST(:leads AS bigint[]), CAST(:written AS jsonb[]), CAST(:read AS jsonb[]),
                CAST(:differing AS int[])) AS r(lead_id, written, read, differing)
            WHERE l.crm = :crm AND l.lead_id = r.lead_id AND l.gone_at IS NULL"""
        ),
        {
            "crm": crm,
            "leads": [each.lead_id for each in results],
            "written": [orjson.dumps(dict(each.written)).decode() for each in results],
            "read": [orjson.dumps(dict(each.read)).decode() for each in results],
            "differing": [each.differing for each in results],
            "now": now,
            "wrote": wrote,
        },
    )


@dataclass(frozen=True)
class ReadAgain:
    """What the CRM has now in some fields of a record that was written earlier."""

    lead_id: int
    read: Mapping[str, JsonValue] = field(repr=False)
    differing: int


def keep_read_again(connection: Connection, crm: str, results: Sequence[ReadAgain], now: datetime) -> None:
    """What was read of these leads' records; other fields keep what was read of them before."""
    connection.execute(
        text(
            """
            UPDATE crm_link l SET read = coalesce(l.read, '{}') || r.read, read_at = :now, differing = r.differing
            FROM unnest(CAST(:leads AS bigint[]), CAST(:read AS jsonb[]), CAST(:differing AS int[]))
                AS r(lead_id, read, differing)
            WHERE l.crm = :crm AND l.lead_id = r.lead_id"""
        ),
        {
            "crm": crm,
            "leads": [each.lead_id for each in results],
            "read": [orjson.dumps(dict(each.read)).decode() for each in results],
            "differing": [each.differing for each in results],
            "now": now,
        },
    )


def end(connection: Connection, crm: str, record_ids: Collection[str], now: datetime) -> set[int]:
    """These records are not there any more. Returns the leads that had them until now."""
    rows = connection.execute(
        text(
            "UPDATE crm_link SET gone_at = :now, written = NULL "
            "WHERE crm = :crm AND record_id = ANY(:records) AND gone_at IS NULL RETURNING lead_id"
        ),
        {"crm": crm, "records": sorted(record_ids), "now": now},
    )
    return {row.lead_id for row in rows}


def keep_gone(connection: Connection, crm: str, records: Collection[tuple[int, str]], now: datetime) -> None:
    """Leads, each with the record that it was and that is not there any more: no other is created in its place."""
    connection.execute(
        text(
            "INSERT INTO crm_link (crm, lead_id, record_id, found_by, linked_at, gone_at) "
            "SELECT CAST(:crm AS text), l.lead_id, l.record_id, 'read', :now, :now "
            "FROM unnest(CAST(:leads AS bigint[]), CAST(:records AS text[])) AS l(lead_id, record_id) "
            "ORDER BY l.lead_id ON CONFLICT DO NOTHING"
        ),
        {
            "crm": crm,
            "leads": [lead for lead, _ in sorted(records)],
            "records": [record for _, record in sorted(records)],
            "now": now,
        },
    )


def move(connection: Connection, crm: str, merged: Mapping[str, str]) -> set[int]:
    """The leads of these records are the records that they are part of now. Returns the leads that were moved."""
    rows = connection.execute(
        text(
            """
            UPDATE crm_link l SET record_id = m.stays, gone_at = NULL, written = NULL, read = NULL
            FROM unnest(CAST(:gone AS text[]), CAST(:stays AS text[])) AS m(gone, stays)
            WHERE l.crm = :crm AND l.record_id = m.gone AND NOT EXISTS (
                SELECT 1 FROM crm_link o WHERE o.crm = :crm AND o.record_id = m.stays)
            RETURNING l.lead_id"""
        ),
        {"crm": crm, "gone": list(merged), "stays": list(merged.values())},
    )
    return {row.lead_id for row in rows}
