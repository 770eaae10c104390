"""``leadgate work``: an always-on consumer in this process; ``leadgate worker``: what Prefect schedules.

Belongs here: what it needs before it starts, and telling what it does. Does not belong here: the consumer
(``flows.runtime.consumer``) and the worker (``flows.runtime.worker``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from typing import Annotated, Any

import typer

from console.command_context import CommandContext
from console.redaction import sanitise
from flows.runtime import environment
from flows.runtime.server import PrefectError, find_running_server, use_defaults, wait_until_ready
from leadgate.ledger import open_ledger
from leadgate.settings import Settings


def work(ctx: typer.Context) -> None:
    """Take leads through the stages all day, in this process; `leadgate up` does this and more."""
    context: CommandContext = ctx.obj
    playbook = context.load_checked_playbook()
    settings = context.settings
    use_defaults(settings.home)
    _find_prefect(settings)
    with open_ledger(settings) as ledger:
        wait_until_ready(os.environ["PREFECT_API_URL"])
        from flows.runtime import preload
        from flows.runtime.consumer import Consumer

        preload.preload(playbook.playbook)
        from console.report.sending import build_sender

        consumer = Consumer(
            ledger, settings, playbook, tell=_tell, send_reports=build_sender(settings, playbook.playbook)
        )
        with preload.collected_less_often():
            _run_until_signal(consumer.run, consumer.stop, consumer.name)
    _tell("ended")


def _run_until_signal(run: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], None], name: str) -> None:
    """Run ``run`` until it ends; ctrl-C and SIGTERM call ``stop`` in its event loop.

    The loop is not in the main thread: there, Prefect handles SIGTERM while a flow runs, and lets it crash the run at
    hand and the loop. Threads of that loop would then never end, and this process neither.
    """
    loop = asyncio.new_event_loop()

    def handle_signal(number: int, frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stop)

    def in_thread() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle_signal)
    with ThreadPoolExecutor(1, thread_name_prefix="consumer") as threads:
        running = threads.submit(copy_context().run, in_thread)
        _tell(f"{name} takes leads through the stages; ctrl-C ends it after the batch at hand")
        running.result()


def worker(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The most flow runs at a time.")] = 2,
) -> None:
    """Run scheduled flows, and flows that are started in the Prefect UI; only Leadgate's own flows."""
    context: CommandContext = ctx.obj
    playbook = context.load_checked_playbook()
    settings = context.settings
    use_defaults(settings.home)
    _find_prefect(settings)
    # runs are started with the environment of this process, in a folder of their own
    os.environ["LEADGATE_HOME"] = str(settings.home)
    if settings.playbook is not None:
        os.environ["LEADGATE_PLAYBOOK"] = str(settings.playbook.absolute())
    needed = environment.select_for_flows(os.environ, playbook.playbook)
    for name in set(os.environ) - set(needed):
        del os.environ[name]
    os.environ.update(needed)
    wait_until_ready(os.environ["PREFECT_API_URL"])
    from prefect.utilities.processutils import setup_signal_handlers_worker

    from flows.runtime import worker

    setup_signal_handlers_worker(os.getpid(), "the worker", _tell)
    _tell("the worker runs what is scheduled, and what is started in the Prefect UI; ctrl-C ends it")
    asyncio.run(worker.run_worker(f"leadgate-{socket.gethostname()}", limit))


def _find_prefect(settings: Settings) -> None:
    """Have Prefect's client use the server that is named, or else the one that `leadgate up` keeps running here."""
    if os.environ.get("PREFECT_API_URL"):
        return
    running = find_running_server(settings.home)
    if running is None:
        raise PrefectError(
            "no Prefect server: `leadgate up` starts one in this data folder, or PREFECT_API_URL names one "
            "(with PREFECT_API_AUTH_STRING, if it asks for that)"
        )
    os.environ.update(running.environment)


def _tell(words: str) -> None:
    sys.stdout.write(f"{datetime.now():%H:%M:%S} {sanitise(words)}\n")  # noqa: DTZ005 - a person's own clock
    sys.stdout.flush()
