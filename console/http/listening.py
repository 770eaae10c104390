"""``leadgate listen``: HTTP capture as a process, on loopback.

Belongs here: what is said at the start. Does not belong here: any answer (``capture_api``), or the life of a server
process (``serving``). ``python -m console.http.listening`` is the same as the command, for a process that starts it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Annotated

import typer

from console.command_context import CommandContext
from console.http.authentication import RequestVerifier
from console.http.capture_api import build_app
from console.http.serving import HOST, Server, build_config, open_socket
from console.screen import CommandError, say
from leadgate import source_secrets
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check.secrets import require_values


def listen(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="The port, in place of LEADGATE_CAPTURE_PORT.")
    ] = None,
) -> None:
    """Run HTTP capture alone, on loopback, until ctrl-C; `leadgate up` starts it with everything else."""
    context: CommandContext = ctx.obj
    file = context.load_checked_playbook()
    _require_token(context.settings.metrics_token)
    with (
        contextlib.closing(open_socket(port or context.settings.capture_port, "LEADGATE_CAPTURE_PORT")) as taken,
        open_ledger(context.settings) as ledger,
    ):
        # the writer comes back from every statement through this lock; at 5 ms, waiting for it takes the most time
        sys.setswitchinterval(0.0005)
        playbook = context.settle(ledger, file)
        _require_sources(playbook)
        for note in require_values(playbook, os.environ):
            say(f"Warning: {note}")
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
        Server(build_config(app, app.state.connections), "http capture").run(sockets=[taken])
    say("Stopped. Every request that was answered with 202 is in the ledger.")


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
