"""``leadgate up``: everything on one machine, kept running.

Belongs here: which parts there are, in which order they start and stop, and what a person reads of them.
Does not belong here: how a program is kept running (``supervisor``), or what any part does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
import requests
import typer

from console.command_context import CommandContext
from console.screen import CommandError, build_console, find_program
from console.service.database_watch import DatabaseWatch, Health
from console.service.state_file import STATE_FILE
from console.service.supervisor import Part
from console.web.addresses import HOST, build_address, build_first_link
from flows.runtime import environment
from flows.runtime.first_start import FirstStart
from flows.runtime.server import (
    START_TIMEOUT,
    PrefectAddress,
    build_python_command,
    build_server_command,
    build_server_environment,
    ensure_address,
    forget_running_server,
    is_answering,
    record_running_server,
    use_defaults,
    wait_until_ready,
)
from leadgate.errors import ExitCode
from leadgate.ledger import Ledger, LedgerError, open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check.secrets import require_values
from leadgate.settings import Settings

LOOK_EVERY: Final = 0.5  # seconds
PARTS_END_WITHIN: Final = 20.0  # seconds after a kill -9 of this process until its ports are free again
DATABASE: Final = "PostgreSQL"


class _Stop(BaseException):
    """Somebody asked for the end: ctrl-C, or SIGTERM. An order, not an error: nothing that survives errors eats it."""


def up(ctx: typer.Context) -> None:
    """Keep everything running on this machine: PostgreSQL, Prefect, intake, schedules, HTTP capture, console."""
    context: CommandContext = ctx.obj
    playbook = context.load_checked_playbook()
    require_values(playbook, os.environ)
    settings = context.settings
    use_defaults(settings.home)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise_stop)
    try:
        with _lock_folder(settings.home):
            _keep_up(context, playbook)
    except _Stop:
        _say("stopped; what was accepted is kept, and the next start goes on with it")


def _keep_up(context: CommandContext, playbook: LoadedPlaybook) -> None:
    """Everything, until somebody asks for the end."""
    settings = context.settings
    named = os.environ.get("PREFECT_API_URL")
    patience = PARTS_END_WITHIN if (settings.home / STATE_FILE).exists() else 0.0  # it was killed the last time
    if not named:
        _require_free(settings.prefect_port, "LEADGATE_PREFECT_PORT", "the Prefect server", patience)
    if _list_http_sources(playbook):
        _require_free(settings.capture_port, "LEADGATE_CAPTURE_PORT", "HTTP capture", patience)
    _require_free(settings.console_port, "LEADGATE_CONSOLE_PORT", "the console", patience)
    _say("starting")
    with open_ledger(settings) as ledger:
        playbook = context.settle(ledger, playbook)
        require_values(playbook, os.environ)
        address = (
            PrefectAddress(named, os.environ.get("PREFECT_API_AUTH_STRING"))
            if named
            else ensure_address(settings.home, settings.prefect_port)
        )
        parts = _build_parts(settings, playbook, ledger, address, ours=not named)
        try:
            _run(settings, playbook, ledger, address, parts)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # it ends already; a second ctrl-C would leave parts behind
            _say("stopping")
            for part in reversed(parts):
                part.stop()
            forget_running_server(settings.home)
            (settings.home / STATE_FILE).unlink(missing_ok=True)


def _build_parts(
    settings: Settings, playbook: LoadedPlaybook, ledger: Ledger, address: PrefectAddress, *, ours: bool
) -> list[Part]:
    """What runs, in the order of its start."""
    logs, folder = settings.home / "logs", settings.home / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    own = {"LEADGATE_HOME": str(settings.home)}
    if settings.playbook is not None:
        own["LEADGATE_PLAYBOOK"] = str(settings.playbook.absolute())
    of_flows = {**environment.select_for_flows(os.environ, playbook.playbook), **address.environment, **own}
    leadgate = build_python_command("console.cli")
    parts = []
    if ours:
        parts.append(
            Part(
                "Prefect",
                build_server_command(address),
                logs / "prefect.log",
                environment.select_for_prefect_server(os.environ)
                | build_server_environment(settings.home, address, ledger.prefect_url, playbook.playbook.retention),
                folder,
                ready=lambda: is_answering(address),
                note=f"http://127.0.0.1:{settings.prefect_port}",
            )
        )
    parts.append(Part("intake", [*leadgate, "work"], logs / "intake.log", of_flows, folder, grace=60))
    parts.append(
        Part(
            "worker",
            [*leadgate, "worker"],
            logs / "worker.log",
            # somebody who presses Run or Retry waits for its next look
            {"PREFECT_WORKER_QUERY_SECONDS": "3"} | of_flows,
            folder,
        )
    )
    if _list_http_sources(playbook):
        url = f"http://127.0.0.1:{settings.capture_port}"
        parts.append(
            Part(
                "capture",
                [*leadgate, "listen", "--port", str(settings.capture_port)],
                logs / "capture.log",
                environment.select_for_http_capture(os.environ, playbook.playbook) | own,
                folder,
                ready=lambda: _is_alive(url),
                note=url,
            )
        )
    url = f"http://{HOST}:{settings.console_port}"
    prefect = ["--prefect-url", address.url.removesuffix("/api")]
    parts.append(
        Part(
            "console",
            [*leadgate, "console", "--port", str(settings.console_port), "--no-link", *prefect],
            logs / "console.log",
            environment.select_for_console(os.environ) | own,
            folder,
            ready=lambda: _is_alive(url),
            note=build_address(settings),
        )
    )
    return parts


def _run(
    settings: Settings, playbook: LoadedPlaybook, ledger: Ledger, address: PrefectAddress, parts: list[Part]
) -> None:
    """Start the parts, each when those before it answer, and look after them for ever."""
    _say_health(DATABASE, "up", "as named" if settings.database_url else "embedded, in the data folder")
    first = parts[0]
    if first.name == "Prefect":
        with FirstStart(settings.home) as first_start:
            first_start.take_turn(START_TIMEOUT)
            first.start()
            wait_until_ready(address.url, address.auth)
            first_start.finish()
        first.state = "up"
        _say_health(first.name, "up", f"{first.note} (pid {first.pid})")
    else:
        wait_until_ready(address.url, address.auth)
        _say_health("Prefect", "up", f"{address.url}, as named")
    record_running_server(settings.home, address)
    for part in parts:
        if part.state == "stopped":
            part.start()
            _say_health(part.name, "starting", f"pid {part.pid}")
    _tell_where(settings, playbook, address, ledger)
    watch, database = DatabaseWatch(ledger), Health("up")
    while True:
        found = watch.look()
        if found != database:
            _say_health(DATABASE, found.state, found.reason)
            database = found
        for part in parts:
            changed = part.look()
            if changed is not None:
                details = f"{part.note} (pid {part.pid})" if changed == "up" and part.note else f"pid {part.pid}"
                _say_health(part.name, changed, f"see {part.log}" if changed == "down" else details)
        _keep_state(settings.home, address, database.state, parts)
        time.sleep(LOOK_EVERY)


def _tell_where(settings: Settings, playbook: LoadedPlaybook, address: PrefectAddress, ledger: Ledger) -> None:
    console = build_console()
    console.print("\nLeadgate is up. Ctrl-C stops everything.\n")
    here = build_address(settings)
    console.print(f"  console        {build_first_link(ledger, here) or here}", soft_wrap=True)
    console.print(f"  Prefect UI     {address.url.removesuffix('/api')}", soft_wrap=True)
    if address.auth:
        console.print(f"                 authentication: {address.auth}", soft_wrap=True)
    sources = _list_http_sources(playbook)
    if sources:
        where = f"http://127.0.0.1:{settings.capture_port}/capture/"
        console.print(f"  HTTP capture   POST {where}{{{','.join(sources)}}}", soft_wrap=True)
        for source in sources:
            http = playbook.playbook.sources[source].http
            if http is not None and not os.environ.get(http.secret_env):
                console.print(f"                 {source} is refused until {http.secret_env} is set", soft_wrap=True)
    else:
        console.print("  HTTP capture   off: no source of the playbook has `http`")
    console.print(f"  data folder    {settings.home} (logs in {settings.home / 'logs'})", soft_wrap=True)
    console.print(f"  what waits     {find_program()} status\n", soft_wrap=True)


def _list_http_sources(playbook: LoadedPlaybook) -> list[str]:
    return [name for name, source in playbook.playbook.sources.items() if source.http is not None]


def _keep_state(home: Path, address: PrefectAddress, database: str, parts: list[Part]) -> None:
    """For ``leadgate status``. Written whole, then moved: a reader never sees half of it."""
    state = {
        "pid": os.getpid(),
        "seen_at": time.time(),
        "prefect": address.url,
        "parts": [{"name": DATABASE, "state": database, "pid": None, "restarts": 0, "where": ""}]
        + [
            {"name": part.name, "state": part.state, "pid": part.pid, "restarts": part.restarts, "where": part.note}
            for part in parts
        ],
    }
    half = home / f"{STATE_FILE}.new"
    with contextlib.suppress(OSError):  # a full disk is no reason to stop what runs
        half.write_bytes(orjson.dumps(state))
        half.replace(home / STATE_FILE)


@contextlib.contextmanager
def _lock_folder(home: Path) -> Iterator[None]:
    """Two of them in one data folder would start everything twice."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (home / "up.lock").open("a+")
    except OSError as error:
        raise LedgerError(f"cannot use {home} as the data folder: {error.strerror}; set LEADGATE_HOME") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(
                f"`{find_program()} up` runs already for {home}; `{find_program()} status` shows it",
                ExitCode.UNREACHABLE,
            ) from None
        yield


def _require_free(port: int, setting: str, what: str, patience: float) -> None:
    """Raises ``CommandError`` when the port is taken, and still is after ``patience`` seconds."""
    until = time.monotonic() + patience
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if time.monotonic() > until:
                    raise CommandError(
                        f"port {port} on 127.0.0.1, for {what}, cannot be used: {error.strerror}. "
                        f"Stop what uses it, or set {setting} to another one.",
                        ExitCode.UNREACHABLE,
                    ) from None
            else:
                return
        time.sleep(0.2)


def _is_alive(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.RequestException:
        return False


def _raise_stop(*_: object) -> None:
    raise _Stop


def _say_health(part: str, state: str, details: str = "") -> None:
    _say(f"{part:<11} {state:<9} {details}".rstrip())


def _say(words: str) -> None:
    build_console().print(f"{datetime.now():%H:%M:%S} {words}", soft_wrap=True)  # noqa: DTZ005 - a person's own clock
    sys.stdout.flush()
