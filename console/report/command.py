"""The command ``leadgate report``: what is asked for, and where it goes.

Belongs here: options in words, the period, and the ways out. Does not belong here: what a report holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from console.made_files import as_the_user_makes_files
from console.place import Place, as_of
from console.report import conversion, files, funnel, load, overdue, page, paths, speed, text
from console.report.tables import SECTIONS, Section
from console.screen import CommandError, out, print_json, program, say
from leadgate.hours import FIRST_YEAR, LAST_YEAR, time_zones
from leadgate.ledger import Ledger, figures, open_ledger
from leadgate.ledger.clock import time_of
from leadgate.ledger.figures import Asked
from leadgate.nearest import proposal
from leadgate.playbook import Playbook
from leadgate.roster import midnights, mondays

DAYS: Final = 30  # of the period, today included
_OF_A_REP: Final = ("speed", "load", "overdue")


@dataclass(frozen=True)
class Options:
    """As typed. Days are of ``zone``; both ends of the period are included."""

    since: str | None = None
    until: str | None = None
    zone: str = "UTC"
    source: str | None = None
    rep: str | None = None
    sections: Sequence[str] = ()


@dataclass(frozen=True)
class Ways:
    """Where the report goes besides the screen, or instead of it."""

    as_json: bool = False
    csv_folder: Path | None = None
    html_file: Path | None = None


def report(place: Place, options: Options, ways: Ways, *, now: str | None) -> None:
    """The command."""
    sections = wanted(options)
    playbook = place.playbook().playbook
    with open_ledger(place.settings) as ledger:
        at = time_of(ledger, as_of(now))
        asked = period(options, at)
        _require_known(ledger, asked, playbook)
        found = figures.read(ledger, asked, sections, midnights(playbook, at), mondays(playbook, at))
    built = build(sections, found, asked, playbook)
    about = told(asked)
    if ways.csv_folder is not None:
        with as_the_user_makes_files():
            written = files.write(built, ways.csv_folder)
        say(f"{len(written)} tables written to {ways.csv_folder}")
    if ways.html_file is not None:
        title = f"Leads of {playbook.name}" if asked.rep is None else f"{asked.rep}: leads of {playbook.name}"
        with as_the_user_makes_files():
            ways.html_file.write_text(page.html(built, title, about), encoding="utf-8", errors="backslashreplace")
        say(f"The report is in {ways.html_file}")
    if ways.as_json:
        print_json(_head(asked, found) | files.as_data(built))
    elif not found["captured"][0]["n"]:
        out().print(f"Nothing has been captured yet. Next: {program()} capture FILE --source NAME")
    elif ways == Ways():
        text.render(built, about, out())


def build(
    sections: Sequence[str], found: Mapping[str, Sequence[Mapping[str, Any]]], asked: Asked, playbook: Playbook
) -> list[Section]:
    """The sections that are wanted, from what ``figures.read`` found for them."""
    made = {
        "funnel": lambda: funnel.section(found, playbook),
        "conversion": lambda: conversion.section(found),
        "speed": lambda: speed.section(found, asked.zone),
        "load": lambda: load.section(found, playbook, asked.rep),
        "paths": lambda: paths.section(found),
        "overdue": lambda: overdue.section(found, asked.now),
    }
    return [made[name]() for name in sections]


def period(options: Options, now: datetime) -> Asked:
    """What is asked for, in moments. Raises ``CommandError``."""
    if options.zone not in time_zones():
        raise CommandError(f"{options.zone!r} is not a time zone; {proposal(options.zone, time_zones())}")
    zone = ZoneInfo(options.zone)
    last = _day(options.until) or now.astimezone(zone).date()
    first = _day(options.since) or last - timedelta(days=DAYS - 1)
    if first > last:
        raise CommandError(f"the period ends ({last}) before it begins ({first}); --since comes first")
    since, until = (datetime.combine(day, time(0), zone) for day in (first, last + timedelta(days=1)))
    return Asked(since, until, now, options.zone, options.source, options.rep)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day; write it like 2026-03-02") from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise CommandError(f"{text} is no day of this ledger; years are from {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
    return day


def wanted(options: Options) -> list[str]:
    """The sections to show, in their order. Raises ``CommandError`` for one that does not exist."""
    known = SECTIONS if options.rep is None else _OF_A_REP
    for name in options.sections:
        if name not in known:
            of = "" if options.rep is None else " of a rep"
            raise CommandError(f"there is no section {name!r}{of}; {proposal(name, known)}")
    return [name for name in known if not options.sections or name in options.sections]


def _require_known(ledger: Ledger, asked: Asked, playbook: Playbook) -> None:
    """A source and a rep that neither the playbook nor the ledger knows are misspelt."""
    if asked.source is not None:
        sources = sorted({*playbook.sources, *figures.sources(ledger)})
        if asked.source not in sources:
            raise CommandError(f"there is no source {asked.source!r}; {proposal(asked.source, sources)}")
    if asked.rep is not None:
        reps = sorted({*(rep.name for rep in playbook.reps), *figures.owners(ledger)})
        if asked.rep not in reps:
            raise CommandError(f"there is no rep {asked.rep!r}; {proposal(asked.rep, reps)}")


def told(asked: Asked) -> str:
    """What the report is about, in a line."""
    zone = ZoneInfo(asked.zone)
    first, last = asked.since.astimezone(zone).date(), asked.until.astimezone(zone).date() - timedelta(days=1)
    parts = [f"{first} to {last}, days and hours of {asked.zone}"]
    parts += [f"source {asked.source}"] if asked.source else []
    parts += [f"rep {asked.rep}"] if asked.rep else []
    return " · ".join([*parts, f"as of {asked.now.astimezone(zone):%Y-%m-%d %H:%M}"])


def _head(asked: Asked, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    period = {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "zone": asked.zone}
    return {
        "period": period,
        "as_of": asked.now.isoformat(),
        "source": asked.source,
        "rep": asked.rep,
        "signals_ever": found["captured"][0]["n"],
    }
