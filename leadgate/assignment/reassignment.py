"""What changes hands by a person's word: one lead to a rep or a pool, or the whole book of somebody who leaves.

Belongs here: who gets each lead, by the same turns, caps and absences as any other. Does not belong here: storing
it (``ledger.reassignments``), or who may ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pandas as pd

from leadgate.assignment.assignment_result import Assigned
from leadgate.assignment.availability import Availability, Load
from leadgate.assignment.rotation import PoolState
from leadgate.assignment.routing import assign
from leadgate.errors import LeadgateError
from leadgate.nearest import propose
from leadgate.playbook import NobodyAvailable, Playbook, Pool, Route
from leadgate.playbook.routing import SlaClock
from leadgate.sla.sla_targets import Due, compute_due_times
from leadgate.vocabulary import AssignmentMethod

#: Steps of the ladder that were taken; those for the next touch begin again with an owner's first one.
_STEPS: Final = ("ladder_step", "acceptance_step", "stage_step")
#: Of an SLA's clock: what a new owner keeps of the old one's when they keep it.
_CLOCK: Final = ("sla", "priority", "due_at", "due_soon_at", "clock_from", *_STEPS)


class ReassignmentError(LeadgateError, ValueError):
    """Nobody can be given the lead so; the message says why, and what can be done instead."""


def to_rep(
    frame: pd.DataFrame,
    rep: str,
    playbook: Playbook,
    loads: Mapping[str, Load],
    now: datetime,
    *,
    anyway: bool = False,
) -> Assigned:
    """Each lead of ``frame`` to ``rep``, whom a person chose. ``anyway``: also if they are away or at a cap.

    Raises ``ReassignmentError`` for nobody of that name, and for somebody who cannot take it.
    """
    why = ""
    reps = {each.name: each for each in playbook.reps}
    if rep not in reps:
        raise ReassignmentError(f"{rep!r} is no rep of the playbook; {propose(rep, reps)}")
    hindrance = Availability(playbook, loads, now).hindered[rep]
    if hindrance is not None:
        if not anyway:
            raise ReassignmentError(f"{rep} cannot take it: {hindrance.reason}; --anyway gives it to them all the same")
        why = f"all the same, because {rep}: {hindrance.reason}"
        free = {"absent": (), "starts": None, "max_open": None, "max_per_day": None, "max_per_week": None}
        playbook = playbook.model_copy(
            update={"reps": tuple(r.model_copy(update=free) if r.name == rep else r for r in playbook.reps)}
        )
    method = AssignmentMethod.REASSIGN
    route = _build_route(f"{method} to {rep}", f"rep {rep}", why)
    return assign(
        _build_frame(frame, [route.name] * len(frame)), _replace_routes(playbook, [route]), {}, loads, now, method
    )


def to_pools(
    frame: pd.DataFrame,
    pools: list[str | None],
    playbook: Playbook,
    states: Mapping[str, PoolState],
    loads: Mapping[str, Load],
    now: datetime,
    *,
    method: AssignmentMethod,
    why: str = "",
    leaver: str | None = None,
) -> Assigned:
    """Each lead of ``frame`` by the turns of its pool in ``pools``; None, and a name that is no pool, is no place.

    A lead that nobody can take has no owner in the answer. ``leaver`` is in no pool any more. Working hours and
    what a pool does when nobody is available are for leads that nobody decides about: neither applies here.
    """
    known = {pool.name: _simplify_pool(pool, leaver) for pool in playbook.pools}
    routes = {name: _build_route(f"{method} to {name}", f"pool {name}", why) for name in known}
    names = [routes[pool].name if pool in routes else None for pool in pools]
    book = _replace_routes(playbook, list(routes.values())).model_copy(update={"pools": tuple(known.values())})
    return assign(_build_frame(frame, names), book, states, loads, now, method)


def with_clock(
    placed: pd.DataFrame, before: pd.DataFrame, clock: SlaClock, playbook: Playbook, now: datetime
) -> pd.DataFrame:
    """``placed`` (index-aligned with ``before``) with the SLA's clock: begun again, or that of the old owner.

    A lead keeps the priority that it had.
    """
    if clock == "keep":
        return placed.assign(**{name: before[name] for name in _CLOCK})
    again = placed.assign(priority=before["priority"], clock_from=None, **dict.fromkeys(_STEPS, 0))
    again[list(Due._fields)] = compute_due_times(again, playbook, now)
    return again


def find_target_pools(frame: pd.DataFrame, leaver: str, playbook: Playbook, to_pool: str | None) -> list[str | None]:
    """Where the leads of a leaver go: to ``to_pool``, else the pool they came by, else the leaver's first one."""
    known = {pool.name for pool in playbook.pools}
    home = next((pool.name for pool in playbook.pools if any(m.rep == leaver for m in pool.members)), None)
    return [to_pool or (pool if pool in known else home) for pool in frame["pool"].tolist()]


def _build_frame(frame: pd.DataFrame, routes: list[Any]) -> pd.DataFrame:
    names = pd.Series([(name,) if name is not None else () for name in routes], index=frame.index, dtype=object)
    return frame[["excluded", "language", "product"]].assign(routes=names)


def _build_route(name: str, to: str, why: str) -> Route:
    # its name says what the person did: no name of a playbook, so it is not validated
    return Route.model_construct(name=name, to=to, why=why)


def _replace_routes(playbook: Playbook, routes: list[Route]) -> Playbook:
    return playbook.model_copy(update={"routing": tuple(routes)})


def _simplify_pool(pool: Pool, leaver: str | None) -> Pool:
    members = tuple(member for member in pool.members if member.rep != leaver)
    policy = NobodyAvailable(do="hold")
    return pool.model_copy(update={"members": members, "nobody_available": policy, "only_in_hours": False})
