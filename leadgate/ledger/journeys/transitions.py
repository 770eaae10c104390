"""What may become of a journey: from where to where, by whom, and what guards it.

Belongs here: the table, as data. Does not belong here: statements, which take status, stage and generation from the
table (``transition_sql``). ``docs/ledger.md`` shows the table; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from leadgate.vocabulary import HandoffOutcome, JourneyStatus, Outcome, StageName

#: A status and the stage at which the journey has it.
Place = tuple[JourneyStatus, StageName]
Move = tuple[Place | None, Place]  # from (None: the journey begins) and to

_READY, _HELD, _OWNED = JourneyStatus.READY, JourneyStatus.HELD, JourneyStatus.OWNED
_CAPTURE, _VALIDATION, _ENRICHMENT, _QUALIFICATION, _ASSIGNMENT, _FOLLOW_UP = StageName
#: The stages that a batch of intake takes a journey through.
INTAKE: Final = (_CAPTURE, _VALIDATION, _ENRICHMENT, _QUALIFICATION, _ASSIGNMENT)


@dataclass(frozen=True)
class Transition:
    """One way in which a journey changes. ``generations``: by how many it rises; ``handoff``: the outcome that is
    recorded of the stage which it leaves, if it leaves one; ``assigned``: the outcome that is recorded of assignment in
    the generation that follows, where the transition takes assignment's place."""

    name: str
    moves: frozenset[Move]
    by: str
    guard: str
    generations: int = 0
    handoff: HandoffOutcome | None = None
    assigned: HandoffOutcome | None = None

    @property
    def before(self) -> set[Place]:
        return {before for before, _ in self.moves if before is not None}

    @property
    def status(self) -> JourneyStatus:
        """The status afterwards; each transition has one."""
        (status,) = {after[0] for _, after in self.moves}
        return status

    @property
    def stage(self) -> StageName:
        """The stage afterwards, of a transition that leads to one stage from wherever it begins."""
        (stage,) = {after[1] for _, after in self.moves}
        return stage

    def find_stage_after(self, stage: StageName) -> StageName:
        """The stage after a move from ``stage``, where there is no choice."""
        (after,) = {after[1] for before, after in self.moves if before is not None and before[1] == stage}
        return after

    def can_move(self, before: Place | None, after: Place) -> bool:
        return (before, after) in self.moves


def _from(statuses: Iterable[JourneyStatus], stages: Iterable[StageName], *after: Place) -> frozenset[Move]:
    """From each status at each stage to each of ``after``."""
    stages = tuple(stages)
    return frozenset(((status, stage), each) for status in statuses for stage in stages for each in after)


def _stay_at(before: JourneyStatus, stages: Iterable[StageName], after: JourneyStatus) -> frozenset[Move]:
    return frozenset(((before, stage), (after, stage)) for stage in stages)


_AFTER_OWNED: Final = ((_READY, _ASSIGNMENT), (_HELD, _ASSIGNMENT), (_OWNED, _FOLLOW_UP))
_ENDED: Final = (JourneyStatus.NURTURE, JourneyStatus.DISQUALIFIED, JourneyStatus.DONE)

CAPTURE: Final = Transition(
    "capture",
    frozenset([(None, (_READY, _CAPTURE))]),
    "capture",
    "in the signal's own transaction; a signal is stored once",
)
RESCORE: Final = Transition(
    "rescore",
    frozenset([(None, (_READY, _QUALIFICATION))]),
    "a run",
    "there is news, or time has changed the score; the lead has no open journey, and its last one has ended",
)
RECYCLE: Final = Transition(
    "recycle",
    frozenset([(None, (_READY, _QUALIFICATION))]),
    "a run",
    "the time to come back has come; the lead has no open journey, and its last one is in nurture",
)
ENRICH: Final = Transition(
    "enrich",
    frozenset([(None, (_READY, _ENRICHMENT))]),
    "a run",
    "a provider can be asked that could not before; the lead has no open journey, and its last one is done or ended at "
    "qualification",
)
DUE: Final = Transition(
    "due",
    frozenset([(None, (_READY, _ENRICHMENT))]),
    "a run",
    "the time has come to look at the record again; nobody owns it, and no journey of it is under way",
)
CONTINUE: Final = Transition(
    "continue",
    frozenset(((_READY, stage), (_READY, stage.next)) for stage in INTAKE[:-1]),
    "a run",
    "the gate's promises are kept, or waived by a person",
    handoff=HandoffOutcome.CONTINUED,
)
OWN: Final = Transition(
    "own",
    frozenset([((_READY, _ASSIGNMENT), (_OWNED, _FOLLOW_UP))]),
    "a run",
    "with the assignment, the pool's turn and the message to the owner",
    handoff=HandoffOutcome.CONTINUED,
)
HOLD: Final = Transition(
    "hold",
    _stay_at(_READY, INTAKE, _HELD),
    "a run, the breaker, a deletion in a CRM",
    "behind an open work item",
    handoff=HandoffOutcome.HELD,
)
JOIN: Final = Transition(
    "join",
    _stay_at(_READY, [_VALIDATION], JourneyStatus.JOINED),
    "a run",
    "the person has an open journey: that lead gets one more signal, and its owner is told",
    handoff=HandoffOutcome.JOINED,
)
NURTURE: Final = Transition(
    "nurture",
    _stay_at(_READY, [_QUALIFICATION], JourneyStatus.NURTURE),
    "a run",
    "scored below, with the reasons",
    handoff=HandoffOutcome.NURTURE,
)
DISQUALIFY: Final = Transition(
    "disqualify",
    _stay_at(_READY, [_QUALIFICATION], JourneyStatus.DISQUALIFIED),
    "a run",
    "a rule of the playbook excludes the lead, with the reasons",
    handoff=HandoffOutcome.DISQUALIFIED,
)
STAY_QUALIFIED: Final = Transition(
    "stay qualified",
    _stay_at(_READY, [_QUALIFICATION], JourneyStatus.DONE),
    "a run",
    "was followed up before, is scored again and still qualified; or the record is closed",
    handoff=HandoffOutcome.DONE,
)
SUPERSEDE: Final = Transition(
    "supersede",
    _stay_at(_READY, INTAKE[1:], JourneyStatus.DONE) | _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.DONE),
    "a run, a deletion in a CRM",
    "a later update of the record is known, or took the journey's place, or the record is gone; an assignment ends",
    handoff=HandoffOutcome.DONE,
)
SUPERSEDE_HELD: Final = Transition(
    "supersede held",
    _stay_at(_HELD, INTAKE[1:], JourneyStatus.DISCARDED),
    "a run, a deletion in a CRM",
    "a later update of the record took the journey's place, or the record is gone; the work item is closed",
)
WAIT: Final = Transition(
    "wait",
    _stay_at(_READY, [_ASSIGNMENT], _READY),
    "a run",
    "nobody of the pool can take the lead, and the pool's policy is to wait: later",
)
FINISH: Final = Transition(
    "finish",
    _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.DONE),
    "a run",
    "a first touch, an acceptance or an outcome, by the playbook; the assignment ends",
    handoff=HandoffOutcome.DONE,
)
GO_STALE: Final = Transition(
    "go stale",
    _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.NURTURE),
    "a run",
    "nobody did anything for too long; the assignment ends",
    handoff=HandoffOutcome.NURTURE,
)
TAKE_BACK: Final = Transition(
    "take back",
    _from([_OWNED], [_FOLLOW_UP], (_READY, _ASSIGNMENT)),
    "a run",
    "a due time is missed or the lead is stale, by the playbook; the assignment ends",
    generations=1,
    handoff=HandoffOutcome.REASSIGNED,
)
RERUN: Final = Transition(
    "rerun",
    frozenset(
        ((_HELD, stage), (_READY, again))
        for stage in INTAKE
        for again in {_CAPTURE, _VALIDATION, stage}
        if INTAKE.index(again) <= INTAKE.index(stage)
    ),
    "a person, the breaker closing",
    "as it is, corrected, or with a promise waived; the work item is closed",
    generations=1,
)
APPROVE: Final = Transition(
    "approve",
    _from([_HELD], [_QUALIFICATION], (_READY, _ASSIGNMENT)),
    "a person",
    "qualified by hand: who, and the evidence; the work item is closed",
    generations=1,
)
DISCARD: Final = Transition(
    "discard",
    _stay_at(_HELD, INTAKE, JourneyStatus.DISCARDED),
    "a person",
    "with a reason; the work item is closed",
)
REJECT: Final = Transition(
    "reject",
    _from([_OWNED], [_FOLLOW_UP], (_READY, _ASSIGNMENT)),
    "the owner",
    "for a reason that the playbook sends to another owner; the assignment ends",
    generations=1,
    handoff=HandoffOutcome.REASSIGNED,
)
REJECT_TO_NURTURE: Final = Transition(
    "reject to nurture",
    _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.NURTURE),
    "the owner",
    "for a reason that the playbook sends to nurture; the assignment ends",
    handoff=HandoffOutcome.NURTURE,
)
REJECT_FOR_GOOD: Final = Transition(
    "reject for good",
    _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.DISQUALIFIED),
    "the owner",
    "for a reason that the playbook rules out; the assignment ends",
    handoff=HandoffOutcome.DISQUALIFIED,
)
REASSIGN: Final = Transition(
    "reassign",
    _stay_at(_OWNED, [_FOLLOW_UP], _OWNED),
    "a person",
    "the assignment ends, and another begins",
    generations=1,
    handoff=HandoffOutcome.REASSIGNED,
    assigned=HandoffOutcome.CONTINUED,
)
UNASSIGN: Final = Transition(
    "unassign",
    _from([_OWNED], [_FOLLOW_UP], (_HELD, _ASSIGNMENT)),
    "a person, a deletion in a CRM",
    "the assignment ends; behind a work item that asks who gets the lead, or whether it goes on",
    generations=1,
    handoff=HandoffOutcome.REASSIGNED,
    assigned=HandoffOutcome.HELD,
)
UNASSIGN_TO_NURTURE: Final = Transition(
    "unassign to nurture",
    _stay_at(_OWNED, [_FOLLOW_UP], JourneyStatus.NURTURE),
    "a person",
    "the assignment ends",
    handoff=HandoffOutcome.NURTURE,
)
UNJOIN: Final = Transition(
    "unjoin",
    _from([status for status in JourneyStatus if status not in (_HELD, _OWNED)], StageName, (_READY, _CAPTURE))
    | _from([_OWNED], [_FOLLOW_UP], (_READY, _CAPTURE)),
    "a person",
    "the signal was taken for another lead's",
    generations=1,
)
GIVE_BACK: Final = Transition(
    "give back",
    frozenset((before, (_OWNED, _FOLLOW_UP)) for before in (*_AFTER_OWNED, *((each, _FOLLOW_UP) for each in _ENDED))),
    "a person",
    "an undo, where nothing else has happened: the owner of before has the lead again",
    assigned=HandoffOutcome.CONTINUED,
)
HOLD_AGAIN: Final = Transition(
    "hold again",
    _stay_at(JourneyStatus.DISCARDED, INTAKE, _HELD),
    "a person",
    "an undo of discarding: the work item is open again",
)

HOLD_INSTEAD: Final = Transition(
    "hold instead",
    _stay_at(_HELD, INTAKE, _HELD),
    "a deletion in a CRM",
    "behind another work item; the one before is closed when it holds nothing else",
)

TRANSITIONS: Final = (
    CAPTURE, RESCORE, RECYCLE, ENRICH, DUE,
    CONTINUE, OWN, HOLD, JOIN, NURTURE, DISQUALIFY, STAY_QUALIFIED, WAIT, FINISH,
    GO_STALE, TAKE_BACK, RERUN, APPROVE, DISCARD, REJECT, REJECT_TO_NURTURE, REJECT_FOR_GOOD, REASSIGN, UNASSIGN,
    UNASSIGN_TO_NURTURE, UNJOIN, GIVE_BACK, HOLD_AGAIN,
    HOLD_INSTEAD, SUPERSEDE, SUPERSEDE_HELD,
)  # fmt: skip

#: What follows from each outcome of a stage, by the status that the stage works on; none: the journey stays as it is.
OF_OUTCOME: Final[Mapping[JourneyStatus, Mapping[Outcome, Transition | None]]] = {
    _READY: {
        Outcome.CONTINUE: CONTINUE,
        Outcome.OWNED: OWN,
        Outcome.HOLD: HOLD,
        Outcome.REVIEW: HOLD,
        Outcome.PARKED: HOLD,
        Outcome.JOINED: JOIN,
        Outcome.NURTURE: NURTURE,
        Outcome.DISQUALIFIED: DISQUALIFY,
        Outcome.DONE: STAY_QUALIFIED,
        Outcome.WAIT: WAIT,
        Outcome.SUPERSEDED: SUPERSEDE,
    },
    _OWNED: {
        Outcome.DONE: FINISH,
        Outcome.NURTURE: GO_STALE,
        Outcome.REASSIGN: TAKE_BACK,
        Outcome.STAY: None,
    },
}


def find_next_transition(stage: StageName) -> Transition:
    """The transition of a journey that simply goes on from ``stage``."""
    return OWN if stage == _ASSIGNMENT else CONTINUE


def find_handoff(transition: Transition) -> HandoffOutcome:
    """The outcome that is recorded of a transition which leaves a stage. Raises ``ValueError`` for another one."""
    if transition.handoff is None:
        raise ValueError(f"{transition.name} leaves no stage")
    return transition.handoff
