"""Work items as a list: one line each, what is wrong first.

Belongs here: the columns, and how each fits the width. Does not belong here: which items (``queue``, ``review``), one
item in full (``review``, ``explain``), or what can be done (``suggestions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from console.redaction import sanitise
from console.screen import build_table, format_moment, format_span
from console.suggestions import suggest

if TYPE_CHECKING:
    from leadgate.ledger.reports import OpenWorkItem
    from leadgate.values.json_types import JsonValue

_LEAST: Final = 24  # characters for what is wrong, however narrow the terminal
_DECIDES: Final = {True: 14, False: 24}  # at most, on a narrow terminal and on others
_NARROW: Final = 100
_WORTH: Final = 10  # characters of further things that are worth a look
_REASONS: Final = 4  # that a list proposes something for


def render(items: Sequence[OpenWorkItem], more: Mapping[int, str], now: datetime, console: Console) -> None:
    """Print a line for each item. ``more`` says further things of some, by id."""
    width = console.width
    rows = [
        (
            f"W{item.id}",
            format_about(item),
            cut(name_decider(item), _DECIDES[width < _NARROW]),
            format_due(item.due_at, now),
        )
        for item in items
    ]
    names = ("item", "lead", "decides", f"due ({now.astimezone():%Z})")
    wide = [max(cell_len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    room = max(_LEAST, width - sum(wide) - 2 * (len(names) + 1))
    made = build_table(names[0], "what is wrong", *names[1:], right=("item", "lead"))
    for column in made.columns:
        column.no_wrap = True
    for item, (number, *others) in zip(items, rows, strict=True):
        made.add_row(number, Text(format_problem(item, more.get(item.id, ""), room)), *map(Text, others))
    console.print(made)


def render_next(items: Sequence[OpenWorkItem], console: Console) -> None:
    """For the most frequent reasons, what makes most sense, with an item that has it."""
    by_reason: dict[str, list[OpenWorkItem]] = {}
    for item in items:
        by_reason.setdefault(item.reason, []).append(item)
    told = []
    for reason, alike in sorted(by_reason.items(), key=lambda each: -len(each[1]))[:_REASONS]:
        proposed = next((item for item in alike if item.proposal), alike[0])
        command, words = next(iter(suggest(proposed)), ("", "look at it"))
        count = f" ({len(alike):,} of them)" if len(alike) > 1 else ""
        told.append((f"{sanitise(reason, 40)}{count}: {words}", command))
    console.print("\nNext")
    for words, command in told:
        console.print(f"  {words}", soft_wrap=True)
        if command:
            console.print(f"    {command}", soft_wrap=True)


def format_problem(item: OpenWorkItem, more: str, room: int) -> str:
    """What is wrong and the value that it is about, in ``room`` characters; both are cut where they do not fit."""
    sentence = sanitise(item.message, 400)
    sentence = sentence[:1].upper() + sentence[1:]
    seen = sanitise(item.value or item.detail or "", 120)
    if item.proposal:
        proposed = " → ".join(filter(None, (seen, sanitise(format_changes(item.proposal), 80))))
        if not seen or cell_len(sentence) + cell_len(proposed) + 2 <= room:  # else `explain` and `review` tell it
            seen = proposed
    if not seen:
        left = room - cell_len(sentence) - 2
        return f"{sentence}: {cut(sanitise(more, 200), left)}" if more and left > _WORTH else cut(sentence, room)
    left = room - cell_len(sentence) - 2
    seen = cut(seen, max(left, room // 2))
    return f"{cut(sentence, room - cell_len(seen) - 2)}: {seen}"


def format_changes(proposed: Mapping[str, JsonValue] | None) -> str:
    """A proposal as one would type it: ``email=jane@gmail.com``."""
    return ", ".join(f"{field}={value}" for field, value in (proposed or {}).items())


def cut(text: str, room: int) -> str:
    """``text`` in at most ``room`` cells of a terminal."""
    short = Text(text)
    short.truncate(max(room, 1), overflow="ellipsis")
    return short.plain


def format_about(item: OpenWorkItem) -> str:
    if item.journey_id is None:
        return f"{item.journeys:,} held"
    if item.record_id is not None:
        return f"R{item.record_id}"
    return str(item.lead_id if item.lead_id is not None else f"J{item.journey_id}")


def name_decider(item: OpenWorkItem) -> str:
    """Who decides it; or to whom it went when nobody did in time."""
    if item.escalated_at is not None:
        return f"↑ {sanitise(item.escalated_to, 40)}"
    return sanitise(item.assignee or item.route, 40)


def format_due(at: datetime, now: datetime) -> str:
    """When it is due, from now and by the local clock: ``in 7 h, 21:55`` or ``2 d late, Mon 09:00``."""
    local, today = at.astimezone(), now.astimezone().date()
    days = (local.date() - today).days
    clock = f"{local:%H:%M}" if days == 0 else f"{local:%a %H:%M}" if abs(days) < 7 else f"{local.day} {local:%b %H:%M}"
    length = " ".join(format_span(max(abs(at - now), timedelta(minutes=1))).split()[:2])
    return f"in {length}, {clock}" if at >= now else f"{length} late, {clock}"


def describe_decider(item: OpenWorkItem) -> str:
    """Who decides the item, and whom it was escalated to when nobody did in time."""
    who = sanitise(item.assignee or item.route, 40)
    if item.escalated_at is None:
        return who
    return f"{who}\nescalated to {sanitise(item.escalated_to, 40)} at {format_moment(item.escalated_at)}"


def describe_problem(item: OpenWorkItem) -> str:
    """What a person needs to see to decide, in a few short lines."""
    parts = [sanitise(item.message, 160)]
    if item.detail:
        parts.append(sanitise(item.detail, 120))
    if item.value:
        parts.append(f"value: {sanitise(item.value, 60)}")
    if item.proposal:
        parts.append(f"proposed: {sanitise(format_changes(item.proposal), 80)}")
    return "\n".join(parts)
