"""A record's story as a timeline: what was told, from, to, when, by whom; what was decided; when it slipped.

Belongs here: pure functions from ``ledger.record_history.RecordStory`` to events, unescaped. Does not belong here: the
timeline of a lead (``timeline``), or markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from console.answers import Grid, show_value
from console.display_names import DisplayNames, write_as_words
from console.forecast.sentences import CATEGORY_WORDS, format_day, format_money
from console.timeline import Event, Tone, build_timeline
from leadgate.ledger.lead_history import Story
from leadgate.ledger.record_history import DeletionRow, JudgementRow, RecordRow, RecordStory, SlipRow, VersionRow
from leadgate.vocabulary import ForecastCategory, Outcome

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CHANGED: Final = ("field", "from", "to")
_KNOWN: Final = ("field", "value")
#: What is behind each version anyway: when and by whom it was changed.
_BESIDE: Final = frozenset({"occurred_at", "changed_by", "external_id"})
_JUDGED: Final[dict[str, tuple[str, Tone]]] = {
    Outcome.CONTINUE: ("went on to its owner", "good"),
    Outcome.HOLD: ("is held", "warn"),
    Outcome.REVIEW: ("waits for a review", "warn"),
    Outcome.DONE: ("needs no follow-up", ""),
    Outcome.NURTURE: ("is looked at again later", ""),
    Outcome.DISQUALIFIED: ("is disqualified", ""),
}


def name_record(record: RecordRow) -> str:
    """``R12 500 seats (Acme)``."""
    return (
        f"R{record.id}"
        + (f" {record.name}" if record.name else "")
        + (f" ({record.account})" if record.account else "")
    )


def describe_standing(record: RecordRow, names: DisplayNames) -> str:
    """Where the record stands, in a line."""
    parts = ["open" if record.is_open else record.outcome or "closed"]
    if record.category and record.is_open:
        parts.append(CATEGORY_WORDS[ForecastCategory(record.category)].lower())
    if record.sales_stage:
        parts.append(f"sales stage {write_as_words(record.sales_stage)}")
    if record.amount is not None:
        parts.append(format_money(round(record.amount * 100)))
    if record.close_date is not None:
        parts.append(f"{'to close' if record.is_open else 'close date'} {format_day(record.close_date)}")
    parts.append("no owner" if record.owner is None else f"owner {names.name_rep(record.owner)}")
    words = ", ".join(parts)
    slipped = ". Its close date has passed" if record.is_open and record.slipped_on else ""
    return f"{words[:1].upper()}{words[1:]}{slipped}."


#: Of the events of a record's journeys, those of people. What stages did is told by the updates and what was decided.
_OF_PEOPLE: Final = frozenset({"owner", "acceptance", "touch", "activity", "action", "correction", "wait"})


def build_record_timeline(story: RecordStory, names: DisplayNames, of_journeys: Story | None = None) -> list[Event]:
    """Everything that happened to the record, the latest first; ``of_journeys`` tells what people did."""
    first = story.versions[0].number if story.versions else 0
    events = [
        *(_tell_version(version, names, is_first=version.number == first == 1) for version in story.versions),
        *(_tell_judgement(each) for each in story.judgements),
        *(_tell_slip(each) for each in story.slips),
        *(_tell_deletion(each) for each in story.deletions),
        *(each for each in (build_timeline(of_journeys, names) if of_journeys else ()) if each.kind in _OF_PEOPLE),
    ]
    return sorted(events, key=lambda event: event.at)[::-1]  # what happened in one moment stays in this order


def _tell_version(version: VersionRow, names: DisplayNames, *, is_first: bool) -> Event:
    rows = list(list_changes(version))
    words = "Told for the first time" if is_first else "Updated" if rows else "Told again without a change"
    details = [f"Journey J{version.journey_id}."]
    if version.late:
        words = "Told late: it was changed before what was known already, so nothing follows from it"
    return Event(
        version.changed_at,
        "update",
        f"{words}.",
        names.name_rep(version.changed_by) if version.changed_by else None,
        "warn" if version.late else "info",
        details,
        (Grid(_KNOWN, [(field, to) for field, _, to in rows]) if is_first else Grid(_CHANGED, rows)) if rows else None,
    )


def list_changes(version: VersionRow) -> Iterator[tuple[str, str, str]]:
    """Each field that an update changed, what it was before and what it is after, in words."""
    for name, change in (version.changes or {}).items():
        if name in _BESIDE or not isinstance(change, list) or len(change) != 2:
            continue
        yield write_as_words(name), _show(name, change[0]), _show(name, change[1])


def _show(name: str, value: object) -> str:
    if value is None or value == "":
        return "nothing"
    if name == "amount" and isinstance(value, (int, float)) and abs(value) < 1e15:
        return format_money(round(value * 100))
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return format_day(date.fromisoformat(value))
        except ValueError:
            return value
    return show_value(value)


def _tell_judgement(each: JudgementRow) -> Event:
    words, tone = _JUDGED.get(each.outcome, (write_as_words(each.outcome), ""))
    why = f": {write_as_words(each.reason)}" if each.reason else ""
    return Event(each.at, "judgement", f"Journey J{each.journey_id} {words}{why}.", None, tone)


def _tell_deletion(deletion: DeletionRow) -> Event:
    words = "Deleted where it came from, or merged into another: nobody follows it up any more."
    return Event(deletion.noticed_at, "deletion", words, None, "warn")


def _tell_slip(slip: SlipRow) -> Event:
    return Event(
        slip.noticed_at, "slip", f"Slipped: was to close {format_day(slip.close_date)}, and is open.", None, "bad"
    )
