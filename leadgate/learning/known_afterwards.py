"""Columns of an export that were probably filled in, or changed, after the outcome was known.

Belongs here: the signs of it, in a column's name, values and dates. Does not belong here: what a column tells of
winning (``separation``), or leaving one out (``tasks.suggesting``).

An export has each lead as it is today. A score that is learned from what came later looks right about leads of then and
knows nothing of the leads of tomorrow. A sign is no proof: a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from leadgate.figures import Share, compute_wilson
from leadgate.learning.separation import Separation
from leadgate.mapping.headers import split_words

#: From this AUC on, a single column is too good to be true.
TOO_GOOD: Final = 0.9
#: A value is all but only of won rows from this share on; together such values hold so much of what was won.
_ALL_WON: Final = 0.95
_MUCH: Final = 0.2
#: Filled for at least this share of the one outcome, and for at most that of the other.
_OFTEN: Final = 0.5
_HARDLY: Final = 0.02
#: How unlikely it is by chance that no row of the other outcome has a value.
_BY_CHANCE: Final = 1e-6
_LATE: Final = 0.01  # the share of dates after the outcome that is more than a few mistakes
_LEAST: Final = 20

#: Words of names that say that somebody or something judged the lead, ended it, or touched it last.
_JUDGED: Final = frozenset(
    {"score", "scores", "grade", "rating", "rank", "index", "quality", "profile", "tag", "tags", "segment", "priority",
     "qualified", "probability", "likelihood", "forecast", "temperature", "disposition", "prediction", "predicted"}
)  # fmt: skip
_STATE: Final = frozenset(
    {"last", "latest", "current", "currently", "modified", "updated", "changed", "status", "stage", "state of",
     "recent", "notable", "next"}
)  # fmt: skip
_ENDED: Final = frozenset(
    {"won", "lost", "closed", "close", "converted", "conversion", "signed", "contract", "invoice", "order", "deal",
     "opportunity", "reason", "outcome", "result", "seller", "customer", "onboarding", "churn"}
)  # fmt: skip
_HANDLED: Final = frozenset({"owner", "agent", "rep", "sdr", "bdr", "assigned", "assignee", "salesperson", "sr", "ae"})
#: After these words, the ones above are about what was asked: "what is your current occupation".
_ASKED: Final = frozenset({"what", "which", "how", "your", "why", "do", "are", "you"})

Sign = Literal["separates", "only_won", "filled", "late", "named"]


@dataclass(frozen=True)
class Suspicion:
    """Why a column was probably known only after the outcome: a sign, and a sentence."""

    sign: Sign
    words: str


def list_suspicions(
    separation: Separation, won: npt.NDArray[np.bool_], filled: npt.NDArray[np.bool_]
) -> list[Suspicion]:
    """The signs in the name and the values of a column; ``won`` and ``filled`` are of each row."""
    found = []
    if (
        separation.auc is not None
        and separation.auc.interval.high >= TOO_GOOD
        and separation.auc.value >= TOO_GOOD - 0.02
    ):
        found.append(Suspicion("separates", f"too good to be true: alone, it has an AUC of {separation.auc.value:.2f}"))
    found += _find_only_won(separation)
    found += _compare_filled(Share(int((won & filled).sum()), int(won.sum())),
                             Share(int((~won & filled).sum()), int((~won).sum())))  # fmt: skip
    return [*found, *judge_name(separation.header)]


def judge_name(header: str) -> list[Suspicion]:
    """The sign in a column's name, if there is one."""
    words = split_words(header)
    if not _ASKED.isdisjoint(words):
        return []
    for among, means in (
        (_JUDGED, "somebody's judgement of the lead, which is made as it is worked"),
        (_STATE, "what is overwritten as the lead is worked: an export has it as of the end"),
        (_ENDED, "what is known when a lead has ended"),
        (_HANDLED, "who worked the lead, which is decided after it came"),
    ):
        if told := [word for word in words if word in among]:
            return [Suspicion("named", f"{told[0]!r} in its name is often {means}")]
    return []


def compare_with_end(days: npt.NDArray[np.float64], ended: npt.NDArray[np.float64]) -> list[Suspicion]:
    """The sign in a column of dates: that some are after the outcome's own (``ended``), a day of which is no matter."""
    known = ~np.isnan(days) & ~np.isnan(ended)
    late = int((days[known] > ended[known] + 1).sum())
    if late < _LEAST or late < _LATE * int(known.sum()):
        return []
    return [Suspicion("late", f"{late:,} of {int(known.sum()):,} dates are after the outcome")]


def _find_only_won(separation: Separation) -> list[Suspicion]:
    """Values that hardly any lost row has, where they hold much of what was won."""
    base = separation.won.value or 0.0
    pure = [
        part.learn
        for part in separation.parts
        if part.learn.of >= _LEAST and compute_wilson(part.learn.count, part.learn.of).low >= _ALL_WON
    ]
    held = sum(share.count for share in pure)
    if base >= _ALL_WON or held < _MUCH * separation.won.count:
        return []
    share = held / separation.won.count
    return [Suspicion("only_won", f"{share:.0%} of what was won has values that hardly any lost row has")]


def _compare_filled(of_won: Share, of_lost: Share) -> list[Suspicion]:
    for often, hardly, words, other in ((of_won, of_lost, "won", "lost"), (of_lost, of_won, "lost", "won")):
        if often.value is None or hardly.value is None:
            continue
        if often.value >= _OFTEN and hardly.value <= _HARDLY:
            told = f"filled for {often.value:.0%} of what was {words}, and {hardly.value:.1%} of what was {other}"
            return [Suspicion("filled", told)]
        share = often.of / (often.of + hardly.of)
        if not hardly.count and often.count >= _LEAST and share**often.count < _BY_CHANCE:
            return [Suspicion("filled", f"all {often.count:,} rows that have a value were {words}")]
    return []
