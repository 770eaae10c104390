"""SLAs: which one a lead has, on whose clock, what is due when, what was missed, and which steps are to be taken.

Belongs here: due times and everything that follows from them, over a whole frame. Does not belong here: business
time (``hours``) and pauses in it (``pauses``), what counts as a touch (``touches``), and doing anything about it.

An SLA has up to four targets for a lead that somebody owns. Each starts and stops a clock:

- ``first_touch``: from the assignment, or from that of the owner before whose clock was kept, to the first touch;
- ``acceptance``: from the assignment to the owner's answer, which is accepting the lead or touching it;
- ``next_touch``: from each touch to the one after it;
- ``stage``: from the assignment to acceptance.

The end of the journey stops them all. A target that stops after it was due is missed, however late that is found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from leadgate.nearest import propose
from leadgate.playbook import LadderStep, OwnedState, Playbook, Pool, Sla, Target
from leadgate.sla import pauses
from leadgate.sla.hours import Clock, make_clock
from leadgate.sla.moments import (
    NEVER,
    Micros,
    build_column,
    build_moment,
    find_moment,
    read_column,
    read_moments,
)
from leadgate.sla.target_clocks import FAR, OwnedLeads, Rows, TargetClocks, join_clocks, list_clocks
from leadgate.vocabulary import EndReason

TARGETS: Final[tuple[Target, ...]] = ("first_touch", "acceptance", "next_touch", "stage")
#: The column that counts the steps taken for each target.
TAKEN: Final[dict[Target, str]] = {
    "first_touch": "ladder_step",
    "acceptance": "acceptance_step",
    "next_touch": "next_touch_step",
    "stage": "stage_step",
}

#: What an assignment keeps that ``check`` reads as it is.
KEPT: Final = (
    "owner", "pool", "sla", "assigned_at", "due_at", "due_soon_at", "accepted_at", "stale_since", "last_touched_at",
    *TAKEN.values(),
)  # fmt: skip


class Due(NamedTuple):
    sla: str | None
    due_at: datetime | None
    due_soon_at: datetime | None


NEVER_DUE: Final = Due(None, None, None)


class Step(NamedTuple):
    """A step of the ladder that is to be taken: the ``number``-th of its target's, whose clock runs ``since``."""

    target: Target
    number: int
    step: LadderStep
    since: datetime
    due_at: datetime


class FoundTarget(NamedTuple):
    """A target whose clock started, when it is due, and when its clock stopped; None while it runs."""

    target: Target
    due_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True)
class Checked:
    """What ``check`` found.

    ``rows`` has the index of the frame, and ``due_at``, ``due_soon_at``, ``touched_at`` (the first touch),
    ``last_touched_at``, ``next_check_at`` (the next moment at which anything can change by itself, or none), ``steps``
    (a tuple of ``Step``, in the order of their times, up to the first that takes the lead back), the four counters of
    steps taken with these, ``stale_at`` (when the lead goes stale; NaT when it cannot, or did already since
    ``active_at``) and ``stale`` (whether that has come).

    ``targets`` has a row for each time that a clock started: ``row`` (the label in the frame), ``target``,
    ``since``, ``due_at``, ``closed_at`` (NaT while it runs) and ``missed``.

    Both are made when they are asked for: of one lead that takes longer than finding what is in them.
    """

    index: pd.Index
    moment: int
    leads: OwnedLeads
    taken: dict[Target, list[int]]
    steps: dict[int, tuple[Step, ...]]
    waiting: np.ndarray[Any, np.dtype[np.bool_]]
    ahead: Micros
    names: list[Target]
    clocks: tuple[Rows, Micros, Micros, Micros]  # of each target, as ``join_clocks`` has them

    @cached_property
    def rows(self) -> pd.DataFrame:
        leads, index = self.leads, self.index
        return pd.DataFrame(
            {
                "due_at": build_column(leads.at["due_at"], index),
                "due_soon_at": build_column(leads.at["due_soon_at"], index),
                "touched_at": build_column(leads.touched, index),
                **{TAKEN[name]: pd.Series(values, index=index, dtype=object) for name, values in self.taken.items()},
                "last_touched_at": build_column(leads.last_touched, index),
                "stale_at": build_column(leads.stale_at, index),
                "stale": (leads.stale_at != NEVER) & (leads.stale_at <= self.moment) & ~self.waiting,
                "steps": pd.Series([self.steps.get(row, ()) for row in range(len(index))], index=index, dtype=object),
                "next_check_at": build_column(self.ahead, index),
            },
            index=index,
        )

    @cached_property
    def targets(self) -> pd.DataFrame:
        rows, since, closed, due_at = self.clocks
        before = due_at < self.leads.at["assigned_at"][rows]  # missed by the owner before, if by anybody
        return pd.DataFrame(
            {
                "row": self.index[rows],
                "target": np.array(self.names, dtype=object),
                "since": build_column(since),
                "due_at": build_column(due_at),
                "closed_at": build_column(closed),
                "missed": (due_at != NEVER)
                & (due_at <= self.moment)
                & ((closed == NEVER) | (closed > due_at))
                & ~before,
            }
        )

    def list_targets(self) -> list[FoundTarget]:
        """The rows of ``targets``, of all leads."""
        _, _, closed, due_at = self.clocks
        moments = (find_moment(int(each)) for pair in zip(due_at, closed, strict=True) for each in pair)
        return [FoundTarget(name, next(moments), next(moments)) for name in self.names]

    def find_stale_at(self, row: int) -> datetime | None:
        """``stale_at`` of the lead in the place ``row``."""
        return find_moment(int(self.leads.stale_at[row]))


def limit(sla: Sla, target: Target) -> timedelta | None:
    """How long a target may take; None: it is not asked for."""
    return sla.accept_within if target == "acceptance" else getattr(sla, target)


def list_ladder_steps(sla: Sla, target: Target) -> tuple[LadderStep, ...]:
    """What happens while a target is not met. One that the ladder forgets is escalated when due, never passed over."""
    steps = tuple(step for step in sla.ladder if step.of == target)
    if not steps and target != "first_touch" and limit(sla, target) is not None:
        return (LadderStep(after=100, do="escalate", of=target),)
    return steps


def list_returnable_reasons(playbook: Playbook) -> list[str]:
    """The end reasons of an assignment after which the same rep may get the lead again."""
    rules = playbook.follow_up
    stale = [EndReason.STALE.add(state) for state, rule in rules.stale.items() if rule.same_owner]
    return [EndReason.REJECTED.add(reason.name) for reason in rules.reject_reasons if reason.same_owner] + stale


def find_hours(playbook: Playbook, sla: Sla | None, pool: str | None, owner: str | None) -> str | None:
    """The name of the hours that a lead's clock runs on; None is the wall clock.

    Without a pool it is that of the owner's first pool with an SLA.
    """
    if sla is not None and sla.clock == "wall":
        return None
    if sla is not None and sla.clock == "rep":
        own = next((rep.hours for rep in playbook.reps if rep.name == owner), None)
        if own is not None:
            return own
    if pool is None:
        theirs = (p for p in playbook.pools if p.sla is not None and any(m.rep == owner for m in p.members))
        return next((p.hours for p in theirs), None)
    return next((p.hours for p in playbook.pools if p.name == pool), None)


def compute_first_due(playbook: Playbook, pool: Pool, now: datetime) -> Due:
    """The first touch of a lead that a pool gives out ``now``, by the pool's own SLA."""
    if pool.sla is None:
        return NEVER_DUE
    slas = {sla.name: sla for sla in playbook.slas}
    if pool.sla not in slas:
        raise ValueError(f"pool {pool.name} names SLA {pool.sla!r}; {propose(pool.sla, slas)}")
    if pool.hours is not None and pool.hours not in playbook.hours:
        raise ValueError(f"pool {pool.name} names hours {pool.hours!r}; {propose(pool.hours, playbook.hours)}")
    sla = slas[pool.sla]
    return _compute_due(sla, _make_clock(playbook, None if sla.clock == "wall" else pool.hours), now)


def compute_due_times(frame: pd.DataFrame, playbook: Playbook, now: datetime | Sequence[datetime]) -> pd.DataFrame:
    """``sla``, ``due_at`` and ``due_soon_at`` of leads that get their owner ``now``, or each at a moment of its own.

    ``frame`` has ``owner``, ``pool``, ``sla`` (the pool's) and ``priority`` (the first that the lead matches, or
    None), whose SLA wins. A lead without an owner is not due.
    """
    slas = {sla.name: sla for sla in playbook.slas}
    of_priority = {priority.name: priority.sla for priority in playbook.follow_up.priorities}
    known: dict[tuple[str, str | None, datetime], Due] = {}
    answers = []
    moments = [now] * len(frame) if isinstance(now, datetime) else now
    rows = zip(moments, *(frame[c].tolist() for c in ("owner", "pool", "sla", "priority")), strict=True)
    for at, owner, pool, own, priority in rows:
        name = of_priority.get(priority, own)
        if not isinstance(owner, str) or name not in slas:
            answers.append(NEVER_DUE)
            continue
        hours = find_hours(playbook, slas[name], pool, owner)
        if (name, hours, at) not in known:
            known[name, hours, at] = _compute_due(slas[name], _make_clock(playbook, hours), at)
        answers.append(known[name, hours, at])
    place = {due: number for number, due in enumerate(dict.fromkeys([NEVER_DUE, *answers]))}
    distinct = pd.DataFrame(list(place), columns=list(Due._fields), dtype=object)
    for column in ("due_at", "due_soon_at"):
        distinct[column] = pd.to_datetime(distinct[column], utc=True).astype("datetime64[us, UTC]")
    return distinct.iloc[[place[due] for due in answers]].set_axis(frame.index)


def _compute_due(sla: Sla, clock: Clock, now: datetime) -> Due:
    return Due(sla.name, clock.add(now, sla.first_touch), clock.add(now, sla.first_touch * sla.due_soon / 100))


def _make_clock(playbook: Playbook, hours: str | None) -> Clock:
    return make_clock(None if hours is None else playbook.hours[hours])


def check(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> Checked:
    """Look at owned leads as of ``now``. Checking again at the same moment, with the counters kept, finds no step.

    While an owner waits for the lead nobody is reminded: a step that was due before is taken when the wait is over.

    ``frame`` has, for each lead with its open assignment: ``owner``, ``pool``, ``sla``, ``assigned_at``, ``clock_from``
    (the same, unless the owner has taken over the clock of the one before), ``due_at`` and ``due_soon_at`` as they
    were given then, ``touches`` (a tuple of the moments that count, in order),
    ``accepted_at``, ``finished_at``, ``pauses`` (a tuple of ``pauses.Pause``, in which the one that is not over
    ends as planned), ``active_at`` (the last activity by anybody), ``stale_since`` (the one for which it was found
    stale before), ``last_touched_at`` (the touch since which ``next_touch_step`` counts) and the four counters of
    steps taken. Moments are aware, or missing.
    """
    leads, moment = OwnedLeads.read(frame, TAKEN), int(read_moments([now])[0])
    slas: dict[Any, Sla] = {sla.name: sla for sla in playbook.slas}
    found: list[TargetClocks] = []
    times: list[_Times] = []
    for sla, hours, rows in _group_by_terms(frame, slas, playbook):
        clock = _make_clock(playbook, hours)
        if sla is not None:
            _shift(leads, rows, clock, sla)
            for target in TARGETS:
                if (length := limit(sla, target)) is not None:
                    clocks = list_clocks(leads, rows, clock, target, length)
                    found.append(clocks)
                    times += _compute_times(clocks, clock, list_ladder_steps(sla, target), length)
        _go_stale(leads, rows, clock, playbook)
    waiting = np.array([any(first <= now < end for first, end in spans) for spans in leads.pauses], dtype=bool)
    steps = _to_take(times, moment, set(np.flatnonzero(waiting).tolist()))
    taken = {name: values.tolist() for name, values in leads.taken.items()}
    for row, due in steps.items():
        for step in due:
            taken[step.target][row] = step.number
    rows, since, closed, due_at = join_clocks(found)
    running = closed == NEVER
    unmet = (leads.touched == NEVER) & (leads.at["finished_at"] == NEVER)
    ahead = np.full(len(frame), FAR, dtype=np.int64)
    everybody = np.arange(len(frame))
    for places, moments in (
        *((each.clocks.rows, each.when) for each in times),
        (rows[running], due_at[running]),
        (everybody[unmet], leads.at["due_soon_at"][unmet]),
        (everybody, leads.stale_at),
        (everybody, leads.paused_until),
    ):
        later = moments > moment
        np.minimum.at(ahead, places[later], moments[later])
    ahead[ahead == FAR] = NEVER
    names: list[Target] = [each.target for each in found for _ in each.pauses]
    joined = rows, since, closed, due_at
    return Checked(frame.index, moment, leads, taken, steps, waiting, ahead, names, joined)


_TERMS: Final = ("sla", "pool", "owner")  # what the clock depends on


class _Times(NamedTuple):
    """When a step is due, for each running clock whose step was not taken yet."""

    number: int
    step: LadderStep
    when: Micros
    clocks: TargetClocks


def _group_by_terms(
    frame: pd.DataFrame, slas: dict[Any, Sla], playbook: Playbook
) -> Iterator[tuple[Sla | None, str | None, Rows]]:
    """The rows that share an SLA and a clock, so that one look tells all their times."""
    known: dict[tuple[Any, ...], tuple[Any, str | None]] = {}
    groups: dict[tuple[Any, str | None], list[int]] = defaultdict(list)
    # names, or missing in one of pandas' ways
    columns = ([each if isinstance(each, str) else None for each in frame[name].tolist()] for name in _TERMS)
    for row, terms in enumerate(zip(*columns, strict=True)):
        if terms not in known:
            name, pool, owner = terms
            known[terms] = (name, find_hours(playbook, slas.get(name), pool, owner))
        groups[known[terms]].append(row)
    for (name, hours), rows in groups.items():
        yield slas.get(name), hours, np.array(rows, dtype=np.intp)


def _shift(leads: OwnedLeads, rows: Rows, clock: Clock, sla: Sla) -> None:
    """Move the first touch's due times of the rows that were waited for; the others stay as their owner was told."""
    paused = rows[leads.paused_until[rows] != NEVER]
    for column, share in (("due_at", 100), ("due_soon_at", sla.due_soon)) if paused.size else ():
        since, length = leads.at["clock_from"][paused], sla.first_touch * share / 100
        leads.at[column][paused] = pauses.compute_due_many(clock, since, length, leads.pick_pauses(paused))


def _compute_times(
    clocks: TargetClocks, clock: Clock, steps: Sequence[LadderStep], length: timedelta
) -> Iterator[_Times]:
    """When each of a target's steps is due that was not taken yet. A row has at most one running clock of a target."""
    running = clocks.select(clocks.closed == NEVER)
    for number, step in enumerate(steps, start=1):
        untaken = running.select(running.taken < number)
        if untaken.rows.size:
            when = pauses.compute_due_many(clock, untaken.since, length * step.after / 100, untaken.pauses)
            yield _Times(number, step, when, untaken)


def _go_stale(leads: OwnedLeads, rows: Rows, clock: Clock, playbook: Playbook) -> None:
    """Set when each of the rows goes stale, but for those that cannot, and those that were found so already."""
    for name, rule in playbook.follow_up.stale.items():
        active, since, accepted = (leads.at[column][rows] for column in ("active_at", "stale_since", "accepted_at"))
        is_accepted, is_touched = accepted != NEVER, leads.touched[rows] != NEVER
        alike = {
            "accepted": is_accepted,
            "touched": is_touched & ~is_accepted,
            "untouched": ~is_touched & ~is_accepted,
        }[name]
        fresh = (since == NEVER) | (since != active)
        these = rows[alike & fresh & (leads.at["finished_at"][rows] == NEVER)]
        if these.size:
            spans = pd.Series(leads.pick_pauses(these), dtype=object)
            starts = build_column(leads.at["active_at"][these], spans.index)
            leads.stale_at[these] = read_column(pauses.add_working_days(clock, starts, rule.days, spans))


def _to_take(times: Sequence[_Times], moment: int, waiting: set[int]) -> dict[int, tuple[Step, ...]]:
    """The steps that are due, for each row that has some by their times, up to one that takes the lead back."""
    due: dict[int, list[tuple[int, int, Step]]] = defaultdict(list)
    for number, step, when, clocks in times:
        for place in np.flatnonzero((when != NEVER) & (when <= moment)).tolist():
            since, due_at = build_moment(clocks.since[place]), build_moment(clocks.due[place])
            taken = Step(step.of, number, step, since, due_at)
            due[int(clocks.rows[place])].append((int(when[place]), number, taken))
    answer: dict[int, tuple[Step, ...]] = {}
    for row in due.keys() - waiting:
        steps = [step for _, _, step in sorted(due[row], key=lambda one: one[:2])]
        last = next((place for place, step in enumerate(steps) if step.step.do == "reassign"), len(steps))
        answer[row] = tuple(steps[: last + 1])
    return answer


def find_owned_states(frame: pd.DataFrame) -> pd.Series:
    """``untouched``, ``touched`` or ``accepted`` of each row, by ``touched_at`` and ``accepted_at``."""
    untouched: OwnedState = "untouched"
    states = pd.Series(untouched, index=frame.index, dtype=object)
    states[frame["touched_at"].notna()] = "touched"
    states[frame["accepted_at"].notna()] = "accepted"
    return states


def find_owned_state(touched_at: datetime | None, accepted_at: datetime | None) -> OwnedState:
    """The same of one lead."""
    return "accepted" if accepted_at is not None else "touched" if touched_at is not None else "untouched"
