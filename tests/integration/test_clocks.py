"""A host whose clock is wrong: what it captures, decides and delivers goes by the ledger's clock.

The commands run in processes of their own, each on a host with a clock of its own (``skewed``).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import skewed
from forked import wait_for
from free_ports import find_free_port
from harness import Harness, make_lead, write_csv
from posting import HTTP_PLAYBOOK, SECRETS, TOKEN, Client, build_auth_headers
from receiver import Receiver, receiving
from sqlalchemy import text
from stub_gates import pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import hosts
from leadgate.ledger.clock import ask_time, read_time
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.batches import run_waiting

__all__ = ["write_csv"]

NOTIFIED = HTTP_PLAYBOOK + "\nnotifications: [{to: everybody, address_env: NOTIFY_EVERYBODY}]\n"
AHEAD, BEHIND = 1200.0, -1200.0  # seconds
CLOSE = timedelta(seconds=60)  # far less than any clock here is off, and more than a busy machine is late


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(NOTIFIED, path=Path("clocks.yaml"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def environment(settings: Settings, tmp_path: Path, receiver: Receiver) -> dict[str, str]:
    playbook = tmp_path / "clocks.yaml"
    playbook.write_text(NOTIFIED, encoding="utf-8")
    return {
        "LEADGATE_DATABASE_URL": settings.database_url or "",
        "LEADGATE_HOME": str(settings.home),
        "LEADGATE_KEY": settings.key or "",
        "LEADGATE_PLAYBOOK": str(playbook),
        "NOTIFY_EVERYBODY": receiver.address.replace("rto=1", "rto=30"),
        **SECRETS,
    }


def leadgate(skew: float, *arguments: Any, environment: dict[str, str], code: int = 0) -> Any:
    """What a command prints with ``--json`` on a host whose clock is ``skew`` seconds ahead."""
    return skewed.fork(skew, *map(str, arguments), environment=environment, code=code).result()


@contextlib.contextmanager
def listening(skew: float, environment: dict[str, str]) -> Iterator[Client]:
    port = find_free_port()
    process = skewed.start(skew, "listen", "--port", str(port), environment=environment, stdout=subprocess.DEVNULL)
    client = Client(port)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return client.get("/healthz").status == 200
        return False

    try:
        wait_for(lambda: answers() or process.poll() is not None, 60)
        yield client
    finally:
        process.terminate()
        process.wait(30)


def run(harness: Harness, now: datetime | None = None) -> None:
    run_waiting(harness.worker(), lambda: now, kinds=("intake", "follow_up"), check=pass_all)


def test_the_ledger_tells_the_time_and_a_moment_that_is_given_wins(harness: Harness) -> None:
    given = datetime(2026, 3, 2, tzinfo=UTC)
    with harness.ledger.transaction() as connection:
        read, later = read_time(connection), read_time(connection)
        assert read < later  # not the beginning of the transaction
        assert read_time(connection, given) == given
    assert later <= ask_time(harness.ledger)
    assert ask_time(harness.ledger, given) == given


@pytest.mark.parametrize("skew", [AHEAD, BEHIND])
def test_what_a_skewed_host_captures_from_a_file_does_not_wait(
    harness: Harness, environment: dict[str, str], write_csv: Any, skew: float
) -> None:
    file = write_csv([make_lead(1)])
    assert leadgate(skew, "capture", file, "--source", "files", environment=environment)["new"] == 1
    assert abs(harness.one("SELECT captured_at FROM journey") - ask_time(harness.ledger)) < CLOSE
    run(harness)
    assert harness.count_statuses() == {"owned": 1}


@pytest.mark.parametrize("skew", [90.0, AHEAD, BEHIND])
def test_what_is_posted_to_a_skewed_host_is_admitted_and_does_not_wait(
    harness: Harness, environment: dict[str, str], skew: float
) -> None:
    body = json.dumps(make_lead(1)).encode()
    with listening(skew, environment) as client:
        assert client.post(body).status == 202  # signed by a sender whose clock is right
        stale = build_auth_headers("website", body, time.time() + skew + (310 if skew > 0 else -310))
        assert client.post(body, **{name.replace("-", "_"): value for name, value in stale.items()}).status == 401
    assert abs(harness.one("SELECT captured_at FROM journey") - ask_time(harness.ledger)) < CLOSE
    run(harness)
    assert harness.count_statuses() == {"owned": 1}


def test_http_capture_tells_how_far_its_clock_is_off(harness: Harness, environment: dict[str, str]) -> None:
    with listening(BEHIND, environment | {"LEADGATE_METRICS_TOKEN": TOKEN}) as client:
        page = client.get("/metrics", Authorization=f"Bearer {TOKEN}").text
    (told,) = [line.split()[1] for line in page.splitlines() if line.startswith("leadgate_clock_skew_seconds ")]
    assert float(told) == pytest.approx(BEHIND, abs=10)
    (host,) = hosts.list_measured(harness.ledger, 60)
    assert (host.name, host.skew.is_beyond(30)) == ("host-1200s", True)


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "off"), [(31, 0, True), (-31, 0, True), (29, 0, False), (31, 2, False), (-40, 2, True)]
)
def test_a_slow_answer_is_no_wrong_clock(seconds: float, uncertainty: float, off: bool) -> None:
    assert hosts.Skew(seconds, uncertainty).is_beyond(30) == off


def test_no_message_goes_out_twice_because_a_clock_is_ahead(
    harness: Harness, environment: dict[str, str], receiver: Receiver
) -> None:
    harness.capture(*(make_lead(number) for number in range(1, 13)), now=ask_time(harness.ledger))
    run(harness)
    receiver.slow = 0.5  # so that each is on its way while the other host looks
    hosts = [skewed.fork(skew, "deliver", environment=environment) for skew in (0.0, AHEAD)]
    reports = [host.result() for host in hosts]
    assert len(receiver.keys) == 12
    assert Counter(receiver.keys).most_common(1)[0][1] == 1
    assert sum(report["delivered"] for report in reports) == 12
    assert abs(harness.one("SELECT max(delivered_at) FROM outbox") - ask_time(harness.ledger)) < CLOSE


def test_a_failed_message_is_tried_again_by_the_ledgers_clock(
    harness: Harness, environment: dict[str, str], receiver: Receiver
) -> None:
    harness.capture(make_lead(1), now=ask_time(harness.ledger))
    run(harness)
    receiver.answer = 500
    assert leadgate(AHEAD, "deliver", environment=environment)["failed"] == 1
    wait = harness.one("SELECT retry_at FROM outbox") - ask_time(harness.ledger)
    assert wait < CLOSE
    receiver.answer = 200
    with harness.ledger.transaction() as connection:  # later than a slow machine is, sooner than the clock is off
        connection.execute(text("UPDATE outbox SET retry_at = clock_timestamp() + interval '10 minutes'"))
    assert leadgate(AHEAD, "deliver", environment=environment)["later"] == 1
    assert receiver.messages == []


@pytest.mark.parametrize("skew", [AHEAD, BEHIND])
def test_what_an_owner_does_on_a_skewed_host_is_dated_right(
    harness: Harness, environment: dict[str, str], skew: float
) -> None:
    harness.capture(make_lead(1), now=ask_time(harness.ledger))
    run(harness)
    leadgate(skew, "accept", "J1", "--for", "mia", environment=environment)
    assert abs(harness.one("SELECT accepted_at FROM assignment") - ask_time(harness.ledger)) < CLOSE


def test_what_waits_has_its_age_by_the_ledgers_clock(harness: Harness, environment: dict[str, str]) -> None:
    harness.capture(make_lead(1), now=ask_time(harness.ledger))
    harness.ledger.engine.dispose()
    told = leadgate(AHEAD, "status", environment=environment, code=1)  # nobody takes what waits
    assert 0 <= told["waiting"]["oldest_seconds"] < CLOSE.total_seconds()
