"""The command ``report``: which options it has.

Belongs here: the signature. Does not belong here: what the command does (``console.report``, imported when called).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.options import Json, Now, Source

_SECTION = "funnel, conversion, speed, load or paths; with --rep speed, load or overdue. May be repeated."


def register(app: typer.Typer) -> None:
    """Declare the command."""
    app.command()(report)


def report(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="From this day on; else the last 30 days.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="Up to this day, included; else today.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="Whose days and hours, such as Europe/Berlin; else the rep's, the pools', or this computer's.",
        ),
    ] = None,
    source: Source = None,
    rep: Annotated[
        str | None, typer.Option("--rep", metavar="NAME", help="One rep: their speed, load, and what is overdue.")
    ] = None,
    section: Annotated[list[str] | None, typer.Option("--section", metavar="NAME", help=_SECTION)] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FOLDER", help="Write a CSV file for each table, safe for spreadsheets."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with charts, which needs no network.")
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """The funnel, outcomes of qualified leads, speed to lead, load and fairness, clean paths."""
    from console.report import command

    options = command.Options(since, until, zone, source, rep, tuple(section or ()))
    command.report(ctx.obj, options, command.Ways(json, csv, html), now=now)
