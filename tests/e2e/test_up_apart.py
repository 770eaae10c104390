"""What the parts of ``leadgate up`` cannot be made to do: run the code of others, or tell one another's secrets.

One ``leadgate up`` for all of these tests, started in a folder with modules that are named as Leadgate's. The attacker
has the authentication string of the Prefect API, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from desk import PLAYBOOK
from served import Served, served, wait_until

from leadgate import source_secrets

SECRETS = {
    "LEADGATE_SECRET_WEBSITE": source_secrets.make(),
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
def running(tmp_path_factory: pytest.TempPathFactory, beside: Path) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("apart"), CONFIGURED, cwd=beside, **SECRETS) as up:
        yield up


class Attacker:
    """Somebody with the authentication string, and a file that exists once their code has run."""

    def __init__(self, running: Served, folder: Path) -> None:
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
def attacker(running: Served, tmp_path: Path) -> Attacker:
    return Attacker(running, tmp_path)


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


def environment_of(running: Served, part: str) -> str:
    state = json.loads((running.home / "up.json").read_text())
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
def test_a_part_gets_the_secrets_that_it_needs(running: Served, part: str, has: set[str]) -> None:
    told = environment_of(running, part)
    assert {name for name, value in SECRETS.items() if value in told} == has
    assert (running.auth in told) == (part != "capture")
    assert ("\0PREFECT_" in told) == (part != "capture")


def test_no_secret_is_in_a_command_line(running: Served) -> None:
    secrets = [*SECRETS.values(), running.auth, running.auth.partition(":")[2]]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            told = process.read_bytes().decode(errors="replace")
            assert not any(secret in told for secret in secrets), told


def test_modules_beside_the_working_folder_are_not_imported(running: Served, beside: Path) -> None:
    parts = json.loads((running.home / "up.json").read_text())["parts"]
    assert [each["restarts"] for each in parts] == [0] * len(parts)
    assert not (beside / "imported").exists()
