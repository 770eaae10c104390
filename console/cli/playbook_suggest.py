"""``leadgate playbook suggest``: which columns of an export tell won from lost, and a draft of scoring rules.

Belongs here: opening the file, writing the draft, and printing. Does not belong here: the suggestion
(``tasks.suggesting``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.capture import build_limits
from console.cli.options import Json, Now
from console.cli.playbook_measure import build_judged, build_reliability, format_auc, format_error, list_ends
from console.command_context import CommandContext, parse_now
from console.made_files import as_the_user_makes_files
from console.redaction import sanitise
from console.report.tables import format_interval, format_percent
from console.screen import CommandError, build_console, build_heading, build_table, find_program, print_json, say
from leadgate.counting import format_count
from leadgate.masking import mask

if TYPE_CHECKING:
    from leadgate.figures import Share
    from leadgate.learning.separation import Part, Separation
    from tasks.suggesting import SuggestedColumn, Suggestion

_SHOWN: Final = 8  # columns whose values are shown, and values of one
_LONGEST: Final = 40
_NOT_TOLD: Final = "no value differs by more than chance"
_KINDS: Final = {
    "nothing": "empty", "one value": "all the same", "id": "id", "number": "number", "date": "date",
    "category": "category", "text": "free text",
}  # fmt: skip
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--won", metavar="VALUE", help="A value that means won, else the usual words; `*` is any. Repeatable."
    ),
]


def suggest(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON, JSON lines or XLSX, with outcomes.")],
    outcome: Annotated[
        str | None,
        typer.Option("--outcome", metavar="COLUMN", help="What became of the lead; else by names and values."),
    ] = None,
    won: Values = None,
    lost: Annotated[
        list[str] | None,
        typer.Option("--lost", metavar="VALUE", help="A value that means lost; others are undecided. Repeatable."),
    ] = None,
    decided_at: Annotated[
        str | None,
        typer.Option("--decided-at", metavar="COLUMN", help="When it was won or lost: dates after it are told."),
    ] = None,
    including: Annotated[
        list[str] | None,
        typer.Option(
            "--including", metavar="COLUMN", help="Use it although it looks known only afterwards. Repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the draft there; else it is printed.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show the values of all columns, and all values.")] = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """Find the columns of a file of leads with outcomes that tell won from lost, and draft scoring rules to edit.

    No ledger is needed, and nothing is stored. At least 1,000 rows with a known outcome are needed, 120 of them won and
    120 lost. Three rows in ten are kept aside, the same each time: they judge the columns and the draft. Columns that
    were probably filled in after the outcome are told and left out; so are values that differ from the others by no
    more than chance, by how many were looked at, or by too little.
    """
    from leadgate.connectors.files import FileError, read
    from tasks.export_reading import Asked
    from tasks.suggesting import suggest as suggest_rules

    context: CommandContext = ctx.obj
    _require_new(output)
    playbook = context.read_playbook().playbook
    asked = Asked(outcome, won or (), lost or (), decided_at)
    try:
        with read(file, limits=build_limits(context.settings)) as opened:
            found = suggest_rules(opened, playbook, asked, parse_now(now) or datetime.now(UTC), including or ())
    except FileError as error:
        raise CommandError(str(error)) from None
    if output is not None and found.text is not None:
        _write(output, found.text)
    if json:
        print_json({"file": file.name, "output": None if output is None else str(output), **_build_json(found)})
        return
    _print(file, found, everything=everything)
    if found.text is None:
        say("No column tells won from lost beyond chance, so there is no draft.")
    elif output is None:
        build_console().print(build_heading("A draft to edit"))
        build_console().print(found.text, soft_wrap=True, markup=False, highlight=False, end="")
    else:
        say(f"Wrote {output}. Put its fields and scoring into a copy of your playbook, then: "
            f"{find_program()} --playbook COPY playbook check")  # fmt: skip


def _require_new(output: Path | None) -> None:
    if output is not None and (output.exists() or output.is_symlink()):
        raise CommandError(f"{output} exists already and is not overwritten; choose another file")
    if output is not None and not output.parent.is_dir():
        raise CommandError(f"{output} cannot be written: there is no folder {output.parent}")


def _write(output: Path, text: str) -> None:
    try:
        with as_the_user_makes_files(), output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{output} exists already and is not overwritten; choose another file") from None
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error


def _print(file: Path, found: Suggestion, *, everything: bool) -> None:
    console = build_console()
    export, known = found.export, len(found.export.won)
    console.print(
        f"{sanitise(file.name)}: {format_count(known, 'row', 'rows')} with a known outcome, {int(export.won.sum()):,} "
        f"won, by the column {sanitise(export.outcome, _LONGEST)!r}: {_describe_words(found)}. "
        f"{found.learn:,} to learn from; {found.aside:,} kept aside, {found.aside_won:,} of them won.",
        soft_wrap=True,
    )
    for number, words in (
        (export.undecided, "without a known outcome were left out"),
        (export.unreadable, "could not be read"),
    ):
        if number:
            console.print(f"{format_count(number, 'row', 'rows')} {words}.")
    if export.cut:
        console.print(
            f"Only the first {export.rows:,} rows were read: the file is larger than can be compared at once."
        )
    suspected = [each for each in found.columns if each.suspicions]
    if suspected:
        console.print(build_heading("Probably known only after the outcome"))
        made = build_table("column", "AUC aside", "why", "", right=("AUC aside",))
        for each in suspected:
            why = "; ".join(suspicion.words for suspicion in each.suspicions)
            made.add_row(
                sanitise(each.header, _LONGEST), _format_own_auc(each), why, "left out" if each.left_out else "used"
            )
        console.print(made)
        console.print("A sign is no proof: `--including COLUMN` uses one that was known when the lead came.\n")
    _print_columns(found)
    told = [each for each in found.columns if each.separation is not None and each.left_out is None]
    for each in told if everything else told[:_SHOWN]:
        _print_values(each, None if everything else _SHOWN)
    _print_left_out(found, None if everything else _SHOWN)
    if found.judged is not None:
        _print_judged(found)


def _print_left_out(found: Suggestion, most: int | None) -> None:
    """The values that were tried as a rule and are in none, those with the largest difference first."""
    left_out = [values for column in found.columns for values in column.values_left_out]
    if not left_out:
        return
    left_out.sort(key=lambda each: -abs((each.learn.value or 0.0) - (each.rest.value or 0.0)))
    console = build_console()
    console.print(build_heading(f"In no rule, of {found.limit.looked_at:,} values that were looked at"))
    made = build_table(
        "column", "values", "rows", "won", "of the others", "why not", right=("rows", "won", "of the others")
    )
    for each in left_out[:most]:
        words = mask(each.words) if "@" in each.words else each.words
        made.add_row(
            sanitise(each.header, _LONGEST), sanitise(words, _LONGEST), f"{each.learn.of:,}",
            format_percent(each.learn.value), format_percent(each.rest.value), each.why,
        )  # fmt: skip
    console.print(made)
    if most is not None and len(left_out) > most:
        console.print(f"and {len(left_out) - most} more, with --all")


def _describe_words(found: Suggestion) -> str:
    words = found.export.words
    if words.missing_is_lost:
        return "any value is won, none is lost"
    return f"won is {_list_some(words.won)}, lost is {_list_some(words.lost)}"


def _list_some(values: frozenset[str]) -> str:
    shown = [sanitise(value, 20) for value in sorted(values)[:5]]
    return ", ".join(shown) + (f" and {len(values) - 5} more" if len(values) > 5 else "") if shown else "nothing"


def _print_columns(found: Suggestion) -> None:
    console = build_console()
    console.print(build_heading("What each column tells by itself, on the rows kept aside"))
    made = build_table("column", "kind", "filled", "AUC aside", "", right=("filled", "AUC aside"))
    for each in found.columns:
        made.add_row(
            sanitise(each.header, _LONGEST),
            _describe_kind(each),
            format_percent(each.filled.value),
            _format_own_auc(each),
            each.left_out or _describe_use(each),
        )
    console.print(made)


def _describe_use(column: SuggestedColumn) -> str:
    trend = None if column.separation is None else column.separation.trend
    parts: list[str] = [] if trend is None else [trend if trend == "up and down" else f"{trend} with it"]
    parts.append(format_count(column.rules, "rule", "rules") if column.rules else "no rule")
    if not column.rules:
        reasons = dict.fromkeys(each.why for each in column.values_left_out)
        parts += [next(iter(reasons))] if len(reasons) == 1 else ["see below"] if reasons else [_NOT_TOLD]
    return ", ".join(parts)


def _describe_kind(column: SuggestedColumn) -> str:
    """What the column was looked at as."""
    from tasks.export_reading import ONE_EACH

    return "given or not" if column.field in ONE_EACH else _KINDS[column.kind]


def _format_own_auc(column: SuggestedColumn) -> str:
    auc = None if column.separation is None else column.separation.auc
    return "·" if auc is None else f"{auc.value:.3f}"


def _print_values(column: SuggestedColumn, most: int | None) -> None:
    if column.separation is None:
        return
    console = build_console()
    numbers = ("rows", "won", "95 % interval", "lift", "difference to the others")
    made = build_table(sanitise(column.header, _LONGEST), *numbers, right=numbers)
    for part in column.separation.parts[:most]:
        value = column.separation.compute_lift(part)
        made.add_row(
            sanitise(_show(part, column), _LONGEST),
            f"{part.learn.of:,}",
            format_percent(part.learn.value),
            format_interval(part.learn.interval),
            "·" if value is None else f"{value:.2f}",
            format_interval(column.separation.compute_difference(part)),
        )
    console.print(made)
    hidden = 0 if most is None else len(column.separation.parts) - most
    if hidden > 0:
        console.print(f"and {hidden} more, with --all")


def _show(part: Part, column: SuggestedColumn) -> str:
    """A value as it is shown: many rows have it, so it is nobody's own; what looks like a contact is masked."""
    return mask(part.words) if "@" in part.words else part.words


def _print_judged(found: Suggestion) -> None:
    if found.judged is None or found.top is None:
        return
    console = build_console()
    console.print(build_heading("The draft, on the rows kept aside"))
    made = build_table("measure", "points of the draft")
    made.add_row("AUC, with its 95 % interval", format_auc(found.judged.auc))
    made.add_row("calibration error", format_error(found.judged.error))
    top = found.top
    lift = "·" if top.lift is None else f"{top.lift:.2f} times the share of all"
    made.add_row(
        "won of the tenth with the most points", f"{format_percent(top.share.value)} of {top.share.of:,}, {lift}"
    )
    console.print(made)
    console.print(build_heading("What points stand for"))
    console.print(build_reliability(found.judged.groups))


def _build_json(found: Suggestion) -> dict[str, object]:
    export = found.export
    return {
        "rows": export.rows, "unreadable": export.unreadable, "cut": export.cut, "undecided": export.undecided,
        "outcome": {
            "column": export.outcome, "won": sorted(export.words.won)[:100], "lost": sorted(export.words.lost)[:100],
            "missing_is_lost": export.words.missing_is_lost,
        },
        "leads": len(export.won), "won": int(export.won.sum()), "learned_from": found.learn, "aside": found.aside,
        "aside_won": found.aside_won,
        "columns": [_build_column(each) for each in found.columns],
        "rules": [
            {
                "name": each.draft.name, "column": each.draft.header, "when": each.draft.when, "points": each.points,
                "joint_interval": list_ends(each.interval), **_build_share("", each.draft.learn),
                "others": each.draft.rest.value,
                "difference": list_ends(found.limit.widen(each.draft.learn, each.draft.rest)),
            }
            for each in found.rules
        ],
        "values_looked_at": found.limit.looked_at,
        "left_out": [
            {
                "column": each.header, "values": each.words, "why": each.why, **_build_share("", each.learn),
                "others": each.rest.value, "difference": list_ends(found.limit.widen(each.learn, each.rest)),
            }
            for column in found.columns for each in column.values_left_out
        ],
        "draft": found.text,
        "judged": None if found.judged is None else build_judged(found.judged),
        "top_tenth": None if found.top is None else {"lift": found.top.lift, **_build_share("", found.top.share)},
    }  # fmt: skip


def _build_column(column: SuggestedColumn) -> dict[str, object]:
    separation = column.separation
    auc = None if separation is None else separation.auc
    return {
        "column": column.header, "field": column.field, "kind": column.kind, "filled": column.filled.value,
        "auc": None if auc is None else auc.value, "auc_interval": None if auc is None else list_ends(auc.interval),
        "trend": None if separation is None else separation.trend, "left_out": column.left_out, "rules": column.rules,
        "suspicions": [{"sign": each.sign, "words": each.words} for each in column.suspicions],
        "values": [] if separation is None else [_build_part(separation, part) for part in separation.parts],
    }  # fmt: skip


def _build_part(separation: Separation, part: Part) -> dict[str, object]:
    return {
        "value": part.words, "missing": part.missing, "others": part.rest, "low": part.low, "below": part.high,
        **_build_share("", part.learn), "lift": separation.compute_lift(part),
        "difference": list_ends(separation.compute_difference(part)), **_build_share("aside_", part.aside),
    }  # fmt: skip


def _build_share(prefix: str, share: Share) -> dict[str, object]:
    return {
        f"{prefix}leads": share.of, f"{prefix}won": share.count, f"{prefix}share": share.value,
        f"{prefix}interval": list_ends(share.interval),
    }  # fmt: skip
