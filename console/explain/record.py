"""``leadgate explain R12``: the story of an opportunity, a renewal or an expansion, told on the screen.

Belongs here: printing it. Does not belong here: the words (``console.record_timeline``).
"""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from console.display_names import DisplayNames
from console.record_timeline import build_record_timeline, describe_standing, name_record
from console.redaction import SHOWN, sanitise
from console.screen import CommandError, build_console, build_heading, build_table, format_moment, print_json
from leadgate.ledger import Ledger
from leadgate.ledger.record_history import RecordStory, load_record_story
from leadgate.playbook import Playbook


def explain_record(ledger: Ledger, record_id: int, playbook: Playbook, *, as_json: bool) -> None:
    """Print the story of a record. Raises ``CommandError`` where there is none of this number."""
    with ledger.snapshot(much=False) as connection:
        story = load_record_story(connection, record_id)
    if story is None:
        raise CommandError(f"there is no record R{record_id}; `leadgate forecast` names those that moved")
    if as_json:
        print_json(asdict(story))
    else:
        _render(story, DisplayNames(playbook), build_console())


def _render(story: RecordStory, names: DisplayNames, console: Console) -> None:
    record = story.record
    console.print(
        build_heading(sanitise(f"{name_record(record)}: {record.kind} of {names.name_source(record.source)}", 400))
    )
    console.print(Text(sanitise(describe_standing(record, names), 400)))
    for event in build_record_timeline(story, names):
        by = f" by {event.who}" if event.who else ""
        console.print()
        console.print(Text(sanitise(f"{format_moment(event.at)} UTC{by}: {event.words}", SHOWN * 2)))
        if event.grid is not None:
            table = build_table(*event.grid.columns)
            for row in event.grid.rows:
                table.add_row(*(Text(sanitise(cell, SHOWN)) for cell in row))
            console.print(Padding(table, (0, 0, 0, 2)))
        for detail in event.details:
            console.print(Padding(Text(sanitise(detail, SHOWN), style="dim"), (0, 0, 0, 2)))
