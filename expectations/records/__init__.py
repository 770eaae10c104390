"""What each handoff of a record promises: a suite a file, beside the suites of leads that hold for records, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from expectations import assigned, followed_up
from expectations.promises import Promise
from expectations.records import captured, enriched, qualified, validated
from leadgate.vocabulary import GateName


def say_record(promises: tuple[Promise, ...]) -> tuple[Promise, ...]:
    """The promises of leads, in words about records."""
    return tuple(
        replace(each, words=each.words.replace("lead", "record"), broken=each.broken.replace("lead", "record"))
        for each in promises
    )


PROMISES: Final[dict[GateName, tuple[Promise, ...]]] = {
    GateName.CAPTURED: captured.PROMISES,
    GateName.VALIDATED: validated.PROMISES,
    GateName.ENRICHED: enriched.PROMISES,
    GateName.QUALIFIED: qualified.PROMISES,
    GateName.ASSIGNED: say_record(assigned.PROMISES),
    GateName.FOLLOWED_UP: say_record(followed_up.PROMISES),
}
