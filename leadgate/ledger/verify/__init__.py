"""The ledger's invariants as SQL, a file for each subject, and its canonical projection.

Belongs here: checking all of them on one picture of the ledger. A new invariant goes to the file of its subject.
Does not belong here: repairing anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from leadgate.ledger.concurrent_reads import read_concurrently
from leadgate.ledger.database import Ledger
from leadgate.ledger.verify import (
    clocks,
    crm,
    decisions,
    follow_up,
    journeys,
    paths,
    personal_values,
    persons,
    records,
    shadows,
    versions,
)
from leadgate.ledger.verify.invariant import Counted, Finding, Invariant, Tally
from leadgate.ledger.verify.projection import read_projection

__all__ = ["INVARIANTS", "Finding", "Invariant", "count", "read_projection", "verify"]

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *journeys.INVARIANTS,
    *paths.INVARIANTS,
    *persons.INVARIANTS,
    *decisions.INVARIANTS,
    *follow_up.INVARIANTS,
    *clocks.INVARIANTS,
    *crm.INVARIANTS,
    *records.INVARIANTS,
    *versions.INVARIANTS,
    *shadows.INVARIANTS,
    *personal_values.INVARIANTS,
)


def verify(ledger: Ledger, *, whole: bool = False) -> list[Finding]:
    """Check every invariant on one consistent picture of the ledger.

    ``whole``: the personal values of all leads are looked for, not only those of the latest (``personal_values``).
    """
    # those about personal values take longest, and are the last
    pieces = [piece for each in reversed(INVARIANTS) for piece in (*each.breaks, *each.checks)]
    reads: list[Callable[[Connection], dict[str | Tally, int]]] = []
    reads += [partial(_count_in_one_pass, pieces=together) for together in _group_tallies(pieces)]
    if whole:
        reads.insert(0, _count_older_values)
    found: Counter[str | Tally] = Counter()
    for counts in read_concurrently(ledger, reads):
        found.update(counts)
    return [
        Finding(each.name, each.words, sum(found[one] for one in each.checks), sum(found[one] for one in each.breaks))
        for each in INVARIANTS
    ]


def count(connection: Connection, counted: Counted) -> int:
    """What the pieces of one invariant count, all together."""
    return sum(sum(_count_in_one_pass(connection, together).values()) for together in _group_tallies(counted))


def _group_tallies(pieces: Iterable[str | Tally]) -> list[list[str | Tally]]:
    """The tallies of the same rows, and each statement alone; each of them once."""
    found: dict[str, list[str | Tally]] = {}
    for piece in dict.fromkeys(pieces):
        found.setdefault(piece if isinstance(piece, str) else piece.rows, []).append(piece)
    return list(found.values())


def _count_in_one_pass(connection: Connection, pieces: Sequence[str | Tally]) -> dict[str | Tally, int]:
    """What tallies of the same rows count, or one statement."""
    tallies = [piece for piece in pieces if isinstance(piece, Tally)]
    query = (
        f"SELECT {', '.join(each.aggregate for each in tallies)} FROM {tallies[0].rows}" if tallies else str(pieces[0])
    )
    # a colon of a cast or a pattern is no parameter: the driver gets the text as it is
    row = connection.exec_driver_sql(query.replace("%", "%%")).one()
    return dict(zip(pieces, map(int, row), strict=True))


def _count_older_values(connection: Connection) -> dict[str | Tally, int]:
    windows = [personal_values.build_kept_query(leads) for leads in personal_values.list_windows(connection)]
    return {personal_values.VALUES_KEPT: sum(count(connection, (window,)) for window in windows)}
