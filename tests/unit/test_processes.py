"""What tests do in several processes is heard by the one that reports: ``--processes``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scheduling import group_tests

TESTS = Path(__file__).parents[1]
CONFTEST = "from processes import add_option as pytest_addoption, share_tests as pytest_configure\n"
FILES = {
    "test_first.py": """
import os, warnings, pytest

def test_passes(tmp_path):
    warnings.warn("seen from afar")
    (tmp_path / "mine").write_text(str(os.getpid()))

def test_fails():
    print("what it printed")
    assert 1 == 2

@pytest.mark.skip(reason="not now")
def test_is_skipped(): ...
""",
    "test_second.py": """
import os

def test_before(): ...
def test_ends_its_process(): os._exit(7)
def test_after(): ...
""",
    "test_third.py": """
import pytest

@pytest.fixture(scope="session")
def kept():
    yield
    raise ValueError("taken down")

def test_that_is_left_badly(kept): ...
""",
}


def test_each_outcome_is_reported_and_a_process_that_ends_fails_its_test_alone(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--processes=2",
            "-q",
            "-rsfE",
            f"--rootdir={tmp_path}",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    summary = done.stdout.splitlines()
    assert "2 failed, 4 passed, 1 skipped, 1 warning, 1 error" in summary[-1]
    assert "what it printed" in summary
    assert any("not now" in line for line in summary)
    assert any("seen from afar" in line for line in summary)
    failed = {line.partition(" - ")[0] for line in summary if line.startswith(("FAILED", "ERROR"))}
    assert failed == {
        "FAILED test_first.py::test_fails",
        "FAILED test_second.py::test_ends_its_process",
        "ERROR test_third.py::test_that_is_left_badly",
    }
    assert any("ended in the middle of it (7)" in line for line in summary)


def test_files_that_share_a_prefect_server_are_in_one_process() -> None:
    files = ["e2e/test_attacks", "e2e/test_clocks", "e2e/test_two_runs", "e2e/test_flows", "unit/test_clocks"]
    tests = [f"tests/{file}.py::test_{name}" for file in files for name in "ab"]
    assert group_tests(tests) == [[0, 1], [2, 3, 6, 7], [4, 5], [8, 9]]
