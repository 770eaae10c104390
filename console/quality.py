"""The quality of data by source and week: the share of rows that kept each promise, and of empty values of each field.

Belongs here: shares out of counts, and which of them are told as news. Does not belong here: counting
(``ledger.quality_figures``), what is promised (``expectations``), or HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from expectations import PROMISES
from leadgate.figures import Share
from leadgate.ledger import Ledger
from leadgate.ledger.quality_figures import (
    FIELDS,
    WEEKS,
    BrokenCount,
    FilledCount,
    RowCount,
    count_broken,
    count_filled,
    count_rows,
)
from leadgate.vocabulary import GateName, StageName

#: A share of empty values is news when it rose by so much against the weeks before, over so many leads.
_NEWS: Final = 0.2
_FEWEST: Final = 20
#: A promise has news when so many more rows broke it.
_BROKE_MORE: Final = 0.05


@dataclass(frozen=True)
class Counts:
    """What the ledger says, as of ``now``."""

    now: datetime
    rows: Sequence[RowCount]
    broken: Sequence[BrokenCount]
    filled: Sequence[FilledCount]

    @property
    def sources(self) -> list[str]:
        return sorted({row.source for row in self.rows})


@dataclass(frozen=True)
class PromiseHistory:
    """A promise: the share kept in each week, the oldest first. ``open`` work items stand for rows that broke it."""

    gate: GateName
    name: str
    words: str
    severity: str
    weeks: Sequence[Share]
    broken: int  # in the last seven days
    open: int
    reason: str | None

    @property
    def is_news(self) -> bool:
        """Whether clearly more rows broke it in the last seven days than before."""
        return _rose(_invert(self.weeks), _BROKE_MORE)


@dataclass(frozen=True)
class FieldHistory:
    """A field of leads: the share of empty values in each week, the oldest first."""

    name: str
    weeks: Sequence[Share]

    @property
    def is_news(self) -> bool:
        """Whether it went empty: clearly more empty values in the last seven days than before."""
        return _rose(self.weeks, _NEWS)


def read_counts(ledger: Ledger, now: datetime) -> Counts:
    """Of all sources, in one snapshot."""
    with ledger.snapshot() as connection:
        return Counts(now, count_rows(connection, now), count_broken(connection, now), count_filled(connection, now))


def build_promises(counts: Counts, source: str | None) -> list[PromiseHistory]:
    """Every promise of every gate, also those that the playbook added and that some row broke."""
    totals: Counter[tuple[GateName, int]] = Counter()
    broken: Counter[tuple[GateName, str, int]] = Counter()
    still_open: Counter[tuple[GateName, str]] = Counter()
    reasons: dict[tuple[GateName, str], str] = {}
    held: dict[tuple[GateName, str], bool] = {}
    for rows in counts.rows:
        if source in (None, rows.source):
            totals[StageName(rows.stage).gate, rows.week] += rows.rows
    for each in counts.broken:
        gate = StageName(each.stage).gate if each.held else GateName(each.stage)
        if source in (None, each.source):
            broken[gate, each.promise, each.week] += each.rows
            still_open[gate, each.promise] += each.open
            reasons[gate, each.promise] = each.reason
            held[gate, each.promise] = held.get((gate, each.promise), False) or each.held
    known = {(gate, promise.name): promise for gate in GateName for promise in PROMISES[gate]}
    found = []
    for gate, name in dict.fromkeys([*known, *sorted(reasons)]):
        promise = known.get((gate, name))
        severity = "critical" if held.get((gate, name)) else promise.severity.value if promise else "warning"
        found.append(
            PromiseHistory(
                gate,
                name,
                promise.words if promise else name.replace("_", " "),
                severity,
                [_share_kept(totals[gate, week], broken[gate, name, week]) for week in _list_weeks()],
                broken[gate, name, 0],
                still_open[gate, name],
                reasons.get((gate, name)),
            )
        )
    return found


def build_fields(counts: Counts, source: str | None) -> tuple[list[int], list[FieldHistory]]:
    """The leads of each week, the oldest first; and the fields that any of them has."""
    leads: Counter[int] = Counter()
    filled: Counter[tuple[str, int]] = Counter()
    for row in counts.filled:
        if source in (None, row.source):
            leads[row.week] += row.leads
            for name, count in row.filled.items():
                filled[name, row.week] += count
    used = [name for name in FIELDS if any(filled[name, week] for week in _list_weeks())]
    histories = [
        FieldHistory(name, [Share(leads[week] - filled[name, week], leads[week]) for week in _list_weeks()])
        for name in used
    ]
    return [leads[week] for week in _list_weeks()], histories


def _list_weeks() -> list[int]:
    return list(reversed(range(WEEKS)))


def _share_kept(rows: int, broken: int) -> Share:
    """A row that was run again may have broken a promise more often than it was judged in that week."""
    return Share(max(rows - broken, 0), rows)


def _invert(weeks: Sequence[Share]) -> list[Share]:
    return [Share(week.of - week.count, week.of) for week in weeks]


def _rose(weeks: Sequence[Share], by: float) -> bool:
    last, before = weeks[-1], Share(sum(week.count for week in weeks[:-1]), sum(week.of for week in weeks[:-1]))
    if last.value is None or before.value is None or last.of < _FEWEST or before.of < _FEWEST:
        return False
    return last.value - before.value >= by
