"""SLAs: which one a lead has, on whose clock, what is due when, what was missed, and which steps are to be taken.

Belongs here: due times and everything that follows from them, over a whole frame. Does not belong here: business
time (``hours``) and pauses in it (``pauses``), what counts as a touch (``touches``), and doing anything about it.

An SLA has up to four targets for a lead that somebody owns. Each starts and stops a clock:

- ``first_touch``: from the assignment to the first touch;
- ``acceptance``: from the assignment to the owner's answer, which is accepting the lead or touching it;
- ``next_touch``: from each touch to the one after it;
- ``stage``: from the assignment to acceptance.

The end of the journey stops them all. A target that stops after it was due is missed, however late that is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import pandas as pd

from leadgate import pauses
from leadgate.hours import Clock, clock_of
from leadgate.nearest import proposal
from leadgate.playbook import LadderStep, OwnedState, Playbook, Pool, Sla, Target

TARGETS: Final[tuple[Target, ...]] = ("first_touch", "acceptance", "next_touch", "stage")
#: The column that counts the steps taken for each target.
TAKEN: Final[dict[Target, str]] = {
    "first_touch": "ladder_step",
    "acceptance": "acceptance_step",
    "next_touch": "next_touch_step",
    "stage": "stage_step",
}


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


def ladder(sla: Sla, target: Target) -> tuple[LadderStep, ...]:
    """What happens while a target is not met. One that the ladder forgets is escalated when due, never passed over."""
    steps = tuple(step for step in sla.ladder if step.of == target)
    if not steps and target != "first_touch" and limit(sla, target) is not None:
        return (LadderStep(after=100, do="escalate", of=target),)
    return steps


def finished_by(playbook: Playbook) -> str:
    """The event that ends a journey: ``first_touch``, ``acceptance`` or ``outcome``."""
    by_acceptance = playbook.qualification.sales_qualified_by == "acceptance"
    return playbook.follow_up.finished_by or ("acceptance" if by_acceptance else "first_touch")


def may_have_it_again(playbook: Playbook) -> list[str]:
    """The reasons for which an assignment ends that keep nobody from having the lead another time."""
    rules = playbook.follow_up
    stale = ["stale"] if any(rule.same_owner for rule in rules.stale.values()) else []
    return [f"rejected: {reason.name}" for reason in rules.reject_reasons if reason.same_owner] + stale


def hours_of(playbook: Playbook, sla: Sla | None, pool: str | None, owner: str | None) -> str | None:
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


def first_due(playbook: Playbook, pool: Pool, now: datetime) -> Due:
    """The first touch of a lead that a pool gives out ``now``, by the pool's own SLA."""
    if pool.sla is None:
        return NEVER_DUE
    slas = {sla.name: sla for sla in playbook.slas}
    if pool.sla not in slas:
        raise ValueError(f"pool {pool.name} names SLA {pool.sla!r}; {proposal(pool.sla, slas)}")
    if pool.hours is not None and pool.hours not in playbook.hours:
        raise ValueError(f"pool {pool.name} names hours {pool.hours!r}; {proposal(pool.hours, playbook.hours)}")
    sla = slas[pool.sla]
    return _due(sla, _clock(playbook, None if sla.clock == "wall" else pool.hours), now)


def due_times(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
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
        hours = hours_of(playbook, slas[name], pool, owner)
        if (name, hours) not in known:
            known[name, hours] = _due(slas[name], _clock(playbook, hours), now)
        answers.append(known[name, hours])
    place = {due: number for number, due in enumerate(dict.fromkeys([NEVER_DUE, *answers]))}
    distinct = pd.DataFrame(list(place), columns=list(Due._fields), dtype=object)
    for column in ("due_at", "due_soon_at"):
        distinct[column] = pd.to_datetime(distinct[column], utc=True).astype("datetime64[us, UTC]")
    return distinct.iloc[[place[due] for due in answers]].set_axis(frame.index)


def _due(sla: Sla, clock: Clock, now: datetime) -> Due:
    return Due(sla.name, clock.add(now, sla.first_touch), clock.add(now, sla.first_touch * sla.due_soon / 100))


def _clock(playbook: Playbook, hours: str | None) -> Clock:
    return clock_of(None if hours is None else playbook.hours[hours])


def check(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> Checked:
    """Look at owned leads as of ``now``. Checking again at the same moment, with the counters kept, finds no step.

    ``frame`` has, for each lead with its open assignment: ``owner``, ``pool``, ``sla``, ``assigned_at``, ``due_at``
    and ``due_soon_at`` as they were given then, ``touches`` (a tuple of the moments that count, in order),
    ``accepted_at``, ``finished_at``, ``pauses`` (a tuple of ``pauses.Pause``, in which the one that is not over
    ends as planned), ``active_at`` (the last activity by anybody), ``stale_since`` (the one for which it was found
    stale before), ``last_touched_at`` (the touch since which ``next_touch_step`` counts) and the four counters of
    steps taken. Moments are aware, or missing.
    """
    moment = pd.Timestamp(now)
    frame = frame.assign(**{name: _moments(frame[name]) for name in _MOMENTS})
    frame["touched_at"] = _moments(frame["touches"].map(lambda touches: touches[0] if touches else None))
    last = _moments(frame["touches"].map(lambda touches: touches[-1] if touches else None))
    frame["next_touch_step"] = frame["next_touch_step"].where(last == frame["last_touched_at"], 0)
    slas: dict[Any, Sla] = {sla.name: sla for sla in playbook.slas}
    found, times, coming = [_NO_TARGETS], [_NO_STEPS], []
    shifted = frame["pauses"].map(len) > 0
    for sla, hours, rows in _by_terms(frame, slas, playbook):
        clock = _clock(playbook, hours)
        if sla is not None:
            moved = rows[shifted[rows.index]]
            for column, share in (("due_at", 100), ("due_soon_at", sla.due_soon)) if len(moved) else ():
                length = sla.first_touch * share / 100
                frame.loc[moved.index, column] = pauses.due_many(clock, moved["assigned_at"], length, moved["pauses"])
            for target in TARGETS:
                pieces = _clocked(frame.loc[rows.index], clock, sla, target)
                found.append(pieces[0])
                times += pieces[1:]
        coming.append(_stale_at(rows, clock, playbook))
    targets = pd.concat(found, ignore_index=True)
    running = targets["closed_at"].isna()
    targets["missed"] = (targets["due_at"] <= moment) & (running | (targets["closed_at"] > targets["due_at"]))
    stale_at = pd.concat(coming).reindex(frame.index) if coming else pd.Series(pd.NaT, frame.index, dtype=_AT)
    steps = pd.concat(times, ignore_index=True)
    untaken = steps[steps["number"] > steps["taken"]]
    rows = frame[["due_at", "due_soon_at", "touched_at", *TAKEN.values()]].assign(last_touched_at=last)
    rows["stale_at"], rows["stale"] = stale_at, stale_at <= moment
    rows["steps"] = _taken_now(untaken[untaken["when"] <= moment], frame.index)
    for target, counter in TAKEN.items():
        rows[counter] = rows[counter].astype(int) + rows["steps"].map(
            lambda taken, target=target: sum(step.target == target for step in taken)
        )
    unmet = frame["touched_at"].isna() & frame["finished_at"].isna()
    paused_until = frame["pauses"].map(lambda each: max((end for _, end in each), default=None))
    moments = [
        untaken.set_index("row")["when"],
        targets[running].set_index("row")["due_at"],
        frame.loc[unmet, "due_soon_at"],
        stale_at.dropna(),
        _moments(paused_until),
    ]
    ahead = pd.concat([each for each in moments if not each.empty] or [frame["finished_at"]])
    rows["next_check_at"] = ahead[ahead > moment].groupby(level=0).min().reindex(frame.index)
    return Checked(rows, targets)


_MOMENTS: Final = (
    "assigned_at", "due_at", "due_soon_at", "accepted_at", "finished_at", "active_at", "stale_since", "last_touched_at",
)  # fmt: skip
_TERMS: Final = ("sla", "pool", "owner")  # what the clock depends on
_AT: Final = "datetime64[us, UTC]"
_NO_TARGETS: Final = pd.DataFrame(
    {"row": [], "target": [], "since": pd.Series(dtype=_AT), "due_at": pd.Series(dtype=_AT),
     "closed_at": pd.Series(dtype=_AT)}
)  # fmt: skip
_NO_STEPS: Final = pd.DataFrame(
    {"row": [], "number": [], "taken": [], "when": pd.Series(dtype=_AT), "since": [], "due_at": [], "step": []}
)


def _moments(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True).astype(_AT)


def _by_terms(
    frame: pd.DataFrame, slas: dict[Any, Sla], playbook: Playbook
) -> Iterator[tuple[Sla | None, str | None, pd.DataFrame]]:
    """The rows that share an SLA and a clock, so that one look tells all their times."""
    known: dict[tuple[Any, ...], tuple[Any, str | None]] = {}
    keys = []
    for terms in zip(*(frame[c].astype(object).where(frame[c].notna(), None) for c in _TERMS), strict=True):
        if terms not in known:
            name, pool, owner = terms
            known[terms] = (name, hours_of(playbook, slas.get(name), pool, owner))
        keys.append(known[terms])
    for (name, hours), rows in frame.groupby(pd.Series(keys, index=frame.index, dtype=object), sort=False):
        yield slas.get(name), hours, rows


def _clocked(rows: pd.DataFrame, clock: Clock, sla: Sla, target: Target) -> list[pd.DataFrame]:
    """The target's clocks of these rows as in ``Checked.targets``, and the times of the ladder's steps of each that
    runs."""
    length = limit(sla, target)
    if length is None:
        return [_NO_TARGETS]
    clocks = _clocks(rows, target)
    if target == "first_touch":
        clocks["due_at"] = rows["due_at"]  # as the owner was told
    else:
        clocks["due_at"] = pauses.due_many(clock, clocks["since"], length, clocks["pauses"])
    clocks["row"], clocks["target"] = clocks["row"].to_numpy(), target
    running = clocks[clocks["closed_at"].isna()]
    steps = [
        running[["row", "since", "due_at", "taken"]].assign(
            number=number,
            step=pd.Series([step] * len(running), index=running.index, dtype=object),
            when=pauses.due_many(clock, running["since"], length * step.after / 100, running["pauses"]),
        )
        for number, step in enumerate(ladder(sla, target), start=1)
        if len(running)
    ]
    return [clocks[list(_NO_TARGETS.columns)], *steps]


def _clocks(rows: pd.DataFrame, target: Target) -> pd.DataFrame:
    """When the target's clock started and stopped, for each of the rows; as often as it did."""
    finished, accepted, touched = rows["finished_at"], rows["accepted_at"], rows["touched_at"]
    stops = {
        "first_touch": [touched, finished],
        "acceptance": [accepted, touched, finished],
        "stage": [accepted, finished],
    }
    clocks = pd.DataFrame({"row": rows.index, "pauses": rows["pauses"], "taken": rows[TAKEN[target]]}, index=rows.index)
    if target in stops:
        return clocks.assign(since=rows["assigned_at"], closed_at=pd.concat(stops[target], axis=1).min(axis=1))
    pairs = rows["touches"].map(lambda touches: list(zip_longest(touches, touches[1:])))
    clocks = clocks.assign(pair=pairs, finished=finished).explode("pair").dropna(subset="pair").reset_index(drop=True)
    clocks["since"] = _moments(clocks["pair"].str[0])
    clocks["closed_at"] = _moments(clocks["pair"].str[1]).combine_first(clocks["finished"])
    return clocks[~(clocks["finished"] <= clocks["since"])]


def _stale_at(rows: pd.DataFrame, clock: Clock, playbook: Playbook) -> pd.Series:
    """When each of the rows is stale; NaT for those that cannot be, and those that were found so already."""
    answer = pd.Series(pd.NaT, index=rows.index, dtype=_AT)
    states = owned_states(rows)
    for name, rule in playbook.follow_up.stale.items():
        fresh = ~(rows["stale_since"] == rows["active_at"])
        these = rows[(states == name) & rows["finished_at"].isna() & fresh]
        if not these.empty:
            answer[these.index] = pauses.after_days(clock, these["active_at"], rule.days, these["pauses"])
    return answer


def owned_states(frame: pd.DataFrame) -> pd.Series:
    """``untouched``, ``touched`` or ``accepted`` of each row, by ``touched_at`` and ``accepted_at``."""
    untouched: OwnedState = "untouched"
    states = pd.Series(untouched, index=frame.index, dtype=object)
    states[frame["touched_at"].notna()] = "touched"
    states[frame["accepted_at"].notna()] = "accepted"
    return states


def _taken_now(due: pd.DataFrame, index: pd.Index[Any]) -> pd.Series:
    """The steps that are due, for each row by their times, up to one that takes the lead back."""
    answer = pd.Series([()] * len(index), index=index, dtype=object)
    due = due.sort_values(["when", "number"], kind="stable")
    for row, steps in due.groupby("row", sort=False):
        taken = []
        for number, step, since, due_at in zip(*(steps[c] for c in ("number", "step", "since", "due_at")), strict=True):
            taken.append(Step(step.of, int(number), step, since, due_at))
            if step.do == "reassign":
                break
        cell: Any = tuple(taken)
        answer.at[row] = cell
    return answer
