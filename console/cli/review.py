"""``leadgate review``: what waits for a reviewer, with what there is to decide by; and the decision.

Belongs here: the list, one item in detail, and saying what was decided. Does not belong here: putting an item
together (``tasks.reviews``), or moving the lead (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from console.answers import shown
from console.cli.going_on import go_on, tell
from console.cli.items import render
from console.cli.options import By, Different, Json, Later, Now, Personal, SameAs
from console.cli.queue import decides, what
from console.cli.rerun import fields_of
from console.cli.undo import way_back
from console.command_context import CommandContext, actor, as_of
from console.redaction import SHOWN, mask_item, visible
from console.screen import CommandError, heading, moment, out, print_json, program, say, table
from console.suggestions import is_compared, render_commands, suggest
from leadgate.counting import counted
from leadgate.fields import ENRICHED, PERSONAL, STANDARD, VALIDATED
from leadgate.ledger import reviews as taking
from leadgate.ledger.clock import time_of
from leadgate.masking import mask
from leadgate.matching import LIKELY
from leadgate.references import IdError, number_of
from tasks import reruns, reviews
from tasks.reruns import WorkItemResolution
from tasks.reviews import Other, Review

_KNOWN: Final = frozenset({**STANDARD, **VALIDATED, **ENRICHED})


@dataclass(frozen=True)
class Decision:
    """What a reviewer decides, as it was typed. ``approve`` without words is an empty text."""

    approve: str | None = None
    reject: str | None = None
    corrections: Mapping[str, str] = field(default_factory=dict)
    take: bool = False
    same: int | None = None  # the lead that it is about
    different: bool = False
    proposed: bool = False

    @classmethod
    def of(
        cls,
        approve: str | None,
        reject: str | None,
        assignments: Sequence[str],
        *,
        take: bool,
        same: int | None = None,
        different: bool = False,
        proposed: bool = False,
    ) -> Decision | None:
        """The options as a decision, None when there is none. Raises ``CommandError`` for more than one."""
        decision = cls(approve, reject, fields_of(assignments), take, same, different, proposed)
        given = {
            "--approve": approve is not None,
            "--reject": reject is not None,
            "--set": bool(decision.corrections),
            "--take": take,
            "--same": same is not None,
            "--different": different,
            "--proposed": proposed,
        }
        used = [name for name, is_given in given.items() if is_given]
        if len(used) > 1:
            raise CommandError(f"{' and '.join(used)} exclude one another; give one")
        if reject is not None and not reject.strip():
            raise CommandError("--reject needs a reason: it is kept with the lead")
        return decision if used else None

    @property
    def past(self) -> str:
        if self.take:
            return "taken"
        if self.reject is not None:
            return "rejected"
        if self.same is not None or self.different:
            return self.resolution.past
        return "corrected" if self.corrections or self.proposed else "approved"

    @property
    def resolution(self) -> WorkItemResolution:
        return WorkItemResolution(
            corrections=self.corrections,
            done_by_hand=None if self.approve is None else self.approve.strip() or reruns.APPROVED,
            discard=self.reject,
            same=self.same,
            different=self.different,
            proposed=self.proposed,
        )


def review(
    ctx: typer.Context,
    work_item: Annotated[
        str | None, typer.Argument(metavar="[W12]", help="A work item; else all that wait are listed.")
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="[WORDS]", help="It goes on; the words say what you looked at."),
    ] = None,
    reject: Annotated[str | None, typer.Option("--reject", metavar="REASON", help="End it, for this reason.")] = None,
    corrections: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Correct a field; may be repeated."),
    ] = None,
    proposed: Annotated[bool, typer.Option("--proposed", help="Correct it as the work item proposes.")] = False,
    take: Annotated[bool, typer.Option("--take", help="You decide it, so it is not escalated.")] = False,
    same: SameAs = None,
    different: Different = False,
    by: By = None,
    later: Later = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most this many.")] = 50,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """What waits for a reviewer, with what there is to decide by; and the decision."""
    context: CommandContext = ctx.obj
    decision = Decision.of(
        approve, reject, corrections or [], take=take, same=same, different=different, proposed=proposed
    )
    if work_item is None:
        if decision is not None:
            raise CommandError(f"say which: {program()} review W12 …; `leadgate review` lists what waits")
        _list(context, limit=limit, personal=show_personal, as_json=json, now=now)
    elif decision is None:
        _show(context, _number(work_item), personal=show_personal, as_json=json)
    else:
        _decide(context, _number(work_item), decision, later=later, as_json=json, now=now)


def _number(reference: str) -> int:
    try:
        return number_of(reference, "work item")
    except IdError as error:
        raise CommandError(visible(str(error))) from None


def _list(context: CommandContext, *, limit: int, personal: bool, as_json: bool, now: str | None) -> None:
    playbook = context.playbook().playbook
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        found, total = reviews.waiting(ledger, playbook, limit)
    shown_ = found if personal else [mask_review(each) for each in found]
    if as_json:
        print_json({"total": total, "items": [as_data(each) for each in shown_]})
        return
    console = out()
    if not shown_:
        console.print("Nothing waits for a review.")
        return
    render([each.item for each in shown_], {each.item["id"]: _in_short(each) for each in shown_}, at, console)
    if total > len(shown_):
        console.print(f"\n{total - len(shown_):,} more; see them with --limit {total}.")
    console.print(f"\nNext: {program()} review W{shown_[0].item['id']}")


def _in_short(each: Review) -> str:
    """What is known and what is not, for a line of the list."""
    parts = {"grade": [each.grade] if each.grade else [], "missing": each.missing, "not there": each.negative}
    return "; ".join(f"{name} {', '.join(map(visible, found))}" for name, found in parts.items() if found)


def graded(each: Review) -> str:
    """The score, with the grade where there is one."""
    return f"{each.score}, grade {each.grade}" if each.grade else str(each.score)


def _show(context: CommandContext, number: int, *, personal: bool, as_json: bool) -> None:
    playbook = context.playbook().playbook
    with context.ledger() as ledger:
        (each,) = reviews.read_reviews(ledger, [number], playbook)
    if not personal:
        each = mask_review(each)
    if as_json:
        print_json(as_data(each))
        return
    console, item = out(), each.item
    lead = (
        f"lead {item['lead_id']}" if item["lead_id"] is not None else counted(item["journeys"], "journey", "journeys")
    )
    console.print(heading(f"W{item['id']}: {visible(item['reason'], 40)} at {item['stage']}, {lead}"))
    console.print(Text(what(item)))
    console.print(Text(f"{decides(item)} decides, by {moment(item['due_at'])} UTC.".replace("\n", ", ")))
    if each.score is not None:
        console.print(f"\nScore {graded(each)}: fit {each.fit}, engagement {each.engagement}.")
        points = table("rule", "points", right=("points",))
        for rule, number_ in each.contributions.items():
            points.add_row(Text(visible(rule, 60)), f"{number_:+}")
        console.print(points)
        values = table("what the rules read", "value")
        for name, value in each.values.items():
            values.add_row(Text(visible(name, 60)), Text(visible(shown(value), SHOWN)))
        for name in each.missing:
            values.add_row(Text(visible(name, 60)), "missing")
        console.print()
        console.print(values)
    if each.unknown:
        console.print(Text(f"\nNobody knows yet: {visible(', '.join(each.unknown))}."))
    if each.negative:
        console.print(Text(f"\nKnown not to be there: {visible(', '.join(each.negative))}."))
    if each.others:
        console.print()
        console.print(_side_by_side(each))
    _next(item, each.others)


_MARKS: Final = {"same": " = the same", "similar": " ≈ alike", "differs": " ≠ differs", "unknown": ""}
#: What the levels call a field that is shown under another name.
_LEVEL_OF: Final = {"full_name": "name"}


def _side_by_side(each: Review) -> Table:
    """This record beside each lead that it may be about, with what agrees."""
    made = table("", "this one", *(f"lead {other.lead_id}, score {other.score}" for other in each.others))
    for name, value in each.record.items():
        if value is None and all(other.values[name] is None for other in each.others):
            continue
        cells = [_cell(value)]
        for other in each.others:
            marks = [_MARKS[level] for field, level in other.levels.items() if _shows(field, name)]
            cells.append(_cell(other.values[name]) + "".join(marks))
        made.add_row(name.replace("_", " "), *map(Text, cells))
    made.add_row("owner", "", *(Text(visible(other.owner or "nobody", 40)) for other in each.others))
    made.add_row("last heard of", "", *(moment(other.heard_at) if other.heard_at else "" for other in each.others))
    return made


def _shows(field: str, name: str) -> bool:
    """Whether the level of ``field`` is about what is shown as ``name``."""
    if field.startswith("crm_id"):
        return name == "external_id"
    return field == _LEVEL_OF.get(name, name)


def _cell(value: Any) -> str:
    return "unknown" if value is None else visible(shown(value), SHOWN)


def _next(item: Mapping[str, Any], others: Sequence[Other]) -> None:
    call = f"{program()} review W{item['id']}"
    ways = [(f"{call} --same {other.lead_id}", f"it is the person of lead {other.lead_id}") for other in others]
    if item["reason"] == LIKELY:
        ways.append((f"{call} --different", "it is somebody else; nobody is asked about these again"))
    if is_compared(item):
        ways += [
            (f"{call} --set FIELD=VALUE", "correct it; it is validated again"),
            (f"{call} --reject REASON", "end it"),
        ]
    else:
        ways += suggest(item)
    if item["assignee"] is None:
        ways.append((f"{call} --take", "you decide it, so it is not escalated"))
    console = out()
    console.print()
    console.print(heading("What can be done"))
    render_commands(ways, console)


def _decide(
    context: CommandContext, number: int, decision: Decision, *, later: bool, as_json: bool, now: str | None
) -> None:
    loaded = context.playbook_to_go_on(later=later or decision.take)
    playbook = loaded.playbook
    who = actor(playbook).name
    reruns.require_fields(list(decision.corrections), playbook)
    before: str | None = None
    released, action = 0, None
    standing: Sequence[Mapping[str, Any]] = ()
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        if decision.take:  # whatever holds leads, a breaker's item too
            taken = taking.take(ledger, number, by=who, now=at)
            before, action = taken.before, taken.action
        else:
            (each,) = reviews.read_reviews(ledger, [number], playbook)
            done = reruns.resolve_items(ledger, [each.item], decision.resolution, by=who, now=at, playbook=playbook)
            if not done.work_items:  # somebody was faster
                raise CommandError(f"Nothing was changed: {'; '.join(done.skipped)}")
            released, action = done.released, done.action
            if decision.reject is None:
                standing = go_on(context, ledger, loaded, list(done.journeys), as_of(now), later=later)
    if as_json:
        did = {"work_item": number, "did": decision.past, "by": who, "journeys": released, "taken_from": before}
        print_json(did | {"action": action, "standing": standing})
        return
    if before is not None:
        say(f"W{number} was {before}'s until now; tell them.")
    if decision.take:
        then = f"Next: {program()} review W{number}"
    elif decision.reject is not None:
        then = "What was captured stays."
    else:
        then = ""
    out().print(f"W{number} {decision.past} by {visible(who, 80)}. {then}".rstrip())
    if not decision.take and decision.reject is None:
        tell(standing, released)
    if decision.take and action is None:
        return  # it was theirs already
    out().print(way_back("take" if decision.take else decision.resolution.resolution, action))


def mask_review(each: Review) -> Review:
    """A review with its personal values masked; of the playbook's own fields nobody knows what they hold."""
    values = {
        name: value if name in _KNOWN and name not in PERSONAL else mask(str(value))
        for name, value in each.values.items()
    }
    others = [replace(other, values=_masked_side(other.values)) for other in each.others]
    return replace(each, item=mask_item(each.item), values=values, record=_masked_side(each.record), others=others)


def _masked_side(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: mask(str(value)) if value is not None and name in (*PERSONAL, "external_id") else value
        for name, value in values.items()
    }


def as_data(each: Review) -> dict[str, Any]:
    """A review as plain data for ``--json``."""
    return {
        **each.item,
        "score": each.score,
        "grade": each.grade,
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
