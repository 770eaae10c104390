"""The README is true: its commands run, what it shows is what they print, and the demo's files are what made them.

The commands run as one shell script, as somebody would type them, in a copy of ``examples/``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook
from page_commands import list_blocks, list_not_printed, run_commands
from prefect_api import KeptServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, kept_server: KeptServer, programs: Path) -> str:
    """What all commands of the README print, one after the other. PostgreSQL and Prefect need not start for each."""
    kept_server.start()
    return run_commands(README, tmp_path_factory.mktemp("readme"), ".my-leads", programs)


def test_every_command_runs_and_the_ledger_holds_afterwards(printed: str) -> None:
    assert "invariants hold" in printed.splitlines()[-1]


def test_the_excerpt_of_explain_is_what_explain_prints(printed: str) -> None:
    excerpt = next(block for block in list_blocks(README, "text") if block.startswith("Lead "))

    assert len(excerpt.splitlines()) > 20
    assert list_not_printed(excerpt, printed) == []


def test_the_program_that_is_installed_is_the_one_that_runs_them(programs: Path) -> None:
    installed = Path(sys.executable).parent / "leadgate"
    told = [
        subprocess.run([program, "--version"], capture_output=True) for program in (installed, programs / "leadgate")
    ]
    assert (told[0].returncode, told[0].stdout, told[0].stderr) == (told[1].returncode, told[1].stdout, told[1].stderr)
    assert told[0].stdout
    refused = [subprocess.run([p, "queue", "--limit"], capture_output=True) for p in (installed, programs / "leadgate")]
    assert [each.returncode for each in refused] == [2, 2]
    assert refused[0].stderr == refused[1].stderr != b""


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = set(re.findall(r"\bmake ([a-z-]+)", "".join(list_blocks(README, "text"))))

    assert asked >= {"demo", "test"}
    assert asked <= targets


def test_the_demo_captures_every_source_of_examples_with_the_right_name() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    captured = dict(re.findall(r"capture examples/(\S+) --source (\w+)", recipe))

    assert captured == {
        "website.csv": "website",
        "trade_show.csv": "trade_show",
        "partner.jsonl": "partner",
        "linkedin_ads.xlsx": "linkedin_ads",
        "webinar.csv": "webinar",
        "activities.csv": "activities",
    }


def test_the_script_beside_the_examples_makes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "examples" / "make_signals.py"), str(tmp_path)], check=True)
    made = sorted(path.name for path in tmp_path.iterdir())

    assert made == sorted(p.name for p in (ROOT / "examples").iterdir() if p.suffix != ".py" and p.is_file())
    for name in made:
        if name.endswith(".xlsx"):  # holds the time at which it was made
            assert _cells(tmp_path / name) == _cells(ROOT / "examples" / name)
        else:
            assert (tmp_path / name).read_bytes() == (ROOT / "examples" / name).read_bytes(), name


def _cells(path: Path) -> list[tuple[object, ...]]:
    return [tuple(row) for row in load_workbook(path).worksheets[0].iter_rows(values_only=True)]
