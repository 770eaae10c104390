"""The command line as tests use it: in this process, on the test's ledger and playbook; and what commands leave."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import PLAYBOOK
from typer.testing import CliRunner, Result

from console.cli import app
from leadgate.settings import Settings

Cli = Callable[..., Result]


@pytest.fixture
def cli(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process, on the test's ledger and playbook."""
    playbook = tmp_path / "playbook.yaml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    assert settings.database_url is not None
    monkeypatch.setenv("LEADGATE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("LEADGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEADGATE_KEY", settings.key or "")
    monkeypatch.setenv("LEADGATE_PLAYBOOK", str(playbook))
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str | Path | int, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
        return result

    return run


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the operating system say that its user is another one."""

    def log_in_as(name: str) -> None:
        monkeypatch.setattr("console.command_context.find_login", lambda: name)

    return log_in_as


def join_lines(result: Result) -> str:
    """What a command printed, without its line breaks."""
    return " ".join(result.stdout.split())


def read_json(result: Result) -> Any:
    """What a command printed with ``--json``."""
    return json.loads(result.stdout)


def open_to_others(folder: Path) -> list[Path]:
    """What other users could read or write, were the folder above it open."""
    return [
        each
        for each in (folder, *folder.rglob("*"))
        if not each.is_symlink() and not stat.S_ISSOCK(each.lstat().st_mode) and each.lstat().st_mode & 0o077
    ]


@contextlib.contextmanager
def usual_umask() -> Iterator[None]:
    """Files are open to other users unless the code that makes them thinks of it."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
