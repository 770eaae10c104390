"""Records of one kind: which updates took a clean path beside those that are stalled, and how the records stand.

Belongs here: the tables of these sections, the same for every kind. Does not belong here: counting
(``leadgate.ledger.record_figures``), or the forecast (``console.forecast``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypedDict

from console.display_names import DisplayNames, write_as_words
from console.report import charts
from console.report.paths import build_reasons_table
from console.report.tables import Column, Section, Table, Tile, describe_count, format_percent
from leadgate.figures import PATHS, Share
from leadgate.ledger.figure_rows import FigureRows, RecordCount, UpdateCount
from leadgate.playbook import Playbook
from leadgate.vocabulary import JourneyKind

_STALLED: Final = ("held", "late", "waiting")
_PATH_WORDS: Final[dict[str | None, str]] = {
    "clean": "clean",
    "helped": "a person was needed",
    "held": "stalled: held",
    "late": "stalled: touch missed",
    "waiting": "stalled: waits",
}
#: Whether a record is so, now.
_FLAGS: Final = ("owned", "unowned", "held", "overdue", "stale", "slipped")
_ENDS: Final = ("won", "lost", "churned")
_NOBODY: Final[dict[str | None, str]] = {None: "nobody"}
_NO_STAGE: Final[dict[str | None, str]] = {None: "no sales stage"}

_NOW: Final = (
    Column("open", "open now"),
    Column("unowned", "no owner"),
    Column("held", "held"),
    Column("overdue", "overdue"),
    Column("stale", "stale"),
    Column("slipped", "slipped"),
)
_COLUMNS: Final = (
    Column("updates", "updates"),
    Column("clean", "clean"),
    Column("clean_share", "clean", "share"),
    Column("helped", "needed a person", wide=True),
    Column("stalled", "stalled"),
    Column("due", "touch due", wide=True),
    Column("kept_share", "in time", "share"),
    Column("not_done", "due, not done"),
    *_NOW,
    *(Column(end, end) for end in _ENDS),
)


class _Path(TypedDict):
    path: str
    updates: int
    share: float | None


def build_section(found: FigureRows, playbook: Playbook, kind: JourneyKind) -> Section:
    """From those of the rows ``updates``, ``records`` and ``record_reasons`` that are about ``kind``."""
    updates = [row for row in found["updates"] if row["about"] == kind]
    records = [row for row in found["records"] if row["about"] == kind]
    names, many = DisplayNames(playbook), kind.plural
    paths = _build_paths(updates)
    return Section(
        key=many,
        title=many.title(),
        about=f"Updates of {many} that came in the period. Clean are those that needed no person and whose owner was in"
        " time so far; stalled those that are held, wait, or whose first touch was due and is missed. Beside them the"
        f" {many} that are open now, whenever they were told, and those that ended in the period.",
        tables=[
            Table(
                key="paths",
                title="Clean, and stalled",
                columns=[
                    Column("path", "path", "text", labels=_PATH_WORDS),
                    Column("updates", "updates"),
                    Column("share", "share", "share"),
                ],
                rows=paths,
                chart=charts.draw_bars(
                    f"Updates of {many}, by the path that they took",
                    [
                        charts.Bar(
                            _PATH_WORDS[row["path"]],
                            [charts.Part(_find_colour(row["path"]), row["updates"], f"{row['updates']:,}")],
                            format_percent(row["share"]),
                        )
                        for row in paths
                    ],
                ),
            ),
            _build_stages(records),
            _group("by_owner", "By owner", Column("owner", "owner", "text", labels=_NOBODY, format_name=names.name_rep),
                   updates, records, "owner"),
            _group("by_source", "By source", Column("source", "source", "text", format_name=names.name_source),
                   updates, records, "source"),
            build_reasons_table([row for row in found["record_reasons"] if row["about"] == kind]),
        ],
        tiles=_build_tiles(updates, records, many),
        tiles_within=True,
    )  # fmt: skip


def _find_colour(path: str) -> str:
    return "c2" if path in _STALLED else "c1"


def _build_tiles(updates: Sequence[UpdateCount], records: Sequence[RecordCount], many: str) -> list[Tile]:
    counted = _count(updates, records)
    paths = _count_paths(updates)
    stalled = ", ".join(
        f"{paths[name]:,} {_PATH_WORDS[name].removeprefix('stalled: ')}" for name in _STALLED if paths[name]
    )
    clean, kept = Share(counted["clean"], counted["updates"]), Share(counted["kept"], counted["due"])
    decided = sum(counted[end] for end in _ENDS)
    of_updates = f"{clean.count:,} of {describe_count(clean.of, 'update', 'updates')}" + (
        f"; {stalled}" if stalled else ""
    )
    undone = f"; {counted['not_done']:,} due and not done" if counted["not_done"] else ""
    return [
        Tile("clean", "On a clean path", clean.value, "share", of_updates if clean.of else "", "no update yet"),
        Tile(
            "in_time",
            "First touch in time",
            kept.value,
            "share",
            f"{kept.count:,} of the {kept.of:,} whose time is up{undone}" if kept.of else "",
            "nothing was due",
        ),
        Tile("unowned", "Open without an owner", counted["unowned"], "count",
             f"of {counted['open']:,} open {many}" if counted["open"] else "", when=""),
        Tile("slipped", "Slipped, still open", counted["slipped"], "count",
             f"of {counted['open']:,} open {many}" if counted["open"] else "", when=""),
        Tile(
            "won",
            "Won, of those decided",
            Share(counted["won"], decided).value,
            "share",
            ", ".join(f"{counted[end]:,} {end}" for end in _ENDS if counted[end]) if decided else "",
            "none was decided",
        ),
    ]  # fmt: skip


def _count_paths(updates: Sequence[UpdateCount]) -> dict[str, int]:
    return {path: sum(row["n"] for row in updates if row["path"] == path) for path in PATHS}


def _build_paths(updates: Sequence[UpdateCount]) -> list[_Path]:
    """A row for each path that was taken."""
    counts = _count_paths(updates)
    every = sum(counts.values())
    return [{"path": path, "updates": n, "share": Share(n, every).value} for path, n in counts.items() if n]


def _build_stages(records: Sequence[RecordCount]) -> Table:
    """What is open, by sales stage; without rows for a kind that has none."""
    stages = dict.fromkeys(row["sales_stage"] for row in records if row["is_open"])
    rows = [
        {"sales_stage": stage, **_count([], [row for row in records if row["sales_stage"] == stage])}
        for stage in (stages if any(stages) else ())
    ]
    return Table(
        key="by_stage",
        title="Open now, by sales stage",
        columns=[
            Column("sales_stage", "sales stage", "text", labels=_NO_STAGE, format_name=write_as_words),
            Column("owned", "with owner", wide=True),
            *_NOW,
        ],
        rows=rows,
        note="Stale: nothing was told for as long as the sales stage allows, and nobody has answered the question.",
    )


def _group(
    key: str,
    title: str,
    column: Column,
    updates: Sequence[UpdateCount],
    records: Sequence[RecordCount],
    by: Literal["owner", "source"],
) -> Table:
    """A row for each value that ``by`` has, in the order of the values, those of none last."""
    values = {*(row[by] for row in updates), *(row[by] for row in records)}
    rows: list[Mapping[str, object]] = [
        {
            column.key: value,
            **_count(
                [row for row in updates if row[by] == value],
                [row for row in records if row[by] == value],
            ),
        }
        for value in sorted(values, key=lambda value: (value is None, value or ""))
    ]
    return Table(key, title, [column, *_COLUMNS], _with_shares(rows), layout="whole")


def _count(updates: Sequence[UpdateCount], records: Sequence[RecordCount]) -> dict[str, int]:
    paths = _count_paths(updates)
    opened = [row for row in records if row["is_open"]]
    kept, missed = sum(row["kept"] for row in updates), sum(row["missed"] for row in updates)
    return {
        "updates": sum(paths.values()),
        "clean": paths["clean"],
        "helped": paths["helped"],
        "stalled": sum(paths[name] for name in _STALLED),
        "kept": kept,
        "due": kept + missed,
        "not_done": sum(row["not_done"] for row in updates),
        "open": sum(row["n"] for row in opened),
        **{flag: sum(row["n"] for row in opened if row[flag]) for flag in _FLAGS},
        **{end: sum(row["n"] for row in records if row["outcome"] == end) for end in _ENDS},
    }


def _with_shares(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    return [
        {
            **row,
            "clean_share": Share(int(str(row["clean"])), int(str(row["updates"]))).value,
            "kept_share": Share(int(str(row["kept"])), int(str(row["due"]))).value,
        }
        for row in rows
    ]
