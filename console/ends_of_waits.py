"""Until when an owner waits for a lead, as people write it.

Belongs here: reading it. Does not belong here: the wait (``ledger.ownership``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from console.command_context import parse_moment
from leadgate.sla.zones import find_rep_zone

if TYPE_CHECKING:
    from leadgate.playbook import Playbook


def find_end(until: str, owner: str | None, playbook: Playbook) -> datetime:
    """A moment as it was written; a date alone begins at midnight in the owner's time zone. Raises ``CommandError``."""
    moment = parse_moment(until.strip())
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", until.strip()):
        return moment
    return parse_moment(moment.replace(tzinfo=ZoneInfo(find_rep_zone(playbook, owner))).isoformat())
