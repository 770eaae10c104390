"""The command line, what an owner does while they have a lead: ``wait``, ``resume``, ``touch``; and ``undo``.

Belongs here: signatures. Does not belong here: what the commands do (``waiting``, ``undo``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.options import ActionId, By, For, Json, Later, Lead, Now


def register(app: typer.Typer) -> None:
    app.command()(wait)
    app.command()(resume)
    app.command()(touch)
    app.command()(undo)


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
    acts_for: For = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """The owner waits for the lead: its clocks stand still until then, or until the lead is heard of."""
    from console import waiting as command

    command.wait(ctx.obj, lead, until=until, reason=reason, acts_for=acts_for, as_json=json, now=now)


def resume(
    ctx: typer.Context, lead: Lead, acts_for: For = None, by: By = None, json: Json = False, now: Now = None
) -> None:
    """The wait for the lead is over: its clocks run on."""
    from console import waiting as command

    command.resume(ctx.obj, lead, acts_for=acts_for, as_json=json, now=now)


def touch(
    ctx: typer.Context,
    lead: Lead,
    kind: Annotated[str, typer.Option("--kind", help="A touch or an outcome of the playbook, such as call.")],
    acts_for: For = None,
    by: By = None,
    at: Annotated[str | None, typer.Option("--at", metavar="MOMENT", help="When it was (UTC); else now.")] = None,
    seconds: Annotated[int | None, typer.Option("--seconds", min=0, help="How long a call took.")] = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Log by hand what a rep did about a lead. A touch stops the owner's clock."""
    from console import waiting as command

    command.touch(
        ctx.obj, lead, kind=kind, acts_for=acts_for, when=at, seconds=seconds, later=later, as_json=json, now=now
    )


def undo(
    ctx: typer.Context,
    action: ActionId,
    acts_for: For = None,
    by: By = None,
    later: Later = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Take an action back, by the number that is printed after it, as long as nothing else has happened since."""
    from console import undo as command

    command.undo(ctx.obj, action, acts_for=acts_for, later=later, as_json=json, now=now)
