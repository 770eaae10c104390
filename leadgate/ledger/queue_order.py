"""The order of open work items: by due time, or by the chance that a learned score gave their leads.

Belongs here: both orders in SQL, and the place of an item in them. Does not belong here: the list (``reports``), or
whether a score says the order (``tasks.advice``).

What is overdue comes first whatever its chance: a promise to a person goes before a guess about a lead.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

#: The parts of the list by chance: what is overdue, what has a chance, and the rest.
_OVERDUE, _WITH_CHANCE, _REST = range(3)
_PART = (
    f"CASE WHEN w.due_at <= :by_chance_at THEN {_OVERDUE} WHEN w.chance IS NOT NULL THEN {_WITH_CHANCE} "
    f"ELSE {_REST} END"
)
_RANK = f"{_PART}, CASE WHEN w.due_at > :by_chance_at THEN -coalesce(w.chance, 0) ELSE 0 END"


class Place(NamedTuple):
    """Where an item stands: ``part`` and ``rank`` are 0 in the order of due times."""

    due_at: datetime
    id: int
    part: int = 0
    rank: float = 0.0


def find_place(item_id: int, due_at: datetime, chance: float | None, by_chance_at: datetime | None) -> Place:
    """Where this item stands, in the order as of ``by_chance_at``; None is the order of due times."""
    if by_chance_at is None or due_at <= by_chance_at:
        return Place(due_at, item_id)
    return Place(due_at, item_id, _REST) if chance is None else Place(due_at, item_id, _WITH_CHANCE, -chance)


def build_order(by_chance_at: datetime | None) -> str:
    """The terms of ORDER BY over ``work_item w``."""
    return "w.due_at, w.id" if by_chance_at is None else f"{_RANK}, w.due_at, w.id"


def build_after(by_chance_at: datetime | None) -> str:
    """The condition of being behind a ``Place``."""
    if by_chance_at is None:
        return "(w.due_at, w.id) > (:after_due, :after_id)"
    return (
        f"({_RANK}, w.due_at, w.id) > "
        "(:after_part, CAST(:after_rank AS double precision), CAST(:after_due AS timestamptz), :after_id)"
    )
