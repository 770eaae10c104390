"""What is decided about one update of a record, and the questions that somebody must answer first.

Belongs here: the columns that every kind's ``judge`` returns, which question is asked when there are several, what an
update has changed. Does not belong here: which questions there are (``opportunity``, ``renewal``, ``expansion``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import pandas as pd

from leadgate.fields import FieldType
from leadgate.playbook import Playbook
from leadgate.records import cells, fields
from leadgate.records.cells import Cell, Row
from leadgate.records.versions import OF_THE_UPDATE
from leadgate.vocabulary import ForecastCategory, Outcome, StageName

Ask = Literal["owner", "manager"]
Told = tuple[str, str]

#: Reasons of what qualification decides.
OF_QUALIFICATION: Final[Mapping[str, str]] = {
    Outcome.DISQUALIFIED: "disqualified",
    Outcome.NURTURE: "score_too_low",
    Outcome.REVIEW: "score_in_review_band",
    Outcome.HOLD: "held_at_qualification",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What keeps a record from going on. ``ask``: who decides; None is whoever the playbook's exceptions name."""

    reason: str
    message: str  # a sentence without its full stop, which follows the name of the record
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """One row: what the record is now, what it was, and what qualification said.

    An update is compared with the last version about which no question is open (``accepted``): what waits for an answer
    is asked again with the next update, which takes its place, unless that takes it back.
    """

    row: Row
    before: Row | None  # the version before
    accepted: Row | None
    changed: frozenset[str]  # fields, since ``accepted``; of a record without one, those that are known
    is_due: bool  # nothing was told: its own time has come
    is_new: bool  # nothing was accepted before
    is_repeated: bool  # the version before says the same
    rep: str | None
    waived: frozenset[str]  # reasons that a person has let pass
    qualified: str | None  # the outcome of qualification
    reasons: str  # of qualification, in words
    score: int | None
    known: Mapping[str, Any]  # further cells of the frame

    @property
    def is_unchanged(self) -> bool:
        return not self.is_due and (self.is_repeated or not (self.is_new or self.changed))

    @property
    def is_first(self) -> bool:
        """Whether nothing was told of the record before."""
        return self.before is None and not self.is_due

    def touches(self, names: Collection[str]) -> bool:
        """Whether this update changed one of the fields."""
        return not self.is_due and (self.is_new or not self.changed.isdisjoint(names))

    def text(self, name: str) -> str | None:
        value = self.row.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        value = self.row.get(name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def name(self, kind: str) -> str:
        """The record in a sentence."""
        known = self.row.get("name") or self.row.get("external_id")
        return f"{kind} “{cells.show(known)}”" if known is not None else f"This {kind.lower()}"


def list_compared(playbook: Playbook) -> dict[str, FieldType]:
    """The fields whose change is a change of the record, with their types."""
    own: dict[str, FieldType] = {name: each.type for name, each in playbook.fields.items()}
    every = {**fields.STANDARD[playbook.kind], **own}
    return {name: type_ for name, type_ in every.items() if name not in OF_THE_UPDATE}


def read_updates(frame: pd.DataFrame, playbook: Playbook, further: Collection[str] = ()) -> list[Update]:
    """The rows of ``frame``. ``further``: columns whose cells are kept as they are."""
    compared = list_compared(playbook)
    rows = cells.read_rows(frame, playbook.columns_at(StageName.FOLLOW_UP))
    if "accepted" not in frame:
        frame = frame.assign(accepted=frame.get("before"))
    names = ("before", "accepted", "due", "rep", "waived", "outcome", "reasons", *further)
    others = zip(*(cells.read_column(frame, name) for name in names), strict=True)
    return [
        _read_update(row, compared, dict(zip(names, other, strict=True)))
        for row, other in zip(rows, others, strict=True)
    ]


def _read_update(row: Row, compared: Mapping[str, FieldType], other: dict[str, Any]) -> Update:
    before = cells.read_row(other["before"], compared)
    accepted = cells.read_row(other["accepted"], compared)
    is_due = cells.read_boolean(other["due"]) is True
    was: Mapping[str, Cell] = accepted or {}
    changed = frozenset(name for name in compared if row[name] != was.get(name))
    reasons, score = other["reasons"], row.get("score")
    return Update(
        row=row,
        before=before,
        accepted=accepted,
        changed=frozenset() if is_due else changed,
        is_due=is_due,
        is_new=accepted is None and not is_due,
        is_repeated=before is not None and all(row[name] == before[name] for name in compared),
        rep=cells.read_text(other["rep"]),
        waived=_read_waived(other["waived"]),
        qualified=cells.read_text(other["outcome"]),
        reasons="; ".join(map(str, reasons)) if isinstance(reasons, (list, tuple)) else "",
        score=score if isinstance(score, int) else None,
        known=other,
    )


def _read_waived(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(map(str, value)) if isinstance(value, (list, tuple, set, frozenset)) else frozenset()


@dataclass(slots=True)
class Judgement:
    """The row that ``judge`` returns about an update."""

    is_open: bool
    category: ForecastCategory
    outcome: Outcome = Outcome.CONTINUE
    reason: str | None = None
    item_message: str | None = None
    detail: str | None = None
    ask: Ask | None = None
    tell: tuple[Told, ...] = ()
    again_at: datetime | None = None
    judgement: dict[str, Any] = field(default_factory=dict)

    def hold(self, name: str, questions: Sequence[Question]) -> None:
        """Hold the record for the first question, and for those that the same person answers."""
        first = questions[0]
        same = [question for question in questions if question.ask == first.ask]
        self.outcome, self.reason, self.ask = Outcome.HOLD, first.reason, first.ask
        self.item_message = f"{name} " + "; and it ".join(question.message for question in same) + "."
        self.judgement["findings"] = [question.reason for question in questions]

    def end(self, outcome: Outcome, reason: str, detail: str | None = None) -> None:
        self.outcome, self.reason = outcome, reason
        self.detail = detail or self.detail

    def follow_qualification(self, name: str, update: Update) -> bool:
        """Take over what qualification decided, unless the record goes on; whether it did."""
        reason = OF_QUALIFICATION.get(update.qualified or "")
        if reason is None:
            return False
        self.end(Outcome(str(update.qualified)), reason, update.reasons or None)
        if self.outcome in (Outcome.HOLD, Outcome.REVIEW):
            self.item_message = f"{name} waits for a person: {update.reasons or reason.replace('_', ' ')}."
        if self.outcome is Outcome.DISQUALIFIED:
            self.is_open = False
        return True


def build_frame(judgements: Sequence[Judgement], index: pd.Index) -> pd.DataFrame:
    """The judgements as columns, each with the ``index`` of its row."""
    columns = (
        "outcome", "reason", "item_message", "detail", "ask", "tell", "category", "is_open", "again_at", "judgement",
    )  # fmt: skip
    built = {
        name: pd.Series([getattr(each, name) for each in judgements], index=index, dtype=object) for name in columns
    }
    return pd.DataFrame(built, index=index).astype({"is_open": bool})


def drop_waived(questions: Iterator[Question], update: Update) -> list[Question]:
    return [question for question in questions if question.reason not in update.waived]
