"""Two or more records side by side, with what agrees and what differs.

Belongs here: the rows of such a table. Does not belong here: comparing (``leadgate.matching``), or masking
(``console.redaction``).
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.reviews import Review


@dataclass(frozen=True)
class ComparedField:
    """A field of two or more records side by side; a cell of another one is its value with what it is to ours: same,
    similar, differs, or nothing."""

    name: str
    value: object
    others: list[tuple[object, str]]


def build_comparison(review: Review) -> list[ComparedField]:
    """The record in question beside the leads that it may be about."""
    rows = []
    for name, value in review.record.items():
        cells: list[tuple[object, str]] = [
            (other.values[name], next((each for each in other.list_levels(name) if each != "unknown"), ""))
            for other in review.others
        ]
        if value is not None or any(cell for cell, _ in cells):
            rows.append(ComparedField(name, value, cells))
    return rows
