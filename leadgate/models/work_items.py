"""What people must decide or do, what they did, and the breakers that park a source until somebody looks.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    PERSONAL,
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
from leadgate.vocabulary import ActionKind, WorkItemKind


class WorkItem(SQLModel, table=True):
    """Something a person must decide or do. A blocking one holds its journeys until it is closed."""

    __tablename__ = "work_item"
    __table_args__ = (
        CheckConstraint(list_allowed("kind", WorkItemKind)),
        CheckConstraint("(closed_at IS NULL) = (resolution IS NULL)"),
        Index(
            "work_item_once", "journey_id", "generation", "stage", "reason", "promise",
            unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where=text("closed_at IS NULL AND journey_id IS NOT NULL"),
        ),
        # what the queue counts: enough of each item that its row is not read
        Index(
            "work_item_open", "reason", "route", "source", "assignee", "due_at",
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("work_item_journey", "journey_id"),  # the items of a lead's story, closed ones as well
        # each stage looks for its own at each batch, among all that was ever held
        Index(
            "work_item_recovery", "stage", "journey_id",
            postgresql_where=text("kind = 'recovery' AND closed_at IS NULL"),
        ),
        Index("work_item_due", "due_at", "id", postgresql_where=text("closed_at IS NULL")),  # the order of the queue
    )  # fmt: skip
    id: int | None = declare_id()
    kind: str
    blocking: bool = True
    reason: str
    stage: str
    promise: str | None = None
    source: str | None = None
    journey_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("journey.id", use_alter=True, name="work_item_journey"), nullable=True),
    )
    batch_id: int | None = declare_unchecked_id(nullable=True)
    generation: int = 0
    message: str
    value: str | None = declare_personal(None)
    detail: str | None = declare_personal(None)
    proposal: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    note: str | None = declare_personal(None)
    route: str = declare_staff()
    assignee: str | None = declare_staff(None)
    taken_at: datetime | None = declare_moment(nullable=True)
    escalated_at: datetime | None = declare_moment(nullable=True)  # nobody took it in time
    due_at: datetime = declare_moment()
    opened_at: datetime = declare_moment()
    closed_at: datetime | None = declare_moment(nullable=True)
    closed_by: str | None = declare_staff(None)
    resolution: str | None = None
    chance: float | None = None  # of its lead, by a learned score that says in which order people work


class Correction(SQLModel, table=True):
    """A value that a person set on a rerun. It wins over the signal's."""

    __tablename__ = "correction"
    __table_args__ = ({"info": APPEND_ONLY},)
    id: int | None = declare_id()
    journey_id: int = declare_foreign_key("journey.id", index=True)
    generation: int
    field: str
    value: str | None = declare_personal(None)
    by: str = declare_staff()
    at: datetime = declare_moment()


class Action(SQLModel, table=True):
    """What a person did to a journey: rerun, done by hand, accept, reject, reassign, unjoin, undo … Append-only.

    ``by`` is who did it, and ``acted_for`` the rep or manager for whom they did. ``note`` is the reason in the person's
    own words, which may name the lead. What one command did to several journeys has one ``number``, such as A12, and is
    undone together; ``undoes`` is the number of what an undo has undone. ``version`` is the journey's after the action:
    while it stands, nothing else has happened. ``activity_id`` is the activity that a touch logged.
    """

    __tablename__ = "action"
    __table_args__ = (
        CheckConstraint(list_allowed("what", ActionKind)),
        Index("action_number", "number"),
        Index("action_undone", "undoes", postgresql_where=text("undoes IS NOT NULL")),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    journey_id: int = declare_foreign_key("journey.id", index=True)
    work_item_id: int | None = declare_foreign_key("work_item.id", nullable=True)
    generation: int
    what: str
    by: str = declare_staff()
    acted_for: str | None = declare_staff(None)
    at: datetime = declare_moment()
    note: str | None = declare_personal(None)
    version: int | None = None  # none: from before actions could be undone
    number: int | None = declare_unchecked_id(nullable=True)  # drawn from the sequence of ids
    undoes: int | None = declare_unchecked_id(nullable=True)
    activity_id: int | None = declare_unchecked_id(nullable=True)


class BreakerRow(SQLModel, table=True):
    """The breakers of one source at one gate: ``state`` maps each promise to its breaker."""

    __tablename__ = "breaker"
    source: str = Field(primary_key=True)
    gate: str = Field(primary_key=True)
    state: dict[str, JsonValue] = declare_json("{}")
    work_item_id: int | None = declare_foreign_key("work_item.id", nullable=True)
