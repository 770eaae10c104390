"""The command line, what an owner does while they have a lead: ``wait``, ``resume``, ``touch``.

Belongs here: signatures. Does not belong here: what the commands do (``waiting``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.options import By, Json, Lead, Now


def register(app: typer.Typer) -> None:
    app.command()(wait)
    app.command()(resume)
    app.command()(touch)


def wait(
    ctx: typer.Context,
    lead: Lead,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="DATE", help="The clocks run on then; a date alone is its morning for the owner."
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="What is waited for, in your own words.")],
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """The owner waits for the lead: its clocks stand still until then, or until the lead is heard of."""
    from console import waiting as command

    command.wait(ctx.obj, lead, until=until, reason=reason, by=by, as_json=json, now=now)


def resume(ctx: typer.Context, lead: Lead, by: By = None, json: Json = False, now: Now = None) -> None:
    """The wait for the lead is over: its clocks run on."""
    from console import waiting as command

    command.resume(ctx.obj, lead, by=by, as_json=json, now=now)


def touch(
    ctx: typer.Context,
    lead: Lead,
    kind: Annotated[str, typer.Option("--kind", help="A touch or an outcome of the playbook, such as call.")],
    by: By = None,
    at: Annotated[str | None, typer.Option("--at", metavar="MOMENT", help="When it was (UTC); else now.")] = None,
    seconds: Annotated[int | None, typer.Option("--seconds", min=0, help="How long a call took.")] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Log by hand what a rep did about a lead. A touch stops the owner's clock."""
    from console import waiting as command

    command.touch(ctx.obj, lead, kind=kind, by=by, when=at, seconds=seconds, as_json=json, now=now)
