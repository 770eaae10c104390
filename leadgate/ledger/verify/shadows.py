"""Shadows: each batch is decided once, decisions add up to those that the ledger keeps, and nothing is left over.

Belongs here: what holds between a shadow, its passes and its journeys. Does not belong here: what holds of decisions of
the playbook in use (``decisions``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.invariant import Invariant

_DONE: Final = "(SELECT p.id, p.shadow_id, d.batch_id FROM shadow_pass p CROSS JOIN unnest(p.batches) AS d (batch_id))"

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "shadow_batches_once",
        "A shadow decided each batch once: one of leads that was claimed after the shadow began, and is closed",
        f"SELECT count(*) FROM {_DONE} done",
        (
            f"SELECT count(*) FROM (SELECT 1 FROM {_DONE} done GROUP BY shadow_id, batch_id HAVING count(*) > 1) twice",
            f"SELECT count(*) FROM {_DONE} done LEFT JOIN batch b ON b.id = done.batch_id "
            "WHERE b.id IS NULL OR b.journey_kind <> 'lead' OR b.closed_at IS NULL",
        ),
    ),
    Invariant(
        "shadow_counts_add_up",
        "A shadow counts its passes, and their decisions are those that the ledger keeps of the batches",
        "SELECT count(*) FROM shadow",
        (
            "SELECT count(*) FROM shadow s WHERE s.passes <> "
            "(SELECT count(*) FROM shadow_pass p WHERE p.shadow_id = s.id)",
            "SELECT count(*) FROM shadow s WHERE "
            "(SELECT coalesce(sum(p.decisions + p.facts + p.unreadable), 0) FROM shadow_pass p "
            "WHERE p.shadow_id = s.id) <> coalesce((s.part ->> 'decided')::bigint, 0) "
            "+ (SELECT coalesce(sum(i.journeys), 0) "
            f"FROM {_DONE} done JOIN decision_input i ON i.batch_id = done.batch_id WHERE done.shadow_id = s.id)",
        ),
    ),
    Invariant(
        "shadow_journeys_known",
        "What a shadow found is about a lead's journey that was decided, and tells both ends where they differ",
        "SELECT count(*) FROM shadow_journey",
        (
            "SELECT count(*) FROM shadow_journey f LEFT JOIN shadow s ON s.id = f.shadow_id "
            "LEFT JOIN journey j ON j.id = f.journey_id WHERE s.id IS NULL OR j.id IS NULL OR j.kind <> 'lead' "
            "OR s.passes = 0",
            "SELECT count(*) FROM shadow_journey WHERE (kind IS NULL) <> (before IS NULL) "
            "OR (kind IS NULL) <> (after IS NULL) OR other_owner AND NOT owned_both",
        ),
    ),
)
