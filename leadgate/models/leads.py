"""Who a lead is: the person, what they are recognised by, and what was found or said about who is the same person.

Belongs here: these tables, with the constraints that guard them. Queries are in ``ledger``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import JsonValue
from sqlalchemy import DDL, BigInteger, CheckConstraint, Column, Index, event, text
from sqlmodel import Field, SQLModel

from leadgate.lead_columns import LEAD_COLUMNS
from leadgate.models.columns import (
    APPEND_ONLY,
    COLUMN_TYPES,
    PERSONAL,
    declare_foreign_key,
    declare_id,
    declare_json,
    declare_json_or_none,
    declare_moment,
    declare_staff,
    declare_unchecked_id,
)

#: What stands between the words of a lead.
BETWEEN_WORDS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\x0b\x0c"
_SEARCHED: Final = ("first_name", "last_name", "full_name", "company", "email")
#: The words of a lead, of each value those of its first 200 characters; and the digits of its phone, from the end.
WORDS: Final = f"lead_words({', '.join(_SEARCHED)})"
PHONE_END: Final = "lead_phone_end(phone)"
_FUNCTIONS: Final = (
    f"CREATE FUNCTION lead_words({', '.join(f'{column} text' for column in _SEARCHED)}) RETURNS tsvector LANGUAGE sql "
    "IMMUTABLE PARALLEL SAFE RETURN array_to_tsvector(array_remove(string_to_array(translate(lower("
    + " || ' ' || ".join(f"left(coalesce({column}, ''), 200)" for column in _SEARCHED)
    + "), E'"
    + "".join(f"\\x{ord(sign):02x}" for sign in BETWEEN_WORDS)
    + f"', repeat(' ', {len(BETWEEN_WORDS)})), ' '), ''))",
    "CREATE FUNCTION lead_phone_end(phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE "
    "RETURN reverse(translate(phone, '+ ()./-', ''))",
)


class Lead(SQLModel, table=True):
    """The person, as known so far: a column for every standard and derived field of ``fields``."""

    __tablename__ = "lead"
    __table_args__ = (
        *(Column(name, COLUMN_TYPES[kind](), nullable=True, info=PERSONAL) for name, kind in LEAD_COLUMNS.items()),
        Index("lead_words", text(WORDS), postgresql_using="gin"),
        Index("lead_phone_end", text(PHONE_END)),
        Index("lead_rescore", "rescore_at", postgresql_where=text("rescore_at IS NOT NULL")),
        Index("lead_score_changes", "score_changes_at", postgresql_where=text("score_changes_at IS NOT NULL")),
        Index("lead_enrich", "enrich_at", postgresql_where=text("enrich_at IS NOT NULL")),
        Index("lead_recycle", "recycle_at", postgresql_where=text("recycle_at IS NOT NULL")),
    )
    # the id of the journey that first told of the person, so no second number to remember
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime = declare_moment()
    rescore_at: datetime | None = declare_moment(nullable=True)  # something new is known: score again
    # time alone changes the verdict or grade: score again
    score_changes_at: datetime | None = declare_moment(nullable=True)
    # given back or gone stale: through qualification again, then
    recycle_at: datetime | None = declare_moment(nullable=True)
    # a provider could not be asked about it: through enrichment again, then
    enrich_at: datetime | None = declare_moment(nullable=True)


class LeadIdentity(SQLModel, table=True):
    """Who a lead is: a canonical e-mail address, or a CRM's id, belongs to one lead. A phone alone is only a hint."""

    __tablename__ = "identity"
    __table_args__ = ({"info": APPEND_ONLY},)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True, sa_column_kwargs={"info": PERSONAL})
    lead_id: int = declare_foreign_key("lead.id", index=True)


class MatchKey(SQLModel, table=True):
    """Leads that may be the same person share a key (``matching.persons``): only they are compared."""

    __tablename__ = "match_key"
    __table_args__ = ({"info": APPEND_ONLY},)
    key: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    lead_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


for _function in _FUNCTIONS:
    event.listen(SQLModel.metadata, "before_create", DDL(_function))  # type: ignore[no-untyped-call]


class Lookalike(SQLModel, table=True):
    """Another lead that a held signal may be about, and what agrees (``levels``: field -> level). Append-only."""

    __tablename__ = "lookalike"
    __table_args__ = (
        Index("lookalike_once", "journey_id", "generation", "lead_id", unique=True),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    lead_id: int = declare_unchecked_id()
    score: int
    levels: dict[str, str] = declare_json("{}")
    at: datetime = declare_moment()


class LeadJoin(SQLModel, table=True):
    """A signal that turned out to be about a known lead, and why. Append-only.

    ``joined_to`` is that lead's open journey; without one, the signal's journey took the lead up again.
    ``changed`` maps a field of the lead that the signal changed to [before, after], and ``claimed`` lists the
    identities that it brought, each as [kind, value]: the way back needs them.
    """

    __tablename__ = "lead_join"
    __table_args__ = (Index("lead_join_once", "journey_id", "generation", unique=True), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    journey_id: int = declare_unchecked_id()
    generation: int
    lead_id: int = declare_unchecked_id(index=True)
    joined_to: int | None = declare_unchecked_id(nullable=True)
    because: list[str] = declare_json("[]")
    changed: dict[str, JsonValue] | None = declare_json_or_none(PERSONAL)
    claimed: list[list[str]] | None = declare_json_or_none(PERSONAL)
    at: datetime = declare_moment()


class LeadVerdict(SQLModel, table=True):
    """What a person said about two leads: the same one, or different ones. The last word counts. Append-only."""

    __tablename__ = "lead_verdict"
    __table_args__ = (
        CheckConstraint("low < high", name="verdict_in_order"),
        CheckConstraint("same = (keep IS NOT NULL)", name="verdict_keeps_one"),
        Index("lead_verdict_pair", "low", "high"),
        Index("lead_verdict_high", "high"),
        {"info": APPEND_ONLY},
    )
    id: int | None = declare_id()
    low: int = declare_unchecked_id()
    high: int = declare_unchecked_id()
    same: bool
    keep: int | None = declare_unchecked_id(nullable=True)  # where signals go that are about both
    journey_id: int = declare_unchecked_id()  # the one that was decided
    work_item_id: int | None = declare_unchecked_id(nullable=True)
    by: str = declare_staff()
    at: datetime = declare_moment()
