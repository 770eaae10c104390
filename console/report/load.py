"""Load and fairness: what each pool gave to whom beside what the weights ask for, and what each rep has now.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``),
or whose turn it is (``leadgate.assignment.rotation``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypedDict

from markupsafe import Markup

from console.display_names import DisplayNames
from console.report import charts
from console.report.tables import NO_POOL, Column, Section, Table, Tile, describe_count, format_decimal
from leadgate.figures import Share, compute_dues
from leadgate.json_columns import KeptTurnCounts
from leadgate.ledger.figure_rows import FigureRows
from leadgate.playbook import Playbook


class _Turn(TypedDict):
    pool: str | None
    rep: str
    weight: int | None
    turns: int
    expected: float | None
    deviation: float | None
    besides: int
    epoch_turns: int | None
    epoch_deviation: float | None
    order: str | None


class _Pool(TypedDict):
    pool: str | None
    assigned: int
    turns: int
    deviation: float | None
    deviation_share: float | None
    epoch_turns: int
    epoch_deviation: float | None
    order: str | None


class _Rep(TypedDict):
    rep: str
    assigned: int
    open: int
    max_open: int | None
    open_share: float | None
    overdue: int
    today: int | None
    max_per_day: int | None
    week: int | None
    max_per_week: int | None


def build_section(found: FigureRows, playbook: Playbook, rep: str | None = None) -> Section:
    """From the rows ``turns``, ``owners``, ``pools`` and ``recent``; weights and caps are those of ``playbook``.

    With ``rep``, theirs alone, and their pools.
    """
    turns = _build_turns(found, playbook)
    pools = _build_pools(turns)
    if rep is not None:
        turns = [row for row in turns if row["rep"] == rep]
        pools = [row for row in pools if row["pool"] in {turn["pool"] for turn in turns}]
    reps = _build_reps(found, playbook, everybody=rep is None)
    names = DisplayNames(playbook)
    of_pool = Column("pool", "pool", "text", labels=NO_POOL, format_name=names.name_pool)
    of_rep = Column("rep", "rep", "text", format_name=names.name_rep)
    return Section(
        key="load",
        title="Load and fairness",
        about="Leads assigned in the period, from all sources, beside each weight's share; and what reps have open now."
        " Since the last change of who can take leads, no rep of a pool that takes turns may be a whole lead away from"
        " their weight's share. Over the whole period absences and caps move the shares.",
        tables=[
            Table(
                key="pools",
                title="Pools",
                columns=[
                    of_pool,
                    Column("assigned", "assigned"),
                    Column("turns", "turns"),
                    Column("deviation", "furthest off, leads", "number"),
                    Column("deviation_share", "of turns", "share"),
                    Column("epoch_turns", "turns since change"),
                    Column("epoch_deviation", "furthest off since change", "number"),
                    Column("order", "goes by", "text", labels={"turns": "turns", "open_leads": "open leads"}),
                ],
                rows=pools,
                layout="whole",
            ),
            Table(
                key="turns",
                title="Turns by rep",
                columns=[
                    of_pool,
                    of_rep,
                    Column("weight", "weight"),
                    Column("turns", "turns"),
                    Column("expected", "weight's share", "number"),
                    Column("deviation", "off by", "signed"),
                    Column("besides", "without a turn"),
                    Column("epoch_turns", "turns since change", wide=True),
                    Column("epoch_deviation", "off by since change", "signed"),
                ],
                rows=turns,
                chart=_draw_turns(turns, names),
            ),
            Table(
                key="reps",
                title="Reps now",
                columns=[
                    of_rep,
                    Column("assigned", "assigned"),
                    Column("open", "open now"),
                    Column("max_open", "at most"),
                    Column("open_share", "of cap", "share"),
                    Column("overdue", "overdue now"),
                    Column("today", "today"),
                    Column("max_per_day", "at most a day"),
                    Column("week", "this week", wide=True),
                    Column("max_per_week", "at most a week", wide=True),
                ],
                rows=reps,
                note="Assigned in the period; open and overdue now; today and this week since"
                " midnight, and Monday's, of the rep's time zone.",
                chart=charts.draw_bullets(
                    "Open leads of each rep now, and the most they may have",
                    [
                        charts.Bullet(
                            names.name_rep(row["rep"]),
                            row["open"],
                            row["max_open"],
                            f"{row['open']:,}, {row['overdue']:,} overdue",
                        )
                        for row in reps
                        if row["open"]
                    ],
                    "open now",
                    "at most",
                ),
            ),
        ],
        tiles=[*_build_open_tiles(reps), *_build_fairness_tiles(turns, names)],
    )


def _build_open_tiles(reps: Sequence[_Rep]) -> list[Tile]:
    owned, overdue = sum(row["open"] for row in reps), sum(row["overdue"] for row in reps)
    of = f"of {describe_count(owned, 'open lead', 'open leads')}"
    ended = "when the period before ended"
    return [
        Tile("open", "Open now", owned, "count", "leads that have an owner now", when=ended),
        Tile("overdue", "Overdue now", overdue, "count", f"{of}: the first touch was due and is not done", when=ended),
    ]


def _build_fairness_tiles(turns: Sequence[_Turn], names: DisplayNames) -> list[Tile]:
    """The largest distance of any rep, over every pool: since its last change of who can take leads; in the period."""
    taken = {row["pool"] for row in turns if row["epoch_turns"]}
    now, off = _find_furthest((row, row["epoch_deviation"]) for row in turns if row["pool"] in taken)
    since = "since the last change of who can take leads"
    if now is None:
        detail = ""
    elif off > 1e-9:
        detail = f"{_name_rep(now, names)}, {since}; less than 1 is promised"
    else:
        detail = f"every rep has their weight's share {since}"
    took = {row["pool"] for row in turns if row["turns"]}
    whole, off_in_period = _find_furthest((row, row["deviation"]) for row in turns if row["pool"] in took)
    return [
        Tile(
            "fairness",
            "Leads off the fair share, at most",
            None if now is None else off,
            "number",
            detail,
            "no turn was taken yet",
            when="",
        ),
        Tile(
            "fairness_of_period",
            "Leads off the fair share, in the whole period",
            None if whole is None else off_in_period,
            "number",
            "" if whole is None else f"{_name_rep(whole, names)}; absences, caps and changes of weights included",
            "no turn was taken",
        ),
    ]


def _find_furthest(turns: Iterable[tuple[_Turn, float | None]]) -> tuple[_Turn | None, float]:
    """The row that is furthest off, and how far; the first of them."""
    known = ((row, abs(off)) for row, off in turns if off is not None)
    return max(known, key=lambda each: each[1], default=(None, 0.0))


def _name_rep(row: _Turn, names: DisplayNames) -> str:
    by_open = ", which goes by open leads instead of turns" if row["order"] == "open_leads" else ""
    return f"{names.name_rep(row['rep'])} in {names.name_pool(str(row['pool']))}{by_open}"


def _draw_turns(turns: Sequence[_Turn], names: DisplayNames) -> Markup:
    """A picture for each pool."""
    drawn = []
    for pool in dict.fromkeys(pool for row in turns if (pool := row["pool"])):
        own = [row for row in turns if row["pool"] == pool]
        bullets = [
            charts.Bullet(
                names.name_rep(row["rep"]),
                row["turns"],
                row["expected"],
                f"{row['turns']:,}, off {format_decimal(row['deviation'] or 0.0, sign=True)}",
            )
            for row in own
        ]
        called = names.name_pool(pool)
        title = f"Turns each rep took in {called}, and the share that their weight asks for"
        drawn.append(
            charts.add_heading(called, charts.draw_bullets(title, bullets, "turns taken", "the weight's share"))
        )
    return Markup().join(drawn)


def _largest(distances: Iterable[float | None]) -> float | None:
    """The largest there is, either way; None when there is none."""
    return max((abs(each) for each in distances if each is not None), default=None)


def _build_turns(found: FigureRows, playbook: Playbook) -> list[_Turn]:
    """A row for each pool and rep: members by the playbook, and others who got leads from it."""
    weights = {pool.name: {member.rep: member.weight for member in pool.members} for pool in playbook.pools}
    states: dict[str | None, KeptTurnCounts] = {cell["pool"]: cell["state"] or {} for cell in found["pools"]}
    taken: dict[str | None, dict[str, int]] = defaultdict(dict)
    besides: dict[str | None, dict[str, int]] = defaultdict(dict)
    for cell in found["turns"]:
        taken[cell["pool"]][cell["owner"]] = cell["turns"]
        besides[cell["pool"]][cell["owner"]] = cell["n"] - cell["turns"]
    rows: list[_Turn] = []
    others = {name for name in (*taken, *states) if name and name not in weights}
    for pool in [*weights, *sorted(others), None]:
        state: KeptTurnCounts = states.get(pool, {})
        epoch = compute_dues(state.get("turns", {}), state.get("weights", {}))
        counts = dict.fromkeys(epoch, 0) | taken[pool]  # who left the pool may still be in its epoch
        for rep, due in compute_dues(counts, weights.get(pool or "", {})).items():
            rows.append(
                {
                    "pool": pool,
                    "rep": rep,
                    "weight": weights.get(pool or "", {}).get(rep),
                    "turns": due.turns,
                    "expected": due.expected if pool else None,
                    "deviation": due.deviation if pool else None,
                    "besides": besides[pool].get(rep, 0),
                    "epoch_turns": epoch[rep].turns if rep in epoch else None,
                    "epoch_deviation": epoch[rep].deviation if rep in epoch else None,
                    "order": state.get("order", "turns") if pool else None,
                }
            )
    return rows


def _build_pools(turns: Sequence[_Turn]) -> list[_Pool]:
    by_pool: dict[str | None, list[_Turn]] = defaultdict(list)
    for row in turns:
        by_pool[row["pool"]].append(row)
    rows: list[_Pool] = []
    for pool, own in by_pool.items():
        total = sum(row["turns"] for row in own)
        apart = _largest(row["deviation"] for row in own)
        rows.append(
            {
                "pool": pool,
                "assigned": total + sum(row["besides"] for row in own),
                "turns": total,
                "deviation": apart,
                "deviation_share": None if apart is None or not total else apart / total,
                "epoch_turns": sum(row["epoch_turns"] or 0 for row in own),
                "epoch_deviation": _largest(row["epoch_deviation"] for row in own),
                "order": own[0]["order"],
            }
        )
    return rows


def _build_reps(found: FigureRows, playbook: Playbook, *, everybody: bool) -> list[_Rep]:
    """A row for each rep who has, or had, a lead; with ``everybody`` for each of the playbook's, too."""
    owners = {cell["owner"]: cell for cell in found["owners"]}
    recent = {cell["rep"]: cell for cell in found["recent"]}
    reps = {rep.name: rep for rep in playbook.reps}
    rows: list[_Rep] = []
    for name in dict.fromkeys([*owners, *(rep for rep in reps if everybody)]):
        own, rep = owners.get(name), reps.get(name)
        now_open = own["open"] if own else 0
        cap = None if rep is None else rep.max_open
        rows.append(
            {
                "rep": name,
                "assigned": own["assigned"] if own else 0,
                "open": now_open,
                "max_open": cap,
                "open_share": None if not cap else Share(now_open, cap).value,
                "overdue": own["overdue"] if own else 0,
                "today": recent[name]["today"] if name in recent else None,
                "max_per_day": None if rep is None else rep.max_per_day,
                "week": recent[name]["week"] if name in recent else None,
                "max_per_week": None if rep is None else rep.max_per_week,
            }
        )
    return sorted(rows, key=lambda row: (-row["open"], row["rep"]))
