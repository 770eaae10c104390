"""What each handoff promises: one suite a file.

``PROMISES`` is the table of all of them, importable without Great Expectations; ``gate.run`` checks a
frame against a suite and is the only place that imports it.
"""

from __future__ import annotations

from typing import Final

from expectations import assigned, captured, enriched, followed_up, qualified, records, validated
from expectations.promises import Promise
from leadgate.vocabulary import GateName, JourneyKind

__all__ = ["PROMISES", "PROMISES_OF", "Promise", "list_promise_names"]

PROMISES: Final[dict[GateName, tuple[Promise, ...]]] = {
    GateName.CAPTURED: captured.PROMISES,
    GateName.VALIDATED: validated.PROMISES,
    GateName.ENRICHED: enriched.PROMISES,
    GateName.QUALIFIED: qualified.PROMISES,
    GateName.ASSIGNED: assigned.PROMISES,
    GateName.FOLLOWED_UP: followed_up.PROMISES,
}


#: The suites of each kind of journey. Each kind of record may get one of its own for a gate; so far they share them.
PROMISES_OF: Final[dict[JourneyKind, dict[GateName, tuple[Promise, ...]]]] = {
    JourneyKind.LEAD: PROMISES,
    **dict.fromkeys((kind for kind in JourneyKind if kind is not JourneyKind.LEAD), records.PROMISES),
}


def list_promise_names() -> dict[JourneyKind, dict[GateName, set[str]]]:
    """The names of every gate's built-in promises, for each kind of journey."""
    return {
        kind: {gate: {promise.name for promise in suite} for gate, suite in suites.items()}
        for kind, suites in PROMISES_OF.items()
    }
