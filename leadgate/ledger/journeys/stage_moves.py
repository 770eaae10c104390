"""Moving the journeys of a batch on, as a stage decided: together, apart, or all of the rest held.

Belongs here: transitions of a run. Does not belong here: those of a person (``person_moves``), or the batch's lease
(``batches``). The caller has fenced the batch and locked its journeys.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk, handoffs
from leadgate.ledger.batches import Batch
from leadgate.ledger.faults import Conflict
from leadgate.ledger.journeys.transition_sql import note_moment, update
from leadgate.ledger.journeys.transitions import CONTINUE, HOLD, OF_OUTCOME, OWN, Transition, find_next_transition
from leadgate.vocabulary import HandoffOutcome, JourneyKind, JourneyStatus, Outcome, StageName

if TYPE_CHECKING:
    import pandas as pd


_MOVING_TYPES: Final = {
    # a key, because a batch's transactions rule out hash joins: without one, each is compared with the whole batch
    "journey_id": "bigint PRIMARY KEY",
    "version": "int",
    "next_stage": "text",
    "next_status": "text",
    "stays": "boolean",
    "lead_id": "bigint",
    "work_item_id": "bigint",
    "joined_to": "bigint",
    "run_after": "timestamptz",
    "generation": "int",
    "generations": "int",
    "start_stage": "text",
    "handoff": "text",
    "reason": "text",
}
#: Each journey of ``moving`` to the status and stage of its own transition, which ``_with_transitions`` has looked up.
_MOVE_APART: Final = f"""
    UPDATE journey j SET stage = m.next_stage, status = m.next_status, version = j.version + 1,
        lead_id = m.lead_id, work_item_id = m.work_item_id, joined_to = m.joined_to,
        run_after = coalesce(m.run_after, j.run_after), generation = m.generation,
        start_stage = coalesce(m.start_stage, j.start_stage),
        {note_moment("m.handoff IS NOT NULL")},
        batch_id = CASE WHEN m.stays THEN j.batch_id END
    FROM moving m WHERE j.id = m.journey_id AND j.version = m.version AND j.batch_id = :batch
        AND j.stage = :stage AND j.status = :status"""
_AT: Final = "j.batch_id = :batch AND j.stage = :stage"
#: What a journey that goes on sets beside its place: a lead has the number of its first journey. A record has a number
#: of its own (``records``).
_SUBJECT: Final = dict.fromkeys(JourneyKind, "record_id = j.record_id") | {
    JourneyKind.LEAD: "lead_id = coalesce(j.lead_id, j.id)"
}
_GO_ON: Final = {
    (kind, each): update(each, where=_AT, sets=f"stage = :next_stage, {subject}" if each is CONTINUE else subject)
    for kind, subject in _SUBJECT.items()
    for each in (CONTINUE, OWN)
}
_HOLD: Final = update(HOLD, where=_AT, sets="work_item_id = :item, batch_id = NULL")


def advance(
    connection: Connection,
    batch: Batch,
    *,
    stage: StageName,
    status: JourneyStatus,
    now: datetime,
    apart: pd.DataFrame,
    together: int,
) -> None:
    """Move the stage's journeys on and record the handoffs. Raises ``Conflict``: every row must match.

    ``apart`` has one row for each journey that does not simply go on: ``journey_id``, ``version``, ``generation``,
    ``outcome``, ``reason``, ``lead_id``, ``work_item_id``, and ``joined_to`` and ``run_after`` where there are any.
    Its ``outcome`` names its transition (``transitions.OF_OUTCOME``). The other journeys, ``together`` of them, go to
    the next stage in one statement: nothing to send for them.
    """
    failpoint("apply.advance.before")
    if not apart.empty:
        bulk.fill_temporary(connection, "moving", _MOVING_TYPES, _with_transitions(apart, stage, status))
        moved = connection.execute(
            text(_MOVE_APART), {"batch": batch.id, "stage": stage, "status": status, "now": now}
        ).rowcount
        if moved != len(apart):
            raise Conflict(f"{len(apart) - moved} journeys of batch {batch.id} changed while it was applied")
        handoffs.record_moving(connection, stage=stage, batch_id=batch.id, playbook_hash=batch.playbook_hash, now=now)
    failpoint("apply.advance.apart")
    if together:
        transition = find_next_transition(stage)
        handoffs.record_all_at(
            connection,
            batch_id=batch.id,
            stage=stage,
            status=status,
            outcome=HandoffOutcome.CONTINUED,
            playbook_hash=batch.playbook_hash,
            now=now,
        )
        moved = connection.execute(
            text(_GO_ON[batch.journey_kind, transition]),
            {"batch": batch.id, "stage": stage, "next_stage": transition.find_stage_after(stage), "now": now},
        ).rowcount
        if moved != together:
            raise Conflict(f"{abs(together - moved)} journeys of batch {batch.id} changed while it was applied")
    failpoint("apply.advance.after")


def _with_transitions(apart: pd.DataFrame, stage: StageName, status: JourneyStatus) -> pd.DataFrame:
    """The rows of ``moving``: where the transition of each outcome leads from ``stage``.

    Raises ``ValueError`` for an outcome that has no transition from there.
    """
    import pandas as pd

    found: dict[str, Transition] = {}
    for outcome in apart["outcome"].unique():
        transition = OF_OUTCOME[status].get(Outcome(outcome))
        if transition is None or (status, stage) not in transition.before:
            raise ValueError(f"a journey that is {status} at {stage} cannot leave it as {outcome}")
        found[outcome] = transition

    def pick(of: dict[str, Any]) -> list[Any]:
        return [of[outcome] for outcome in apart["outcome"]]

    after = {name: transition.find_stage_after(stage) for name, transition in found.items()}
    generations = {name: transition.generations for name, transition in found.items()}
    again = {name: after[name].value if more else None for name, more in generations.items()}
    return pd.DataFrame(
        {
            "journey_id": apart["journey_id"],
            "version": apart["version"],
            "next_stage": pick({name: place.value for name, place in after.items()}),
            "next_status": pick({name: transition.status.value for name, transition in found.items()}),
            "stays": pick({name: transition in (CONTINUE, OWN) for name, transition in found.items()}),
            "lead_id": apart["lead_id"],
            "work_item_id": apart["work_item_id"],
            "joined_to": apart.get("joined_to"),
            "run_after": apart.get("run_after"),
            "generation": apart["generation"] + pick(generations),
            "generations": pick(generations),
            "start_stage": pd.Series(pick(again), index=apart.index, dtype=object),
            "handoff": pick(
                {name: transition.handoff and transition.handoff.value for name, transition in found.items()}
            ),
            "reason": apart["reason"],
        }
    )


def hold_rest(
    connection: Connection, batch: Batch, *, stage: StageName, reason: str, work_item_id: int, now: datetime
) -> int:
    """Hold every journey of the batch that waits at ``stage``, each with its handoff. Returns how many."""
    handoffs.record_all_at(
        connection,
        batch_id=batch.id,
        stage=stage,
        status=JourneyStatus.READY,
        outcome=HandoffOutcome.HELD,
        reason=reason,
        playbook_hash=batch.playbook_hash,
        now=now,
    )
    return connection.execute(
        text(_HOLD), {"batch": batch.id, "stage": stage, "item": work_item_id, "now": now}
    ).rowcount


def record_waiting_reasons(connection: Connection, frame: pd.DataFrame) -> None:
    """Store why each journey of ``frame`` waits for an owner (``waits_for``), to be shown until ``run_after``."""
    if not frame.empty:
        bulk.fill_temporary(connection, "waiting", {"journey_id": "bigint", "waits_for": "text"}, frame)
        connection.execute(
            text("UPDATE journey j SET waits_for = w.waits_for FROM waiting w WHERE j.id = w.journey_id")
        )
