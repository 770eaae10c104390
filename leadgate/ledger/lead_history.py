"""One lead's story: everything the ledger knows about it, and the ways to find it.

Belongs here: the queries behind ``leadgate explain``. Does not belong here: telling it in words (the
console), counting over many leads (``reports``). Values are not masked: a person asked for this lead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import text

from leadgate.ledger import crm_history
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.crm_history import CrmRecordRow, CrmTaskRow, LinkRow
from leadgate.ledger.database import Ledger
from leadgate.ledger.outbox import ESCALATED_TO
from leadgate.ledger.reads_together import read_together
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
    RecordedOutcomeRow,
    ReusedRow,
    SignalRow,
    StartedRow,
    UnmaskingRow,
    VerdictRow,
    WarningRow,
    WorkItemRow,
)
from leadgate.ledger.typed_rows import Read, list_columns, read_row, read_rows
from leadgate.vocabulary import JourneyKind

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
    recorded_outcomes: list[RecordedOutcomeRow] = field(default_factory=list)
    expansions: list[StartedRow] = field(default_factory=list)  # that the lead started
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


@dataclass(frozen=True, slots=True)
class Subject:
    """What a journey is about. Neither number: it is not known yet."""

    kind: JourneyKind
    lead_id: int | None
    record_id: int | None

    def name(self, journey_id: int) -> str:
        """As people are told: by the record's number, else by that of the journey.

        >>> Subject(JourneyKind.RENEWAL, None, 3).name(7), Subject(JourneyKind.LEAD, 5, None).name(7)
        ('renewal R3', 'lead J7')
        """
        return f"{self.kind} J{journey_id}" if self.record_id is None else f"{self.kind} R{self.record_id}"


def find_subject(ledger: Ledger, journey_id: int) -> Subject:
    """What a journey is about. Raises ``LookupError`` where there is none."""
    with ledger.statement() as connection:
        found = read_row(
            connection, Subject, "SELECT kind, lead_id, record_id FROM journey WHERE id = :id", id=journey_id
        )
    if found is None:
        raise LookupError(f"there is no journey J{journey_id}")
    return found


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
    """Everything about the lead, or the record, of a journey, on one consistent picture of the ledger."""
    with ledger.snapshot(much=False) as connection:
        journeys = read_rows(connection, JourneyRow, _JOURNEYS, id=journey_id, most=MOST)
        main = next((each for each in journeys if each.id == journey_id), None)
        if main is None:  # a lead with more of them than a story holds, or none yet
            main = read_row(connection, JourneyRow, f"{_select(JourneyRow, 'journey')} WHERE id = :id", id=journey_id)
            if main is None:
                raise LookupError(f"there is no journey J{journey_id}")
            if main.record_id is not None:
                others = read_rows(connection, JourneyRow, _OF_RECORD, id=main.record_id, but=main.id, most=MOST)
                journeys = others[::-1]
            journeys.append(main)
        asked = AskedStory(main, [each.id for each in journeys])
        asked.counts(connection)
        read_together(connection, asked.list_reads())
    return asked.build_story(main, journeys)


class AskedStory:
    """What is asked about the lead of a journey: ``counts`` first, then all other reads, which are sent together."""

    def __init__(self, main: JourneyRow, ids: list[int]) -> None:
        self._reads: list[Read[Any]] = []
        self._of_table: list[tuple[str, Read[Any]]] = []
        parameters = {"lead": main.lead_id, "record": main.record_id, "ids": ids, "most": MOST}

        def fetch(row_type: type[_Row], statement: str) -> Read[_Row]:
            read = Read(row_type, statement, parameters)
            self._reads.append(read)
            return read

        def fetch_table(row_type: type[_Row], table: str, order: str = "id") -> Read[_Row]:
            select = f"{_select(row_type, table)} WHERE journey_id = ANY(:ids) ORDER BY {order} LIMIT :most"
            read = Read(row_type, select, parameters)
            self._of_table.append((table, read))
            return read

        self.counts = Read(_Counts, _COUNTS, parameters)
        self.lead = fetch(LeadRow, f"{_select(LeadRow, 'lead')} WHERE id = :lead")
        self.signals = fetch(SignalRow, f"{_SIGNALS} LIMIT :most")
        self.handoffs = fetch_table(HandoffRow, "handoff", "journey_id, generation, id")
        self.gates = fetch(GateRow, f"{_GATES} LIMIT :most")
        self.warnings = fetch_table(WarningRow, "warned")
        self.qualifications = fetch_table(QualificationRow, "qualification")
        self.assignments = fetch(AssignmentRow, f"{_ASSIGNMENTS} LIMIT :most")
        self.work_items = fetch(WorkItemRow, f"{_WORK_ITEMS} LIMIT :most")
        self.corrections = fetch_table(CorrectionRow, "correction")
        self.actions = fetch_table(ActionRow, "action")
        self.activities = fetch(ActivityRow, _ACTIVITIES if main.record_id is None else _ACTIVITIES_OF_RECORD)
        self.messages = fetch_table(MessageRow, "outbox")
        self.joins = fetch_table(JoinRow, "lead_join")
        self.lookalikes = fetch_table(LookalikeRow, "lookalike")
        self.verdicts = fetch_table(VerdictRow, "lead_verdict")
        self.pauses = fetch_table(PauseRow, "pause", "started_at, id")
        self.missed = fetch_table(MissedRow, "missed", "due_at, id")
        self.same_phone = fetch(_Number, _SAME_PHONE)
        self.reused = fetch(ReusedRow, f"{_REUSED} LIMIT :most")
        self.crm_links = fetch(LinkRow, crm_history.LINKS)
        self.crm_tasks = fetch(CrmTaskRow, crm_history.TASKS)
        self.expansions = fetch(StartedRow, f"{_EXPANSIONS} LIMIT :most")
        self.unmaskings = fetch_table(UnmaskingRow, "unmasking")
        self.recorded_outcomes = fetch_table(RecordedOutcomeRow, "recorded_outcome", "occurred_at, id")

    def list_reads(self) -> list[Read[Any]]:
        """What is still to be read: of the tables that hold nothing about most leads, those that hold something."""
        (counts,) = self.counts.rows
        return self._reads + [
            read for table, read in self._of_table if table not in SELDOM_USED or table in counts.used
        ]

    def build_story(self, main: JourneyRow, journeys: list[JourneyRow]) -> Story:
        """The story of what was read."""
        return Story(
            journey=main,
            lead=next(iter(self.lead.rows), None),
            journeys=journeys,
            signals=self.signals.rows,
            handoffs=self.handoffs.rows,
            gates=self.gates.rows,
            warnings=self.warnings.rows,
            qualifications=self.qualifications.rows,
            assignments=self.assignments.rows,
            work_items=self.work_items.rows,
            corrections=self.corrections.rows,
            actions=self.actions.rows,
            activities=self.activities.rows,
            messages=self.messages.rows,
            joins=self.joins.rows,
            lookalikes=self.lookalikes.rows,
            verdicts=self.verdicts.rows,
            pauses=self.pauses.rows,
            missed=self.missed.rows,
            same_phone=[each.number for each in self.same_phone.rows],
            reused=self.reused.rows,
            crm_records=crm_history.build_crm_records(self.crm_links.rows),
            crm_tasks=self.crm_tasks.rows,
            unmaskings=self.unmaskings.rows,
            recorded_outcomes=self.recorded_outcomes.rows,
            expansions=self.expansions.rows,
            counts={"signals": self.counts.rows[0].signals, "activities": self.counts.rows[0].activities},
        )


@dataclass(frozen=True, slots=True)
class _Number:
    """The id of a lead."""

    number: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """``used``: those of ``SELDOM_USED`` that hold something about the lead."""

    used: list[str]
    signals: int
    activities: int


def _select(row_type: type[DataclassInstance], table: str) -> str:
    """The columns of the rows, of all rows of a table."""
    return f"SELECT {list_columns(row_type, table)} FROM {table}"


_SIGNALS: Final = (
    f"SELECT {list_columns(SignalRow, 's')} FROM (SELECT s.*, j.id AS journey_id FROM signal s "
    "JOIN journey j ON j.signal_id = s.id WHERE j.id = ANY(:ids)) s ORDER BY s.id"
)
#: Its key says which lead started an expansion (``tasks.records.new_leads``).
_EXPANSIONS: Final = (
    f"SELECT {list_columns(StartedRow, 'r')} FROM record r WHERE r.kind = '{JourneyKind.EXPANSION}' "
    "AND starts_with(r.key, 'L' || CAST(:lead AS bigint) || ':') ORDER BY r.id"
)
_GATES: Final = (
    f"SELECT DISTINCT ON (g.batch_id, g.gate) {list_columns(GateRow, 'g')} FROM gate_result g "
    "WHERE g.batch_id IN (SELECT batch_id FROM handoff WHERE journey_id = ANY(:ids)) "
    "ORDER BY g.batch_id, g.gate, g.id DESC"
)
_ASSIGNMENTS: Final = (
    f"{_select(AssignmentRow, 'assignment')} WHERE journey_id = ANY(:ids) AND {ENDED_OR_NOT} ORDER BY id"
)
#: Each way to an item by its index: with OR, all items that ever were are read.
_WORK_ITEMS: Final = (
    f"SELECT {list_columns(WorkItemRow, 'w')} FROM (SELECT w.*, {ESCALATED_TO} AS escalated_to FROM work_item w "
    "WHERE id IN (SELECT id FROM work_item WHERE journey_id = ANY(:ids) "
    "UNION SELECT work_item_id FROM journey WHERE id = ANY(:ids) "
    "UNION SELECT work_item_id FROM action WHERE journey_id = ANY(:ids))) w ORDER BY w.id"
)
_ACTIVITIES: Final = f"{_select(ActivityRow, 'activity')} WHERE lead_id = :lead ORDER BY occurred_at, id LIMIT :most"
_ACTIVITIES_OF_RECORD: Final = (
    f"{_select(ActivityRow, 'activity')} WHERE record_id = :record ORDER BY occurred_at, id LIMIT :most"
)
_REUSED: Final = (
    f"{_select(ReusedRow, 'reused_request')} WHERE (source, request_id) IN (SELECT s.source, s.request_id "
    "FROM signal s JOIN journey j ON j.signal_id = s.id WHERE j.id = ANY(:ids)) ORDER BY first_at"
)


_SAME_PHONE: Final = """
    SELECT other.id AS number FROM lead l
    JOIN lead other ON lead_phone_end(other.phone) = lead_phone_end(l.phone) AND other.phone = l.phone
    WHERE l.id = :lead AND other.id <> l.id ORDER BY other.id LIMIT 20"""
_JOURNEYS: Final = (
    f"{_select(JourneyRow, 'journey')} WHERE lead_id = (SELECT lead_id FROM journey WHERE id = :id) "
    "ORDER BY id LIMIT :most"
)
#: The other journeys of a record, the latest first.
_OF_RECORD: Final = (
    f"{_select(JourneyRow, 'journey')} WHERE record_id = :id AND id <> :but ORDER BY id DESC LIMIT :most"
)
#: Tables with rows of journeys that hold nothing about most leads: whether they do is asked in one statement, for
#: reading each of them costs a page more than all that it finds there.
SELDOM_USED: Final = (
    "warned", "correction", "action", "lead_join", "lookalike", "lead_verdict", "pause", "missed", "unmasking",
    "recorded_outcome",
)  # fmt: skip
_USED: Final = ", ".join(
    f"CASE WHEN EXISTS (SELECT FROM {table} WHERE journey_id = ANY(:ids)) THEN '{table}' END" for table in SELDOM_USED
)
_COUNTS: Final = f"""
    SELECT array_remove(ARRAY[{_USED}], NULL) AS used,
        (SELECT count(*) FROM journey WHERE signal_id IS NOT NULL AND lead_id = :lead) AS signals,
        (SELECT count(*) FROM activity WHERE lead_id = :lead) AS activities"""
