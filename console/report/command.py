"""The command ``leadgate report``: what is asked for, and where it goes.

Belongs here: options in words, the period, and the ways out. Does not belong here: what a report holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from console.cli.options import Json, Now, Source
from console.command_context import CommandContext, parse_now
from console.display_names import DisplayNames
from console.made_files import as_the_user_makes_files
from console.report import conversion, files, funnel, load, overdue, page, paths, speed, text, trend
from console.report.tables import SECTIONS, Section
from console.report.zones import choose_zone
from console.screen import CommandError, build_console, find_program, print_json, say
from leadgate.assignment.availability import find_midnights, find_mondays
from leadgate.ledger import Ledger, figures
from leadgate.ledger.clock import ask_time
from leadgate.ledger.figure_rows import FigureRows
from leadgate.ledger.figures import Asked
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.sla.zones import FIRST_YEAR, LAST_YEAR, list_time_zones

DAYS: Final = 30  # of the period, today included
_SECTION_HELP: Final = "funnel, conversion, speed, load or paths; with --rep speed, load or overdue. May be repeated."
_OF_A_REP: Final = ("speed", "load", "overdue")


@dataclass(frozen=True)
class Options:
    """As typed. Days are of ``zone``; both ends of the period are included. ``rep`` may be written as on a page."""

    since: str | None = None
    until: str | None = None
    zone: str | None = None
    source: str | None = None
    rep: str | None = None
    sections: Sequence[str] = ()


@dataclass(frozen=True)
class Ways:
    """Where the report goes besides the screen, or instead of it."""

    as_json: bool = False
    csv_folder: Path | None = None
    html_file: Path | None = None


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
    """The funnel, outcomes of qualified leads, speed to lead, load and fairness, clean paths."""
    options = Options(since, until, zone, source, rep, tuple(section or ()))
    context: CommandContext = ctx.obj
    ways = Ways(json, csv, html)
    sections = choose_sections(options)
    playbook = context.playbook().playbook
    names = DisplayNames(playbook)
    rep = None if options.rep is None else names.find_rep(options.rep)
    zone, whose = choose_zone(playbook, options.zone, rep, names.name_rep(rep or ""))
    with context.ledger() as ledger:
        at = ask_time(ledger, parse_now(now))
        asked = replace(compute_period(replace(options, rep=rep), at, zone), lost=playbook.follow_up.lost_outcomes)
        _require_known(ledger, asked, playbook)
        earlier = compute_period_before(asked)
        found, before = figures.read(
            ledger, asked, earlier, sections, find_midnights(playbook, at), find_mondays(playbook, at)
        )
    plain, of_before = build(sections, found, asked, playbook), build(sections, before, earlier, playbook)
    built = trend.add_change(plain, of_before)
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
        headlines = {"headlines": trend.build_json_data(plain, of_before)}
        print_json(_build_head(asked, earlier, found) | headlines | files.build_json_data(built))
    elif not found["captured"][0]["n"]:
        build_console().print(f"Nothing has been captured yet. Next: {find_program()} capture FILE --source NAME")
    elif ways == Ways():
        text.render(built, about, build_console())


def build(sections: Sequence[str], found: FigureRows, asked: Asked, playbook: Playbook) -> list[Section]:
    """The sections that are wanted, from what ``figures.read`` found for them."""
    made = {
        "funnel": lambda: funnel.build_section(found, playbook),
        "conversion": lambda: conversion.build_section(found, playbook),
        "speed": lambda: speed.build_section(found, playbook, asked.zone),
        "load": lambda: load.build_section(found, playbook, asked.rep),
        "paths": lambda: paths.build_section(found),
        "overdue": lambda: overdue.build_section(found, playbook, asked.now, asked.zone),
    }
    return [made[name]() for name in sections]


def compute_period(options: Options, now: datetime, zone_name: str) -> Asked:
    """What is asked for, in moments. Raises ``CommandError``."""
    if zone_name not in list_time_zones():
        raise CommandError(f"{zone_name!r} is not a time zone; {propose(zone_name, list_time_zones())}")
    zone = ZoneInfo(zone_name)
    last = _parse_day(options.until) or now.astimezone(zone).date()
    first = _parse_day(options.since) or last - timedelta(days=DAYS - 1)
    if first > last:
        raise CommandError(f"the period ends ({last}) before it begins ({first}); --since comes first")
    since, until = (datetime.combine(day, time(0), zone) for day in (first, last + timedelta(days=1)))
    return Asked(since, until, now, zone_name, options.source, options.rep)


def compute_period_before(asked: Asked) -> Asked:
    """The period of as many days that ends where ``asked`` begins."""
    zone = ZoneInfo(asked.zone)
    first, following = (moment.astimezone(zone).date() for moment in (asked.since, asked.until))
    since = datetime.combine(first - (following - first), time(0), zone)
    return replace(asked, since=since, until=asked.since)


def _parse_day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day; write it like 2026-03-02") from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise CommandError(f"{text} is no day of this ledger; years are from {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
    return day


def choose_sections(options: Options) -> list[str]:
    """The sections to show, in their order. Raises ``CommandError`` for one that does not exist."""
    known = SECTIONS if options.rep is None else _OF_A_REP
    for name in options.sections:
        if name not in known:
            of = "" if options.rep is None else " of a rep"
            raise CommandError(f"there is no section {name!r}{of}; {propose(name, known)}")
    return [name for name in known if not options.sections or name in options.sections]


def _require_known(ledger: Ledger, asked: Asked, playbook: Playbook) -> None:
    """A source and a rep that neither the playbook nor the ledger knows are misspelt."""
    if asked.source is not None:
        sources = sorted({*playbook.sources, *figures.list_sources(ledger)})
        if asked.source not in sources:
            raise CommandError(f"there is no source {asked.source!r}; {propose(asked.source, sources)}")
    if asked.rep is not None:
        reps = sorted({*(rep.name for rep in playbook.reps), *figures.list_owners(ledger)})
        if asked.rep not in reps:
            raise CommandError(f"there is no rep {asked.rep!r}; {propose(asked.rep, reps)}")


def describe_request(asked: Asked, whose: str, playbook: Playbook) -> str:
    """What the report is about, in a line. ``whose`` says why the days are those of its zone."""
    names, zone = DisplayNames(playbook), ZoneInfo(asked.zone)
    parts = [f"{_format_days(asked)}, days and hours of {asked.zone}" + (f" ({whose})" if whose else "")]
    parts += [f"source {names.name_source(asked.source)}"] if asked.source else []
    parts += [f"rep {names.name_rep(asked.rep)}"] if asked.rep else []
    over = "" if asked.until <= asked.now else "; the last day is not over"
    parts += [f"as of {asked.now.astimezone(zone):%Y-%m-%d %H:%M}{over}"]
    return " · ".join(
        [
            *parts,
            f"the period before: {_format_days(compute_period_before(asked))}; its leads have had longer to be "
            "answered",
        ]
    )


def _format_days(asked: Asked) -> str:
    zone = ZoneInfo(asked.zone)
    first, last = asked.since.astimezone(zone).date(), asked.until.astimezone(zone).date() - timedelta(days=1)
    return f"{first} to {last}"


def _build_head(asked: Asked, earlier: Asked, found: FigureRows) -> dict[str, object]:
    period = {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "zone": asked.zone}
    return {
        "period": period,
        "period_before": {"since": earlier.since.isoformat(), "until": earlier.until.isoformat()},
        "as_of": asked.now.isoformat(),
        "source": asked.source,
        "rep": asked.rep,
        "signals_ever": found["captured"][0]["n"],
    }
