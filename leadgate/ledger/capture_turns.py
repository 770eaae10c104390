"""What signals and activities have in common when they come in: turns of captures, senders, and answers in order.

Belongs here: these statements, none of which writes a table. Does not belong here: storing (``signals``,
``activities``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, text

from leadgate.ledger.consumers import CHANNEL
from leadgate.ledger.requests import Sender


class Stored(NamedTuple):
    """A captured row in the ledger: its id, and whether it was stored now or known before."""

    id: int
    new: bool


#: What is kept of its sender with each row, in the order of ``Sender`` without its source.
SENT: Final = ("client_address", "request_id", "request_hash")


def build_sender_parameters(senders: Sequence[Sender]) -> dict[str, list[str | None]]:
    return {name: [each[at] for each in senders] for at, name in enumerate(SENT, start=1)}


def answer_in_order(keys: Sequence[tuple[str, str]], found: Iterable[Row[tuple[int, str, str, bool]]]) -> list[Stored]:
    """What was found of each key. The known half of the query sees the ledger as it was before the insert."""
    known = {(row.source, row.key): Stored(row.id, row.new) for row in found}
    answers = []
    for key in keys:
        answers.append(known[key])
        known[key] = Stored(known[key].id, False)
    return answers


def wait_for_turn(connection: Connection, source: str) -> None:
    """Two captures of overlapping files would insert the same keys in another order, and deadlock."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:source, 0))"), {"source": source})


def wait_for_turns(connection: Connection, sources: Collection[str]) -> datetime:
    """The same for several sources, in an order that is everybody's. The statement after it sees what others stored.

    Returns the ledger's time once it is their turn: what is stored then is not dated earlier than what was there.
    """
    turns = (
        "SELECT pg_advisory_xact_lock(hashtextextended(source, 0)), clock_timestamp() "
        "FROM unnest(CAST(:sources AS text[])) source"
    )
    moment: datetime = connection.execute(text(turns), {"sources": sorted(sources)}).all()[-1][1]
    return moment


def notify_consumers(connection: Connection) -> None:
    """Wakes the consumers, once this transaction is committed."""
    connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
