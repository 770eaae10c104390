"""One lead's story: everything the ledger knows about it, and the ways to find it.

Belongs here: the queries behind ``leadgate explain``. Does not belong here: telling it in words (the
console), counting over many leads (``reports``). Values are not masked: a person asked for this lead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.database import Ledger
from leadgate.ledger.outbox import ESCALATED_TO

#: Rows of each kind that a story holds; a lead with thousands of page views must stay readable.
MOST: Final = 200


@dataclass(frozen=True)
class Story:
    """A lead's rows as plain dictionaries, each list in the order it happened.

    ``journey`` is the one asked for, else the open one, else the last that did not join another. ``lead``
    is None while a journey is held before its lead is known. ``counts`` has the full number of signals and
    activities, of which the lists hold at most ``MOST``.
    """

    journey: dict[str, Any]
    lead: dict[str, Any] | None
    journeys: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    handoffs: list[dict[str, Any]]
    gates: list[dict[str, Any]]  # what the gate of each handoff found in its batch
    warnings: list[dict[str, Any]]
    qualifications: list[dict[str, Any]]
    assignments: list[dict[str, Any]]
    work_items: list[dict[str, Any]]
    corrections: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    activities: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    pauses: list[dict[str, Any]]
    missed: list[dict[str, Any]]
    same_phone: list[int]  # other leads: a hint, not an identity
    joins: list[dict[str, Any]] = field(default_factory=list)  # which signals were taken for this lead's, and why
    lookalikes: list[dict[str, Any]] = field(default_factory=list)  # leads that its signals were compared with
    verdicts: list[dict[str, Any]] = field(default_factory=list)  # what people said about it and another lead
    reused: list[dict[str, Any]] = field(default_factory=list)  # ids of its signals' requests that came again otherwise
    counts: dict[str, int] = field(default_factory=dict)


def journey_of_lead(ledger: Ledger, lead_id: int) -> int | None:
    """The journey to explain a lead by; also found by the number of a journey that has no lead of its own."""
    with ledger.transaction() as connection:
        found: int | None = connection.execute(
            text(
                "SELECT id FROM journey WHERE lead_id = :lead "
                "ORDER BY (status IN ('ready', 'held', 'owned')) DESC, (status = 'joined'), id DESC LIMIT 1"
            ),
            {"lead": lead_id},
        ).scalar()
        return found if found is not None else _journey(connection, lead_id)


def journey_of_work_item(ledger: Ledger, work_item_id: int) -> int | None:
    """The journey a work item is about, or the first of those it holds."""
    with ledger.transaction() as connection:
        found: int | None = connection.execute(
            text(
                "SELECT coalesce(w.journey_id, (SELECT min(id) FROM journey WHERE work_item_id = w.id)) "
                "FROM work_item w WHERE w.id = :id"
            ),
            {"id": work_item_id},
        ).scalar()
        return found


def journey(ledger: Ledger, journey_id: int) -> int | None:
    """``journey_id`` if there is such a journey."""
    with ledger.transaction() as connection:
        return _journey(connection, journey_id)


def owner_of(ledger: Ledger, journey_id: int) -> str | None:
    """Who has the lead of a journey now."""
    with ledger.transaction() as connection:
        owner: str | None = connection.execute(
            text("SELECT owner FROM assignment WHERE journey_id = :id AND ended_at IS NULL"), {"id": journey_id}
        ).scalar()
        return owner


def leads_by_email(ledger: Ledger, address: str, canonical: str | None) -> list[int]:
    """Leads with this canonical e-mail address, else those that carry ``address`` as it was captured."""
    with ledger.transaction() as connection:
        known = connection.execute(
            text("SELECT lead_id FROM identity WHERE kind = 'email' AND value = :value"), {"value": canonical}
        ).scalars()
        if found := list(known):
            return found
        return list(
            connection.execute(
                text("SELECT id FROM lead WHERE lower(email) = lower(:address) ORDER BY id LIMIT 20"),
                {"address": address},
            ).scalars()
        )


def similar_emails(ledger: Ledger, local: str, domain: str) -> list[dict[str, Any]]:
    """Up to five leads (``lead_id``, ``value``) who share the local part, or the domain, of an address."""
    with ledger.transaction() as connection:
        return _rows(
            connection,
            "SELECT lead_id, value FROM identity WHERE kind = 'email' "
            "AND (split_part(value, '@', 1) = :local OR split_part(value, '@', 2) = :domain) "
            "ORDER BY split_part(value, '@', 1) = :local DESC, lead_id LIMIT 5",
            local=local,
            domain=domain,
        )


def id_range(ledger: Ledger) -> tuple[int, int] | None:
    """The first and the last lead's id; None in an empty ledger."""
    with ledger.transaction() as connection:
        row = connection.execute(text("SELECT min(id), max(id) FROM lead")).one()
        return None if row[0] is None else (row[0], row[1])


def story(ledger: Ledger, journey_id: int) -> Story:
    """Everything about the lead of a journey, on one consistent picture of the ledger."""
    with ledger.picture() as connection:
        main = _rows(connection, "SELECT * FROM journey WHERE id = :id", id=journey_id)[0]
        lead_id = main["lead_id"]
        journeys = [main]
        if lead_id is not None:
            journeys = _rows(
                connection,
                "SELECT * FROM journey WHERE lead_id = :lead ORDER BY id LIMIT :most",
                lead=lead_id,
                most=MOST,
            )
            if main["id"] not in {each["id"] for each in journeys}:
                journeys.append(main)
        ids = [each["id"] for each in journeys]
        lead = _rows(connection, "SELECT * FROM lead WHERE id = :lead", lead=lead_id) if lead_id is not None else []

        def of(statement: str) -> list[dict[str, Any]]:
            return _rows(connection, statement, ids=ids, lead=lead_id, most=MOST)

        return Story(
            journey=main,
            lead=lead[0] if lead else None,
            journeys=journeys,
            signals=of(
                "SELECT s.*, j.id AS journey_id FROM signal s JOIN journey j ON j.signal_id = s.id "
                "WHERE j.id = ANY(:ids) ORDER BY s.id LIMIT :most"
            ),
            handoffs=of(
                "SELECT * FROM handoff WHERE journey_id = ANY(:ids) ORDER BY journey_id, generation, id LIMIT :most"
            ),
            gates=of(
                "SELECT DISTINCT ON (batch_id, gate) batch_id, gate, rows, held, warned, evidence, at "
                "FROM gate_result "
                "WHERE batch_id IN (SELECT batch_id FROM handoff WHERE journey_id = ANY(:ids)) "
                "ORDER BY batch_id, gate, id DESC LIMIT :most"
            ),
            warnings=of("SELECT * FROM warned WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            qualifications=of("SELECT * FROM qualification WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            assignments=of(
                f"SELECT * FROM assignment WHERE journey_id = ANY(:ids) AND {ENDED_OR_NOT} ORDER BY id LIMIT :most"
            ),
            work_items=of(
                f"SELECT w.*, {ESCALATED_TO} AS escalated_to FROM work_item w WHERE journey_id = ANY(:ids) OR id IN "
                "(SELECT work_item_id FROM journey WHERE id = ANY(:ids)) OR id IN "
                "(SELECT work_item_id FROM action WHERE journey_id = ANY(:ids)) ORDER BY id LIMIT :most"
            ),
            corrections=of("SELECT * FROM correction WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            actions=of("SELECT * FROM action WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            activities=of("SELECT * FROM activity WHERE lead_id = :lead ORDER BY occurred_at, id LIMIT :most"),
            messages=of("SELECT * FROM outbox WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            joins=of("SELECT * FROM lead_join WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            lookalikes=of("SELECT * FROM lookalike WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            verdicts=of("SELECT * FROM lead_verdict WHERE journey_id = ANY(:ids) ORDER BY id LIMIT :most"),
            pauses=of("SELECT * FROM pause WHERE journey_id = ANY(:ids) ORDER BY started_at, id LIMIT :most"),
            missed=of("SELECT * FROM missed WHERE journey_id = ANY(:ids) ORDER BY due_at, id LIMIT :most"),
            same_phone=_same_phone(connection, lead[0]) if lead else [],
            reused=of(
                "SELECT * FROM reused_request WHERE (source, request_id) IN (SELECT s.source, s.request_id "
                "FROM signal s JOIN journey j ON j.signal_id = s.id WHERE j.id = ANY(:ids)) "
                "ORDER BY first_at LIMIT :most"
            ),
            counts={
                "signals": _count(connection, "journey WHERE signal_id IS NOT NULL AND lead_id = :lead", lead_id),
                "activities": _count(connection, "activity WHERE lead_id = :lead", lead_id),
            },
        )


def _same_phone(connection: Connection, lead: Mapping[str, Any]) -> list[int]:
    statement = text("SELECT id FROM lead WHERE phone = :phone AND id <> :id ORDER BY id LIMIT 20")
    return list(connection.execute(statement, {"phone": lead["phone"], "id": lead["id"]}).scalars())


def _journey(connection: Connection, journey_id: int) -> int | None:
    found: int | None = connection.execute(text("SELECT id FROM journey WHERE id = :id"), {"id": journey_id}).scalar()
    return found


def _count(connection: Connection, source: str, lead_id: int | None) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {source}"), {"lead": lead_id}).scalar_one())


def _rows(connection: Connection, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    used: Sequence[str] = [name for name in parameters if f":{name}" in statement]
    result = connection.execute(text(statement), {name: parameters[name] for name in used})
    return [dict(row) for row in result.mappings()]
