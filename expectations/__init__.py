"""What each handoff promises: one suite a file.

``PROMISES`` is the table of all of them, importable without Great Expectations; ``gate.run`` checks a
frame against a suite and is the only place that imports it.
"""

from __future__ import annotations

from typing import Final

from expectations import assigned, captured, enriched, followed_up, qualified, validated
from expectations.promises import Promise
from leadgate.playbook import Gate

__all__ = ["PROMISES", "Promise"]

PROMISES: Final[dict[Gate, tuple[Promise, ...]]] = {
    "captured": captured.PROMISES,
    "validated": validated.PROMISES,
    "enriched": enriched.PROMISES,
    "qualified": qualified.PROMISES,
    "assigned": assigned.PROMISES,
    "followed_up": followed_up.PROMISES,
}
