"""What people do to a lead or a record: a form for each action, and doing it. Undoing any action, too.

Belongs here: what was asked for, and answering with the page that it was asked on. Does not belong here: doing it
(``ledger.ownership``, ``ledger.notes``, ``tasks.reassignments``, ``ledger.undo``), or who may (``leadgate.actors``).

GET shows the form alone, in a page of its own or in a dialog; POST does it, and answers with the page ``back``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from console.ends_of_waits import find_end
from console.web.acted_subjects import ActedSubject, NoSubjectError, find_subject
from console.web.done_actions import add_done
from console.web.going_on import GoingOn
from console.web.rendering import render
from console.web.sign_in import make_local
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate.actors import Actor, act_for, may, require
from leadgate.errors import LeadgateError
from leadgate.ledger import notes, ownership
from leadgate.ledger import undo as ways
from leadgate.ledger.actions import ActionError
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.references import parse_number
from leadgate.sla.zones import find_rep_zone
from leadgate.vocabulary import ActionKind
from tasks import reassignments

router = APIRouter()
_Text = Annotated[str, Form(max_length=2_000)]
_Words = Annotated[str, Form(max_length=20_000)]
_Back = Annotated[str, Query(max_length=2_000)]
_BackField = Annotated[str, Form(max_length=2_000)]
_LONGEST_CALL: Final = 24 * 60  # minutes
_MOST_REASON: Final = 500  # characters

#: The forms, by the last part of their addresses.
_TITLES: Final = {
    ActionKind.ACCEPT: "Accept",
    ActionKind.REJECT: "Reject",
    ActionKind.WAIT: "Wait for",
    ActionKind.RESUME: "Go on with",
    ActionKind.TOUCH: "Log a touch of",
    ActionKind.REASSIGN: "Hand over",
    ActionKind.NOTE: "Write a note about",
}


class FormError(LeadgateError):
    """A form has something that cannot be meant; nothing was changed."""


@dataclass(frozen=True)
class ActionRequest:
    """The subject of an action, and the person who acts, with the rep whom they act for."""

    subject: ActedSubject
    actor: Actor


@router.get("/leads/{subject}/{action}")
@router.get("/records/{subject}/{action}")
def show_form(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, action: ActionKind, back: _Back = ""
) -> Response:
    if action not in _TITLES:
        raise NoSubjectError("There is nothing at this address.")
    found = find_subject(site, visitor, request.url.path, subject)
    acts_for = _choose_acts_for(visitor, found, action)
    asked = _build_action_request(site, visitor, found, action, acts_for)
    return render(
        request,
        "lead_action.html",
        visitor=visitor,
        action=action,
        title=_TITLES[action],
        subject=found,
        acts_for=asked.actor.acts_for,
        back=make_local(back) if back else found.address,
        now=visitor.now.isoformat(),
        rules=site.playbook.for_kind(found.kind).follow_up,
        ends=_list_ends(visitor.now, site, found.owner),
        reps=[rep.name for rep in site.playbook.reps if rep.name != found.owner],
        pools=[pool.name for pool in site.playbook.pools],
        longest_note=notes.LONGEST,
        longest_reason=_MOST_REASON,
        longest_call=_LONGEST_CALL,
    )


@router.post("/leads/{subject}/accept")
@router.post("/records/{subject}/accept")
def accept(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, acts_for: _Text = "", back: _BackField = ""
) -> Response:
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.ACCEPT, acts_for
    )
    number = ownership.accept(site.ledger, asked.subject.journey_id, by=asked.actor, now=visitor.now)
    return _go_back(request, asked.subject, back, number, goes_on=True)


@router.post("/leads/{subject}/reject")
@router.post("/records/{subject}/reject")
def reject(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, reason: _Text, acts_for: _Text = "",
    back: _BackField = "",
) -> Response:  # fmt: skip
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.REJECT, acts_for
    )
    done = ownership.reject(
        site.ledger, asked.subject.journey_id, by=asked.actor, now=visitor.now, reason=reason, playbook=site.playbook
    )
    return _go_back(request, asked.subject, back, done.action, goes_on=True)


@router.post("/leads/{subject}/wait")
@router.post("/records/{subject}/wait")
def wait(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, reason: _Text = "", until: _Text = "",
    day: _Text = "", acts_for: _Text = "", back: _BackField = "",
) -> Response:  # fmt: skip
    """``until`` is a button's day, and ``day`` the field's, which wins. ``reason`` may be empty."""
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.WAIT, acts_for
    )
    end = find_end(day or until, asked.subject.owner, site.playbook)
    number = ownership.wait(
        site.ledger, asked.subject.journey_id, until=end, reason=_clean(reason), by=asked.actor, now=visitor.now
    )
    return _go_back(request, asked.subject, back, number)


@router.post("/leads/{subject}/resume")
@router.post("/records/{subject}/resume")
def resume(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, acts_for: _Text = "", back: _BackField = ""
) -> Response:
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.RESUME, acts_for
    )
    number = ownership.resume(site.ledger, asked.subject.journey_id, by=asked.actor, now=visitor.now)
    return _go_back(request, asked.subject, back, number)


@router.post("/leads/{subject}/touch")
@router.post("/records/{subject}/touch")
def touch(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, kind: _Text, at: _Text = "", when: _Text = "",
    minutes: _Text = "", acts_for: _Text = "", back: _BackField = "",
) -> Response:  # fmt: skip
    """``at`` is when the form was shown: sent twice, it is one touch. ``when`` is what somebody wrote instead."""
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.TOUCH, acts_for
    )
    rules = site.playbook.for_kind(asked.subject.kind).follow_up
    known = [*(each.kind for each in rules.touches), *rules.outcomes]
    if kind not in known:
        raise FormError(f"{kind[:80]!r} is no touch and no outcome of the playbook; {propose(kind, known)}")
    # a manager who is no rep logs what the owner did
    rep = asked.actor.acts_for or asked.actor.rep or str(asked.subject.owner)
    done = ownership.touch(
        site.ledger, asked.subject.journey_id, kind=kind, rep=rep, by=asked.actor,
        at=_read_moment(when, visitor) or _read_shown(at) or visitor.now, seconds=_read_minutes(minutes),
        now=visitor.now,
    )  # fmt: skip
    return _go_back(request, asked.subject, back, done.action, goes_on=True)


@router.post("/leads/{subject}/reassign")
@router.post("/records/{subject}/reassign")
def reassign(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, to: _Text, reason: _Text,
    generation: Annotated[int, Form()],
    anyway: Annotated[bool, Form()] = False, acts_for: _Text = "", back: _BackField = "",
) -> Response:  # fmt: skip
    """``to`` is ``rep:NAME`` or ``pool:NAME``. ``generation`` is the journey's when the form was shown: one that has
    changed hands since is not handed over once more."""
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.REASSIGN, acts_for
    )
    kind, _, name = to.partition(":")
    if kind not in ("rep", "pool") or not name:
        raise FormError("say who gets it: a rep, or a pool for whose turn it is there")
    done = reassignments.reassign(
        site.ledger, site.loaded, asked.subject.journey_id, rep=name if kind == "rep" else None,
        pool=name if kind == "pool" else None, anyway=anyway and kind == "rep", reason=_clean(reason), by=asked.actor,
        now=visitor.now, generation=generation,
    )  # fmt: skip
    return _go_back(request, asked.subject, back, done.action)


@router.post("/leads/{subject}/note")
@router.post("/records/{subject}/note")
def note(
    request: Request, site: TheSite, visitor: SignedIn, subject: str, words: _Words, back: _BackField = ""
) -> Response:
    asked = _build_action_request(
        site, visitor, find_subject(site, visitor, request.url.path, subject), ActionKind.NOTE, ""
    )
    done = notes.write_note(site.ledger, asked.subject.journey_id, words, by=asked.actor, now=visitor.now)
    return _go_back(request, asked.subject, back, done.action)


@router.post("/actions/{number}/undo")
def undo(request: Request, site: TheSite, visitor: SignedIn, number: str, back: _BackField = "") -> Response:
    """Take an action back for all its journeys that nothing else has happened to since."""
    done = ways.undo(site.ledger, parse_number(number, "action"), by=visitor.actor, now=visitor.now)
    _release(request, done.journeys)
    return RedirectResponse(add_done(make_local(back), done.action), 303)


def _choose_acts_for(visitor: Visitor, subject: ActedSubject, action: ActionKind) -> str:
    """For whom the form is: the owner, where the visitor does not decide themselves but may act for others."""
    if action == ActionKind.NOTE or subject.owner is None or subject.owner in visitor.actor.reps:
        return ""
    return subject.owner if may(visitor.actor, Permission.ACT_FOR_OTHERS) else ""


def _build_action_request(
    site: Site, visitor: Visitor, subject: ActedSubject, action: ActionKind, acts_for: str
) -> ActionRequest:
    """Who does it. Raises ``ActorError`` when they may not, and ``ActionError`` when nobody owns it."""
    if action == ActionKind.NOTE:
        require(visitor.actor, Permission.NOTE_LEADS, subject.owner)
        return ActionRequest(subject, visitor.actor)
    if subject.owner is None:
        require(visitor.actor, Permission.SEE_LEADS)
        raise ActionError(f"{subject.word} is {subject.status.value}, so nobody owns it now")
    actor = visitor.actor
    if acts_for:
        actor = act_for(actor, acts_for, site.playbook, also=(subject.owner,))
    if subject.owner not in actor.reps and subject.owner != actor.acts_for:
        require(actor, Permission.DECIDE_LEADS, subject.owner)
    return ActionRequest(subject, actor)


def _go_back(
    request: Request, subject: ActedSubject, back: str, number: int | None, *, goes_on: bool = False
) -> Response:
    if goes_on:
        _release(request, [subject.journey_id])
    return RedirectResponse(add_done(make_local(back) if back else subject.address, number), 303)


def _release(request: Request, journeys: Sequence[int]) -> None:
    going_on: GoingOn = request.app.state.going_on
    going_on.release(journeys)


def _clean(words: str) -> str:
    """Words of one line."""
    clean = " ".join(words.replace("\x00", "").split())
    if len(clean) > _MOST_REASON:
        raise FormError(f"a reason has at most {_MOST_REASON} characters")
    return clean


def _list_ends(now: datetime, site: Site, owner: str | None) -> list[tuple[str, date]]:
    """Ends of a wait that are offered: words, and a day of the owner, on whose morning it ends."""
    today = now.astimezone(ZoneInfo(find_rep_zone(site.playbook, owner))).date()
    monday = today + timedelta(days=7 - today.weekday())
    ends = (("tomorrow", today + timedelta(days=1)), ("in 3 days", today + timedelta(days=3)), ("next week", monday))
    return [*ends, ("in 2 weeks", today + timedelta(days=14))]


def _read_moment(text: str, visitor: Visitor) -> datetime | None:
    """A moment of a field, on the visitor's clock."""
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=visitor.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FormError("this is not a time; write it like 2026-03-02T09:30") from None


def _read_shown(text: str) -> datetime | None:
    """When the form was shown, as the form itself says."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _read_minutes(text: str) -> int | None:
    """Seconds, of a field that asks for minutes."""
    if not text.strip():
        return None
    try:
        minutes = int(text)
        if not 0 <= minutes <= _LONGEST_CALL:
            raise ValueError
    except ValueError:
        raise FormError(f"minutes are a whole number from 0 to {_LONGEST_CALL:,}") from None
    return minutes * 60
