"""The table ``unmasking``: who had the masked values of which lead shown to them, and when. Append-only.

Belongs here: the statement that writes the table, and whether an unmasking still holds. Does not belong here: who may
unmask values (``leadgate.permissions``), or masking (``leadgate.masking``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from leadgate.actors import Actor, require
from leadgate.ledger.database import Ledger
from leadgate.ledger.lead_history import Story
from leadgate.permissions import Permission

#: How long the values are shown after an unmasking: for one visit of the lead.
LASTS: Final = timedelta(minutes=15)


def is_unmasked(story: Story, by: Actor, now: datetime) -> bool:
    """Whether ``by`` has had the values of the story's lead shown lately: they are seen for the rest of the visit."""
    return any(each.by == by.name and each.at > now - LASTS for each in story.unmaskings)


def unmask(ledger: Ledger, journey_id: int, owner: str | None, *, by: Actor, now: datetime) -> None:
    """Keep that ``by`` has the values of a journey's lead shown. ``owner`` has, or last had, the lead.

    Asked again while it holds, nothing is written. Raises ``ActorError`` for somebody who may not.
    """
    require(by, Permission.UNMASK_VALUES, owner)
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO unmasking (journey_id, by, at) SELECT :journey, CAST(:by AS text), :now WHERE NOT EXISTS "
                "(SELECT FROM unmasking WHERE journey_id = :journey AND by = :by AND at > :since)"
            ),
            {"journey": journey_id, "by": by.name, "now": now, "since": now - LASTS},
        )
