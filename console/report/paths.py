"""Paths: how many journeys needed no person, and how long those took beside the others.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

from markupsafe import Markup

from console.display_names import write_as_words
from console.report import charts
from console.report.tables import STATUS_WORDS, Column, Section, Table, Tile, describe_count, format_percent
from console.screen import format_span
from leadgate.figures import Share
from leadgate.ledger.figure_rows import EndingCount, FigureRows, ReasonCount, StageTime
from leadgate.vocabulary import STAGES, STATUSES, JourneyStatus, StageName


class _Ending(TypedDict):
    status: str
    journeys: int
    clean: int
    person: int
    clean_share: float | None


class _Stage(TypedDict):
    stage: str
    clean: int
    clean_p50: float | None
    clean_p95: float | None
    person: int
    person_p50: float | None
    person_p95: float | None


_TOTALS: Final = ("to_owner", "to_end")
_SAID: Final[dict[str | None, str]] = {
    "to_owner": "capture to owner",
    "to_end": "capture to done",
    StageName.FOLLOW_UP: "follow-up",
}


def build_section(found: FigureRows) -> Section:
    """From the rows ``endings``, ``stages`` and ``reasons``."""
    endings = _build_endings(found["endings"])
    stages = _build_stages(found["stages"])
    return Section(
        key="paths",
        title="Clean paths, and those that needed a person",
        about="A clean path met no work item and no action of a person but what its owner did with it: accept it, wait"
        " for the lead, touch it. It was never run again, and nothing in it was corrected. One that is still open is"
        " clean so far; one that waits for the next run is in no share.",
        tables=[
            Table(
                key="endings",
                title="Where they are now",
                columns=[
                    Column("status", "now", "text", labels=STATUS_WORDS),
                    Column("journeys", "journeys"),
                    Column("clean", "clean"),
                    Column("person", "needed a person"),
                    Column("clean_share", "clean", "share"),
                ],
                rows=endings,
                chart=charts.draw_bars(
                    "Journeys by where they are now: clean, or with a person's help",
                    [
                        charts.Bar(
                            STATUS_WORDS.get(row["status"], row["status"]),
                            [
                                charts.Part("c1", row["clean"], f"{row['clean']:,} clean"),
                                charts.Part("c2", row["person"], f"{row['person']:,} needed a person"),
                            ],
                            f"{format_percent(row['clean_share'])} clean",
                        )
                        for row in endings[:-1]
                    ],
                    [("c1", "clean"), ("c2", "needed a person")],
                ),
            ),
            build_reasons_table(found["reasons"]),
            Table(
                key="stages",
                title="The time each took",
                columns=[
                    Column("stage", "stage", "text", labels=_SAID),
                    Column("clean", "clean"),
                    Column("clean_p50", "median", "span"),
                    Column("clean_p95", "95 % within", "span"),
                    Column("person", "needed a person"),
                    Column("person_p50", "median", "span"),
                    Column("person_p95", "95 % within", "span"),
                ],
                rows=stages,
                note="A stage's time runs from the handoff before it to its own, waiting included; stages that a batch"
                " passed in one go share a moment.",
                chart=_draw_ranges(stages),
                caption="The dot is the median, the line reaches to where 95 % are.",
                layout="beside",
            ),
        ],
        tiles=_build_tiles(endings, stages),
    )


def build_reasons_table(rows: Sequence[ReasonCount]) -> Table:
    """Why somebody was asked, the most frequent first."""
    return Table(
        key="reasons",
        title="What a person was needed for",
        columns=[
            Column("reason", "reason", "text", format_name=write_as_words),
            Column("kind", "kind", "text"),
            Column("journeys", "journeys"),
            Column("items", "work items"),
            Column("open", "open"),
            Column("closed_p50", "closed within: median", "span"),
            Column("closed_p95", "95 %", "span"),
        ],
        rows=[
            {
                "reason": row["reason"],
                "kind": row["kind"],
                "journeys": row["journeys"],
                "items": row["items"],
                "open": row["open"],
                "closed_p50": row["p50"],
                "closed_p95": row["p95"],
            }
            for row in rows
        ],
        chart=charts.draw_bars(
            "What a person was needed for, by journeys",
            [
                charts.Bar(
                    write_as_words(row["reason"]),
                    [charts.Part("c2", float(row["journeys"]), describe_count(row["journeys"], "journey", "journeys"))],
                    f"{row['journeys']:,}",
                )
                for row in rows[:12]
            ],
        ),
    )


def _build_tiles(endings: Sequence[_Ending], stages: Sequence[_Stage]) -> list[Tile]:
    counts = {row["status"]: row for row in endings}
    waiting = counts[JourneyStatus.READY]["clean"] if JourneyStatus.READY in counts else 0
    clean = Share(counts["all"]["clean"] - waiting, counts["all"]["journeys"] - waiting) if counts else Share(0, 0)
    detail = f"{clean.count:,} of {describe_count(clean.of, 'journey', 'journeys')} so far" if clean.of else ""
    if waiting:
        detail += (
            "; " if detail else ""
        ) + f"{describe_count(waiting, 'journey waits', 'journeys wait')} for the next run"
    to_owner = next((row for row in stages if row["stage"] == "to_owner"), None)
    alone = f"median of {describe_count(to_owner['clean'], 'lead', 'leads')}" if to_owner and to_owner["clean"] else ""
    if to_owner and to_owner["person"]:
        helped = describe_count(to_owner["person"], "lead", "leads")
        alone += f"{'; ' if alone else ''}{format_span(to_owner['person_p50'])} for {helped} with a person's help"
    return [
        Tile("clean", "Needed no person", clean.value, "share", detail, "no journey yet"),
        Tile(
            "to_owner",
            "Capture to owner, without a person",
            to_owner["clean_p50"] if to_owner else None,
            "span",
            alone,
            "no lead yet",
        ),
    ]


def _build_endings(found: Sequence[EndingCount]) -> list[_Ending]:
    """A row for each status that there is, in their order, and one of all at the end."""
    counts = {(cell["status"], cell["clean"]): cell["n"] for cell in found}
    rows = []
    for status in STATUSES:
        clean, person = counts.get((status, True), 0), counts.get((status, False), 0)
        if clean or person:
            rows.append(_build_ending(status, clean, person))
    if rows:
        rows.append(_build_ending("all", sum(row["clean"] for row in rows), sum(row["person"] for row in rows)))
    return rows


def _build_ending(status: str, clean: int, person: int) -> _Ending:
    share = Share(clean, clean + person).value
    return {"status": status, "journeys": clean + person, "clean": clean, "person": person, "clean_share": share}


def _build_stages(found: Sequence[StageTime]) -> list[_Stage]:
    cells = {(cell["stage"], cell["clean"]): cell for cell in found}
    rows: list[_Stage] = []
    for stage in (*STAGES, *_TOTALS):
        clean, person = cells.get((stage, True)), cells.get((stage, False))
        if clean or person:
            rows.append(
                {
                    "stage": stage,
                    "clean": clean["n"] if clean else 0,
                    "clean_p50": clean["p50"] if clean else None,
                    "clean_p95": clean["p95"] if clean else None,
                    "person": person["n"] if person else 0,
                    "person_p50": person["p50"] if person else None,
                    "person_p95": person["p95"] if person else None,
                }
            )
    return rows


def _draw_ranges(rows: Sequence[_Stage]) -> Markup:
    drawn = []
    for row in rows:
        times = (("clean", row["clean_p50"], row["clean_p95"]), ("person", row["person_p50"], row["person_p95"]))
        for name, p50, p95 in times:
            if p50 is not None and p95 is not None and row["stage"] in _TOTALS:
                label = f"{row['stage'].replace('_', ' ')}, {name}"
                drawn.append(charts.Range(label, p50, p50, p95, format_span(p50)))
    return charts.draw_spans(
        "How long journeys took, clean and with a person: the median, and up to where 95 % are", drawn
    )
