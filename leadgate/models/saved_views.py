"""Views of the report that people have saved, and what became of the e-mails of those that have a schedule.

Belongs here: these tables, with the constraints that guard them. Does not belong here: queries (``ledger.saved_views``,
``ledger.report_mails``), or when an e-mail is due (``leadgate.report_schedule``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import SQLModel

from leadgate.models.columns import (
    APPEND_ONLY,
    declare_foreign_key,
    declare_id,
    declare_moment,
    declare_staff,
    list_allowed,
)
from leadgate.vocabulary import ReportMailStep, ViewSchedule


class SavedViewRow(SQLModel, table=True):
    """A view of the report that somebody has saved under a name; without ``every`` it has no e-mail.

    E-mails are due from ``due_from`` on: what was due before the view was made, changed or resumed is not sent.
    """

    __tablename__ = "saved_view"
    __table_args__ = (
        CheckConstraint(list_allowed("every", ViewSchedule)),
        CheckConstraint("every IS NULL OR (minute BETWEEN 0 AND 1439 AND time_zone IS NOT NULL)"),
        CheckConstraint("every <> 'weekly' OR weekday BETWEEN 0 AND 6"),
        CheckConstraint("every <> 'monthly' OR day BETWEEN 1 AND 31"),
        Index(
            "saved_view_name", "account_id", text("lower(name)"), unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )  # fmt: skip
    id: int | None = declare_id()
    account_id: int = declare_foreign_key("account.id")
    name: str = declare_staff()
    section: str
    period: str  # relative to the day on which it is looked at: ``leadgate.report_periods``
    source: str
    rep: str = declare_staff()
    zone: str  # whose days the figures are of; empty: as the report chooses
    every: str | None = None
    weekday: int | None = None
    day: int | None = None
    minute: int | None = None  # of the local day
    time_zone: str | None = None
    due_from: datetime = declare_moment()
    created_at: datetime = declare_moment()
    paused_at: datetime | None = declare_moment(nullable=True)
    deleted_at: datetime | None = declare_moment(nullable=True)


class ReportMail(SQLModel, table=True):
    """A step of an e-mail of a saved view: asked for by a person, claimed, sent, failed … Append-only.

    ``attempt`` counts the claims of the e-mail of a due moment, ``tries`` those since a person last asked for it.
    """

    __tablename__ = "report_mail"
    __table_args__ = (
        CheckConstraint(list_allowed("step", ReportMailStep)),
        Index("report_mail_step", "view_id", "due_at", "attempt", "step", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    view_id: int = declare_foreign_key("saved_view.id")
    due_at: datetime = declare_moment()
    attempt: int
    tries: int
    step: str
    at: datetime = declare_moment()
    retry_at: datetime | None = declare_moment(nullable=True)  # of a claim: the end of its lease
    failure: str | None = None  # without the address
