"""What a shadow found, as the tables and figures of a replay, and one of its leads both ways.

Belongs here: these tables. Does not belong here: sentences (``console.shadow_words``), or what a shadow finds
(``tasks.shadow``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from console.display_names import DisplayNames
from console.replay.tables import list_moves
from console.replay.words import ENDS, describe_reason
from console.report.tables import Table
from console.rule_sentences import list_sections
from leadgate.counting import format_count
from leadgate.playbook import Playbook
from leadgate.replay.comparison import ChangedJourney, Comparison, End, JourneyEnd, Kind
from tasks.shadow import ShadowFindings


@dataclass(frozen=True)
class ShadowTile:
    """A figure, what it counts, and of how many."""

    value: int
    what: str
    detail: str = ""


@dataclass(frozen=True)
class BothWays:
    """A fact of a lead, as recorded and by the draft."""

    name: str
    recorded: str
    drafted: str
    what: str = ""

    @property
    def differs(self) -> bool:
        return self.recorded != self.drafted


def list_shadow_tiles(found: ShadowFindings) -> list[ShadowTile]:
    """What to look at first."""
    leads = f"of {format_count(found.journeys, 'lead', 'leads')}"
    owned = f"of {format_count(found.owned_both, 'lead', 'leads')} with an owner both ways"
    return [
        ShadowTile(found.journeys, "leads decided", format_count(found.totals.decisions, "decision", "decisions")),
        ShadowTile(found.changed, "leads that differ", leads),
        ShadowTile(found.kinds.get(Kind.DROPPED, 0), "get no owner any more", leads),
        ShadowTile(found.changed_owners, "get another owner", owned),
        ShadowTile(found.kinds.get(Kind.NEWLY_HELD, 0), "are newly held", leads),
    ]


def list_shadow_tables(found: ShadowFindings) -> list[Table]:
    """How leads differ, from where to where they go, and for which reasons they are held; those with rows."""
    return [table for table in list_moves(_build_comparison(found)) if table.rows]


def _build_comparison(found: ShadowFindings) -> Comparison:
    ends: Counter[tuple[End, End]] = Counter()
    owners: Counter[tuple[str, str]] = Counter()
    held: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for way in found.ways:
        one, other = End(way.end), End(way.other_end)
        ends[one, other] += way.journeys
        if way.other_owner:
            owners[str(way.route), str(way.other_route)] += way.journeys
        if other is End.HELD and one is not End.HELD:
            held[0][str(way.other_reason)] += way.journeys
        if one is End.HELD and other is not End.HELD:
            held[1][str(way.reason)] += way.journeys
    return Comparison(
        journeys=found.journeys,
        ends=dict(ends),
        kinds=dict(found.kinds),
        newly_held=dict(held[0].most_common()),
        no_longer_held=dict(held[1].most_common()),
        owned_both=found.owned_both,
        owners_changed=dict(owners.most_common()),
        loads={},
        due_hours={},
        dropped=[],
        uncertain=found.uncertain,
        told=list(found.told),
    )


def list_facts_both_ways(changed: ChangedJourney, names: DisplayNames, zone: ZoneInfo) -> list[BothWays]:
    """Where a lead ends both ways; what neither has is left out."""
    one, other = (_write_end(end, names, zone) for end in (changed.before, changed.after))
    return [BothWays(name, one[name], other[name]) for name in one if one[name] or other[name]]


def _write_end(end: JourneyEnd, names: DisplayNames, zone: ZoneInfo) -> dict[str, str]:
    return {
        "Ends": ENDS[end.end],
        "At the stage": end.stage.replace("_", " "),
        "Reason": "" if end.reason is None else describe_reason(end.reason),
        "Score": "" if end.score is None else str(end.score),
        "Grade": end.grade or "",
        "Qualified as": (end.qualified_as or "").replace("_", " "),
        "Owner": "" if end.owner is None else names.name_rep(end.owner),
        "Route": (end.route or "").replace("_", " "),
        "Pool": "" if end.pool is None else names.name_pool(end.pool),
        "SLA": (end.sla or "").replace("_", " "),
        "First touch due": "" if end.due_at is None else f"{end.due_at.astimezone(zone):%Y-%m-%d %H:%M}",
    }


def list_points_both_ways(changed: ChangedJourney, used: Playbook, draft: Playbook) -> list[BothWays]:
    """The points of each rule both ways, with what the rule says by the draft; those that differ first."""
    points = (changed.before.contributions, changed.after.contributions)
    sentences = {
        rule.name: rule.sentence
        for playbook in (used, draft)
        for section in list_sections(playbook, DisplayNames(playbook))
        for rule in section.rules
    }
    rows = [
        BothWays(rule, _write_points(points[0].get(rule)), _write_points(points[1].get(rule)), sentences.get(rule, ""))
        for rule in {**points[0], **points[1]}
    ]
    return sorted(rows, key=lambda row: not row.differs)


def _write_points(points: int | None) -> str:
    return "" if points is None else f"{points:+d}"
