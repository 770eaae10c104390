"""Scores that were learned, and which of them is in force.

Belongs here: the columns of these tables. Does not belong here: queries (``ledger.score_models``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, Column, Index, Interval
from sqlmodel import Field, SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_foreign_key,
    declare_id,
    declare_json,
    declare_moment,
    declare_staff,
    list_allowed,
)
from leadgate.vocabulary import LearnedRole


class ScoreModel(SQLModel, table=True):
    """A score that was learned: from which leads, how good it was on later ones, and its weights or trees.

    ``periods`` are the three parts of the leads in time, ``quality`` the measures of the latest, ``counts`` how many
    leads were scored, followed up and not yet ripe. ``parameters`` are those of ``leadgate.learning.scorer``; words of
    fields that are in it were had by many leads each.
    """

    __tablename__ = "score_model"
    __table_args__ = (Index("score_model_once", "data_hash", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    trained_at: datetime = declare_moment()
    by: str = declare_staff()
    playbook_hash: str
    data_hash: str  # of the leads, and of everything else that was learned by
    label: str
    horizon: timedelta = Field(sa_column=Column(Interval, nullable=False))
    counts: dict[str, JsonValue] = declare_json("{}")
    periods: dict[str, JsonValue] = declare_json("{}")
    quality: dict[str, JsonValue] = declare_json("{}")
    parameters: dict[str, JsonValue] = declare_json("{}")


class ScoreRole(SQLModel, table=True):
    """A learned score came into force, in a role. The last row says which one is, and what it may do at most."""

    __tablename__ = "score_role"
    __table_args__ = (CheckConstraint(list_allowed("role", LearnedRole)), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    model_id: int = declare_foreign_key("score_model.id")
    role: str
    reason: str
    by: str = declare_staff()
    at: datetime = declare_moment()
