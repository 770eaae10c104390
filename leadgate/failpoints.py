"""Named places at which a test can kill or freeze the process, to show that nothing is lost or done twice.

Belongs here: the switch. The names stand where they are hit: in ``tasks.handoff``, ``tasks.batches``
and around the ledger's statements. Off unless ``LEADGATE_FAILPOINT`` names one, as ``name`` or ``name:3`` for the
third time it is hit. ``LEADGATE_FAILPOINT_SIGNAL`` names another signal than SIGKILL, such as SIGSTOP.
"""

from __future__ import annotations

import os
import signal

_hits: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Send this process a signal (SIGKILL: no cleanup, no exit handlers) if ``name`` is the one asked for."""
    wanted = os.environ.get("LEADGATE_FAILPOINT")
    if wanted is None:
        return
    _hits[name] = _hits.get(name, 0) + 1
    which, _, nth = wanted.partition(":")
    trace = os.environ.get("LEADGATE_FAILPOINT_TRACE")
    if trace:
        with open(trace, "a", encoding="utf-8") as file:
            file.write(f"{name}:{_hits[name]}\n")
    if which == name and _hits[name] == int(nth or 1):
        os.kill(os.getpid(), signal.Signals[os.environ.get("LEADGATE_FAILPOINT_SIGNAL", "SIGKILL")])
