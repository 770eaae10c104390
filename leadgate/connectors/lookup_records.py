"""What a provider over HTTP keeps between two batches: answers, what they cost, and whether it is to be left alone.

Belongs here: this interface, which the ledger has (``ledger.lookups``). Does not belong here: any storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leadgate.values.json_types import JsonValue


@dataclass(frozen=True)
class KeptAnswer:
    """An answer of before: cleaned ``values`` by field, or None where the service does not know the company."""

    values: Mapping[str, JsonValue] | None
    answered_at: datetime


@dataclass(frozen=True)
class Permit:
    """How many ``units`` may be spent now. ``failures`` of the last requests in a row, and how often the provider was
    left alone since it last answered (``pauses``). ``closed_until``: not to be asked before, and ``why``."""

    units: int
    failures: int = 0
    pauses: int = 0
    closed_until: datetime | None = None
    why: str | None = None


@dataclass(frozen=True)
class Closing:
    """The provider is to be left alone ``until`` a moment; ``why`` has no value and no key in it."""

    until: datetime
    why: str
    is_pause: bool = True  # it failed, so the next pause is longer; False: the day's budget is spent


class LookupRecords(Protocol):
    """Requests are known by keyed hashes. Each call is a short transaction of its own."""

    def read_answers(self, provider: str, requests: Sequence[int], now: datetime) -> dict[int, KeptAnswer]: ...

    def keep_answers(
        self, provider: str, answers: Mapping[int, Mapping[str, JsonValue] | None], now: datetime, until: datetime
    ) -> None: ...

    def reserve(self, provider: str, units: int, daily_budget: int | None, now: datetime) -> Permit:
        """Units are counted as spent before they are, so that two processes together never spend more."""
        ...

    def settle(
        self, provider: str, *, unspent: int, failures: int, answered: bool, closing: Closing | None, now: datetime
    ) -> None: ...
