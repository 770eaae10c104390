"""A replay as a whole: decided again, compared, and what became of the leads that would have got no owner.

Belongs here: putting these together, and which parts of a playbook a replay does not look at. Does not belong here:
words (``console.replay``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, decision_facts, decision_inputs
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.records.fields import STANDARD as RECORD_KINDS
from leadgate.replay.comparison import OF_LEADS, OF_RECORDS, Comparison, compare
from leadgate.vocabulary import EndReason, JourneyKind
from tasks.replay.paths import Paths, replay
from tasks.replay.record_paths import RecordPaths
from tasks.replay.self_check import SelfCheck

#: Parts of a playbook that decide nothing again: who sends what, who a person is, what providers answered, what is done
#: after a lead has its owner.
NOT_REPLAYED: Final = (
    "sources", "headers", "matching", "enrichment", "reassignments", "breaker", "kinds", "crm", "exceptions",
    "notifications", "events",
)  # fmt: skip

_AT_A_TIME: Final = 20_000  # journeys of which it is asked what became of them

#: The same of records: ``kinds`` has their own rules, and no provider is asked about one but the files of accounts.
NOT_REPLAYED_OF_RECORDS: Final = tuple(name for name in NOT_REPLAYED if name not in ("matching", "kinds"))

#: The ways of journeys of each kind.
PATHS: Final[Mapping[JourneyKind, type[Paths]]] = {
    JourneyKind.LEAD: Paths,
    **dict.fromkeys(RECORD_KINDS, RecordPaths),
}


class Later(StrEnum):
    """What became of a lead of which no outcome was said."""

    REJECTED = "rejected"
    ACCEPTED = "accepted"
    TOUCHED = "touched"
    UNTOUCHED = "untouched"
    UNOWNED = "unowned"


@dataclass(frozen=True)
class ReplayResult:
    """``later``: what became of the leads that have an owner and would have got none, by an outcome or ``Later``.
    ``not_replayed``: the parts of the draft that differ from the playbook in use and that a replay does not look at.
    ``brought``: journeys that time alone would start under the draft, and did not, by a reason."""

    draft: LoadedPlaybook
    since: datetime | None
    until: datetime | None
    simulated: bool
    comparison: Comparison
    check: SelfCheck
    later: Mapping[str, int]
    not_replayed: Collection[str]
    kind: JourneyKind = JourneyKind.LEAD
    brought: Mapping[str, int] = field(default_factory=dict)


def replay_playbook(
    ledger: Ledger,
    draft: LoadedPlaybook,
    *,
    used: Playbook,
    since: datetime | None = None,
    until: datetime | None = None,
    zone: tzinfo = UTC,
    simulated: bool = False,
    kind: JourneyKind = JourneyKind.LEAD,
    advance: Callable[[int], None] | None = None,
) -> ReplayResult:
    """Decide again under ``draft`` all that was decided of journeys of ``kind`` from ``since`` on and before ``until``.

    ``used``: the playbook in use. ``simulated``: turns and loads run on from the start under the draft, in place of
    what the ledger had at each moment. ``advance`` hears of each portion how many decisions it had, and may
    raise, which ends the replay. Nothing is written.
    """
    with ledger.snapshot(plan_by_index=True) as connection:
        done = replay(
            connection, draft, since=since, until=until, simulated=simulated, kind=kind, make_paths=PATHS[kind],
            advance=advance,
        )  # fmt: skip
        comparison = compare(
            done.before,
            done.after,
            zone=zone,
            left_out=done.check.different,
            uncertain=done.uncertain,
            reading=OF_LEADS if kind is JourneyKind.LEAD else OF_RECORDS,
        )
        later = _count_later(connection, comparison.dropped)
    return ReplayResult(
        draft, since, until, simulated, comparison, done.check, later,
        list_not_replayed(used.for_kind(kind), draft.playbook.for_kind(kind)), kind, done.brought,
    )  # fmt: skip


def replay_kinds(
    ledger: Ledger, draft: LoadedPlaybook, kinds: Collection[JourneyKind], *, since: datetime | None, **asked: Any
) -> list[ReplayResult]:
    """As ``replay_playbook``, of each of ``kinds``; the first is there whatever was decided, the others only where
    something was."""
    with ledger.snapshot(much=False) as connection:
        first, *others = kinds
        found = [kind for kind in others if decision_inputs.is_any_since(connection, kind, since)]
    results = [replay_playbook(ledger, draft, since=since, kind=kind, **asked) for kind in (first, *found)]
    return [replace(each, not_replayed=[name for name in each.not_replayed if name != "kinds"]) for each in results]


def list_not_replayed(used: Playbook, draft: Playbook) -> list[str]:
    """The parts that differ, and whose difference a replay does not show. Of records ``tell``: who hears of an update
    beside its owner."""
    names = NOT_REPLAYED if used.kind is JourneyKind.LEAD else NOT_REPLAYED_OF_RECORDS
    one, other = (playbook.model_dump(include=set(names)) for playbook in (used, draft))
    told = [getattr(playbook.kinds.find(playbook.kind), "tell", ()) for playbook in (used, draft)]
    return [name for name in names if one[name] != other[name]] + (["tell"] if told[0] != told[1] else [])


def _count_later(connection: Connection, journeys: Sequence[int]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for start in range(0, len(journeys), _AT_A_TIME):
        later = decision_facts.read_later(connection, journeys[start : start + _AT_A_TIME])
        counted.update(_name_later(row) for row in later.to_dict("records"))
    counted[Later.UNOWNED] = len(journeys) - sum(counted.values())
    return {word: count for word, count in counted.most_common() if count}


def _name_later(row: Mapping[Any, Any]) -> str:
    if row["recorded"] is not None:
        return str(row["recorded"])
    if row["outcome"] is not None:
        return str(row["outcome"]).removeprefix(EndReason.OUTCOME.add(""))
    return next((each for each in (Later.REJECTED, Later.ACCEPTED, Later.TOUCHED) if row[each]), Later.UNTOUCHED)
