"""The time zones and the years that clocks know, and whose zone is which.

Belongs here: what a name or a day is checked by, and the zone of a rep. Does not belong here: a clock (``hours``, which
imports pandas).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import available_timezones

if TYPE_CHECKING:
    from leadgate.playbook import Playbook

#: Days outside these years are a mistake: a table of open spans back to year 1 helps nobody.
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200


@lru_cache(maxsize=1)
def list_time_zones() -> frozenset[str]:
    """The IANA names this machine knows. Looking for them reads a folder of some six hundred files, so once."""
    return frozenset(available_timezones())


def find_pools_zone(playbook: Playbook) -> str | None:
    """The time zone of the pools' working hours; None where they have several, or none."""
    zones = {playbook.hours[pool.hours].time_zone for pool in playbook.pools if pool.hours in playbook.hours}
    return zones.pop() if len(zones) == 1 else None


def find_rep_zone(playbook: Playbook, rep: str | None) -> str:
    """The time zone of a rep; UTC for somebody whom the playbook does not name."""
    return next((each.time_zone for each in playbook.reps if each.name == rep), "UTC")
