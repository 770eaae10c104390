"""The command ``leadgate report``: what is asked for, and where it goes.

Belongs here: options in words, and the ways out. Does not belong here: the period (``request``), or what a report holds
(``reading``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.options import Json, Now, Source
from console.command_context import CommandContext, parse_now
from console.display_names import DisplayNames
from console.made_files import as_the_user_makes_files
from console.report import files, page, text, trend
from console.report.reading import Report, read_report
from console.report.request import ReportOptions, add_outcomes, build_request, choose_sections, describe_request
from console.report.zones import choose_zone
from console.screen import CommandError, build_console, find_program, print_json, say
from leadgate.ledger.clock import ask_time
from leadgate.ledger.record_figures import list_sections

_SECTION_HELP: Final = (
    "Show only this section: funnel, conversion, speed, load, paths, opportunities, renewals, expansions, or trend (the"
    " period by day, week or month); with --rep also overdue, without funnel, conversion and paths. May be repeated."
)


@dataclass(frozen=True)
class Ways:
    """Where the report goes besides the screen, or instead of it."""

    as_json: bool = False
    csv_folder: Path | None = None
    html_file: Path | None = None


def report(
    ctx: typer.Context,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DAY", help="The first day of the period; by default the last 30 days."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="The last day of the period; by default today.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="PERIOD", help="A named period, such as this_week, last_month or 90_days."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="The time zone, such as Europe/Berlin; by default the rep's, the pools' or this computer's.",
        ),
    ] = None,
    source: Source = None,
    rep: Annotated[
        str | None, typer.Option("--rep", metavar="NAME", help="Report on one rep: speed, load, and overdue leads.")
    ] = None,
    section: Annotated[list[str] | None, typer.Option("--section", metavar="NAME", help=_SECTION_HELP)] = None,
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
    """Report the funnel, outcomes of qualified leads, speed to lead, load and fairness, and clean paths of leads and
    records."""
    if period is not None and (since is not None or until is not None):
        raise CommandError("--period names the days already; leave --since and --until out, or --period")
    options = ReportOptions(since, until, zone, source, rep, tuple(section or ()))
    if period is not None:
        options = replace(options, period=period)
    context: CommandContext = ctx.obj
    ways = Ways(json, csv, html)
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        sections = choose_sections(options, list_sections(ledger), with_trend=ways != Ways())
        names = DisplayNames(playbook)
        rep = None if options.rep is None else names.find_rep(options.rep)
        zone, whose = choose_zone(playbook, options.zone, rep, names.name_rep(rep or ""))
        at = ask_time(ledger, parse_now(now))
        asked = add_outcomes(build_request(replace(options, rep=rep), at, zone), playbook)
        read = read_report(ledger, asked, sections, playbook)
    built = read.sections
    about = describe_request(asked, whose, playbook)
    if ways.csv_folder is not None:
        with as_the_user_makes_files():
            written = files.write(built, ways.csv_folder)
        say(f"{len(written)} tables written to {ways.csv_folder}")
    if ways.html_file is not None:
        title = f"Leads of {playbook.name}" if rep is None else f"{names.name_rep(rep)}: leads of {playbook.name}"
        with as_the_user_makes_files():
            ways.html_file.write_text(
                page.render_page(built, title, about), encoding="utf-8", errors="backslashreplace"
            )
        say(f"The report is in {ways.html_file}")
    if ways.as_json:
        headlines = {"headlines": trend.build_json_data(read.plain, read.before)}
        print_json(_build_head(read) | headlines | files.build_json_data(built))
    elif read.is_empty:
        build_console().print(f"Nothing has been captured yet. Next: {find_program()} capture FILE --source NAME")
    elif ways == Ways():
        text.render(built, about, build_console())


def _build_head(read: Report) -> dict[str, object]:
    asked, earlier = read.asked, read.earlier
    period = {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "zone": asked.zone}
    return {
        "period": period,
        "period_before": {"since": earlier.since.isoformat(), "until": earlier.until.isoformat()},
        "as_of": asked.now.isoformat(),
        "source": asked.source,
        "rep": asked.rep,
        "signals_ever": read.signals,
    }
