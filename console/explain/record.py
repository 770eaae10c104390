"""``leadgate explain R12``: the story of an opportunity, a renewal or an expansion, told on the screen.

Belongs here: printing it. Does not belong here: the words (``record_answers``, ``console.record_timeline``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from console.answers import Answer, build_json_data
from console.display_names import DisplayNames
from console.explain.printing import render
from console.explain.record_answers import answer_questions
from console.record_timeline import build_record_timeline, describe_standing, name_record
from console.redaction import SHOWN, sanitise
from console.screen import CommandError, build_console, build_heading, build_table, format_moment, print_json
from leadgate.ledger import Ledger
from leadgate.ledger.lead_history import Story, load_story
from leadgate.ledger.record_history import RecordStory, find_journey_of_record, load_record_story
from leadgate.playbook import Playbook

#: What ``--json`` has of the record's journeys beside its story.
_OF_JOURNEYS: Final = ("assignments", "actions", "activities")


def explain_record(
    ledger: Ledger, record_id: int, playbook: Playbook, now: datetime, *, as_json: bool, journey: int | None = None
) -> None:
    """Print the four answers about a record, by its ``journey`` or the one that tells most, and its story. Raises
    ``CommandError`` where there is none of this number."""
    with ledger.snapshot(much=False) as connection:
        story = load_record_story(connection, record_id)
        if story is not None:
            journey = journey or find_journey_of_record(connection, record_id)
    if story is None:
        raise CommandError(f"there is no record R{record_id}; `leadgate records` lists those that there are")
    names = DisplayNames(playbook)
    of_journey = None if journey is None else load_story(ledger, journey)
    answers = [] if of_journey is None else answer_questions(story, of_journey, playbook, names, now)
    if as_json:
        print_json(
            asdict(story)
            | {
                "answers": build_json_data(answers),
                "journey": None if of_journey is None else asdict(of_journey.journey),
                **{name: [asdict(each) for each in getattr(of_journey, name, ())] for name in _OF_JOURNEYS},
            }
        )
    else:
        _render(story, of_journey, answers, names, build_console())


def _render(
    story: RecordStory, of_journey: Story | None, answers: Sequence[Answer], names: DisplayNames, console: Console
) -> None:
    record = story.record
    console.print(
        build_heading(sanitise(f"{name_record(record)}: {record.kind} of {names.name_source(record.source)}", 400))
    )
    console.print(Text(sanitise(describe_standing(record, names), 400)))
    for answer in answers:
        render(answer, console)
    if answers:
        console.print()
        console.print(build_heading("What happened"))
    for event in build_record_timeline(story, names, of_journey):
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
