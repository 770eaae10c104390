"""Times: every process went by the ledger's clock, and what came later is dated later.

Belongs here: what a host whose clock is wrong would leave behind, were it believed. Does not belong here: due times
(``follow_up``). A batch that was worked on as of another moment (``--now``) has the times that were asked for.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.handoffs import count_handoffs
from leadgate.ledger.verify.invariant import Invariant

#: A claim reads the ledger's clock, and then PostgreSQL writes two times of its own into the same transaction.
_AT_ONCE: Final = "interval '1 minute'"

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "batches_by_one_clock",
        "What time it was for a batch is when the ledger's clock says that it was claimed",
        "SELECT count(*) FROM batch WHERE NOT as_of",
        "SELECT count(*) FROM batch b JOIN batch_holder h ON h.batch_id = b.id AND h.epoch = 1 "
        f"WHERE NOT b.as_of AND abs(extract(epoch FROM b.opened_at - h.at)) > extract(epoch FROM {_AT_ONCE})",
    ),
    Invariant(
        "handoffs_while_held",
        "A handoff is dated between the claim of its batch and the end of the batch's last lease",
        count_handoffs("NOT b.as_of"),
        count_handoffs("NOT b.as_of AND (h.at < b.opened_at OR h.at > b.lease_until)"),
    ),
    Invariant(
        "captured_before_taken",
        "A lead was captured before it was handed on, and before it had an owner",
        "SELECT count(*) FROM journey",
        (
            count_handoffs("h.at < j.captured_at"),
            "SELECT count(*) FROM assignment a JOIN journey j ON j.id = a.journey_id "
            "WHERE a.assigned_at < j.captured_at",
        ),
    ),
    Invariant(
        "owned_before_ended",
        "Somebody became the owner before they accepted the lead, and before they ceased to be its owner",
        "SELECT count(*) FROM assignment",
        "SELECT count(*) FROM assignment WHERE accepted_at < assigned_at OR ended_at < assigned_at",
    ),
    Invariant(
        "messages_in_order",
        "A message was written before it was claimed, and claimed for the last time before its delivery ended",
        "SELECT count(*) FROM outbox",
        "SELECT count(*) FROM outbox WHERE claimed_at < created_at "
        "OR least(delivered_at, given_up_at) < coalesce(claimed_at, created_at)",
    ),
)
