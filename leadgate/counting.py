"""A number with its noun, in the singular or the plural.

Belongs here: that choice alone. Does not belong here: sentences.
"""

from __future__ import annotations


def format_count(count: int, one: str, many: str) -> str:
    """``count`` with the words that fit it.

    >>> format_count(1, "journey", "journeys"), format_count(1_200, "journey waits", "journeys wait")
    ('1 journey', '1,200 journeys wait')
    """
    return f"{count:,} {one if count == 1 else many}"
