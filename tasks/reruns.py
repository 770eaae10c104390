"""What a person has decided about work items, done to all that are meant: the command line and the flows share it.

Belongs here: which items are meant, what is asked of them, and checks that what is asked makes sense. Does not
belong here: one transition (``ledger.reruns``, ``ledger.joins``), options and forms, or words for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy.exc import DBAPIError

from leadgate.actors import Actor
from leadgate.corrections import Corrected, find_correction_problems
from leadgate.errors import LeadgateError
from leadgate.ledger import Ledger, faults, joins, reports, reruns, reviews, work_queue
from leadgate.ledger.actions import ActionError
from leadgate.ledger.outbox import UNDELIVERABLE
from leadgate.ledger.reports import OpenWorkItem, WorkItemFilter
from leadgate.ledger.reruns import RerunReport
from leadgate.ledger.reviews import Origin
from leadgate.nearest import propose
from leadgate.playbook import Playbook
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
from leadgate.vocabulary import JourneyKind

#: The evidence of an approval without words: that somebody gave it is on record beside it.
APPROVED: Final = "approved in a review"


@dataclass
class Resolved:
    """What came of several decisions: the ``journeys`` that were held, and the items that were ``left`` alone, with
    why."""

    journeys: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)


def find_items(
    ledger: Ledger, asked: WorkItemFilter, resolution: Resolution, limit: int | None = None
) -> list[OpenWorkItem]:
    """The open items of ``asked`` that hold leads, oldest due first; those without a proposal are left out where
    each is to be corrected as it proposes."""
    # those of messages that could not be delivered hold no lead, and can be rerun all the same
    wanted = asked if asked.reason == UNDELIVERABLE else replace(asked, blocking=True)
    items = reports.list_work_items(ledger, wanted)
    if isinstance(resolution, CorrectAsProposed):
        items = [item for item in items if item.proposal]
    return items if limit is None else items[:limit]


def resolve_items(
    ledger: Ledger,
    items: Sequence[OpenWorkItem],
    resolution: Resolution,
    *,
    by: Actor,
    now: datetime,
    playbook: Playbook,
    named: Sequence[int] = (),
) -> RerunReport:
    """Resolve ``items`` (of ``find_items``) by ``resolution``. The report says of each item ``named`` why it was left
    alone.

    An item whose proposal validation would not take is left alone, and the others are corrected. Raises
    ``ActionError`` for a field that does not exist, where nothing can be done by hand, for a correction that validation
    would not take, and for a lead that is not in question; ``ActorError`` where an item is not for ``by`` to decide.
    """
    ids = list(dict.fromkeys([*(item.id for item in items), *named]))
    match resolution:
        case TryAgain():
            return reruns.rerun(ledger, ids, by=by, now=now, playbook=playbook)
        case Correct(fields):
            for refused in find_refused(ledger, dict.fromkeys(ids, fields), playbook, now).values():
                raise ActionError(f"nothing was changed, because the correction {refused}")
            return reruns.rerun(ledger, ids, by=by, now=now, playbook=playbook, corrections=fields)
        case CorrectAsProposed():
            return _correct_as_proposed(ledger, items, by=by, now=now, playbook=playbook, named=named)
        case DoneByHand(evidence):
            return reruns.mark_done_by_hand(ledger, ids, by=by, now=now, evidence=evidence)
        case Discard(reason):
            return reruns.discard(ledger, ids, by=by, now=now, reason=reason)
        case SamePerson(lead):
            return joins.decide_same(ledger, ids, lead, by=by, now=now)
        case DifferentPerson():
            return joins.decide_different(ledger, ids, by=by, now=now)


def resolve_each(
    ledger: Ledger,
    items: Sequence[OpenWorkItem],
    resolution: Resolution,
    *,
    by: Actor,
    now: datetime,
    playbook: Playbook,
) -> Resolved:
    """Resolve ``items``, each in a transaction of its own: one that cannot be resolved leaves the others done."""
    resolved = Resolved()
    for item in items:
        try:
            done = resolve_items(ledger, [item], resolution, by=by, now=now, playbook=playbook, named=[item.id])
            resolved.journeys += done.journeys
            if not done.work_items:
                resolved.left[item.id] = "; ".join(done.skipped)
        except LeadgateError as error:
            resolved.left[item.id] = str(error)
        except DBAPIError as error:
            if faults.judge(error) != "race":
                raise
            resolved.left[item.id] = f"somebody else decided about W{item.id} at this moment; look again"
    return resolved


def _correct_as_proposed(
    ledger: Ledger,
    items: Sequence[OpenWorkItem],
    *,
    by: Actor,
    now: datetime,
    playbook: Playbook,
    named: Sequence[int],
) -> RerunReport:
    total = RerunReport()
    proposals = {item.id: item.proposal or {} for item in items}
    proposed = {
        id_: {name: str(value) for name, value in fields.items()} for id_, fields in proposals.items() if fields
    }
    refused_proposals = find_refused(ledger, proposed, playbook, now)
    for item, corrections in proposed.items():
        if item in refused_proposals:
            total.skipped.append(f"work item W{item}: its proposal {refused_proposals[item]}")
        else:
            total.add(reruns.rerun(ledger, [item], by=by, now=now, playbook=playbook, corrections=corrections))
    missing = {*named, *proposals} - set(proposed)
    total.skipped += [f"work item W{each} proposes nothing, or is not open" for each in sorted(missing)]
    return total


def find_refused(
    ledger: Ledger, corrections: Mapping[int, Mapping[str, str]], playbook: Playbook, now: datetime
) -> dict[int, str]:
    """The work items whose corrections validation would not take, each with why: its lead would be held again.

    What a correction makes of a record is judged when it is validated.
    """
    origins = reviews.list_origins(ledger, [item for item, fields in corrections.items() if fields])
    asked = {
        (item, origin): (*sorted(fields.items()), origin)
        for item, fields in corrections.items()
        if fields
        for origin in origins.get(item) or [Origin()]
        if origin.about is JourneyKind.LEAD
    }
    different = {
        key: Corrected(corrections[item], origin.source, origin.country) for (item, origin), key in asked.items()
    }
    found = dict(zip(different, find_correction_problems(list(different.values()), playbook, now), strict=True))
    return {
        item: "would be held again (" + "; ".join(f"{name}: {problem}" for name, problem in found[key].items()) + ")"
        for (item, _), key in asked.items()
        if found[key]
    }


def require_fields(names: Sequence[str], playbook: Playbook) -> None:
    """Raises ``ActionError`` for a name that is no field of a lead, nor of a record that the playbook has rules for."""
    kinds = [kind for kind in JourneyKind if kind is JourneyKind.LEAD or playbook.kinds.find(kind) is not None]
    known = list(dict.fromkeys(name for kind in kinds for name in playbook.for_kind(kind).told_fields))
    for name in names:
        if name not in known:
            nobody = "a lead has no" if len(kinds) == 1 else "neither leads nor records have a"
            raise ActionError(f"{nobody} field {name!r} to set; {propose(name, known)}")


def require_known(ledger: Ledger, asked: WorkItemFilter) -> None:
    """Raises ``ActionError`` when a filter names something no work item ever had: most likely misspelt."""
    for column, value in (
        ("reason", asked.reason),
        ("route", asked.route),
        ("assignee", asked.assignee),
        ("source", asked.source),
    ):
        if value is not None and value not in (known := work_queue.list_known_values(ledger, column)):
            raise ActionError(f"no work item has the {column} {value!r}; {propose(value, known)}")
