"""``leadgate listen``: killed, ended, refused to start; and its page, whose commands are run."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forked import wait_for
from free_ports import find_free_port
from harness import PLAYBOOK, Harness, make_lead
from posting import HTTP_PLAYBOOK, SECRETS, TOKEN, Client, count_signals, is_writer_waiting, writer_held
from typer.testing import CliRunner, Result

from benchmarks.http_load import LoadReport, load
from console.cli import app
from console.http.serving import _Troubles
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(HTTP_PLAYBOOK, path=Path("http.yaml"))


# --- the process ------------------------------------------------------------------------------------------


@dataclass
class Process:
    """``leadgate listen``: as a process of its own, and for what it refuses in this one."""

    settings: Settings
    folder: Path
    descriptors: int | None = None  # open files that it may have

    def build_environment(self, playbook: str = HTTP_PLAYBOOK) -> dict[str, str]:
        path = self.folder / "http.yaml"
        path.write_text(playbook, encoding="utf-8")
        return {
            "LEADGATE_DATABASE_URL": self.settings.database_url or "",
            "LEADGATE_HOME": str(self.folder),
            "LEADGATE_KEY": self.settings.key or "",
            "LEADGATE_PLAYBOOK": str(path),
            **SECRETS,
        }

    def be_refused(self, playbook: str = HTTP_PLAYBOOK, **environment: str) -> Result:
        """What is said by a start that does not come to serving."""
        interval = sys.getswitchinterval()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("console.http.listening.Server", None)
                return CliRunner().invoke(app, ["listen"], env=self.build_environment(playbook) | environment)
        finally:
            sys.setswitchinterval(interval)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "console.http.listening", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            env=os.environ | self.build_environment() | environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=self._limit,
        )

    def _limit(self) -> None:
        if self.descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    @contextlib.contextmanager
    def running(self, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
        port = find_free_port()
        process = self.start("--port", str(port), **environment)
        client = Client(port)
        try:
            wait_for(lambda: _answers(client) or process.poll() is not None)
            assert process.poll() is None, process.communicate()
            yield process, client
        finally:
            process.kill()
            process.communicate()


def _answers(client: Client) -> bool:
    try:
        return client.get("/healthz").status == 200
    except OSError:
        return False


@pytest.fixture
def listening(settings: Settings, ledger: Ledger, tmp_path: Path) -> Process:
    return Process(settings, tmp_path)


def test_killed_in_the_middle_each_accepted_signal_is_in_the_ledger(listening: Process, harness: Harness) -> None:
    people = (make_lead(number) for number in itertools.count())
    reports: list[LoadReport] = []
    for _ in range(2):
        with listening.running() as (process, client):
            url = f"http://127.0.0.1:{client.port}/capture/website"

            def post(url: str = url, dead: Callable[[], Any] = process.poll) -> LoadReport:
                return asyncio.run(
                    load(url, SECRETS["LEADGATE_SECRET_WEBSITE"], people, seconds=120, stop=lambda: dead() is not None)
                )

            with ThreadPoolExecutor(1) as pool:
                posting = pool.submit(post)
                before = count_signals(harness)
                wait_for(lambda before=before: count_signals(harness) > before + 100)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                reports.append(posting.result())
    stored = {row[0] for row in harness.rows("SELECT id FROM signal")}
    accepted = {id_ for report in reports for id_ in report.ids}
    assert len(accepted) > 100
    assert accepted <= stored
    assert harness.one("SELECT count(*) FROM journey") == len(stored)
    assert any(report.errors for report in reports), "nothing was under way when it was killed"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_it_answers_what_had_begun(listening: Process, harness: Harness, how: signal.Signals) -> None:
    with listening.running() as (process, client), ThreadPoolExecutor(1) as pool:
        with writer_held(harness):
            begun = pool.submit(client.post, make_lead(1))
            wait_for(lambda: is_writer_waiting(harness))
            process.send_signal(how)
            time.sleep(0.3)
            assert process.poll() is None
        assert begun.result().status == 202
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert f"http://127.0.0.1:{client.port}/capture/website" in out
    assert err.splitlines()[0].startswith("Warning: ")
    assert "LEADGATE_SECRET_OLD holds a secret of the old signature" in err.splitlines()[0]
    assert err.splitlines()[1:] == [
        "Warning: LEADGATE_SECRET_UNSET is not set, so every request for the source unset is refused.",
        "Stopped. Every request that was answered with 202 is in the ledger.",
    ]
    assert not any(secret in out + err for secret in SECRETS.values())
    assert count_signals(harness) == 1


def test_a_port_that_is_taken_is_told(listening: Process) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = listening.be_refused(LEADGATE_CAPTURE_PORT=str(port))
    assert refused.exit_code == 3
    assert f"port {port} of 127.0.0.1 is taken" in " ".join(refused.stderr.split())


def test_a_playbook_without_such_a_source_is_refused(listening: Process) -> None:
    refused = listening.be_refused(PLAYBOOK, LEADGATE_CAPTURE_PORT=str(find_free_port()))
    assert refused.exit_code == 2
    assert "no source may post" in refused.stderr
    assert "http: {auth: hmac" in refused.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LEADGATE_SECRET_PARTNER": "x"}, "LEADGATE_SECRET_PARTNER holds a secret of 1 character"),
        ({"LEADGATE_SECRET_PARTNER": SECRETS["LEADGATE_SECRET_WEBSITE"]}, "holds a secret of 'website'"),
        ({"LEADGATE_METRICS_TOKEN": "x"}, "LEADGATE_METRICS_TOKEN holds a secret of 1 character"),
        ({"LEADGATE_TRUSTED_PROXIES": "my proxy"}, "LEADGATE_TRUSTED_PROXIES"),
    ],
)
def test_weak_and_shared_secrets_are_refused_at_the_start(
    listening: Process, variables: dict[str, str], words: str
) -> None:
    refused = listening.be_refused(LEADGATE_CAPTURE_PORT=str(find_free_port()), **variables)
    assert refused.exit_code == 2
    assert words in " ".join(refused.stderr.split())
    assert not any(secret in refused.output for secret in SECRETS.values())


def test_a_trusted_proxy_is_believed_about_its_senders(listening: Process, harness: Harness) -> None:
    with listening.running(LEADGATE_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8") as (_, client):
        forwarded = {"X-Forwarded-For": "192.0.2.1, 203.0.113.7, 10.1.2.3"}
        assert client.post(make_lead(1), **forwarded).status == 202
    assert harness.one("SELECT client_address FROM signal") == "203.0.113.7"


def test_it_lives_with_few_open_files(listening: Process, harness: Harness) -> None:
    """More connections than the system allows files: the honest one is served, and nothing is said about it."""
    few = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, few[1]), few[1]))  # ours, for the other ends
    listening.descriptors = 200
    with listening.running() as (process, client), contextlib.ExitStack() as stack:
        for number in range(500):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", client.port), timeout=10))
            with contextlib.suppress(OSError):
                half.sendall(b"POST /capture/website HTTP/1.1\r\nHost: x\r\n")
            if number % 50 == 0:
                assert client.post(make_lead(number)).status == 202
        assert client.post(make_lead(9_999)).status == 202
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    resource.setrlimit(resource.RLIMIT_NOFILE, few)
    assert len(err.splitlines()) <= 4
    assert count_signals(harness) == 11


def test_it_needs_neither_prefect_nor_great_expectations() -> None:
    program = "import console.http.listening, sys; print(sorted({'prefect', 'great_expectations'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_a_token_there_are_no_metrics(listening: Process) -> None:
    with listening.running() as (_, client):
        assert client.get("/metrics", authorization="Bearer ").status == 404


def test_errors_that_nobody_awaits_are_told_once_in_a_while_and_without_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loop, troubles = asyncio.new_event_loop(), _Troubles("http capture")
    for _ in range(1_000):
        troubles.say(loop, {"message": "out of system resource", "exception": OSError("jane@acme.example")})
    loop.close()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "OSError" in said
    assert "jane" not in said


# --- the page about it ------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")


def test_what_the_page_posts_is_accepted_by_the_bundled_playbook(listening: Process, harness: Harness) -> None:
    first, bearing, signing = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (library,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    variables = {
        name: subprocess.run(
            [sys.executable, "-m", "console.cli", *command.split()[1:]], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name, command in re.findall(r"^export (\w+)=\$\((.*)\)$", first, re.MULTILINE)
    }
    variables["LEADGATE_PLAYBOOK"] = str(ROOT / "leadgate" / "default_playbook.yaml")
    with listening.running(**variables) as (_, client):
        for program, block in (("bash", bearing), ("bash", signing), ("bash", signing), (sys.executable, library)):
            command = [program, "-euc" if program == "bash" else "-c", block.replace(":8420", f":{client.port}")]
            run = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
            assert list(json.loads(run.stdout)) == ["signals"], run.stdout
    assert harness.rows("SELECT source, key FROM signal WHERE key LIKE 'id:%' ORDER BY id") == [
        ("website", "id:f-1"),
        ("website", "id:f-2"),
        ("website", "id:f-3"),
    ]
    assert harness.one("SELECT count(*) FROM signal WHERE source = 'partner'") == 1


def test_the_page_has_every_answer() -> None:
    told = set(re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "console").rglob("*.py"))
    assert told == set(re.findall(r"RefusedError\(\s*(\d{3}),\s*\"(\w+)\"", sources))


def test_the_page_has_every_metric(client: Client) -> None:
    answer = client.get("/metrics", authorization=f"Bearer {TOKEN}")
    told = set(re.findall(r"^\| `(leadgate_\w+)` \|", PAGE, re.MULTILINE))
    assert told == set(re.findall(r"^# TYPE (\w+) ", answer.text, re.MULTILINE))
