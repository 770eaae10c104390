"""The closed sets of words that code, tables and pages share: stages, gates, statuses, outcomes, kinds of records.

Belongs here: enumerations, and their members as SQL lists them. Does not belong here: which status may follow which
(``ledger.journeys.transitions``), or words of the playbook, whose parts declare them (``playbook``).

A member is a string. Its value is what tables, JSON and COPY hold; as a key of a JSON object write ``.value``, because
orjson takes plain strings there.

Long as one file: it is one list of words, and a test compares it with the statements and pages that use them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class JourneyKind(StrEnum):
    """What a journey is about: a lead, or a record of another kind, which comes later in the life of a customer."""

    LEAD = "lead"
    OPPORTUNITY = "opportunity"
    RENEWAL = "renewal"
    EXPANSION = "expansion"

    @property
    def plural(self) -> str:
        """Several of them.

        >>> JourneyKind.OPPORTUNITY.plural
        'opportunities'
        """
        return f"{self.value[:-1]}ies" if self.value.endswith("y") else f"{self.value}s"


class GateName(StrEnum):
    """The gates, each after the stage at the same place of ``StageName``."""

    CAPTURED = "captured"
    VALIDATED = "validated"
    ENRICHED = "enriched"
    QUALIFIED = "qualified"
    ASSIGNED = "assigned"
    FOLLOWED_UP = "followed_up"


class StageName(StrEnum):
    """The six stages, in order."""

    CAPTURE = "capture"
    VALIDATION = "validation"
    ENRICHMENT = "enrichment"
    QUALIFICATION = "qualification"
    ASSIGNMENT = "assignment"
    FOLLOW_UP = "follow_up"

    @property
    def next(self) -> StageName:
        """The stage that follows. Raises ``IndexError`` for the last."""
        stages = list(StageName)
        return stages[stages.index(self) + 1]

    @property
    def gate(self) -> GateName:
        """The gate that judges what the stage decided."""
        return list(GateName)[list(StageName).index(self)]


class JourneyStatus(StrEnum):
    """Where a journey stands. The first three are open: a lead has at most one open journey."""

    READY = "ready"
    HELD = "held"
    OWNED = "owned"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    DONE = "done"
    DISCARDED = "discarded"


class Outcome(StrEnum):
    """What a stage decides about one journey."""

    CONTINUE = "continue"
    OWNED = "owned"
    HOLD = "hold"
    REVIEW = "review"
    PARKED = "parked"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    WAIT = "wait"
    DONE = "done"
    REASSIGN = "reassign"
    STAY = "stay"
    SUPERSEDED = "superseded"


class QualifiedAs(StrEnum):
    """How far a lead is qualified, if it is at all."""

    MARKETING = "marketing_qualified"
    SALES = "sales_qualified"


class HandoffOutcome(StrEnum):
    """How a journey left a stage, as its handoff records."""

    CONTINUED = "continued"
    HELD = "held"
    JOINED = "joined"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    DONE = "done"
    REASSIGNED = "reassigned"


class Severity(StrEnum):
    """What a broken promise does: a critical one holds the lead, a warning is kept with it."""

    CRITICAL = "critical"
    WARNING = "warning"


class Trigger(StrEnum):
    """Why a journey began: a signal came in; a lead is scored again, comes back from nurture, or is looked up again; or
    the time of a record has come."""

    SIGNAL = "signal"
    RESCORE = "rescore"
    RECYCLE = "recycle"
    ENRICH = "enrich"
    DUE = "due"


class BatchKind(StrEnum):
    """What a batch takes on: leads that wait for a stage, or owned leads that are due for a look."""

    INTAKE = "intake"
    FOLLOW_UP = "follow_up"


class WorkItemKind(StrEnum):
    """What a person is asked: to decide about a lead, to mend a run, to act on a missed due time, to mend a source."""

    EXCEPTION = "exception"
    REVIEW = "review"
    RECOVERY = "recovery"
    ESCALATION = "escalation"
    BREAKER = "breaker"


class ItemResolution(StrEnum):
    """How a work item was closed: by a person's decision, the first six, or by what happened."""

    RERUN = "rerun"
    CORRECTED = "corrected"
    DONE_BY_HAND = "done_by_hand"
    DISCARDED = "discarded"
    SAME_PERSON = "same_person"
    DIFFERENT_PERSON = "different_person"
    UNDONE = "undone"
    BREAKER_CLOSED = "breaker_closed"
    PROMISE_KEPT = "promise_kept"
    FOLLOWED_UP = "followed_up"
    REPLACED = "replaced"


class ActionKind(StrEnum):
    """What a person did to a journey or a work item."""

    ACCEPT = "accept"
    REJECT = "reject"
    WAIT = "wait"
    RESUME = "resume"
    REASSIGN = "reassign"
    UNASSIGN = "unassign"
    TRANSFER = "transfer"
    TOUCH = "touch"
    NOTE = "note"
    TAKE = "take"
    UNJOIN = "unjoin"
    UNDO = "undo"
    RERUN = "rerun"
    CORRECTED = "corrected"
    DONE_BY_HAND = "done_by_hand"
    DISCARDED = "discarded"
    SAME_PERSON = "same_person"
    DIFFERENT_PERSON = "different_person"


class ActivityActor(StrEnum):
    """Who did something: the lead, or one of us."""

    LEAD = "lead"
    REP = "rep"


class AssignmentMethod(StrEnum):
    """How a lead got its owner: by a route of the playbook, or because a person gave it to them."""

    ROUTE = "route"
    REASSIGN = "reassign"
    TRANSFER = "transfer"

    @property
    def by_hand(self) -> bool:
        return self is not AssignmentMethod.ROUTE


class ActivationMethod(StrEnum):
    """How a playbook became the one in use."""

    COMMAND = "command"  # `leadgate playbook activate`
    ROLLBACK = "rollback"
    FILE = "file"  # its file was changed, and a process read it
    UPGRADE = "upgrade"  # another version of Leadgate reads the same text, and gives it another hash
    UNRECORDED = "unrecorded"  # before activations were recorded


class RecordedVerdict(StrEnum):
    """What a file may say became of a lead, besides the outcomes of the playbook."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WON = "won"
    LOST = "lost"


class EndReason(StrEnum):
    """Why an assignment ended. Those from ``rejected`` to ``outcome`` are stored with a word of the playbook behind
    them (``add``); ``superseded``: a later update of the record took the journey's place; ``deleted``: the record was
    deleted where it came from."""

    ACCEPTED = "accepted"
    TOUCHED = "touched"
    SLA_MISSED = "sla_missed"
    REASSIGNED = "reassigned"
    UNASSIGNED = "unassigned"
    TRANSFERRED = "transferred"
    UNJOINED = "unjoined"
    REJECTED = "rejected"
    STALE = "stale"
    OUTCOME = "outcome"
    SUPERSEDED = "superseded"
    DELETED = "deleted"

    def add(self, word: str) -> str:
        """The reason with the word that says more, as it is stored.

        >>> EndReason.REJECTED.add("no_budget")
        'rejected: no_budget'
        """
        return f"{self.value}: {word}"


class MessageKind(StrEnum):
    """What a message to an owner, a manager or somebody who decides is about."""

    LEAD_ASSIGNED = "lead_assigned"
    LEAD_HEARD_AGAIN = "lead_heard_again"
    LEAD_WARMED_UP = "lead_warmed_up"
    LEAD_STALE = "lead_stale"
    LEAD_TAKEN_BACK = "lead_taken_back"
    LEAD_RECYCLED = "lead_recycled"
    LEAD_HANDED_OVER = "lead_handed_over"
    WORK_ITEM_OVERDUE = "work_item_overdue"
    FIRST_TOUCH_DUE = "first_touch_due"
    FIRST_TOUCH_OVERDUE = "first_touch_overdue"
    ACCEPTANCE_DUE = "acceptance_due"
    ACCEPTANCE_OVERDUE = "acceptance_overdue"
    NEXT_TOUCH_DUE = "next_touch_due"
    NEXT_TOUCH_OVERDUE = "next_touch_overdue"
    STAGE_DUE = "stage_due"
    STAGE_OVERDUE = "stage_overdue"
    RECORD_ASSIGNED = "record_assigned"
    RECORD_CHANGED = "record_changed"
    RECORD_SLIPPED = "record_slipped"
    RECORD_DELETED = "record_deleted"


class CrmMessageKind(StrEnum):
    """What a message to a CRM asks for: what has changed, or all of a lead again, because a person asked for it or a
    write that took too long may have put older values over newer ones."""

    WRITE = "crm_write"
    WRITE_AGAIN = "crm_write_again"


class EventKind(StrEnum):
    """What other systems are told of a lead, as a webhook."""

    OWNED = "event_owned"
    HELD = "event_held"
    ACCEPTED = "event_accepted"
    REJECTED = "event_rejected"
    MISSED = "event_missed"

    @property
    def word(self) -> str:
        """As a playbook writes it: ``owned``."""
        return self.value.removeprefix("event_")


class ViewSchedule(StrEnum):
    """How often a saved view of the report is sent."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ReportMailStep(StrEnum):
    """What happened to an e-mail of a saved view: a person asked for it, a process claimed it, what came of it."""

    ASKED = "asked"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    REFUSED = "refused"


class LearnedRole(StrEnum):
    """What a learned score may do, each more than the one before: be shown, say in which order reviewers work, decide
    within the review band."""

    SHADOW = "shadow"
    ADVISE = "advise"
    DECIDE = "decide"


class ForecastCategory(StrEnum):
    """How sure it is that an opportunity is won by its close date, as CRMs have it. ``omitted`` counts nowhere."""

    CLOSED = "closed"
    COMMIT = "commit"
    BEST_CASE = "best_case"
    PIPELINE = "pipeline"
    OMITTED = "omitted"


class NothingNew(StrEnum):
    """Why an update of a record goes no further: it says what is known, it came after a later one, another journey
    judges what it says, the record's own time had come and nothing follows yet, or the record was deleted since."""

    NOTHING_CHANGED = "nothing_changed"
    UNCHANGED = "unchanged"
    TOLD_LATE = "told_late"
    LATER_UPDATE = "later_update"
    NOT_YET = "not_yet"
    RECORD_DELETED = "record_deleted"


class MovementReason(StrEnum):
    """Why a forecast changed, or what was told of an opportunity in it: from what came to what went."""

    NEW = "new"
    MOVED_IN = "moved_in"
    REOPENED = "reopened"
    AMOUNT_UP = "amount_up"
    AMOUNT_DOWN = "amount_down"
    OWNER = "owner"
    CATEGORY_UP = "category_up"
    CATEGORY_DOWN = "category_down"
    WON = "won"
    LOST = "lost"
    MOVED_OUT = "moved_out"
    DELETED = "deleted"
    PUSHED = "pushed"
    PULLED_IN = "pulled_in"
    SLIPPED = "slipped"


class Role(StrEnum):
    """What somebody is to Leadgate, which says what they may do (``leadgate.permissions``)."""

    REP = "rep"
    REVIEWER = "reviewer"
    MANAGER = "manager"
    OPERATOR = "operator"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"


#: The same as plain strings, for JSON and lists of columns.
STAGES: Final = tuple(stage.value for stage in StageName)
STATUSES: Final = tuple(status.value for status in JourneyStatus)
#: Why assignments end by a person's word, who then tells the owner that they had it.
BY_A_PERSON: Final = (EndReason.REASSIGNED, EndReason.UNASSIGNED, EndReason.TRANSFERRED)
#: A lead has at most one journey in one of these.
OPEN: Final = (JourneyStatus.READY, JourneyStatus.HELD, JourneyStatus.OWNED)


def list_in_sql(words: Iterable[StrEnum]) -> str:
    """Members as text literals of SQL, separated by commas. Only words that this module declares get into a statement.

    >>> list_in_sql(OPEN)
    "'ready', 'held', 'owned'"
    """
    return ", ".join(f"'{word.value}'" for word in words)
