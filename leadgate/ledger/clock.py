"""What time it is: PostgreSQL's clock, read by code that is about to write a time or to compare one.

Belongs here: reading that clock, and how far this host's is off. Does not belong here: deciding by a time (the pure
packages get ``now`` as an argument).

The hosts that work on one ledger have clocks of their own, and one that is wrong must change nothing: a moment that
one host writes, others compare. ``as_of`` replaces the clock for trying things out ("as of next Monday").
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger


def read_time(connection: Connection, as_of: datetime | None = None) -> datetime:
    """PostgreSQL's time, or ``as_of``. Read it once for what belongs together, such as a batch.

    ``clock_timestamp()``, by which leases run as well, not ``now()``: that is when the transaction began, and
    a transaction may have waited for a lock before it asks.
    """
    if as_of is not None:
        return as_of
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def ask_time(ledger: Ledger, as_of: datetime | None = None) -> datetime:
    """The same for a caller that has no transaction open. With ``as_of`` PostgreSQL is not asked."""
    if as_of is not None:
        return as_of
    with ledger.statement() as connection:
        return read_time(connection)
