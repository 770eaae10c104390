"""The command ``leadgate forecast``.

Belongs here: its options, and the ways out. Does not belong here: the moments (``request``), or what it shows
(``reading``, ``text``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import Json, Now, Personal
from console.command_context import CommandContext, parse_now
from console.display_names import DisplayNames
from console.forecast import text
from console.forecast.json_data import build_json_data
from console.forecast.reading import read_forecast
from console.forecast.request import (
    DEFAULT_PERIOD,
    DEFAULT_SINCE,
    ForecastOptions,
    ask_forecast,
    find_owners,
    require_rep,
)
from console.report.zones import choose_zone
from console.screen import build_console, find_program, print_json
from leadgate.ledger.clock import ask_time


def forecast(
    ctx: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="DAY",
            help="Show movements since the beginning of this day, such as 2026-03-02 or monday.",
        ),
    ] = DEFAULT_SINCE,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="Forecast as known at the end of this day; by default now."),
    ] = None,
    period: Annotated[
        str,
        typer.Option(
            "--period",
            metavar="PERIOD",
            help="The period of close dates: this_month, next_quarter, this_year, 2026-11, 2026-q4 or all.",
        ),
    ] = DEFAULT_PERIOD,
    owner: Annotated[str | None, typer.Option("--owner", metavar="REP", help="Only opportunities of this rep.")] = None,
    team: Annotated[
        str | None, typer.Option("--team", metavar="MANAGER", help="Only opportunities of the reps of this manager.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="The time zone of days, such as Europe/Berlin; by default the rep's, the pools' or this computer's.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many movements.")] = 20,
    personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Show what opportunities come to by owner (won, commit, best case, pipeline), and what moved since and why."""
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        names = DisplayNames(playbook)
        owners = find_owners(playbook, owner and names.find_rep(owner), team and names.find_rep(team))
        rep = None if owner is None else names.find_rep(owner)
        zone_name, _ = choose_zone(playbook, zone, rep, names.name_rep(rep or ""))
        section = playbook.kinds.opportunity
        options = ForecastOptions(since, until, period, 1 if section is None else section.fiscal_year_start)
        asked = ask_forecast(options, ask_time(ledger, parse_now(now)), zone_name, owners)
        read = read_forecast(ledger, asked)
    if rep is not None:
        require_rep(rep, playbook, read.known_owners)
    if json:
        print_json(build_json_data(read, names, personal=personal))
    elif not read.known:
        build_console().print(
            "There are no opportunities yet. A source with `kind: opportunities` in the playbook brings them. Next: "
            f"{find_program()} capture FILE --source NAME, then {find_program()} run"
        )
    elif not read.owners and not read.records:
        build_console().print(
            f"No opportunity of {'anybody' if owners is None else 'theirs'} is to close in this period "
            f"({asked.period_words.lower()}), of {read.known:,} in all. --period all shows every day."
        )
    else:
        text.render(read, names, build_console(), limit, personal=personal)
