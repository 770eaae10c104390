"""Qualification to assignment of a record: every score adds up, and every decision has a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from expectations import qualified
from expectations.promises import Promise
from leadgate.vocabulary import Outcome

_OUTCOMES: Final = [
    outcome.value
    for outcome in (
        Outcome.CONTINUE, Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED, Outcome.DONE, Outcome.SUPERSEDED
    )
]  # fmt: skip


def _adapt(promise: Promise) -> Promise:
    """A promise of leads as it is for records."""
    words, broken = promise.words.replace("lead", "record"), promise.broken.replace("lead", "record")
    adapted = replace(promise, words=words, broken=broken)
    if promise.name == "outcome_known":
        return replace(
            adapted,
            arguments={"column": "outcome", "value_set": _OUTCOMES},
            words="The update goes on, waits for review, comes back later, is disqualified, closes its record, or has "
            "a later one",
        )
    return adapted


PROMISES: Final[tuple[Promise, ...]] = tuple(_adapt(each) for each in qualified.PROMISES)
