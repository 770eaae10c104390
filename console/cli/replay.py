"""``leadgate replay``: what another playbook would have made of the leads so far.

Belongs here: what was asked for, and the ways out. Does not belong here: replaying (``tasks.replay``), or words and
tables (``console.replay``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer
from pydantic import TypeAdapter, ValidationError

from console.cli.options import Json, Now
from console.cli.trial import Which
from console.command_context import CommandContext, parse_moment, parse_now
from console.made_files import as_the_user_makes_files
from console.redaction import sanitise
from console.report.zones import choose_zone
from console.screen import CommandError, build_console, build_heading, build_table, print_json, say
from leadgate.errors import ExitCode
from leadgate.ledger.clock import ask_time
from leadgate.nearest import propose
from leadgate.playbook.base import Duration
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import JourneyKind

if TYPE_CHECKING:
    from console.replay.tables import Shown
    from console.report.tables import Table
    from leadgate.replay.limits import Limit

_DEFAULT_SINCE: Final = "90d"
_LIMIT: Final = "Exit with 1 when more than this many do, such as 5% or 12: "


def replay(
    ctx: typer.Context,
    which: Which = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back, such as 90d, or from which day on.")
    ] = _DEFAULT_SINCE,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="Up to this moment; else now.")] = None,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Turns and loads run on from the start, not as they were at each moment."),
    ] = False,
    max_owner_changes: Annotated[
        str | None, typer.Option("--max-owner-changes", metavar="LIMIT", help=_LIMIT + "leads with another owner.")
    ] = None,
    max_dropped: Annotated[
        str | None, typer.Option("--max-dropped", metavar="LIMIT", help=_LIMIT + "leads without an owner any more.")
    ] = None,
    max_newly_held: Annotated[
        str | None, typer.Option("--max-newly-held", metavar="LIMIT", help=_LIMIT + "leads that are newly held.")
    ] = None,
    max_changes: Annotated[
        str | None, typer.Option("--max-changes", metavar="LIMIT", help=_LIMIT + "leads that differ in any way.")
    ] = None,
    kind: Annotated[
        list[JourneyKind] | None,
        typer.Option("--kind", help="What is decided again; may be repeated. All kinds unless it is given."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Whose hours, such as Europe/Berlin.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with charts, which needs no network.")
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Show what another playbook would have decided: recorded decisions are made again, and nothing is stored.

    Each lead is decided in the state of its time: its values, what providers answered, who was away, whose turn it was,
    what people decided. First the recorded playbook is replayed: it must come out as recorded.
    """
    from console.cli.playbook_diff import find_playbook
    from console.replay.json_form import build_json
    from console.replay.tables import build_shown
    from expectations import list_promise_names
    from leadgate.playbook.check import require
    from leadgate.replay.limits import find_exceeded
    from tasks.replay.results import replay_kinds

    limits = _read_limits(
        {
            "max-owner-changes": max_owner_changes, "max-dropped": max_dropped, "max-newly-held": max_newly_held,
            "max-changes": max_changes,
        }
    )  # fmt: skip
    context: CommandContext = ctx.obj
    draft = context.read_playbook() if which is None else find_playbook(context, which)
    require(draft, promises=list_promise_names())
    with context.ledger_and_playbook(takes_over=False) as (ledger, used):
        hours, _ = choose_zone(used.playbook, zone, None, "")
        if hours not in list_time_zones():
            raise CommandError(f"{hours[:80]!r} is not a time zone; {propose(hours[:80], list_time_zones())}")
        at = ask_time(ledger, parse_now(now))
        results = replay_kinds(
            ledger,
            draft,
            list(dict.fromkeys(kind or JourneyKind)),
            used=used.playbook,
            since=read_since(since, at),
            until=None if until is None else parse_moment(until),
            zone=ZoneInfo(hours),
            simulated=simulate,
        )
    every = [build_shown(each, used.playbook, hours, find_exceeded(each.comparison, limits)) for each in results]
    if html is not None:
        _write_page(every, html)
    if json:
        first, *others = (build_json(each.result, each.exceeded) for each in every)
        print_json({**first, "also": others})
    else:
        for place, shown in enumerate(every):
            if place:
                _print_line("")
            _print(shown, tables=html is None)
    if any(shown.exceeded for shown in every):
        raise typer.Exit(ExitCode.BROKEN)


def _read_limits(given: Mapping[str, str | None]) -> dict[str, Limit]:
    from leadgate.replay.limits import read_limit

    limits = {}
    for name, text in given.items():
        if text is not None:
            try:
                limits[name] = read_limit(text)
            except ValueError as error:
                raise CommandError(f"--{name}: {error}") from None
    return limits


def read_since(text: str, now: datetime) -> datetime:
    """From when on: a span back from ``now``, such as 30d, or a day. Raises ``CommandError``."""
    try:
        span: timedelta = TypeAdapter(Duration).validate_python(text)
        return now - span
    except (ValidationError, OverflowError):
        return parse_moment(text)


def _write_page(every: Sequence[Shown], file: Path) -> None:
    from console.replay.tables import build_sections
    from console.replay.words import describe_period
    from console.report.page import render_page

    first = every[0].result
    title = f"Replay of {sanitise(first.draft.path.name)}"
    sections = [section for shown in every for section in build_sections(shown, apart=len(every) > 1)]
    page = render_page(sections, title, "; ".join(describe_period(shown.result) for shown in every))
    with as_the_user_makes_files():
        file.write_text(page, encoding="utf-8", errors="backslashreplace")
    say(f"The replay is in {file}")


def _print(shown: Shown, *, tables: bool) -> None:
    """Without ``tables``, which are in a file, what a CI server's log needs: the self-check, the sum, the limits."""
    from console.replay.words import (
        describe_check,
        describe_exceeded,
        describe_period,
        describe_sum,
        list_differences,
    )

    result = shown.result
    for line in (describe_period(result), *describe_check(result.check), *list_differences(result.check)):
        _print_line(line)
    if not result.check.decisions:
        return
    _print_line("")
    _print_line(describe_sum(result.comparison))
    if tables and (result.comparison.changed or result.brought):
        _print_tables(shown)
    for line in shown.notes:
        _print_line(line)
    for line in describe_exceeded(shown.exceeded, result.kind):
        _print_line(f"Beyond the limit: {line}")


def _print_tables(shown: Shown) -> None:
    from console.replay.tables import list_tables
    from console.replay.words import describe_changed

    for table in list_tables(shown):
        if table.rows:
            _print_table(table)
    told = shown.result.comparison.told
    build_console().print(build_heading(f"The {len(told)} most telling {shown.nouns.many}"))
    for each in told:
        before, after = describe_changed(each, shown.names, ZoneInfo(shown.zone), shown.result.kind)
        _print_line(f"J{each.journey}: was  {before}")
        _print_line(f"{' ' * len(f'J{each.journey}')}  now  {after}")


def _print_table(table: Table) -> None:
    console = build_console()
    console.print(build_heading(table.title))
    printed = build_table(
        *(column.label for column in table.columns),
        right=[column.label for column in table.columns if column.kind != "text"],
    )
    for row in table.rows:
        printed.add_row(*(sanitise(column.format_cell(row[column.key])) for column in table.columns))
    console.print(printed)


def _print_line(line: str) -> None:
    build_console().print(sanitise(line), soft_wrap=True, markup=False, highlight=False)
