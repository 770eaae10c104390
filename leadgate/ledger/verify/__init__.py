"""The ledger's invariants as SQL, a file for each subject, and its canonical projection.

Belongs here: checking all of them on one picture of the ledger. A new invariant goes to the file of its subject.
Does not belong here: repairing anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.concurrent_reads import read_concurrently
from leadgate.ledger.database import Ledger
from leadgate.ledger.verify import clocks, decisions, follow_up, journeys, personal_values, persons, records
from leadgate.ledger.verify.invariant import Finding, Invariant
from leadgate.ledger.verify.projection import projection

__all__ = ["INVARIANTS", "Finding", "Invariant", "projection", "verify"]

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *journeys.INVARIANTS,
    *persons.INVARIANTS,
    *decisions.INVARIANTS,
    *follow_up.INVARIANTS,
    *clocks.INVARIANTS,
    *records.INVARIANTS,
    *personal_values.INVARIANTS,
)


def verify(ledger: Ledger, *, whole: bool = False) -> list[Finding]:
    """Check every invariant on one consistent picture of the ledger.

    ``whole``: the personal values of all leads are looked for, not only those of the latest (``personal_values``).
    """
    # those about personal values take longest, and are the last
    queries = [query for invariant in reversed(INVARIANTS) for query in (invariant.broken, invariant.checked)]
    reads: list[Callable[[Connection], int]] = [partial(_count, query=query) for query in queries]
    if whole:
        reads.insert(0, _count_older_values)
    counts = read_concurrently(ledger, reads)
    older = counts.pop(0) if whole else 0
    found = dict(zip(queries, counts, strict=True))
    found[personal_values.KEPT.broken] += older
    return [Finding(each.name, each.words, found[each.checked], found[each.broken]) for each in INVARIANTS]


def _count_older_values(connection: Connection) -> int:
    return sum(_count(connection, personal_values.values_kept(leads)) for leads in personal_values.windows(connection))


def _count(connection: Connection, query: str) -> int:
    # a colon of a cast or a pattern is no parameter: the driver gets the text as it is
    return int(connection.exec_driver_sql(query.replace("%", "%%")).scalar_one())
