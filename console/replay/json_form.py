"""What a replay found, as JSON.

Belongs here: the names of the keys. Does not belong here: words (``words``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from console.replay.words import describe_later
from leadgate.replay.comparison import ChangedJourney
from leadgate.replay.limits import Measured
from tasks.replay.results import ReplayResult


def build_json(result: ReplayResult, exceeded: Sequence[Measured]) -> dict[str, Any]:
    """Everything that is counted. Hours of due times are those of the zone that was asked for."""
    comparison, check = result.comparison, result.check
    return {
        "about": result.kind,
        "playbook": result.draft.hash,
        "since": result.since,
        "until": result.until,
        "simulated": result.simulated,
        "self_check": {
            "decisions": check.decisions,
            "different": check.different_decisions,
            "differences": [asdict(each) for each in check.differences],
            "facts": check.facts,
            "not_made": [asdict(each) for each in check.not_made],
            "damaged": check.damaged,
            "unreadable": {hash_: {"why": why, "decisions": count} for hash_, (why, count) in check.unreadable.items()},
        },
        "journeys": comparison.journeys,
        "changed": comparison.changed,
        "kinds": dict(comparison.kinds),
        "ends": [{"before": one, "after": other, "journeys": n} for (one, other), n in comparison.ends.items()],
        "newly_held": comparison.newly_held,
        "no_longer_held": comparison.no_longer_held,
        "owned_both": comparison.owned_both,
        "owner_changes": [
            {"route_before": one, "route_after": other, "journeys": n}
            for (one, other), n in comparison.owners_changed.items()
        ],
        "loads": {rep: {"before": one, "after": other} for rep, (one, other) in comparison.loads.items()},
        "due_hours": {hour: {"before": one, "after": other} for hour, (one, other) in comparison.due_hours.items()},
        "dropped_became": {describe_later(word): count for word, count in result.later.items()},
        "brought_by_time": result.brought,
        "uncertain": comparison.uncertain,
        "not_replayed": list(result.not_replayed),
        "told": [build_told(each) for each in comparison.told],
        "limits_exceeded": [
            {"limit": each.name, "most": each.limit.in_words, "journeys": each.count, "of": each.base}
            for each in exceeded
        ],
    }


def build_told(each: ChangedJourney) -> dict[str, Any]:
    """A journey that differs."""
    return {
        "journey": each.journey,
        "how": each.kind,
        "decided_at": each.at,
        "uncertain": each.uncertain,
        "before": asdict(each.before),
        "after": asdict(each.after),
    }
