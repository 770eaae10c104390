"""The messages that an owner gets when a lead becomes theirs, and when they lose it by a person's word.

Belongs here: their kinds and keys, in Python and in SQL, so that a message is found by the key that it was sent under.
Does not belong here: sending (``outbox.send``), or what a message says (``tasks.message_texts``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from leadgate.vocabulary import MessageKind

if TYPE_CHECKING:
    import pandas as pd


#: How the key of such a message begins.
_PREFIX: Final = {
    MessageKind.LEAD_ASSIGNED: "assigned",
    MessageKind.RECORD_ASSIGNED: "assigned",  # an owner is told once of each assignment, of whatever it is
    MessageKind.LEAD_HANDED_OVER: MessageKind.LEAD_HANDED_OVER.value,
}


def build(kind: MessageKind, rows: Iterable[tuple[int, int, str]]) -> pd.DataFrame:
    """Messages of ``kind`` for the outbox, a row for each journey, generation of the assignment, and owner."""
    import pandas as pd

    messages = [
        (f"{_PREFIX[kind]}:{journey}:{generation}", journey, owner, kind) for journey, generation, owner in rows
    ]
    return pd.DataFrame(messages, columns=["key", "journey_id", "target", "kind"])


def build_sql_key(kind: MessageKind, journey: str, generation: str) -> str:
    """The same key as an SQL expression; ``journey`` and ``generation`` are columns."""
    return f"'{_PREFIX[kind]}:' || {journey} || ':' || {generation}"
