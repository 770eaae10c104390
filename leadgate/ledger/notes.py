"""Notes: what somebody writes about a lead in their own words, kept with it.

Belongs here: who may write one, and keeping it. Does not belong here: the table (``actions``), or showing a note (the
console).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.ledger.actions import ActionError, record
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys.locking import lock_journey
from leadgate.permissions import Permission
from leadgate.plain_text import make_storable
from leadgate.vocabulary import ActionKind

LONGEST: Final = 2_000  # characters
#: Within this time the same words of the same person are one note: a form that was sent twice.
_ONCE_WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Written:
    """Whether a note is ``new``, and its number as an action: of one that is known already, the number it has."""

    new: bool
    action: int


def write_note(ledger: Ledger, journey_id: int, words: str, *, by: Actor, now: datetime) -> Written:
    """Keep ``words`` with the lead. The same again, soon after, is no second note.

    Raises ``ActionError`` for no words, too many, or no such journey, and ``ActorError`` when ``by`` may not.
    """
    words = _clean(words)
    with ledger.transaction() as connection:
        journey = lock_journey(connection, journey_id)
        if journey is None:
            raise ActionError(f"there is no journey J{journey_id}")
        require(by, Permission.NOTE_LEADS, journey.owner)
        known = _find_same(connection, journey_id, words, by, now)
        if known is not None:
            return Written(False, known)
        return Written(True, record(connection, [journey], ActionKind.NOTE, by, now, note=words))


def _clean(words: str) -> str:
    """The words with their lines, without what no text column takes."""
    lines = make_storable(words).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    clean = "\n".join(line.rstrip() for line in lines).strip()
    if not clean:
        raise ActionError("a note needs words")
    if len(clean) > LONGEST:
        raise ActionError(f"a note has at most {LONGEST:,} characters, and this one has {len(clean):,}")
    return clean


def _find_same(connection: Connection, journey_id: int, words: str, by: Actor, now: datetime) -> int | None:
    found: int | None = connection.execute(
        text(
            "SELECT x.number FROM action x WHERE x.journey_id = :journey AND x.what = 'note' AND x.by = :by "
            "AND x.note = :words AND x.at > :since AND NOT EXISTS (SELECT FROM action u WHERE u.undoes = x.number) "
            "ORDER BY x.id DESC LIMIT 1"
        ),
        {"journey": journey_id, "by": by.name, "words": words, "since": now - _ONCE_WITHIN},
    ).scalar()
    return found
