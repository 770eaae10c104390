"""What a person can decide about a work item, one class a kind: the command line, the forms and the ledger share them.

Belongs here: the kinds, what each needs to say, and each in words. Does not belong here: doing it (``tasks.reruns``),
or what the ledger closes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from leadgate.vocabulary import ItemResolution


@dataclass(frozen=True)
class TryAgain:
    """The leads try their stage again as they are."""

    kind: ClassVar[ItemResolution] = ItemResolution.RERUN
    verb: ClassVar[str] = "rerun"
    past: ClassVar[str] = "released"


@dataclass(frozen=True)
class Correct:
    """Fields of the leads are set first; an empty value clears one."""

    fields: Mapping[str, str]
    kind: ClassVar[ItemResolution] = ItemResolution.CORRECTED
    verb: ClassVar[str] = "correct"
    past: ClassVar[str] = "corrected"


@dataclass(frozen=True)
class CorrectAsProposed:
    """Each lead is corrected as its work item proposes."""

    kind: ClassVar[ItemResolution] = ItemResolution.CORRECTED
    verb: ClassVar[str] = "correct"
    past: ClassVar[str] = "corrected"


@dataclass(frozen=True)
class DoneByHand:
    """A person did what the stage could not; ``evidence`` says what was done and what proves it."""

    evidence: str
    kind: ClassVar[ItemResolution] = ItemResolution.DONE_BY_HAND
    verb: ClassVar[str] = "pass as done by hand"
    past: ClassVar[str] = "passed as done by hand"


@dataclass(frozen=True)
class Discard:
    """The journeys end, for ``reason``."""

    reason: str
    kind: ClassVar[ItemResolution] = ItemResolution.DISCARDED
    verb: ClassVar[str] = "discard"
    past: ClassVar[str] = "discarded"


@dataclass(frozen=True)
class SamePerson:
    """The record is about the person of the lead with the id ``lead``; None: of the likeliest one in question."""

    lead: int | None
    kind: ClassVar[ItemResolution] = ItemResolution.SAME_PERSON
    verb: ClassVar[str] = "take for a known lead's"

    @property
    def past(self) -> str:
        return f"decided as the person of {'the likeliest lead' if self.lead is None else f'lead {self.lead}'}"


@dataclass(frozen=True)
class DifferentPerson:
    """The record is about none of the leads in question."""

    kind: ClassVar[ItemResolution] = ItemResolution.DIFFERENT_PERSON
    verb: ClassVar[str] = "take for somebody else's"
    past: ClassVar[str] = "decided as somebody else"


Resolution = TryAgain | Correct | CorrectAsProposed | DoneByHand | Discard | SamePerson | DifferentPerson


def list_corrected_fields(resolution: Resolution | None) -> list[str]:
    """The names of the fields that ``resolution`` sets."""
    return list(resolution.fields) if isinstance(resolution, Correct) else []
