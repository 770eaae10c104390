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
- equal deadlines go to the rep who is owed more, then in the order of the pool's members.

A turn may be **given back**, when the playbook says so of the reason with which its lead was returned. It is not taken
out of the counts, which would leave a rep several leads away from the share at once: the next lead that the rep can
take fills it again, and moves no count. So the counts, and the bound, are those of the leads that were kept. Where a
return is undone whose turn was filled already, the rep has a lead too many: the next turn of theirs goes by.

Two choices of a pool build on the same counts:

- **catching up**: what an absent member misses is counted, up to ``MOST_MISSED`` leads. Back again, they sit with
  twice their weight, and every second of their leads is a missed one, until none is left. So they never get more
  than twice their share, which the bound guarantees of any weight;
- **by open leads**: the next lead goes to the rep who would have the fewest open ones for their weight. Somebody new
  has none, and would get every lead until they are level; so nobody takes a turn who has more than twice their
  share of the epoch's turns already. There always is somebody, because the turns sum to the shares.

All of it is integer arithmetic, so that two machines never disagree.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import lcm
from typing import Final, Literal

from leadgate.values.json_types import JsonObject, JsonValue, as_object

Order = Literal["turns", "open_leads"]

#: What is owed is counted in millionths of a lead: whole numbers, which never drift or grow long.
LEAD: Final = 1_000_000
#: No more than this is carried from one epoch to the next, in either direction.
MOST_OWED: Final = 2 * LEAD
#: No more than this is caught up on after an absence.
MOST_MISSED: Final = 20 * LEAD

_EACH: Final = ("weights", "turns", "owed", "taken", "away", "missed", "given_back", "passed")
_LOWEST: Final = {"weights": 1, "owed": -MOST_OWED, "away": 1, "given_back": -1_000_000}


@dataclass(frozen=True, slots=True)
class PoolState:
    """What a pool remembers. Never changed in place: ``Rotation`` makes the next one.

    ``weights`` and ``turns`` are of this epoch: who is eligible, and how many turns each has had in it.
    ``owed`` is carried over from the epochs before, in millionths of a lead. ``taken`` counts all turns
    that each rep has ever had here; its sum equals the assignments that took a turn. ``away`` are the weights
    of members who miss this epoch's turns and may catch up, ``missed`` what they have missed by its beginning,
    in millionths of a lead. ``order`` is how this epoch's turns are given out. ``given_back`` are turns that are to be
    filled again, below zero those that are to go by, and ``passed`` counts those that went by.
    """

    epoch: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)
    owed: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)
    away: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)
    order: Order = "turns"
    given_back: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """Turns handed out in this epoch."""
        return sum(self.turns.values())

    @property
    def total(self) -> int:
        """Turns handed out ever."""
        return sum(self.taken.values())

    def to_dict(self) -> JsonObject:
        """Plain JSON values; the order of keys carries no meaning, so PostgreSQL's jsonb may keep it."""
        chosen: dict[str, JsonValue] = {
            "away": dict(self.away),
            "missed": dict(self.missed),
            "given_back": dict(self.given_back),
            "passed": dict(self.passed),
        }
        if self.order != "turns":
            chosen["order"] = self.order
        kept: dict[str, JsonValue] = {
            "epoch": self.epoch,
            "weights": dict(self.weights),
            "turns": dict(self.turns),
            "owed": dict(self.owed),
            "taken": dict(self.taken),
        }
        return kept | {name: value for name, value in chosen.items() if value}

    @classmethod
    def from_dict(cls, stored: JsonObject) -> PoolState:
        """The state that ``to_dict`` wrote; ``{}`` is a pool that never had a turn.

        ``ValueError`` when it is something else: a damaged count must not decide who gets leads.
        """
        unknown = stored.keys() - {"epoch", "order", *_EACH}
        if unknown:
            raise ValueError(f"a pool's state has no {', '.join(sorted(unknown))}")
        counts = {name: _counts(name, stored.get(name, {})) for name in _EACH}
        if counts["weights"].keys() != counts["turns"].keys():
            raise ValueError("a pool's weights and turns must name the same reps")
        epoch = stored.get("epoch", 0)
        if not isinstance(epoch, int) or not _is_whole(epoch, 0):
            raise ValueError(f"a pool's epoch must be a whole number from 0, not {epoch!r}")
        order = stored.get("order", "turns")
        if order not in ("turns", "open_leads"):
            raise ValueError(f"a pool's turns go by 'turns' or 'open_leads', not {order!r}")
        return cls(epoch=epoch, order="open_leads" if order == "open_leads" else "turns", **counts)


def _counts(name: str, stored: JsonValue) -> dict[str, int]:
    """Counts by rep. Raises ``ValueError`` for anything else."""
    lowest, values = _LOWEST.get(name, 0), as_object(stored)
    counts = {rep: each for rep, each in values.items() if isinstance(each, int) and _is_whole(each, lowest)}
    if values is not stored or len(counts) < len(values):
        raise ValueError(f"a pool's {name} must be whole numbers from {lowest} by rep, not {stored!r}")
    return counts


def _is_whole(value: int, lowest: int) -> bool:
    return not isinstance(value, bool) and value >= lowest


class Rotation:
    """A pool's turns while a batch is being assigned.

    Say who is eligible with ``seat``, ask who is ``next_in_turn``, and ``take`` the turn; ``state`` is what to keep.
    """

    def __init__(self, state: PoolState) -> None:
        self._epoch = state.epoch
        self._owed = dict(state.owed)
        self._taken = dict(state.taken)
        self._away = dict(state.away)
        self._missed = dict(state.missed)
        self._given_back = dict(state.given_back)
        self._passed = dict(state.passed)
        self._order: Order = state.order
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
        self._by_deadline = sorted(self._compute_deadline(rep) for rep in weights)

    def _compute_deadline(self, rep: str) -> tuple[int, int, int, str]:
        """Sorts by ``(n + 1) / w``, then who is owed more, then the pool's order."""
        step = self._step[rep]
        return (self._turns[rep] + 1) * step, -self._owed.get(rep, 0), self._place[rep], rep

    def seat(self, eligible: Mapping[str, int], away: Mapping[str, int] | None = None, order: Order = "turns") -> None:
        """Who is eligible, with weights, in the order of the pool's members. A change starts an epoch.

        ``away`` are members who are not eligible, and catch up later on what they miss, by the same weights.
        """
        away = away or {}
        if eligible == self._weights and away == self._away and order == self._order:
            if list(eligible) != list(self._weights):  # only the order, which decides ties: the epoch goes on
                self._sit(eligible, self._turns)
            return
        if self._order == "turns":  # the other order owes nobody a turn
            for rep, weight in self._weights.items():
                owed = self._owed.get(rep, 0) + self._compute_share(weight, self.weight) - self._turns[rep] * LEAD
                self._owed[rep] = max(-MOST_OWED, min(MOST_OWED, owed))
        everybody = self.weight + sum(self._away.values())
        for rep, weight in self._away.items():
            missed = self._missed.get(rep, 0) + self._compute_share(weight, everybody)
            self._missed[rep] = min(MOST_MISSED, missed)
        self._epoch += 1
        self._away, self._order = dict(away), order
        self._sit(eligible, {})

    def _compute_share(self, weight: int, everybody: int) -> int:
        """What a weight's share of this epoch's turns is, in millionths of a lead, rounded."""
        return (2 * weight * self.position * LEAD + everybody) // (2 * everybody) if everybody else 0

    @property
    def epoch(self) -> int:
        return self._epoch

    def turns(self, rep: str) -> int:
        """Turns of ``rep`` in this epoch."""
        return self._turns.get(rep, 0)

    def owed(self, rep: str) -> int:
        """What ``rep`` was owed when the epoch began, in millionths of a lead."""
        return self._owed.get(rep, 0)

    def is_catching_up(self, rep: str) -> bool:
        """Whether ``rep`` has missed a whole lead or more that is not made up for."""
        return self._missed.get(rep, 0) >= LEAD

    def given_back(self, rep: str) -> int:
        """Turns of ``rep`` that are to be filled again; below zero, that are to go by."""
        return self._given_back.get(rep, 0)

    def find_given_back(self, passed_over: Collection[str] = ()) -> str | None:
        """The rep with the most turns to be filled again, the earliest of the pool among equals, or None."""
        left = [rep for rep in self._weights if self.given_back(rep) > 0 and rep not in passed_over]
        return max(left, key=self.given_back, default=None)

    def pass_turns(self, passed_over: Collection[str] = ()) -> None:
        """Let the turns go by of those whose turn it is and who have a lead too many."""
        while (rep := self.find_next_in_turn(passed_over)) is not None and self.given_back(rep) < 0:
            self._move(rep)
            self._given_back[rep] += 1
            self._passed[rep] = self._passed.get(rep, 0) + 1

    def find_next_in_turn(self, passed_over: Collection[str] = ()) -> str | None:
        """Whose turn it is, or None when nobody is left.

        ``passed_over`` reps do not get this one turn: it goes to the next by deadline, and theirs stays
        due, because their count has not moved. When all who may take a turn by now are passed over, the
        earliest deadline among the others is next, at the price of being early.
        """
        if self.position == 0:
            return self._find_first(passed_over)
        limit = self._multiple * (self.position + 1)
        early = None
        for deadline, _, _, rep in self._by_deadline:
            if rep in passed_over:
                continue
            if (deadline - self._step[rep]) * self.weight < limit:  # n * W < w * (t + 1)
                return rep
            early = early or rep
        return early

    def find_lightest(self, open_leads: Mapping[str, int], passed_over: Collection[str] = ()) -> str | None:
        """Who would have the fewest open leads for their weight; of equals, the one with fewer turns of the epoch.

        A rep who has more than twice their share of the turns is passed over, unless nobody else is left.
        """
        left = [rep for rep in self._weights if rep not in passed_over]
        paced = [rep for rep in left if self._turns[rep] * self.weight <= 2 * self._weights[rep] * self.position]

        def load(rep: str) -> tuple[int, int, int]:
            step = self._step[rep]
            return (open_leads[rep] + 1) * step, self._turns[rep] * step, self._place[rep]

        return min(paced or left, key=load, default=None)

    def _find_first(self, passed_over: Collection[str]) -> str | None:
        left = [rep for rep in self._weights if rep not in passed_over]
        # the earliest of equals, because max keeps the first
        return max(left, key=lambda rep: self.owed(rep) * self.weight + self._weights[rep] * LEAD, default=None)

    def take_given_back(self, rep: str) -> None:
        """``rep`` fills a turn that was given back: the lead counts as taken, and the turns stay as they are."""
        self._given_back[rep] -= 1
        self._taken[rep] = self._taken.get(rep, 0) + 1

    def _move(self, rep: str) -> None:
        self._by_deadline.remove(self._compute_deadline(rep))
        self._turns[rep] += 1
        insort(self._by_deadline, self._compute_deadline(rep))
        self.position += 1

    def take(self, rep: str) -> None:
        """``rep``, who must be eligible, takes a turn."""
        self._move(rep)
        self._taken[rep] = self._taken.get(rep, 0) + 1
        if self.is_catching_up(rep):
            self._missed[rep] -= LEAD // 2  # twice the weight: every second lead is a missed one

    def state(self) -> PoolState:
        return PoolState(
            epoch=self._epoch,
            weights=dict(self._weights),
            turns=dict(self._turns),
            owed=dict(self._owed),
            taken=dict(self._taken),
            away=dict(self._away),
            missed={rep: missed for rep, missed in self._missed.items() if missed},
            order=self._order,
            given_back={rep: turns for rep, turns in self._given_back.items() if turns},
            passed=dict(self._passed),
        )
