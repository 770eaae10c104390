"""``leadgate views``: the saved views of the report, and sending one now.

Belongs here: what was asked for, and saying how it went. Does not belong here: saved views (``ledger.saved_views``), or
sending (``tasks.report_mail``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import Json, Now, build_id_parser
from console.command_context import CommandContext, identify_actor, parse_now
from console.redaction import sanitise
from console.report.sending import build_sender, render_mails
from console.screen import CommandError, build_console, build_table, format_moment, print_json
from leadgate.ledger import report_mails
from leadgate.ledger.clock import ask_time
from leadgate.report_schedule import find_next_due

ViewId = Annotated[
    int, typer.Argument(metavar="V3", parser=build_id_parser("saved view"), help="The number of the saved view.")
]


def list(ctx: typer.Context, json: Json = False, now: Now = None) -> None:
    """List the saved views of everybody, with when each is sent and how the last sending went."""
    context: CommandContext = ctx.obj
    by = identify_actor(context.playbook().playbook)
    with context.ledger() as ledger:
        at = ask_time(ledger, parse_now(now))
        found = report_mails.list_all(ledger, by)
        last = report_mails.list_last(ledger, [view.id for view, _ in found])
    rows = []
    for view, login in found:
        step = last.get(view.id)
        due = None if view.schedule is None or view.paused_at is not None else find_next_due(view.schedule, at)
        rows.append(
            {
                "view": f"V{view.id}",
                "account": login,
                "name": view.name,
                "schedule": None if view.schedule is None else view.schedule.in_words,
                "paused": view.paused_at is not None,
                "next_due": due,
                "last": None if step is None else step.step.value,
                "last_at": None if step is None else step.at,
                "failure": None if step is None else step.failure,
            }
        )
    if json:
        print_json({"views": rows})
        return
    if not rows:
        build_console().print("Nobody has saved a view. The page Reports of the console saves one.")
        return
    table = build_table("view", "account", "name", "sent", "next (UTC)", "last")
    for row, (view, _) in zip(rows, found, strict=True):
        step = last.get(view.id)
        sent = "paused" if row["paused"] else row["schedule"] or "not by e-mail"
        how = "" if step is None else f"{step.step.replace('_', ' ')} {format_moment(step.at)}"
        how += f": {step.failure}" if step is not None and step.failure else ""
        due = None if row["next_due"] is None or view.schedule is None else find_next_due(view.schedule, at)
        table.add_row(
            str(row["view"]), sanitise(row["account"], 80), sanitise(row["name"], 80), sanitise(sent),
            format_moment(due), sanitise(how, 200),
        )  # fmt: skip
    build_console().print(table)


def send(ctx: typer.Context, view: ViewId, json: Json = False, now: Now = None) -> None:
    """Send a saved view now, to the address of its account and to nobody else."""
    context: CommandContext = ctx.obj
    at = parse_now(now)
    with context.ledger_and_playbook(checked=True, takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        by = identify_actor(playbook)
        asked = report_mails.ask_for(ledger, view, by=by, now=ask_time(ledger, at))
        if not asked and view not in {each.id for each, _ in report_mails.list_all(ledger, by)}:
            raise CommandError(f"there is no saved view V{view}; `leadgate views list` has them")
        report = build_sender(context.settings, playbook, only=view)(ledger, at, lambda: False)
    if json:
        print_json(report.to_dict())
        return
    render_mails(report, build_console())
    if not report.outcomes and not report.without_server:
        build_console().print("Nothing was sent: it was asked for within the last minute, or another process sends it.")
