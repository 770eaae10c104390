"""Drafts of playbooks that decide beside the one in use, and what they would have decided.

Belongs here: these tables. Does not belong here: queries (``ledger.shadows``).
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import ARRAY, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    STAFF,
    declare_counter,
    declare_foreign_key,
    declare_id,
    declare_json,
    declare_json_or_none,
    declare_moment,
    declare_staff,
    declare_unchecked_id,
)


class Shadow(SQLModel, table=True):
    """A draft that decides beside the playbook in use from ``started_at`` on, without any effect. One at a time.

    Every batch up to ``position`` is done with; of those after it, ``shadow_pass`` says which are. ``passes`` counts
    these rows, so that of two passes at once one is kept. ``pools``: the turns of pools that only the draft has.
    ``part``: how far a large batch is decided. ``problem``: why it could not decide last, until it does again.
    ``forgotten``: rows of ``shadow_journey`` that are deleted because they were too old.
    """

    __tablename__ = "shadow"
    __table_args__ = (
        Index("shadow_one", text("(stopped_at IS NULL)"), unique=True, postgresql_where=text("stopped_at IS NULL")),
    )
    id: int | None = declare_id()
    playbook_hash: str
    content: str
    started_at: datetime = declare_moment()
    started_by: str = declare_staff()
    reason: str
    stopped_at: datetime | None = declare_moment(nullable=True)
    stopped_by: str | None = declare_staff(None)
    stop_reason: str | None = None
    position: int = declare_unchecked_id()
    passes: int
    pools: dict[str, JsonValue] = declare_json("{}")
    part: dict[str, JsonValue] | None = declare_json_or_none(info=STAFF)
    problem: str | None = declare_staff(None)
    problem_at: datetime | None = declare_moment(nullable=True)
    forgotten: int = declare_counter()


class ShadowPass(SQLModel, table=True):
    """The decisions of these ``batches`` were made again, together. Append-only. The passes over a part of a large
    batch name no batch, but for the last one; ``last_batch`` is that batch.

    ``different``: decisions that came out otherwise under the playbook that made them; some are named in
    ``differences``. ``at`` is PostgreSQL's clock.
    """

    __tablename__ = "shadow_pass"
    __table_args__ = (Index("shadow_pass_of", "shadow_id", "id"), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    shadow_id: int = declare_foreign_key("shadow.id")
    at: datetime = declare_moment()
    batches: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    last_batch: int = declare_unchecked_id()
    decisions: int
    facts: int
    different: int
    unreadable: int
    seconds: float
    differences: list[JsonValue] = declare_json("[]")


class ShadowJourney(SQLModel, table=True):
    """Where a journey ends by the last pass that it was in: ``kind`` says how it differs, and is empty where it does
    not. ``before`` and ``after`` are kept of those that differ; they have owners, and no value of a lead."""

    __tablename__ = "shadow_journey"
    __table_args__ = (Index("shadow_journey_at", "at"),)
    shadow_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    journey_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str | None = None
    owned_both: bool
    other_owner: bool
    uncertain: bool
    at: datetime = declare_moment()
    before: dict[str, JsonValue] | None = declare_json_or_none(info=STAFF)
    after: dict[str, JsonValue] | None = declare_json_or_none(info=STAFF)
