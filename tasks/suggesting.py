"""Scoring rules suggested from an export of leads with outcomes: which columns tell won from lost, and a draft.

Belongs here: taking the columns through their figures, the signs of what was known afterwards, the draft and its
judgement. Does not belong here: any of these (``leadgate.learning``), reading the file (``tasks.export_reading``), or
words on a screen.

Three rows in ten are kept aside: they judge the columns and the draft, and teach nothing. The draft is judged as it
will be used: its text is read as a playbook's, and its rules score the rows as they score leads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadgate.connectors.files import Table
from leadgate.expressions import rules
from leadgate.expressions.syntax import RuleError, parse
from leadgate.fields import OF_STAGES, FieldType
from leadgate.figures import Share
from leadgate.learning.discrimination import TopShare, compute_top_share
from leadgate.learning.draft_text import NewField, build_draft_text
from leadgate.learning.export_columns import MISSING, Column, Kind
from leadgate.learning.known_afterwards import Suspicion, compare_with_end, list_suspicions
from leadgate.learning.outcome_column import find_named_column
from leadgate.learning.rule_drafts import (
    ChosenRule,
    ExpressedColumn,
    LeftOut,
    RuleDraft,
    choose_rules,
    draft_rules,
    find_limit_of,
)
from leadgate.learning.separation import Separation, separate
from leadgate.learning.significance import Limit
from leadgate.learning.title_words import express_word, split_into_words
from leadgate.learning.training import LEAST_LEADS, LEAST_OF_CLASS
from leadgate.mapping.headers import split_words
from leadgate.playbook import CustomField, Playbook, Scoring
from leadgate.playbook.check.checker import ASSIGNED
from leadgate.playbook.yaml_text import read as read_yaml
from leadgate.scoring.points import score
from leadgate.vocabulary import StageName
from tasks.export_reading import ONE_EACH, Asked, Export, ExportError, ReadColumn, map_columns, read_export
from tasks.measuring import Judged, judge
from tasks.trial import NO_ACTIVITIES

_LONGEST_FIELD: Final = 40
_TITLE: Final = "job_title"
_UNSAID: Final = "\N{HORIZONTAL ELLIPSIS}"  # in place of a value that is there and is not kept: no rule names it

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SuggestedColumn:
    """A column: what it is, what it tells, and how many rules of the draft are about it. ``left_out`` says why it is in
    no rule, where nobody could use it or it is not to be believed, and ``values_left_out`` why some values are in
    none."""

    header: str
    field: str | None
    kind: Kind
    filled: Share
    separation: Separation | None
    suspicions: list[Suspicion]
    left_out: str | None
    rules: int
    values_left_out: list[LeftOut]


@dataclass(frozen=True)
class Suggestion:
    """``judged`` and ``top`` are of the draft's points on the rows kept aside; None where there is no draft. ``limit``:
    from where on a value counts as different, for so many that were looked at."""

    export: Export
    learn: int
    aside: int
    aside_won: int
    columns: list[SuggestedColumn]
    rules: list[ChosenRule]
    limit: Limit
    fields: dict[str, NewField]
    judged: Judged | None
    top: TopShare | None
    text: str | None


@dataclass
class _Looked:
    """A column as it is looked at."""

    read: ReadColumn
    separation: Separation | None
    suspicions: list[Suspicion]
    left_out: str | None
    new_field: NewField | None = None
    expressed: ExpressedColumn | None = None
    whole: Column | None = None  # of a word: the column that it is a word of


def suggest(
    table: Table, playbook: Playbook, asked: Asked, now: datetime, including: Collection[str] = ()
) -> Suggestion:
    """What the columns of ``table`` tell, and a draft of rules. ``including`` are columns that are believed whatever
    speaks against it. Raises ``ExportError``, ``OutcomeColumnError`` and ``FileError``."""
    export = read_export(table, playbook, asked)
    require_enough(export)
    headers = [each.column.header for each in export.columns]
    believed = {find_named_column(named, headers) for named in including}
    learn = ~export.aside
    _require_both(export)
    looked = [_look(each, export, learn, believed) for each in export.columns]
    _name_fields(looked, playbook)
    looked += _look_at_titles(export, learn)
    limit = find_limit_of([each.separation for each in looked if each.separation and each.left_out is None])
    drafts, left_out = _draft(looked, playbook, limit)
    chosen: list[ChosenRule] = []
    if drafts:
        frame = _build_frame(looked)
        types = _list_types(looked, playbook)
        sound = [draft for draft in drafts if _is_sound(draft, types)]
        found = rules.match_rows({draft.name: draft.when for draft in sound}, frame, types)
        hits = {draft.name: found[draft.name].to_numpy()[learn] for draft in sound}
        chosen, weak = choose_rules(sound, hits, export.won[learn])
        left_out += weak
    used = {rule.draft.header for rule in chosen}
    fields = {
        each.new_field.name: each.new_field
        for each in looked
        if each.new_field is not None and each.read.column.header in used
    }
    judged, top, text = None, None, None
    if chosen:
        scores = _score(build_draft_text(chosen, fields, (), {}), frame, playbook, now)
        judged = judge(scores, export.won, learn, export.aside)
        top = compute_top_share(scores[export.aside], export.won[export.aside])
        text = build_draft_text(chosen, fields, _build_heading(export, judged), {})
    return Suggestion(
        export=export,
        learn=int(learn.sum()),
        aside=int(export.aside.sum()),
        aside_won=int(export.won[export.aside].sum()),
        columns=sorted((_tell(each, chosen, left_out) for each in looked), key=_rank),
        rules=chosen,
        limit=limit,
        fields=fields,
        judged=judged,
        top=top,
        text=text,
    )


def require_enough(export: Export) -> None:
    """Raises ``ExportError`` where a draft would be made of chance."""
    known, won = len(export.won), int(export.won.sum())
    if known and won in (0, known):
        what = "won" if won else "lost"
        raise ExportError(
            f"all {known:,} rows with a known outcome were {what} by the column {export.outcome!r}; with one outcome "
            "alone nothing tells them apart. --won VALUE and --lost VALUE say what its values mean"
        )
    for have, least, of in (
        (known, LEAST_LEADS, "rows with a known outcome"),
        (won, LEAST_OF_CLASS, "won rows"),
        (known - won, LEAST_OF_CLASS, "lost rows"),
    ):
        if have < least:
            raise ExportError(f"not enough {of} yet ({have:,} of {least:,}): rules would be drafted from chance")


def _require_both(export: Export) -> None:
    """Raises ``ExportError`` where the rows that teach, or those kept aside, are all won or all lost, or none."""
    if not export.columns:
        raise ExportError(f"it has no column beside {export.outcome!r}: nothing can tell won from lost")
    for which, words in ((~export.aside, "to learn from"), (export.aside, "to keep aside")):
        if not export.won[which].any() or export.won[which].all():
            raise ExportError(
                f"there are no won rows, or no lost ones, {words}: which rows are kept aside is a matter of their "
                "e-mail address, id or content, and nearly all have the same. Add a column that names the row, as an id"
            )


def _look(read: ReadColumn, export: Export, learn: Flags, believed: Collection[str]) -> _Looked:
    column = read.column
    fold = str if read.field == "country" else str.lower
    separation = separate(column, export.won, learn, fold)
    if separation is None:
        only = "every row has one" if read.field in ONE_EACH and column.kind == "one value" else None
        only = "its words are columns of their own" if read.field == _TITLE and column.kind == "text" else only
        return _Looked(read, None, [], only or _WITHOUT_PARTS.get(column.kind, "no two values that enough rows have"))
    suspicions = list_suspicions(separation, export.won, column.filled)
    if column.days is not None and export.ended is not None:
        suspicions += compare_with_end(column.days, export.ended)
    left_out = "probably known only afterwards" if suspicions and column.header not in believed else None
    return _Looked(read, separation, suspicions, left_out)


def _look_at_titles(export: Export, learn: Flags) -> list[_Looked]:
    """The frequent words of job titles, each as a column."""
    found = []
    for read in export.columns:
        if read.field != _TITLE:
            continue
        for word, column in split_into_words(read.column, learn).items():
            expressed = ExpressedColumn(_TITLE, "", "", express_word(word, _TITLE), word)
            separation = separate(column, export.won, learn, str)
            if separation is not None:
                looked = _Looked(ReadColumn(column, _TITLE, expressed), separation, [], None)
                looked.expressed, looked.whole = expressed, read.column
                found.append(looked)
    return found


_WITHOUT_PARTS: Final[dict[Kind, str]] = {
    "nothing": "empty",
    "one value": "tells nothing",
    "id": "names the row",
}


def _name_fields(looked: Sequence[_Looked], playbook: Playbook) -> None:
    """Give each column a name in expressions; one that is no field of a lead yet gets a field to declare."""
    taken = {*playbook.columns_at(StageName.FOLLOW_UP), *ASSIGNED, *OF_STAGES}
    for each in looked:
        if each.left_out is not None or each.separation is None:
            continue
        if each.read.expressed is not None:
            each.expressed = each.read.expressed
            continue
        column, header = each.read.column, each.read.column.header
        if not header.isprintable():
            each.left_out = "its name has characters that nobody sees"
            continue
        if _is_contact(column):
            each.left_out = "looks like a contact: name it in the playbook's headers"
            continue
        name = _choose_name(header, taken)
        taken.add(name)
        is_number = column.kind == "number"
        each.new_field = NewField(name, "number" if is_number else "text", header)
        each.expressed = ExpressedColumn(name, f"lower({name})", name)
    new = [each for each in looked if each.new_field is not None]
    declared = {each.new_field.name: CustomField(headers=(each.new_field.header,)) for each in new if each.new_field}
    together = playbook.model_copy(update={"fields": {**playbook.fields, **declared}})
    mapped = map_columns([each.read.column.header for each in looked], together)
    for each in new:
        if each.new_field is not None and mapped.get(each.read.column.header) != each.new_field.name:
            each.left_out, each.new_field, each.expressed = "another column has the same name", None, None


def _choose_name(header: str, taken: Collection[str]) -> str:
    """A field's name that expressions can use as it stands, and that is none of ``taken``."""
    words = re.sub(r"[^a-z0-9]+", "_", "_".join(split_words(header))).strip("_")[:_LONGEST_FIELD].strip("_")
    base = words if re.match("[a-z]", words) else f"column_{words}".rstrip("_")
    if base in taken or not _is_plain(base):
        base = f"lead_{base}"
    name, number = base, 1
    while name in taken or not _is_plain(name):
        number += 1
        name = f"{base}_{number}"
    return name


def _is_plain(name: str) -> bool:
    """Whether expressions read the name as a column's: ``order`` and ``left`` are words of SQL."""
    try:
        return parse(f"{name} is null or lower({name}) = 'a' or not {name} >= 1").columns == {name}
    except RuleError:
        return False


def _is_contact(column: Column) -> bool:
    """Whether most of its values are e-mail addresses, which would be the lead's if their column had its name."""
    sample = column.values[:100]
    return bool(sample) and sum("@" in value for value in sample) > len(sample) / 2


def _draft(looked: Sequence[_Looked], playbook: Playbook, limit: Limit) -> tuple[list[RuleDraft], list[LeftOut]]:
    taken: set[str] = {rule.name for rule in playbook.scoring.engagement} | {*playbook.scoring.groups}
    drafts: list[RuleDraft] = []
    left_out: list[LeftOut] = []
    for each in looked:
        if each.left_out is None and each.separation is not None and each.expressed is not None:
            made, weak = draft_rules(each.separation, each.expressed, taken, limit)
            drafts += made
            left_out += weak
    return drafts, left_out


def _list_types(looked: Sequence[_Looked], playbook: Playbook) -> dict[str, FieldType]:
    types = playbook.columns_at(StageName.QUALIFICATION)
    for each in looked:
        if each.new_field is not None:
            types[each.new_field.name] = "number" if each.new_field.type == "number" else "text"
    return types


def _is_sound(draft: RuleDraft, types: Mapping[str, FieldType]) -> bool:
    """Whether a playbook with the rule would be accepted."""
    try:
        rules.check(draft.when, types)
        return not rules.is_never_true(draft.when, types) and not rules.is_always_true(draft.when, types)
    except RuleError:
        return False


def _build_frame(looked: Sequence[_Looked]) -> pd.DataFrame:
    """The rows as scoring has them: the columns that rules may read, by the names that they have in expressions."""
    made: dict[str, Any] = {}
    for each in looked:
        if each.left_out is not None or each.expressed is None:
            continue
        column, name = each.read.column, each.expressed.name
        if each.whole is not None:
            made[name] = _spread(each.whole, str)
            continue
        if name == "email":
            made["is_free_mail"] = _spread(column, lambda value: value == "a free mail address")
        if each.expressed.of_values is not None and name in each.expressed.of_values.values():
            made[name] = _spread(column, lambda value: value == "yes")
            continue
        amount = each.expressed.number
        if column.numbers is not None and amount and not amount.startswith("try_cast"):
            made[amount] = column.numbers
            if amount == name:
                continue
        made[name] = _spread(column, str)
    return pd.DataFrame(made)


def _spread(column: Column, read: Any) -> npt.NDArray[np.object_]:
    values = np.empty(len(column.values) + 2, dtype=object)
    values[:-2] = [read(value) for value in column.values]
    values[-2], values[MISSING] = read(_UNSAID), None
    spread: npt.NDArray[np.object_] = values[column.codes]
    return spread


def _score(text: str, frame: pd.DataFrame, playbook: Playbook, now: datetime) -> npt.NDArray[np.float64]:
    """The points of each row by the draft as it is written."""
    written = read_yaml(text, "draft").data
    scoring = Scoring.model_validate(written["scoring"])
    declared = {name: CustomField.model_validate(each) for name, each in written.get("fields", {}).items()}
    drafted = playbook.model_copy(update={"fields": {**playbook.fields, **declared}, "scoring": scoring})
    return score(frame, drafted, NO_ACTIVITIES, now)["score"].to_numpy(dtype=np.float64)


def _build_heading(export: Export, judged: Judged) -> list[str]:
    learned = int((~export.aside).sum())
    auc = judged.auc
    told = "" if auc is None else f": AUC {auc.value:.3f} ({auc.interval.low:.3f} to {auc.interval.high:.3f})"
    return [
        f"A draft, learned from {learned:,} rows with a known outcome and judged by "
        f"{len(export.won) - learned:,} others{told}.",
        "Ten points double the odds to be won. Put fields and scoring into your playbook, take out what nobody would",
        "defend, set the thresholds anew, and ask `leadgate playbook check`.",
    ]


def _tell(each: _Looked, chosen: Sequence[ChosenRule], left_out: Sequence[LeftOut]) -> SuggestedColumn:
    column = each.read.column
    return SuggestedColumn(
        header=column.header,
        field=each.read.field if each.new_field is None else each.new_field.name,
        kind=column.kind,
        filled=Share(int(column.filled.sum()), len(column.codes)),
        separation=each.separation,
        suspicions=each.suspicions,
        left_out=each.left_out,
        rules=sum(rule.draft.header == column.header for rule in chosen),
        values_left_out=[values for values in left_out if values.header == column.header],
    )


def _rank(column: SuggestedColumn) -> tuple[bool, float]:
    auc = None if column.separation is None else column.separation.auc
    return column.separation is None, -(auc.value if auc is not None else 0.0)
