"""The reps of a team as a manager sees them: what each has now beside their caps, turns beside weights, and speed.

Belongs here: putting figures, the playbook and absences together, one row a rep. Does not belong here: counting
(``ledger.team_figures``), who can take a lead (``assignment.availability``), or HTML.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from console.screen import format_span
from leadgate.actors import Actor, find_scope
from leadgate.assignment.absences import SaidAbsence, add_absences
from leadgate.assignment.availability import Availability, Hindrance, Load, find_midnights, find_mondays
from leadgate.figures import Due, Share, compute_dues, compute_kept_share
from leadgate.ledger import Ledger, absences, assignments, pools
from leadgate.ledger.team_figures import RepSpeed, RepStanding, list_speeds_of, read_standings
from leadgate.permissions import Permission, Scope
from leadgate.playbook import Playbook, Rep
from leadgate.values.json_types import JsonObject

_NOTHING: Final = RepStanding("", 0, 0, 0, 0, None)


@dataclass(frozen=True)
class TeamNow:
    """What the ledger says of everybody who has, or may get, leads; as of ``now``."""

    now: datetime
    standings: Mapping[str, RepStanding]
    loads: Mapping[str, Load]
    turns: Mapping[str, JsonObject]  # of each pool: ``assignment.rotation.PoolState`` as JSON
    away: Sequence[SaidAbsence]


@dataclass(frozen=True)
class Cap:
    """How much of what a rep may take they have: ``count`` of at most ``most``, ``what`` for."""

    what: str
    count: int
    most: int


@dataclass(frozen=True)
class PoolTurns:
    """A rep's turns in a pool since the last change of who can take leads, beside their weight's share of all.
    ``given_back`` of them are to be filled again; below zero: are to go by."""

    pool: str
    weight: int
    due: Due
    given_back: int = 0


@dataclass(frozen=True)
class TeamRow:
    """A rep. ``away`` says why they get no leads now, also by a cap; ``left``: the playbook has them no more."""

    rep: str
    standing: RepStanding
    away: Hindrance | None
    full: Hindrance | None
    left: bool
    caps: Sequence[Cap]
    turns: Sequence[PoolTurns]
    recent: RepSpeed | None
    before: RepSpeed | None
    weeks: Sequence[RepSpeed] = field(default=())

    @property
    def kept(self) -> Share:
        return _share(self.recent)

    @property
    def kept_before(self) -> Share:
        return _share(self.before)

    @property
    def trend(self) -> tuple[str, str] | None:
        """How the median compares with the weeks before, in words, and whether that is good, bad or neither."""
        now, was = (None if each is None else each.p50 for each in (self.recent, self.before))
        if now is None or was is None:
            return None
        if abs(now - was) < max(60.0, was * 0.05):
            return "as fast as before", "same"
        return (
            (f"{format_span(was - now)} faster", "good") if now < was else (f"{format_span(now - was)} slower", "bad")
        )


def list_reps(actor: Actor, playbook: Playbook) -> frozenset[str] | None:
    """The reps whose work ``actor`` may look at: those of their team; None for everybody's."""
    scope = find_scope(actor, Permission.READ_TEAM)
    return None if scope is Scope.ALL else actor.reps if scope is Scope.TEAM else frozenset()


def read_team_now(ledger: Ledger, playbook: Playbook, now: datetime) -> TeamNow:
    """Of everybody, in one snapshot."""
    with ledger.snapshot() as connection:
        standings = {row.owner: row for row in read_standings(connection, now)}
        loads = _read_loads(connection, standings, playbook, now)
        return TeamNow(now, standings, loads, _read_turns(connection), absences.read_absences(connection, now))


def _read_loads(
    connection: Connection, standings: Mapping[str, RepStanding], playbook: Playbook, now: datetime
) -> dict[str, Load]:
    recent = assignments.count_recent_leads(connection, find_midnights(playbook, now), find_mondays(playbook, now))
    return {rep: Load(standings.get(rep, _NOTHING).open, today, week) for rep, (today, week) in recent.items()}


def _read_turns(connection: Connection) -> dict[str, JsonObject]:
    return {pool: stored.state or {} for pool, stored in pools.read_stored_turns(connection).items()}


def build_rows(
    team: TeamNow, speeds: Sequence[RepSpeed], playbook: Playbook, reps: Collection[str] | None
) -> list[TeamRow]:
    """A row for each of ``reps``; None: all, with those who have left the playbook and still have leads.

    Who has most overdue leads comes first.
    """
    known = {rep.name: rep for rep in playbook.reps}
    shown = [*known, *sorted(team.standings.keys() - known.keys())]
    availability = Availability(add_absences(playbook, team.away), team.loads, team.now)
    rows = [
        _build_row(name, known.get(name), team, speeds, playbook, availability)
        for name in shown
        if reps is None or name in reps
    ]
    return sorted(rows, key=lambda row: (-row.standing.overdue, -row.standing.open, row.rep))


def _build_row(
    name: str,
    rep: Rep | None,
    team: TeamNow,
    speeds: Sequence[RepSpeed],
    playbook: Playbook,
    availability: Availability,
) -> TeamRow:
    recent, before, weeks = list_speeds_of(name, speeds)
    away = None if rep is None else availability.absent[name]
    hindered = None if rep is None else availability.hindered[name]
    return TeamRow(
        rep=name,
        standing=team.standings.get(name, _NOTHING),
        away=away,
        full=hindered if away is None else None,
        left=rep is None,
        caps=() if rep is None else _list_caps(rep, team.loads.get(name, Load())),
        turns=_list_turns(name, team.turns, playbook),
        recent=recent,
        before=before,
        weeks=weeks,
    )


def _list_caps(rep: Rep, load: Load) -> list[Cap]:
    caps = [
        ("open", load.open, rep.max_open),
        ("today", load.today, rep.max_per_day),
        ("this week", load.week, rep.max_per_week),
    ]
    return [Cap(what, count, most) for what, count, most in caps if most is not None]


def _list_turns(rep: str, states: Mapping[str, JsonObject], playbook: Playbook) -> list[PoolTurns]:
    found = []
    for pool in playbook.pools:
        member = next((member for member in pool.members if member.rep == rep), None)
        if member is None:
            continue
        state = states.get(pool.name, {})
        dues = compute_dues(_read_counts(state, "turns"), _read_counts(state, "weights"))
        given_back = _read_counts(state, "given_back").get(rep, 0)
        found.append(PoolTurns(pool.name, member.weight, dues.get(rep, Due(0, 0.0)), given_back))
    return found


def _read_counts(state: JsonObject, name: str) -> dict[str, int]:
    counts = state.get(name)
    if not isinstance(counts, dict):
        return {}
    return {rep: int(count) for rep, count in counts.items() if isinstance(count, int)}


def _share(speed: RepSpeed | None) -> Share:
    return compute_kept_share({"kept": speed.kept, "missed": speed.missed} if speed else {"kept": 0, "missed": 0})
