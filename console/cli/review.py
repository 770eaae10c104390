"""``leadgate review``: what waits for a reviewer, with what there is to decide by; and the decision.

Belongs here: the list, one item in detail, and saying what was decided. Does not belong here: putting an item
together (``tasks.reviews``), or moving the lead (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer
from rich.table import Table
from rich.text import Text

from console.answers import show_value
from console.cli.going_on import go_on, tell
from console.cli.items import describe_decider, describe_problem, render
from console.cli.options import By, Different, Json, Later, Now, Personal, SameAs
from console.cli.resolution import find_given, read_shared_options, require_words
from console.cli.undo import describe_undo
from console.command_context import CommandContext, identify_actor, parse_now
from console.explain.scores import describe_learned
from console.redaction import SHOWN, mask_review, sanitise
from console.report.tables import format_percent
from console.screen import (
    CommandError,
    build_console,
    build_heading,
    build_table,
    find_program,
    format_moment,
    print_json,
    say,
)
from console.suggestions import is_compared, render_commands, suggest
from leadgate.counting import format_count
from leadgate.ledger import reviews as taking
from leadgate.ledger.clock import ask_time
from leadgate.matching import LIKELY
from leadgate.references import IdError, parse_number
from leadgate.resolutions import Discard, DoneByHand, Resolution, list_corrected_fields
from leadgate.vocabulary import ActionKind
from tasks import reruns, reviews
from tasks.advice import is_advising
from tasks.reviews import Other, Review

if TYPE_CHECKING:
    from leadgate.ledger.reports import JourneyStanding, OpenWorkItem
    from leadgate.values.json_types import JsonValue


@dataclass(frozen=True)
class Take:
    """Somebody takes the work item, to decide it later."""

    past: ClassVar[str] = "taken"


def review(
    ctx: typer.Context,
    work_item: Annotated[
        str | None,
        typer.Argument(metavar="[W12]", help="The work item to show or decide; by default all that wait are listed."),
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="[WORDS]", help="Let it go on; WORDS say what you looked at."),
    ] = None,
    reject: Annotated[
        str | None, typer.Option("--reject", metavar="REASON", help="End the journey, for this reason.")
    ] = None,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; may be repeated."),
    ] = None,
    proposed: Annotated[bool, typer.Option("--proposed", help="Correct the field as the work item proposes.")] = False,
    take: Annotated[
        bool, typer.Option("--take", help="Take the work item: you will decide it, so it is not escalated.")
    ] = False,
    same: SameAs = None,
    different: Different = False,
    by: By = None,
    later: Later = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most this many.")] = 50,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """List what waits for a reviewer, with the evidence to decide by; or decide one work item."""
    context: CommandContext = ctx.obj
    decision = _read_decision(
        approve, reject, corrections or [], same, take=take, different=different, proposed=proposed
    )
    if work_item is None:
        if decision is not None:
            raise CommandError(f"say which: {find_program()} review W12 …; `leadgate review` lists what waits")
        _list(context, limit=limit, personal=show_personal, as_json=json, now=now)
    elif decision is None:
        _show(context, _parse_number(work_item), personal=show_personal, as_json=json)
    else:
        _decide(context, _parse_number(work_item), decision, later=later, as_json=json, now=now)


def _read_decision(
    approve: str | None,
    reject: str | None,
    assignments: Sequence[str],
    same: int | None,
    *,
    take: bool,
    different: bool,
    proposed: bool,
) -> Resolution | Take | None:
    """The options as a decision, None when there is none. ``approve`` without words is an empty text."""
    options: dict[str, Resolution | Take | None] = {
        "--approve": None if approve is None else DoneByHand(approve.strip() or reruns.APPROVED),
        "--reject": None if reject is None else Discard(reject),
        **read_shared_options(assignments, same, proposed=proposed, different=different),
        "--take": Take() if take else None,
    }
    given = find_given(options)
    if reject is not None:
        require_words("--reject", reject, "a reason: it is kept with the lead")
        if reject.strip() == "REASON":
            raise CommandError('--reject REASON: say why in place of REASON, such as --reject "a pupil"')
    return None if given is None else options[given]


def _describe_past(decision: Resolution | Take) -> str:
    if isinstance(decision, DoneByHand):
        return "approved"
    return "rejected" if isinstance(decision, Discard) else decision.past


def _parse_number(reference: str) -> int:
    try:
        return parse_number(reference, "work item")
    except IdError as error:
        raise CommandError(sanitise(str(error))) from None


def _list(context: CommandContext, *, limit: int, personal: bool, as_json: bool, now: str | None) -> None:
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        at = ask_time(ledger, parse_now(now))
        found, total = reviews.list_waiting(ledger, playbook, limit)
        advised = is_advising(ledger, playbook)
    shown_ = found if personal else [mask_review(each) for each in found]
    if as_json:
        print_json(
            {
                "order": "chance" if advised else "due",
                "total": total,
                "items": [build_json_data(each) for each in shown_],
            }
        )
        return
    console = build_console()
    if not shown_:
        console.print("Nothing waits for a review.")
        return
    if advised:
        console.print("The best chance by the learned score first, then what has none, the next due first.")
    render([each.item for each in shown_], {each.item.id: _summarise(each) for each in shown_}, at, console)
    if total > len(shown_):
        console.print(f"\n{total - len(shown_):,} more; see them with --limit {total}.")
    console.print(f"\nNext: {find_program()} review W{shown_[0].item.id}")


def _summarise(each: Review) -> str:
    """What is known and what is not, for a line of the list."""
    chance = [] if each.learned is None else [format_percent(each.learned["chance"])]
    parts = {
        "chance": chance,
        "grade": [each.grade] if each.grade else [],
        "missing": each.missing,
        "not there": each.negative,
    }
    return "; ".join(f"{name} {', '.join(map(sanitise, found))}" for name, found in parts.items() if found)


def describe_grade(each: Review) -> str:
    """The score, with the grade where there is one."""
    return f"{each.score}, grade {each.grade}" if each.grade else str(each.score)


def _show(context: CommandContext, number: int, *, personal: bool, as_json: bool) -> None:
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        (each,) = reviews.read_reviews(ledger, [number], loaded.playbook)
    if not personal:
        each = mask_review(each)
    if as_json:
        print_json(build_json_data(each))
        return
    console, item = build_console(), each.item
    console.print(build_heading(f"W{item.id}: {sanitise(item.reason, 40)} at {item.stage}, {_name_subject(item)}"))
    console.print(Text(describe_problem(item)))
    console.print(Text(f"{describe_decider(item)} decides, by {format_moment(item.due_at)} UTC.".replace("\n", ", ")))
    if each.score is not None:
        console.print(f"\nScore {describe_grade(each)}: fit {each.fit}, engagement {each.engagement}.")
        points = build_table("rule", "points", right=("points",))
        for rule, number_ in each.contributions.items():
            points.add_row(Text(sanitise(rule, 60)), f"{number_:+}")
        console.print(points)
        if each.learned is not None:
            console.print(Text(f"\n{describe_learned(each.learned)}"))
        values = build_table("what the rules read", "value")
        for name, value in each.values.items():
            values.add_row(Text(sanitise(name, 60)), Text(sanitise(show_value(value), SHOWN)))
        for name in each.missing:
            values.add_row(Text(sanitise(name, 60)), "missing")
        console.print()
        console.print(values)
    if each.unknown:
        console.print(Text(f"\nNobody knows yet: {sanitise(', '.join(each.unknown))}."))
    if each.negative:
        console.print(Text(f"\nKnown not to be there: {sanitise(', '.join(each.negative))}."))
    if each.others:
        console.print()
        console.print(_build_comparison(each))
    _print_next(item, each.others)


def _name_subject(item: OpenWorkItem) -> str:
    if item.record_id is not None:
        named = f" ({sanitise(item.record_name, 80)})" if item.record_name else ""
        return f"{item.about} R{item.record_id}{named}"
    return f"lead {item.lead_id}" if item.lead_id is not None else format_count(item.journeys, "journey", "journeys")


_MARKS: Final = {"same": " = the same", "similar": " ≈ alike", "differs": " ≠ differs", "unknown": ""}


def _build_comparison(each: Review) -> Table:
    """This record beside each lead that it may be about, with what agrees."""
    made = build_table("", "this one", *(f"lead {other.lead_id}, score {other.score}" for other in each.others))
    for name, value in each.record.items():
        if value is None and all(other.values[name] is None for other in each.others):
            continue
        cells = [_format_cell(value)]
        for other in each.others:
            marks = [_MARKS[level] for level in other.list_levels(name)]
            cells.append(_format_cell(other.values[name]) + "".join(marks))
        made.add_row(name.replace("_", " "), *map(Text, cells))
    made.add_row("owner", "", *(Text(sanitise(other.owner or "nobody", 40)) for other in each.others))
    made.add_row(
        "last heard of", "", *(format_moment(other.heard_at) if other.heard_at else "" for other in each.others)
    )
    return made


def _format_cell(value: JsonValue) -> str:
    return "unknown" if value is None else sanitise(show_value(value), SHOWN)


def _print_next(item: OpenWorkItem, others: Sequence[Other]) -> None:
    call = f"{find_program()} review W{item.id}"
    ways = [(f"{call} --same {other.lead_id}", f"it is the person of lead {other.lead_id}") for other in others]
    if item.reason == LIKELY:
        ways.append((f"{call} --different", "it is somebody else; nobody is asked about these again"))
    if is_compared(item):
        ways += [
            (f"{call} --set FIELD=VALUE", "correct it; it is validated again"),
            (f"{call} --reject REASON", "end it"),
        ]
    else:
        ways += suggest(item)
    if item.assignee is None:
        ways.append((f"{call} --take", "you decide it, so it is not escalated"))
    console = build_console()
    console.print()
    console.print(build_heading("What can be done"))
    render_commands(ways, console)


def _decide(
    context: CommandContext,
    number: int,
    decision: Resolution | Take,
    *,
    later: bool,
    as_json: bool,
    now: str | None,
) -> None:
    if isinstance(decision, Take):
        _take(context, number, as_json=as_json, now=now)
        return
    ends = isinstance(decision, Discard)
    with context.ledger_and_playbook(parse_now(now), checked=not later, takes_over=not later) as (ledger, loaded):
        playbook = loaded.playbook
        who = identify_actor(playbook)
        reruns.require_fields(list_corrected_fields(decision), playbook)
        at = ask_time(ledger, parse_now(now))
        (each,) = reviews.read_reviews(ledger, [number], playbook)
        done = reruns.resolve_items(ledger, [each.item], decision, by=who, now=at, playbook=playbook)
        if not done.work_items:  # somebody was faster
            raise CommandError(f"Nothing was changed: {'; '.join(done.skipped)}")
        released = [] if ends else list(done.journeys)
        standing = go_on(context, ledger, loaded, released, parse_now(now), later=later)
    if as_json:
        _print_decision(number, decision, who.name, action=done.action, journeys=done.released, standing=standing)
        return
    then = " What was captured stays." if ends else ""
    build_console().print(f"W{number} {_describe_past(decision)} by {sanitise(who.name, 80)}.{then}")
    if not ends:
        tell(standing, done.released)
    build_console().print(describe_undo(ActionKind(decision.kind), done.action))


def _take(context: CommandContext, number: int, *, as_json: bool, now: str | None) -> None:
    """Any item that holds leads can be taken, a breaker's, too."""
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        who = identify_actor(loaded.playbook)
        taken = taking.take(ledger, number, by=who, now=ask_time(ledger, parse_now(now)))
    if as_json:
        _print_decision(number, Take(), who.name, action=taken.action, taken_from=taken.before)
        return
    if taken.before is not None:
        say(f"W{number} was {taken.before}'s until now; tell them.")
    build_console().print(f"W{number} taken by {sanitise(who.name, 80)}. Next: {find_program()} review W{number}")
    if taken.action is not None:  # else it was theirs already
        build_console().print(describe_undo(ActionKind.TAKE, taken.action))


def _print_decision(
    number: int,
    decision: Resolution | Take,
    who: str,
    *,
    action: int | None,
    journeys: int = 0,
    taken_from: str | None = None,
    standing: Sequence[JourneyStanding] = (),
) -> None:
    did = {"work_item": number, "did": _describe_past(decision), "by": who, "journeys": journeys}
    print_json(did | {"taken_from": taken_from, "action": action, "standing": standing})


def build_json_data(each: Review) -> dict[str, object]:
    """A review as plain data for ``--json``."""
    return {
        **asdict(each.item),
        "score": each.score,
        "grade": each.grade,
        "learned": each.learned,
        "fit": each.fit,
        "engagement": each.engagement,
        "contributions": each.contributions,
        "values": each.values,
        "missing": each.missing,
        "unknown": each.unknown,
        "negative": each.negative,
        "record": each.record,
        "others": [asdict(other) for other in each.others],
    }
