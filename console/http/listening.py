"""``leadgate listen``: HTTP capture as a process, on loopback.

Belongs here: opening the port, what is said at the start, and an orderly end. Does not belong here: any answer
(``capture_api``). ``python -m console.http.listening`` is the same as the command, for a process that starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Annotated, Any, cast

import typer
import uvicorn
from fastapi import FastAPI

from console.command_context import CommandContext
from console.http.authentication import RequestVerifier
from console.http.capture_api import build_app
from console.http.connections import MOST_HEAD, Connections
from console.screen import CommandError, say
from leadgate import source_secrets
from leadgate.errors import ExitCode
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check.secrets import require_values

HOST = "127.0.0.1"
_SAY_EVERY = 60.0  # seconds
_END_WITHIN = 20  # seconds for the requests that are being answered


def listen(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="The port, in place of LEADGATE_CAPTURE_PORT.")
    ] = None,
) -> None:
    """HTTP capture alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else."""
    context: CommandContext = ctx.obj
    playbook = context.load_checked_playbook()
    _require_sources(playbook)
    for note in require_values(playbook, os.environ):
        say(f"Warning: {note}")
    _require_token(context.settings.metrics_token)
    with (
        contextlib.closing(_open_socket(port or context.settings.capture_port)) as taken,
        open_ledger(context.settings) as ledger,
    ):
        # the writer comes back from every statement through this lock; at 5 ms, waiting for it takes the most time
        sys.setswitchinterval(0.0005)
        app = build_app(
            ledger,
            playbook.playbook,
            os.environ,
            metrics_token=context.settings.metrics_token,
            brake_from=context.settings.brake_from,
            proxies=context.settings.trusted_proxies,
            stalled_after=context.settings.stalled_after,
        )
        _say_where(playbook, taken)
        _Server(build_config(app)).run(sockets=[taken])
    say("Stopped. Every request that was answered with 202 is in the ledger.")


def build_config(app: FastAPI) -> uvicorn.Config:
    """How the application is served: it says nothing of itself, and logs no request."""
    connections: Connections = app.state.connections
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", connections.build_protocol),
        backlog=connections.limits.backlog,
        h11_max_incomplete_event_size=MOST_HEAD,
        host=HOST,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",  # what it would say holds tracebacks, and those hold values
        proxy_headers=False,
        ws="none",
        lifespan="on",  # without its writer there is nothing to serve
        timeout_keep_alive=75,  # longer than the proxies in front of it, so that they close first
        timeout_graceful_shutdown=_END_WITHIN,
    )


class _Server(uvicorn.Server):
    """Ends in order on ctrl-C and SIGTERM, and does not raise them again: to be ended is how this command ends."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(_Troubles().say)
        await super().startup(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {which: signal.signal(which, self.handle_exit) for which in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for which, handler in before.items():
                signal.signal(which, handler)


class _Troubles:
    """Errors that nobody awaits, such as a connection that could not be accepted: each once in a while, without the
    values that its traceback would show. The event loop would write a page for each of them."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        kind = type(context.get("exception")).__name__
        if loop.time() - self._said.get(kind, -_SAY_EVERY) >= _SAY_EVERY:
            self._said[kind] = loop.time()
            say(f"http capture: {kind} in the event loop; told once in {_SAY_EVERY:.0f} s")


def _require_token(token: str | None) -> None:
    """A token for the metrics is as strong as a secret of a source."""
    try:
        if token is not None:
            source_secrets.read(token)
    except source_secrets.SecretError as error:
        raise CommandError(f"LEADGATE_METRICS_TOKEN {error}") from None


def _require_sources(playbook: LoadedPlaybook) -> None:
    if not any(source.http for source in playbook.playbook.sources.values()):
        raise CommandError(
            f"{playbook.path}: no source may post, so there is nothing to listen for; give one an `http:`, like "
            "`http: {auth: hmac, secret_env: LEADGATE_SECRET_WEBSITE}`"
        )


def _open_socket(port: int) -> socket.socket:
    # the protocol is named because asyncio turns Nagle's delay off for such sockets only: 40 ms an answer
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"port {port} of {HOST} is taken; end what listens there, or choose another with --port or "
                "LEADGATE_CAPTURE_PORT",
                ExitCode.UNREACHABLE,
            ) from None
        raise CommandError(f"cannot listen on port {port} of {HOST}: {error.strerror}", ExitCode.UNREACHABLE) from error
    return opened


def _say_where(playbook: LoadedPlaybook, taken: socket.socket) -> None:
    here = f"http://{HOST}:{taken.getsockname()[1]}"
    for name, variable in RequestVerifier(playbook.playbook, os.environ).unset:
        http = playbook.playbook.sources[name].http
        what = "every request" if http is None or http.secret_env == variable else "every verification of the address"
        say(f"Warning: {variable} is not set, so {what} for the source {name} is refused.")
    for name, source in playbook.playbook.sources.items():
        if source.http is not None:
            sys.stdout.write(f"{here}/capture/{name}  ({source.http.auth})\n")
    sys.stdout.write(f"{here}/healthz, /readyz, /metrics\nListening until ctrl-C.\n")
    sys.stdout.flush()


if __name__ == "__main__":
    from console.cli import main

    sys.argv[1:1] = ["listen"]
    main()
