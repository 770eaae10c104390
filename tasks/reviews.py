"""What a reviewer sees of a work item, and whether it is one that is reviewed.

Belongs here: putting an item together with its score and its lead. Does not belong here: deciding about it
(``reruns``), masking for a screen or an artifact (the code that shows it), or the queries (``ledger.reviews``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadgate.ledger import Ledger, reports, reviews
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import OpenWorkItem, WorkItemFilter
from leadgate.ledger.reviews import Compared, Evidence
from leadgate.playbook import Playbook
from leadgate.scoring import list_scoring_fields
from leadgate.values.json_types import as_object
from leadgate.vocabulary import WorkItemKind
from tasks.advice import is_advising

if TYPE_CHECKING:
    from leadgate.json_columns import LearnedPart
    from leadgate.values.json_types import JsonObject, JsonValue

#: What is put side by side where two records may be one person's, in this order.
SIDE_BY_SIDE: Final = (
    "full_name", "email", "phone", "company", "job_title", "website", "city", "country", "external_id",
)  # fmt: skip


@dataclass(frozen=True)
class Other:
    """A lead that a held signal may be about: ``levels`` says what agrees, field -> same, similar, differs, unknown;
    an identity, such as ``crm_id:hubspot``, is a field, too. ``values`` has the fields of ``SIDE_BY_SIDE``."""

    lead_id: int
    score: int
    levels: Mapping[str, str]
    values: JsonObject
    owner: str | None
    heard_at: datetime | None

    def list_levels(self, name: str) -> list[str]:
        """What the field ``name`` of ``SIDE_BY_SIDE`` is to that of the held signal; an id of each CRM is compared."""
        known = _LEVEL_OF.get(name, name)
        return [
            level
            for field_, level in self.levels.items()
            if (name == "external_id" if field_.startswith("crm_id") else field_ == known)
        ]


#: What the levels call a field that is shown under another name.
_LEVEL_OF: Final = {"full_name": "name"}


@dataclass(frozen=True)
class Review:
    """A work item with what there is to decide by. Nothing is masked.

    ``score``, ``fit`` and ``engagement`` are None before
    the lead was scored; ``contributions`` maps rule to points. ``values`` are the lead's fields that the
    scoring rules read, ``missing`` those that it does not have, ``unknown`` the playbook's kinds of evidence
    (budget, need, …) that nobody knows yet, ``negative`` those that are known not to be there. ``grade`` is None
    unless the playbook grades. Where two records may be one person's, ``record`` is this one and ``others`` are
    the leads in question, the likeliest first. ``learned`` is the chance by a learned score, where one is in force.
    """

    item: OpenWorkItem
    score: int | None
    fit: int | None
    engagement: int | None
    contributions: Mapping[str, int]
    values: JsonObject
    missing: Sequence[str]
    unknown: Sequence[str]
    negative: Sequence[str] = ()
    grade: str | None = None
    learned: LearnedPart | None = None
    record: JsonObject = field(default_factory=dict)
    others: Sequence[Other] = ()


def list_waiting(ledger: Ledger, playbook: Playbook, limit: int | None = None) -> tuple[list[Review], int]:
    """What waits for a reviewer: reviews first, then exceptions, oldest due first; and how many there are.

    Where a learned score advises, reviews with a chance come before these, the best first.
    """
    advised = reviews.list_advised(ledger, limit) if is_advising(ledger, playbook) else []
    place = {number: at for at, number in enumerate(advised)}
    items = reports.list_work_items(ledger, WorkItemFilter(ids=tuple(advised))) if advised else []
    items.sort(key=lambda item: place[item.id])
    total = 0
    for kind in reviews.REVIEWED:
        wanted = WorkItemFilter(kinds=(kind,), blocking=True)
        items += [item for item in reports.list_work_items(ledger, wanted, limit) if item.id not in place]
        total += reports.count_work_items(ledger, wanted)
    return add_evidence(ledger, items[:limit], playbook), total


def read_reviews(ledger: Ledger, work_item_ids: Sequence[int], playbook: Playbook) -> list[Review]:
    """These items, in the order they are named. Raises ``ActionError`` unless each is an open review or exception."""
    found = {item.id: item for item in reports.list_work_items(ledger, WorkItemFilter(ids=tuple(work_item_ids)))}
    for each in work_item_ids:
        if each not in found:
            raise ActionError(
                f"there is no open work item W{each}; `leadgate review` lists what waits, `leadgate explain W{each}` "
                "tells what became of one that is closed"
            )
        item = found[each]
        if item.kind == WorkItemKind.BREAKER:
            raise ActionError(
                f"work item W{each} parks the source {item.source}, and is not a review: correct the source or its "
                f"mapping, then `leadgate rerun W{each}`; `leadgate review W{each} --take` says that you do it"
            )
        if item.kind not in reviews.REVIEWED and item.blocking:
            raise ActionError(
                f"work item W{each} ({item.reason}) is about a run that did not finish, and is not a review: "
                f"`leadgate rerun W{each}` lets its leads go on; `leadgate review W{each} --take` says that you do it"
            )
        if item.kind not in reviews.REVIEWED:
            raise ActionError(
                f"work item W{each} ({item.reason}) is not a review: it closes when the lead is followed up"
            )
    return add_evidence(ledger, [found[each] for each in dict.fromkeys(work_item_ids)], playbook)


def add_evidence(ledger: Ledger, items: Sequence[OpenWorkItem], playbook: Playbook) -> list[Review]:
    """Each item, whatever its kind, with what there is to decide by."""
    ids = [item.id for item in items]
    known, compared = reviews.read_evidence(ledger, ids), reviews.list_compared(ledger, ids)
    read = {kind: list_scoring_fields(playbook.for_kind(kind)) for kind in {item.about for item in items}}
    return [_build_review(item, known.get(item.id), compared.get(item.id, ()), read[item.about]) for item in items]


def _build_review(
    item: OpenWorkItem, found: Evidence | None, compared: Sequence[Compared], read: Sequence[str]
) -> Review:
    lead = (found.lead if found else None) or {}
    custom = as_object(lead.get("custom"))
    score = found.score if found else None
    # before qualification the rules have not read anything yet, so nothing is missing from them
    values = {name: lead.get(name, custom.get(name)) for name in read} if score is not None else {}
    proofs = (found.known if found else None) or {}
    negative = [part for part, proof in proofs.items() if proof.get("negative")]
    return Review(
        item=item,
        score=score,
        fit=found.fit if found else None,
        engagement=found.engagement if found else None,
        contributions=(found.contributions if found else None) or {},
        values={name: value for name, value in values.items() if value not in (None, "")},
        missing=[name for name, value in values.items() if value in (None, "")],
        unknown=[part for part, proof in proofs.items() if not proof.get("known") and part not in negative],
        negative=negative,
        grade=found.grade if found else None,
        learned=found.learned if found else None,
        record=_build_side(lead) if compared else {},
        others=[
            Other(each.lead_id, each.score, each.levels, _build_side(each.lead), each.owner, each.heard_at)
            for each in compared
        ],
    )


def _build_side(lead: JsonObject) -> dict[str, JsonValue]:
    parts = [str(part) for part in (lead.get("first_name"), lead.get("last_name")) if part]
    name = lead.get("full_name") or " ".join(parts) or None
    return {field_: lead.get(field_) for field_ in SIDE_BY_SIDE} | {"full_name": name}
