"""The quality of data by source and week: the share of rows that kept each promise, and of empty values of each field.

Belongs here: shares out of counts, and which of them are told as news. Does not belong here: counting
(``ledger.quality_figures``), what is promised (``expectations``), or HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from expectations import PROMISES
from leadgate.figures import Share
from leadgate.ledger import Ledger
from leadgate.ledger.breakers import BreakerNow
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
from leadgate.playbook import Breaker
from leadgate.vocabulary import GateName, StageName

#: A share of empty values is news when it rose by so much against the weeks before, over so many leads.
_NEWS: Final = 0.2
_FEWEST: Final = 20
#: A breaker is told from this part of the share on that opens it.
_ON_ITS_WAY: Final = 0.5
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
    """A field of leads: the share of empty values in each week, the oldest first, and in the last 24 hours."""

    name: str
    weeks: Sequence[Share]
    last_day: Share

    @property
    def before_last_day(self) -> Share:
        return Share(
            sum(week.count for week in self.weeks) - self.last_day.count,
            sum(week.of for week in self.weeks) - self.last_day.of,
        )

    @property
    def is_news_of_last_day(self) -> bool:
        """Whether it went empty so lately that the week does not show it yet."""
        return _rose((self.before_last_day, self.last_day), _NEWS)

    @property
    def is_news(self) -> bool:
        """Whether it went empty: clearly more empty values in the last day, or in the last seven, than before."""
        return self.is_news_of_last_day or _rose(self.weeks, _NEWS)


@dataclass(frozen=True)
class Finding:
    """Something of one source that somebody should look at: ``item`` is its work item, ``reason`` that of several."""

    source: str
    what: str
    words: str
    is_bad: bool = False
    item: int | None = None
    reason: str | None = None


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
    lately: Counter[str] = Counter()
    leads_lately = 0
    for row in counts.filled:
        if source in (None, row.source):
            leads[row.week] += row.leads
            leads_lately += row.leads if row.is_of_last_day else 0
            for name, count in row.filled.items():
                filled[name, row.week] += count
                lately[name] += count if row.is_of_last_day else 0
    used = [name for name in FIELDS if any(filled[name, week] for week in _list_weeks())]
    histories = [
        FieldHistory(
            name,
            [Share(leads[week] - filled[name, week], leads[week]) for week in _list_weeks()],
            Share(leads_lately - lately[name], leads_lately),
        )
        for name in used
    ]
    return [leads[week] for week in _list_weeks()], histories


def list_findings(counts: Counts, breakers: Sequence[BreakerNow], rules: Breaker, source: str | None) -> list[Finding]:
    """What changed for the worse, each source for itself: another source's leads hide nothing. Open breakers first."""
    found = [each for each in map(partial(_judge_breaker, rules=rules), breakers) if each is not None]
    for name in counts.sources:
        found += [_describe_field(name, each) for each in build_fields(counts, name)[1] if each.is_news]
        found += [_describe_promise(name, each) for each in build_promises(counts, name) if each.is_news]
    return sorted((each for each in found if source in (None, each.source)), key=lambda each: not each.is_bad)


def _judge_breaker(each: BreakerNow, rules: Breaker) -> Finding | None:
    """One that is open, or that has seen half of what opens it."""
    words = f"{each.broken} of the last {each.seen} rows broke the promise {each.promise.replace('_', ' ')}"
    if each.is_open:
        what = "The source is parked" if each.status == "open" else "The source is tried again"
        return Finding(each.source, f"{what}: its breaker is open", words, True, each.work_item_id)
    if each.seen < _FEWEST or each.broken < _ON_ITS_WAY * rules.share * each.seen:
        return None
    return Finding(each.source, "A breaker may open", f"{words}; at {rules.share:.0%} the source is parked")


def _describe_promise(source: str, each: PromiseHistory) -> Finding:
    words = _describe_change(each.weeks[-1], _join(each.weeks[:-1]), "kept", "the last 7 days")
    return Finding(source, each.words, words, reason=each.reason if each.open else None)


def _describe_field(source: str, each: FieldHistory) -> Finding:
    what = f"{each.name.replace('_', ' ').capitalize()} goes empty"
    if each.is_news_of_last_day:
        words = _describe_change(each.last_day, each.before_last_day, "empty", "the last 24 hours")
    else:
        words = _describe_change(each.weeks[-1], _join(each.weeks[:-1]), "empty", "the last 7 days")
    return Finding(source, what, words)


def _describe_change(now: Share, before: Share, state: str, when: str) -> str:
    return f"{state} in {now.value or 0:.0%} of {now.of:,} in {when}, before in {before.value or 0:.0%}"


def _join(weeks: Sequence[Share]) -> Share:
    return Share(sum(week.count for week in weeks), sum(week.of for week in weeks))


def _list_weeks() -> list[int]:
    return list(reversed(range(WEEKS)))


def _share_kept(rows: int, broken: int) -> Share:
    """A row that was run again may have broken a promise more often than it was judged in that week."""
    return Share(max(rows - broken, 0), rows)


def _invert(weeks: Sequence[Share]) -> list[Share]:
    return [Share(week.of - week.count, week.of) for week in weeks]


def _rose(weeks: Sequence[Share], by: float) -> bool:
    last, before = weeks[-1], _join(weeks[:-1])
    if last.value is None or before.value is None or last.of < _FEWEST or before.of < _FEWEST:
        return False
    return last.value - before.value >= by
