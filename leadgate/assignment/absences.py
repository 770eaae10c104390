"""Absences that reps say themselves, beside those of the playbook.

Belongs here: what one is, and a playbook that has them. Does not belong here: keeping them (``ledger.absences``), or
what an absence does (``availability``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from leadgate.playbook import Absence, Playbook, Rep

#: The day on which an absence ends whose end nobody has said.
OPEN_END: Final = date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class SaidAbsence:
    """A rep is away from ``since`` on until ``until`` (UTC); None: until they say that they are back."""

    rep: str
    since: datetime
    until: datetime | None


def add_absences(playbook: Playbook, said: Iterable[SaidAbsence]) -> Playbook:
    """``playbook`` whose reps are also absent as ``said``. Absences of others than its reps are left out."""
    by_rep: dict[str, list[SaidAbsence]] = {}
    for each in said:
        by_rep.setdefault(each.rep, []).append(each)
    if by_rep.keys().isdisjoint(rep.name for rep in playbook.reps):
        return playbook
    reps = tuple(_add(rep, by_rep[rep.name]) if rep.name in by_rep else rep for rep in playbook.reps)
    return playbook.model_copy(update={"reps": reps})


def _add(rep: Rep, said: Iterable[SaidAbsence]) -> Rep:
    zone = ZoneInfo(rep.time_zone)
    return rep.model_copy(update={"absent": (*rep.absent, *(_write(each, zone) for each in said))})


def _write(said: SaidAbsence, zone: ZoneInfo) -> Absence:
    """The absence as a playbook writes it: days and times of the rep's zone."""
    begin = said.since.astimezone(zone)
    if said.until is None:
        return Absence(first=begin.date(), last=OPEN_END, leaves=begin.time())
    end = said.until.astimezone(zone)
    # not validated: where clocks are set back, an hour's absence ends at the time at which it began
    return Absence.model_construct(first=begin.date(), last=end.date(), leaves=begin.time(), returns=end.time())
