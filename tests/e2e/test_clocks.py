"""Hosts with clocks of their own on one ledger: consumers, HTTP capture and a run, each a process (``skewed``).

One clock is 20 minutes ahead, one 90 seconds; nothing in the ledger and nothing that is sent shows it. And a host that
is further off than it may be takes nothing until its clock is right.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import skewed
from free_ports import find_free_port
from harness import Harness, make_lead
from posting import HTTP_PLAYBOOK, SECRETS, Client, build_auth_headers
from receiver import Receiver, receiving
from served import wait_until
from stub_gates import pass_all
from typer.testing import CliRunner

from console.cli import app
from leadgate import playbook as playbooks
from leadgate.ledger import consumers
from leadgate.ledger.clock import ask_time
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.batches import run_waiting

AHEAD = 1200.0  # seconds
#: The first touch is due in half an hour, and the owner is reminded after a quarter: sooner than the wrong clock is off.
CLOCKED = (
    HTTP_PLAYBOOK.replace("first_touch: 4h", "first_touch: 30m\n    clock: wall")
    # each message by itself: a host that is slow to send would find enough of them for a digest
    + "\nnotifications: [{to: everybody, address_env: NOTIFY_EVERYBODY, digest_from: null}]\n"
)
WITHIN = 240.0  # seconds for processes that start beside one another, on a machine that may have other work


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(CLOCKED, path=Path("clocks.yaml"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def environment(settings: Settings, server: str, tmp_path: Path, receiver: Receiver) -> dict[str, str]:
    playbook = tmp_path / "clocks.yaml"
    playbook.write_text(CLOCKED, encoding="utf-8")
    return {
        "LEADGATE_DATABASE_URL": settings.database_url or "",
        "LEADGATE_HOME": str(settings.home),
        "LEADGATE_KEY": settings.key or "",
        "LEADGATE_PLAYBOOK": str(playbook),
        "PREFECT_API_URL": server,
        "NOTIFY_EVERYBODY": receiver.address.replace("rto=1", "rto=30"),
        **SECRETS,
    }


@contextlib.contextmanager
def running(skew: float, *arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = skewed.start(skew, *arguments, environment=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def doing(harness: Harness) -> dict[str, str]:
    """What each consumer that lives does, by its host."""
    return {each.host: each.doing for each in consumers.list_consumers(harness.ledger) if each.alive}


def owned(harness: Harness, count: int) -> Callable[[], bool]:
    return lambda: harness.count_statuses() == {"owned": count}


def post(client: Client, *numbers: int) -> None:
    for number in numbers:
        body = json.dumps(make_lead(number)).encode()
        headers = {"Content-Type": "application/json"} | build_auth_headers("website", body)
        assert client.send("POST", "/capture/website", body, headers).status == 202


def answers(client: Client) -> bool:
    with contextlib.suppress(OSError):
        return client.get("/healthz").status == 200
    return False


def test_hosts_whose_clocks_differ_work_by_the_ledgers(
    harness: Harness, environment: dict[str, str], receiver: Receiver
) -> None:
    environment["LEADGATE_CLOCK_SKEW_LIMIT"] = str(2 * AHEAD)
    harness.capture(make_lead(0), now=ask_time(harness.ledger))
    run_waiting(harness.worker(), kinds=("intake",), check=pass_all)  # on a host whose clock is right
    receiver.slow = 0.2  # so that each message is on its way while another host looks
    port = find_free_port()
    client = Client(port)
    with (
        running(90.0, "listen", "--port", str(port), environment=environment),
        running(AHEAD, "work", environment=environment),
    ):
        with running(0.0, "work", environment=environment):
            wait_until(lambda: answers(client), "HTTP capture", WITHIN)
            wait_until(lambda: list(doing(harness).values()) == ["waits for leads"] * 2, "two consumers", WITHIN)
            post(client, *range(1, 16))
            wait_until(owned(harness, 16), "an owner for each")
        post(client, *range(16, 31))  # for the host that is ahead alone
        wait_until(owned(harness, 31), "an owner for each")
        wait_until(lambda: harness.one("SELECT count(*) FROM outbox WHERE delivered_at IS NULL") == 0, "messages", 60)
    assert Counter(Counter(receiver.keys).values()) == {1: 31}  # no message twice
    late = "SELECT max(abs(extract(epoch FROM {}))) FROM assignment a JOIN journey j ON j.id = a.journey_id"
    assert harness.one(late.format("a.assigned_at - j.captured_at")) < 60
    assert harness.one(late.format("a.due_at - a.assigned_at - interval '30 minutes'")) == 0
    assert abs((ask_time(harness.ledger) - harness.one("SELECT max(captured_at) FROM journey")).total_seconds()) < 120

    check = skewed.start(AHEAD, "run", environment=environment, stdout=subprocess.DEVNULL)
    assert check.wait(120) == 0
    assert harness.rows("SELECT DISTINCT kind FROM outbox") == [("lead_assigned",)]  # nobody is reminded early
    assert harness.count_statuses() == {"owned": 31}
    assert harness.one("SELECT count(*) FROM batch WHERE as_of") == 0
    assert harness.find_broken() == []


def status(environment: dict[str, str]) -> tuple[int, dict[str, Any], str]:
    """The exit code of ``leadgate status`` on this host, what it prints with ``--json``, and what it prints without."""
    as_data, shown = (
        CliRunner().invoke(app, ["status", *options], env=environment) for options in (["--json"], list[str]())
    )
    assert as_data.exit_code == shown.exit_code
    return shown.exit_code, json.loads(as_data.stdout), " ".join(shown.stdout.split())


def test_a_host_whose_clock_is_too_far_off_takes_nothing_until_it_is_right(
    harness: Harness, environment: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    harness.capture(make_lead(1), now=ask_time(harness.ledger))
    log = tmp_path / "work.log"
    with log.open("w") as output:
        process = skewed.start(AHEAD, "work", environment=environment, stdout=output)
        try:
            wait_until(lambda: "takes nothing" in "".join(doing(harness).values()), "a word about its clock", WITHIN)
            assert harness.count_statuses() == {"ready": 1}
            assert "this host's clock is ahead of the ledger's by 1200 s" in log.read_text()
            code, told, shown = status(environment)
            (host,) = told["hosts"]
            assert (code, told["well"], host["too_far_off"], host["name"]) == (1, False, True, "host+1200s")
            assert host["skew_seconds"] == pytest.approx(AHEAD, abs=10)
            assert "Consumers of host+1200s take nothing while its clock is ahead of the ledger's by 1200 s" in shown

            run = skewed.start(AHEAD, "run", environment=environment, stderr=subprocess.PIPE)
            _, refused = run.communicate(timeout=60)
            assert run.returncode != 0
            assert "LEADGATE_CLOCK_SKEW_LIMIT" in refused
            assert harness.count_statuses() == {"ready": 1}

            process.send_signal(skewed.MENDED)
            wait_until(owned(harness, 1), "its clock is right again, so it works", WITHIN)
            wait_until(lambda: len(receiver.keys) == 1, "a message")
            assert "right again" in log.read_text()
            wait_until(lambda: status(environment)[0] == 0, "a good status")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert harness.find_broken() == []
