"""A Prefect flow of twelve tasks that do nothing, as often as asked: what Prefect alone takes on this machine.

A batch of leads goes through six stages and six gates, so twelve is what its flow run has to be compared with. The flow
runs in this process, asynchronously and with one client for all runs, which is as fast as Prefect does it. ``seconds``
starts it in a process of its own, because Prefect reads where its server is when it is imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time

from flows.runtime.server import PrefectAddress

TASKS = 12
PAUSE = 0.5  # seconds between two runs: the server has done with one before the next begins


def seconds(address: PrefectAddress, runs: int) -> list[float]:
    """How long each of ``runs`` runs took on the Prefect server at ``address``; one more is run before, to warm up."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.plain_flow", str(runs)],
        env=others | address.environment | {"PREFECT_LOGGING_LEVEL": "CRITICAL"},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        sys.exit(finished.stderr)
    taken: list[float] = json.loads(finished.stdout.splitlines()[-1])
    return taken


async def _measure(runs: int) -> list[float]:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.context import AsyncClientContext, SyncClientContext

    @task(cache_policy=NO_CACHE, persist_result=False)
    async def nothing() -> None: ...

    @flow(name="plain", persist_result=False, validate_parameters=False)
    async def plain() -> None:
        for _ in range(TASKS):
            await nothing()

    taken = []
    with SyncClientContext.get_or_create():
        async with AsyncClientContext.get_or_create():
            for _ in range(runs + 1):
                started = time.perf_counter()
                await plain()
                taken.append(time.perf_counter() - started)
                await asyncio.sleep(PAUSE)
    return taken[1:]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(int(sys.argv[1])))))
