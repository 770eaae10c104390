"""A made-up year of customers: opportunities, contracts and signs of expansion, as exports tell them day by day.

The same for the same seed. An account lives the same year whether it is one of 40 or of 2,000: each record draws from
a generator of its own. With the rows comes what should become of them: which slips must be told, and by when a renewal
must have an owner.

Belongs here: the rows of each day and that truth, without Leadgate. Does not belong here: what happens to one record
(``benchmarks.made_up_records``), or what Leadgate makes of them (``benchmarks.records_year``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Final

from benchmarks.made_up_records import (
    CONTRACTS,
    FIRST_DAY,
    REPS,
    Account,
    Opportunity,
    Rep,
    Row,
    Update,
    live_contracts,
    live_signals,
    make_account,
    midnight,
)

#: How long before its end the work on a contract's renewal begins.
WINDOW: Final = timedelta(days=90)


@dataclass(frozen=True)
class Renewal:
    """A contract whose renewal was open when an export first named it, at ``told_at``.

    ``decided_at``: when an export first said that it is renewed or not, if one did.
    """

    key: str
    end: date
    told_at: datetime
    decided_at: datetime | None

    @property
    def window_opens(self) -> datetime:
        return datetime.combine(self.end - WINDOW, time(), UTC)

    def needs_owner(self, looks: Sequence[datetime]) -> bool:
        """Whether its window opened by the last of these looks, after one that knew of it, and not decided by then."""
        opens = self.window_opens
        undecided = self.decided_at is None or self.decided_at > opens
        return undecided and opens <= looks[-1] and any(self.told_at <= look < opens for look in looks)


@dataclass(frozen=True)
class Year:
    """The accounts, and every update in the order in which exports tell them."""

    accounts: tuple[Account, ...]
    updates: tuple[Update, ...]
    days: int = 365
    reps: tuple[Rep, ...] = field(default=REPS)

    def told(self, source: str, after: datetime, until: datetime) -> list[Row]:
        """The rows that the exports of ``source`` bring after one moment, up to another."""
        return [u.row for u in self.updates if u.source == source and after < u.told_at <= until]

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], tuple[Update, ...]]:
        """Each record's updates, without replays, in the order of being changed; of the same second, as told."""
        grouped: dict[tuple[str, str], list[Update]] = {}
        for update in self.updates:
            if not update.is_replay:
                grouped.setdefault((update.source, update.key), []).append(update)
        return {key: tuple(sorted(all_, key=lambda u: u.changed_at)) for key, all_ in grouped.items()}

    def known(self, source: str, key: str, at: datetime) -> Update | None:
        """The last state of a record that was told by then."""
        told = [update for update in self.by_key.get((source, key), ()) if update.told_at <= at]
        return told[-1] if told else None

    def slips(self, source: str, moments: Iterable[datetime]) -> set[tuple[str, date]]:
        """Each record and due day which, at one of the moments, had passed while the record was known to be open."""
        looks = sorted(moments)
        return {
            (key, due) for (of, key), updates in self.by_key.items() if of == source for due in _passed(updates, looks)
        }

    def possible_slips(self, source: str, until: datetime) -> set[tuple[str, date]]:
        """Each record and due day which passed at any time until then, whenever somebody looked."""
        return {
            (key, due)
            for (of, key), updates in self.by_key.items()
            if of == source
            for due in _passed(updates, _changes_of(updates, until))
        }

    def renewals(self) -> Iterator[Renewal]:
        """Every contract whose renewal is open when it is first told."""
        for (source, key), updates in self.by_key.items():
            first = min(updates, key=lambda update: update.told_at)
            if source == CONTRACTS and first.is_open and first.due is not None:
                decided = min((update.told_at for update in updates if not update.is_open), default=None)
                yield Renewal(key, first.due, first.told_at, decided)


def _passed(updates: tuple[Update, ...], moments: list[datetime]) -> Iterator[date]:
    for moment in moments:
        told = [update for update in updates if update.told_at <= moment]
        if told and told[-1].is_open and told[-1].due is not None and told[-1].due < moment.date():
            yield told[-1].due


def _changes_of(updates: tuple[Update, ...], until: datetime) -> list[datetime]:
    """The moment before each new word of a record, and the last of all: what passed by then had passed."""
    told = [update.told_at for update in updates if update.told_at <= until]
    return sorted({*told, *(at - timedelta(microseconds=1) for at in told), until})


def make_year(accounts: int = 2_000, *, seed: int = 21, days: int = 365) -> Year:
    """A year, or the first ``days`` of it."""
    people = tuple(make_account(number, Random(f"{seed}:account:{number}")) for number in range(accounts))
    end = midnight(FIRST_DAY + timedelta(days=days))
    updates = [update for account in people for update in _updates_of(account, seed) if update.told_at < end]
    return Year(people, tuple(sorted(updates, key=lambda u: u.told_at)), days)


def _updates_of(account: Account, seed: int) -> Iterator[Update]:
    draw = Random(f"{seed}:records:{account.number}")
    for number in range(draw.choices((0, 1, 2, 3), (25, 40, 25, 10))[0]):
        life = Opportunity(account, f"OPP-{account.number:05d}-{number}", Random(f"{seed}:{account.number}:o{number}"))
        yield from _export(life.live(), Random(f"{seed}:{account.number}:told{number}"))
    contract = Random(f"{seed}:{account.number}:contract")
    yield from _export(live_contracts(account, contract), Random(f"{seed}:{account.number}:told"))
    yield from live_signals(account, Random(f"{seed}:{account.number}:signals"))


def _export(updates: Iterable[Update], draw: Random) -> Iterator[Update]:
    """When the rows are told: most at once, some days late, some a second time."""
    for update in updates:
        told = update
        if draw.random() < 0.03:
            told = replace(update, told_at=update.told_at + timedelta(days=draw.randint(1, 10)))
        yield told
        if draw.random() < 0.02:
            yield replace(told, told_at=told.told_at + timedelta(days=draw.randint(1, 3)), is_replay=True)
