"""One lead: what is known, where it stands, the four questions, and everything that happened.

Belongs here: this page, and unmasking. Does not belong here: the story (``leadgate.ledger.lead_history``) and its words
(``console.explain``, ``console.timeline``), masking (``console.story_masking``), or actions (``lead_actions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from console.explain import evidence, follow_up, trigger
from console.story_masking import mask_story
from console.timeline import build_timeline
from console.web.contacts import build_contact_link
from console.web.joined_signals import list_joined_signals
from console.web.rendering import build_address, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import OwnersAction, may, require
from leadgate.ledger import lead_history, unmaskings
from leadgate.ledger.lead_history import Story
from leadgate.ledger.undo import UNDOABLE
from leadgate.permissions import Permission
from leadgate.references import parse
from leadgate.vocabulary import ActionKind, JourneyStatus

if TYPE_CHECKING:
    from console.answers import Answer
    from leadgate.ledger.story_rows import AssignmentRow, JourneyRow, QualificationRow, WorkItemRow

router = APIRouter()
#: Events of the timeline that are shown at first.
SHOWN: Final = 40
_TONES: Final = {
    JourneyStatus.OWNED: "good",
    JourneyStatus.HELD: "warn",
    JourneyStatus.READY: "info",
    JourneyStatus.DONE: "good",
}


class Fact(NamedTuple):
    label: str
    value: object
    link: str | None = None


class Choice(NamedTuple):
    """What a visitor can do about the lead: the page of its form, and the key for it."""

    label: str
    address: str
    key: str
    style: str = ""


@dataclass(frozen=True)
class LeadView:
    """A lead as a visitor sees it: ``story`` is masked unless ``reads``."""

    story: Story
    reads: bool
    unmasks: bool
    address: str
    owner: AssignmentRow | None  # who has it now
    score: QualificationRow | None
    waits_until: datetime | None
    items: list[WorkItemRow]  # that are open

    @property
    def title(self) -> str:
        lead = self.story.lead
        if lead is None:
            return f"Journey J{self.story.journey.id}"
        parts = (lead.first_name, lead.last_name)
        return lead.full_name or " ".join(filter(None, parts)) or lead.email or lead.company or f"Lead {lead.id}"

    @property
    def tone(self) -> str:
        return _TONES.get(JourneyStatus(self.story.journey.status), "")


@router.get("/leads/{reference}")
def show_lead(
    request: Request, site: TheSite, visitor: SignedIn, reference: str, did: str = "", events: str = ""
) -> Response:
    view = read_view(site, visitor, reference)
    if view.address != request.url.path:
        return RedirectResponse(build_address(view.address, did=did), 303)
    story = view.story
    timeline = build_timeline(story, site.names)
    return render(
        request,
        "lead.html",
        visitor=visitor,
        view=view,
        story=story,
        standing=trigger.describe_standing(story),
        facts=list_facts(view, site),
        choices=list_choices(view.story, view.address, view.owner, view.waits_until, visitor),
        answers=answer_questions(story, site, visitor),
        timeline=timeline if events == "all" else timeline[:SHOWN],
        left_out=0 if events == "all" else len(timeline) - SHOWN,
        undoable=find_undoable(story, visitor),
        joined=list_joined_signals(story, visitor.actor),
        share=f"{site.options.url}{view.address}",
    )


@router.post("/leads/{reference}/unmask")
def unmask(site: TheSite, visitor: SignedIn, reference: str) -> Response:
    """Show the values for this visit, on record."""
    view = read_view(site, visitor, reference)
    if not view.reads:
        unmaskings.unmask(site.ledger, view.story.journey.id, find_owner(view.story), by=visitor.actor, now=visitor.now)
    return RedirectResponse(view.address, 303)


def read_view(site: Site, visitor: Visitor, reference: str) -> LeadView:
    """The lead of ``reference`` (17, J12 or W12) as the visitor may see it. Raises ``HTTPException`` without one."""
    require(visitor.actor, Permission.SEE_LEADS)
    journey = find_journey(site, reference)
    if journey is None:
        raise HTTPException(404)
    story = lead_history.load_story(site.ledger, journey)
    owner, items = find_owner(story), [item for item in story.work_items if item.closed_at is None]
    deciders = [name for item in items for name in (item.route, item.assignee)]
    reads = may(visitor.actor, Permission.READ_LEADS, owner, deciders) or unmaskings.is_unmasked(
        story, visitor.actor, visitor.now
    )
    here = story.journey
    return LeadView(
        story if reads else mask_story(story),
        reads,
        may(visitor.actor, Permission.UNMASK_VALUES, owner),
        _find_address(here),
        find_current(story),
        story.qualifications[-1] if story.qualifications else None,
        find_wait(story, visitor.now),
        items,
    )


def find_current(story: Story) -> AssignmentRow | None:
    """The assignment of whoever has it now."""
    here = story.journey.id
    return next((a for a in story.assignments if a.journey_id == here and a.ended_at is None), None)


def find_wait(story: Story, now: datetime) -> datetime | None:
    """Until when its owner waits."""
    here = story.journey.id
    pause = next((p for p in story.pauses if p.journey_id == here and p.ended_at is None), None)
    return None if pause is None or pause.until <= now else pause.until


def _find_address(journey: JourneyRow) -> str:
    if journey.record_id is not None:
        return f"/records/{journey.record_id}"
    return f"/leads/J{journey.id}" if journey.lead_id is None else f"/leads/{journey.lead_id}"


def find_journey(site: Site, reference: str) -> int | None:
    kind, number = parse(reference) or ("batch", 0)
    if kind in (None, "lead"):
        return lead_history.find_journey_of_lead(site.ledger, number)
    if kind == "journey":
        return lead_history.find_journey(site.ledger, number)
    return lead_history.find_journey_of_work_item(site.ledger, number) if kind == "work item" else None


def find_owner(story: Story) -> str | None:
    """Who has the lead, or had it last."""
    current = next((each for each in story.assignments if each.ended_at is None), None)
    last = current or (story.assignments[-1] if story.assignments else None)
    return None if last is None else last.owner


def answer_questions(story: Story, site: Site, visitor: Visitor) -> list[Answer]:
    """The four questions about a lead, answered."""
    return [
        trigger.answer_trigger(story),
        trigger.answer_owner(story, visitor.now),
        follow_up.add_evidence(evidence.answer_evidence(story), story, site.playbook),
        evidence.answer_failure(story, site.playbook, visitor.now, commands=False),
    ]


def list_facts(view: LeadView, site: Site) -> list[Fact]:
    """What is known of the lead; what is not known is left out."""
    story, lead, owner = view.story, view.story.lead, view.owner
    facts = [] if lead is None else [
        Fact("Title", lead.job_title),
        Fact("Company", lead.company or lead.account_name),
        Fact("E-mail", lead.email, build_contact_link(lead.email) if view.reads else None),
        Fact("Phone", lead.phone, build_contact_link(lead.phone) if view.reads else None),
        Fact("Where", ", ".join(filter(None, (lead.city, lead.country)))),
        Fact("Account", lead.account_name if lead.account_id else None),
        Fact("Message", lead.message),
    ]  # fmt: skip
    if owner is not None:
        facts += [Fact("Owner", site.names.name_rep(owner.owner)), Fact("Owned since", owner.assigned_at)]
        facts += [Fact("Accepted", owner.accepted_at), Fact("First touch", owner.touched_at)]
    facts += [Fact("Source", site.names.name_source(story.journey.source)), Fact("Captured", story.journey.captured_at)]
    facts += [Fact(f"Record in {record.crm}", record.record_id) for record in story.crm_records]
    return [fact for fact in facts if fact.value not in (None, "")]


def list_choices(
    story: Story, address: str, owner: AssignmentRow | None, waits_until: datetime | None, visitor: Visitor
) -> list[Choice]:
    """What the visitor may do about the lead or the record at ``address`` as it stands; ``owner`` has it now."""
    actor = visitor.actor
    note = Choice("Note", f"{address}/note", "n")
    if owner is None or story.journey.status != JourneyStatus.OWNED:
        is_known = story.lead is not None or story.journey.record_id is not None
        return [note] if is_known and may(actor, Permission.NOTE_LEADS, find_owner(story)) else []
    for_others = may(actor, Permission.ACT_FOR_OTHERS)  # the form says for whom, and both names are stored
    choices = []

    def offer(action: OwnersAction | Permission, label: str, form: str, key: str, style: str = "") -> None:
        if for_others or may(actor, action, owner.owner):
            choices.append(Choice(label, f"{address}/{form}", key, style))

    if owner.accepted_at is None:
        offer(ActionKind.ACCEPT, "Accept", "accept", "a", "main")
    is_next = owner.accepted_at is not None and owner.touched_at is None
    offer(Permission.DECIDE_LEADS, "Log a touch", "touch", "t", "main" if is_next else "")
    if waits_until is None:
        offer(ActionKind.WAIT, "Wait", "wait", "w")
    else:
        offer(ActionKind.RESUME, "Go on", "resume", "w")
    offer(ActionKind.REASSIGN, "Hand over", "reassign", "h")
    if may(actor, Permission.NOTE_LEADS, owner.owner):
        choices.append(note)
    offer(ActionKind.REJECT, "Reject", "reject", "r", "danger")
    return choices


def find_undoable(story: Story, visitor: Visitor) -> int | None:
    """The number of the last action, if it has an undo; a note's is its author's."""
    last = next(reversed(story.actions), None)
    if last is None or last.what not in UNDOABLE or (last.what == ActionKind.NOTE and last.by != visitor.actor.name):
        return None
    return last.number
