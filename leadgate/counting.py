"""A number with its noun, in the singular or the plural.

Belongs here: that choice alone. Does not belong here: sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leadgate.vocabulary import JourneyKind


def format_count(count: int, one: str, many: str) -> str:
    """``count`` with the words that fit it.

    >>> format_count(1, "journey", "journeys"), format_count(1_200, "journey waits", "journeys wait")
    ('1 journey', '1,200 journeys wait')
    """
    return f"{count:,} {one if count == 1 else many}"


def count_kinds(kinds: Iterable[JourneyKind]) -> str:
    """How many leads there are, and how many records of each kind.

    >>> count_kinds([JourneyKind.LEAD, JourneyKind.OPPORTUNITY, JourneyKind.OPPORTUNITY]), count_kinds([])
    ('1 lead and 2 opportunities', '0 leads')
    """
    counts = Counter(kinds)
    found = [format_count(counts[kind], kind.value, kind.plural) for kind in JourneyKind if counts[kind]]
    if not found:
        return format_count(0, JourneyKind.LEAD.value, JourneyKind.LEAD.plural)
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
