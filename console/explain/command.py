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

from console.answers import Answer, Grid, as_data
from console.cli.options import Json, Lead, Now
from console.command_context import CommandContext, as_of
from console.explain import evidence, follow_up, trigger
from console.lookup import journey_of
from console.redaction import SHOWN, visible
from console.screen import heading, out, print_json, table
from leadgate.ledger import lead_history
from leadgate.ledger.clock import time_of


def explain(ctx: typer.Context, lead: Lead, json: Json = False, now: Now = None) -> None:
    """One lead: what triggered it, who owns it and why, what proves it, what happens when it fails."""
    context: CommandContext = ctx.obj
    playbook = context.playbook().playbook
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        story = lead_history.story(ledger, journey_of(ledger, lead, playbook))
    answered = [
        trigger.triggered(story),
        trigger.owner(story, at),
        follow_up.with_evidence(evidence.evidence(story), story, playbook),
        evidence.failure(story, playbook, at),
    ]
    if json:
        print_json(
            {
                "lead_id": story.journey.lead_id,
                "journey_id": story.journey.id,
                "status": story.journey.status,
                "stage": story.journey.stage,
                "answers": as_data(answered),
                "story": asdict(story),
            }
        )
        return
    console = out()
    console.print(heading(visible(trigger.title(story), 400)))
    console.print(Text(trigger.standing(story)))
    for answer in answered:
        render(answer, console)


def render(answer: Answer, console: Console) -> None:
    """Print one answer."""
    console.print()
    console.print(heading(answer.question))
    for part in answer.parts:
        if isinstance(part, Grid):
            made = table(*part.columns)
            for row in part.rows:
                made.add_row(*(Text(visible(cell, SHOWN)) for cell in row))
            console.print(Padding(made, (0, 0, 0, 2)))
        else:
            console.print(Padding(Text(visible(part, SHOWN * 5)), (0, 0, 0, 2)))
