"""The statement of a transition, made from the table of transitions.

Belongs here: SQL that follows from the table alone. Does not belong here: the table (``transitions``), or what else the
statements of ``stage_moves`` and ``person_moves`` set.
"""

from __future__ import annotations

from leadgate.ledger.journeys.transitions import Transition
from leadgate.vocabulary import JourneyStatus, StageName, list_in_sql


def note_moment(leaves: str = "true") -> str:
    """What a statement sets so that a journey ``j`` which ``leaves`` a stage ``:now`` keeps the moment.

    Only as long as it runs for the first time. A report reads these moments in place of the handoffs, which are several
    times as many rows.
    """
    return (
        f"handed_on_at = CASE WHEN j.generation = 0 AND {leaves} "
        "THEN j.handed_on_at || CAST(:now AS timestamptz) ELSE j.handed_on_at END"
    )


def update(transition: Transition, *, where: str, sets: str = "", source: str = "") -> str:
    """The statement that takes journeys ``j`` through ``transition``, where they stand as it demands.

    Status, generation and version follow from the transition, and so does the stage where it has one only; ``sets``
    has the other columns. ``source`` is what ``where`` compares them with. A transition that leaves a stage needs the
    parameter ``now``.
    """
    stages = {after[1] for _, after in transition.moves}
    in_place = all(before is not None and before[1] == after[1] for before, after in transition.moves)
    changes = [f"status = '{transition.status}'", "version = j.version + 1"]
    if transition.generations:
        changes.append(f"generation = j.generation + {transition.generations}")
    if len(stages) == 1 and not in_place:
        changes.append(f"stage = '{transition.stage}'")
    if transition.handoff is not None:
        changes.append(note_moment())
    if sets:
        changes.append(sets)
    source = f"FROM {source} " if source else ""
    return f"UPDATE journey j SET {', '.join(changes)} {source}WHERE {where} AND ({_build_place_condition(transition)})"


def _build_place_condition(transition: Transition) -> str:
    """The condition that a journey ``j`` is where the transition begins."""
    by_stages: dict[tuple[StageName, ...], list[JourneyStatus]] = {}
    for status in JourneyStatus:
        if stages := tuple(stage for stage in StageName if (status, stage) in transition.before):
            by_stages.setdefault(stages, []).append(status)
    return " OR ".join(
        f"j.status IN ({list_in_sql(statuses)}) AND j.stage IN ({list_in_sql(stages)})"
        for stages, statuses in by_stages.items()
    )
