"""The messages that an owner gets when a lead becomes theirs, and when they lose it by a person's word.

Belongs here: their kinds and keys, in Python and in SQL, so that a message is found by the key that it was sent under.
Does not belong here: sending (``outbox.send``), or what a message says (``tasks.delivery``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd


LEAD_ASSIGNED: Final = "lead_assigned"
HANDED_OVER: Final = "lead_handed_over"
_PREFIX: Final = {LEAD_ASSIGNED: "assigned", HANDED_OVER: HANDED_OVER}


def build(kind: str, rows: Iterable[tuple[int, int, str]]) -> pd.DataFrame:
    """Messages of ``kind`` for the outbox, a row for each journey, generation of the assignment, and owner."""
    import pandas as pd

    messages = [
        (f"{_PREFIX[kind]}:{journey}:{generation}", journey, owner, kind) for journey, generation, owner in rows
    ]
    return pd.DataFrame(messages, columns=["key", "journey_id", "target", "kind"])


def build_sql_key(kind: str, journey: str, generation: str) -> str:
    """The same key as an SQL expression; ``journey`` and ``generation`` are columns."""
    return f"'{_PREFIX[kind]}:' || {journey} || ':' || {generation}"
