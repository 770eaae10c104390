"""What a replay found, as sections of tables: the terminal and the page take their rows from these.

Belongs here: which tables there are, their rows and their charts. Does not belong here: sentences (``words``), or
printing (``console.cli.replay``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.display_names import DisplayNames, write_as_words
from console.replay.words import (
    KINDS,
    Nouns,
    describe_changed,
    describe_check,
    describe_later,
    describe_reason,
    describe_sum,
    find_end_words,
    find_nouns,
    list_notes,
)
from console.report import charts, paired_charts
from console.report.tables import Column, Section, Table, Tile
from leadgate.counting import format_count
from leadgate.playbook import Playbook
from leadgate.replay.comparison import Comparison, Kind
from leadgate.replay.limits import MEASURES, Measured
from leadgate.vocabulary import JourneyKind, Outcome
from tasks.replay.results import ReplayResult
from tasks.replay.self_check import SelfCheck

RECORDED: Final = "as recorded"
DRAFTED: Final = "by the draft"
_PAIR: Final = (Column("recorded", RECORDED), Column("drafted", DRAFTED))
_TEXTS: Final = (Column("recorded", RECORDED, "text"), Column("drafted", DRAFTED, "text"))


@dataclass(frozen=True)
class Shown:
    """A replay, and what it takes to write it: names of reps, whose hours, the limits gone beyond, and notes."""

    result: ReplayResult
    names: DisplayNames
    zone: str
    exceeded: Sequence[Measured] = ()
    notes: Sequence[str] = ()

    @property
    def nouns(self) -> Nouns:
        return find_nouns(self.result.kind)


def build_shown(result: ReplayResult, used: Playbook, zone: str, exceeded: Sequence[Measured] = ()) -> Shown:
    """``used``: the playbook in use, beside which the draft is told of."""
    draft = result.draft.playbook
    one, other = (each.model_dump(include={"reps", "pools"}) for each in (used, draft))
    return Shown(result, DisplayNames(draft), zone, exceeded, list_notes(result, rotation_differs=one != other))


def build_sections(shown: Shown, *, apart: bool = False) -> list[Section]:
    """The self-check first: without it nothing that follows can be trusted. ``apart``: beside those of other kinds, so
    that keys and titles name the kind."""
    sections = [_build_check(shown)]
    if shown.exceeded:
        sections.append(_build_limits(shown))
    if shown.result.check.decisions:
        sections += [_build_changes(shown), _build_told(shown)]
    return [_set_apart(each, shown) for each in sections] if apart else sections


def _set_apart(section: Section, shown: Shown) -> Section:
    kind, words = shown.result.kind, shown.nouns.many.capitalize()
    tables = [replace(each, key=f"{kind}_{each.key}") for each in section.tables]
    return replace(
        section,
        key=f"{kind}_{section.key}",
        title=f"{words}: {section.title.lower()}",
        tables=tables,
        tiles_within=True,
    )


def list_tables(shown: Shown) -> list[Table]:
    """What differs, in tables; some may have no rows."""
    comparison, many = shown.result.comparison, shown.nouns.many
    return [
        *list_moves(comparison, shown.result.kind),
        _build_loads(shown),
        _build_due_hours(comparison, shown.zone),
        _count_texts("brought", "What time alone would bring beside", "what", _list_brought(shown.result), "times"),
        _count_texts(
            "dropped_became",
            f"What became of the {many} that would get no owner any more",
            "outcome",
            [(write_as_words(describe_later(word)), count) for word, count in shown.result.later.items()],
            many,
        ),
    ]


def list_moves(comparison: Comparison, kind: JourneyKind = JourneyKind.LEAD) -> list[Table]:
    """How journeys of a kind differ, and from where to where they go."""
    many = find_nouns(kind).many
    return [
        _build_kinds(comparison, many),
        _build_ends(comparison, kind),
        _count_texts("newly_held", "Newly held", "reason", _list_reasons(comparison.newly_held), many),
        _count_texts("no_longer_held", "Held no longer", "reason", _list_reasons(comparison.no_longer_held), many),
        _build_owners(comparison, find_nouns(kind)),
    ]


def _build_check(shown: Shown) -> Section:
    result = shown.result
    check, comparison, nouns = result.check, result.comparison, shown.nouns
    rows = [
        {
            "journey": f"J{each.journey}",
            "stage": str(each.stage),
            "what": str(each.what),
            "recorded": str(each.recorded),
            "again": str(each.again),
        }
        for each in check.differences
    ]
    columns = [Column(key, key, "text") for key in ("journey", "stage", "what")]
    columns += [Column("recorded", RECORDED, "text", wraps=True), Column("again", "made again", "text", wraps=True)]
    tiles = []
    if check.decisions:
        same = check.decisions - check.different_decisions
        whole = f"of {format_count(check.decisions, 'decision', 'decisions')} that were made again"
        tiles = [
            Tile("check", "Came out as recorded", same, "count", whole, "none"),
            Tile(
                "changed", f"{nouns.many.capitalize()} that differ", comparison.changed, "count",
                f"of {nouns.count(comparison.journeys)}",
            ),
            Tile(
                "owners", "Get another owner", comparison.changed_owners, "count",
                f"of {nouns.count(comparison.owned_both)} with an owner both ways",
            ),
            Tile(
                "dropped", "Get no owner any more", comparison.kinds.get(Kind.DROPPED, 0), "count",
                f"{nouns.many} that have one",
            ),
        ]  # fmt: skip
    return Section(
        key="check",
        title="Self-check",
        about=" ".join(describe_check(check)),
        tables=[
            Table("differences", "Decisions that came out otherwise", columns, rows),
            _build_not_made(check),
        ],
        tiles=tiles,
    )


def _build_not_made(check: SelfCheck) -> Table:
    rows = [{"journey": f"J{each.journey}", "stage": str(each.stage), "why": each.why} for each in check.not_made]
    columns = [Column("journey", "journey", "text"), Column("stage", "stage", "text")]
    columns.append(Column("why", "why", "text", wraps=True))
    return Table("not_made", "Decisions that cannot be made again", columns, rows)


def _build_limits(shown: Shown) -> Section:
    rows = [
        {
            "limit": f"--{each.name} {each.limit.in_words}",
            "leads": each.count,
            "share": each.count / each.base if each.base else None,
            "of": f"{shown.nouns.many} {MEASURES[each.name].what}, {MEASURES[each.name].of}",
        }
        for each in shown.exceeded
    ]
    columns = [Column("limit", "limit", "text"), Column("leads", shown.nouns.many), Column("share", "share", "share")]
    return Section(
        key="limits",
        title="Beyond the limits",
        about="The draft changes more than was allowed.",
        tables=[Table("limits", "Limits gone beyond", [*columns, Column("of", "what", "text", wraps=True)], rows)],
    )


def _build_changes(shown: Shown) -> Section:
    about = " ".join((describe_sum(shown.result.comparison).replace(":", "."), *shown.notes))
    return Section(key="changes", title="What differs", about=about, tables=list_tables(shown))


def _build_told(shown: Shown) -> Section:
    rows = []
    for each in shown.result.comparison.told:
        before, after = describe_changed(each, shown.names, ZoneInfo(shown.zone), shown.result.kind)
        rows.append({"journey": f"J{each.journey}", "recorded": before, "drafted": after})
    columns = [
        Column("journey", shown.nouns.one, "text"),
        Column("recorded", RECORDED, "text", wraps=True),
        Column("drafted", DRAFTED, "text", wraps=True),
    ]
    return Section(
        key="told",
        title=f"The most telling {shown.nouns.many}",
        about="One of each way to differ in turn, the gravest ways first. leadgate explain tells of each as it was.",
        tables=[Table("told", f"{shown.nouns.count(len(rows))}, and why", columns, rows)],
    )


def _build_kinds(comparison: Comparison, many: str) -> Table:
    counts = [(KINDS[kind], count) for kind, count in comparison.kinds.items()]
    return _count_texts("kinds", "What differs", f"{many} that", counts, many)


def _build_ends(comparison: Comparison, kind: JourneyKind) -> Table:
    words, many = find_end_words(kind), find_nouns(kind).many
    moved = [
        (words[one], words[other], count)
        for (one, other), count in sorted(comparison.ends.items(), key=lambda each: -each[1])
        if one is not other
    ]
    return _count_moves("ends", f"Where {many} end", _TEXTS, moved, many)


def _build_owners(comparison: Comparison, nouns: Nouns) -> Table:
    moved = [(one, other, count) for (one, other), count in comparison.owners_changed.items()]
    owned = nouns.count(comparison.owned_both)
    columns = (Column("recorded", "route as recorded", "text"), Column("drafted", "route by the draft", "text"))
    title = f"Other owners: {comparison.changed_owners:,} of {owned} with an owner both ways"
    return _count_moves("owners", title, columns, moved, nouns.many)


def _build_loads(shown: Shown) -> Table:
    loads = shown.result.comparison.loads
    pairs = [(shown.names.name_rep(rep), one, other) for rep, (one, other) in loads.items()]
    title = f"{shown.nouns.many.capitalize()} of each rep"
    return Table(
        "loads",
        title,
        [Column("rep", "rep", "text"), *_PAIR],
        [{"rep": rep, "recorded": one, "drafted": other} for rep, one, other in pairs],
        chart=paired_charts.draw_paired_bars(title, pairs, (RECORDED, DRAFTED)),
    )


def _build_due_hours(comparison: Comparison, zone: str) -> Table:
    """Rows of the hours that differ; a picture of all, for hours that stay are what the others stand out from."""
    differ = {hour: pair for hour, pair in comparison.due_hours.items() if pair[0] != pair[1]}
    drawn = [(f"{hour:02d}", *comparison.due_hours.get(hour, (0, 0))) for hour in range(24)] if differ else []
    title = f"First touches due by hour ({zone})"
    return Table(
        "due_hours",
        title,
        [Column("hour", "hour", "text"), *_PAIR],
        [{"hour": f"{hour:02d}:00", "recorded": one, "drafted": other} for hour, (one, other) in differ.items()],
        chart=paired_charts.draw_paired_columns(title, drawn, (RECORDED, DRAFTED)),
        caption="The table has the hours that differ.",
    )


def _list_reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(describe_reason(reason), count) for reason, count in counts.items()]


def _list_brought(result: ReplayResult) -> list[tuple[str, int]]:
    return [
        ("goes on to an owner" if what == Outcome.CONTINUE else describe_reason(what), count)
        for what, count in result.brought.items()
    ]


def _count_texts(key: str, title: str, what: str, counts: Sequence[tuple[str, int]], many: str) -> Table:
    return Table(
        key,
        title,
        [Column("what", what, "text", wraps=True), Column("leads", many)],
        [{"what": words, "leads": count} for words, count in counts],
        chart=_draw(title, counts),
    )


def _count_moves(
    key: str, title: str, columns: Sequence[Column], moved: Sequence[tuple[str, str, int]], many: str
) -> Table:
    """From where to where, and how many."""
    return Table(
        key,
        title,
        [*columns, Column("leads", many)],
        [{"recorded": one, "drafted": other, "leads": count} for one, other, count in moved],
        chart=_draw(title, [(f"{one} → {other}", count) for one, other, count in moved]),
    )


def _draw(title: str, counts: Sequence[tuple[str, int]]) -> Markup:
    bars = [charts.Bar(words, [charts.Part("c1", count, f"{count:,}")], f"{count:,}") for words, count in counts]
    return charts.draw_bars(title, bars, half=charts.WORDY)
