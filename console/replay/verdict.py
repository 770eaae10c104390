"""Whether a replay keeps within its limits: pass or fail, and each limit.

Belongs here: this answer, in words. Does not belong here: what is counted (``leadgate.replay.limits``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.replay.tables import Shown
from leadgate.counting import format_count
from leadgate.replay.limits import MEASURES, Limit, Measured, measure


@dataclass(frozen=True)
class LimitRow:
    """A limit for journeys of a kind, in words."""

    what: str
    most: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """``passes`` is None where nothing was decided that limits could be about."""

    passes: bool | None
    about: str
    rows: Sequence[LimitRow]

    @property
    def title(self) -> str:
        return {True: "Pass", False: "Fail", None: "No verdict"}[self.passes]

    @property
    def style(self) -> str:
        return {True: "good", False: "bad", None: "warn"}[self.passes]


def build_verdict(shown: Sequence[Shown], limits: Mapping[str, Limit]) -> Verdict | None:
    """None where there are no limits, or nothing was replayed."""
    if not shown or not limits:
        return None
    decided = [each for each in shown if each.result.comparison.journeys]
    if not decided:
        return Verdict(None, "Nothing was decided in these days that can be compared.", ())
    rows = [_build_row(each, found) for each in decided for found in measure(each.result.comparison, limits)]
    beyond = sum(not row.holds for row in rows)
    count = format_count(len(rows), "limit", "limits")
    about = f"{beyond:,} of {count} gone beyond." if beyond else f"Within {count}."
    if left_out := sum(len(each.result.check.different) for each in shown):
        out = format_count(left_out, "journey is", "journeys are")
        about += f" {out} left out, which the self-check found different."
    return Verdict(not beyond, about, rows)


def _build_row(shown: Shown, found: Measured) -> LimitRow:
    measured = MEASURES[found.name]
    share = f" ({found.count / found.base:.1%} {measured.of})" if found.base else ""
    return LimitRow(
        f"{shown.nouns.many.capitalize()} that {measured.what}",
        found.limit.in_words,
        f"{found.count:,}{share}",
        not found.is_exceeded,
    )
