"""The funnel: how many of the signals reached each step, and where the others are now.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from console.display_names import DisplayNames, write_as_words
from console.report import charts
from console.report.tables import NONE, STATUS_WORDS, Column, Section, Table, Tile, describe_count, format_percent
from leadgate.figures import OUTCOMES, STEPS, Share, Step, build_bands, build_steps, find_band
from leadgate.ledger.figure_rows import FigureRows, JourneyCount
from leadgate.playbook import Playbook
from leadgate.vocabulary import JourneyStatus, Trigger

#: Each status has a colour. One that is not here has that of what waits.
_COLOURS: Final[dict[JourneyStatus, str]] = {
    JourneyStatus.READY: "c8",
    JourneyStatus.HELD: "c2",
    JourneyStatus.OWNED: "c3",
    JourneyStatus.JOINED: "c4",
    JourneyStatus.NURTURE: "c5",
    JourneyStatus.DISQUALIFIED: "c6",
    JourneyStatus.DONE: "c1",
    JourneyStatus.DISCARDED: "c7",
}
_BECAME: Final = (
    ("c1", "won"),
    ("c2", "lost"),
    ("c3", "undecided"),
    ("c4", "qualified, no owner yet"),
    ("rest", "not qualified"),
)
_UNGRADED: Final[dict[str | None, str]] = {None: "no grade yet"}
_NO_ROUTE: Final[dict[str | None, str]] = {None: "no owner yet"}


def build_section(found: FigureRows, playbook: Playbook) -> Section:
    """From the rows ``journeys``. Scores are in bands between the thresholds of ``playbook``."""
    cells = [cell for cell in found["journeys"] if cell["trigger"] == Trigger.SIGNAL]
    among = build_bands(playbook.qualification)
    names = DisplayNames(playbook)
    said: dict[str | None, str] = {band.name: f"{band.name} ({band.words})" for band in among}
    order: list[str | None] = [None, *(band.name for band in among)]

    graded = any(cell["grade"] is not None for cell in cells)

    def name_band(cell: JourneyCount) -> str | None:
        return None if cell["score"] is None else find_band(cell["score"], among).name

    return Section(
        key="funnel",
        title="From signal to first touch",
        about="Signals received in the period: how far each came, and where it is now.",
        tables=[
            _build_steps(_steps_of(cells)),
            _group_by(
                "by_source", "By source", "source", cells, lambda cell: cell["source"], format_name=names.name_source
            ),
            _group_by(
                "by_route",
                "By routing rule",
                "route",
                cells,
                lambda cell: cell["route"],
                said=_NO_ROUTE,
                format_name=write_as_words,
            ),
            _group_by("by_band", "By score", "band", cells, name_band, order.index, said | {None: "no score yet"}),
            *([_group_by("by_grade", "By grade", "grade", cells, _read_grade, str, _UNGRADED)] if graded else []),
            _group_by(
                "by_trigger",
                "Leads that came back",
                "trigger",
                [cell for cell in found["journeys"] if cell["trigger"] != Trigger.SIGNAL],
                lambda cell: cell["trigger"],
                note="A rescore begins at qualification, with a known lead: it is no signal, and in no other table.",
            ),
        ],
        tiles=_build_tiles(_steps_of(cells)),
    )


def _steps_of(cells: Iterable[JourneyCount]) -> list[Step]:
    return build_steps((cell["reached"], cell["status"], cell["n"]) for cell in cells)


def _read_grade(cell: JourneyCount) -> str | None:
    return cell["grade"]


def _build_tiles(found: Sequence[Step]) -> list[Tile]:
    reached = {step.name: step.reached for step in found}
    signals, owned = reached["signals"], reached["owned"]
    of_signals = f"of {describe_count(signals, 'signal', 'signals')}"
    now = {
        status: sum(step.stopped.get(status, 0) for step in found)
        for status in (JourneyStatus.READY, JourneyStatus.HELD)
    }
    received = "received in the period"
    if now[JourneyStatus.READY]:
        received += f"; {describe_count(now[JourneyStatus.READY], 'waits', 'wait')} for the next run"
    if now[JourneyStatus.HELD]:
        received += f"; {describe_count(now[JourneyStatus.HELD], 'is', 'are')} held"
    return [
        Tile("signals", "Signals", signals, "count", received),
        Tile(
            "qualified",
            "Qualified",
            Share(reached["qualified"], signals).value,
            "share",
            f"{reached['qualified']:,} {of_signals}" if signals else "",
            "no signals",
        ),
        Tile(
            "owned",
            "Got an owner",
            Share(owned, signals).value,
            "share",
            f"{owned:,} {of_signals}" if signals else "",
            "no signals",
        ),
        Tile(
            "touched",
            "Touched by their owner",
            Share(reached["touched"], owned).value,
            "share",
            f"{reached['touched']:,} of {owned:,} that got an owner" if owned else "",
            "no lead has an owner",
        ),
    ]


def _build_steps(found: Sequence[Step]) -> Table:
    signals, before = found[0].reached, found[0].reached
    rows = []
    for step in found:
        rows.append(
            {
                "step": step.name,
                "reached": step.reached,
                "of_signals": Share(step.reached, signals).value,
                "of_before": Share(step.reached, before).value,
                "on": step.on,
                **{f"now_{status}": step.stopped.get(status, 0) for status in JourneyStatus},
            }
        )
        before = step.reached
    return Table(
        key="steps",
        title="Step by step",
        columns=[
            Column("step", "step", "text"),
            Column("reached", "reached"),
            Column("of_signals", "of all", "share"),
            Column("of_before", "of step before", "share", wide=True),
            Column("on", "went on"),
            *(Column(f"now_{status}", STATUS_WORDS.get(status, status.value)) for status in JourneyStatus),
        ],
        rows=rows,
        note="Reached is who went on, and who is no further than this, by where they are now. Touched has a touch on"
        " record: an acceptance is none.",
        chart=_draw_steps(found),
        caption="Every bar is all signals: those who reached the step, and where those are who stopped before it.",
        layout="whole",
    )


def _draw_steps(found: Sequence[Step]) -> Markup:
    """Every bar is all signals: who reached the step, and who stopped before it."""
    gone: dict[str, int] = defaultdict(int)
    rows = []
    for step in found:
        share = format_percent(Share(step.reached, found[0].reached).value)
        parts = [charts.Part("c1", step.reached, f"{step.reached:,} reached it")]
        parts += [
            charts.Part(
                _COLOURS.get(status, "c8"),
                gone[status],
                f"{gone[status]:,} {STATUS_WORDS.get(status, status.value)} before",
            )
            for status in JourneyStatus
        ]
        rows.append(charts.Bar(step.name, parts, f"{step.reached:,} · {share}"))
        for status, count in step.stopped.items():
            gone[status] += count
    legend = [("c1", "reached")] + [
        (_COLOURS.get(status, "c8"), STATUS_WORDS.get(status, status.value))
        for status in JourneyStatus
        if gone[status] and status != JourneyStatus.DONE
    ]
    return charts.draw_bars(
        "How many signals reached each step, and where the others stopped", rows, legend, whole=True
    )


def _group_by(
    key: str,
    title: str,
    name: str,
    cells: Iterable[JourneyCount],
    of: Callable[[JourneyCount], str | None],
    order: Callable[[str | None], int | str] | None = None,
    said: Mapping[str | None, str] | None = None,
    note: str = "",
    format_name: Callable[[str], str] | None = None,
) -> Table:
    """The funnel of each group: most signals first, unless ``order`` says otherwise."""
    groups: dict[str | None, list[JourneyCount]] = defaultdict(list)
    for cell in cells:
        groups[of(cell)].append(cell)
    rows: list[tuple[str | None, dict[str, int], float | None]] = []
    for group, own in groups.items():
        reached = {step.name: step.reached for step in _steps_of(own)}
        now: dict[str, int] = defaultdict(int)
        for cell in own:
            now[cell["status"]] += cell["n"]
        outcomes = {name: sum(cell["n"] for cell in own if cell["outcome"] == name) for name in OUTCOMES}
        statuses = {f"now_{status}": now[status] for status in JourneyStatus}
        share = Share(reached["qualified"], reached["signals"]).value
        rows.append((group, reached | outcomes | statuses, share))
    if order is None:
        rows.sort(key=lambda row: (-row[1]["signals"], str(row[0])))
    else:
        rows.sort(key=lambda row: order(row[0]))
    first = Column(name, name, "text", labels=said or {}, format_name=format_name)
    return Table(
        key=key,
        title=title,
        columns=[
            first,
            Column("signals", "signals" if name != "trigger" else "journeys"),
            *(Column(step, step, wide=step in ("captured", "validated", "enriched")) for step in STEPS[1:5]),
            Column("qualified_share", "of all", "share"),
            *(Column(step, step) for step in STEPS[5:]),
            *(Column(outcome, outcome) for outcome in OUTCOMES),
            *(
                Column(f"now_{status}", f"{STATUS_WORDS.get(status, status.value)} now", wide=True)
                for status in JourneyStatus
            ),
        ],
        rows=[{name: group, **counts, "qualified_share": share} for group, counts, share in rows],
        note=note,
        chart=_draw_shares(title, first, [(group, counts) for group, counts, _ in rows])
        if name != "trigger"
        else Markup(),
        caption="Beside each bar how many of its signals got an owner.",
    )


def _draw_shares(title: str, first: Column, rows: Sequence[tuple[str | None, Mapping[str, int]]]) -> Markup:
    drawn = []
    for group, row in rows:
        counts = _list_outcomes(row)
        parts = [
            charts.Part(colour, count / (row["signals"] or 1), f"{count:,} {words}")
            for (colour, words), count in zip(_BECAME, counts, strict=True)
        ]
        figure = f"{row['owned']:,} of {row['signals']:,}" if row["signals"] else NONE
        drawn.append(charts.Bar(first.format_cell(group), parts, figure))
    totals = [sum(counts) for counts in zip(*(_list_outcomes(row) for _, row in rows), strict=True)]
    legend = [each for each, total in zip(_BECAME, totals, strict=False) if total]
    return charts.draw_bars(f"{title}: what became of every hundred signals", drawn, legend)


def _list_outcomes(row: Mapping[str, int]) -> list[int]:
    """The counts of ``_BECAME``, which add up to the row's signals."""
    decided = [row[name] for name in OUTCOMES]
    return [*decided, row["qualified"] - row["owned"], row["signals"] - row["qualified"]]
