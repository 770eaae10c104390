"""Where a journey is now, in words: for the artifacts of a batch, a rerun and a review.

Belongs here: these words. Does not belong here: reading the ledger (``reports.list_standings``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadgate.ledger.reports import JourneyStanding

from leadgate.vocabulary import JourneyStatus


def describe_whereabouts(each: JourneyStanding) -> tuple[str, str]:
    """Where a journey is now, in words, and its owner or the reason."""
    stage, status = each.stage.replace("_", "-"), each.status
    reason = str(each.reason or "").replace("_", " ")
    if status == JourneyStatus.OWNED:
        return "has an owner", str(each.owner)
    if status == JourneyStatus.HELD:
        return f"held at {stage}, W{each.work_item_id}", reason
    if status == JourneyStatus.JOINED:
        return f"joined J{each.joined_to}", reason
    if status == JourneyStatus.READY:
        if each.batch_id is not None:
            return f"at {stage}, worked on in batch {each.batch_id}", ""
        if each.later:
            return f"waits at {stage} until {each.run_after:%Y-%m-%d %H:%M} UTC", reason
        return f"still waiting at {stage}, for the next run", ""
    return status, reason
