"""``leadgate explain``: one lead's story, told on the screen.

Belongs here: asking for the answers, and showing them. Does not belong here: finding the words (``trigger``,
``evidence``), a record's (``record``), or the lead (``lookup``).
"""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from console.answers import build_json_data
from console.cli.options import Json, Lead, Now
from console.command_context import CommandContext, parse_now
from console.explain import evidence, follow_up, trigger
from console.explain.printing import render
from console.explain.record import explain_record
from console.lookup import resolve_journey
from console.redaction import sanitise
from console.screen import build_console, build_heading, print_json
from leadgate.ledger import lead_history
from leadgate.ledger.clock import ask_time
from leadgate.references import parse


def explain(ctx: typer.Context, lead: Lead, json: Json = False, now: Now = None) -> None:
    """Explain one lead: what triggered it, who owns it and why, what evidence proves it worked, what happens when it
    fails.

    A record, such as R12, is explained in the same way, with each update: the values before and after, when, and by
    whom.
    """
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        if (named := parse(lead)) is not None and named[0] == "record":
            explain_record(ledger, named[1], playbook, ask_time(ledger, parse_now(now)), as_json=json)
            return
        at = ask_time(ledger, parse_now(now))
        story = lead_history.load_story(ledger, resolve_journey(ledger, lead, playbook))
        if story.journey.record_id is not None:
            explain_record(ledger, story.journey.record_id, playbook, at, as_json=json, journey=story.journey.id)
            return
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
