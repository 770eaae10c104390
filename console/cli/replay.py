"""``leadgate replay``: what another playbook would have made of the leads so far.

Belongs here: what was asked for, and the tables of the terminal. Does not belong here: replaying (``tasks.replay``), or
words (``console.replay.words``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from console.cli.options import Json, Now
from console.cli.trial import Which
from console.command_context import CommandContext, parse_moment, parse_now
from console.display_names import DisplayNames, write_as_words
from console.redaction import sanitise
from console.report.zones import choose_zone
from console.screen import CommandError, build_console, build_heading, build_table, print_json
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.ledger.clock import ask_time
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.playbook.base import Duration
from leadgate.sla.zones import list_time_zones

if TYPE_CHECKING:
    from leadgate.replay.comparison import Comparison
    from leadgate.replay.limits import Exceeded, Limit
    from tasks.replay.results import ReplayResult

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
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Whose hours, such as Europe/Berlin.")
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """What another playbook would have made of the leads so far: decisions are made again, nothing is stored.

    Each lead is decided in the state of its time: its values, what providers answered, who was away, whose turn it was,
    what people decided. First the recorded playbook is replayed: it must come out as recorded.
    """
    from console.cli.playbook_diff import find_playbook
    from console.replay.json_form import build_json
    from expectations import list_promise_names
    from leadgate.playbook.check import require
    from leadgate.replay.limits import find_exceeded
    from tasks.replay.results import replay_playbook

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
        result = replay_playbook(
            ledger,
            draft,
            used=used.playbook,
            since=_read_since(since, at),
            until=None if until is None else parse_moment(until),
            zone=ZoneInfo(hours),
            simulated=simulate,
        )
    exceeded = find_exceeded(result.comparison, limits)
    if json:
        print_json(build_json(result, exceeded))
    else:
        _print(result, exceeded, used.playbook, hours)
    if exceeded:
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


def _read_since(text: str, now: datetime) -> datetime:
    try:
        span: timedelta = TypeAdapter(Duration).validate_python(text)
        return now - span
    except (ValidationError, OverflowError):
        return parse_moment(text)


def _print(result: ReplayResult, exceeded: Sequence[Exceeded], used: Playbook, zone: str) -> None:
    from console.replay.words import describe_check, describe_exceeded, describe_sum, list_notes

    console = build_console()

    def say(line: str) -> None:
        console.print(sanitise(line), soft_wrap=True, markup=False, highlight=False)

    draft, comparison = result.draft.playbook, result.comparison
    names = DisplayNames(draft)
    since = "" if result.since is None else f" since {result.since:%Y-%m-%d %H:%M} UTC"
    say(f"Leads{since} by {result.draft.path} ({result.draft.hash[:12]})")
    for line in describe_check(result.check):
        say(line)
    if not result.check.decisions:
        return
    say("")
    say(describe_sum(comparison))
    if comparison.changed:
        _print_tables(console, result, names, zone)
    for line in list_notes(result, differs_in_rotation(used, draft)):
        say(line)
    for line in describe_exceeded(exceeded):
        say(f"Beyond the limit: {line}")


def differs_in_rotation(used: Playbook, draft: Playbook) -> bool:
    """Whether who takes which turn may differ."""
    one, other = (each.model_dump(include={"reps", "pools"}) for each in (used, draft))
    return bool(one != other)


def _print_tables(console: Console, result: ReplayResult, names: DisplayNames, zone: str) -> None:
    from console.replay.words import ENDS, KINDS, describe_changed

    comparison = result.comparison
    for heading, columns, rows in _list_tables(result, names, zone, ENDS, KINDS):
        if rows:
            console.print(build_heading(heading))
            table = build_table(*columns, right=columns[-2:] if len(columns) > 2 else columns[-1:])
            for row in rows:
                table.add_row(*(sanitise(cell) for cell in row))
            console.print(table)
    console.print(build_heading(f"The {len(comparison.told)} most telling leads"))
    for each in comparison.told:
        before, after = describe_changed(each, names, ZoneInfo(zone))
        for line in (f"J{each.journey}: was  {before}", f"{' ' * len(f'J{each.journey}')}  now  {after}"):
            console.print(sanitise(line), soft_wrap=True, markup=False, highlight=False)


Rows = list[tuple[str, ...]]


def _list_tables(
    result: ReplayResult, names: DisplayNames, zone: str, ends: Mapping[Any, str], kinds: Mapping[Any, str]
) -> list[tuple[str, tuple[str, ...], Rows]]:
    """Each with its heading and its columns; those without rows are left out by who prints them."""
    comparison: Comparison = result.comparison
    owned = format_count(comparison.owned_both, "lead", "leads")
    return [
        ("What differs", ("leads that", "leads"), [(kinds[kind], f"{n:,}") for kind, n in comparison.kinds.items()]),
        (
            "Where leads end",
            ("as recorded", "by the draft", "leads"),
            [
                (ends[one], ends[other], f"{n:,}")
                for (one, other), n in sorted(comparison.ends.items(), key=lambda each: -each[1])
                if one is not other
            ],
        ),
        ("Newly held", ("reason", "leads"), _list_reasons(comparison.newly_held)),
        ("Held no longer", ("reason", "leads"), _list_reasons(comparison.no_longer_held)),
        (
            f"Other owners: {comparison.changed_owners:,} of {owned} with an owner both ways",
            ("route as recorded", "route by the draft", "leads"),
            [(one, other, f"{n:,}") for (one, other), n in comparison.owners_changed.items()],
        ),
        (
            "Leads of each rep",
            ("rep", "as recorded", "by the draft"),
            [(names.name_rep(rep), f"{one:,}", f"{other:,}") for rep, (one, other) in comparison.loads.items()],
        ),
        (
            f"First touches due by hour ({zone})",
            ("hour", "as recorded", "by the draft"),
            [
                (f"{hour:02d}:00", f"{one:,}", f"{other:,}")
                for hour, (one, other) in comparison.due_hours.items()
                if one != other
            ],
        ),
        (
            "What became of the leads that would get no owner any more",
            ("outcome", "leads"),
            [(write_as_words(word), f"{n:,}") for word, n in result.later.items()],
        ),
    ]


def _list_reasons(counts: Mapping[str, int]) -> Rows:
    from console.replay.words import describe_reason

    return [(describe_reason(reason), f"{n:,}") for reason, n in counts.items()]
