"""What a decision would make of work items, before it is taken: for each what it becomes, or why it is left alone.

Belongs here: these words, and asking the rules without writing. Does not belong here: the rules themselves
(``ledger.reruns``, ``leadgate.actors``), or taking the decision (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from console.suggestions import GONE, RETRIED, is_compared
from leadgate.actors import Actor, find_refusal
from leadgate.counting import format_count
from leadgate.ledger import Ledger
from leadgate.ledger.reruns import explain_no_decision, explain_no_pass
from leadgate.matching import CONFLICT
from leadgate.permissions import Permission
from leadgate.resolutions import (
    Correct,
    CorrectAsProposed,
    DifferentPerson,
    Discard,
    DoneByHand,
    Resolution,
    SamePerson,
    TryAgain,
)
from leadgate.vocabulary import StageName
from tasks.reruns import find_refused

if TYPE_CHECKING:
    from leadgate.ledger.reports import OpenWorkItem
    from leadgate.playbook import Playbook


@dataclass(frozen=True)
class Preview:
    """An item, and what it ``becomes``; or why it is ``refused``."""

    item: OpenWorkItem
    becomes: str
    refused: str | None


def preview(
    ledger: Ledger,
    items: Sequence[OpenWorkItem],
    resolution: Resolution,
    *,
    by: Actor,
    now: datetime,
    playbook: Playbook,
) -> list[Preview]:
    """What ``by`` would make of each of ``items``. Nothing is written; values are not masked."""
    corrections = {item.id: fields for item in items if (fields := list_corrections(item, resolution))}
    problems = find_refused(ledger, corrections, playbook, now) if corrections else {}
    previews = []
    for item in items:
        refused = find_refusal(by, Permission.DECIDE_ITEMS, item.owner, (item.route, item.assignee))
        refused = refused or explain_refusal(item, resolution) or problems.get(item.id)
        previews.append(Preview(item, describe_outcome(item, resolution), refused))
    return previews


def list_corrections(item: OpenWorkItem, resolution: Resolution) -> Mapping[str, str]:
    """The fields that the decision sets for the item."""
    if isinstance(resolution, Correct):
        return resolution.fields
    if isinstance(resolution, CorrectAsProposed):
        return {name: str(value) for name, value in (item.proposal or {}).items()}
    return {}


def explain_refusal(item: OpenWorkItem, resolution: Resolution) -> str | None:
    """Why the item does not allow the decision, whoever takes it; None when it does."""
    if (why := explain_no_decision(item)) is not None:
        return why
    if isinstance(resolution, CorrectAsProposed) and not item.proposal:
        return "it proposes nothing"
    if isinstance(resolution, DoneByHand):
        return explain_no_pass(item)
    if isinstance(resolution, SamePerson | DifferentPerson) and not is_compared(item):
        return "it does not ask who somebody is"
    if resolution in (DifferentPerson(), SamePerson(None)) and item.reason == CONFLICT:
        return "it is about leads that are known: say which on its page"
    return None


def describe_outcome(item: OpenWorkItem, resolution: Resolution) -> str:
    """What becomes of the item and of what it holds."""
    leads = "it" if item.journey_id is not None else format_count(item.journeys, "lead", "leads")
    s = "s" if leads == "it" or item.journeys == 1 else ""
    match resolution:
        case Correct() | CorrectAsProposed():
            changes = ", ".join(
                f"{name.replace('_', ' ')} becomes {value or 'empty'}"
                for name, value in list_corrections(item, resolution).items()
            )
            return (
                f"{changes}; {leads} go{'es' if s else ''} through validation again" if changes else "nothing changes"
            )
        case DoneByHand():
            if item.reason in RETRIED:
                return "it is closed as done by a person"
            if item.stage == StageName.QUALIFICATION:
                return f"{leads} go{'es' if s else ''} on to an owner, as approved"
            return f"{leads} go{'es' if s else ''} on without the promise {item.promise or item.reason}"
        case Discard():
            return f"{leads} end{s}; what was captured stays"
        case SamePerson(lead):
            return f"{leads} join{s} {'the likeliest lead' if lead is None else f'lead {lead}'}"
        case DifferentPerson():
            return f"{leads} go{'es' if s else ''} on as somebody else"
        case TryAgain():
            if item.reason in RETRIED:
                return "it is tried again"
            if item.reason in GONE:
                return f"{leads} go{'es' if s else ''} on without that record"
            stage = item.stage.replace("_", "-")
            return f"{leads} tr{'ies' if s else 'y'} {stage} again, as {'it is' if s else 'they are'}"
