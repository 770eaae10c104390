"""The messages that an owner gets when a lead or a record becomes theirs, and when they lose it by a person's word.

Belongs here: their kinds and keys, in Python and in SQL, so that a message is found by the key that it was sent under.
Does not belong here: sending (``outbox.send``), or what a message says (``tasks.message_texts``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from leadgate.vocabulary import JourneyKind, MessageKind

if TYPE_CHECKING:
    import pandas as pd


#: How the key of such a message begins.
_PREFIX: Final = {
    MessageKind.LEAD_ASSIGNED: "assigned",
    MessageKind.RECORD_ASSIGNED: "assigned",  # an owner is told once of each assignment, of whatever it is
    MessageKind.LEAD_HANDED_OVER: MessageKind.LEAD_HANDED_OVER.value,
}
#: The message that tells an owner of an assignment, by what it is about.
ASSIGNED: Final = dict.fromkeys(JourneyKind, MessageKind.RECORD_ASSIGNED) | {
    JourneyKind.LEAD: MessageKind.LEAD_ASSIGNED
}


def build(kind: MessageKind, rows: Iterable[tuple[int, int, str]]) -> pd.DataFrame:
    """Messages of ``kind`` for the outbox, a row for each journey, generation of the assignment, and owner."""
    import pandas as pd

    messages = [
        (f"{_PREFIX[kind]}:{journey}:{generation}", journey, owner, kind) for journey, generation, owner in rows
    ]
    return pd.DataFrame(messages, columns=["key", "journey_id", "target", "kind"])


def build_assigned(rows: Iterable[tuple[JourneyKind, int, int, str]]) -> pd.DataFrame:
    """As ``build``, of assignments, a row for each kind of journey, journey, generation and owner."""
    import pandas as pd

    by_kind: dict[MessageKind, list[tuple[int, int, str]]] = {}
    for about, journey, generation, owner in rows:
        by_kind.setdefault(ASSIGNED[JourneyKind(about)], []).append((journey, generation, owner))
    found = [build(kind, of_kind) for kind, of_kind in by_kind.items()]
    return pd.concat(found, ignore_index=True) if found else build(MessageKind.LEAD_ASSIGNED, ())


def build_sql_key(kind: MessageKind, journey: str, generation: str) -> str:
    """The same key as an SQL expression; ``journey`` and ``generation`` are columns."""
    return f"'{_PREFIX[kind]}:' || {journey} || ':' || {generation}"
