"""Where journeys end as recorded, and under a draft: counted, and the most telling of those that differ.

Belongs here: what is counted and chosen. Does not belong here: deciding again (``tasks.replay``), or words
(``console.replay``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

import orjson
import pandas as pd

from leadgate.vocabulary import HandoffOutcome, Outcome

#: Leads that are told of one by one.
TOLD: Final = 20
_AT_A_TIME: Final = 20_000  # journeys: each is a few objects while it is looked at


class End(StrEnum):
    """Where a journey is after its last decision."""

    OWNED = "owned"
    WAITING = "waiting"
    HELD = "held"
    REVIEW = "review"
    NURTURE = "nurture"
    DISQUALIFIED = "disqualified"
    DONE = "done"
    JOINED = "joined"
    UNDER_WAY = "under_way"


_ENDS: Final = {
    Outcome.OWNED: End.OWNED,
    Outcome.WAIT: End.WAITING,
    Outcome.HOLD: End.HELD,
    HandoffOutcome.HELD: End.HELD,
    Outcome.REVIEW: End.REVIEW,
    Outcome.NURTURE: End.NURTURE,
    Outcome.DISQUALIFIED: End.DISQUALIFIED,
    Outcome.DONE: End.DONE,
    Outcome.JOINED: End.JOINED,
}
#: The ends in which somebody has the lead, or is to get it.
WITH_OWNER: Final = frozenset({End.OWNED, End.WAITING, End.DONE})


@dataclass(frozen=True, slots=True)
class JourneyEnd:
    """Where a journey ends, and the score and the assignment that led there; None where a stage was not reached."""

    end: End
    stage: str
    reason: str | None = None
    score: int | None = None
    grade: str | None = None
    qualified_as: str | None = None
    contributions: Mapping[str, int] = field(default_factory=dict)
    owner: str | None = None
    route: str | None = None
    pool: str | None = None
    sla: str | None = None
    due_at: datetime | None = None


class Kind(StrEnum):
    """How a journey differs: the first of these that holds."""

    DROPPED = "dropped"  # had an owner, and gets none
    NEWLY_OWNED = "newly_owned"
    NEWLY_HELD = "newly_held"
    NO_LONGER_HELD = "no_longer_held"
    OTHER_END = "other_end"
    OTHER_OWNER = "other_owner"
    OTHER_ROUTE = "other_route"  # and the same owner
    OTHER_DUE = "other_due"
    OTHER_REASON = "other_reason"
    OTHER_SCORE = "other_score"


@dataclass(frozen=True, slots=True)
class ChangedJourney:
    """A journey that differs. ``uncertain``: it was decided without answers that providers were never asked for."""

    journey: int
    kind: Kind
    at: datetime
    before: JourneyEnd
    after: JourneyEnd
    uncertain: bool = False


@dataclass(frozen=True)
class Comparison:
    """What changes for ``journeys`` journeys. Counts are of journeys; pairs are as recorded and under the draft.

    ``owners_changed`` counts by the routes that chose the owners; ``loads`` has the leads of each rep, and
    ``due_hours`` the first touches due in each hour of the day.
    """

    journeys: int
    ends: Mapping[tuple[End, End], int]
    kinds: Mapping[Kind, int]
    newly_held: Mapping[str, int]
    no_longer_held: Mapping[str, int]
    owned_both: int
    owners_changed: Mapping[tuple[str, str], int]
    loads: Mapping[str, tuple[int, int]]
    due_hours: Mapping[int, tuple[int, int]]
    dropped: Sequence[int]
    uncertain: int
    told: Sequence[ChangedJourney]

    @property
    def changed(self) -> int:
        return sum(self.kinds.values())

    @property
    def changed_owners(self) -> int:
        """Of the journeys that have an owner both ways, those that have another one."""
        return sum(self.owners_changed.values())


def compare(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    zone: tzinfo = UTC,
    left_out: Collection[int] = (),
    uncertain: Collection[int] = (),
) -> Comparison:
    """``before`` and ``after`` have a row for each journey, its id as the index, with the columns of ``JourneyEnd``
    and ``outcome`` (an ``Outcome`` or a ``HandoffOutcome``), ``at`` and ``contributions`` (JSON text).

    ``zone``: whose hours of the day count. ``left_out``: journeys that cannot be compared. ``uncertain``: see
    ``ChangedJourney``.
    """
    counted = _Counted(zone)
    journeys = in_doubt = 0
    for journey, at, one, other in list_ends(before, after, left_out):
        counted.add(journey, at, one, other, journey in uncertain)
        journeys, in_doubt = journeys + 1, in_doubt + (journey in uncertain)
    return counted.build(journeys, in_doubt)


def list_ends(
    before: pd.DataFrame, after: pd.DataFrame, left_out: Collection[int] = ()
) -> Iterator[tuple[int, datetime, JourneyEnd, JourneyEnd]]:
    """Each journey that both frames have (see ``compare``), when it was decided, and where it ends both ways."""
    shared = before.index.intersection(after.index).difference(pd.Index(list(left_out), dtype=before.index.dtype))
    for start in range(0, len(shared), _AT_A_TIME):
        some = shared[start : start + _AT_A_TIME]
        one_way, other_way = before.loc[some], after.loc[some]
        yield from zip(some.tolist(), one_way["at"].tolist(), _list_ends(one_way), _list_ends(other_way), strict=True)


@dataclass
class _Counted:
    zone: tzinfo
    ends: Counter[tuple[End, End]] = field(default_factory=Counter)
    kinds: Counter[Kind] = field(default_factory=Counter)
    newly_held: Counter[str] = field(default_factory=Counter)
    no_longer_held: Counter[str] = field(default_factory=Counter)
    owned_both: int = 0
    owners_changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    loads: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    due_hours: tuple[Counter[int], Counter[int]] = field(default_factory=lambda: (Counter(), Counter()))
    dropped: list[int] = field(default_factory=list)
    groups: dict[tuple[object, ...], list[ChangedJourney]] = field(default_factory=lambda: defaultdict(list))

    def add(self, journey: int, at: datetime, one: JourneyEnd, other: JourneyEnd, uncertain: bool) -> None:
        self.ends[one.end, other.end] += 1
        for side, end in enumerate((one, other)):
            if end.end is End.OWNED and end.owner is not None:
                self.loads[side][end.owner] += 1
                if end.due_at is not None:
                    self.due_hours[side][end.due_at.astimezone(self.zone).hour] += 1
        if one.end is End.OWNED and other.end is End.OWNED:
            self.owned_both += 1
            if one.owner != other.owner:
                self.owners_changed[str(one.route), str(other.route)] += 1
        if (kind := find_kind(one, other)) is None:
            return
        self.kinds[kind] += 1
        if kind is Kind.DROPPED:
            self.dropped.append(journey)
        if other.end is End.HELD and one.end is not End.HELD:
            self.newly_held[str(other.reason)] += 1
        if one.end is End.HELD and other.end is not End.HELD:
            self.no_longer_held[str(one.reason)] += 1
        alike = self.groups[kind, one.end, other.end, one.route, other.route, one.reason, other.reason]
        alike.append(ChangedJourney(journey, kind, at, one, other, uncertain))
        if len(alike) > TOLD:
            del alike[0]  # the latest are remembered best

    def build(self, journeys: int, uncertain: int) -> Comparison:
        return Comparison(
            journeys=journeys,
            ends=dict(self.ends),
            kinds={kind: self.kinds[kind] for kind in Kind if self.kinds[kind]},
            newly_held=dict(self.newly_held.most_common()),
            no_longer_held=dict(self.no_longer_held.most_common()),
            owned_both=self.owned_both,
            owners_changed=dict(self.owners_changed.most_common()),
            loads=_pair(*self.loads),
            due_hours=_pair(*self.due_hours),
            dropped=self.dropped,
            uncertain=uncertain,
            told=self._choose_told(),
        )

    def _choose_told(self) -> list[ChangedJourney]:
        """One of each way to differ in turn, the gravest ways first: twenty that differ alike would tell one thing."""
        order = {kind: number for number, kind in enumerate(Kind)}
        ways = sorted(self.groups.values(), key=lambda alike: (order[alike[0].kind], -len(alike), alike[0].journey))
        told: list[ChangedJourney] = []
        while len(told) < TOLD and any(ways):
            for alike in ways:
                if alike and len(told) < TOLD:
                    told.append(alike.pop())
        return sorted(told, key=lambda each: (order[each.kind], each.journey))


def find_kind(one: JourneyEnd, other: JourneyEnd) -> Kind | None:
    """How two ends of a journey differ; None where they do not."""
    owned, gets = one.end in WITH_OWNER, other.end in WITH_OWNER
    if one.end is not other.end:
        if other.end is End.HELD:
            return Kind.NEWLY_HELD if not owned else Kind.DROPPED
        if owned and not gets:
            return Kind.DROPPED
        if gets and not owned:
            return Kind.NEWLY_OWNED
        return Kind.NO_LONGER_HELD if one.end is End.HELD else Kind.OTHER_END
    differences = (
        (Kind.OTHER_OWNER, one.owner != other.owner),
        (Kind.OTHER_ROUTE, (one.route, one.pool) != (other.route, other.pool)),
        (Kind.OTHER_DUE, (one.sla, one.due_at) != (other.sla, other.due_at)),
        (Kind.OTHER_REASON, one.reason != other.reason),
        (Kind.OTHER_SCORE, (one.score, one.grade, one.qualified_as) != (other.score, other.grade, other.qualified_as)),
    )
    return next((kind for kind, differs in differences if differs), None)


def _pair(one: Counter[Any], other: Counter[Any]) -> dict[Any, tuple[int, int]]:
    return {name: (one[name], other[name]) for name in sorted({*one, *other})}


def _list_ends(frame: pd.DataFrame) -> list[JourneyEnd]:
    known: dict[str, Mapping[str, int]] = {}
    names = (
        "outcome", "stage", "reason", "score", "grade", "qualified_as", "contributions", "owner", "route", "pool",
        "sla", "due_at",
    )  # fmt: skip
    cells = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in names]
    ends = []
    for outcome, stage, reason, score, grade, qualified_as, points, owner, route, pool, sla, due_at in zip(
        *cells, strict=True
    ):
        if points is not None and points not in known:
            known[points] = orjson.loads(points)
        ends.append(
            JourneyEnd(
                end=_ENDS.get(outcome, End.UNDER_WAY),
                stage=str(stage),
                reason=reason,
                score=None if score is None else int(score),
                grade=grade,
                qualified_as=qualified_as,
                contributions=known.get(points, {}),
                owner=owner,
                route=route,
                pool=pool,
                sla=sla,
                due_at=None if due_at is None else due_at.to_pydatetime(),
            )
        )
    return ends
