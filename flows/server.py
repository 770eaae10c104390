"""The Prefect server that flows talk to: a named one, or one started for as long as a command runs.

Belongs here: Prefect's settings and the server's lifetime. This file must not import Prefect: Prefect reads
its settings when it is imported, so they are made here first.
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
from pathlib import Path
from typing import Final

import requests

from leadgate.ledger import Ledger

START_TIMEOUT: Final = 90.0  # seconds; a first start migrates Prefect's own database


class PrefectError(Exception):
    """The Prefect server cannot be reached or started; the message says why and what to do."""


#: Nothing is sent anywhere, and results are JSON, not pickles. What fails is raised to whoever started the run,
#: and told in the run's state; Prefect's log would tell it a second time, as a traceback.
_DEFAULTS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
}


def use_defaults(home: Path) -> None:
    """Set Prefect's settings where the environment does not. Call it before Prefect is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(home / "prefect"))
    os.environ.setdefault("PREFECT_PROFILES_PATH", str(home / "prefect" / "profiles.toml"))


@contextlib.contextmanager
def prefect_server(ledger: Ledger) -> Iterator[str]:
    """The address of a Prefect API. ``PREFECT_API_URL`` names one; else a server runs on loopback meanwhile.

    Such a server lives on the embedded PostgreSQL, or on SQLite in the data folder where a PostgreSQL is
    named. It answers only to this process: its authentication string is made up on the spot. ``yield``
    comes at once, so that slow imports go on beside the start; ``wait_until_ready`` waits. Raises ``PrefectError``.
    """
    use_defaults(ledger.home)
    named = os.environ.get("PREFECT_API_URL")
    if named:
        yield named
        return
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    auth = f"leadgate:{secrets.token_urlsafe(24)}"
    database = ledger.prefect_url or f"sqlite+aiosqlite:///{ledger.home / 'prefect' / 'prefect.db'}"
    (ledger.home / "prefect").mkdir(parents=True, exist_ok=True)
    ours = {
        "PREFECT_API_URL": url,
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
    }
    theirs = {
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    }
    log = ledger.home / "prefect" / "server.log"
    with log.open("ab") as output:
        server = subprocess.Popen(  # noqa: S603 - our own interpreter, and arguments from here
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **ours, **theirs},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield url
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _stop(server)


def wait_until_ready(url: str) -> None:
    """Return when the API answers. Raises ``PrefectError`` when it does not within ``START_TIMEOUT``."""
    deadline = time.monotonic() + START_TIMEOUT
    reason = "no answer"
    user, _, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    while time.monotonic() < deadline:
        try:
            answer = requests.get(f"{url}/health", timeout=5, auth=(user, password) if user else None)
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
        "or unset them to let Leadgate start its own server (its log is prefect/server.log in the data folder)."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=8)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _die_with_parent() -> None:
    """A kill -9 of the parent ends the server too, where the system can do that (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)
