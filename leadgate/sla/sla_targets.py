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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import pandas as pd

from leadgate.nearest import propose
from leadgate.playbook import LadderStep, OwnedState, Playbook, Pool, Sla, Target
from leadgate.sla import pauses
from leadgate.sla.hours import Clock, make_clock
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


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``check`` found.

    ``rows`` has the index of the frame, and ``due_at``, ``due_soon_at``, ``touched_at`` (the first touch),
    ``last_touched_at``, ``next_check_at`` (the next moment at which anything can change by itself, or none), ``steps``
    (a tuple of ``Step``, in the order of their times, up to the first that takes the lead back), the four counters of
    steps taken with these, ``stale_at`` (when the lead goes stale; NaT when it cannot, or did already since
    ``active_at``) and ``stale`` (whether that has come).

    ``targets`` has a row for each time that a clock started: ``row`` (the label in the frame), ``target``,
    ``since``, ``due_at``, ``closed_at`` (NaT while it runs) and ``missed``.
    """

    rows: pd.DataFrame
    targets: pd.DataFrame


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


def compute_due_times(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """``sla``, ``due_at`` and ``due_soon_at`` of leads that get their owner ``now``.

    ``frame`` has ``owner``, ``pool``, ``sla`` (the pool's) and ``priority`` (the first that the lead matches, or
    None), whose SLA wins. A lead without an owner is not due.
    """
    slas = {sla.name: sla for sla in playbook.slas}
    of_priority = {priority.name: priority.sla for priority in playbook.follow_up.priorities}
    known: dict[tuple[str, str | None], Due] = {}
    answers = []
    for owner, pool, own, priority in zip(*(frame[c] for c in ("owner", "pool", "sla", "priority")), strict=True):
        name = of_priority.get(priority, own)
        if not isinstance(owner, str) or name not in slas:
            answers.append(NEVER_DUE)
            continue
        hours = find_hours(playbook, slas[name], pool, owner)
        if (name, hours) not in known:
            known[name, hours] = _compute_due(slas[name], _make_clock(playbook, hours), now)
        answers.append(known[name, hours])
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
    moment = pd.Timestamp(now)
    frame = frame.assign(**{name: _convert_moments(frame[name]) for name in _MOMENTS})
    frame["touched_at"] = _pick_moments(frame["touches"], lambda touches: touches[0])
    last = _pick_moments(frame["touches"], lambda touches: touches[-1])
    paused_until = _pick_moments(frame["pauses"], lambda each: max(end for _, end in each))
    frame["next_touch_step"] = frame["next_touch_step"].where(last == frame["last_touched_at"], 0)
    slas: dict[Any, Sla] = {sla.name: sla for sla in playbook.slas}
    stale_at = pd.Series(pd.NaT, index=frame.index, dtype=_AT)
    found: list[pd.DataFrame] = [_NO_TARGETS]
    times: list[_Times] = []
    for sla, hours, index in _group_by_terms(frame, slas, playbook):
        clock = _make_clock(playbook, hours)
        if sla is not None:
            _shift(frame, index[paused_until[index].notna()], clock, sla)
            rows = frame.loc[index]
            for target in TARGETS:
                if (length := limit(sla, target)) is not None:
                    clocks = _list_clocks(rows, clock, target, length)
                    found.append(clocks)
                    times += _compute_times(clocks, clock, list_ladder_steps(sla, target), length)
        _go_stale(stale_at, frame.loc[index], clock, playbook)
    targets = pd.concat(found, ignore_index=True)
    running = targets["closed_at"].isna()
    late = running | (targets["closed_at"] > targets["due_at"])
    given = frame["assigned_at"].reindex(targets["row"].to_numpy()).reset_index(drop=True)
    before = targets["due_at"] < given  # missed by the owner before, if by anybody
    targets["missed"] = (targets["due_at"] <= moment) & late & ~before
    rows = frame[["due_at", "due_soon_at", "touched_at", *TAKEN.values()]].assign(last_touched_at=last)
    paused: Any = frame.loc[paused_until > moment, "pauses"].items()
    waiting = {row for row, spans in paused if any(first <= moment < end for first, end in spans)}
    rows["stale_at"], rows["stale"] = stale_at, (stale_at <= moment) & ~frame.index.isin(list(waiting))
    rows["steps"] = _to_take(times, moment, frame.index, waiting)
    for row, steps in rows["steps"][rows["steps"].map(bool)].items():
        for step in steps:
            rows.at[row, TAKEN[step.target]] = step.number
    unmet = frame["touched_at"].isna() & frame["finished_at"].isna()
    moments = [
        *(each.when for each in times),
        targets[running].set_index("row")["due_at"],
        frame.loc[unmet, "due_soon_at"],
        stale_at,
        paused_until,
    ]
    ahead = pd.concat([each[each > moment] for each in moments])
    rows["next_check_at"] = ahead.groupby(level=0).min().reindex(frame.index)
    return Checked(rows, targets[list(_NO_TARGETS.columns)])


_MOMENTS: Final = (
    "assigned_at", "clock_from", "due_at", "due_soon_at", "accepted_at", "finished_at", "active_at", "stale_since",
    "last_touched_at",
)  # fmt: skip
_TERMS: Final = ("sla", "pool", "owner")  # what the clock depends on
_AT: Final = "datetime64[us, UTC]"
_NO_TARGETS: Final = pd.DataFrame(
    {
        "row": [],
        "target": [],
        **{name: pd.Series(dtype=_AT) for name in ("since", "due_at", "closed_at")},
        "missed": pd.Series(dtype=bool),
    }
)


class _Times(NamedTuple):
    """When a step is due, for each running clock whose step was not taken yet; both are indexed by row."""

    number: int
    step: LadderStep
    when: pd.Series
    clocks: pd.DataFrame


def _convert_moments(values: pd.Series) -> pd.Series:
    if values.isna().all():  # usual, and quick
        return pd.Series(pd.NaT, index=values.index, dtype=_AT)
    return pd.to_datetime(values, utc=True).astype(_AT)


def _pick_moments(cells: pd.Series, pick: Callable[[Any], datetime]) -> pd.Series:
    """A moment picked from each cell that is not empty; NaT for the others, which are most."""
    answer = pd.Series(pd.NaT, index=cells.index, dtype=_AT)
    some = cells[cells.map(bool).astype(bool)]
    if not some.empty:
        answer[some.index] = _convert_moments(some.map(pick))
    return answer


def _group_by_terms(
    frame: pd.DataFrame, slas: dict[Any, Sla], playbook: Playbook
) -> Iterator[tuple[Sla | None, str | None, pd.Index[Any]]]:
    """The labels of the rows that share an SLA and a clock, so that one look tells all their times."""
    known: dict[tuple[Any, ...], tuple[Any, str | None]] = {}
    keys = []
    for terms in zip(*(frame[c].astype(object).where(frame[c].notna(), None) for c in _TERMS), strict=True):
        if terms not in known:
            name, pool, owner = terms
            known[terms] = (name, find_hours(playbook, slas.get(name), pool, owner))
        keys.append(known[terms])
    for (name, hours), rows in frame.groupby(pd.Series(keys, index=frame.index, dtype=object), sort=False):
        yield slas.get(name), hours, rows.index


def _shift(frame: pd.DataFrame, paused: pd.Index[Any], clock: Clock, sla: Sla) -> None:
    """Move the first touch's due times of the rows that were waited for; the others stay as their owner was told."""
    for column, share in (("due_at", 100), ("due_soon_at", sla.due_soon)) if len(paused) else ():
        rows = frame.loc[paused]
        frame.loc[paused, column] = pauses.compute_due_many(
            clock, rows["clock_from"], sla.first_touch * share / 100, rows["pauses"]
        )


def _list_clocks(rows: pd.DataFrame, clock: Clock, target: Target, length: timedelta) -> pd.DataFrame:
    """When the target's clock started and stopped, for each of the rows, as often as it did; as in
    ``Checked.targets``, with the row's ``pauses`` and the steps ``taken``."""
    finished, accepted, touched = rows["finished_at"], rows["accepted_at"], rows["touched_at"]
    clocks = pd.DataFrame(
        {"row": rows.index, "target": target, "pauses": rows["pauses"], "taken": rows[TAKEN[target]]}, index=rows.index
    )
    if target == "next_touch":
        pairs = rows["touches"].map(lambda touches: list(zip_longest(touches, touches[1:])))
        clocks = clocks.assign(pair=pairs, finished=finished)[pairs.map(bool).astype(bool)].explode("pair")
        clocks["since"] = _convert_moments(clocks["pair"].str[0])
        clocks["closed_at"] = _convert_moments(clocks["pair"].str[1]).combine_first(clocks["finished"])
        clocks = clocks[~(clocks["finished"] <= clocks["since"])].reset_index(drop=True)
    else:
        stops = {
            "first_touch": [touched, finished],
            "acceptance": [accepted, touched, finished],
            "stage": [accepted, finished],
        }
        clocks["since"], clocks["closed_at"] = rows["clock_from"], pd.concat(stops[target], axis=1).min(axis=1)
    if target == "first_touch":
        clocks["due_at"] = rows["due_at"]
    else:
        clocks["due_at"] = pauses.compute_due_many(clock, clocks["since"], length, clocks["pauses"])
    return clocks


def _compute_times(
    clocks: pd.DataFrame, clock: Clock, steps: Sequence[LadderStep], length: timedelta
) -> Iterator[_Times]:
    """When each of a target's steps is due that was not taken yet. A row has at most one running clock of a target."""
    running = clocks[clocks["closed_at"].isna()].set_index("row")
    for number, step in enumerate(steps, start=1):
        if not (untaken := running[running["taken"] < number]).empty:
            when = pauses.compute_due_many(clock, untaken["since"], length * step.after / 100, untaken["pauses"])
            yield _Times(number, step, when, untaken)


def _go_stale(stale_at: pd.Series, rows: pd.DataFrame, clock: Clock, playbook: Playbook) -> None:
    """Set when each of the rows goes stale, but for those that cannot, and those that were found so already."""
    for name, rule in playbook.follow_up.stale.items():
        fresh = ~(rows["stale_since"] == rows["active_at"])
        these = rows[(find_owned_states(rows) == name) & rows["finished_at"].isna() & fresh]
        if not these.empty:
            stale_at[these.index] = pauses.add_working_days(clock, these["active_at"], rule.days, these["pauses"])


def find_owned_states(frame: pd.DataFrame) -> pd.Series:
    """``untouched``, ``touched`` or ``accepted`` of each row, by ``touched_at`` and ``accepted_at``."""
    untouched: OwnedState = "untouched"
    states = pd.Series(untouched, index=frame.index, dtype=object)
    states[frame["touched_at"].notna()] = "touched"
    states[frame["accepted_at"].notna()] = "accepted"
    return states


def _to_take(times: Sequence[_Times], moment: pd.Timestamp, index: pd.Index[Any], waiting: set[Any]) -> pd.Series:
    """The steps that are due, for each row by their times, up to one that takes the lead back."""
    due: dict[Any, list[tuple[datetime, int, Step]]] = defaultdict(list)
    for number, step, when, clocks in times:
        late = when[when <= moment]
        starts, dues = clocks["since"][late.index], clocks["due_at"][late.index]
        for row, at, since, due_at in zip(late.index, late, starts, dues, strict=True):
            due[row].append((at, number, Step(step.of, number, step, since, due_at)))
    answer = pd.Series([()] * len(index), index=index, dtype=object)
    for row in due.keys() - waiting:
        taken: list[Step] = []
        for _, _, each in sorted(due[row], key=lambda one: one[:2]):
            taken.append(each)
            if each.step.do == "reassign":
                break
        cell: Any = tuple(taken)
        answer.at[row] = cell
    return answer
