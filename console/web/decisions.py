"""What a visitor can decide about a work item, and reading it from a form.

Belongs here: the kinds of decisions, which of them an item allows, and the values of a form. Does not belong here: the
pages (``pages.queue``), words for each reason (``console.suggestions``), or deciding (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from console.resolution_preview import explain_refusal
from console.suggestions import Way, is_compared, list_ways
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reruns import explain_no_decision
from leadgate.ledger.reviews import REVIEWED
from leadgate.matching import LIKELY
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
from tasks.reruns import APPROVED, require_fields

if TYPE_CHECKING:
    from leadgate.ledger.reports import OpenWorkItem
    from leadgate.playbook import Playbook
    from tasks.reviews import Other

_MOST_FIELDS: Final = 20


class Decision(StrEnum):
    """A kind of decision, as addresses and forms name it."""

    APPROVE = "approve"
    PROPOSED = "proposed"
    CORRECT = "correct"
    AGAIN = "again"
    DONE = "done"
    DISCARD = "discard"
    SAME = "same"
    LIKELIEST = "likeliest"
    DIFFERENT = "different"
    TAKE = "take"


#: Those that can be taken about several items at once: what they need to say is the same for all of them.
IN_BULK: Final = (
    Decision.APPROVE, Decision.PROPOSED, Decision.AGAIN, Decision.DONE, Decision.DISCARD, Decision.LIKELIEST,
    Decision.DIFFERENT,
)  # fmt: skip
LABELS: Final = {
    Decision.APPROVE: "Approve",
    Decision.PROPOSED: "Correct as proposed",
    Decision.CORRECT: "Correct",
    Decision.AGAIN: "Try again",
    Decision.DONE: "Done by hand",
    Decision.DISCARD: "Discard",
    Decision.SAME: "The same person",
    Decision.LIKELIEST: "The likeliest lead's",
    Decision.DIFFERENT: "Somebody else",
    Decision.TAKE: "I decide it",
}
_KEYS: Final = {
    Decision.APPROVE: "a",
    Decision.PROPOSED: "a",
    Decision.CORRECT: "c",
    Decision.DISCARD: "d",
    Decision.AGAIN: "g",
    Decision.DONE: "a",
    Decision.DIFFERENT: "o",
    Decision.SAME: "s",
    Decision.TAKE: "t",
}
_OF_WAYS: Final = {
    "proposed": Decision.PROPOSED,
    "set": Decision.CORRECT,
    "approve": Decision.APPROVE,
    "discard": Decision.DISCARD,
    "again": Decision.AGAIN,
    "done": Decision.DONE,
}


@dataclass(frozen=True)
class Offer:
    """A decision that an item allows. ``words`` say what comes of it, ``field`` which field is corrected."""

    decision: Decision
    words: str = ""
    field: str = ""
    lead: int | None = None

    @property
    def label(self) -> str:
        return f"The person of lead {self.lead}" if self.lead is not None else LABELS[self.decision]

    @property
    def key(self) -> str:
        return _KEYS.get(self.decision, "")


def list_offers(item: OpenWorkItem, others: Sequence[Other] = (), *, taken: bool = False) -> list[Offer]:
    """What can be decided about an open item, the best first. ``taken``: by the visitor already."""
    if explain_no_decision(item) is not None:
        return []
    offers: list[Offer] = []
    if is_compared(item):
        offers += [Offer(Decision.SAME, "it joins that lead", lead=other.lead_id) for other in others]
        if item.reason == LIKELY:
            offers.append(Offer(Decision.DIFFERENT, "it goes on, and nobody is asked about these again"))
    else:
        offers += [
            offer for way in list_ways(item) if way.what in _OF_WAYS and _is_allowed(offer := _make_offer(way), item)
        ]
    known = {offer.decision for offer in offers}
    rest = [Decision.CORRECT, Decision.AGAIN, Decision.DISCARD]
    if item.kind in REVIEWED and not is_compared(item):
        rest.insert(0, Decision.APPROVE)
    for decision in rest:
        correctable = decision != Decision.CORRECT or (item.kind in REVIEWED and item.journey_id is not None)
        if decision not in known and correctable and explain_refusal(item, _EXAMPLES[decision]) is None:
            offers.append(Offer(decision, _OTHERWISE[decision]))
    if item.blocking and not taken:
        offers.append(Offer(Decision.TAKE, "it is not escalated, and others see that it is yours"))
    return offers


_EXAMPLES: Final[dict[Decision, Resolution]] = {
    Decision.APPROVE: DoneByHand(APPROVED),
    Decision.CORRECT: Correct({}),
    Decision.AGAIN: TryAgain(),
    Decision.DONE: DoneByHand(""),
    Decision.DISCARD: Discard(""),
}
_OTHERWISE: Final = {
    Decision.APPROVE: "it goes on as it is, and you answer for it",
    Decision.CORRECT: "it is validated again",
    Decision.AGAIN: "it tries the stage again as it is",
    Decision.DISCARD: "it ends; what was captured stays",
}


def _is_allowed(offer: Offer, item: OpenWorkItem) -> bool:
    return offer.decision not in _EXAMPLES or explain_refusal(item, _EXAMPLES[offer.decision]) is None


def _make_offer(way: Way) -> Offer:
    return Offer(_OF_WAYS[way.what], way.words, way.field.partition("=")[0] if way.what == "set" else "")


def read_resolution(
    decision: Decision,
    playbook: Playbook,
    *,
    words: str = "",
    lead: int | None = None,
    fields: Sequence[str] = (),
    values: Sequence[str] = (),
) -> Resolution:
    """The decision of a form. Raises ``ActionError`` for one that lacks what it needs."""
    words = words.strip().replace("\x00", "")
    match decision:
        case Decision.APPROVE:
            return DoneByHand(words or APPROVED)
        case Decision.DONE:
            return DoneByHand(_require(words, "say what was done, and what proves it"))
        case Decision.DISCARD:
            return Discard(_require(words, "say why: it is kept with the lead"))
        case Decision.PROPOSED:
            return CorrectAsProposed()
        case Decision.AGAIN:
            return TryAgain()
        case Decision.DIFFERENT:
            return DifferentPerson()
        case Decision.LIKELIEST:
            return SamePerson(None)
        case Decision.SAME if lead is not None:
            return SamePerson(lead)
        case Decision.CORRECT:
            return Correct(_read_fields(fields, values, playbook))
    raise ActionError("this form does not say what is decided; open it again")


def _read_fields(fields: Sequence[str], values: Sequence[str], playbook: Playbook) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in zip(fields[:_MOST_FIELDS], values, strict=False):
        if not name:
            continue
        if name in given:
            raise ActionError(f"the field {name} is given twice; give it once")
        given[name] = value.strip().replace("\x00", "")
    if not given:
        raise ActionError("choose a field, and say what it is to be")
    require_fields(list(given), playbook)
    return given


def _require(words: str, what: str) -> str:
    if not words:
        raise ActionError(what)
    return words
