"""``leadgate up`` for tests that kill its parts and look at its processes.

Belongs here: starting it, its parts and what it says, posting leads to it. Does not belong here: one that takes leads
for tests of something else (``served``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from free_ports import find_free_ports
from harness import make_lead
from posting import sign_standard_webhook
from served import wait_until
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from leadgate import source_secrets
from leadgate.ledger import open_ledger
from leadgate.settings import Settings

SECRET = source_secrets.make()
WITHIN = 300.0  # seconds


@dataclass
class Up:
    """A running ``leadgate up``."""

    home: Path
    folder: Path  # where it is started
    environment: dict[str, str]
    capture: int
    prefect: int
    process: subprocess.Popen[bytes] | None = None
    posted: int = field(default=0)
    ledger: Engine | None = None

    def start(self) -> None:
        with (self.home.parent / "up.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "console.cli", "up"],
                env=self.environment,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        """Where Prefect's server is."""
        return f"http://127.0.0.1:{self.prefect}"

    @property
    def auth(self) -> str:
        """What the Prefect API asks for."""
        return (self.home / "prefect" / "auth").read_text(encoding="ascii").strip()

    @property
    def said(self) -> str:
        return (self.home.parent / "up.log").read_text()

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "console.cli", *command],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    def state(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self.home / "up.json").read_text()))
        return {"parts": []}

    def pid(self, part: str) -> int:
        if part == "PostgreSQL":
            return int((self.home / "postgresql" / "postmaster.pid").read_text().split()[0])
        return int(next(each["pid"] for each in self.state()["parts"] if each["name"] == part))

    def post(self) -> int:
        """Post one more lead, signed; the answer's status, or 0 when there is none."""
        body = json.dumps(make_lead(self.posted)).encode()
        signed = sign_standard_webhook(SECRET, body, f"msg_{self.posted}", str(int(time.time())))
        headers = {"Content-Type": "application/json"} | signed
        url = f"http://127.0.0.1:{self.capture}/capture/website"
        try:
            status = requests.post(url, body, headers=headers, timeout=30).status_code
        except requests.RequestException:
            return 0
        self.posted += status == 202
        return status

    def find_ledger(self) -> None:
        """Learn the address of the ledger, which is only looked at from then on: whatever starts PostgreSQL again, this
        test does not."""
        with open_ledger(Settings(home=self.home)) as ledger:
            self.ledger = create_engine(ledger.engine.url, poolclass=NullPool)

    def post_until_owned(self) -> None:
        """Post a lead as a sender does, again until it is accepted; return when everybody posted has an owner."""
        wait_until(lambda: self.post() == 202, "a lead to be accepted", WITHIN)
        wait_until(lambda: self.owned() == self.posted, "an owner for everybody", WITHIN)

    def owned(self) -> int | None:
        """How many leads have an owner; none while PostgreSQL is away."""
        assert self.ledger is not None
        with contextlib.suppress(OperationalError), self.ledger.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM journey WHERE status = 'owned'")).scalar_one())
        return None


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def list_processes(home: Path) -> list[str]:
    """The processes that belong to this data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(home).encode() in told and process.name != str(os.getpid()) and is_alive(int(process.name)):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{process.name} of {parent}: {command}")
    return found


@contextlib.contextmanager
def running_up(folder: Path, playbook: str, cwd: Path, **more: str) -> Iterator[Up]:
    """``leadgate up`` with this playbook, started in ``cwd``; stopped in the end. ``more``: its environment."""
    file = folder / "playbook.yaml"
    file.write_text(playbook, encoding="utf-8")
    capture, prefect, console = find_free_ports(3)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))},
        "LEADGATE_HOME": str(folder / "home"),
        "LEADGATE_PLAYBOOK": str(file),
        "LEADGATE_CAPTURE_PORT": str(capture),
        "LEADGATE_PREFECT_PORT": str(prefect),
        "LEADGATE_CONSOLE_PORT": str(console),
        "LEADGATE_LEASE_SECONDS": "3",
        "LEADGATE_SECRET_WEBSITE": SECRET,
        "PYTHONPATH": os.pathsep.join(sys.path),
        **more,
    }
    running = Up(folder / "home", cwd, environment, capture, prefect)
    running.start()
    try:
        wait_until(lambda: "Leadgate is up" in running.said, "Leadgate to be up", WITHIN)
        running.find_ledger()
        yield running
    finally:
        assert running.process is not None
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(90)
            running.process.kill()
            running.process.wait()
