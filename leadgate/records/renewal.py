"""What an update of a contract means for its renewal: whether it is time, how it ended, who must decide or hear of it.

Belongs here: the judgement of renewals, pure. Does not belong here: their health, which is a score of the playbook
(``scoring``), who gets them (``assignment``), or keeping what was told (``ledger``).

A contract waits until its window, less the time in which an owner is sought, and is looked at again then
(``again_at``); in its window every update goes on to the owner; past its end somebody must say what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Final, cast

import pandas as pd

from leadgate.playbook import Playbook, RenewalKind
from leadgate.playbook.kinds import WITHOUT_SECTION
from leadgate.playbook.rep_names import RepNames
from leadgate.records import cells
from leadgate.records.cells import read_date
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

_KIND: Final = "Contract"


def judge(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """The judgement of each update in ``frame``, with its index. ``playbook`` is the view for renewals.

    ``frame`` and the columns returned are as for ``opportunity.judge``; ``pushes`` is not read.
    """
    judges = _Judges(playbook, now)
    return build_frame([judges.judge(each) for each in read_updates(frame, playbook, ("slipped_on",))], frame.index)


class _Judges:
    """What holds for every update of a frame."""

    def __init__(self, playbook: Playbook, now: datetime) -> None:
        found = playbook.kinds.find(JourneyKind.RENEWAL) or WITHOUT_SECTION[JourneyKind.RENEWAL]
        self.section = cast(RenewalKind, found)
        self.reps = RepNames(playbook.reps)
        self.now, self.today = now, now.date()
        self._ends = {fold_word(word): end for end, words in self.section.closed.items() for word in (end, *words)}

    def judge(self, update: Update) -> Judgement:
        status, end = update.text("status"), read_date(update.row["end_date"])
        ended = self._ends.get(fold_word(status)) if status is not None else None
        made = Judgement(ended is None, self._find_category(update, ended))
        opens, starts = self._find_window(end)
        self._explain(made, update, ended, opens)
        if made.is_open:
            made.again_at = cells.find_next(self.now, iter((starts, cells.find_day_after(end))))
        is_news = update.is_due or update.touches({"end_date", "status"})
        if made.judgement["slipped"] and is_news and end != read_date(update.known["slipped_on"]):
            manager = self.reps.find_manager(update.rep)
            why = f"slipped: the contract ended on {end}, and nothing is said about its renewal"
            made.tell = tuple(
                (each, why) for each in dict.fromkeys((self.reps.find(update.rep), manager)) if each is not None
            )
        name = update.name(_KIND)
        if update.is_unchanged:
            made.end(Outcome.DONE, NothingNew.UNCHANGED)
        elif update.qualified == Outcome.DISQUALIFIED:
            made.follow_qualification(name, update)
        elif questions := drop_waived(self._ask(update, end, is_open=made.is_open), update):
            made.hold(name, questions)
        elif ended is not None:
            made.end(Outcome.DONE, ended)
        elif starts is not None and starts > self.now:
            made.end(Outcome.NURTURE, NothingNew.NOT_YET)
        else:
            made.follow_qualification(name, update)
        return made

    def _find_window(self, end: date | None) -> tuple[datetime | None, datetime | None]:
        """When the window of a contract opens, and when an owner is sought. A contract of the first years is past."""
        try:
            opens = None if end is None else datetime.combine(end, time(), self.now.tzinfo) - self.section.window
            return opens, None if opens is None else opens - self.section.prepare
        except OverflowError:
            return None, None

    def _ask(self, update: Update, end: date | None, *, is_open: bool) -> Iterator[Question]:
        amount = update.number("amount")
        if amount is not None and amount < 0 and update.touches({"amount"}):
            yield Question(
                "amount_implausible", f"has an amount of {cells.show(amount)}, which is below nothing", "owner"
            )
        if not is_open:
            return
        if end is None:
            if update.touches({"end_date", "status"}):
                message = "has no end date, so nobody knows when its renewal begins: give the end date"
                yield Question("end_date_missing", message, "owner")
            return
        start = read_date(update.row["start_date"])
        if start is not None and end < start and update.touches({"start_date", "end_date"}):
            message = f"ends on {end}, before it starts on {start}: correct one of them"
            yield Question("end_date_before_start", message, "owner")
        was_told = update.is_due and end == read_date(update.known["slipped_on"])
        if end < self.today and not was_told and (update.is_due or update.touches({"end_date", "status"})):
            message = (
                f"ended on {end}, and nothing is said about its renewal: say whether it was renewed, lost or churned"
            )
            yield Question("end_date_passed", message, "manager")

    def _find_category(self, update: Update, ended: str | None) -> ForecastCategory:
        if ended is not None:
            return ForecastCategory.CLOSED if ended == "won" else ForecastCategory.OMITTED
        return ForecastCategory.COMMIT if update.row["auto_renews"] is True else ForecastCategory.PIPELINE

    def _explain(self, made: Judgement, update: Update, ended: str | None, opens: datetime | None) -> None:
        row, was = update.row, update.before
        end, before = read_date(row["end_date"]), read_date((was or {}).get("end_date"))
        amount, earlier = update.number("amount"), cells.read_number((was or {}).get("amount"))
        moved = 0 if end is None or before is None or update.is_due else (end - before).days
        slipped = made.is_open and end is not None and end < self.today
        seats, used = update.number("seats"), update.number("seats_used")
        made.judgement = {
            "new": update.is_first,
            "due": update.is_due,
            "changed": sorted(update.changed),
            "end": ended,
            "end_date": cells.to_json(end),
            "from_end_date": cells.to_json(before),
            "moved_days": moved,
            "window_opens": None if opens is None else opens.date().isoformat(),
            "in_window": made.is_open and opens is not None and opens <= self.now,
            "days_left": (end - self.today).days if end is not None else None,
            "slipped": slipped,
            "slipped_days": (self.today - end).days if slipped and end is not None else 0,
            "score": update.score,
            "seats_used_share": round(used / seats, 3) if seats and used is not None else None,
            "usage": row["usage"],
            "auto_renews": row["auto_renews"],
            "from_amount": earlier,
            "to_amount": amount,
            "amount_change": None if amount is None or earlier is None or update.is_due else amount - earlier,
            "to_category": made.category.value,
            "findings": [],
        }
        made.detail = f"the end date moves by {moved:,} days" if moved else None
