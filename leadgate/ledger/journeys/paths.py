"""Which handoffs of a journey may follow one another: what the table of transitions says, read along a path.

Belongs here: what follows from the table, as data. Does not belong here: the table (``transitions``), or comparing it
with what is recorded (``verify.paths``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from leadgate.ledger.journeys.transitions import TRANSITIONS, Place, Transition
from leadgate.vocabulary import HandoffOutcome, JourneyStatus, StageName


class Step(NamedTuple):
    """A handoff: the stage that is left, and as what."""

    stage: StageName
    outcome: HandoffOutcome


class Pair(NamedTuple):
    """Two handoffs of a journey, one after the other. ``rerun``: the second is of a later generation.

    The first handoff of a journey follows none.
    """

    before: Step | None
    after: Step
    rerun: bool


def _follow(place: Place, transition: Transition) -> Iterator[Place]:
    """Where the transition leads from ``place``."""
    return (after for before, after in transition.moves if before == place)


def _find_next_steps(start: Place, *, rerun: bool) -> Iterator[tuple[Step, bool]]:
    """The handoffs that may come next for a journey which stands at ``start``, each with whether it is a rerun."""
    seen = {(start, rerun)}
    waiting = [(start, rerun)]
    while waiting:
        place, later = waiting.pop()
        for transition in TRANSITIONS:
            for after in _follow(place, transition):
                here = (after, later or transition.generations > 0)
                if transition.handoff is not None:
                    yield Step(place[1], transition.handoff), later
                elif transition.assigned is not None:
                    yield Step(StageName.ASSIGNMENT, transition.assigned), True
                elif here not in seen:
                    seen.add(here)
                    waiting.append(here)


def _find_pairs() -> Iterator[Pair]:
    for transition in TRANSITIONS:
        for before, after in transition.moves:
            rerun = transition.generations > 0
            if before is None:
                yield from (Pair(None, step, later) for step, later in _find_next_steps(after, rerun=rerun))
            elif transition.handoff is not None:
                left = Step(before[1], transition.handoff)
                if transition.assigned is not None:
                    yield Pair(left, Step(StageName.ASSIGNMENT, transition.assigned), True)
                else:
                    yield from (Pair(left, step, later) for step, later in _find_next_steps(after, rerun=rerun))


#: All pairs that the table allows.
PAIRS: Final = frozenset(_find_pairs())

#: The last handoff of a journey that has run once, and the status that it has then.
ENDS: Final[frozenset[tuple[Step, JourneyStatus]]] = frozenset(
    (Step(before[1], transition.handoff), after[0])
    for transition in TRANSITIONS
    if transition.handoff is not None and not transition.generations
    for before, after in transition.moves
    if before is not None
)
