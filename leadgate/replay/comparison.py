"""Where journeys end as recorded, and under a draft: counted, and the most telling of those that differ.

Belongs here: what is counted and chosen. Does not belong here: deciding again (``tasks.replay``), or words
(``console.replay``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate.replay.journey_ends import JourneyEnds
from leadgate.replay.journey_table import NONE
from leadgate.vocabulary import HandoffOutcome, NothingNew, Outcome

_T = TypeVar("_T")

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
    Outcome.SUPERSEDED: End.DONE,
}
#: The ends in which somebody has the lead, or is to get it.
WITH_OWNER: Final = frozenset({End.OWNED, End.WAITING, End.DONE})


@dataclass(frozen=True)
class Reading:
    """What ends mean: those ``with_owner``, and those ``held``. ``keeps_owner``: who had it has it still while it is
    held, so that no owner is lost by it."""

    with_owner: frozenset[End]
    held: frozenset[End]
    keeps_owner: bool = False


OF_LEADS: Final = Reading(WITH_OWNER, frozenset({End.HELD}))
#: An update of a record that ends needs no owner, and one that is held leaves the record with whoever has it.
OF_RECORDS: Final = Reading(frozenset({End.OWNED, End.WAITING}), frozenset({End.HELD, End.REVIEW}), keeps_owner=True)


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
    LATER = "later"  # its time comes later
    OTHER_END = "other_end"
    OTHER_OWNER = "other_owner"
    OTHER_ROUTE = "other_route"  # and the same owner
    OTHER_DUE = "other_due"
    OTHER_REASON = "other_reason"
    OTHER_SCORE = "other_score"


#: Kinds by their number: the gravest first.
_KINDS: Final = list(Kind)
#: What ``find_kind`` compares of two journeys that end alike.
_COMPARED: Final = ("owner", "route", "pool", "sla", "due_at", "reason", "score", "grade", "qualified_as")
_OWNED: Final = list(End).index(End.OWNED)


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
    reading: Reading = OF_LEADS

    @property
    def changed(self) -> int:
        return sum(self.kinds.values())

    @property
    def changed_owners(self) -> int:
        """Of the journeys that have an owner both ways, those that have another one."""
        return sum(self.owners_changed.values())


def compare(
    before: JourneyEnds,
    after: JourneyEnds,
    *,
    zone: tzinfo = UTC,
    left_out: Collection[int] = (),
    uncertain: Collection[int] = (),
    reading: Reading = OF_LEADS,
) -> Comparison:
    """What differs of the journeys that both have. ``zone``: whose hours of the day count. ``left_out``: journeys that
    cannot be compared. ``uncertain``: see ``ChangedJourney``."""
    shared = _find_shared(before, after, left_out)
    one, other = before.select(shared), after.select(shared)
    rows = _build_rows(one, other, reading)
    ends, reasons, routes = list(End), before.codes["reason"], before.codes["route"]
    in_hand = [ends.index(end) for end in reading.held]

    def count_reasons(name: str, held: pd.Series, not_held: pd.Series) -> dict[str, int]:
        found = rows.loc[held.isin(in_hand) & ~not_held.isin(in_hand), [name]]
        return _add_up((str(reasons.read(reason)), count) for (reason,), count in _count(found))

    owned_both = rows[(rows["end"] == _OWNED) & (rows["other_end"] == _OWNED)]
    changed_owners = owned_both[owned_both["owner"] != owned_both["other_owner"]]
    kinds = {_KINDS[kind]: count for (kind,), count in _count(rows.loc[rows["kind"] != NONE, ["kind"]])}
    return Comparison(
        journeys=len(rows),
        ends={(ends[a], ends[b]): count for (a, b), count in _count(rows[["end", "other_end"]])},
        kinds={kind: kinds[kind] for kind in _KINDS if kind in kinds},
        newly_held=count_reasons("other_reason", rows["other_end"], rows["end"]),
        no_longer_held=count_reasons("reason", rows["end"], rows["other_end"]),
        owned_both=len(owned_both),
        owners_changed=_add_up(
            ((str(routes.read(a)), str(routes.read(b))), count)
            for (a, b), count in _count(changed_owners[["route", "other_route"]])
        ),
        loads=_pair(_count_loads(one), _count_loads(other)),
        due_hours=_pair(_count_due_hours(one, zone), _count_due_hours(other, zone)),
        dropped=shared[rows["kind"] == _KINDS.index(Kind.DROPPED)].tolist(),
        uncertain=int(np.isin(shared, _list_ids(uncertain)).sum()),
        told=_choose_told(rows, one, other, uncertain),
        reading=reading,
    )


def list_ends(
    before: JourneyEnds, after: JourneyEnds, left_out: Collection[int] = ()
) -> Iterator[tuple[int, datetime, JourneyEnd, JourneyEnd]]:
    """Each journey that both have, when it was decided, and where it ends both ways."""
    shared = _find_shared(before, after, left_out)
    for start in range(0, len(shared), _AT_A_TIME):
        one, other = (each.select(shared[start : start + _AT_A_TIME]) for each in (before, after))
        yield from zip(one.ids, one.read("at"), _read_ends(one), _read_ends(other), strict=True)


def _find_shared(before: JourneyEnds, after: JourneyEnds, left_out: Collection[int]) -> npt.NDArray[np.int64]:
    shared = np.intersect1d(before.table.ids, after.table.ids, assume_unique=True)
    return np.setdiff1d(shared, _list_ids(left_out), assume_unique=True)


def _list_ids(journeys: Collection[int]) -> npt.NDArray[np.int64]:
    return np.fromiter(journeys, dtype=np.int64, count=len(journeys))


def _build_rows(one: JourneyEnds, other: JourneyEnds, reading: Reading) -> pd.DataFrame:
    """A row for each journey: codes of where it ends both ways, and its ``kind``, ``NONE`` where it stays as it is."""
    names = ("owner", "route", "reason")
    return pd.DataFrame(
        {
            "end": _code_ends(one),
            "other_end": _code_ends(other),
            **{name: one.table.columns[name] for name in names},
            **{f"other_{name}": other.table.columns[name] for name in names},
            "kind": _find_kinds(one, other, reading),
        }
    )


def _code_ends(ways: JourneyEnds) -> npt.NDArray[np.int8]:
    """The number of each end among ``End``."""
    ends = list(End)
    known = [ends.index(_ENDS.get(outcome, End.UNDER_WAY)) for outcome in ways.codes["outcome"].values]
    return np.array([*known, ends.index(End.UNDER_WAY)], dtype=np.int8)[ways.table.columns["outcome"]]


def _find_kinds(one: JourneyEnds, other: JourneyEnds, reading: Reading) -> npt.NDArray[np.int8]:
    """Of each journey the number of its kind among ``Kind``. Journeys that differ in the same columns differ in the
    same way, so that ``find_kind`` is asked of one of them."""
    differ = {name: one.table.columns[name] != other.table.columns[name] for name in _COMPARED}
    reason = other.table.columns["reason"]
    alike = pd.DataFrame({"end": _code_ends(one), "other_end": _code_ends(other), "other_reason": reason, **differ})
    groups = alike.groupby(list(alike.columns), sort=False).ngroup().to_numpy()
    _, first = np.unique(groups, return_index=True)
    examples = zip(_read_ends(one.take(first)), _read_ends(other.take(first)), strict=True)
    kinds = [NONE if (kind := find_kind(*each, reading)) is None else _KINDS.index(kind) for each in examples]
    return np.array(kinds, dtype=np.int8)[groups]


def _count(rows: pd.DataFrame) -> Iterator[tuple[tuple[int, ...], int]]:
    """How often each combination of codes is there, in the order in which they come first."""
    for codes, count in rows.groupby(list(rows.columns), sort=False).size().items():
        yield codes if isinstance(codes, tuple) else (codes,), int(count)


def _add_up(counts: Iterable[tuple[_T, int]]) -> dict[_T, int]:
    """The most frequent first."""
    added: Counter[_T] = Counter()
    for value, count in counts:
        added[value] += count
    return dict(added.most_common())


def _count_loads(ways: JourneyEnds) -> Counter[str]:
    owners = ways.table.columns["owner"][_code_ends(ways) == _OWNED]
    counted = _count(pd.DataFrame({"owner": owners[owners != NONE]}))
    return Counter({str(ways.codes["owner"].read(owner)): count for (owner,), count in counted})


def _count_due_hours(ways: JourneyEnds, zone: tzinfo) -> Counter[int]:
    has_owner = (_code_ends(ways) == _OWNED) & (ways.table.columns["owner"] != NONE)
    due = ways.read_moments("due_at")[has_owner].dropna().tz_convert(zone)
    return Counter({hour: count for (hour,), count in _count(pd.DataFrame({"hour": due.hour}))})


def _choose_told(
    rows: pd.DataFrame, one: JourneyEnds, other: JourneyEnds, uncertain: Collection[int]
) -> list[ChangedJourney]:
    """One of each way to differ in turn, the gravest ways first: twenty that differ alike would tell one thing."""
    way = ["kind", "end", "other_end", "route", "other_route", "reason", "other_reason"]
    changed = rows.loc[rows["kind"] != NONE, way]
    latest = changed.groupby(way, sort=False).tail(TOLD)  # the latest are remembered best
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, *key in latest.itertuples(name=None):
        groups[tuple(key)].append(place)
    ways = sorted(groups.items(), key=lambda each: (each[0][0], -len(each[1]), each[1][0]))
    told: list[int] = []
    for turn in range(1, TOLD + 1):
        told += [places[-turn] for _, places in ways if len(places) >= turn][: TOLD - len(told)]
    kinds = dict(zip(told, rows["kind"].iloc[told].tolist(), strict=True))
    places = np.array(sorted(told, key=lambda place: (kinds[place], place)), dtype=np.intp)
    before, after = one.take(places), other.take(places)
    ends = zip(before.ids, before.read("at"), _read_ends(before), _read_ends(after), strict=True)
    return [
        ChangedJourney(journey, _KINDS[kinds[place]], at, was, gets, journey in uncertain)
        for place, (journey, at, was, gets) in zip(places.tolist(), ends, strict=True)
    ]


def find_kind(one: JourneyEnd, other: JourneyEnd, reading: Reading = OF_LEADS) -> Kind | None:
    """How two ends of a journey differ; None where they do not."""
    owned, gets = one.end in reading.with_owner, other.end in reading.with_owner
    was_held, is_held = one.end in reading.held, other.end in reading.held
    if one.end is not other.end:
        if reading.keeps_owner and was_held is not is_held:
            return Kind.NEWLY_HELD if is_held else Kind.NO_LONGER_HELD
        if is_held:
            return Kind.NEWLY_HELD if not owned else Kind.DROPPED
        if owned and not gets:
            if reading.keeps_owner and other.reason == NothingNew.NOT_YET:
                return Kind.LATER
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


def _read_ends(ways: JourneyEnds) -> list[JourneyEnd]:
    known: dict[str, Mapping[str, int]] = {}
    names = (
        "outcome", "stage", "reason", "score", "grade", "qualified_as", "contributions", "owner", "route", "pool",
        "sla", "due_at",
    )  # fmt: skip
    ends = []
    for outcome, stage, reason, score, grade, qualified_as, points, owner, route, pool, sla, due_at in zip(
        *(ways.read(name) for name in names), strict=True
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
                due_at=due_at,
            )
        )
    return ends
