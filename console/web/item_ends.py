"""What became of work items, in words for the person who decided about them or comes late.

Belongs here: these words. Does not belong here: the query (``ledger.work_queue``), or deciding (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.web.site import Site
from console.web.visitors import Visitor
from flows.whereabouts import describe_whereabouts
from leadgate.actors import may
from leadgate.ledger import reports, work_queue
from leadgate.ledger.undo import UNDOABLE
from leadgate.ledger.work_queue import ItemEnd
from leadgate.permissions import Permission
from leadgate.vocabulary import JourneyStatus


@dataclass(frozen=True)
class DescribedEnd:
    """What became of an item, in words; ``undo`` is the number of the action that can be undone."""

    end: ItemEnd
    words: str
    undo: int | None


def describe_ends(site: Site, visitor: Visitor, ids: Sequence[int]) -> list[DescribedEnd]:
    """What became of items that the visitor may decide."""
    if not ids:
        return []
    actor = visitor.actor
    ends = [
        end
        for end in work_queue.read_ends(site.ledger, ids)
        if may(actor, Permission.DECIDE_ITEMS, end.owner, (end.route, end.assignee)) or end.closed_by == actor.name
    ]
    journeys = [end.journey_id for end in ends if end.journey_id is not None and end.closed_at is not None]
    standings = {each.id: each for each in reports.list_standings(site.ledger, journeys)} if journeys else {}
    described = []
    for end in ends:
        words = f"W{end.id} ({end.reason.replace('_', ' ')}) "
        if end.undone:
            words += "is as before: it was undone."
        elif end.closed_at is None:
            words += f"is {site.names.name_rep(end.assignee)}'s." if end.assignee else "is still open."
        else:
            by = site.names.name_rep(end.closed_by) if end.closed_by else "Leadgate"
            words += f"was closed by {by}: {str(end.resolution).replace('_', ' ')}. "
            words += describe_standing(standings.get(end.journey_id or 0), site)
        undo = end.action if end.did in UNDOABLE and not end.undone and end.action is not None else None
        described.append(DescribedEnd(end, words.strip(), undo))
    return described


def describe_standing(standing: reports.JourneyStanding | None, site: Site) -> str:
    """Where the lead is now."""
    if standing is None:
        return ""
    if standing.status == JourneyStatus.READY and not standing.later:
        return "The lead goes on within seconds."
    if standing.status == JourneyStatus.DISCARDED:
        return "The lead has ended; what was captured stays."
    where, why = describe_whereabouts(standing)
    if standing.status == JourneyStatus.OWNED:
        return f"The lead has an owner: {site.names.name_rep(why)}."
    return f"The lead is now: {where}{f', {why}' if why else ''}."
