"""The program as a shell runs it: its version, a reader that goes away, the width of its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from leadgate.ledger import Ledger
from leadgate.settings import Settings

PROGRAM = [sys.executable, "-m", "console.cli"]
SIGPIPE_CODE = 141  # 128 + SIGPIPE, as a shell reports it


@pytest.fixture
def environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """The environment of the program on the test's ledger."""
    assert settings.database_url is not None
    return os.environ | {
        "LEADGATE_HOME": str(tmp_path / "home"),
        "LEADGATE_DATABASE_URL": settings.database_url,
        "LEADGATE_KEY": settings.key or "",
    }


#: A thread goes on after the command, until it is told to end; an exit handler tells what it said.
GOES_ON = """
import atexit, sys, threading
from console.cli import main

told = []
atexit.register(lambda: print("at exit:", *told))
threading.Thread(target=lambda: told.append(sys.stdin.readline().strip())).start()
sys.argv[1:] = ["version"]
main()
"""


def test_a_process_ends_after_its_threads_and_exit_handlers() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", GOES_ON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip()
    said, _ = process.communicate("later\n", timeout=120)
    assert said.split() == ["at", "exit:", "later"]
    assert process.returncode == 0


@pytest.mark.parametrize("arguments", [("playbook", "show"), ("summary",), ("--help",), ("status", "--json")])
def test_a_reader_that_goes_away_is_no_broken_invariant(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `| head` does once it has read enough
    with os.fdopen(writer, "wb") as gone:
        finished = subprocess.run([*PROGRAM, *arguments], stdout=gone, stderr=subprocess.PIPE, env=environment)

    assert finished.returncode == SIGPIPE_CODE
    assert b"Traceback" not in finished.stderr
    assert b"BrokenPipe" not in finished.stderr


def test_the_option_tells_the_version_as_the_command_does(environment: dict[str, str]) -> None:
    def tell(argument: str) -> str:
        return subprocess.run(
            [*PROGRAM, argument], capture_output=True, text=True, check=True, env=environment
        ).stdout.strip()

    assert tell("--version") == tell("version") != ""


def test_json_may_be_asked_for_before_the_command(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    monkeypatch.setenv("LEADGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEADGATE_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("LEADGATE_KEY", settings.key or "")
    for call in (["queue"], ["playbook", "check"]):
        before = CliRunner().invoke(app, ["--json", *call])
        assert json.loads(before.stdout) == json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert CliRunner().invoke(app, ["--json", "up"]).exit_code == 2


def test_a_refusal_that_nobody_reads_is_no_traceback(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        finished = subprocess.run([*PROGRAM, "explain", "nobody"], stdout=gone, stderr=gone, env=environment)
    assert finished.returncode == SIGPIPE_CODE


@pytest.mark.parametrize("width", [60, 160])
def test_a_pipe_is_as_wide_as_columns_says(width: int, environment: dict[str, str]) -> None:
    told = subprocess.run(
        [*PROGRAM, "summary"],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"COLUMNS": str(width)},
    ).stdout

    assert max(map(len, told.splitlines())) <= width


def test_every_command_has_a_name_and_a_help() -> None:
    assert all(command.callback is not None and command.callback.__doc__ for command in app.registered_commands)
