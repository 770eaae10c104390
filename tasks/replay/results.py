"""A replay as a whole: decided again, compared, and what became of the leads that would have got no owner.

Belongs here: putting these together, and which parts of a playbook a replay does not look at. Does not belong here:
words (``console.replay``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, decision_facts
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.replay.comparison import Comparison, compare
from leadgate.vocabulary import EndReason
from tasks.replay.paths import replay
from tasks.replay.self_check import SelfCheck

#: Parts of a playbook that decide nothing again: who sends what, who a person is, what providers answered, what is done
#: after a lead has its owner.
NOT_REPLAYED: Final = (
    "sources", "headers", "matching", "enrichment", "reassignments", "breaker", "kinds", "crm", "exceptions",
    "notifications", "events",
)  # fmt: skip

_AT_A_TIME: Final = 20_000  # journeys of which it is asked what became of them


@dataclass(frozen=True)
class ReplayResult:
    """``later``: what became of the leads that have an owner and would have got none. ``not_replayed``: the parts of
    the draft that differ from the playbook in use and that a replay does not look at."""

    draft: LoadedPlaybook
    since: datetime | None
    until: datetime | None
    simulated: bool
    comparison: Comparison
    check: SelfCheck
    later: Mapping[str, int]
    not_replayed: Collection[str]


def replay_playbook(
    ledger: Ledger,
    draft: LoadedPlaybook,
    *,
    used: Playbook,
    since: datetime | None = None,
    until: datetime | None = None,
    zone: tzinfo = UTC,
    simulated: bool = False,
) -> ReplayResult:
    """Decide again under ``draft`` all that was decided of leads from ``since`` on and before ``until``.

    ``used``: the playbook in use. ``simulated``: turns and loads run on from the start under the draft, in place of
    what the ledger had at each moment. Nothing is written.
    """
    with ledger.snapshot(plan_by_index=True) as connection:
        done = replay(connection, draft, since=since, until=until, simulated=simulated)
        comparison = compare(
            done.before, done.after, zone=zone, left_out=done.check.different, uncertain=done.uncertain
        )
        later = _count_later(connection, comparison.dropped)
    return ReplayResult(
        draft, since, until, simulated, comparison, done.check, later, list_not_replayed(used, draft.playbook)
    )


def list_not_replayed(used: Playbook, draft: Playbook) -> list[str]:
    """The parts that differ, and whose difference a replay does not show."""
    one, other = (playbook.model_dump(include=set(NOT_REPLAYED)) for playbook in (used, draft))
    return [name for name in NOT_REPLAYED if one[name] != other[name]]


def _count_later(connection: Connection, journeys: Sequence[int]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for start in range(0, len(journeys), _AT_A_TIME):
        later = decision_facts.read_later(connection, journeys[start : start + _AT_A_TIME])
        counted.update(_name_later(row) for row in later.to_dict("records"))
    counted["still waiting for an owner"] = len(journeys) - sum(counted.values())
    return {word: count for word, count in counted.most_common() if count}


def _name_later(row: Mapping[Any, Any]) -> str:
    if row["recorded"] is not None:
        return str(row["recorded"])
    if row["outcome"] is not None:
        return str(row["outcome"]).removeprefix(EndReason.OUTCOME.add(""))
    for word in ("rejected", "accepted", "touched"):
        if row[word]:
            return word
    return "not touched yet"
