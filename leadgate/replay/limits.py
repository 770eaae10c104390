"""Limits on what a draft may change: a CI server refuses a change of the playbook that goes beyond them.

Belongs here: reading a limit, and comparing. Does not belong here: what changes (``comparison``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from leadgate.replay.comparison import Comparison, Kind


@dataclass(frozen=True)
class Limit:
    """At most ``most`` of a measure: a count, or a share of its base (from 0 to 1)."""

    most: float
    is_share: bool

    @property
    def in_words(self) -> str:
        return f"{self.most * 100:g} %" if self.is_share else f"{self.most:g}"


@dataclass(frozen=True)
class Measure:
    """What a limit is on: how many of how many journeys."""

    count: Callable[[Comparison], int]
    base: Callable[[Comparison], int]
    what: str
    of: str


def _count_recorded_owners(comparison: Comparison) -> int:
    return sum(count for (one, _), count in comparison.ends.items() if one in comparison.reading.with_owner)


def _count_newly_held(comparison: Comparison) -> int:
    return sum(comparison.newly_held.values())


#: By the name of the option.
MEASURES: Final[Mapping[str, Measure]] = {
    "max-owner-changes": Measure(
        lambda each: each.changed_owners, lambda each: each.owned_both,
        "get another owner", "of those that have one both ways",
    ),
    "max-dropped": Measure(
        lambda each: each.kinds.get(Kind.DROPPED, 0), _count_recorded_owners,
        "get no owner any more", "of those that had one",
    ),
    "max-newly-held": Measure(_count_newly_held, lambda each: each.journeys, "are newly held", "of all"),
    "max-changes": Measure(lambda each: each.changed, lambda each: each.journeys, "differ at all", "of all"),
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """A limit, and how many of how many journeys there are."""

    name: str
    limit: Limit
    count: int
    base: int

    @property
    def is_exceeded(self) -> bool:
        return self.count > (self.limit.most * self.base if self.limit.is_share else self.limit.most)


def read_limit(text: str) -> Limit:
    """``5%``, ``0.5 %`` or ``12``. Raises ``ValueError`` with what is wrong."""
    given = text.strip()
    is_share = given.endswith("%")
    try:
        number = float(given.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf") or (is_share and number > 100) or (not is_share and number != int(number)):
        raise ValueError(f"{text[:40]!r} is no limit; give a share such as 5%, or a number of leads such as 12")
    return Limit(number / 100 if is_share else number, is_share)


def measure(comparison: Comparison, limits: Mapping[str, Limit]) -> list[Measured]:
    """What there is of each of ``limits`` (by a name of ``MEASURES``)."""
    return [
        Measured(name, limit, MEASURES[name].count(comparison), MEASURES[name].base(comparison))
        for name, limit in limits.items()
    ]


def find_exceeded(comparison: Comparison, limits: Mapping[str, Limit]) -> list[Measured]:
    """The limits of ``limits`` that are gone beyond."""
    return [each for each in measure(comparison, limits) if each.is_exceeded]
