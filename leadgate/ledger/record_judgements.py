"""The table ``record_judgement``: what qualification made of each update of a record. Append-only.

Belongs here: every statement that writes the table. Does not belong here: the judgement (``leadgate.records``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: Final = [
    "journey_id", "generation", "record_id", "outcome", "reason", "facts", "playbook_hash", "at",
]  # fmt: skip


def insert_judgements(connection: Connection, frame: pd.DataFrame) -> None:
    """A judgement of each journey and generation; ``facts`` is JSON text."""
    failpoint("apply.judgements.before")
    bulk.copy(connection, "record_judgement", _COLUMNS, frame)
    failpoint("apply.judgements.after")
