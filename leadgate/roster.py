"""Who can take a lead: reps' caps and absences, while a batch is being assigned.

Belongs here: the loads, whose midnight a day's cap means, and why a rep cannot take one, in words. Does
not belong here: whose turn it is (``turns``) and which route leads to whom (``routing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from leadgate.nearest import proposal
from leadgate.playbook import Playbook, Rep


class Load(NamedTuple):
    """A rep's leads: ``open`` ones, and those assigned since ``midnights`` of this moment."""

    open: int = 0
    today: int = 0


def midnights(playbook: Playbook, now: datetime) -> dict[str, datetime]:
    """When each rep's day began, in UTC: leads assigned since then count towards the day's cap."""
    began = {}
    for rep in playbook.reps:
        zone = ZoneInfo(rep.time_zone)
        began[rep.name] = datetime.combine(now.astimezone(zone).date(), time(0), zone).astimezone(UTC)
    return began


class Roster:
    """The reps at ``now``, with loads that grow as leads are given out.

    ``hindered`` says for each rep why they cannot take a lead, or None; ``absent`` leaves the caps out.
    """

    def __init__(self, playbook: Playbook, loads: Mapping[str, Load], now: datetime) -> None:
        self._reps = {rep.name: rep for rep in playbook.reps}
        self._known_as = {rep.email.casefold(): rep.name for rep in playbook.reps if rep.email}
        self._known_as |= {rep.name: rep.name for rep in playbook.reps}
        self._open = {name: loads[name].open if name in loads else 0 for name in self._reps}
        self._today = {name: loads[name].today if name in loads else 0 for name in self._reps}
        self.absent = {name: _absent(rep, now) for name, rep in self._reps.items()}
        self.hindered = {name: absent or self._full(name) for name, absent in self.absent.items()}

    def check(self, name: str, named_by: str) -> None:
        """``ValueError`` when ``name`` is no rep."""
        if name not in self._reps:
            raise ValueError(f"{named_by} names {name!r}, who is not a rep; {proposal(name, self._reps)}")

    def named(self, text: str) -> str | None:
        """The rep with that name or e-mail address, in any case."""
        return self._known_as.get(text.strip().casefold())

    def give(self, name: str) -> bool:
        """One more lead for this rep; True when that fills them up."""
        self._open[name] += 1
        self._today[name] += 1
        if self.hindered[name] is not None:
            return False
        self.hindered[name] = self._full(name)
        return self.hindered[name] is not None

    def loads(self) -> dict[str, Load]:
        return {name: Load(self._open[name], self._today[name]) for name in self._reps}

    def _full(self, name: str) -> str | None:
        rep = self._reps[name]
        if rep.max_per_day is not None and self._today[name] >= rep.max_per_day:
            return f"reached {rep.max_per_day} a day"
        if rep.max_open is not None and self._open[name] >= rep.max_open:
            return f"reached {rep.max_open} open"
        return None


def _absent(rep: Rep, now: datetime) -> str | None:
    today = now.astimezone(ZoneInfo(rep.time_zone)).date()
    last = max((each.last for each in rep.absent if each.first <= today <= each.last), default=None)
    return None if last is None else f"absent until {last.isoformat()}"
