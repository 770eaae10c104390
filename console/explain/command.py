"""``leadgate explain``: one lead's story, told on the screen.

Belongs here: printing answers, safely whatever is in them. Does not belong here: finding the words
(``trigger``, ``evidence``) or the lead (``lookup``).
"""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from console.answers import Answer, Grid, build_json_data
from console.cli.options import Json, Lead, Now
from console.command_context import CommandContext, parse_now
from console.explain import evidence, follow_up, trigger
from console.explain.record import explain_record
from console.lookup import resolve_journey
from console.redaction import SHOWN, sanitise
from console.screen import build_console, build_heading, build_table, print_json
from leadgate.ledger import lead_history
from leadgate.ledger.clock import ask_time
from leadgate.references import parse


def explain(ctx: typer.Context, lead: Lead, json: Json = False, now: Now = None) -> None:
    """One lead: what triggered it, who owns it and why, what proves it, what happens when it fails.

    Or one record, such as R12: each update as it was told, what was decided about it, and when it slipped.
    """
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        if (named := parse(lead)) is not None and named[0] == "record":
            explain_record(ledger, named[1], playbook, as_json=json)
            return
        at = ask_time(ledger, parse_now(now))
        story = lead_history.load_story(ledger, resolve_journey(ledger, lead, playbook))
    answered = [
        trigger.answer_trigger(story),
        trigger.answer_owner(story, at),
        follow_up.add_evidence(evidence.answer_evidence(story), story, playbook),
        evidence.answer_failure(story, playbook, at),
    ]
    if json:
        print_json(
            {
                "lead_id": story.journey.lead_id,
                "journey_id": story.journey.id,
                "status": story.journey.status,
                "stage": story.journey.stage,
                "answers": build_json_data(answered),
                "story": asdict(story),
            }
        )
        return
    console = build_console()
    console.print(build_heading(sanitise(trigger.describe_lead(story), 400)))
    console.print(Text(trigger.describe_standing(story)))
    for answer in answered:
        render(answer, console)


def render(answer: Answer, console: Console) -> None:
    """Print one answer."""
    console.print()
    console.print(build_heading(answer.question))
    for part in answer.parts:
        if isinstance(part, Grid):
            made = build_table(*part.columns)
            for row in part.rows:
                made.add_row(*(Text(sanitise(cell, SHOWN)) for cell in row))
            console.print(Padding(made, (0, 0, 0, 2)))
        else:
            console.print(Padding(Text(sanitise(part, SHOWN * 5)), (0, 0, 0, 2)))
