"""Whose days and hours a report is of.

Belongs here: which time zone, and why that one. Does not belong here: converting moments.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from leadgate.playbook import Playbook
from leadgate.sla.zones import find_pools_zone, list_time_zones

_LOCALTIME: Final = Path("/etc/localtime")


def choose_zone(playbook: Playbook, zone: str | None, rep: str | None, rep_name: str) -> tuple[str, str]:
    """The time zone of a report, and whose that is in words.

    The one asked for; else that of the rep whom it is about; else that of the pools' working hours, where they have
    one; else that of this computer.
    """
    if zone is not None:
        return zone, ""
    for each in playbook.reps:
        if each.name == rep and "time_zone" in each.model_fields_set:
            return each.time_zone, f"the time zone of {rep_name}"
    if (of_pools := find_pools_zone(playbook)) is not None:
        return of_pools, "the time zone of the pools' working hours"
    return _find_local_zone(), "the time zone of this computer"


def _find_local_zone() -> str:
    """``TZ``, else the zone that ``/etc/localtime`` is a link to, else UTC."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named in list_time_zones():
        return named
    linked = str(_LOCALTIME.resolve()).partition("zoneinfo/")[2].removeprefix("Etc/")
    return linked if linked in list_time_zones() else "UTC"
