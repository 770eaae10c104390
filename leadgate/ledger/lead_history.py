"""One lead's story: everything the ledger knows about it, and the ways to find it.

Belongs here: the queries behind ``leadgate explain``. Does not belong here: telling it in words (the
console), counting over many leads (``reports``). Values are not masked: a person asked for this lead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Connection, text

from leadgate.ledger import crm_history
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.crm_history import CrmRecordRow, CrmTaskRow
from leadgate.ledger.database import Ledger
from leadgate.ledger.outbox import ESCALATED_TO
from leadgate.ledger.story_rows import (
    ActionRow,
    ActivityRow,
    AssignmentRow,
    CorrectionRow,
    GateRow,
    HandoffRow,
    JoinRow,
    JourneyRow,
    LeadRow,
    LookalikeRow,
    MessageRow,
    MissedRow,
    PauseRow,
    QualificationRow,
    ReusedRow,
    SignalRow,
    UnmaskingRow,
    VerdictRow,
    WarningRow,
    WorkItemRow,
)
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Row = TypeVar("_Row", bound="DataclassInstance")

#: Rows of each kind that a story holds; a lead with thousands of page views must stay readable.
MOST: Final = 200


@dataclass(frozen=True)
class Story:
    """A lead's rows, each list in the order it happened.

    ``journey`` is the one asked for, else the open one, else the last that did not join another. ``lead``
    is None while a journey is held before its lead is known. ``counts`` has the full number of signals and
    activities, of which the lists hold at most ``MOST``.
    """

    journey: JourneyRow
    lead: LeadRow | None
    journeys: list[JourneyRow]
    signals: list[SignalRow]
    handoffs: list[HandoffRow]
    gates: list[GateRow]  # what the gate of each handoff found in its batch
    warnings: list[WarningRow]
    qualifications: list[QualificationRow]
    assignments: list[AssignmentRow]
    work_items: list[WorkItemRow]
    corrections: list[CorrectionRow]
    actions: list[ActionRow]
    activities: list[ActivityRow]
    messages: list[MessageRow]
    pauses: list[PauseRow]
    missed: list[MissedRow]
    same_phone: list[int]  # other leads: a hint, not an identity
    joins: list[JoinRow] = field(default_factory=list)  # which signals were taken for this lead's, and why
    lookalikes: list[LookalikeRow] = field(default_factory=list)  # leads that its signals were compared with
    verdicts: list[VerdictRow] = field(default_factory=list)  # what people said about it and another lead
    reused: list[ReusedRow] = field(default_factory=list)  # ids of its signals' requests that came again otherwise
    crm_records: list[CrmRecordRow] = field(default_factory=list)
    crm_tasks: list[CrmTaskRow] = field(default_factory=list)
    unmaskings: list[UnmaskingRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def list_undone(self) -> set[int | None]:
        """The numbers of actions that were undone."""
        return {each.undoes for each in self.actions if each.undoes is not None}


def find_journey_of_lead(ledger: Ledger, lead_id: int) -> int | None:
    """The journey to explain a lead by; also found by the number of a journey that has no lead of its own."""
    with ledger.statement() as connection:
        found: int | None = connection.execute(
            text(
                "SELECT id FROM journey WHERE lead_id = :lead "
                "ORDER BY (status IN ('ready', 'held', 'owned')) DESC, (status = 'joined'), id DESC LIMIT 1"
            ),
            {"lead": lead_id},
        ).scalar()
    return found if found is not None else find_journey(ledger, lead_id)


def find_journey_of_work_item(ledger: Ledger, work_item_id: int) -> int | None:
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


def find_journey(ledger: Ledger, journey_id: int) -> int | None:
    """``journey_id`` if there is such a journey."""
    with ledger.statement() as connection:
        found: int | None = connection.execute(
            text("SELECT id FROM journey WHERE id = :id"), {"id": journey_id}
        ).scalar()
        return found


def find_owner(ledger: Ledger, journey_id: int) -> str | None:
    """Who has the lead of a journey now."""
    with ledger.transaction() as connection:
        owner: str | None = connection.execute(
            text("SELECT owner FROM assignment WHERE journey_id = :id AND ended_at IS NULL"), {"id": journey_id}
        ).scalar()
        return owner


def find_leads_by_email(ledger: Ledger, address: str, canonical: str | None) -> list[int]:
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


@dataclass(frozen=True, slots=True)
class KnownEmail:
    """An address by which a lead is known."""

    lead_id: int
    value: str


def find_similar_emails(ledger: Ledger, local: str, domain: str) -> list[KnownEmail]:
    """Up to five leads who share the local part, or the domain, of an address."""
    with ledger.transaction() as connection:
        return read_rows(
            connection,
            KnownEmail,
            "SELECT lead_id, value FROM identity WHERE kind = 'email' "
            "AND (split_part(value, '@', 1) = :local OR split_part(value, '@', 2) = :domain) "
            "ORDER BY split_part(value, '@', 1) = :local DESC, lead_id LIMIT 5",
            local=local,
            domain=domain,
        )


def find_id_range(ledger: Ledger) -> tuple[int, int] | None:
    """The first and the last lead's id; None in an empty ledger."""
    with ledger.transaction() as connection:
        row = connection.execute(text("SELECT min(id), max(id) FROM lead")).one()
        return None if row[0] is None else (row[0], row[1])


def load_story(ledger: Ledger, journey_id: int) -> Story:
    """Everything about the lead of a journey, on one consistent picture of the ledger."""
    with ledger.snapshot(much=False) as connection:
        main = read_row(connection, JourneyRow, f"{_select(JourneyRow, 'journey')} WHERE id = :id", id=journey_id)
        if main is None:
            raise LookupError(f"there is no journey J{journey_id}")
        lead_id, lead = main.lead_id, None
        journeys = [main]
        if lead_id is not None:
            lead = read_row(connection, LeadRow, f"{_select(LeadRow, 'lead')} WHERE id = :id", id=lead_id)
            journeys = read_rows(
                connection,
                JourneyRow,
                f"{_select(JourneyRow, 'journey')} WHERE lead_id = :lead ORDER BY id LIMIT :most",
                lead=lead_id,
                most=MOST,
            )
            if main.id not in {each.id for each in journeys}:
                journeys.append(main)
        ids = [each.id for each in journeys]

        def fetch(row_type: type[_Row], statement: str) -> list[_Row]:
            return read_rows(connection, row_type, f"{statement} LIMIT :most", ids=ids, most=MOST)

        def fetch_table(row_type: type[_Row], table: str, order: str = "id") -> list[_Row]:
            return fetch(row_type, f"{_select(row_type, table)} WHERE journey_id = ANY(:ids) ORDER BY {order}")

        return Story(
            journey=main,
            lead=lead,
            journeys=journeys,
            signals=fetch(SignalRow, _SIGNALS),
            handoffs=fetch_table(HandoffRow, "handoff", "journey_id, generation, id"),
            gates=fetch(GateRow, _GATES),
            warnings=fetch_table(WarningRow, "warned"),
            qualifications=fetch_table(QualificationRow, "qualification"),
            assignments=fetch(AssignmentRow, _ASSIGNMENTS),
            work_items=fetch(WorkItemRow, _WORK_ITEMS),
            corrections=fetch_table(CorrectionRow, "correction"),
            actions=fetch_table(ActionRow, "action"),
            activities=read_rows(connection, ActivityRow, _ACTIVITIES, lead=lead_id, most=MOST),
            messages=fetch_table(MessageRow, "outbox"),
            joins=fetch_table(JoinRow, "lead_join"),
            lookalikes=fetch_table(LookalikeRow, "lookalike"),
            verdicts=fetch_table(VerdictRow, "lead_verdict"),
            pauses=fetch_table(PauseRow, "pause", "started_at, id"),
            missed=fetch_table(MissedRow, "missed", "due_at, id"),
            same_phone=_find_same_phone(connection, lead) if lead else [],
            reused=fetch(ReusedRow, _REUSED),
            crm_records=crm_history.read_crm_records(connection, lead_id) if lead_id is not None else [],
            crm_tasks=crm_history.read_crm_tasks(connection, lead_id, MOST) if lead_id is not None else [],
            unmaskings=fetch_table(UnmaskingRow, "unmasking"),
            counts={
                "signals": _count_rows(connection, "journey WHERE signal_id IS NOT NULL AND lead_id = :lead", lead_id),
                "activities": _count_rows(connection, "activity WHERE lead_id = :lead", lead_id),
            },
        )


def _select(row_type: type[DataclassInstance], table: str) -> str:
    """The columns of the rows, of all rows of a table."""
    return f"SELECT {list_columns(row_type, table)} FROM {table}"


_SIGNALS: Final = (
    f"SELECT {list_columns(SignalRow, 's')} FROM (SELECT s.*, j.id AS journey_id FROM signal s "
    "JOIN journey j ON j.signal_id = s.id WHERE j.id = ANY(:ids)) s ORDER BY s.id"
)
_GATES: Final = (
    f"SELECT DISTINCT ON (g.batch_id, g.gate) {list_columns(GateRow, 'g')} FROM gate_result g "
    "WHERE g.batch_id IN (SELECT batch_id FROM handoff WHERE journey_id = ANY(:ids)) "
    "ORDER BY g.batch_id, g.gate, g.id DESC"
)
_ASSIGNMENTS: Final = (
    f"{_select(AssignmentRow, 'assignment')} WHERE journey_id = ANY(:ids) AND {ENDED_OR_NOT} ORDER BY id"
)
_WORK_ITEMS: Final = (
    f"SELECT {list_columns(WorkItemRow, 'w')} FROM (SELECT w.*, {ESCALATED_TO} AS escalated_to FROM work_item w "
    "WHERE journey_id = ANY(:ids) OR id IN (SELECT work_item_id FROM journey WHERE id = ANY(:ids)) "
    "OR id IN (SELECT work_item_id FROM action WHERE journey_id = ANY(:ids))) w ORDER BY w.id"
)
_ACTIVITIES: Final = f"{_select(ActivityRow, 'activity')} WHERE lead_id = :lead ORDER BY occurred_at, id LIMIT :most"
_REUSED: Final = (
    f"{_select(ReusedRow, 'reused_request')} WHERE (source, request_id) IN (SELECT s.source, s.request_id "
    "FROM signal s JOIN journey j ON j.signal_id = s.id WHERE j.id = ANY(:ids)) ORDER BY first_at"
)


def _find_same_phone(connection: Connection, lead: LeadRow) -> list[int]:
    statement = text("SELECT id FROM lead WHERE phone = :phone AND id <> :id ORDER BY id LIMIT 20")
    return list(connection.execute(statement, {"phone": lead.phone, "id": lead.id}).scalars())


def _count_rows(connection: Connection, source: str, lead_id: int | None) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {source}"), {"lead": lead_id}).scalar_one())
