"""``leadgate playbook measure``: how well points tell won leads from lost ones.

Belongs here: finding the playbook, and printing. Does not belong here: measuring (``tasks.measuring``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from console.cli.options import Json, Now
from console.cli.playbook_diff import find_playbook
from console.command_context import CommandContext, parse_now
from console.display_names import write_as_words
from console.redaction import sanitise
from console.report.joint_weights import judge_interval
from console.report.tables import format_decimal, format_interval, format_percent
from console.screen import CommandError, build_console, build_heading, build_table, find_program, print_json
from leadgate.counting import format_count
from leadgate.figures import Interval
from leadgate.ledger.clock import ask_time

if TYPE_CHECKING:
    from leadgate.learning.discrimination import Auc, Group
    from leadgate.learning.joint_weights import JointWeight
    from tasks.measuring import Judged, Measured

_SO = {"more_often": "more often", "less_often": "less often", "not_shown": "not shown", "too_few": "too few"}


def measure(
    ctx: typer.Context,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAYBOOK]", help="A file, the start of a hash, or `active`; by default the playbook's file."
        ),
    ] = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Measure how well a playbook's points tell won leads from lost ones, and show the points that history would give.

    Every lead whose outcome is known is scored again by this playbook, as of when it was scored or decided. Three in
    ten are kept aside, the same each time: they judge the points, and teach nothing.
    """
    from expectations import list_promise_names
    from leadgate.playbook.check import require
    from tasks.measuring import ASIDE
    from tasks.measuring import measure as measure_playbook

    context: CommandContext = ctx.obj
    loaded = context.read_playbook() if which is None else find_playbook(context, which)
    require(loaded, promises=list_promise_names())
    with context.ledger() as ledger:
        found = measure_playbook(ledger, loaded.playbook, ask_time(ledger, parse_now(now)))
    if json:
        print_json({"playbook": loaded.hash, "kept_aside": ASIDE, **_build_json(found)})
        return
    if found.points.auc is None:
        raise CommandError(
            f"outcomes are known of {format_count(found.leads, 'lead', 'leads')}, {found.won:,} of them won: too "
            "few to measure by. "
            f"`{find_program()} outcomes FILE --history` records what became of leads"
        )
    _print(found, loaded.playbook.name)


def _build_json(found: Measured) -> dict[str, object]:
    fit = found.fit
    return {
        "leads": found.leads, "won": found.won, "learned_from": found.learn, "aside": found.aside,
        "aside_won": found.aside_won, "points": build_judged(found.points), "joint": build_judged(found.joint),
        "weights": [
            {
                "rule": each.rule, "points": found.given.get(each.rule), "joint_points": each.points,
                "joint_interval": list_ends(each.interval), "leads": each.leads, "so": _judge(each),
            }
            for each in (fit.weights if fit else ())
        ],
    }  # fmt: skip


def build_judged(judged: Judged) -> dict[str, object]:
    auc = judged.auc
    return {
        "auc": None if auc is None else auc.value,
        "auc_interval": None if auc is None else list_ends(auc.interval),
        "ece": judged.error,
        "reliability": [
            {
                "lowest": each.lowest, "highest": each.highest, "leads": each.share.of, "chance": each.chance,
                "won": each.share.count, "share": each.share.value, "interval": list_ends(each.share.interval),
            }
            for each in judged.groups
        ],
    }  # fmt: skip


def list_ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [*interval]


def _judge(weight: JointWeight) -> str:
    low, high = (None, None) if weight.interval is None else weight.interval
    return judge_interval(low, high)


def _print(found: Measured, name: str) -> None:
    console = build_console()
    console.print(
        f"{format_count(found.leads, 'lead', 'leads')} with a known outcome, {found.won:,} won. "
        f"{found.learn:,} to learn from; {found.aside:,} kept aside, {found.aside_won:,} of them won.",
        soft_wrap=True,
    )
    console.print(build_heading("On the leads kept aside"))
    made = build_table("measure", f"points of {sanitise(name, 40)}", "joint points")
    made.add_row("AUC, with its 95 % interval", format_auc(found.points.auc), format_auc(found.joint.auc))
    made.add_row("calibration error", format_error(found.points.error), format_error(found.joint.error))
    console.print(made)
    console.print(build_heading("What points stand for"))
    console.print(build_reliability(found.points.groups))
    if found.fit is not None:
        console.print(build_heading("What the leads to learn from would give each rule"))
        console.print(_build_weights(found, sorted(found.fit.weights, key=lambda each: -(each.points or -1e9))))


def format_auc(auc: Auc | None) -> str:
    return "·" if auc is None else f"{auc.value:.3f}   {auc.interval.low:.3f} to {auc.interval.high:.3f}"


def format_error(error: float | None) -> str:
    return "·" if error is None else f"{error:.3f}"


def build_reliability(groups: Sequence[Group]) -> Table:
    numbers = ("leads", "chance", "won", "95 % interval")
    made = build_table("points", *numbers, right=numbers)
    for each in groups:
        made.add_row(
            f"{each.lowest:g} to {each.highest:g}",
            f"{each.share.of:,}",
            format_percent(each.chance),
            format_percent(each.share.value),
            format_interval(each.share.interval),
        )
    return made


def _build_weights(found: Measured, weights: Sequence[JointWeight]) -> Table:
    numbers = ("points", "joint points", "95 % interval", "decided leads")
    made = build_table("rule", *numbers, "won", right=numbers)
    for each in weights:
        given = found.given.get(each.rule)
        made.add_row(
            sanitise(write_as_words(each.rule), 40),
            "·" if given is None else f"{given:+}",
            "·" if each.points is None else f"{each.points:+.0f}",
            _format_points(each.interval),
            f"{each.leads:,}",
            _SO[_judge(each)],
        )
    return made


def _format_points(interval: Interval | None) -> str:
    if interval is None:
        return "·"
    return f"{format_decimal(interval.low, sign=True)} to {format_decimal(interval.high, sign=True)}"
