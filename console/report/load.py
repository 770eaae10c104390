"""Load and fairness: what each pool gave to whom beside what the weights ask for, and what each rep has now.

Belongs here: the tables and charts of this section. Does not belong here: counting (``leadgate.ledger.figures``),
or whose turn it is (``leadgate.turns``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from console.report import charts
from console.report.tables import NO_POOL, Column, Section, Table, Tile
from leadgate.figures import Share, fair
from leadgate.playbook import Playbook

Cell = Mapping[str, Any]


def section(found: Mapping[str, Sequence[Cell]], playbook: Playbook, rep: str | None = None) -> Section:
    """From the rows ``turns``, ``owners``, ``pools`` and ``recent``; weights and caps are those of ``playbook``.

    With ``rep``, theirs alone, and their pools.
    """
    turns = _turns(found, playbook)
    pools = _pools(turns)
    if rep is not None:
        turns = [row for row in turns if row["rep"] == rep]
        pools = [row for row in pools if row["pool"] in {turn["pool"] for turn in turns}]
    reps = _reps(found, playbook)
    apart = largest_of(pools, "epoch_deviation")
    open_now, overdue = (sum(row[name] for row in reps) for name in ("open", "overdue"))
    return Section(
        key="load",
        title="Load and fairness",
        about="Leads assigned in the period, from all sources, beside each weight's share; and what reps have open now."
        " Absences and caps move the period's shares. Since the last change of who is eligible, nobody may be a whole"
        " lead away from theirs.",
        tables=[
            Table(
                key="pools",
                title="Pools",
                columns=[
                    Column("pool", "pool", "text", says=NO_POOL),
                    Column("assigned", "assigned"),
                    Column("turns", "turns"),
                    Column("deviation", "furthest off, leads", "number"),
                    Column("deviation_share", "of turns", "share"),
                    Column("epoch_turns", "turns since change"),
                    Column("epoch_deviation", "furthest off since change", "number"),
                ],
                rows=pools,
            ),
            Table(
                key="turns",
                title="Turns by rep",
                columns=[
                    Column("pool", "pool", "text", says=NO_POOL),
                    Column("rep", "rep", "text"),
                    Column("weight", "weight"),
                    Column("turns", "turns"),
                    Column("expected", "weight's share", "number"),
                    Column("deviation", "off by", "signed"),
                    Column("besides", "without a turn"),
                    Column("epoch_turns", "turns since change", wide=True),
                    Column("epoch_deviation", "off by since change", "signed"),
                ],
                rows=turns,
                chart=_turns_taken(turns),
            ),
            Table(
                key="reps",
                title="Reps now",
                columns=[
                    Column("rep", "rep", "text"),
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
                chart=charts.bullets(
                    "Open leads of each rep now, and the most they may have",
                    [
                        charts.Bullet(
                            row["rep"], row["open"], row["max_open"], f"{row['open']:,}, {row['overdue']:,} late"
                        )
                        for row in reps
                        if row["open"]
                    ],
                    "open now",
                    "at most",
                ),
            ),
        ],
        tiles=[
            Tile("open now", f"{open_now:,}", f"{overdue:,} overdue"),
            Tile(
                "furthest from a fair share",
                "none yet" if apart is None else f"{apart:.2f} leads",
                "less than 1 is fair",
            ),
        ],
    )


def _turns_taken(turns: Sequence[Mapping[str, Any]]) -> str:
    """A picture for each pool."""
    drawn = []
    for pool in dict.fromkeys(row["pool"] for row in turns if row["pool"]):
        own = [row for row in turns if row["pool"] == pool]
        bullets = [
            charts.Bullet(row["rep"], row["turns"], row["expected"], f"{row['turns']:,}, off {row['deviation']:+,.1f}")
            for row in own
        ]
        title = f"Turns each rep took in {pool}, and the share that their weight asks for"
        drawn.append(charts.under(pool, charts.bullets(title, bullets, "turns taken", "the weight's share")))
    return "".join(drawn)


def largest_of(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The largest of a column; None when no row has it."""
    return max((abs(row[name]) for row in rows if row[name] is not None), default=None)


def _turns(found: Mapping[str, Sequence[Cell]], playbook: Playbook) -> list[dict[str, Any]]:
    """A row for each pool and rep: members by the playbook, and whoever else got leads from it."""
    weights = {pool.name: {member.rep: member.weight for member in pool.members} for pool in playbook.pools}
    states = {cell["pool"]: cell["state"] or {} for cell in found["pools"]}
    taken: dict[str | None, dict[str, int]] = defaultdict(dict)
    besides: dict[str | None, dict[str, int]] = defaultdict(dict)
    for cell in found["turns"]:
        taken[cell["pool"]][cell["owner"]] = cell["turns"]
        besides[cell["pool"]][cell["owner"]] = cell["n"] - cell["turns"]
    rows = []
    for pool in [*weights, *sorted(name for name in taken if name and name not in weights), None]:
        dues = fair(taken[pool], weights.get(pool or "", {}))
        state = states.get(pool, {})
        epoch = fair(state.get("turns", {}), state.get("weights", {}))
        for rep, due in dues.items():
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
                }
            )
    return rows


def _pools(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_pool: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
    for row in turns:
        by_pool[row["pool"]].append(row)
    rows = []
    for pool, own in by_pool.items():
        total = sum(row["turns"] for row in own)
        apart = largest_of(own, "deviation")
        rows.append(
            {
                "pool": pool,
                "assigned": total + sum(row["besides"] for row in own),
                "turns": total,
                "deviation": apart,
                "deviation_share": None if apart is None or not total else apart / total,
                "epoch_turns": sum(row["epoch_turns"] or 0 for row in own),
                "epoch_deviation": largest_of(own, "epoch_deviation"),
            }
        )
    return rows


def _reps(found: Mapping[str, Sequence[Cell]], playbook: Playbook) -> list[dict[str, Any]]:
    owners = {cell["owner"]: cell for cell in found["owners"]}
    recent = {cell["rep"]: cell for cell in found["recent"]}
    reps = {rep.name: rep for rep in playbook.reps}
    rows = []
    for name, own in owners.items():
        rep = reps.get(name)
        cap = None if rep is None else rep.max_open
        rows.append(
            {
                "rep": name,
                "assigned": own["assigned"],
                "open": own["open"],
                "max_open": cap,
                "open_share": None if not cap else Share(own["open"], cap).value,
                "overdue": own["overdue"],
                "today": recent[name]["today"] if name in recent else None,
                "max_per_day": None if rep is None else rep.max_per_day,
                "week": recent[name]["week"] if name in recent else None,
                "max_per_week": None if rep is None else rep.max_per_week,
            }
        )
    return sorted(rows, key=lambda row: (-row["open"], row["rep"]))
