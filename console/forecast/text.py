"""A forecast on a terminal: two tables and a list.

Belongs here: the layout. Does not belong here: the words of a movement (``sentences``), or what is asked for
(``request``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from console.display_names import DisplayNames
from console.forecast.reading import Forecast, MovedRecord
from console.forecast.request import describe_days
from console.forecast.sentences import (
    CATEGORY_WORDS,
    REASON_WORDS,
    explain_movement,
    format_day,
    format_money,
    name_owner,
)
from console.redaction import sanitise
from console.screen import build_heading, build_table, find_program
from leadgate.counting import format_count
from leadgate.masking import mask_within
from leadgate.records.forecast import COUNTED, Figure
from leadgate.vocabulary import ForecastCategory

_SHOWN: Final = 120  # characters of a name
_COLUMNS: Final = (*(CATEGORY_WORDS[category] for category in COUNTED), "Total")

ShowName = Callable[[str], str]


def render(read: Forecast, names: DisplayNames, console: Console, most: int, *, personal: bool) -> None:
    """Print the forecast, with the ``most`` largest movements of it."""
    zone = ZoneInfo(read.asked.zone)
    since, until = (format_moment(at, zone, read.asked.now) for at in (read.asked.since, read.asked.until))
    days = describe_days(read.asked.period)
    console.print(build_heading(f"Forecast: {read.asked.period_words.lower()}" + (f", {days}" if days else "")))
    console.print(Text(f"As of {until} ({read.asked.zone})"))
    console.print()
    _render_owners(read, names, console, since)
    for note in list_notes(read):
        console.print(Text(note))
    console.print()
    console.print(build_heading(f"What moved since {since}"))
    if not read.records:
        console.print(Text("Nothing has moved."))
        return
    _render_moved(read, console, since, until)
    console.print()
    _render_records(read, names, console, most, personal=personal)


def _render_owners(read: Forecast, names: DisplayNames, console: Console, since: str) -> None:
    change = f"Since {since.partition(',')[0]}"
    table = build_table("Owner", *_COLUMNS, change, right=(*_COLUMNS, change))
    for line in read.owners:
        name = sanitise(name_owner(line.owner, names.name_rep), _SHOWN)
        table.add_row(name, *_list_cells(line.figures, line.total), format_money(line.change, sign=True))
    if len(read.owners) != 1:
        change_of_all = format_money(read.total - read.total_before, sign=True)
        table.add_row("All", *_list_cells(read.end, read.total), change_of_all, style="bold")
    console.print(table)


def _list_cells(figures: Mapping[ForecastCategory, Figure], total: int) -> list[str]:
    return [*(format_money(figures[category].cents) for category in COUNTED), format_money(total)]


def _render_moved(read: Forecast, console: Console, since: str, until: str) -> None:
    table = build_table("", *_COLUMNS, right=_COLUMNS)
    table.add_row(since, *(format_money(read.start[category]) for category in COUNTED), format_money(read.total_before))
    for line in read.moved:
        cells = [_format_change(line.cents[category]) for category in COUNTED]
        table.add_row(f"{REASON_WORDS[line.reason]} ({line.count:,})", *cells, _format_change(line.total))
    table.add_row(until, *_list_cells(read.end, read.total), style="bold")
    console.print(table)


def _render_records(read: Forecast, names: DisplayNames, console: Console, most: int, *, personal: bool) -> None:
    year = read.asked.day_after.year
    for each in read.records[:most]:
        owner = each.movement.after or each.movement.before
        whose = name_owner(None if owner is None else owner.owner, names.name_rep)
        head = ", ".join([describe_record(each, personal=personal), sanitise(whose, _SHOWN)])
        console.print(Text(f"{_format_change(each.cents):>12}  {head}"))
        words = [explain_movement(each.movement, names.name_rep, year), *_say_who(each, names, read)]
        console.print(Padding(Text(sanitise(" ".join(words), 1_000)), (0, 0, 0, 14)))
    left = len(read.records) - most
    if left > 0:
        more = format_count(left, "more opportunity", "more opportunities")
        console.print(Text(f"{more}; see them with --limit {len(read.records)}."))
    console.print(Text(f"The story of one: {find_program()} explain R{read.records[0].record_id}", style="dim"))


def _format_change(cents: int) -> str:
    """Nothing for none: what moved from one column to another adds nothing to the total."""
    return format_money(cents, sign=True) if cents else ""


def _say_who(each: MovedRecord, names: DisplayNames, read: Forecast) -> Iterable[str]:
    """Who told it and when, where somebody did since."""
    facts = each.facts
    if facts.changed_at is not None:
        local = facts.changed_at.astimezone(ZoneInfo(read.asked.zone))
        who = f" by {names.name_rep(facts.changed_by)}" if facts.changed_by else ""
        yield f"Changed on {format_day(local.date(), read.asked.day_after.year)}{who}."


def describe_record(each: MovedRecord, *, personal: bool) -> str:
    """``R12 500 seats (Acme)``; what looks like an address or a number is masked unless ``personal``."""
    show: ShowName = str if personal else mask_within
    name, account = (
        "" if value is None else sanitise(show(value), _SHOWN) for value in (each.facts.name, each.facts.account)
    )
    return f"R{each.record_id}" + (f" {name}" if name else "") + (f" ({account})" if account else "")


def list_notes(read: Forecast) -> list[str]:
    """What is in no figure of the period, or has no amount."""
    notes = []
    without = sum(read.end[category].without_amount for category in COUNTED)
    if without:
        counts = "counts" if without == 1 else "count"
        notes.append(f"{format_count(without, 'opportunity has', 'opportunities have')} no amount and {counts} as 0.")
    if read.end[ForecastCategory.OMITTED].count:
        omitted = read.end[ForecastCategory.OMITTED]
        notes.append(
            f"{format_count(omitted.count, 'opportunity', 'opportunities')} with {format_money(omitted.cents)} "
            f"{'is' if omitted.count == 1 else 'are'} omitted from the forecast, and in no total."
        )
    if read.overdue.count:
        notes.append(
            f"{format_count(read.overdue.count, 'open opportunity', 'open opportunities')} with "
            f"{format_money(read.overdue.cents)} should have closed before this period, and "
            f"{'is' if read.overdue.count == 1 else 'are'} in no figure of it: give a new close date, or close."
        )
    if read.undated.count:
        notes.append(
            f"{format_count(read.undated.count, 'open opportunity', 'open opportunities')} with "
            f"{format_money(read.undated.cents)} {'has' if read.undated.count == 1 else 'have'} no close date, and "
            f"{'is' if read.undated.count == 1 else 'are'} in no figure of a period."
        )
    return notes


def format_moment(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """``Mon 23 Nov, 00:00``, with the year where it is another than that of ``now``."""
    local = at.astimezone(zone)
    return f"{format_day(local.date(), now.astimezone(zone).year)}, {local:%H:%M}"
