"""``leadgate work``: an always-on consumer in this process.

Belongs here: what it needs before it starts, and telling what it does. Does not belong here: the consumer
(``flows.consumer``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime

from console.place import Place
from console.safe import visible
from flows.server import PrefectError, kept_running, use_defaults, wait_until_ready
from leadgate.ledger import open_ledger


def work(place: Place) -> None:
    """The command. Raises ``PrefectError`` when no Prefect server is named or kept running here."""
    playbook = place.checked_playbook()
    settings = place.settings
    use_defaults(settings.home)
    if not os.environ.get("PREFECT_API_URL"):
        running = kept_running(settings.home)
        if running is None:
            raise PrefectError(
                "no Prefect server: `leadgate up` starts one in this data folder, or PREFECT_API_URL names one "
                "(with PREFECT_API_AUTH_STRING, if it asks for that)"
            )
        os.environ.update(running.environment)
    with open_ledger(settings) as ledger:
        wait_until_ready(os.environ["PREFECT_API_URL"])
        from flows import warm
        from flows.consumer import Consumer

        warm.preload(playbook.playbook)
        with warm.collected_less_often():

            async def until_stopped() -> None:
                consumer = Consumer(ledger, settings, playbook, tell=_tell)
                loop = asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, consumer.stop)
                _tell(f"{consumer.name} takes leads through the stages; ctrl-C ends it after the batch at hand")
                await consumer.run()

            asyncio.run(until_stopped())
    _tell("ended")


def _tell(words: str) -> None:
    sys.stdout.write(f"{datetime.now():%H:%M:%S} {visible(words)}\n")  # noqa: DTZ005 - a person's own clock
    sys.stdout.flush()
