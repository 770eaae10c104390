"""One record: where it stands, what can be done about it, the four questions, and everything that was told of it.

Belongs here: this page, and who may see it. Does not belong here: the story (``leadgate.ledger.record_history``), its
words (``console.explain.record_answers``, ``console.record_timeline``), or the forecast (``forecast``).
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.explain.record_answers import answer_questions
from console.record_timeline import build_record_timeline, describe_standing
from console.web.acted_subjects import RECORDS
from console.web.pages.lead import Choice, find_current, find_undoable, find_wait, list_choices
from console.web.rendering import render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import may, require
from leadgate.ledger.lead_history import Story, load_story
from leadgate.ledger.record_history import (
    ActedRecord,
    RecordStory,
    find_acted,
    find_journey_of_record,
    load_record_story,
)
from leadgate.permissions import Permission
from leadgate.references import parse_number

router = APIRouter()


@router.get("/records/{record}")
def show_record(request: Request, site: TheSite, visitor: SignedIn, record: str) -> Response:
    """A record, for who reads the forecast of somebody who has or had it, and for who decides about it."""
    number = parse_number(record, "record")
    with site.ledger.snapshot(much=False) as connection:
        told = load_record_story(connection, number)
        journey = None if told is None else find_journey_of_record(connection, number)
    story = None if journey is None else load_story(site.ledger, journey)
    if told is None or not _may_see(visitor, told, story):  # the same whether there is one of this number or not
        require(visitor.actor, Permission.READ_FORECAST, None)
        raise HTTPException(404)
    acted = find_acted(site.ledger, number)
    return render(
        request,
        "record.html",
        visitor=visitor,
        record=told.record,
        standing=describe_standing(told.record, site.names),
        events=build_record_timeline(told, site.names, story),
        choices=[] if acted is None else _list_choices(site, visitor, acted),
        undoable=None if story is None else find_undoable(story, visitor),
        address=f"{RECORDS}{number}",
        answers=[]
        if story is None
        else answer_questions(told, story, site.playbook, site.names, visitor.now, commands=False),
        items=[] if story is None else [item for item in story.work_items if item.closed_at is None],
    )


def _list_choices(site: Site, visitor: Visitor, acted: ActedRecord) -> list[Choice]:
    """By the journey that is acted on: the answers may be about one that waits for a person beside it."""
    story = load_story(site.ledger, acted.journey_id)
    return list_choices(story, f"{RECORDS}{acted.id}", find_current(story), find_wait(story, visitor.now), visitor)


def _may_see(visitor: Visitor, told: RecordStory, story: Story | None) -> bool:
    owners = {*told.owners, *(each.owner for each in (story.assignments if story is not None else ()))}
    if any(may(visitor.actor, Permission.READ_FORECAST, owner) for owner in (*owners, None)):
        return True
    items = [] if story is None else [item for item in story.work_items if item.closed_at is None]
    return any(may(visitor.actor, Permission.DECIDE_ITEMS, None, (item.route, item.assignee)) for item in items)
