"""``leadgate up`` as the outside world sees it: one process tree on free ports, whose parts are killed in turn.

It is started once for all of these tests, which go on in the order of this file; that takes most of their time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from desk import PLAYBOOK, person
from forked import wait_for
from posting import standard
from served import wait_until
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from leadgate import source_secrets
from leadgate.ledger import open_ledger
from leadgate.settings import Settings

SECRET = source_secrets.make()
WITHIN = 120.0  # seconds
HTTP = "  website: {default_country: DE, http: {auth: hmac, secret_env: LEADGATE_SECRET_WEBSITE}}\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass
class Up:
    """A running ``leadgate up``."""

    home: Path
    environment: dict[str, str]
    capture: int
    prefect: int
    process: subprocess.Popen[bytes] | None = None
    posted: int = field(default=0)
    ledger: Engine | None = None

    def start(self) -> None:
        with (self.home.parent / "up.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.cli", "up"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

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
        body = json.dumps(person(self.posted)).encode()
        signed = standard(SECRET, body, f"msg_{self.posted}", str(int(time.time())))
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

    def gets_an_owner(self) -> None:
        """Post a lead as a sender does, again until it is accepted; return when everybody posted has an owner."""
        wait_until(lambda: self.post() == 202, "a lead to be accepted", WITHIN)
        wait_until(lambda: self.owned() == self.posted, "an owner for everybody", WITHIN)

    def owned(self) -> int | None:
        """How many leads have an owner; none while PostgreSQL is away."""
        assert self.ledger is not None
        with contextlib.suppress(OperationalError), self.ledger.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM journey WHERE status = 'owned'")).scalar_one())
        return None


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def of_folder(home: Path) -> list[str]:
    """The processes that belong to this data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(home).encode() in told and process.name != str(os.getpid()) and lives(int(process.name)):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{process.name} of {parent}: {command}")
    return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    playbook = folder / "playbook.yaml"
    playbook.write_text(PLAYBOOK.replace("  website: {default_country: DE}\n", HTTP), encoding="utf-8")
    capture, prefect = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))},
        "LEADGATE_HOME": str(folder / "home"),
        "LEADGATE_PLAYBOOK": str(playbook),
        "LEADGATE_CAPTURE_PORT": str(capture),
        "LEADGATE_PREFECT_PORT": str(prefect),
        "LEADGATE_LEASE_SECONDS": "3",
        "LEADGATE_SECRET_WEBSITE": SECRET,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    running = Up(folder / "home", environment, capture, prefect)
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


def test_it_says_where_everything_is(up: Up) -> None:
    wait_for(lambda: "POST http" in up.said, WITHIN)
    assert f"Prefect UI     http://127.0.0.1:{up.prefect}\n" in up.said
    assert f"POST http://127.0.0.1:{up.capture}/capture/{{website}}" in up.said
    assert "refused until" not in up.said
    auth = (up.home / "prefect" / "auth").read_text()
    assert f"authentication: {auth}" in up.said
    for part in ("PostgreSQL", "Prefect", "intake", "worker", "capture"):
        wait_for(lambda part=part: any(line[9:].split()[:2] == [part, "up"] for line in up.said.splitlines()), WITHIN)


def test_a_signed_lead_gets_an_owner(up: Up) -> None:
    up.gets_an_owner()
    log = up.home / "logs" / "intake.log"
    wait_for(lambda: "1 owned" in log.read_text(), WITHIN)
    assert "company0.example" not in log.read_text()


def test_the_prefect_api_asks_who_is_there(up: Up) -> None:
    auth = up.home / "prefect" / "auth"
    assert auth.stat().st_mode & 0o777 == 0o600
    user, _, password = auth.read_text().partition(":")
    url = f"http://127.0.0.1:{up.prefect}/api/flow_runs/filter"
    version = f"http://127.0.0.1:{up.prefect}/api/admin/version"
    assert requests.get(version, timeout=10).status_code == 401
    assert requests.get(version, timeout=10, auth=(user, "guessed")).status_code == 401
    assert requests.get(version, timeout=10, auth=(user, password)).status_code == 200
    token = requests.get(
        f"http://127.0.0.1:{up.prefect}/api/csrf-token", params={"client": "test"}, timeout=10, auth=(user, password)
    ).json()["token"]
    headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "test"}
    assert requests.post(url, json={}, timeout=10, auth=(user, password), headers=headers).status_code == 200
    assert requests.post(url, json={}, timeout=10, auth=(user, password)).status_code == 403


def test_another_prefect_server_is_not_taken_for_ours(up: Up, tmp_path: Path) -> None:
    """Two data folders, one port: whoever has the wrong string must not be told that the server answers."""
    from flows.runtime.server import Address, PrefectError, answers, kept_running, wait_until_ready

    url = f"http://127.0.0.1:{up.prefect}/api"
    auth = (up.home / "prefect" / "auth").read_text()
    assert answers(Address(url, auth))
    assert not answers(Address(url, "leadgate:another"))
    wait_until_ready(url, auth)
    with pytest.raises(PrefectError, match="it answers 401"):
        wait_until_ready(url, "leadgate:another")
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "address").write_text(url)
    (tmp_path / "prefect" / "auth").write_text("leadgate:another")
    assert kept_running(tmp_path) is None
    assert kept_running(up.home) == Address(url, auth)


def test_a_second_one_is_refused(up: Up) -> None:
    second = up.run("up")
    assert (second.returncode, second.stdout) == (3, "")
    assert f"runs already for {up.home}" in " ".join(second.stderr.split())


@pytest.mark.parametrize("variable", ["LEADGATE_PREFECT_PORT", "LEADGATE_CAPTURE_PORT"])
def test_a_port_that_is_taken_is_refused_by_name(up: Up, tmp_path: Path, variable: str) -> None:
    ports = {"LEADGATE_PREFECT_PORT": free_port(), "LEADGATE_CAPTURE_PORT": free_port(), variable: up.capture}
    other = up.run("up", LEADGATE_HOME=str(tmp_path), **{name: str(port) for name, port in ports.items()})
    assert other.returncode == 3
    said = " ".join(other.stderr.split())
    assert f"port {up.capture} on 127.0.0.1" in said
    assert f"set {variable} to another one" in said
    assert not (tmp_path / "postgresql").exists(), "it started things before it looked"


def test_status_tells_what_runs(up: Up) -> None:
    wait_for(lambda: all(part["state"] == "up" for part in up.state()["parts"]), WITHIN)
    shown = up.run("status", "--json")
    assert shown.returncode == 0
    told = json.loads(shown.stdout)
    assert told["running"] is True
    assert {part["name"]: part["state"] for part in told["parts"]} == dict.fromkeys(
        ["PostgreSQL", "Prefect", "intake", "worker", "capture"], "up"
    )
    assert [each["alive"] for each in told["consumers"]] == [True]
    assert "What runs" in up.run("status").stdout


@pytest.mark.parametrize("part", ["intake", "capture", "Prefect", "PostgreSQL"])
def test_what_is_killed_comes_back_and_leads_go_on(up: Up, part: str) -> None:
    before = up.pid(part)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: not lives(before), WITHIN)
    up.gets_an_owner()
    assert up.pid(part) != before
    wait_for(lambda: next(each["state"] for each in up.state()["parts"] if each["name"] == part) == "up", WITHIN)
    assert any(line[9:].split()[:2] == [part, "down"] for line in up.said.splitlines())
    assert up.process is not None
    assert up.process.poll() is None


def test_killed_itself_it_is_started_again_at_once_and_goes_on(up: Up) -> None:
    assert up.process is not None
    prefect, intake = up.pid("Prefect"), up.pid("intake")
    up.process.kill()
    up.process.wait()
    before = len(up.said)
    up.start()
    wait_for(lambda: "Leadgate is up" in up.said[before:] or up.process.poll() is not None, WITHIN)  # type: ignore[union-attr]
    assert up.process.poll() is None, up.said[before:]
    up.find_ledger()
    wait_for(lambda: not lives(prefect), WITHIN)
    wait_for(lambda: not lives(intake), WITHIN)
    up.gets_an_owner()
    verified = up.run("verify")
    assert verified.returncode == 0, verified.stdout


def test_ctrl_c_ends_everything(up: Up) -> None:
    assert up.process is not None
    postmaster = up.pid("PostgreSQL")
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(WITHIN) == 0
    assert "stopped; what was accepted is kept" in up.said
    wait_for(lambda: not lives(postmaster), WITHIN)
    deadline = time.monotonic() + WITHIN
    while left := of_folder(up.home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert not (up.home / "up.json").exists()
    assert not (up.home / "prefect" / "address").exists()
    assert up.run("work").returncode == 3  # no Prefect server
