"""Fair turns: whose turn it is in a pool, exactly, and what a pool remembers of it.

Belongs here: the order of turns among the reps who can take one, and the state it needs. Does not belong
here: who can take one (caps, absences) and what happens when nobody can (``routing``).

The order is by earliest deadline. After t turns, a rep of weight w with n of them (W is the weight of all)
may take the next one when ``n * W < w * (t + 1)``, and of those who may, the one with the smallest
``(n + 1) / w`` does. Every rep is then less than one lead away from ``t * w / W``, after each turn, for any
weights (the quota rule of R. Tijdeman, "The chairman assignment problem", 1980). Largest deficit, also
known as smooth weighted round robin, does not keep that.

A change of who is eligible, or of a weight, starts a new **epoch**: the counts restart at zero, so that
the bound holds inside every epoch by itself. Restarting alone would favour the same reps each time, which
adds up where caps start an epoch several times a day. So what each rep is owed from earlier epochs is
carried over, up to two leads either way, and spent where the bound leaves a choice:

- the first turn of an epoch goes to the largest of what is owed plus the share of one turn; the bound
  survives any first turn, because the other reps' demands up to any turn t are below t and whole, so at
  most t - 1, and each still has its first turn to come;
- equal deadlines go to whoever is owed more, then in the order of the pool's members.

All of it is integer arithmetic, so that two machines never disagree.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import lcm
from typing import Any, Final

#: What is owed is counted in millionths of a lead: whole numbers, which never drift or grow long.
LEAD: Final = 1_000_000
#: No more than this is carried from one epoch to the next, in either direction.
MOST_OWED: Final = 2 * LEAD


@dataclass(frozen=True, slots=True)
class PoolState:
    """What a pool remembers. Never changed in place: ``Rotation`` makes the next one.

    ``weights`` and ``turns`` are of this epoch: who is eligible, and how many turns each has had in it.
    ``owed`` is carried over from the epochs before, in millionths of a lead. ``taken`` counts all turns
    that each rep has ever had here; its sum equals the assignments that took a turn.
    """

    epoch: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)
    owed: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """Turns handed out in this epoch."""
        return sum(self.turns.values())

    @property
    def total(self) -> int:
        """Turns handed out ever."""
        return sum(self.taken.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the order of keys carries no meaning, so PostgreSQL's jsonb may keep it."""
        return {
            "epoch": self.epoch,
            "weights": dict(self.weights),
            "turns": dict(self.turns),
            "owed": dict(self.owed),
            "taken": dict(self.taken),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PoolState:
        """The state that ``to_dict`` wrote; ``{}`` is a pool that never had a turn.

        ``ValueError`` when it is something else: a damaged count must not decide who gets leads.
        """
        unknown = stored.keys() - {"epoch", "weights", "turns", "owed", "taken"}
        if unknown:
            raise ValueError(f"a pool's state has no {', '.join(sorted(unknown))}")
        counts = {name: stored.get(name, {}) for name in ("weights", "turns", "owed", "taken")}
        for name, values in counts.items():
            lowest = {"weights": 1, "owed": -MOST_OWED}.get(name, 0)
            if not isinstance(values, Mapping) or not all(_whole(each, lowest) for each in values.values()):
                raise ValueError(f"a pool's {name} must be whole numbers from {lowest} by rep, not {values!r}")
        if counts["weights"].keys() != counts["turns"].keys():
            raise ValueError("a pool's weights and turns must name the same reps")
        epoch = stored.get("epoch", 0)
        if not _whole(epoch, 0):
            raise ValueError(f"a pool's epoch must be a whole number from 0, not {epoch!r}")
        return cls(epoch=epoch, **{name: dict(values) for name, values in counts.items()})


def _whole(value: object, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


class Rotation:
    """A pool's turns while a batch is being assigned.

    Say who is eligible with ``seat``, ask ``whose`` turn it is, and ``take`` it; ``state`` is what to keep.
    """

    def __init__(self, state: PoolState) -> None:
        self._epoch = state.epoch
        self._owed = dict(state.owed)
        self._taken = dict(state.taken)
        self._sit(state.weights, state.turns)

    def _sit(self, weights: Mapping[str, int], turns: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._turns = {rep: turns.get(rep, 0) for rep in weights}
        self.weight = sum(weights.values())  #: of all who are eligible
        self.position = sum(self._turns.values())  #: turns handed out in this epoch
        # n / w in whole numbers: n times the step, out of the weights' common multiple
        self._multiple = lcm(*weights.values())
        self._step = {rep: self._multiple // weight for rep, weight in weights.items()}
        self._place = {rep: place for place, rep in enumerate(weights)}
        self._by_deadline = sorted(self._deadline(rep) for rep in weights)

    def _deadline(self, rep: str) -> tuple[int, int, int, str]:
        """Sorts by ``(n + 1) / w``, then who is owed more, then the pool's order."""
        step = self._step[rep]
        return (self._turns[rep] + 1) * step, -self._owed.get(rep, 0), self._place[rep], rep

    def seat(self, eligible: Mapping[str, int]) -> None:
        """Who is eligible, with weights, in the order of the pool's members. A change starts an epoch."""
        if eligible == self._weights:
            if list(eligible) != list(self._weights):  # only the order, which decides ties: the epoch goes on
                self._sit(eligible, self._turns)
            return
        for rep, weight in self._weights.items():
            share = (2 * weight * self.position * LEAD + self.weight) // (2 * self.weight)  # rounded
            owed = self._owed.get(rep, 0) + share - self._turns[rep] * LEAD
            self._owed[rep] = max(-MOST_OWED, min(MOST_OWED, owed))
        self._epoch += 1
        self._sit(eligible, {})

    def turns(self, rep: str) -> int:
        """Turns of ``rep`` in this epoch."""
        return self._turns.get(rep, 0)

    def owed(self, rep: str) -> int:
        """What ``rep`` was owed when the epoch began, in millionths of a lead."""
        return self._owed.get(rep, 0)

    def whose(self, passed_over: Collection[str] = ()) -> str | None:
        """Whose turn it is, or None when nobody is left.

        ``passed_over`` reps do not get this one turn: it goes to the next by deadline, and theirs stays
        due, because their count has not moved. When all who may take a turn by now are passed over, the
        earliest deadline among the others is next, at the price of being early.
        """
        if self.position == 0:
            return self._first(passed_over)
        limit = self._multiple * (self.position + 1)
        early = None
        for deadline, _, _, rep in self._by_deadline:
            if rep in passed_over:
                continue
            if (deadline - self._step[rep]) * self.weight < limit:  # n * W < w * (t + 1)
                return rep
            early = early or rep
        return early

    def _first(self, passed_over: Collection[str]) -> str | None:
        left = [rep for rep in self._weights if rep not in passed_over]
        # the earliest of equals, because max keeps the first
        return max(left, key=lambda rep: self.owed(rep) * self.weight + self._weights[rep] * LEAD, default=None)

    def take(self, rep: str) -> None:
        """``rep``, who must be eligible, takes a turn."""
        self._by_deadline.remove(self._deadline(rep))
        self._turns[rep] += 1
        insort(self._by_deadline, self._deadline(rep))
        self.position += 1
        self._taken[rep] = self._taken.get(rep, 0) + 1

    def state(self) -> PoolState:
        return PoolState(
            epoch=self._epoch,
            weights=dict(self._weights),
            turns=dict(self._turns),
            owed=dict(self._owed),
            taken=dict(self._taken),
        )
