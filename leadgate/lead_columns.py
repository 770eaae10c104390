"""The columns of the table ``lead`` with their PostgreSQL types.

Belongs here: what queries compose their lists of columns from. Does not belong here: the table itself (``models``).
"""

from __future__ import annotations

from typing import Final

from leadgate.fields import ENRICHED, STANDARD, VALIDATED, FieldType

_SQL_TYPES: Final[dict[FieldType, str]] = {
    "text": "text",
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
#: In the order of the stages that fill them.
LEAD_COLUMNS: Final[dict[str, str]] = {
    name: _SQL_TYPES[kind] for name, kind in {**STANDARD, **VALIDATED, **ENRICHED}.items()
} | {
    "custom": "jsonb",
    "attributes": "jsonb",
    "provenance": "jsonb",
    "account_candidates": "jsonb",
    "not_enriched": "jsonb",
}
