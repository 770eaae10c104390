"""``leadgate score``: scores that were learned, how good each is, which is in force, and whether it has drifted.

Belongs here: these commands and their tables. Does not belong here: learning (``tasks.score_training``), drift
(``tasks.score_drift``), who may have which role (``tasks.score_promotion``), or keeping scores (``leadgate.ledger``).
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from console.cli.options import By, Json, Now
from console.command_context import CommandContext, identify_actor, parse_now
from console.display_names import write_as_words
from console.redaction import sanitise
from console.report.tables import format_percent
from console.screen import (
    CommandError,
    build_console,
    build_heading,
    build_table,
    find_program,
    format_moment,
    print_json,
)
from leadgate.actors import require
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.figures import POINTS_PER_LOG_ODDS
from leadgate.ledger import score_models
from leadgate.ledger.clock import ask_time
from leadgate.ledger.score_models import KeptModel, ScoreInForce
from leadgate.permissions import Permission
from leadgate.vocabulary import LearnedRole

if TYPE_CHECKING:
    from leadgate.learning.indicators import Indicator

_MEASURES = {
    "auc": "AUC",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "top_lift": "lift of the best tenth",
}
_PERIODS = {"taught": "taught", "calibrated": "gave chances", "judged": "judged"}


def train(
    ctx: typer.Context,
    history: Annotated[
        bool,
        typer.Option("--history", help="Take leads whose outcome was known before they were scored, as imports are."),
    ] = False,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Learn a score from the leads whose time is up, and keep it with how good it is."""
    from tasks.score_training import train_score

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(checked=True, takes_over=False) as (ledger, loaded):
        who = identify_actor(loaded.playbook)
        require(who, Permission.OPERATE)
        done = train_score(ledger, loaded, by=who.name, now=ask_time(ledger, parse_now(now)), history=history)
    if json:
        print_json({"new": done.is_new, **_build_json(done.model)})
        return
    if not done.is_new:
        build_console().print("The same leads taught the same score before; nothing was kept twice.", soft_wrap=True)
    _print(done.model)


def promote(
    ctx: typer.Context,
    role: Annotated[LearnedRole, typer.Option("--role", help="What it may do from now on; see docs/learned-score.md.")],
    reason: Annotated[str, typer.Option("--reason", metavar="WORDS", help="Why, for those who read the history.")],
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="Of a score; else the newest.")] = None,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Have a learned score come into force in a role. One that is not better than the rules, or has drifted, is a
    shadow at most."""
    from tasks.score_promotion import promote as give_role

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        who = identify_actor(loaded.playbook)
        given = give_role(
            ledger, loaded.playbook, role, reason, number=number, by=who, now=ask_time(ledger, parse_now(now))
        )
    if json:
        print_json({"did": "promote", **asdict(given), "at": given.at.isoformat()})
        return
    build_console().print(
        f"Score {given.model_id} is in force as `{given.role}`: the next batch of every process is scored by it.",
        soft_wrap=True,
    )


def check(
    ctx: typer.Context,
    only_look: Annotated[bool, typer.Option("--only-look", help="Tell it, and change nothing.")] = False,
    by: By = None,
    json: Json = False,
    now: Now = None,
) -> None:
    """Check whether the score in force has drifted; exit 1 when it has. One that has is a shadow from then on."""
    from tasks.score_drift import check_score, describe_check

    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        require(identify_actor(loaded.playbook), Permission.OPERATE)
        found = check_score(ledger, loaded.playbook, ask_time(ledger, parse_now(now)), only_look=only_look)
    drift = found.drift
    if json:
        print_json({**asdict(found), "problems": drift.problems})
    else:
        console = build_console()
        console.print(f"{describe_check(found)}.", soft_wrap=True)
        shift = "too few to tell" if drift.shift is None else f"stability index {drift.shift:.2f}"
        console.print(f"{format_count(drift.recent, 'recent lead', 'recent leads')}: {shift}.", soft_wrap=True)
        ripe = "too few to tell"
        if drift.chance is not None and drift.won is not None and drift.interval is not None:
            low, high = (format_percent(end) for end in drift.interval)
            ripe = (
                f"mean chance {format_percent(drift.chance)}, came to it {format_percent(drift.won)} ({low} to {high})"
            )
        console.print(f"{format_count(drift.ripe, 'lead', 'leads')} whose time is up: {ripe}.", soft_wrap=True)
    if drift.problems:
        raise typer.Exit(ExitCode.BROKEN)


def show(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="Of a score; else the newest.")] = None,
    json: Json = False,
) -> None:
    """Show a learned score: its leads, how good it is beside the points of the rules, and what it reads."""
    context: CommandContext = ctx.obj
    with context.ledger() as ledger, ledger.transaction() as connection:
        model = score_models.find_model(connection, number)
        in_force = score_models.find_in_force(connection)
    if model is None:
        which = "No score was learned yet" if number is None else f"There is no score {number}"
        raise CommandError(f"{which}; `{find_program()} score history` lists those that there are")
    if json:
        print_json({**_build_json(model), "role": _find_role(model, in_force)})
        return
    _print(model)
    if in_force is not None:
        is_it = "It" if in_force.model_id == model.id else f"Score {in_force.model_id}"
        build_console().print(
            f"\n{is_it} is in force as `{in_force.role}`: {sanitise(in_force.reason)}", soft_wrap=True
        )


def history(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """List learned scores: when, by whom, from how many leads, and how good each is."""
    context: CommandContext = ctx.obj
    with context.ledger() as ledger, ledger.transaction() as connection:
        found = score_models.list_models(connection, limit)
        roles = score_models.list_roles(connection, limit)
    if json:
        print_json(
            {
                "scores": [_build_json(each) for each in found],
                "roles": [{**asdict(each), "at": each.at.isoformat()} for each in roles],
            }
        )
        return
    if not found:
        build_console().print(f"No score was learned yet. Next: {find_program()} score train", soft_wrap=True)
        return
    numbers = ("number", "leads", "AUC", "AUC of the rules")
    rows = build_table("number", "learned (UTC)", "by", "kind", "leads", "AUC", "AUC of the rules", "so", right=numbers)
    for each in found:
        rows.add_row(
            str(each.id),
            format_moment(each.trained_at),
            sanitise(each.by, 80),
            str(each.parameters["kind"]),
            f"{each.counts['leads']:,}",
            f"{each.quality['learned']['auc'][0]:.3f}",
            f"{each.quality['rules']['auc'][0]:.3f}",
            _describe_gain(each),
        )
    console = build_console()
    console.print(rows)
    if roles:
        console.print(build_heading("In force"))
        given = build_table("score", "as", "since (UTC)", "by", "why", right=("score",))
        for role in roles:
            since, by = format_moment(role.at), sanitise(role.by, 80)
            given.add_row(str(role.model_id), role.role, since, by, sanitise(role.reason))
        console.print(given)


def _find_role(model: KeptModel, in_force: ScoreInForce | None) -> str | None:
    return in_force.role if in_force is not None and in_force.model_id == model.id else None


def _build_json(model: KeptModel) -> dict[str, Any]:
    return {**asdict(model), "trained_at": model.trained_at.isoformat(), "horizon": model.horizon.total_seconds()}


def _print(model: KeptModel) -> None:
    console, counts, quality = build_console(), model.counts, model.quality
    label = "accepted" if model.label == "accepted" else "won"
    console.print(
        f"Score {model.id} ({model.parameters['kind']}), learned {format_moment(model.trained_at)} UTC by "
        f"{sanitise(model.by, 80)} from {format_count(counts['leads'], 'lead', 'leads')} whose time is up, "
        f"{counts['won']:,} of them {label} within {_format_days(model.horizon)}.",
        soft_wrap=True,
    )
    audited = counts.get("audited", 0)  # an earlier version did not count them
    below = f" ({audited:,} of them as the audit share, below the threshold)" if audited else ""
    console.print(
        f"{format_count(counts['scored'], 'lead was', 'leads were')} scored and {counts['followed_up']:,} followed up"
        f"{below}; of the others "
        "nobody knows what they would have come to, and the score is right only for leads like those that were "
        "followed up.",
        soft_wrap=True,
    )
    console.print(build_heading("From which leads"))
    periods = build_table("what they did", "since (UTC)", "until (UTC)", "leads", label, right=("leads", label))
    for name, words in _PERIODS.items():
        each = model.periods[name]
        since, until = (str(each[end])[:16].replace("T", " ") for end in ("since", "until"))
        periods.add_row(words, since, until, f"{each['leads']:,}", f"{each['won']:,}")
    console.print(periods)
    console.print(build_heading("On the leads that judged"))
    measures = build_table("measure, with its 95 % interval", "learned", "", "points of the rules", "")
    for name, words in _MEASURES.items():
        measures.add_row(words, *(cell for of in ("learned", "rules") for cell in _list_cells(quality[of][name])))
    console.print(measures)
    console.print(f"Its AUC is {_describe_gain(model)}.", soft_wrap=True)
    console.print(build_heading("What its chances stand for"))
    console.print(_build_reliability(quality["learned"]["reliability"], label))
    if model.parameters["kind"] == "logistic":
        console.print(build_heading("What it adds, in points of which ten double the odds"))
        console.print(_build_weights(model))
    else:
        console.print("It is made of trees: what a rule adds depends on the others.", soft_wrap=True)


def _format_days(horizon: timedelta) -> str:
    days = horizon / timedelta(days=1)
    return f"{days:g} days" if days != 1 else "a day"


def _list_cells(measure: list[float]) -> tuple[str, str]:
    value, low, high = measure
    return f"{value:.3f}", f"{low:.3f} to {high:.3f}"


def _describe_gain(model: KeptModel) -> str:
    gain, low, high = model.quality["auc_gain"]
    so = "better" if model.quality["is_better"] else "not shown to be better"
    return f"{gain:+.3f}, {low:+.3f} to {high:+.3f}: {so}"


def _build_reliability(groups: list[dict[str, Any]], label: str) -> Table:
    made = build_table("chance", "leads", "mean chance", label, right=("leads", "mean chance", label))
    for each in groups:
        made.add_row(
            f"{format_percent(each['lowest'])} to {format_percent(each['highest'])}",
            f"{each['leads']:,}",
            format_percent(each["chance"]),
            format_percent(each["won"] / each["leads"]),
        )
    return made


def _build_weights(model: KeptModel) -> Table:
    from leadgate.learning.scorer import Weights, load  # numpy is slow to import

    score = load(model.parameters)
    made = build_table("what a lead has", "points", right=("points",))
    assert isinstance(score.of, Weights)  # noqa: S101 - asked by its kind
    scale = score.curve.slope * POINTS_PER_LOG_ODDS
    rows = sorted(zip(score.of.weights, score.indicators, strict=True), key=lambda each: -each[0] * scale)
    for weight, indicator in rows:
        made.add_row(sanitise(_describe_indicator(indicator), 60), f"{weight * scale:+.1f}")
    return made


def _describe_indicator(indicator: Indicator) -> str:
    name = write_as_words(indicator.name)
    if indicator.kind == "rule":
        return name
    if indicator.kind in ("known", "negative"):
        return f"{name} is {indicator.kind}"
    if indicator.kind == "missing":
        return f"{name} is missing"
    if indicator.kind == "equals":
        return f"{name} is {'yes' if indicator.value is True else indicator.value}"
    low, high = indicator.low, indicator.high
    if low is None:
        return f"{name} is below {high:g}"
    return f"{name} is {low:g} or more" if high is None else f"{name} is from {low:g} to below {high:g}"
