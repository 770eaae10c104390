"""A pool while a batch is assigned: whose turn it is, and why every other member was passed over.

Belongs here: putting the pool's rotation and the reps' availability together for one lead, and the
evidence of it. Does not belong here: the order of turns (``turns``), caps and absences (``roster``), and
what follows when nobody can take the lead (``routing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from leadgate.playbook import Pool
from leadgate.roster import Roster
from leadgate.turns import LEAD, PoolState, Rotation

HAD_IT: Final = "had the lead before"
_NEXT: Final = "next in turn"
_NOT_THIS_TIME: Final = "another's turn"


class Trail:
    """What has been considered for one lead so far."""

    __slots__ = ("available_later", "candidates", "excluded", "why")

    def __init__(self, excluded: Sequence[str]) -> None:
        self.excluded = excluded
        self.candidates: list[str] = []  # each a JSON object
        self.why: list[str] = []
        self.available_later = False  # somebody was passed over for a reason that passes

    def told(self) -> tuple[str, str]:
        """The candidates as JSON, and the way to the decision in plain words."""
        return f"[{','.join(self.candidates)}]", " ".join(self.why)


class Seats:
    """A pool while a batch is assigned: its rotation, and each member as a candidate.

    A member's line of evidence changes only with their availability and around their own turns. So the
    lines are kept as JSON text, and a lead costs two of them, however large the pool.
    """

    def __init__(self, pool: Pool, state: PoolState, roster: Roster) -> None:
        for member in pool.members:
            roster.check(member.rep, f"pool {pool.name}")
        self.pool = pool
        self.rotation = Rotation(state)
        self.stale = True  # somebody's availability has changed since the last look
        self.drawn = False  # a turn was taken
        self._roster = roster
        self._weights = {member.rep: member.weight for member in pool.members}
        self._eligible: dict[str, int] = {}
        self._seated = False
        self._lines: dict[str, str] = {}
        self._last: str | None = None  # who had the last turn, and still has the line that says so

    def draw(self, trail: Trail) -> str | None:
        """Takes a turn for this lead, and says who was considered; None, and no turn, when nobody can."""
        if self.stale:
            self._look()
        had_it = set(trail.excluded).intersection(self._weights) if trail.excluded else set()
        rep = self._next(had_it, trail) if self._eligible.keys() - had_it else None
        if had_it:
            lines = {**self._lines, **{each: self._line(each, HAD_IT, eligible=False) for each in had_it}}
            trail.candidates += lines.values()
            trail.why.append(f"Passed over, because they had the lead before: {', '.join(sorted(had_it))}.")
        else:
            trail.candidates += self._lines.values()
        if rep is not None:
            self.rotation.take(rep)
            self.drawn = True
        elif len(had_it) < len(self._weights):
            trail.available_later = True
        return rep

    def _look(self) -> None:
        hindered = self._roster.hindered
        self._eligible = {rep: weight for rep, weight in self._weights.items() if hindered[rep] is None}
        self._lines = {
            rep: self._line(rep, hindered[rep] or _NOT_THIS_TIME, eligible=hindered[rep] is None)
            for rep in self._weights
        }
        self._last = None
        self.stale = self._seated = False

    def _line(self, rep: str, reason: str, *, eligible: bool = True) -> str:
        # turns are of an epoch, and somebody who is not eligible has no part in it
        turns = self.rotation.turns(rep) if eligible else None
        return candidate(rep, reason, eligible=eligible, pool=self.pool.name, turns=turns, weight=self._weights[rep])

    def _next(self, had_it: set[str], trail: Trail) -> str | None:
        rotation, pool = self.rotation, self.pool.name
        if not self._seated:  # only now, because an epoch begins with a turn and not with a look
            rotation.seat(self._eligible)
            self._lines |= {rep: self._line(rep, _NOT_THIS_TIME) for rep in self._eligible}
            self._seated = True
        if self._last is not None:
            self._lines[self._last] = self._line(self._last, _NOT_THIS_TIME)
        rep = rotation.whose(had_it)
        if rep is None:
            return None
        self._lines[rep] = self._line(rep, _NEXT)
        self._last = rep
        share = f"at weight {self._weights[rep]} of {rotation.weight}"
        if rotation.position:
            turns = f"{rotation.turns(rep)} of {rotation.position} turns"
            trail.why.append(f"{rep} is next in pool {pool}, with {turns} {share}.")
        else:
            owed = f", owed {rotation.owed(rep) / LEAD:.2f} leads from before" if rotation.owed(rep) > 0 else ""
            trail.why.append(f"{rep} has the first turn among those available in pool {pool}, {share}{owed}.")
        return rep


def candidate(
    rep: str,
    reason: str,
    *,
    eligible: bool,
    pool: str | None = None,
    turns: int | None = None,
    weight: int | None = None,
) -> str:
    """One line of the evidence, as JSON. A rep who is named rather than drawn has no pool, turns or weight."""
    line: dict[str, Any] = {
        "rep": rep,
        "eligible": eligible,
        "reason": reason,
        "pool": pool,
        "turns": turns,
        "weight": weight,
    }
    return orjson.dumps(line).decode()
