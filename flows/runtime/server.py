"""The Prefect server that flows use: the one that the environment names, or one that runs as long as a command.

Belongs here: Prefect's settings and the server's lifetime. This file must not import Prefect: Prefect reads
its settings when it is imported, so they are set here first.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from flows.runtime import environment
from flows.runtime.first_start import FirstStart
from leadgate.data_folder import PRIVATE, open_private
from leadgate.errors import NotAvailableError
from leadgate.ledger import Ledger
from leadgate.playbook import Retention

WORK_POOL: Final = "leadgate"
START_TIMEOUT: Final = 90.0  # seconds; a first start migrates Prefect's own database


class PrefectError(NotAvailableError):
    """The Prefect server cannot be reached or started; the message says why and what to do."""


#: No telemetry, and results as JSON instead of pickles. An error is raised to the caller of the run and stored in the
#: run's state; Prefect's log, which would repeat it as a traceback, is off.
_DEFAULTS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}


def use_defaults(home: Path) -> None:
    """Set Prefect's settings where the environment does not. Call it before Prefect is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(home / "prefect"))
    os.environ.setdefault("PREFECT_PROFILES_PATH", str(home / "prefect" / "profiles.toml"))


@dataclass(frozen=True)
class PrefectAddress:
    """The URL of a Prefect API, and the authentication string that the API asks for."""

    url: str
    auth: str | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which a process uses this API."""
        variables = {"PREFECT_API_URL": self.url, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true"}
        return variables | ({"PREFECT_API_AUTH_STRING": self.auth} if self.auth else {})


@contextlib.contextmanager
def open_prefect_server(ledger: Ledger, retention: Retention | None = None) -> Iterator[str]:
    """Yield the URL of a Prefect API: the one in ``PREFECT_API_URL``, that of the server which `leadgate up` runs in
    the same data folder, else that of a new server on loopback, which is stopped at the end of the context.

    A new server stores its data in the embedded PostgreSQL, or in SQLite in the data folder where the ledger is in
    an external PostgreSQL. Only this process can use the server: its authentication string is random. The URL is
    yielded at once, so that slow imports run beside the start; ``wait_until_ready`` waits. Of several first starts in a
    data folder one makes Prefect's tables, and the others wait. Raises ``PrefectError``, ``FirstStartError``.
    """
    use_defaults(ledger.home)
    if named := os.environ.get("PREFECT_API_URL"):
        yield named
        return
    if (running := find_running_server(ledger.home)) is not None:
        with _environment(running):
            yield running.url
        return
    with FirstStart(ledger.home) as first_start:
        first_start.take_turn(START_TIMEOUT)
        address = PrefectAddress(f"http://127.0.0.1:{_find_free_port()}/api", f"leadgate:{secrets.token_urlsafe(24)}")
        server = start_server(ledger.home, address, ledger.prefect_url, retention)
        first_start.finish_when(lambda: is_answering(address), lambda: server.poll() is not None)
        try:
            with _environment(address):
                yield address.url
        finally:
            stop_server(server)


def start_server(
    home: Path, address: PrefectAddress, database: str | None, retention: Retention | None = None
) -> subprocess.Popen[bytes]:
    """Start a Prefect server at ``address``, which ends with this process; its log is in the data folder.

    ``database`` is a SQLAlchemy URL for asyncpg; without one the server uses SQLite in the data folder.
    """
    (home / "prefect").mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_private(home / "prefect" / "server.log", "ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, and arguments from here
            build_server_command(address),
            env={
                **environment.select_for_prefect_server(os.environ),
                **build_server_environment(home, address, database, retention),
                "PREFECT_UI_ENABLED": "false",  # nobody can sign in to a server that is up for one command
            },
            cwd=home / "prefect",
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
            umask=PRIVATE,
            start_new_session=True,  # Ctrl-C reaches only this process, which then stops the server
        )


def build_server_command(address: PrefectAddress) -> list[str]:
    """The command line of a Prefect server at ``address``."""
    port = str(urlsplit(address.url).port)
    return [*build_python_command("prefect"), "server", "start", "--host", "127.0.0.1", "--port", port]


def build_python_command(module: str) -> list[str]:
    """The command line that runs ``module``; ``-P`` keeps modules in the working directory from shadowing it."""
    return [sys.executable, "-P", "-m", module]


def compute_event_retention(retention: Retention) -> timedelta:
    """How long Prefect keeps events: as long as flow runs, at most two days.

    Events are three quarters of the data of a flow run, and the UI shows few of them (the feed, dots on a time line).
    The daily housekeeping reads heartbeats, which are events; two days of them are enough for it.
    """
    return min(retention.flow_runs, timedelta(days=2))


def build_vacuum_settings(retention: Retention) -> dict[str, str]:
    """Settings with which a Prefect server's vacuum service deletes what is older than ``retention``.

    That service has no setting for artifacts; ``flows.housekeeping`` deletes them where their retention is shorter.
    """
    seconds = max(int(retention.flow_runs.total_seconds()), 3601)  # Prefect refuses an hour or less
    events = int(compute_event_retention(retention).total_seconds())
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(seconds),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{events}S",  # this setting accepts no bare number
    }


def build_server_environment(
    home: Path, address: PrefectAddress, database: str | None, retention: Retention | None = None
) -> dict[str, str]:
    """The environment variables of a Prefect server at ``address``. ``database`` as for ``start_server``.

    The server deletes what is older than ``retention`` (by default, that of a playbook without one), unless the
    environment has other settings.
    """
    vacuum_settings = {
        name: os.environ.get(name, value) for name, value in build_vacuum_settings(retention or Retention()).items()
    }
    return {
        **address.environment,
        **vacuum_settings,
        "PREFECT_SERVER_API_AUTH_STRING": address.auth or "",
        "PREFECT_API_DATABASE_CONNECTION_URL": database or f"sqlite+aiosqlite:///{home / 'prefect' / 'prefect.db'}",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # the server copies its UI before it serves it; its default place is among the installed packages
        "PREFECT_UI_STATIC_DIRECTORY": str((home / "prefect" / "ui").absolute()),
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    }


def ensure_address(home: Path, port: int) -> PrefectAddress:
    """The address of the server of `leadgate up`. Its authentication string is made once and kept in a file that only
    the owner of the data folder can read."""
    file = home / "prefect" / "auth"
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as made:
            made.write(f"leadgate:{secrets.token_urlsafe(24)}")
    file.chmod(0o600)
    return PrefectAddress(f"http://127.0.0.1:{port}/api", file.read_text(encoding="ascii").strip())


def record_running_server(home: Path, address: PrefectAddress) -> None:
    """Write down ``address``, so that other commands with this data folder find the server."""
    (home / "prefect" / "address").write_text(address.url, encoding="ascii")


def forget_running_server(home: Path) -> None:
    """Remove the note of a server that has ended."""
    (home / "prefect" / "address").unlink(missing_ok=True)


def find_running_server(home: Path) -> PrefectAddress | None:
    """The server that was recorded as running, if it answers to this folder's authentication string."""
    try:
        url = (home / "prefect" / "address").read_text(encoding="ascii").strip()
        auth = (home / "prefect" / "auth").read_text(encoding="ascii").strip()
    except OSError:
        return None
    address = PrefectAddress(url, auth)
    return address if is_answering(address) else None


def is_answering(address: PrefectAddress, timeout: float = 2.0) -> bool:
    """Whether the API at ``address`` answers to its authentication string."""
    user, _, password = (address.auth or "").partition(":")
    try:  # /health would answer to anybody
        return requests.get(f"{address.url}/hello", timeout=timeout, auth=(user, password) if user else None).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def _environment(address: PrefectAddress) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in address.environment}
    os.environ.update(address.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def wait_until_ready(url: str, auth: str | None = None) -> None:
    """Return when the API answers. Raises ``PrefectError`` when it does not within ``START_TIMEOUT``.

    ``auth`` is its authentication string, in place of the environment's.
    """
    deadline = time.monotonic() + START_TIMEOUT
    reason = "no answer"
    user, _, password = (auth or os.environ.get("PREFECT_API_AUTH_STRING", "")).partition(":")
    # /health needs no authentication; with an API key in place of the string, only Prefect's client can check it
    endpoint = "health" if os.environ.get("PREFECT_API_KEY") else "hello"
    while time.monotonic() < deadline:
        try:
            answer = requests.get(f"{url}/{endpoint}", timeout=5, auth=(user, password) if user else None)
        except requests.ConnectionError:
            reason = "nothing listens there"
        except requests.RequestException as error:
            reason = str(error)
        else:
            if answer.ok:
                return
            reason = f"it answers {answer.status_code}"
            if answer.status_code in (401, 403):
                break
        time.sleep(0.1)
    raise PrefectError(
        f"the Prefect API at {url} is not usable: {reason}. Check PREFECT_API_URL and PREFECT_API_AUTH_STRING, "
        "or unset them to let Leadgate start its own server (its log is in the data folder: prefect/server.log, or "
        "logs/prefect.log of `leadgate up`)."
    )


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """Stop the server, by force after eight seconds."""
    server.terminate()
    try:
        server.wait(timeout=8)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def die_with_parent() -> None:
    """Have the system stop this process when its parent dies, even by kill -9 (Linux only: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)
