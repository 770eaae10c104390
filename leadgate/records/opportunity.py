"""What an update of an opportunity means: whether it is plausible, what it changes, who must decide or hear of it.

Belongs here: the judgement of opportunities, pure. Does not belong here: who gets them (``assignment``), or keeping
what was told (``ledger``).

An update is a question only about what it changes since the last version that was accepted: the same told again asks
nothing, and neither does a later update of another field, once somebody has answered. Until then it asks again. Time
asks by itself: a record is looked at again (``again_at``) when its close date or its next step has passed, or when
nothing was told for as long as its sales stage allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Final, cast

import pandas as pd

from leadgate.nearest import propose
from leadgate.playbook import OpportunityKind, Playbook, SalesStage
from leadgate.playbook.kinds import WITHOUT_SECTION
from leadgate.playbook.rep_names import RepNames
from leadgate.records import cells
from leadgate.records.cells import Row, read_date
from leadgate.records.conditions import is_news, match_updates
from leadgate.records.judgement import (
    Judgement,
    Question,
    Told,
    Update,
    build_frame,
    drop_waived,
    read_updates,
)
from leadgate.records.sales_stages import SalesStages, choose_category, find_category
from leadgate.vocabulary import ForecastCategory, JourneyKind, NothingNew, Outcome

#: More than any opportunity is worth: a number with a slip in it, or in another unit.
MOST: Final = 1e12
_KIND: Final = "Opportunity"


def judge(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """The judgement of each update in ``frame``, with its index. ``playbook`` is the view for opportunities.

    ``frame`` has the columns of ``columns_at(assignment)``, ``before`` (the values of the version before, None for a
    new record), ``rep`` and ``outcome`` (what qualification said); and it may have

    - ``accepted``: the values of the last version about which no question is open, None where there is none. Without
      the column it is ``before``;
    - ``due``: whether nothing was told, and the record's own time has come;
    - ``pushes``: how often its close date was pushed before this update;
    - ``slipped_on``: the close date of which it was told that it slipped;
    - ``waived``: a reason, or several, that a person has let pass;
    - ``reasons``: those of qualification.

    Returns ``outcome``, ``reason``, ``item_message``, ``detail``, ``ask``, ``tell``, ``category``, ``is_open``,
    ``again_at`` and ``judgement``. ``now`` is aware.
    """
    judges = _Judges(playbook, now)
    updates = [judges.compare(update) for update in read_updates(frame, playbook, ("pushes", "slipped_on"))]
    section = judges.section
    conditions = {f"ask {each.name}": each.when for each in section.approvals}
    conditions |= {f"tell {each.name}": each.when for each in section.tell}
    held = match_updates(conditions, [update.row for update in updates], playbook)
    return build_frame([judges.judge(*each) for each in zip(updates, held, strict=True)], frame.index)


class _Judges:
    """What holds for every update of a frame."""

    def __init__(self, playbook: Playbook, now: datetime) -> None:
        found = playbook.kinds.find(JourneyKind.OPPORTUNITY) or WITHOUT_SECTION[JourneyKind.OPPORTUNITY]
        self.section = cast(OpportunityKind, found)
        self.stages = SalesStages(self.section)
        self.reps = RepNames(playbook.reps)
        self.now, self.today = now, now.date()

    def compare(self, update: Update) -> Update:
        """``update`` with what it changes in numbers. Another word for the same sales stage changes nothing."""
        was: Row = update.accepted or {}
        changed = set(update.changed)
        for name, is_same in (
            ("sales_stage", self._is_same_stage(was, update.row)),
            ("forecast_category", find_category(_text(was, "forecast_category")) is _told_category(update.row)),
        ):
            if is_same and _text(was, name) is not None and update.row[name] is not None:
                changed.discard(name)
        amount, earlier = update.number("amount"), cells.read_number(was.get("amount"))
        pushed = 0 if update.is_due else _count_days(was.get("close_date"), update.row["close_date"])
        moved = 0 if update.is_due else _count_days((update.before or {}).get("close_date"), update.row["close_date"])
        pushes = cells.read_integer(update.known["pushes"]) or 0
        row = {
            **update.row,
            "amount_change": None if amount is None or earlier is None or update.is_due else amount - earlier,
            "pushed_days": pushed,
            "pushes": max(pushes, 0) + (moved > 0),
        }
        return replace(update, row=row, changed=frozenset(changed))

    def _is_same_stage(self, was: Row, row: Row) -> bool:
        before, after = self.stages.find(_text(was, "sales_stage")), self.stages.find(_text(row, "sales_stage"))
        return before is not None and before is after

    def judge(self, update: Update, held: frozenset[str]) -> Judgement:
        stage = self.stages.find(update.text("sales_stage"))
        is_open = stage is None or stage.closed is None
        made = Judgement(is_open, choose_category(_told_category(update.row), stage))
        self._explain(made, update, stage)
        self._look_ahead(made, update, stage)
        made.tell = self._list_told(made, update, held)
        name = update.name(_KIND)
        if update.is_unchanged:
            made.end(Outcome.DONE, NothingNew.UNCHANGED)
        elif update.qualified == Outcome.DISQUALIFIED:
            made.follow_qualification(name, update)
        elif questions := drop_waived(self._ask(update, stage, held), update):
            made.hold(name, questions)
        elif stage is not None and stage.closed is not None:
            made.end(Outcome.DONE, stage.closed)
        elif update.is_due:
            made.end(Outcome.DONE if made.again_at is None else Outcome.NURTURE, NothingNew.NOT_YET)
        else:
            made.follow_qualification(name, update)
        return made

    # --- Questions ------------------------------------------------------------------------------------

    def _ask(self, update: Update, stage: SalesStage | None, held: frozenset[str]) -> Iterator[Question]:
        """What is asked about an update: the owner's questions first, for what they correct may answer the others."""
        if update.is_due:
            yield from self._ask_in_time(update, stage)
            return
        if stage is None:
            yield from self._ask_stage(update)
        yield from self._ask_plausible(update, stage)
        if stage is not None:
            yield from self._ask_move(update, stage)
            yield from self._ask_evidence(update, stage)
            if stage.closed is None and update.touches({"close_date", "sales_stage"}):
                yield from self._ask_slip(update)
        yield from self._ask_approval(update, held)

    def _ask_stage(self, update: Update) -> Iterator[Question]:
        told = update.text("sales_stage")
        if not update.touches({"sales_stage"}):
            return
        if told is None:
            yield Question("stage_missing", f"has no sales stage: give one of {', '.join(self.stages.names)}", "owner")
        else:
            shown = cells.show(told)
            hint = propose(shown, self.stages.names)
            yield Question(
                "stage_unknown",
                f"is in the sales stage “{shown}”, which the playbook does not know ({hint}): correct it, or add the "
                "word to kinds.opportunity.sales_stages",
            )

    def _ask_plausible(self, update: Update, stage: SalesStage | None) -> Iterator[Question]:
        amount = update.number("amount")
        if amount is not None and update.touches({"amount"}) and not 0 <= amount <= MOST:
            why = "which is below nothing" if amount < 0 else "which is more than any opportunity is worth"
            yield Question("amount_implausible", f"has an amount of {cells.show(amount)}, {why}: correct it", "owner")
        close, created = _day(update, "close_date"), _day(update, "created_date")
        if close is None or not update.touches({"close_date", "created_date"}):
            return
        if created is not None and close < created:
            message = f"closes on {close}, before it was created on {created}: correct one of them"
            yield Question("close_date_before_created", message, "owner")
        if (stage is None or stage.closed is None) and close - self.today > self.section.max_close_in:
            days = f"{self.section.max_close_in.days:,}"
            message = f"closes on {close}, more than {days} days from now: give a close date that is a plan"
            yield Question("close_date_too_far", message, "owner")

    def _ask_move(self, update: Update, stage: SalesStage) -> Iterator[Question]:
        was = self.stages.find(_text(update.accepted or {}, "sales_stage"))
        if was is None or was is stage or not update.touches({"sales_stage"}):
            return
        if was.closed is not None:
            message = f"was {was.name} and is told as {stage.name}: decide whether it is to be opened again"
            yield Question("reopened", message, "manager")
        elif stage.name not in (allowed := self.stages.list_next(was)):
            possible = ", ".join(name for name in allowed if name != was.name)
            message = f"goes from {was.name} to {stage.name}; what may follow is {possible}: correct the sales stage"
            yield Question("stage_move_not_allowed", message, "owner")

    def _ask_evidence(self, update: Update, stage: SalesStage) -> Iterator[Question]:
        if stage.closed is not None and update.is_first:
            return  # history: it was closed before anybody asked
        required = self.stages.list_required(stage)
        if not update.touches({"sales_stage", *required}):
            return
        if missing := [name for name in required if update.row.get(name) is None]:
            names = cells.join_words([name.replace("_", " ") for name in missing])
            message = f"lacks {names}, which the sales stage {stage.name} requires: give what is missing"
            yield Question("evidence_missing", message, "owner")

    def _ask_slip(self, update: Update) -> Iterator[Question]:
        close = _day(update, "close_date")
        if close is not None and close < self.today:
            message = f"was to close on {close} and is still open: give a new close date, or close it"
            yield Question("slipped", message, "owner")

    def _ask_approval(self, update: Update, held: frozenset[str]) -> Iterator[Question]:
        asked = [rule for rule in self.section.approvals if f"ask {rule.name}" in held and is_news(rule.when, update)]
        if asked:
            why = "; ".join(f"{rule.name} ({rule.why})" if rule.why else rule.name for rule in asked)
            yield Question("approval_needed", f"needs an approval: {why}", "manager")

    def _ask_in_time(self, update: Update, stage: SalesStage | None) -> Iterator[Question]:
        """What time alone has brought."""
        if stage is not None and stage.closed is not None:
            return
        if _day(update, "close_date") != read_date(update.known["slipped_on"]):
            yield from self._ask_slip(update)
        told, stale_after = cells.read_moment(update.row["occurred_at"]), stage.stale_after if stage else None
        stale_at = cells.add(told, stale_after)
        if stage is not None and told is not None and stale_at is not None and stale_at <= self.now:
            days = (self.now - told).days
            message = f"was not updated for {days:,} days in the sales stage {stage.name}: update it, or close it"
            yield Question("stale", message, "owner")
        step = _day(update, "next_step_date")
        if step is not None and step < self.today:
            message = f"had its next step on {step}: say what came of it, and what the next one is"
            yield Question("next_step_passed", message, "owner")

    # --- Facts ----------------------------------------------------------------------------------------

    def _explain(self, made: Judgement, update: Update, stage: SalesStage | None) -> None:
        row, was = update.row, update.before
        before = self.stages.find(_text(was or {}, "sales_stage"))
        earlier = None if was is None or update.is_due else choose_category(_told_category(was), before)
        pushed = 0 if update.is_due else _count_days((was or {}).get("close_date"), row["close_date"])
        amount, told_before = update.number("amount"), cells.read_number((was or {}).get("amount"))
        change = None if amount is None or told_before is None or update.is_due else amount - told_before
        close = _day(update, "close_date")
        slipped = made.is_open and close is not None and close < self.today
        made.judgement = {
            "new": update.is_first,
            "due": update.is_due,
            "changed": sorted(update.changed),
            "from_sales_stage": before.name if before is not None else _shown(was, "sales_stage"),
            "to_sales_stage": stage.name if stage is not None else _shown(row, "sales_stage"),
            "from_category": None if earlier is None else earlier.value,
            "to_category": made.category.value,
            "from_amount": None if was is None else was.get("amount"),
            "to_amount": row["amount"],
            "amount_change": change,
            "from_close_date": None if was is None else cells.to_json(was.get("close_date")),
            "to_close_date": cells.to_json(close),
            "pushed": pushed > 0,
            "pushed_days": pushed,
            "pushes": row["pushes"],
            "since_accepted": {"amount_change": row["amount_change"], "pushed_days": row["pushed_days"]},
            "slipped": slipped,
            "slipped_days": (self.today - close).days if slipped and close is not None else 0,
            "probability": None if stage is None else stage.probability,
            "findings": [],
        }
        made.detail = _describe(made, change) or None

    def _look_ahead(self, made: Judgement, update: Update, stage: SalesStage | None) -> None:
        if not made.is_open:
            return
        told, stale_after = cells.read_moment(update.row["occurred_at"]), stage.stale_after if stage else None
        moments = (
            cells.find_day_after(_day(update, "close_date")),
            cells.find_day_after(_day(update, "next_step_date")),
            cells.add(told, stale_after),
        )
        made.again_at = cells.find_next(self.now, iter(moments))

    def _list_told(self, made: Judgement, update: Update, held: frozenset[str]) -> tuple[Told, ...]:
        """Who hears of it, each once for each rule; a manager who is no rep cannot be told."""
        told: dict[Told, None] = {}
        manager = self.reps.find_manager(update.rep)
        for rule in self.section.tell:
            if f"tell {rule.name}" in held and is_news(rule.when, update):
                to = manager if rule.to == "manager" else rule.to.removeprefix("rep ")
                if to is not None:
                    told[to, rule.why or rule.name] = None
        close = _day(update, "close_date")
        news = update.is_due or update.touches({"close_date", "sales_stage"})
        if made.judgement["slipped"] and news and close != read_date(update.known["slipped_on"]):
            for each in dict.fromkeys((self.reps.find(update.rep), manager)):
                if each is not None:
                    told[each, f"slipped: it was to close on {close} and is still open"] = None
        return tuple(told)


def _text(row: Row, name: str) -> str | None:
    return cells.read_text(row.get(name))


def _shown(row: Row | None, name: str) -> str | None:
    text = None if row is None else _text(row, name)
    return None if text is None else cells.show(text)


def _day(update: Update, name: str) -> date | None:
    return read_date(update.row.get(name))


def _told_category(row: Row) -> ForecastCategory | None:
    return find_category(_text(row, "forecast_category"))


def _count_days(before: cells.Cell, after: cells.Cell) -> int:
    """By how many days a date has moved; 0 where one of the two is not known."""
    first, last = read_date(before), read_date(after)
    return 0 if first is None or last is None else (last - first).days


def _describe(made: Judgement, change: float | None) -> str:
    """What an update changes in the forecast, in words."""
    facts, parts = made.judgement, []
    if change:
        parts.append(f"the amount {'rises' if change > 0 else 'falls'} by {cells.show(abs(change))}")
    if days := facts["pushed_days"]:
        parts.append(f"the close date moves by {abs(days):,} days to {'later' if days > 0 else 'earlier'}")
    if facts["from_category"] not in (None, facts["to_category"]):
        parts.append(f"the forecast category goes from {facts['from_category']} to {facts['to_category']}")
    return "; ".join(parts)
