"""The signals that were taken for a lead's, of those that a visitor may part from it again.

Belongs here: finding them in the lead's story. Does not belong here: parting them (``ledger.joins``), or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leadgate.actors import Actor, may
from leadgate.ledger.lead_history import Story
from leadgate.matching.resolving import describe_keys
from leadgate.permissions import Permission
from leadgate.vocabulary import JourneyStatus


@dataclass(frozen=True)
class JoinedSignal:
    """A signal that is taken for the lead's, ``because`` of what, in words.

    ``changed`` names the fields of the lead that it changed, and ``brought`` the kinds of identities that came with it.
    ``owner`` has its journey, if somebody does.
    """

    journey_id: int
    source: str
    received_at: datetime
    because: str
    changed: Sequence[str]
    brought: Sequence[str]
    owner: str | None


def list_joined_signals(story: Story, actor: Actor) -> list[JoinedSignal]:
    """Those that ``actor`` may part from the lead, in their order. One that waits for a person is decided there."""
    lead = story.lead
    if lead is None:
        return []
    made = {join.journey_id: join for join in story.joins if join.lead_id == lead.id}
    owners = {each.journey_id: each.owner for each in story.assignments if each.ended_at is None}
    return [
        JoinedSignal(
            journey.id,
            journey.source,
            journey.captured_at,
            describe_keys(made[journey.id].because),
            sorted(made[journey.id].changed or ()),
            sorted({kind for kind, _ in made[journey.id].claimed or ()}),
            owners.get(journey.id),
        )
        for journey in story.journeys
        if journey.id in made and journey.id != lead.id and journey.status != JourneyStatus.HELD
        if may(actor, Permission.DECIDE_ITEMS, owners.get(journey.id))
    ]
