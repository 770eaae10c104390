"""Who can take a lead: reps' caps, absences and working hours, while a batch is being assigned.

Belongs here: the loads, whose midnight a cap means, why a rep cannot take one, in words, and when they can
again. Does not belong here: whose turn it is (``rotation``), whether a rep suits one lead (``skill_match``), and which
route leads to whom (``routing``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from leadgate.assignment.absences import OPEN_END
from leadgate.nearest import propose
from leadgate.playbook import Absence, Playbook, Pool, Rep
from leadgate.playbook.rep_names import RepNames

if TYPE_CHECKING:
    from leadgate.sla.hours import Clock

#: A rep who ramps up counts by quarters: one step after the other until the whole weight.
RAMP_STEPS: Final = 4


class Load(NamedTuple):
    """A rep's leads: ``open`` ones, those assigned since ``find_midnights``, and those since ``find_mondays``."""

    open: int = 0
    today: int = 0
    week: int = 0


class Hindrance(NamedTuple):
    """Why a rep cannot take a lead, in words; ``until`` when, if that is known (UTC)."""

    reason: str
    until: datetime | None = None


def find_midnights(playbook: Playbook, now: datetime) -> dict[str, datetime]:
    """When each rep's day began, in UTC: leads assigned since then count towards the day's cap."""
    return {rep.name: _compute_midnight(_find_today(rep, now), rep) for rep in playbook.reps}


def find_mondays(playbook: Playbook, now: datetime) -> dict[str, datetime]:
    """When each rep's week began, in UTC: on Monday at their midnight."""
    return {rep.name: _compute_midnight(_find_monday(_find_today(rep, now)), rep) for rep in playbook.reps}


def find_reps_counting_open(playbook: Playbook) -> set[str]:
    """The reps whose open leads decide something: those with a cap of them, and members of pools that go by them."""
    capped = {rep.name for rep in playbook.reps if rep.max_open is not None}
    return capped.union(*({each.rep for each in pool.members} for pool in playbook.pools if pool.order == "open_leads"))


def find_reps_counting_recent(playbook: Playbook) -> set[str]:
    """The reps with a cap of leads in a day or a week."""
    return {rep.name for rep in playbook.reps if rep.max_per_day is not None or rep.max_per_week is not None}


def _find_today(rep: Rep, now: datetime) -> date:
    return now.astimezone(ZoneInfo(rep.time_zone)).date()


def _find_monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _compute_midnight(day: date, rep: Rep, at: time = time(0)) -> datetime:
    return datetime.combine(day, at, ZoneInfo(rep.time_zone)).astimezone(UTC)


def find_pools_sharing_reps(playbook: Playbook, used: Collection[str], owners: Collection[str] = ()) -> set[str]:
    """The pools in ``used``, those of ``owners``, and all that share a rep with one of them, however indirectly.

    A rep's cap counts leads from all pools, so a lead given in one of them changes what is fair in the others.
    """
    members = {pool.name: {member.rep for member in pool.members} for pool in playbook.pools}
    group = {name for name, reps in members.items() if name in used or not reps.isdisjoint(owners)}
    while more := {
        name for name, reps in members.items() if name not in group and any(reps & members[g] for g in group)
    }:
        group |= more
    return group


class Availability:
    """The reps at ``now``, with loads that grow as leads are given out.

    ``hindered`` says for each rep why they cannot take a lead, or None; ``absent`` leaves the caps out.
    Working hours are a pool's affair (``outside_hours``): who is named gets a lead at any hour.
    """

    def __init__(self, playbook: Playbook, loads: Mapping[str, Load], now: datetime) -> None:
        self.now = now
        self._hours = playbook.hours
        self._reps = {rep.name: rep for rep in playbook.reps}
        self._names = RepNames(playbook.reps)
        self._loads = {name: loads.get(name, Load()) for name in self._reps}
        self.absent = {name: _find_absence(rep, now) for name, rep in self._reps.items()}
        #: whose absence the pool may let them catch up on; somebody who has not started yet has missed nothing
        self.on_leave = {
            name
            for name, rep in self._reps.items()
            if self.absent[name] is not None and (rep.starts is None or _compute_midnight(rep.starts, rep) <= now)
        }
        self.hindered: dict[str, Hindrance | None] = {
            name: absent or self._find_cap_hindrance(name) for name, absent in self.absent.items()
        }

    def check(self, name: str, named_by: str) -> None:
        """``ValueError`` when ``name`` is no rep."""
        if name not in self._reps:
            raise ValueError(f"{named_by} names {name!r}, who is not a rep; {propose(name, self._reps)}")

    def rep(self, name: str) -> Rep:
        return self._reps[name]

    def find_rep(self, text: str) -> str | None:
        """The rep whom ``text`` means."""
        return self._names.find(text)

    def manager(self, name: str) -> str | None:
        """The manager of a rep, if that is a rep too."""
        return self._names.find_manager(name)

    def open(self, name: str) -> int:
        """The leads that this rep has now."""
        return self._loads[name].open

    def give(self, name: str) -> bool:
        """One more lead for this rep; True when that fills them up."""
        load = self._loads[name]
        self._loads[name] = Load(load.open + 1, load.today + 1, load.week + 1)
        if self.hindered[name] is not None:
            return False
        self.hindered[name] = self._find_cap_hindrance(name)
        return self.hindered[name] is not None

    def loads(self) -> dict[str, Load]:
        return dict(self._loads)

    def find_hours_hindrance(self, name: str, pool: Pool) -> Hindrance | None:
        """Whether a member of a pool that hands out in hours only is at work now, and else when they are."""
        clock = self._find_clock(name, pool)
        if clock is None or clock.is_open(self.now):
            return None
        back = clock.find_next_open(self.now)
        zone = self._reps[name].time_zone
        return Hindrance(f"outside their hours, back {back.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})", back)

    def back(self, name: str, pool: Pool | None = None) -> datetime | None:
        """The first moment at which a hindered rep can take a lead again, if that is known.

        A cap on open leads ends when one of them is followed up, which nobody knows. An absence that ends at
        night, before the pool's hours, ends with the first of them.
        """
        hindrance, moment = self.hindered[name], self.now
        if hindrance is not None:
            if hindrance.until is None:
                return None
            moment = hindrance.until
        clock = self._find_clock(name, pool) if pool is not None else None
        for _ in range(len(self._reps[name].absent) + 1):
            if clock is not None:
                moment = clock.find_next_open(moment)
            absent = _find_absence(self._reps[name], moment)
            if absent is None or absent.until is None:
                break
            moment = absent.until
        return moment

    def share(self, name: str) -> int:
        """How many of ``RAMP_STEPS`` parts of their weight a rep counts with now."""
        rep = self._reps[name]
        if rep.starts is None or not rep.ramp:
            return RAMP_STEPS
        passed = self.now - _compute_midnight(rep.starts, rep)
        return max(1, min(RAMP_STEPS, 1 + int(passed * RAMP_STEPS / rep.ramp)))

    def _find_clock(self, name: str, pool: Pool) -> Clock | None:
        hours = self._reps[name].hours or pool.hours
        from leadgate.sla.hours import make_clock  # imports pandas, which a report of the load does not need

        return make_clock(self._hours[hours]) if pool.only_in_hours and hours is not None else None

    def _find_cap_hindrance(self, name: str) -> Hindrance | None:
        rep, load = self._reps[name], self._loads[name]
        if rep.max_open is not None and load.open >= rep.max_open:  # first: nobody knows when it ends
            return Hindrance(f"reached {rep.max_open} open")
        if rep.max_per_week is not None and load.week >= rep.max_per_week:
            monday = _find_monday(_find_today(rep, self.now)) + timedelta(days=7)
            return Hindrance(f"reached {rep.max_per_week} a week", _compute_midnight(monday, rep))
        if rep.max_per_day is not None and load.today >= rep.max_per_day:
            return Hindrance(
                f"reached {rep.max_per_day} a day",
                _compute_midnight(_find_today(rep, self.now) + timedelta(days=1), rep),
            )
        return None


def _find_absence(rep: Rep, now: datetime) -> Hindrance | None:
    """The absence that lasts longest of those that have begun; before somebody starts, there is nobody."""
    if rep.starts is not None and now < (starts := _compute_midnight(rep.starts, rep)):
        return Hindrance(f"starts on {rep.starts.isoformat()}", starts)
    running = [(end, each) for each in rep.absent for begin, end in [_compute_span(each, rep)] if begin <= now < end]
    if not running:
        return None
    end, longest = max(running, key=lambda each: each[0])
    if longest.last == OPEN_END:
        return Hindrance("away, and has not said until when")
    day = longest.last.isoformat()
    return Hindrance(f"absent until {day}" + (f" {longest.returns:%H:%M}" if longest.returns else ""), end)


def _compute_span(absence: Absence, rep: Rep) -> tuple[datetime, datetime]:
    begin = _compute_midnight(absence.first, rep, absence.leaves or time(0))
    if absence.returns is not None:
        return begin, _compute_midnight(absence.last, rep, absence.returns)
    return begin, _compute_midnight(absence.last + timedelta(days=1), rep)
