"""Personal values stand in erasable columns only.

Belongs here: searching the append-only tables. Does not belong here: which column is which (``models``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.invariant import Invariant

#: An e-mail address or a phone number in E.164, as a POSIX pattern.
_PERSONAL = r"[[:alnum:]._%+-]+@[[:alnum:]-]+\.[[:alpha:]]{2,}|\+[1-9][0-9]{8,14}"
_APPEND_ONLY: Final = {
    "handoff": "coalesce(reason, '')",
    "gate_result": "evidence::text",
    "warned": "words",
    "qualification": "reasons::text || evidence::text || contributions::text || details::text",
    "assignment": "why || candidates::text || coalesce(inputs::text, '') || coalesce(end_reason, '')",
    "outbox": "key || kind || coalesce(failure, '')",
    "action": "what",
    "lookalike": "levels::text",
    "lead_join": "because::text",
    "work_item": "message",
}

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "nothing_personal_kept",
        "No personal value stands in an append-only table",
        " + ".join(f"(SELECT count(*) FROM {table})" for table in _APPEND_ONLY).join(("SELECT ", "")),
        "SELECT count(*) FROM ("
        + " UNION ALL ".join(
            f"SELECT 1 FROM {table} WHERE {column} ~ '{_PERSONAL}'" for table, column in _APPEND_ONLY.items()
        )
        + ") found",
    ),
)
