"""What stages decided from, kept so that a decision can be made again.

Belongs here: this table. Does not belong here: queries (``ledger.decision_inputs``), or how the content is written
(``tasks.decision_inputs``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import DDL, Column, Index, LargeBinary, event
from sqlmodel import Field, SQLModel

from leadgate.models.columns import APPEND_ONLY, PERSONAL, declare_id, declare_moment, declare_unchecked_id

#: The content is compressed already: PostgreSQL need not try.
STORE_AS_IT_IS: Final = "ALTER TABLE decision_input ALTER COLUMN content SET STORAGE EXTERNAL"


class DecisionInput(SQLModel, table=True):
    """What a stage decided from for journeys of a batch, together: their values, and what else it read. Append-only.

    ``at`` is the time that counted as now. A batch has a row for each time that journeys of it were at the stage.
    """

    __tablename__ = "decision_input"
    __table_args__ = (Index("decision_input_at", "at", "id"), {"info": APPEND_ONLY})
    id: int | None = declare_id()
    batch_id: int = declare_unchecked_id(index=True)
    stage: str
    journeys: int
    at: datetime = declare_moment()
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False, info=PERSONAL))


event.listen(SQLModel.metadata.tables["decision_input"], "after_create", DDL(STORE_AS_IT_IS))  # type: ignore[no-untyped-call]
