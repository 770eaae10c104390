"""``leadgate up`` as the outside world sees it: one process tree on free ports, attacked first, and then killed in turn.

It is started once for all of these tests, in a folder with modules that are named as Leadgate's; that takes most of
their time, and they go on in the order of this file. An attacker has the authentication string of the Prefect API, and
nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from forked import wait_for
from free_ports import find_free_ports
from harness import PLAYBOOK
from running_up import SECRET, WITHIN, Up, is_alive, list_processes, running_up
from served import wait_until

SECRETS = {
    "LEADGATE_SECRET_WEBSITE": SECRET,
    "ADDRESS_OF_ANA": "json://127.0.0.1:9/planted-address",
    "LEADGATE_METRICS_TOKEN": "planted-token-of-metrics-1234567890",
    "AWS_SECRET_ACCESS_KEY": "planted-unrelated",
}
CONFIGURED = (
    PLAYBOOK.replace(
        "  website: {default_country: DE}\n",
        "  website: {default_country: DE, http: {auth: hmac, secret_env: LEADGATE_SECRET_WEBSITE}}\n",
    )
    + "notifications: [{to: ana, address_env: ADDRESS_OF_ANA}]\n"
)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modules that are named as Leadgate's, and do harm when they are imported."""
    folder = tmp_path_factory.mktemp("beside")
    harm = f"open({str(folder / 'imported')!r}, 'a').write(__name__)\nraise SystemExit('a module of somebody else')\n"
    for package in ("flows", "console", "leadgate", "prefect"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(harm)
    (folder / "tasks.py").write_text(harm)
    return folder


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, beside: Path) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("up"), CONFIGURED, beside, **SECRETS) as running:
        yield running


class Attacker:
    """Somebody with the authentication string, and a file that exists once their code has run."""

    def __init__(self, running: Up, folder: Path) -> None:
        self.url, self.done = f"{running.url}/api", folder / "done"
        self.session = requests.Session()
        self.session.auth = tuple(running.auth.split(":", 1))  # type: ignore[assignment]
        self.module = folder / "evil.py"
        self.module.write_text(
            f"open({str(self.done)!r}, 'w')\nfrom prefect import flow\n@flow(name='follow-up')\ndef evil(): pass\n"
        )
        (folder / "sitecustomize.py").write_text(f"open({str(self.done)!r}, 'w')\n")
        self.environment = {"PYTHONPATH": str(folder)}
        token = self.session.get(f"{self.url}/csrf-token", params={"client": "attacker"}, timeout=10).json()
        self.session.headers.update({"Prefect-Csrf-Token": token["token"], "Prefect-Csrf-Client": "attacker"})

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.url}/{path}", json=body, timeout=20)

    def deployment(self, flow: str, name: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"deployments/name/{flow}/{name}").json())

    def start(self, deployment: str, **more: Any) -> requests.Response:
        return self.ask("POST", f"deployments/{deployment}/create_flow_run", more)

    def state(self, run: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"flow_runs/{run}").json()["state"])

    def ended(self, run: str) -> dict[str, Any]:
        wait_until(lambda: self.state(run)["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"), "its end", 90)
        return self.state(run)

    def unlock(self) -> None:
        """Give the work pool the job template that Prefect gives it, which takes any command and environment."""
        from prefect.workers.process import ProcessWorker

        template = ProcessWorker.get_default_base_job_template()
        assert self.ask("PATCH", "work_pools/leadgate", {"base_job_template": template}).ok


@pytest.fixture
def attacker(up: Up, tmp_path: Path) -> Attacker:
    return Attacker(up, tmp_path)


# -- what it says, and whom it lets in ----------------------------------------------------------------------


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
    up.post_until_owned()
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
    from flows.runtime.server import PrefectAddress, PrefectError, find_running_server, is_answering, wait_until_ready

    url = f"http://127.0.0.1:{up.prefect}/api"
    auth = (up.home / "prefect" / "auth").read_text()
    assert is_answering(PrefectAddress(url, auth))
    assert not is_answering(PrefectAddress(url, "leadgate:another"))
    wait_until_ready(url, auth)
    with pytest.raises(PrefectError, match="it answers 401"):
        wait_until_ready(url, "leadgate:another")
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "address").write_text(url)
    (tmp_path / "prefect" / "auth").write_text("leadgate:another")
    assert find_running_server(tmp_path) is None
    assert find_running_server(up.home) == PrefectAddress(url, auth)


def test_a_second_one_is_refused(up: Up) -> None:
    second = up.run("up")
    assert (second.returncode, second.stdout) == (3, "")
    assert f"runs already for {up.home}" in " ".join(second.stderr.split())


PORTS = ["LEADGATE_PREFECT_PORT", "LEADGATE_CAPTURE_PORT", "LEADGATE_CONSOLE_PORT"]


@pytest.mark.parametrize("variable", PORTS)
def test_a_port_that_is_taken_is_refused_by_name(up: Up, tmp_path: Path, variable: str) -> None:
    ports = dict(zip(PORTS, find_free_ports(3), strict=True)) | {variable: up.capture}
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
        ["PostgreSQL", "Prefect", "intake", "worker", "capture", "console"], "up"
    )
    assert [each["alive"] for each in told["consumers"]] == [True]
    assert "What runs" in up.run("status").stdout


# -- the worker --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["command", "env", "working_dir", "stream_output"])
def test_job_variables_are_refused(attacker: Attacker, variable: str) -> None:
    values = {
        "command": f"touch {attacker.done}",
        "env": attacker.environment,
        "working_dir": "/",
        "stream_output": False,
    }
    answer = attacker.start(
        attacker.deployment("housekeeping", "housekeeping")["id"], job_variables={variable: values[variable]}
    )
    assert answer.status_code == 422, answer.text


def test_a_work_pool_that_was_unlocked_lets_no_command_and_no_environment_in(attacker: Attacker) -> None:
    attacker.unlock()
    variables = {"command": f"touch {attacker.done}", "env": attacker.environment}
    started = attacker.start(attacker.deployment("follow-up", "follow-up-check")["id"], job_variables=variables)
    assert started.ok, started.text
    assert attacker.ended(started.json()["id"])["type"] == "COMPLETED"
    assert not attacker.done.exists()


def test_code_that_a_deployment_names_is_not_loaded(attacker: Attacker) -> None:
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {attacker.done}"}}
    changed = {
        "name": "evil",
        "flow_id": attacker.deployment("follow-up", "follow-up-check")["flow_id"],
        "work_pool_name": "leadgate",
        "entrypoint": f"{attacker.module}:evil",
        "path": str(attacker.module.parent),
        "pull_steps": [shell],
    }
    made = attacker.ask("POST", "deployments/", changed)
    assert made.ok, made.text
    started = attacker.start(made.json()["id"])
    assert attacker.ended(started.json()["id"])["type"] == "COMPLETED"  # as Leadgate's own flow of that name
    assert not attacker.done.exists()


def test_a_flow_that_is_not_leadgates_is_refused(attacker: Attacker) -> None:
    flow = attacker.ask("POST", "flows/", {"name": "evil"}).json()["id"]
    made = attacker.ask(
        "POST",
        "deployments/",
        {
            "name": "evil",
            "flow_id": flow,
            "work_pool_name": "leadgate",
            "entrypoint": f"{attacker.module}:evil",
            "path": str(attacker.module.parent),
        },
    )
    state = attacker.ended(attacker.start(made.json()["id"]).json()["id"])
    assert state["type"] == "CRASHED"
    assert "no flow of Leadgate" in state["message"]
    assert not attacker.done.exists()


# -- their environment and folder --------------------------------------------------------------------------


def environment_of(up: Up, part: str) -> str:
    state = json.loads((up.home / "up.json").read_text())
    pid = next(each["pid"] for each in state["parts"] if each["name"] == part)
    return Path(f"/proc/{pid}/environ").read_bytes().decode()


@pytest.mark.parametrize(
    ("part", "has"),
    [
        ("Prefect", set[str]()),
        ("intake", {"ADDRESS_OF_ANA"}),
        ("worker", {"ADDRESS_OF_ANA"}),
        ("capture", {"LEADGATE_SECRET_WEBSITE", "LEADGATE_METRICS_TOKEN"}),
    ],
)
def test_a_part_gets_the_secrets_that_it_needs(up: Up, part: str, has: set[str]) -> None:
    told = environment_of(up, part)
    assert {name for name, value in SECRETS.items() if value in told} == has
    assert (up.auth in told) == (part != "capture")
    assert ("\0PREFECT_" in told) == (part != "capture")


def test_no_secret_is_in_a_command_line(up: Up) -> None:
    secrets = [*SECRETS.values(), up.auth, up.auth.partition(":")[2]]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            told = process.read_bytes().decode(errors="replace")
            assert not any(secret in told for secret in secrets), told


def test_modules_beside_the_working_folder_are_not_imported(up: Up, beside: Path) -> None:
    parts = json.loads((up.home / "up.json").read_text())["parts"]
    assert [each["restarts"] for each in parts] == [0] * len(parts)
    assert not (beside / "imported").exists()


# -- what is killed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["intake", "capture", "Prefect", "PostgreSQL"])
def test_what_is_killed_comes_back_and_leads_go_on(up: Up, part: str) -> None:
    before = up.pid(part)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: not is_alive(before), WITHIN)
    up.post_until_owned()
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
    wait_for(lambda: not is_alive(prefect), WITHIN)
    wait_for(lambda: not is_alive(intake), WITHIN)
    up.post_until_owned()
    verified = up.run("verify")
    assert verified.returncode == 0, verified.stdout


def test_ctrl_c_ends_everything(up: Up) -> None:
    assert up.process is not None
    postmaster = up.pid("PostgreSQL")
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(WITHIN) == 0
    assert "stopped; what was accepted is kept" in up.said
    wait_for(lambda: not is_alive(postmaster), WITHIN)
    deadline = time.monotonic() + WITHIN
    while left := list_processes(up.home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert not (up.home / "up.json").exists()
    assert not (up.home / "prefect" / "address").exists()
    assert up.run("work").returncode == 3  # no Prefect server
