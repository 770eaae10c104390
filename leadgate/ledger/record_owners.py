"""Who has had a record, in all of its journeys, and who is not to have it again.

Belongs here: this question. Does not belong here: who gets the record (``tasks.records.assignment``), or writing
assignments (``assignments``).

What a person decides about the owner holds against the updates that follow: they name the owner of the CRM still. Once
an update tells another owner, that one counts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.vocabulary import BY_A_PERSON, EndReason


@dataclass(frozen=True, slots=True)
class PastOwners:
    """``last``: whoever had the record last and has not lost it; ``knows``: unless it was deleted since. ``lost``: who
    gave it back, or lost it by a person's word, since an update last told another owner. ``tried``: who had it in this
    journey before."""

    last: str | None = None
    knows: bool = False
    lost: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()

    def choose_owner(self, named: str | None) -> str | None:
        """The rep whom the update names, unless they have lost the record; else whoever had it last."""
        return named if named is not None and named not in self.lost else self.last


#: How an assignment ends by a person's word.
_LOST: Final = f"^({'|'.join((EndReason.REJECTED, *BY_A_PERSON))})"
#: Of each journey of a batch, the last assignment of each rep who ever had its record. When an update told another
#: owner last is asked of those alone who lost the record.
_PAST: Final = f"""
    WITH mine AS MATERIALIZED (SELECT id, record_id FROM journey WHERE batch_id = :batch AND record_id IS NOT NULL),
    had AS (
        SELECT DISTINCT ON (m.id, a.owner) m.id, m.record_id, a.id AS assignment_id, a.owner, a.journey_id, a.ended_at,
            a.end_reason, coalesce(a.end_reason <> ALL(:returnable), true) AS may_not
        FROM mine m JOIN journey e ON e.record_id = m.record_id
        JOIN assignment a ON a.journey_id = e.id AND {ENDED_OR_NOT}
        ORDER BY m.id, a.owner, a.id DESC)
    SELECT h.id, h.owner, h.journey_id = h.id AND h.ended_at IS NOT NULL AND h.may_not AS tried,
        h.end_reason IS DISTINCT FROM '{EndReason.DELETED}' AS knows,
        CASE WHEN h.may_not AND h.end_reason ~ '{_LOST}' THEN h.ended_at >= coalesce((
            SELECT max(v.stored_at) FROM record_version v WHERE v.record_id = h.record_id AND NOT v.late
                AND (v.changes -> 'owner') IS NOT NULL), '-infinity') ELSE false END AS lost
    FROM had h ORDER BY h.id, h.assignment_id"""


def find_past_owners(connection: Connection, batch_id: int, returnable: Sequence[str] = ()) -> dict[int, PastOwners]:
    """Who had the record of each journey of a batch; journeys whose record nobody had are left out. After an assignment
    that ended for a reason in ``returnable``, the rep may have the record again."""
    found: dict[int, PastOwners] = {}
    for row in connection.execute(text(_PAST), {"batch": batch_id, "returnable": list(returnable)}):
        past = found.get(row.id, PastOwners())
        found[row.id] = PastOwners(
            past.last if row.lost else row.owner,
            past.knows if row.lost else row.knows,
            past.lost | {row.owner} if row.lost else past.lost,
            past.tried | {row.owner} if row.tried else past.tried,
        )
    return found
