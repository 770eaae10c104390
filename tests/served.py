"""``leadgate up`` as a subprocess, in a folder of its own, on free ports.

Belongs here: starting it, waiting until it takes leads, stopping it. Does not belong here: what tests then do
with its ledger (``harness``) or in its Prefect UI (``browser``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from free_ports import find_free_ports
from harness import Harness

from leadgate.ledger import consumers, open_ledger
from leadgate.playbook import load
from leadgate.settings import Settings

READY_WITHIN = 300.0  # seconds


@dataclass
class Served:
    """A running ``leadgate up``, and its ledger."""

    home: Path
    environment: dict[str, str]
    prefect_port: int
    harness: Harness

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def auth(self) -> str:
        """What the Prefect UI asks for."""
        return (self.home / "prefect" / "auth").read_text(encoding="ascii").strip()

    def doing(self) -> str:
        """What its consumer does; empty while there is none."""
        return " ".join(each.doing for each in consumers.list_consumers(self.harness.ledger) if each.alive)

    def said(self, part: str) -> str:
        """The log of a part."""
        return (self.home / "logs" / f"{part}.log").read_text(encoding="utf-8")

    def prefect(self, path: str, wanted: dict[str, Any] | None = None) -> Any:
        """What the Prefect API answers to a question; ``wanted`` is a filter of what it lists."""
        user, _, password = self.auth.partition(":")
        with requests.Session() as session:
            session.auth = (user, password)
            if wanted is None:
                answer = session.get(f"{self.url}/api/{path}", timeout=10)
            else:
                token = session.get(f"{self.url}/api/csrf-token", params={"client": "tests"}, timeout=10).json()
                session.headers.update({"Prefect-Csrf-Token": token["token"], "Prefect-Csrf-Client": "tests"})
                answer = session.post(f"{self.url}/api/{path}", json=wanted, timeout=10)
            answer.raise_for_status()
            return answer.json()

    def read_state(self, run: str) -> str:
        """The state of a flow run, as Prefect names it."""
        return str(self.prefect(f"flow_runs/{run}")["state"]["name"])

    def leadgate(self, *arguments: str) -> str:
        """What a command prints, whatever its exit code."""
        command = [sys.executable, "-m", "console.cli", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def served(folder: Path, playbook: str, *, cwd: Path | None = None, **more: str) -> Iterator[Served]:
    """``leadgate up`` with this playbook, which takes leads already; stopped in the end. ``more``: its environment."""
    home, file, log = folder / "home", folder / "playbook.yaml", folder / "up.log"
    home.mkdir(parents=True)
    file.write_text(playbook, encoding="utf-8")
    ports = find_free_ports(3)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))},
        "LEADGATE_HOME": str(home),
        "LEADGATE_PLAYBOOK": str(file),
        "LEADGATE_PREFECT_PORT": str(ports[0]),
        "LEADGATE_CAPTURE_PORT": str(ports[1]),
        "LEADGATE_CONSOLE_PORT": str(ports[2]),
        "PYTHONPATH": os.pathsep.join(sys.path),
        **more,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "console.cli", "up"],
            env=environment,
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: process.poll() is not None or b"starting" in log.read_bytes(), "it started")
        with open_ledger(Settings(home=home)) as ledger:
            running = Served(home, environment, ports[0], Harness(ledger, load(file)))
            wait_until(
                lambda: process.poll() is not None or "waits for leads" in running.doing(), "a consumer", READY_WITHIN
            )
            assert process.poll() is None, log.read_text()
            yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return once ``true()``; an ``AssertionError`` that names ``what`` was waited for, when that takes longer."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        time.sleep(0.1)
