"""The rows of one lead's story: for each table a class with its columns, in their order.

Belongs here: these classes; the queries make their lists of columns from them, and a test compares them with
the tables. Does not belong here: the queries (``lead_history``).

Long as one file: it is one list of columns, as long as the tables are wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadgate.json_columns import (
        CandidateLine,
        CheckedPromise,
        ConsideredAccount,
        NotEnriched,
        Origin,
        Pointer,
        Proof,
        ScoreDetails,
    )
    from leadgate.values.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A pass of the lead, or of a record, through the stages."""

    id: int
    kind: str
    trigger: str
    signal_id: int | None
    lead_id: int | None
    record_id: int | None
    source: str
    captured_at: datetime
    stage: str
    status: str
    version: int
    generation: int
    start_stage: str
    waived: Sequence[str] | None
    batch_id: int | None
    run_after: datetime
    work_item_id: int | None
    joined_to: int | None
    waits_for: str | None
    handed_on_at: Sequence[datetime]


@dataclass(frozen=True, slots=True)
class StartedRow:
    """A record that the lead started."""

    id: int
    is_open: bool
    outcome: str | None


@dataclass(frozen=True, slots=True)
class LeadRow:
    """The person, as known so far."""

    id: int
    created_at: datetime
    rescore_at: datetime | None
    email: str | None
    phone: str | None
    salutation: str | None
    first_name: str | None
    last_name: str | None
    full_name: str | None
    job_title: str | None
    company: str | None
    website: str | None
    industry: str | None
    company_size: str | None
    annual_revenue: str | None
    street: str | None
    city: str | None
    postal_code: str | None
    state: str | None
    country: str | None
    language: str | None
    product: str | None
    budget: str | None
    timeline: str | None
    message: str | None
    consent: str | None
    lead_source: str | None
    occurred_at: str | None
    external_id: str | None
    email_canonical: str | None
    email_domain: str | None
    website_domain: str | None
    is_free_mail: bool | None
    is_disposable: bool | None
    is_role_address: bool | None
    has_consent: bool | None
    company_domain: str | None
    employees: int | None
    revenue: float | None
    account_id: str | None
    account_name: str | None
    account_owner: str | None
    account_tier: str | None
    custom: JsonObject | None
    attributes: JsonObject | None
    provenance: Mapping[str, Origin] | None
    account_candidates: Sequence[ConsideredAccount] | None
    not_enriched: Mapping[str, NotEnriched] | None
    score_changes_at: datetime | None
    recycle_at: datetime | None
    enrich_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A signal, and the journey that it started."""

    id: int
    source: str
    key: str
    payload: str
    unreadable: str | None
    origin: str | None
    recognised: str | None
    received_at: datetime
    client_address: str | None
    request_id: str | None
    request_hash: str | None
    journey_id: int


@dataclass(frozen=True, slots=True)
class HandoffRow:
    """A journey leaving a stage."""

    id: int
    journey_id: int
    generation: int
    stage: str
    outcome: str
    reason: str | None
    batch_id: int | None
    playbook_hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GateRow:
    """What the gate of a handoff found in its batch."""

    batch_id: int
    gate: str
    rows: int
    held: int
    warned: int
    evidence: Sequence[CheckedPromise]
    at: datetime


@dataclass(frozen=True, slots=True)
class WarningRow:
    """A promise of severity ``warning`` that a journey broke and passed with."""

    id: int
    journey_id: int
    generation: int
    gate: str
    promise: str
    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class QualificationRow:
    """A score and what it led to."""

    id: int
    journey_id: int
    generation: int
    fit: int
    engagement: int
    score: int
    contributions: dict[str, int]
    qualified_as: str | None
    outcome: str
    reasons: Sequence[str]
    evidence: Mapping[str, Proof]
    playbook_hash: str
    at: datetime
    fit_grade: str | None
    engagement_grade: int | None
    grade: str | None
    details: ScoreDetails
    was: str | None
    changes_at: datetime | None


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """Who has or had the lead, and why."""

    id: int
    journey_id: int
    kind: str
    generation: int
    owner: str
    pool: str | None
    rule: str
    turn: bool
    turn_given_back: bool
    candidates: Sequence[CandidateLine]
    why: str
    sla: str | None
    playbook_hash: str
    assigned_at: datetime
    due_at: datetime | None
    due_soon_at: datetime | None
    next_check_at: datetime | None
    ladder_step: int
    touched_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    inputs: JsonObject | None
    pointer: Pointer | None
    clock_from: datetime | None
    chance: float | None
    priority: str | None
    acceptance_step: int
    next_touch_step: int
    stage_step: int
    last_touched_at: datetime | None
    stale_since: datetime | None
    method: str


@dataclass(frozen=True, slots=True)
class WorkItemRow:
    """What a person had to decide, and whom it was escalated to."""

    id: int
    kind: str
    blocking: bool
    reason: str
    stage: str
    promise: str | None
    source: str | None
    journey_id: int | None
    batch_id: int | None
    generation: int
    message: str
    value: str | None
    detail: str | None
    proposal: JsonObject | None
    note: str | None
    route: str
    assignee: str | None
    due_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None
    chance: float | None
    taken_at: datetime | None
    escalated_at: datetime | None
    escalated_to: str | None


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A value that a person set."""

    id: int
    journey_id: int
    generation: int
    field: str
    value: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ActionRow:
    """What a person did."""

    id: int
    journey_id: int
    work_item_id: int | None
    generation: int
    what: str
    by: str
    at: datetime
    note: str | None
    acted_for: str | None
    version: int | None
    number: int | None
    undoes: int | None
    activity_id: int | None


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """What the lead or a rep did."""

    id: int
    source: str
    key: str
    kind: str
    actor: str
    rep: str | None
    email: str | None
    lead_id: int | None
    record_id: int | None
    record_source: str | None
    record_key: str | None
    occurred_at: datetime
    payload: str
    received_at: datetime
    seconds: int | None
    automatic: bool | None
    client_address: str | None
    request_id: str | None
    request_hash: str | None
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordedOutcomeRow:
    """What became of the lead, as a file says it."""

    id: int
    journey_id: int
    lead_id: int
    kind: str
    reason: str | None
    occurred_at: datetime
    rep: str | None
    by: str
    recorded_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message, and how its delivery goes."""

    id: int
    key: str
    journey_id: int
    target: str
    kind: str
    created_at: datetime
    delivered_at: datetime | None
    attempts: int
    retry_at: datetime | None
    given_up_at: datetime | None
    failure: str | None
    claimed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """A wait for the lead."""

    id: int
    journey_id: int
    reason: str
    by: str
    started_at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True)
class MissedRow:
    """A target of an SLA that was not met in time."""

    id: int
    assignment_id: int
    journey_id: int
    target: str
    since: datetime
    due_at: datetime
    noticed_at: datetime
    met_at: datetime | None


@dataclass(frozen=True, slots=True)
class JoinRow:
    """A signal that was taken for this lead's, and why."""

    id: int
    journey_id: int
    generation: int
    lead_id: int
    joined_to: int | None
    because: Sequence[str]
    changed: JsonObject | None
    claimed: Sequence[Sequence[str]] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LookalikeRow:
    """A lead that a signal was compared with."""

    id: int
    journey_id: int
    generation: int
    lead_id: int
    score: int
    levels: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What a person said about the lead and another one."""

    id: int
    low: int
    high: int
    same: bool
    keep: int | None
    journey_id: int
    work_item_id: int | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReusedRow:
    """An id of a signal's request that came again with another body."""

    source: str
    request_id: str
    times: int
    first_at: datetime
    last_at: datetime
    last_address: str | None


@dataclass(frozen=True, slots=True)
class UnmaskingRow:
    """Somebody had the lead's masked values shown to them."""

    id: int
    journey_id: int
    by: str
    at: datetime
