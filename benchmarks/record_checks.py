"""What must have become of a made-up year in the ledger, each a check with what it found.

Belongs here: the checks, by what the year knows to be true. Does not belong here: invariants that hold in every ledger
(``leadgate.ledger.verify``), or telling the year to a ledger (``benchmarks.records_year``).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from benchmarks.made_up_records import CONTRACTS, OPPORTUNITIES, Update
from benchmarks.made_up_year import Year
from benchmarks.record_days import FAULTS, Days
from leadgate.ledger import forecasts
from leadgate.records.forecast import RecordState, compute_figures, compute_movements, sum_parts
from leadgate.records.forecast_periods import find_period

_WHEN: Final = ("Last Modified Date", "Last Modified By")
NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Check:
    """``examples``: what breaks it, in words."""

    words: str
    checked: int
    examples: tuple[str, ...]

    @property
    def broken(self) -> int:
        return len(self.examples)


def print_checks(checks: Sequence[Check]) -> None:
    """A line for each, with the first few that break it."""
    print(f"{'what must hold':<58}{'checked':>9}{'broken':>9}")
    for check in checks:
        print(f"{check.words:<58}{check.checked:>9,}{check.broken:>9,}")
        for example in check.examples[:5]:
            print(f"    {example}")


def check_year(days: Days, year: Year) -> list[Check]:
    return [
        _check("nothing failed of itself", days.rows, list_faults(days)),
        _check("invariants of the ledger hold", 1, (f"{f.name}: {f.broken}" for f in days.find_broken())),
        *_check_versions(days, year),
        _check_renewals(days, year),
        *_check_slips(days, year),
        *_check_forecast(days, year),
    ]


def _check(words: str, checked: int, examples: Iterable[str]) -> Check:
    return Check(words, checked, tuple(examples))


def list_faults(days: Days) -> Iterator[str]:
    found = days.read("SELECT stage, message FROM work_item WHERE reason = ANY(:faults)", faults=list(FAULTS))
    return (f"{item.stage}: {item.message}" for item in found)


def _check_versions(days: Days, year: Year) -> Iterator[Check]:
    """Each record has one version for each update that was told, and its last one is the last that was changed."""
    versions = Counter[tuple[str, str]]()
    disordered = []
    before: tuple[int, int, datetime] | None = None
    rows = days.read(
        "SELECT r.source, r.key, v.record_id, v.number, v.changed_at, v.late FROM record_version v "
        "JOIN record r ON r.id = v.record_id ORDER BY v.record_id, v.late, v.number"
    )
    for row in rows:
        versions[row.source, row.key] += 1
        if not row.late:
            if before is not None and before[0] == row.record_id and before[2] > row.changed_at:
                disordered.append(f"{row.key}: version {row.number} was changed before version {before[1]}")
            before = (row.record_id, row.number, row.changed_at)
    told = {key: [each for each in updates if each.told_at <= days.looked[-1]] for key, updates in year.by_key.items()}
    missing = (
        f"{key[1]}: {versions[key]} versions of {len(updates)}"
        for key, updates in told.items()
        if not len(updates) - _count_repeats(updates) <= versions[key] <= len(updates)
    )
    yield _check("every update told is a version of its record, once", sum(map(len, told.values())), missing)
    yield _check("versions are in the order of being changed", len(rows), disordered)
    current = days.read("SELECT source, key, close_date, is_open FROM record")
    yield _check("a record is as its last change says", len(current), _list_outdated(days, year, current))


def _count_repeats(updates: Sequence[Update]) -> int:
    """How many say nothing but what the one before said: they need be no version."""
    said = [{name: value for name, value in each.row.items() if name not in _WHEN} for each in updates]
    return sum(one == other for one, other in itertools.pairwise(said))


def _list_outdated(days: Days, year: Year, current: Iterable[Any]) -> Iterator[str]:
    for record in current:
        known = year.known(record.source, record.key, days.looked[-1])
        is_now = (record.is_open, record.close_date)
        if known is None:
            yield f"{record.key}: was never told"
        elif known.source == OPPORTUNITIES and is_now != (known.is_open, known.due):
            yield f"{known.key}: {is_now}, and was told {known.is_open, known.due}"


def _check_renewals(days: Days, year: Year) -> Check:
    needed = [renewal for renewal in year.renewals() if renewal.needs_owner(days.looked)]
    owned = days.read(
        "SELECT r.key, min(a.assigned_at) FROM record r JOIN journey j ON j.record_id = r.id "
        "JOIN assignment a ON a.journey_id = j.id WHERE r.source = :source GROUP BY r.key",
        source=CONTRACTS,
    )
    first: dict[str, datetime] = dict(map(tuple, owned))
    late = (
        f"{renewal.key}: owned since {first.get(renewal.key)}, its window opened {renewal.window_opens:%Y-%m-%d}"
        for renewal in needed
        if first.get(renewal.key, NEVER) > renewal.window_opens
    )
    return _check("a renewal told in time has an owner before its window", len(needed), late)


def _check_slips(days: Days, year: Year) -> Iterator[Check]:
    for source in (OPPORTUNITIES, CONTRACTS):
        noticed = {
            (row.key, row.close_date)
            for row in days.read(
                "SELECT r.key, s.close_date FROM record_slip s JOIN record r ON r.id = s.record_id "
                "WHERE r.source = :source",
                source=source,
            )
        }
        # between two looks a close date may pass, and be moved before the second: both answers are true
        must, may = year.slips(source, days.looked), year.possible_slips(source, days.looked[-1])
        yield _check(f"slips of {source} are known", len(must), (f"{key} on {due}" for key, due in must - noticed))
        yield _check(f"no other slips of {source}", len(noticed), (f"{key} on {due}" for key, due in noticed - may))
    told = days.read(
        "SELECT r.key, s.close_date, o.target, count(*) AS count, bool_or(w.id IS NOT NULL) AS asked "
        "FROM record_slip s JOIN record r ON r.id = s.record_id LEFT JOIN outbox o ON o.kind = 'record_slipped' "
        "AND starts_with(o.key, 'slip:' || s.record_id || ':' || s.close_date || ':') "
        "LEFT JOIN work_item w ON w.journey_id = s.journey_id AND w.reason IN ('slipped', 'end_date_passed') "
        "GROUP BY 1, 2, 3"
    )
    # one that has no owner is a question for whoever decides about exceptions
    unlike = (
        f"{row.key} on {row.close_date}: {row.count} to {row.target}"
        for row in told
        if row.count > 1 or (row.target is None and not row.asked)
    )
    yield _check("each slip is told, to each person once", len(told), unlike)


def _check_forecast(days: Days, year: Year) -> Iterator[Check]:
    """At evenings drawn at random, what was known then; and between any two of them, what moved, to the cent."""
    draw = Random(year.days)
    evenings = sorted(draw.sample(days.looked, min(12, len(days.looked))))
    with days.ledger.transaction() as connection:
        known = {evening: forecasts.compute_states(connection, evening) for evening in evenings}
    keys = {row.id: row.key for row in days.read("SELECT id, key FROM record WHERE source = :of", of=OPPORTUNITIES)}
    states = sum(len(each) for each in known.values())
    yield _check("an evening's forecast is what was told by then", states, _list_unlike_told(year, known, keys))
    pairs = list(itertools.combinations(evenings, 2))
    unequal = (
        f"{one:%m-%d} to {other:%m-%d}, {name}: {key}"
        for one, other in pairs
        for name in ("all", "this_quarter", "next_month")
        for key in _list_unequal(known, one, other, name)
    )
    yield _check("movements between two evenings sum exactly", 3 * len(pairs), unequal)


def _list_unlike_told(
    year: Year, known: Mapping[datetime, Mapping[int, RecordState]], keys: Mapping[int, str]
) -> Iterator[str]:
    for evening, states in known.items():
        for number, state in states.items():
            update = year.known(OPPORTUNITIES, keys[number], evening)
            is_known = (state.is_open, state.close_date, state.cents or 0)
            told = update and (update.is_open, update.due, round(float(update.row["Amount"] or 0) * 100))
            if is_known != told:
                yield f"{keys[number]} on {evening:%Y-%m-%d}: {is_known}, and was told {told}"


def _list_unequal(
    known: Mapping[datetime, Mapping[int, RecordState]], one: datetime, other: datetime, name: str
) -> Iterator[str]:
    """The owners and categories whose movements do not come to the difference."""
    period = find_period(name, one.date())
    if period is None:
        raise ValueError(f"{name} is no period")
    start, end = (compute_figures(known[at].values(), period) for at in (one, other))
    movements = compute_movements(known[one], known[other], period, one.date(), other.date())
    moved = sum_parts(part for movement in movements for part in movement.parts)
    for key in start.keys() | end.keys() | moved.keys():
        before, after = (figures[key].cents if key in figures else 0 for figures in (start, end))
        if before + moved.get(key, 0) != after:
            yield f"{key}: {before} and {moved.get(key, 0)} is not {after}"
