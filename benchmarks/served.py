"""``leadgate up`` in a folder of its own, for benchmarks that talk to it as the outside world does.

Belongs here: starting and stopping it on free ports, and counting what its ledger holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from benchmarks import sample
from leadgate import source_secrets
from leadgate.ledger import Ledger

READY_WITHIN = 180.0  # seconds


@dataclass
class Served:
    """A running ``leadgate up``."""

    home: Path
    environment: dict[str, str] = field(repr=False)
    capture_port: int
    prefect_port: int
    secret: str = field(repr=False)
    process: subprocess.Popen[bytes]

    @property
    def capture_url(self) -> str:
        return f"http://127.0.0.1:{self.capture_port}/capture/website"

    def state(self) -> dict[str, Any]:
        """What ``leadgate up`` last said of its parts; empty while it says nothing."""
        try:
            found: dict[str, Any] = json.loads((self.home / "up.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def pids(self) -> dict[str, int]:
        """The process of each part by its name, ``up`` and PostgreSQL's postmaster included."""
        found = {part["name"]: part["pid"] for part in self.state().get("parts", ()) if part["pid"]}
        with contextlib.suppress(OSError, ValueError, IndexError):
            found["PostgreSQL"] = int((self.home / "postgresql" / "postmaster.pid").read_text().split()[0])
        return found | {"up": self.process.pid}

    def start(self) -> None:
        """Start it again, after it was killed."""
        with (self.home / "up.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.cli", "up"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return when capture answers and a consumer waits for leads."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"leadgate up ended:\n{(self.home / 'up.log').read_text()}")
            with contextlib.suppress(requests.RequestException):
                ready = requests.get(f"http://127.0.0.1:{self.capture_port}/readyz", timeout=1).ok
                if ready and "takes leads" in self._log("intake") and "waits" in self._doing():
                    return
            time.sleep(0.25)
        sys.exit(f"leadgate up was not ready within {READY_WITHIN:.0f} s:\n{(self.home / 'up.log').read_text()}")

    def _log(self, part: str) -> str:
        file = self.home / "logs" / f"{part}.log"
        return file.read_text() if file.exists() else ""

    def _doing(self) -> str:
        shown = subprocess.run(
            [sys.executable, "-m", "console.cli", "status", "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        consumers = json.loads(shown.stdout)["consumers"] if shown.stdout else []
        return " ".join(each["doing"] for each in consumers if each["alive"])


@contextlib.contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """``leadgate up`` on its defaults, with the benchmarks' playbook; stopped in the end."""
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True)
    playbook = folder / "playbook.yaml"
    playbook.write_text(playbook_text(folder), encoding="utf-8")
    secret = source_secrets.make()
    capture_port, prefect_port, console_port = free_port(), free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))},
        "LEADGATE_HOME": str(home),
        "LEADGATE_PLAYBOOK": str(playbook),
        "LEADGATE_CAPTURE_PORT": str(capture_port),
        "LEADGATE_CONSOLE_PORT": str(console_port),
        "LEADGATE_PREFECT_PORT": str(prefect_port),
        "LEADGATE_SECRET_BENCH": secret,
        "PYTHONPATH": os.pathsep.join(sys.path),
        **settings,
    }
    running = Served(home, environment, capture_port, prefect_port, secret, None)  # type: ignore[arg-type]
    running.start()
    try:
        running.wait_until_ready()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            try:
                running.process.wait(90)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


def playbook_text(folder: Path) -> str:
    """The benchmarks' playbook, with a source that takes as much over HTTP as comes, and messages to a receiver.

    The files that it names are copied into ``folder``, where it will be: it may read no others.
    """
    loaded = sample.playbook()
    data = json.loads(loaded.text)
    data["sources"]["website"]["http"] = {
        "auth": "hmac",
        "secret_env": "LEADGATE_SECRET_BENCH",
        "per_second": 100_000,
        "burst": 1_000_000,
    }
    data["notifications"] = [{"to": "everybody", "address_env": "BENCH_RECEIVER"}]
    for provider in data["enrichment"]["providers"]:
        if "path" in provider:
            provider["path"] = Path(shutil.copy(loaded.folder / provider["path"], folder)).name
    return json.dumps(data)


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def by_status(ledger: Ledger) -> dict[str, int]:
    """How many journeys have each status."""
    with ledger.transaction() as connection:
        rows = connection.execute(text("SELECT status, count(*) AS n FROM journey GROUP BY status"))
        return {row.status: row.n for row in rows}


def wait_until_processed(ledger: Ledger, timeout: float) -> float:
    """Seconds until nothing waits or runs any more. Exits when that takes longer than ``timeout``."""
    started = time.perf_counter()
    while time.perf_counter() - started < timeout:
        with ledger.transaction() as connection:
            waits = connection.execute(text("SELECT count(*) FROM journey WHERE status = 'ready'")).scalar_one()
            open_batches = connection.execute(text("SELECT count(*) FROM batch WHERE closed_at IS NULL")).scalar_one()
        if waits == 0 and open_batches == 0:
            return time.perf_counter() - started
        time.sleep(0.1)
    sys.exit(f"{waits} journeys still wait after {timeout:.0f} s")
