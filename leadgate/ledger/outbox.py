"""The outbox: which message is next, and how its delivery went.

Belongs here: claiming a message under a lease, marking it, and counting what waits. Does not belong here:
what a message says (``tasks.message_texts``), to which address it goes (``tasks.delivery``), sending it
(``connectors.notify``), or what a CRM gets (``tasks.crm.delivery``).

A message is claimed, in a transaction of its own, before it is sent: ``retry_at`` is then the end of the lease.
A process that dies in between leaves the message to the next delivery, so it is delivered at least
once; and nobody else takes it meanwhile, so without such a death it is not delivered twice.

Long as one file: messages to people and to CRMs are rows of one table, which has one writer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict

from sqlalchemy import Connection, Row, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk
from leadgate.ledger.assignments import look_again
from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.row_filter import ALL, RowFilter
from leadgate.ledger.work_items import NewWorkItem, open_work_items
from leadgate.vocabulary import (
    ActionKind,
    CrmMessageKind,
    EventKind,
    JourneyKind,
    JourneyStatus,
    MessageKind,
    list_in_sql,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Message:
    """A claimed message, with what its words need. ``attempts`` counts this one, and fences its result."""

    id: int
    key: str
    journey_id: int
    target: str
    kind: str
    attempts: int
    created_at: datetime
    claimed_at: datetime
    lead_id: int | None
    source: str
    generation: int  # of the journey, now
    owner: str | None = None  # of the assignment it is about
    due_at: datetime | None = None  # the first touch of that assignment
    email: str | None = field(default=None, repr=False)  # as validation understood it; none before that
    phone: str | None = field(default=None, repr=False)
    has_contact: bool = False  # the lead gave an address or a number, whether it could be validated or not
    about: JourneyKind = JourneyKind.LEAD
    record_id: int | None = None


@dataclass(frozen=True)
class Waiting:
    """Messages to one target that are neither delivered nor given up."""

    target: str
    messages: int
    due: int  # nobody has them, and no retry is waited for


_WAITS = "delivered_at IS NULL AND given_up_at IS NULL"

#: What a person is asked once a lead's record is gone from a CRM. While such a work item is open, nobody is told of the
#: lead, and no CRM is written.
RECORD_DELETED: Final = "crm_record_deleted"
PRIVACY_DELETION: Final = "crm_privacy_deletion"
RECORDS_MERGED: Final = "crm_records_merged"
GONE_FROM_CRM: Final = frozenset({RECORD_DELETED, PRIVACY_DELETION, RECORDS_MERGED})
_MAY_BE_TOLD = f"""NOT EXISTS (SELECT 1 FROM journey s JOIN journey h ON h.lead_id = s.lead_id
            JOIN work_item w ON w.journey_id = h.id AND w.closed_at IS NULL
            AND w.reason IN ('{RECORD_DELETED}', '{PRIVACY_DELETION}', '{RECORDS_MERGED}')
            WHERE s.id = o.journey_id)"""


def count_waiting_messages(ledger: Ledger, now: datetime | None = None) -> list[Waiting]:
    """What waits, by target; CRMs are targets, too."""
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        rows = connection.execute(
            text(
                "SELECT target, count(*) AS messages, count(*) FILTER (WHERE retry_at IS NULL OR retry_at <= :now) "
                f"AS due FROM outbox WHERE {_WAITS} GROUP BY target ORDER BY target"
            ),
            {"now": now},
        )
        return [Waiting(row.target, row.messages, row.due) for row in rows]


#: The first that is due. One that an earlier message to the same target about the same journey is in front of, waits.
_NEXT = f"""
    SELECT o.id FROM outbox o
    WHERE o.delivered_at IS NULL AND o.given_up_at IS NULL AND o.target = ANY(:targets)
        AND (o.retry_at IS NULL OR o.retry_at <= :now) AND {RowFilter.build_sql("o.id")}
        AND {_MAY_BE_TOLD}
        AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.journey_id = o.journey_id AND e.target = o.target
            AND e.id < o.id AND e.delivered_at IS NULL AND e.given_up_at IS NULL)
    ORDER BY o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED"""
#: The others that are due to the same target, of the same kind, about journeys of one kind. All of them, if they are
#: enough for a digest, or none.
_NEXT_ALIKE = f"""
    SELECT o.id FROM outbox o
    WHERE o.delivered_at IS NULL AND o.given_up_at IS NULL AND o.target = :target AND o.kind = :kind AND o.id <> :id
        AND (o.retry_at IS NULL OR o.retry_at <= :now) AND o.attempts < :attempts AND {RowFilter.build_sql("o.id")}
        AND {_MAY_BE_TOLD} AND (SELECT k.kind FROM journey k WHERE k.id = o.journey_id) = :about
        AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.journey_id = o.journey_id AND e.target = o.target
            AND e.id < o.id AND e.delivered_at IS NULL AND e.given_up_at IS NULL)
    ORDER BY o.id LIMIT :most FOR UPDATE OF o SKIP LOCKED"""
#: The assignment is the one that the key names, else the last.
_CLAIMED = """
    claimed AS (
        UPDATE outbox o SET attempts = o.attempts + 1, retry_at = :until, claimed_at = :now FROM next
        WHERE o.id = next.id RETURNING o.id, o.key, o.journey_id, o.target, o.kind, o.attempts, o.created_at,
            o.claimed_at)
    SELECT c.*, j.lead_id, j.source, j.generation, a.owner, a.due_at, l.email_canonical AS email, l.phone,
        coalesce(l.email, l.phone) IS NOT NULL AS has_contact, j.kind AS about, j.record_id
    FROM claimed c JOIN journey j ON j.id = c.journey_id LEFT JOIN lead l ON l.id = j.lead_id
    LEFT JOIN LATERAL (
        SELECT owner, due_at FROM assignment WHERE journey_id = c.journey_id
        ORDER BY generation::text = split_part(c.key, ':', 3) DESC, id DESC LIMIT 1) a ON true"""
_CLAIM = f"WITH next AS ({_NEXT}), {_CLAIMED}"
_CLAIM_ALIKE = f"""
    WITH alike AS ({_NEXT_ALIKE}), next AS (SELECT id FROM alike WHERE (SELECT count(*) FROM alike) >= :least),
    {_CLAIMED} ORDER BY c.id"""
#: Messages of one digest: so many that the rest is a digest of its own.
MOST_ALIKE: Final = 1_000


def claim(
    ledger: Ledger, targets: Sequence[str], *, lease: timedelta, now: datetime | None = None, only: RowFilter = ALL
) -> Message | None:
    """The next message that is due to one of ``targets``, for the time of ``lease``; None when none is."""
    failpoint("deliver.claim.before")
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        row = connection.execute(
            text(_CLAIM), {"targets": list(targets), "now": now, "until": now + lease} | only.parameters
        ).one_or_none()
    failpoint("deliver.claim.after")
    return None if row is None else _build_message(row)


def claim_alike(
    ledger: Ledger,
    message: Message,
    *,
    least: int,
    attempts: int,
    lease: timedelta,
    now: datetime | None = None,
    only: RowFilter = ALL,
) -> list[Message]:
    """The other messages of the kind and to the target of ``message`` that are due, each claimed less than
    ``attempts`` times before; none when they are fewer than ``least``."""
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        rows = connection.execute(
            text(_CLAIM_ALIKE),
            {
                "id": message.id, "target": message.target, "kind": message.kind, "about": message.about,
                "least": least, "attempts": attempts, "most": MOST_ALIKE, "now": now, "until": now + lease,
            } | only.parameters,
        )  # fmt: skip
        return [_build_message(row) for row in rows]


def _build_message(row: Row[Any]) -> Message:
    return Message(**dict(row._mapping) | {"about": JourneyKind(row.about)})


def find_next_due(
    ledger: Ledger, targets: Sequence[str], now: datetime | None = None, only: RowFilter = ALL
) -> int | None:
    """The message that ``claim`` would claim."""
    with ledger.transaction() as connection:
        now = read_time(connection, now)
        found: int | None = connection.execute(
            text(_NEXT), {"targets": list(targets), "now": now} | only.parameters
        ).scalar()
        return found


def mark_delivered(ledger: Ledger, message: Message, now: datetime) -> None:
    """The receiver took it: true even when another process has claimed the message since, so nothing is compared."""
    failpoint("deliver.mark.before")
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE outbox SET delivered_at = :now, retry_at = NULL, given_up_at = NULL, failure = NULL "
                "WHERE id = :id AND delivered_at IS NULL"
            ),
            {"id": message.id, "now": now},
        )
    failpoint("deliver.mark.after")


def mark_failed(ledger: Ledger, message: Message, failure: str, retry_at: datetime) -> None:
    """This attempt failed; another follows after ``retry_at``. Nothing, if somebody else has claimed it since."""
    with ledger.transaction() as connection:
        connection.execute(
            text(f"UPDATE outbox SET retry_at = :at, failure = :failure WHERE {_MINE}"),
            _build_key(message) | {"at": retry_at, "failure": failure},
        )


def give_up(ledger: Ledger, message: Message, failure: str, now: datetime, item: NewWorkItem) -> None:
    """No further attempt: the work item ``item`` asks a person. Both at once, or nothing."""
    import pandas as pd

    with ledger.transaction() as connection:
        given_up = connection.execute(
            text(f"UPDATE outbox SET retry_at = NULL, given_up_at = :now, failure = :failure WHERE {_MINE}"),
            _build_key(message) | {"now": now, "failure": failure},
        ).rowcount
        if given_up:
            open_work_items(connection, pd.DataFrame([item]))
            failpoint("deliver.give_up.before")
    failpoint("deliver.give_up.after")


def try_again(connection: Connection, key: str) -> bool:
    """A given-up message is due again, as if it had never been tried. False when it is not given up."""
    return bool(
        connection.execute(
            text(
                "UPDATE outbox SET attempts = 0, retry_at = NULL, given_up_at = NULL, failure = NULL "
                "WHERE key = :key AND given_up_at IS NOT NULL AND delivered_at IS NULL"
            ),
            {"key": key},
        ).rowcount
    )


def withdraw(connection: Connection, journey_ids: Sequence[int], why: str, now: datetime) -> None:
    """What waits to be told of the leads of these journeys is never sent: they were discarded."""
    connection.execute(
        text(
            "UPDATE outbox SET retry_at = NULL, given_up_at = :now, failure = :why "
            f"WHERE {_WAITS} AND journey_id IN (SELECT o.id FROM journey j JOIN journey o ON o.lead_id = j.lead_id "
            "WHERE j.id = ANY(:ids))"
        ),
        {"ids": list(journey_ids), "now": now, "why": why},
    )


_MINE = "id = :id AND attempts = :attempts AND delivered_at IS NULL AND given_up_at IS NULL"


def _build_key(message: Message) -> dict[str, object]:
    return {"id": message.id, "attempts": message.attempts}


#: The key of the message that a work item was not taken in time, and who it went to (of a ``work_item w``).
OVERDUE_KEY: Final = "work_item_overdue:{}"


ESCALATED_TO: Final = f"(SELECT o.target FROM outbox o WHERE o.key = '{OVERDUE_KEY.format('')}' || w.id)"


class NewMessage(TypedDict):
    """A message that is to be sent: the columns that are given then, but for when that is."""

    key: str
    journey_id: int
    target: str
    kind: str


def send(connection: Connection, messages: pd.DataFrame, now: datetime) -> None:
    """Put messages (the columns of ``NewMessage``) into the outbox; a known key is left alone."""
    if messages.empty:
        return
    failpoint("apply.outbox.before")
    bulk.fill_temporary(
        connection,
        "sending",
        {"n": "int", "key": "text", "journey_id": "bigint", "target": "text", "kind": "text"},
        messages.assign(n=range(len(messages))),
    )
    connection.execute(
        text(
            "INSERT INTO outbox (key, journey_id, target, kind, created_at) "
            "SELECT key, journey_id, target, kind, :now FROM sending ORDER BY n ON CONFLICT (key) DO NOTHING"
        ),
        {"now": now},
    )
    failpoint("apply.outbox.after")


def tell_owners(connection: Connection, joined: pd.DataFrame, now: datetime) -> None:
    """Tell the owner of each open journey in ``joined_to`` that the lead was heard of again, and look at it."""
    if joined.empty:
        return
    holders: list[int] = bulk.list_values(joined["joined_to"])
    connection.execute(
        text(
            f"""
            INSERT INTO outbox (key, journey_id, target, kind, created_at)
            SELECT 'heard_again:' || p.journey, a.journey_id, a.owner, '{MessageKind.LEAD_HEARD_AGAIN}', :now
            FROM unnest(CAST(:journey AS bigint[]), CAST(:holder AS bigint[])) AS p(journey, holder)
            CROSS JOIN LATERAL (SELECT journey_id, owner FROM assignment
                WHERE journey_id = p.holder AND ended_at IS NULL LIMIT 1) a
            ORDER BY p.journey ON CONFLICT (key) DO NOTHING"""
        ),
        {"journey": bulk.list_values(joined["journey_id"]), "holder": holders, "now": now},
    )
    # a lead that is heard of ends the wait for it
    look_again(connection, holders, now)


def tell_last_owners(connection: Connection, journey_ids: list[int], now: datetime) -> None:
    """Notify the last owners of these journeys' leads that the leads warmed up; once a journey."""
    if not journey_ids:
        return
    connection.execute(
        text(
            f"""
            INSERT INTO outbox (key, journey_id, target, kind, created_at)
            SELECT 'warmed_up:' || j.id, j.id, last.owner, '{MessageKind.LEAD_WARMED_UP}', :now
            FROM journey j JOIN LATERAL (SELECT a.owner FROM journey o JOIN assignment a ON a.journey_id = o.id
                WHERE o.lead_id = j.lead_id ORDER BY a.id DESC LIMIT 1) last ON true
            WHERE j.id = ANY(:ids) ORDER BY j.id ON CONFLICT (key) DO NOTHING"""
        ),
        {"ids": journey_ids, "now": now},
    )


# --- other systems ----------------------------------------------------------------------------------------

#: What happened to some journeys, of which systems may be told, with a key that tells one happening from another.
_HAPPENED: Final = f"""
    SELECT journey_id, generation, '{EventKind.OWNED}' AS kind, '' AS more, assigned_at AS at
    FROM assignment WHERE journey_id = ANY(:ids) AND ended_at IS NULL
    UNION ALL
    SELECT j.id, j.generation, '{EventKind.HELD}', '', (SELECT max(h.at) FROM handoff h WHERE h.journey_id = j.id)
    FROM journey j WHERE j.id = ANY(:ids) AND j.status = '{JourneyStatus.HELD}'
    UNION ALL
    SELECT journey_id, generation,
        CASE what WHEN '{ActionKind.ACCEPT}' THEN '{EventKind.ACCEPTED}' ELSE '{EventKind.REJECTED}' END, '', at
    FROM action WHERE journey_id = ANY(:ids) AND what IN ({list_in_sql((ActionKind.ACCEPT, ActionKind.REJECT))})
    UNION ALL
    SELECT m.journey_id, a.generation, '{EventKind.MISSED}',
        ':' || m.target || '-' || CAST(extract(epoch FROM m.since) AS bigint), m.noticed_at
    FROM missed m JOIN assignment a ON a.id = m.assignment_id WHERE m.journey_id = ANY(:ids)"""


def tell_events(connection: Connection, journey_ids: Sequence[int], now: datetime) -> None:
    """What happened to these journeys since they were told, the systems that the playbook in use names are to be told.

    Whatever they were told before has its key in the outbox already, so that telling it again changes nothing.
    """
    connection.execute(
        text(
            f"""
            INSERT INTO outbox (key, journey_id, target, kind, created_at)
            SELECT replace(h.kind, 'event_', '') || ':' || h.journey_id || ':' || h.generation || h.more || ':' ||
                s.name, h.journey_id, 'event:' || s.name, h.kind, :now
            FROM ({_HAPPENED}) h JOIN event_subscription s ON s.kind = h.kind AND s.is_active AND h.at >= s.since
            ORDER BY h.at, h.journey_id, h.kind, s.name ON CONFLICT (key) DO NOTHING"""
        ),
        {"ids": list(journey_ids), "now": now},
    )


# --- CRMs -------------------------------------------------------------------------------------------------

#: So that two consumers that claim at once do not take messages about the same lead.
_CRM_CLAIMS: Final = 7_283_011
_SCANNED: Final = 20  # messages that are looked at for each lead that is wanted


def tell_crms(
    connection: Connection,
    journey_ids: Sequence[int],
    now: datetime,
    *,
    kind: CrmMessageKind = CrmMessageKind.WRITE,
    crm: str | None = None,
) -> None:
    """The leads of these journeys have changed, which the CRMs of the playbook in use are to be told, or ``crm`` alone.

    A message says which lead it is about, and no more: what is written is found when it is delivered.
    """
    connection.execute(
        text(
            """
            INSERT INTO outbox (id, key, journey_id, target, kind, created_at)
            SELECT n.id, n.target || ':' || n.journey_id || ':' || n.id, n.journey_id, n.target, CAST(:kind AS text),
                :now
            FROM (SELECT nextval(pg_get_serial_sequence('outbox', 'id')) AS id, j.id AS journey_id,
                    'crm:' || c.name AS target
                FROM journey j CROSS JOIN crm_connection c
                WHERE j.id = ANY(:ids) AND j.lead_id IS NOT NULL AND c.is_active
                    AND (CAST(:crm AS text) IS NULL OR c.name = :crm)
                ORDER BY j.id, c.name OFFSET 0) n"""
        ),
        {"ids": list(journey_ids), "now": now, "kind": kind, "crm": crm},
    )


@dataclass(frozen=True)
class CrmMessage:
    """A claimed message to a CRM. All messages about a lead are claimed together: what is written holds for all."""

    id: int
    key: str
    journey_id: int
    lead_id: int | None
    kind: str
    attempts: int
    source: str
    generation: int  # of the journey, now


_CRM_CLAIM: Final = f"""
    WITH due AS (
        SELECT coalesce(j.lead_id, -j.id) AS lead, min(o.id) AS first
        FROM (SELECT id, journey_id FROM outbox o WHERE {_WAITS} AND target = :target
            AND (retry_at IS NULL OR retry_at <= :now) AND {_MAY_BE_TOLD} ORDER BY id LIMIT :scanned) o
        JOIN journey j ON j.id = o.journey_id GROUP BY 1),
    of_leads AS (
        SELECT d.lead, d.first, o.id, o.retry_at, o.attempts FROM due d
        JOIN journey j ON j.lead_id = d.lead OR (j.id = -d.lead AND j.lead_id IS NULL)
        JOIN outbox o ON o.journey_id = j.id AND o.target = :target
            AND o.delivered_at IS NULL AND o.given_up_at IS NULL),
    free AS (
        SELECT lead, min(first) AS first, min(attempts) >= :alone_after AS is_alone FROM of_leads
        GROUP BY lead HAVING bool_and(retry_at IS NULL OR retry_at <= :now)),
    next AS (SELECT is_alone FROM free ORDER BY first LIMIT 1),
    together AS (
        SELECT lead FROM free WHERE is_alone = (SELECT is_alone FROM next) ORDER BY first
        LIMIT CASE WHEN (SELECT is_alone FROM next) THEN 1 ELSE :leads END),
    claimed AS (
        UPDATE outbox o SET attempts = o.attempts + 1, retry_at = :until, claimed_at = :now
        FROM of_leads l JOIN together USING (lead) WHERE o.id = l.id
        RETURNING o.id, o.key, o.journey_id, o.kind, o.attempts)
    SELECT c.id, c.key, c.journey_id, j.lead_id, c.kind, c.attempts, j.source, j.generation
    FROM claimed c JOIN journey j ON j.id = c.journey_id ORDER BY c.id"""


def claim_for_crm(
    ledger: Ledger, target: str, *, leads: int, alone_after: int, lease: timedelta, now: datetime | None = None
) -> list[CrmMessage]:
    """The messages to a CRM about the next ``leads`` leads that are due, for the time of ``lease``.

    A lead that was claimed ``alone_after`` times before is claimed by itself: one that no process survives must not
    take others along.

    A lead is left alone while any message about it is claimed, or waits for its next attempt: so writes of one lead
    follow one another.
    """
    failpoint("crm.claim.before")
    with ledger.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CRM_CLAIMS})
        now = read_time(connection, now)
        rows = connection.execute(
            text(_CRM_CLAIM),
            {
                "target": target,
                "now": now,
                "until": now + lease,
                "leads": leads,
                "scanned": leads * _SCANNED,
                "alone_after": alone_after,
            },
        ).all()
    failpoint("crm.claim.after")
    return [CrmMessage(**row._mapping) for row in rows]


def list_waiting_leads(connection: Connection, target: str, lead_ids: Collection[int]) -> set[int]:
    """The leads among these about which a message to ``target`` waits, or is being written."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT j.lead_id FROM outbox o JOIN journey j ON j.id = o.journey_id WHERE o.target = :target "
            "AND o.delivered_at IS NULL AND o.given_up_at IS NULL AND j.lead_id = ANY(:leads)"
        ),
        {"target": target, "leads": sorted(lead_ids)},
    )
    return {row.lead_id for row in rows}


_THEIRS: Final = (
    "FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[])) AS m(id, attempts) WHERE o.id = m.id "
    "AND o.attempts = m.attempts AND o.delivered_at IS NULL AND o.given_up_at IS NULL"
)


def renew_claims(connection: Connection, messages: Sequence[CrmMessage], until: datetime) -> set[int]:
    """The messages are claimed until then. Returns those that nobody else has claimed since."""
    rows = connection.execute(
        text(f"UPDATE outbox o SET retry_at = :until {_THEIRS} RETURNING o.id"),
        _list_keys(messages) | {"until": until},
    )
    return {row.id for row in rows}


def mark_written(connection: Connection, messages: Sequence[CrmMessage], now: datetime) -> None:
    """The CRM has what these messages told of; nothing, for those that somebody else has claimed since."""
    connection.execute(
        text(f"UPDATE outbox o SET delivered_at = :now, retry_at = NULL, failure = NULL {_THEIRS}"),
        _list_keys(messages) | {"now": now},
    )


def postpone(
    connection: Connection, messages: Sequence[CrmMessage], failure: str, retry_at: datetime, *, counts: bool
) -> None:
    """Another attempt follows. ``counts``: this one was an attempt, and not a CRM that takes nothing from anybody."""
    connection.execute(
        text(
            "UPDATE outbox o SET retry_at = :at, failure = :failure, "
            f"attempts = o.attempts - CASE WHEN CAST(:counts AS boolean) THEN 0 ELSE 1 END {_THEIRS}"
        ),
        _list_keys(messages) | {"at": retry_at, "failure": failure, "counts": counts},
    )


def give_up_writes(connection: Connection, messages: Sequence[CrmMessage], failure: str, now: datetime) -> bool:
    """No further attempt: a person is asked. False when somebody else has claimed all of them since."""
    return bool(
        connection.execute(
            text(f"UPDATE outbox o SET retry_at = NULL, given_up_at = :now, failure = :failure {_THEIRS}"),
            _list_keys(messages) | {"now": now, "failure": failure},
        ).rowcount
    )


def _list_keys(messages: Sequence[CrmMessage]) -> dict[str, object]:
    return {"ids": [each.id for each in messages], "attempts": [each.attempts for each in messages]}


#: The reason of a work item about a message that was given up. It holds no lead, and a rerun sends the message again.
UNDELIVERABLE: Final = "undeliverable"
#: The reasons of work items about writes to a CRM. Their promise is the target, with what more tells them apart; a
#: rerun writes the leads again.
CRM_REFUSED: Final = "crm_refused"
CRM_NOT_KEPT: Final = "crm_write_not_kept"
CRM_OWNER_UNKNOWN: Final = "crm_owner_unknown"
CRM_OWNER_IS_NO_REP: Final = "crm_owner_is_no_rep"
CRM_LIMIT_REACHED: Final = "crm_limit_reached"
CRM_UNREACHABLE: Final = "crm_unreachable"
CRM_NOT_READ: Final = "crm_not_read"
ABOUT_CRMS: Final = frozenset(
    {
        CRM_REFUSED,
        CRM_NOT_KEPT,
        CRM_OWNER_UNKNOWN,
        CRM_OWNER_IS_NO_REP,
        CRM_LIMIT_REACHED,
        CRM_UNREACHABLE,
        CRM_NOT_READ,
    }
)
#: The reasons for which nothing is written to a CRM, whatever waits: they settle with the next write that it takes.
CRM_STANDS_STILL: Final = frozenset({CRM_REFUSED, CRM_LIMIT_REACHED, CRM_UNREACHABLE})
#: The reasons of work items that hold no journey, and that a person can decide all the same.
SENT_AGAIN: Final = ABOUT_CRMS | {UNDELIVERABLE}
