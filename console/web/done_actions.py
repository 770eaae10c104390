"""What the visitor has just done, as the page after it says: ``?did=A12`` names the action, and its undo is offered.

Belongs here: finding the action, and words. Does not belong here: undoing it (``pages.lead_actions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request

from console.web.site import find_site
from console.web.visitors import Visitor
from leadgate.counting import format_count
from leadgate.ledger import actions
from leadgate.ledger.actions import DoneAction
from leadgate.ledger.undo import UNDOABLE
from leadgate.references import parse
from leadgate.vocabulary import ActionKind

#: A page that is opened again later says nothing of it.
_LASTS: Final = timedelta(minutes=10)
_WORDS: Final = {
    ActionKind.ACCEPT: "Accepted",
    ActionKind.REJECT: "Rejected",
    ActionKind.WAIT: "Waiting for",
    ActionKind.RESUME: "No longer waiting for",
    ActionKind.REASSIGN: "Handed over",
    ActionKind.UNASSIGN: "Taken from its owner:",
    ActionKind.TRANSFER: "Transferred",
    ActionKind.TOUCH: "Logged a touch of",
    ActionKind.NOTE: "Wrote a note about",
}


@dataclass(frozen=True)
class Done:
    """``undo``: the number by which it can be undone."""

    words: str
    undo: int | None


def find_done(request: Request, visitor: Visitor) -> Done | None:
    """What the address says that the visitor has just done, if they did."""
    named = parse(request.query_params.get("did", ""))
    if named is None or named[0] != "action":
        return None
    done = actions.find_done(find_site(request).ledger, named[1])
    if done is None or done.by != visitor.actor.name or visitor.now - done.at > _LASTS:
        return None
    return Done(_describe(done), done.number if done.what in UNDOABLE and not done.undone else None)


def _describe(done: DoneAction) -> str:
    lead = done.name or (f"lead {done.lead_id}" if done.record_id is None else f"R{done.record_id}")
    whom = lead if done.journeys == 1 else format_count(done.journeys, "lead", "leads")
    if done.what == ActionKind.UNDO:
        return f"Undone: {(done.undoes or 'action').replace('_', ' ')}, {whom}"
    if done.what == ActionKind.UNJOIN:  # whose lead it is now is decided anew
        return "Not the same person: the signal goes its own way again"
    words = _WORDS.get(done.what, done.what.value.replace("_", " ").capitalize() + ":")
    if done.note is None or done.what not in (ActionKind.REJECT, ActionKind.TOUCH):
        return f"{words} {whom}"
    return f"{words} {whom} ({done.note.replace('_', ' ')})"


def add_done(address: str, number: int | None) -> str:
    """``address``, a path of ours, with the action that was just done; without one, of what was done before."""
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "did"]
    query += [("did", f"A{number}")] if number is not None else []
    return parts.path + (f"?{urlencode(query)}" if query else "")
