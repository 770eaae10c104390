"""Who has a lead, on which clock, and whose turn it is.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    PERSONAL,
    declare_counter,
    declare_foreign_key,
    declare_id,
    declare_json,
    declare_json_or_none,
    declare_moment,
    declare_personal,
    declare_staff,
    declare_unchecked_id,
    list_allowed,
)
from leadgate.vocabulary import AssignmentMethod, JourneyKind


class Assignment(SQLModel, table=True):
    """Who has the lead or the record, from when to when, and why. At most one is open per journey."""

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)"),
        CheckConstraint(list_allowed("method", AssignmentMethod)),
        Index("one_open_assignment", "journey_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        # these are of leads alone: what counts and lists the leads of a rep reads no record
        Index("assignment_owner", "owner", "assigned_at", postgresql_where=text("kind = 'lead'")),
        # what is counted of everybody's leads: enough of each that its row, which is wide, is not read
        Index(
            "assignment_open", "owner", "due_at",
            postgresql_include=["due_soon_at", "touched_at", "journey_id"],
            postgresql_where=text("kind = 'lead' AND ended_at IS NULL"),
        ),
        # the list of leads is read in these orders
        Index(
            "assignment_waiting", "owner", text("coalesce(due_at, 'infinity')"), "id",
            postgresql_where=text("kind = 'lead' AND ended_at IS NULL AND touched_at IS NULL"),
        ),
        Index(
            "assignment_advised", "owner", text("chance DESC"), "id",
            postgresql_where=text("kind = 'lead' AND ended_at IS NULL AND touched_at IS NULL AND chance IS NOT NULL"),
        ),
        Index(
            "assignment_touched", "owner", "assigned_at", "id",
            postgresql_where=text("kind = 'lead' AND ended_at IS NULL AND touched_at IS NOT NULL"),
        ),
        Index(
            "assignment_of_records", "owner", "due_at",
            postgresql_where=text("kind <> 'lead' AND ended_at IS NULL"),
        ),
        Index("assignment_ended", "journey_id", postgresql_where=text("ended_at IS NOT NULL")),
        # a report is about some weeks, whose rows lie together: a few bytes for each megabyte say where
        Index("assignment_at", "assigned_at", postgresql_using="brin"),
    )  # fmt: skip
    id: int | None = declare_id()
    journey_id: int = declare_foreign_key("journey.id")
    kind: str = Field(  # the journey's
        default=JourneyKind.LEAD.value, sa_column_kwargs={"server_default": JourneyKind.LEAD.value}
    )
    generation: int
    owner: str = declare_staff()
    pool: str | None = None
    rule: str
    turn: bool
    candidates: list[JsonValue] = declare_json("[]")
    why: str
    # what the rule read of the lead, as it was then
    inputs: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    # of a turn: the pool's count and the owner's, before and after
    pointer: dict[str, JsonValue] | None = declare_json_or_none()
    # its lead was returned for a reason that gives the turn back
    turn_given_back: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    sla: str | None = None
    playbook_hash: str
    assigned_at: datetime = declare_moment()
    # when its SLA began, for a lead that kept the clock of another
    clock_from: datetime | None = declare_moment(nullable=True)
    due_at: datetime | None = declare_moment(nullable=True)
    due_soon_at: datetime | None = declare_moment(nullable=True)
    next_check_at: datetime | None = declare_moment(nullable=True)  # when the ladder or the SLA next asks for a look
    chance: float | None = None  # by a learned score that says in which order people work
    priority: str | None = None  # the one whose SLA it has; none: its pool's
    ladder_step: int = 0  # steps taken for the first touch; those of the other targets follow
    acceptance_step: int = declare_counter()
    next_touch_step: int = declare_counter()  # since ``last_touched_at``
    stage_step: int = declare_counter()
    touched_at: datetime | None = declare_moment(nullable=True)
    last_touched_at: datetime | None = declare_moment(nullable=True)
    stale_since: datetime | None = declare_moment(nullable=True)  # the last activity for which it was found stale
    accepted_at: datetime | None = declare_moment(nullable=True)
    ended_at: datetime | None = declare_moment(nullable=True)
    end_reason: str | None = None
    method: str = Field(
        default=AssignmentMethod.ROUTE.value, sa_column_kwargs={"server_default": AssignmentMethod.ROUTE.value}
    )


class Pause(SQLModel, table=True):
    """While a lead is waited for, its owner's clocks stand still: up to ``ended_at``, or as planned until then."""

    __tablename__ = "pause"
    __table_args__ = (
        CheckConstraint("until > started_at"),
        CheckConstraint("ended_at IS NULL OR ended_at BETWEEN started_at AND until", name="pause_ends_as_planned"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)"),
        Index("one_open_pause", "journey_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("pause_journey", "journey_id", "started_at"),
    )
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    reason: str = declare_personal()
    by: str = declare_staff()
    started_at: datetime = declare_moment()
    until: datetime = declare_moment()
    ended_at: datetime | None = declare_moment(nullable=True)
    ended_by: str | None = declare_staff(None)  # a person, ``lead``, ``leadgate``


class AbsenceOfRep(SQLModel, table=True):
    """A rep said that they are away: no lead is assigned to them meanwhile. At most one is open for each rep."""

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("until IS NULL OR until > since"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)"),
        Index("one_open_absence", "rep", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    id: int | None = declare_id()
    rep: str = declare_staff()
    since: datetime = declare_moment()
    until: datetime | None = declare_moment(nullable=True)  # none: until they say that they are back
    by: str = declare_staff()
    ended_at: datetime | None = declare_moment(nullable=True)
    ended_by: str | None = declare_staff(None)


class Missed(SQLModel, table=True):
    """A target of an SLA that was not met in time, once for each clock that ran out; ``met_at`` when it was later."""

    __tablename__ = "missed"
    __table_args__ = (Index("missed_once", "assignment_id", "target", "since", unique=True),)
    id: int | None = declare_id()
    assignment_id: int = declare_unchecked_id()
    journey_id: int = declare_unchecked_id(index=True)
    target: str
    since: datetime = declare_moment()
    due_at: datetime = declare_moment()
    noticed_at: datetime = declare_moment()
    met_at: datetime | None = declare_moment(nullable=True)


class PoolTurns(SQLModel, table=True):
    """A pool's fair turns. A turn is taken by comparing ``version``."""

    __tablename__ = "pool_state"
    pool: str = Field(primary_key=True)
    kind: str = Field(  # of the journeys whose turns these are: a record takes no lead's turn
        default=JourneyKind.LEAD.value,
        primary_key=True,
        sa_column_kwargs={"server_default": JourneyKind.LEAD.value},
    )
    state: dict[str, JsonValue] = declare_json("{}")
    version: int = 0
