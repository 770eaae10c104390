"""Which rows a statement over everything that waits looks at, when some of these rows make it fail.

Belongs here: this one condition. Does not belong here: finding out which rows make it fail (``tasks.claiming``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Only:
    """Which rows a statement looks at: all but ``without``, or ``among`` these alone."""

    without: frozenset[int] = frozenset()
    among: tuple[int, ...] | None = None

    @staticmethod
    def build_sql(column: str) -> str:
        """SQL, with the parameters of ``parameters``."""
        return (
            f"NOT {column} = ANY(CAST(:without AS bigint[])) "
            f"AND (CAST(:among AS bigint[]) IS NULL OR {column} = ANY(CAST(:among AS bigint[])))"
        )

    @property
    def parameters(self) -> dict[str, list[int] | None]:
        return {"without": sorted(self.without), "among": None if self.among is None else list(self.among)}


ALL: Final = Only()
