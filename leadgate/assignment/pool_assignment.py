"""A pool while a batch is assigned: whose turn it is, and why every other member was passed over.

Belongs here: putting the pool's rotation, the reps' availability and what suits the lead together for one lead,
and the evidence of it. Does not belong here: the order of turns (``rotation``), caps, absences and hours
(``availability``), languages and skills (``skill_match``), and what follows when nobody can take the lead
(``routing``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from leadgate.assignment.availability import RAMP_STEPS, Availability, Hindrance
from leadgate.assignment.rotation import LEAD, PoolState, Rotation
from leadgate.assignment.skill_match import NO_MISMATCH, NO_REQUIREMENTS, Requirements, SkillMatch
from leadgate.json_columns import CandidateLine
from leadgate.playbook import Pool

HAD_IT: Final = "had the lead before"
_FILLING: Final = "fills a turn that was given back"
#: When a lead is tried again where nobody knows when somebody is back: an open lead may end at any time.
TRY_AGAIN: Final = timedelta(hours=1)
_WORDS: Final = {
    "turns": ("next in turn", "another's turn"),
    "open_leads": ("fewest open leads for their weight", "more open leads for their weight"),
}


class DecisionTrace:
    """What has been considered for one lead so far."""

    __slots__ = ("available_later", "candidates", "excluded", "pointer", "requirements", "why")

    def __init__(self, excluded: Sequence[str], requirements: Requirements = NO_REQUIREMENTS) -> None:
        self.excluded = excluded
        self.requirements = requirements
        self.candidates: list[str] = []  # each a JSON object
        self.why: list[str] = []
        self.available_later = False  # somebody was passed over for a reason that passes
        self.pointer: str | None = None  # how the pool's turns moved, a JSON object

    def describe(self) -> tuple[str, str]:
        """The candidates as JSON, and the way to the decision in plain words."""
        return f"[{','.join(self.candidates)}]", " ".join(self.why)


class PoolAssignment:
    """A pool while a batch is assigned: its rotation, and each member as a candidate.

    A member's line of evidence changes only with their availability and around their own turns. So the
    lines are kept as JSON text, and a lead costs two of them, however large the pool.
    """

    def __init__(self, pool: Pool, state: PoolState, availability: Availability) -> None:
        for member in pool.members:
            availability.check(member.rep, f"pool {pool.name}")
        self.pool = pool
        self.rotation = Rotation(state)
        self.stale = True  # somebody's availability has changed since the last look
        self.drawn = False  # a turn was taken
        self._availability = availability
        self._skill_match = SkillMatch(pool, [availability.rep(member.rep) for member in pool.members])
        self._next_words, self._other_words = _WORDS[pool.order]
        self._scale, self._weights = self._compute_weights()
        self._outside: dict[str, Hindrance | None] | None = None
        self._hindered: dict[str, Hindrance] = {}
        self._backs: dict[frozenset[str], datetime | None] = {}
        self._eligible: dict[str, int] = {}
        self._away: dict[str, int] = {}
        self._seated = False
        self._lines: dict[str, str] = {}
        self._filling = False  # the turn at hand was given back, and is filled again
        self._last: str | None = None  # who had the last turn, and still has the line that says so

    def draw(self, trace: DecisionTrace) -> str | None:
        """Takes a turn for this lead, and says who was considered; None, and no turn, when nobody can."""
        if self.stale:
            self._look()
        had_it = set(trace.excluded).intersection(self._weights) if trace.excluded else set()
        has_requirements = trace.requirements is not NO_REQUIREMENTS
        mismatch = self._skill_match.find_mismatch(trace.requirements) if has_requirements else NO_MISMATCH
        if not had_it and not mismatch.must_not and not mismatch.rather_not:
            rep = self._find_next((), trace) if self._eligible else None
            trace.candidates += self._lines.values()
        else:
            must_not = {**mismatch.must_not, **dict.fromkeys(had_it, HAD_IT)}
            left = self._eligible.keys() - must_not.keys()
            better = left - mismatch.rather_not.keys()
            rather_not = {r: why for r, why in mismatch.rather_not.items() if r in left} if better else {}
            rep = self._find_next(must_not.keys() | rather_not.keys(), trace) if left else None
            lines = {each: self._format_line(each, why, eligible=False) for each, why in must_not.items()}
            lines |= {each: self._format_line(each, f"{why}, and others do") for each, why in rather_not.items()}
            trace.candidates += {**self._lines, **lines}.values()
            if had_it:
                trace.why.append(f"Passed over, because they had the lead before: {', '.join(sorted(had_it))}.")
            if others := (must_not.keys() | rather_not.keys()) - had_it:
                trace.why.append(f"Passed over, because they do not suit the lead: {', '.join(sorted(others))}.")
        if rep is not None:
            self._take(rep, trace)
        elif had_it.union(mismatch.must_not) < self._weights.keys():
            trace.available_later = True
        return rep

    def back(self, trace: DecisionTrace) -> datetime | None:
        """When the first of those who were passed over for a reason that passes can take a lead again, if any was."""
        never = frozenset(trace.excluded).union(self._skill_match.find_mismatch(trace.requirements).must_not)
        if never not in self._backs:
            availability = self._availability
            moments = [availability.back(rep, self.pool) for rep in self._weights if rep not in never]
            self._backs[never] = min((moment or availability.now + TRY_AGAIN for moment in moments), default=None)
        return self._backs[never]

    def _compute_weights(self) -> tuple[int, dict[str, int]]:
        """The members' weights, and what they are multiplied by: ``RAMP_STEPS`` while somebody ramps up."""
        shares = {member.rep: self._availability.share(member.rep) for member in self.pool.members}
        scale = RAMP_STEPS if any(share < RAMP_STEPS for share in shares.values()) else 1
        return scale, {m.rep: m.weight * shares[m.rep] * scale // RAMP_STEPS for m in self.pool.members}

    def _look(self) -> None:
        if self._outside is None:
            self._outside = {rep: self._availability.find_hours_hindrance(rep, self.pool) for rep in self._weights}
        hindered = {rep: self._availability.hindered[rep] or self._outside[rep] for rep in self._weights}
        self._hindered = {rep: why for rep, why in hindered.items() if why is not None}
        self._weigh()
        self._lines = {
            rep: self._format_line(rep, hindrance.reason, eligible=False)
            if (hindrance := hindered[rep]) is not None
            else self._format_line(rep, self._other_words)
            for rep in self._weights
        }
        self._last = None
        self._backs.clear()
        self.stale = self._seated = False

    def _weigh(self) -> None:
        weights, self._away = self._weights, {}
        if self.pool.on_return == "catch_up":
            weights = {rep: w * (2 if self.rotation.is_catching_up(rep) else 1) for rep, w in weights.items()}
            self._away = {rep: w for rep, w in self._weights.items() if rep in self._availability.on_leave}
        self._eligible = {rep: weight for rep, weight in weights.items() if rep not in self._hindered}

    def _format_line(self, rep: str, reason: str, *, eligible: bool = True) -> str:
        # turns are of an epoch, and somebody who is not eligible has no part in it
        turns = self.rotation.turns(rep) if eligible else None
        weight = self._unscale(self._eligible.get(rep, self._weights[rep]))
        return format_candidate(rep, reason, eligible=eligible, pool=self.pool.name, turns=turns, weight=weight)

    def _unscale(self, weight: int) -> float:
        """A weight as the playbook writes it, whatever it is multiplied by."""
        return weight // self._scale if weight % self._scale == 0 else weight / self._scale

    def _find_next(self, passed_over: Collection[str], trace: DecisionTrace) -> str | None:
        rotation, pool = self.rotation, self.pool.name
        if not self._seated:  # only now, because an epoch begins with a turn and not with a look
            rotation.seat(self._eligible, self._away, self.pool.order)
            if self.pool.on_return == "catch_up":  # what somebody missed is known once that epoch has ended
                self._weigh()
                rotation.seat(self._eligible, self._away, self.pool.order)
            self._lines |= {rep: self._format_line(rep, self._other_words) for rep in self._eligible}
            self._seated = True
        if self._last is not None:
            self._lines[self._last] = self._format_line(self._last, self._other_words)
        self._filling = False
        if self.pool.order == "open_leads":
            rep = rotation.find_lightest({each: self._availability.open(each) for each in self._eligible}, passed_over)
        elif (rep := rotation.find_given_back(passed_over)) is not None:
            self._filling = True
        else:
            rotation.pass_turns(passed_over)
            rep = rotation.find_next_in_turn(passed_over)
        if rep is None:
            return None
        self._lines[rep] = self._format_line(rep, _FILLING if self._filling else self._next_words)
        self._last = rep
        if self._filling:
            trace.why.append(f"{rep} is next in pool {pool}: a turn that was given back is filled, and no turn moves.")
            return rep
        share = f"at weight {self._unscale(self._eligible[rep])} of {self._unscale(rotation.weight)}"
        if rotation.is_catching_up(rep) and self.pool.on_return == "catch_up":
            share += ", doubled to catch up after an absence"
        if self.pool.order == "open_leads":
            trace.why.append(
                f"{rep} has the fewest open leads for their weight in pool {pool}: "
                f"{self._availability.open(rep)} {share}."
            )
        elif rotation.position:
            turns = f"{rotation.turns(rep)} of {rotation.position} turns"
            trace.why.append(f"{rep} is next in pool {pool}, with {turns} {share}.")
        else:
            owed = f", owed {rotation.owed(rep) / LEAD:.2f} leads from before" if rotation.owed(rep) > 0 else ""
            trace.why.append(f"{rep} has the first turn among those available in pool {pool}, {share}{owed}.")
        return rep

    def _take(self, rep: str, trace: DecisionTrace) -> None:
        rotation = self.rotation
        position, turns, catching_up = rotation.position, rotation.turns(rep), rotation.is_catching_up(rep)
        if self._filling:
            left = rotation.given_back(rep)
            rotation.take_given_back(rep)
            self.drawn = True
            trace.pointer = (
                f'{{"epoch":{rotation.epoch},"position":[{position},{position}],"turns":[{turns},{turns}],'
                f'"given_back":[{left},{left - 1}]}}'
            )
            return
        rotation.take(rep)
        self.drawn = True
        if catching_up and not rotation.is_catching_up(rep):
            self.stale = True  # made up for what was missed: the weight is the usual one again
        trace.pointer = (
            f'{{"epoch":{rotation.epoch},"position":[{position},{position + 1}],"turns":[{turns},{turns + 1}]}}'
        )


def format_candidate(
    rep: str,
    reason: str,
    *,
    eligible: bool,
    pool: str | None = None,
    turns: int | None = None,
    weight: float | None = None,
) -> str:
    """One line of the evidence, as JSON. A rep who is named rather than drawn has no pool, turns or weight."""
    line: CandidateLine = {
        "rep": rep,
        "eligible": eligible,
        "reason": reason,
        "pool": pool,
        "turns": turns,
        "weight": weight,
    }
    return orjson.dumps(line).decode()


def describe_candidates(candidates: Sequence[CandidateLine]) -> str:
    """Why each candidate cannot take a lead: ``ana: absent until 2026-03-04; bob: reached 10 a day``."""
    return "; ".join(f"{line['rep']}: {line['reason']}" for line in candidates)
