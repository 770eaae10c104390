"""A filter for statements over all waiting rows: it skips the rows that make a statement fail, or selects a few rows.

Belongs here: this one condition. Does not belong here: finding the rows that fail (``tasks.claiming``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class RowFilter:
    """Selects the rows of a statement: all except ``without``, or only those in ``among``."""

    without: frozenset[int] = frozenset()
    among: tuple[int, ...] | None = None

    @staticmethod
    def build_sql(column: str) -> str:
        """The SQL condition on ``column``; its parameters are ``parameters``."""
        return (
            f"NOT {column} = ANY(CAST(:without AS bigint[])) "
            f"AND (CAST(:among AS bigint[]) IS NULL OR {column} = ANY(CAST(:among AS bigint[])))"
        )

    @property
    def parameters(self) -> dict[str, list[int] | None]:
        return {"without": sorted(self.without), "among": None if self.among is None else list(self.among)}


ALL: Final = RowFilter()
