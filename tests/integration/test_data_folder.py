"""The data folder: closed to the other users of the machine, and everything that is made in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import open_to_others, usual_umask
from harness import PLAYBOOK
from typer.testing import CliRunner

from console.cli import app
from leadgate.data_folder import DataFolderError, prepare
from leadgate.ledger import LedgerError, open_ledger
from leadgate.settings import Settings


@pytest.fixture(autouse=True)
def with_usual_umask() -> Iterator[None]:
    with usual_umask():
        yield


def leadgate(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))}
    environment = outside | {"LEADGATE_HOME": str(home), "LEADGATE_PLAYBOOK": str(home.parent / "playbook.yaml")}
    return subprocess.run(
        [sys.executable, "-m", "console.cli", *arguments], env=environment, capture_output=True, text=True, check=False
    )


READS = [
    ("status",), ("summary",), ("queue",), ("queue", "--json"), ("explain", "1"), ("report",), ("verify",), ("review",),
    ("review", "W1"), ("playbook", "show", "abc"), ("rerun", "--work-item", "1"), ("accept", "1"), ("deliver",),
]  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which nobody has used Leadgate, as the current one; no variable says where the ledger is."""
    for name in os.environ:
        if name.startswith("LEADGATE_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("call", READS, ids=" ".join)
def test_a_command_about_what_was_captured_makes_nothing_where_nothing_is(
    elsewhere: Path, call: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    for told in (str(elsewhere / ".leadgate"), "LEADGATE_HOME", "leadgate capture", "--home"):
        assert told in result.stderr
    assert list(elsewhere.iterdir()) == []


def test_a_data_folder_that_nobody_named_is_told(elsewhere: Path) -> None:
    with open_ledger(Settings(home=elsewhere / ".leadgate")):
        assert str(elsewhere / ".leadgate") in CliRunner().invoke(app, ["summary"]).stderr
        named = CliRunner().invoke(app, ["--home", str(elsewhere / ".leadgate"), "summary"])
        assert (named.exit_code, named.stderr) == (0, "")


def test_a_report_is_made_as_the_user_makes_files_and_an_export_of_leads_is_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK)
    leads = tmp_path / "leads.csv"
    leads.write_text("Email,Last name\nann at example,Ann\n")
    assert leadgate(home, "capture", str(leads), "--source", "website").returncode == 0
    for command in (
        ("report", "--html", str(tmp_path / "report.html"), "--csv", str(tmp_path / "tables")),
        ("queue", "--csv", str(tmp_path / "queue.csv")),
        ("playbook", "init", str(tmp_path / "team")),
    ):
        done = leadgate(home, *command)
        assert done.returncode == 0, done.stderr
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("report.html", "tables", "queue.csv", "team")
    }
    assert modes == {"report.html": 0o644, "tables": 0o755, "queue.csv": 0o600, "team": 0o755}


def test_an_open_data_folder_is_closed_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "intake.log").write_text("a line")
    (home / "elsewhere").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("not ours")
    for _ in range(2):
        prepare(home)
    assert open_to_others(home) == []
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o644
    assert [str(home) in record.getMessage() for record in caplog.records] == [True]


def test_a_folder_that_holds_other_things_is_not_closed_but_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("not Leadgate's")
    with (
        pytest.raises(LedgerError, match="holds more than Leadgate's data") as refused,
        open_ledger(Settings(home=home)),
    ):
        pass
    assert f"chmod 700 {home}" in str(refused.value)
    assert "LEADGATE_HOME" in str(refused.value)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    home.chmod(0o700)
    prepare(home)


def test_a_folder_for_everybody_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "everybody"
    (home / "logs").mkdir(parents=True)
    home.chmod(0o1777)
    with pytest.raises(DataFolderError):
        prepare(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o1777
