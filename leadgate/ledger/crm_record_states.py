"""The table ``crm_record_state``: in which state each record of a CRM was read last.

Belongs here: every statement about the table. Does not belong here: what a state is, and the keys of signals
(``leadgate.mapping.crm_records``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text


class RecordState(NamedTuple):
    """A state, and how often the record has changed since it was first read."""

    state: str
    turns: int


def lock_states(connection: Connection, crm: str, records: Collection[str]) -> dict[str, RecordState]:
    """The last states of these records, those that are known, until the transaction ends."""
    rows = connection.execute(
        text(
            "SELECT record, state, turns FROM crm_record_state WHERE crm = :crm AND record = ANY(:records) "
            'ORDER BY record COLLATE "C" FOR UPDATE'
        ),
        {"crm": crm, "records": sorted(records)},
    )
    return {row.record: RecordState(row.state, row.turns) for row in rows}


def keep_states(connection: Connection, crm: str, states: Mapping[str, RecordState]) -> None:
    """These are the last states of these records."""
    if not states:
        return
    connection.execute(
        text(
            """
            INSERT INTO crm_record_state AS s (crm, record, state, turns)
            SELECT CAST(:crm AS text), n.record, n.state, n.turns
            FROM unnest(CAST(:records AS text[]), CAST(:states AS text[]), CAST(:turns AS int[]))
                AS n(record, state, turns)
            ORDER BY n.record COLLATE "C"
            ON CONFLICT (crm, record) DO UPDATE SET state = excluded.state, turns = excluded.turns
            WHERE (s.state, s.turns) IS DISTINCT FROM (excluded.state, excluded.turns)"""
        ),
        {
            "crm": crm,
            "records": list(states),
            "states": [each.state for each in states.values()],
            "turns": [each.turns for each in states.values()],
        },
    )
