"""The queue of work items: what waits, one in full, and decisions about one or several.

Belongs here: these pages. Does not belong here: which decisions there are (``console.web.decisions``), what they would
do (``console.resolution_preview``), taking them (``tasks.reruns``), or the queries (``ledger.reports``,
``ledger.work_queue``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from console.explain.scores import describe_learned
from console.redaction import mask_fields, mask_item, mask_review
from console.resolution_preview import Preview, describe_outcome, preview
from console.web.compared import build_comparison
from console.web.decisions import IN_BULK, LABELS, Decision, list_offers, read_resolution
from console.web.going_on import GoingOn
from console.web.item_ends import describe_ends
from console.web.queue_filter import (
    LARGEST_ID,
    ShortText,
    TheFilter,
    build_filter,
    build_scope,
    check_ids,
    find_way_back,
    list_chips,
    list_names,
    read_after,
    read_ids,
    read_number,
    write_after,
)
from console.web.rendering import build_address, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import may, require
from leadgate.ledger import reports, reviews, work_queue
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import OpenWorkItem, WorkItemFilter
from leadgate.permissions import Permission
from leadgate.resolutions import Discard, Resolution
from tasks.advice import BY_CHANCE, BY_DUE_TIME, is_advising
from tasks.reruns import Resolved, resolve_each
from tasks.reviews import Review, add_evidence

router = APIRouter()
ON_PAGE: Final = 50
MOST_AT_ONCE: Final = 200
_Words = Annotated[str, Form(max_length=10_000)]
_Ids = Annotated[list[int], Query(max_length=MOST_AT_ONCE)]


@router.get("/queue")
def show_queue(
    request: Request, site: TheSite, visitor: SignedIn, asked: TheFilter, after: ShortText = "", did: ShortText = ""
) -> Response:
    within = build_scope(visitor.actor)
    by_chance_at = visitor.now if is_advising(site.ledger, site.playbook) else None
    wanted = replace(build_filter(asked, within, visitor), after=read_after(after), by_chance_at=by_chance_at)
    items = reports.list_work_items(site.ledger, wanted, ON_PAGE + 1)
    shown = items[:ON_PAGE]
    last = shown[-1] if len(items) > ON_PAGE else None
    groups = work_queue.count_groups(site.ledger, within, list_names(visitor), visitor.now)
    return render(
        request,
        "queue.html",
        visitor=visitor,
        asked=asked,
        here=asked.build_address(after=after),
        rows=[(mask_for(visitor, item), list_offers(item)) for item in shown],
        groups=groups,
        chips=list_chips(asked, groups, site.names),
        next_page=last and asked.build_address(after=write_after(last, by_chance_at)),
        is_first=not after,
        by_chance=by_chance_at is not None,
        order=BY_DUE_TIME if by_chance_at is None else BY_CHANCE,
        ends=describe_ends(site, visitor, read_ids(did)),
        bulk=[(decision, LABELS[decision]) for decision in IN_BULK],
        most=MOST_AT_ONCE,
    )


@router.get("/queue/bulk")
def preview_bulk(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    asked: TheFilter,
    do: Decision,
    item: _Ids = [],  # noqa: B006 - read by FastAPI, never changed
    everything: bool = False,
    back: ShortText = "",
) -> Response:
    """What a decision would make of several items; nothing is changed yet. ``everything``: of all that match."""
    within = build_scope(visitor.actor)
    wanted = build_filter(asked, within, visitor) if everything else replace(within, ids=check_ids(item) or (0,))
    if do not in IN_BULK:
        raise HTTPException(422)
    found = reports.list_work_items(site.ledger, wanted, MOST_AT_ONCE)
    words = "" if do not in (Decision.DONE, Decision.DISCARD) else "…"
    resolution = read_resolution(do, site.playbook, words=words)
    previews = preview(
        site.ledger, found, resolution, by=visitor.actor, now=visitor.now, playbook=site.playbook
    )  # fmt: skip
    masked = [mask_preview(visitor, each, resolution) for each in previews]
    return render(
        request,
        "queue_bulk.html",
        visitor=visitor,
        do=do,
        label=LABELS[do],
        taken=[each for each in masked if each.refused is None],
        left=[each for each in masked if each.refused is not None],
        gone=0 if everything else len(set(item)) - len(found),
        back=find_way_back(back),
    )


@router.post("/queue/bulk")
def decide_bulk(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    do: Annotated[Decision, Form()],
    item: Annotated[list[int], Form(max_length=MOST_AT_ONCE)] = [],  # noqa: B006 - read by FastAPI, never changed
    words: _Words = "",
    back: _Words = "",
) -> Response:
    """Decide about each item by itself. What was left alone is told on the page that follows."""
    if do not in IN_BULK:
        raise HTTPException(422)
    resolution = read_resolution(do, site.playbook, words=words)
    ids = check_ids(item)
    found = reports.list_work_items(site.ledger, replace(build_scope(visitor.actor), ids=ids)) if ids else []
    done = resolve_each(site.ledger, found, resolution, by=visitor.actor, now=visitor.now, playbook=site.playbook)
    release(request, resolution, done)
    return RedirectResponse(build_address("/queue/bulk/done", do=do, item=list(ids), back=back), 303)


@router.get("/queue/bulk/done")
def show_bulk_done(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    do: Decision,
    item: _Ids = [],  # noqa: B006 - read by FastAPI, never changed
    back: ShortText = "",
) -> Response:
    """What became of the items of a decision, as the ledger has it."""
    ids, within = check_ids(item), build_scope(visitor.actor)
    ends = describe_ends(site, visitor, ids)
    still = {each.end.id for each in ends if each.end.closed_at is None}
    left = []
    if still and do in IN_BULK:
        wanted = replace(within, ids=sorted(still))
        resolution = read_resolution(do, site.playbook, words="…")
        found = reports.list_work_items(site.ledger, wanted)
        left = preview(site.ledger, found, resolution, by=visitor.actor, now=visitor.now, playbook=site.playbook)
    return render(
        request,
        "queue_done.html",
        visitor=visitor,
        label=LABELS[do],
        ends=[each for each in ends if each.end.id not in still],
        left=[mask_preview(visitor, each, None) for each in left],
        back=find_way_back(back),
    )


@router.get("/queue/{reference}")
def show_item(
    request: Request, site: TheSite, visitor: SignedIn, reference: str, back: ShortText = "", did: ShortText = ""
) -> Response:
    """One item: what is wrong, what there is to decide by, and what can be decided."""
    number = read_number(reference)
    item = find_open(site, visitor, number)
    if item is None:
        ends = describe_ends(site, visitor, [number])
        if not ends:
            raise HTTPException(404)
        return render(request, "queue_closed.html", visitor=visitor, end=ends[0], back=find_way_back(back))
    (review,) = add_evidence(site.ledger, [item], site.playbook)
    taken = item.assignee == visitor.actor.name
    offers = list_offers(item, review.others, taken=taken)
    shown = mask_evidence(visitor, review)
    return render(
        request,
        "queue_item.html",
        visitor=visitor,
        item=shown.item,
        review=shown,
        learned=None if shown.learned is None else describe_learned(shown.learned),
        offers=offers,
        comparison=build_comparison(shown) if shown.others else [],
        ends=describe_ends(site, visitor, read_ids(did)),
        back=find_way_back(back),
        here=build_address(f"/queue/{number}", back=back),
    )


@router.get("/queue/{reference}/{decision}")
def show_decision(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    reference: str,
    decision: Decision,
    lead: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    field: ShortText = "",
    back: ShortText = "",
) -> Response:
    """The form of a decision, to be shown as a page or in a dialog."""
    item = require_open(site, visitor, read_number(reference))
    offers = list_offers(item, add_evidence(site.ledger, [item], site.playbook)[0].others)
    offer = next((each for each in offers if each.decision == decision and each.lead == lead), None)
    if offer is None:
        raise ActionError(f"W{item.id} does not allow this; its page tells what it allows")
    known = site.playbook.for_kind(item.about).told_fields
    return render(
        request,
        "queue_decision.html",
        visitor=visitor,
        item=mask_for(visitor, item),
        offer=offer,
        label=offer.label,
        corrections=list_corrections(item, field or offer.field, reads_item(visitor, item), known),
        fields=known,
        back=find_way_back(back),
    )


@router.post("/queue/{reference}/{decision}")
def decide(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    reference: str,
    decision: Decision,
    words: _Words = "",
    lead: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
    field: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - read by FastAPI, never changed
    value: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - read by FastAPI, never changed
    back: _Words = "",
) -> Response:
    item = require_open(site, visitor, read_number(reference))
    if decision == Decision.TAKE:
        reviews.take(site.ledger, item.id, by=visitor.actor, now=visitor.now)
    else:
        resolution = read_resolution(
            decision, site.playbook, words=words, lead=lead, fields=field, values=value
        )  # fmt: skip
        done = resolve_each(site.ledger, [item], resolution, by=visitor.actor, now=visitor.now, playbook=site.playbook)
        if done.left:
            raise ActionError(f"Nothing was changed: {done.left[item.id]}")
        release(request, resolution, done)
    path, _, query = find_way_back(back).partition("?")
    return RedirectResponse(f"{path}?{query}{'&' if query else ''}did=W{item.id}", 303)


def release(request: Request, resolution: Resolution, done: Resolved) -> None:
    """Have the leads of a decision go on soon; those that have ended do not."""
    if not isinstance(resolution, Discard):
        going_on: GoingOn = request.app.state.going_on
        going_on.release(done.journeys)


# --- what is shown ----------------------------------------------------------------------------------------


def find_open(site: Site, visitor: Visitor, number: int) -> OpenWorkItem | None:
    """The open item, if the visitor may decide it. Raises ``ActorError`` when they may not."""
    build_scope(visitor.actor)
    item = next(iter(reports.list_work_items(site.ledger, WorkItemFilter(ids=(number,)))), None)
    if item is not None:
        require(visitor.actor, Permission.DECIDE_ITEMS, item.owner, (item.route, item.assignee))
    return item


def require_open(site: Site, visitor: Visitor, number: int) -> OpenWorkItem:
    item = find_open(site, visitor, number)
    if item is not None:
        return item
    ends = describe_ends(site, visitor, [number])
    if not ends:
        raise HTTPException(404)
    raise ActionError(f"Nothing was changed: {ends[0].words}")


def reads_item(visitor: Visitor, item: OpenWorkItem) -> bool:
    return may(visitor.actor, Permission.READ_LEADS, item.owner, (item.route, item.assignee))


def mask_for(visitor: Visitor, item: OpenWorkItem) -> OpenWorkItem:
    return item if reads_item(visitor, item) else mask_item(item)


def mask_evidence(visitor: Visitor, review: Review) -> Review:
    """A review whose values are masked where the visitor may not read them, of each lead by itself."""
    others = [
        other
        if may(visitor.actor, Permission.READ_LEADS, other.owner)
        else replace(other, values=mask_fields(other.values))
        for other in review.others
    ]
    return replace(review if reads_item(visitor, review.item) else mask_review(review), others=others)


def mask_preview(visitor: Visitor, each: Preview, resolution: Resolution | None) -> Preview:
    """A preview whose words hold no value that the visitor may not read."""
    if reads_item(visitor, each.item):
        return each
    item = mask_item(each.item)
    return Preview(item, describe_outcome(item, resolution) if resolution is not None else "", each.refused)


def list_corrections(item: OpenWorkItem, field: str, readable: bool, known: Sequence[str]) -> list[tuple[str, str]]:
    """The fields and values that a form begins with: what is proposed, else the field that is wrong."""
    if item.proposal and readable:
        return [(name, str(value)) for name, value in item.proposal.items()]
    name = field if field in known else ""
    return [(name, (item.value or "") if readable and name else "")]
