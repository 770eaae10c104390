"""The ledger's invariants as SQL, a file for each subject, and its canonical projection.

Belongs here: checking all of them on one picture of the ledger. A new invariant goes to the file of its subject.
Does not belong here: repairing anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

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
    with ledger.picture() as connection:
        findings = [
            Finding(i.name, i.words, _count(connection, i.checked), _count(connection, i.broken)) for i in INVARIANTS
        ]
        if whole:
            older = sum(
                _count(connection, personal_values.values_kept(leads)) for leads in personal_values.windows(connection)
            )
            findings = [
                replace(each, broken=each.broken + older) if each.name == "nothing_personal_kept" else each
                for each in findings
            ]
        return findings


def _count(connection: Connection, query: str) -> int:
    # a colon of a cast or a pattern is no parameter: the driver gets the text as it is
    return int(connection.exec_driver_sql(query.replace("%", "%%")).scalar_one())
