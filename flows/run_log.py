"""The log of a flow run in the Prefect UI: a line for each stage, and one for the batch.

Belongs here: sending lines of ours there, and nothing else. Prefect's own log stays silent (``server.use_defaults``):
it would tell errors as tracebacks, in which values of leads may stand. Lines hold counts and reasons alone.

A line costs the run a fraction of a millisecond: a thread of Prefect's sends what has gathered every two seconds, in
one request, so owners are committed before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from prefect import runtime
from prefect.logging.handlers import APILogHandler

_LOG: Final = logging.getLogger("leadgate.flow_runs")
_LOG.setLevel(logging.INFO)
_LOG.propagate = False  # lines are for the UI; what a terminal shows is the console's
_LOG.addHandler(APILogHandler())
_PATIENCE: Final = 5.0  # seconds


def tell(line: str) -> None:
    """Add ``line`` to the log of the flow run that runs now; of none, nothing."""
    if (run := runtime.flow_run.id) is not None:
        _LOG.info("%s", line, extra={"flow_run_id": run})


async def send_rest() -> None:
    """Send what has gathered: before the Prefect server of this process ends."""
    with contextlib.suppress(Exception):  # a line of a log is worth no failure
        async with asyncio.timeout(_PATIENCE):
            await APILogHandler.aflush()
