"""How many signals a source has sent lately, and which sources have an open work item because they sent too few.

Belongs here: these queries. Does not belong here: what is expected of a source (``playbook``), or the work item
(``tasks.quiet_sources``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

#: The reason of a work item about a source that sent fewer signals than the playbook expects.
SOURCE_QUIET: Final = "source_quiet"


def count_signals_since(connection: Connection, source: str, since: datetime) -> int:
    """Count the signals of ``source`` that were captured since then."""
    found: int = connection.execute(
        text("SELECT count(*) FROM journey WHERE captured_at >= :since AND source = :source AND trigger = 'signal'"),
        {"source": source, "since": since},
    ).scalar_one()
    return found


def find_expectation_start(connection: Connection, source: str, playbook_hash: str) -> datetime | None:
    """Find the moment from which signals of ``source`` are expected.

    That is the first use of any playbook when the source has sent a signal before, else the first use of the playbook
    ``playbook_hash``. None when that playbook was not used yet.
    """
    found: datetime | None = connection.execute(
        text(
            "SELECT min(activated_at) FROM playbook_version "
            "WHERE hash = :hash OR EXISTS (SELECT 1 FROM signal WHERE source = :source)"
        ),
        {"hash": playbook_hash, "source": source},
    ).scalar()
    return found


def list_sources_in_question(connection: Connection) -> set[str]:
    """List the sources about which a ``source_quiet`` work item is open."""
    rows = connection.execute(
        text("SELECT source FROM work_item WHERE closed_at IS NULL AND reason = :reason AND journey_id IS NULL"),
        {"reason": SOURCE_QUIET},
    )
    return {row.source for row in rows}
