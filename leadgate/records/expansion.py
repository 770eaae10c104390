"""What a sign that a customer may buy more means: whether it counts, and whether somebody sells there already.

Belongs here: the judgement of expansions, pure. Does not belong here: their points (``scoring``), who gets them
(``assignment``), or keeping what was told (``ledger``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, cast

import pandas as pd

from leadgate.nearest import propose
from leadgate.playbook import ExpansionKind, Playbook
from leadgate.playbook.kinds import TRIGGER_WORDS, WITHOUT_SECTION
from leadgate.playbook.rep_names import RepNames
from leadgate.records import cells
from leadgate.records.conditions import match_updates
from leadgate.records.judgement import (
    Judgement,
    Question,
    Update,
    build_frame,
    drop_waived,
    read_updates,
)
from leadgate.records.sales_stages import fold_word
from leadgate.vocabulary import ForecastCategory, JourneyKind, NothingNew, Outcome

_KIND: Final = "Expansion"


def judge(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """The judgement of each update in ``frame``, with its index. ``playbook`` is the view for expansions.

    ``frame`` and the columns returned are as for ``opportunity.judge``; ``pushes`` and ``slipped_on`` are not read,
    and time brings nothing by itself, so ``again_at`` is always None.
    """
    judges = _Judges(playbook)
    updates = read_updates(frame, playbook)
    conditions: dict[str, str] = {
        word: rule.when for word, rule in judges.section.triggers.items() if rule.when is not None
    }
    held = match_updates(conditions, [update.row for update in updates], playbook)
    return build_frame([judges.judge(*each) for each in zip(updates, held, strict=True)], frame.index)


class _Judges:
    """What holds for every update of a frame."""

    def __init__(self, playbook: Playbook) -> None:
        found = playbook.kinds.find(JourneyKind.EXPANSION) or WITHOUT_SECTION[JourneyKind.EXPANSION]
        self.section = cast(ExpansionKind, found)
        self.reps = RepNames(playbook.reps)
        self._by_word = {fold_word(word): word for word in TRIGGER_WORDS}
        for word, rule in self.section.triggers.items():
            for other in rule.also:
                self._by_word.setdefault(fold_word(other), word)

    def judge(self, update: Update, held: frozenset[str]) -> Judgement:
        told = update.text("trigger")
        trigger = self._by_word.get(fold_word(told)) if told is not None else None
        rule = self.section.triggers.get(trigger) if trigger is not None else None
        is_met = rule is not None and (rule.when is None or trigger in held)
        made = Judgement(is_open=True, category=ForecastCategory.PIPELINE)
        others = cells.read_integer(update.row["open_opportunities"]) or 0
        made.judgement = {
            "new": update.is_first,
            "due": update.is_due,
            "changed": sorted(update.changed),
            "trigger": trigger or (None if told is None else cells.show(told)),
            "counts": rule is not None,
            "met": is_met,
            "open_opportunities": others,
            "conflict": self.section.conflict if others > 0 else None,
            "score": update.score,
            "amount": update.row["amount"],
            "to_category": made.category.value,
            "findings": [],
        }
        name = update.name(_KIND)
        if update.is_unchanged:
            made.end(Outcome.DONE, NothingNew.UNCHANGED)
        elif update.is_due:
            made.end(Outcome.DONE, NothingNew.NOT_YET)
        elif trigger is not None and rule is None:
            made.is_open = False
            made.end(Outcome.DISQUALIFIED, "trigger_not_counted", f"{trigger} is none of the playbook's triggers")
        elif update.qualified == Outcome.DISQUALIFIED:
            made.follow_qualification(name, update)
        elif questions := drop_waived(self._ask_trigger(told, trigger), update):
            made.hold(name, questions)
        elif trigger is not None and not is_met:
            made.end(Outcome.NURTURE, "trigger_not_met", f"the condition of {trigger} does not hold")
        elif not made.follow_qualification(name, update) and others > 0:
            self._settle_conflict(made, update, name, others)
        if made.outcome in (Outcome.DONE, Outcome.DISQUALIFIED) and made.reason not in (
            NothingNew.UNCHANGED,
            NothingNew.NOT_YET,
        ):
            made.is_open, made.category = False, ForecastCategory.OMITTED
            made.judgement["to_category"] = made.category.value
        return made

    def _ask_trigger(self, told: str | None, trigger: str | None) -> Iterator[Question]:
        if told is None:
            yield Question("trigger_missing", f"says nothing of its trigger: give one of {', '.join(TRIGGER_WORDS)}")
        elif trigger is None:
            shown = cells.show(told)
            hint = propose(shown, TRIGGER_WORDS)
            message = f"has the trigger “{shown}”, which is none ({hint}): correct it, or name it under also"
            yield Question("trigger_unknown", message)

    def _settle_conflict(self, made: Judgement, update: Update, name: str, others: int) -> None:
        """Somebody sells to this customer already: the sign is theirs, or a person decides."""
        there = "an open opportunity" if others == 1 else f"{others:,} open opportunities"
        if self.section.conflict == "review":
            message = f"is at an account with {there}: decide whether it is one of its own"
            if questions := drop_waived(iter([Question("open_opportunity", message, "owner")]), update):
                made.hold(name, questions)
            return
        made.end(Outcome.DONE, "joined", f"the account has {there}")
        owner = self.reps.find(update.text("account_owner")) or self.reps.find(update.rep)
        if owner is not None:
            made.tell = ((owner, f"a sign of expansion at an account with {there}"),)
