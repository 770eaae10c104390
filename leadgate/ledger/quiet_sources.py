"""How much came from a source lately, and which sources somebody is asked about because too little did.

Belongs here: these queries. Does not belong here: what is expected of a source (``playbook``), or the work item
(``tasks.quiet_sources``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

#: The reason of a work item about a source of which less came than the playbook expects.
SOURCE_QUIET: Final = "source_quiet"


def count_signals_since(connection: Connection, source: str, since: datetime) -> int:
    """How many signals of ``source`` came in since then."""
    found: int = connection.execute(
        text("SELECT count(*) FROM journey WHERE captured_at >= :since AND source = :source AND trigger = 'signal'"),
        {"source": source, "since": since},
    ).scalar_one()
    return found


def find_expected_since(connection: Connection, source: str, playbook_hash: str) -> datetime | None:
    """Since when signals of ``source`` may be expected: since a playbook was first used; of a source that has sent
    none yet, since this one was. None when it was not used yet."""
    found: datetime | None = connection.execute(
        text(
            "SELECT min(activated_at) FROM playbook_version "
            "WHERE hash = :hash OR EXISTS (SELECT 1 FROM signal WHERE source = :source)"
        ),
        {"hash": playbook_hash, "source": source},
    ).scalar()
    return found


def list_asked_about(connection: Connection) -> set[str]:
    """The sources with an open work item about their being quiet."""
    rows = connection.execute(
        text("SELECT source FROM work_item WHERE closed_at IS NULL AND reason = :reason AND journey_id IS NULL"),
        {"reason": SOURCE_QUIET},
    )
    return {row.source for row in rows}
