"""How long checking a batch may take.

Belongs here: the time that gates and expressions have for so many rows, and the error when it has passed.
Does not belong here: what is done then (``tasks``), or any other time limit.

Deciding reads no clock, with this one exception: a deadline. It changes no decision, it only ends one that would
not come to an end, and it is measured by ``time.monotonic``, which no change of the host's clock moves.
"""

from __future__ import annotations

from typing import Final

#: Seconds for a check of any batch, and on top for each of its rows. A slow machine needs a tenth of a
#: millisecond a row for a whole gate.
SECONDS: Final = 30.0
SECONDS_A_ROW: Final = 0.005

CHECK_TIMED_OUT: Final = "check_timed_out"


class DeadlinePassed(RuntimeError):  # noqa: N818 - what happened
    """A check was given up because its time had passed. The message names what was being checked."""

    reason = CHECK_TIMED_OUT


def compute_seconds(rows: int) -> float:
    """The seconds that one gate, or one evaluation of rules, has for ``rows`` rows."""
    return SECONDS + SECONDS_A_ROW * rows
