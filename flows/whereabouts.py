"""Where a journey is now, in words: for commands, pages, and the artifacts of a batch, a rerun and a review.

Belongs here: these words. Does not belong here: reading the ledger (``reports.list_standings``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadgate.ledger.reports import JourneyStanding

from leadgate.vocabulary import JourneyStatus


def describe_whereabouts(standing: JourneyStanding) -> tuple[str, str]:
    """Describe where a journey is now. Returns its place in words, and its owner or the reason; empty without one."""
    stage, status = standing.stage.replace("_", "-"), standing.status
    reason = str(standing.reason or "").replace("_", " ")
    if status == JourneyStatus.OWNED:
        return "has an owner", str(standing.owner)
    if status == JourneyStatus.HELD:
        return f"held at {stage}, W{standing.work_item_id}", reason
    if status == JourneyStatus.JOINED:
        return f"joined J{standing.joined_to}", reason
    if status == JourneyStatus.READY:
        if standing.batch_id is not None:
            return f"at {stage}, worked on in batch {standing.batch_id}", ""
        if standing.later:
            return f"waits at {stage} until {standing.run_after:%Y-%m-%d %H:%M} UTC", reason
        return f"still waiting at {stage}, for the next run", ""
    return status, reason
