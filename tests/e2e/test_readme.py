"""The README is true: its commands run, what it shows is what they print, and the demo's files are what made them.

The commands run as one shell script, as somebody would type them, in a copy of ``examples/``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from openpyxl import load_workbook
from prefect_api import KeptServer

from leadgate.ledger import open_ledger
from leadgate.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def blocks(language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(README) if name == language]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, kept_server: KeptServer) -> str:
    """What all commands of the README print, one after the other. PostgreSQL and Prefect need not start for each."""
    kept_server.start()
    folder = tmp_path_factory.mktemp("readme")
    copytree(ROOT / "examples", folder / "examples")
    programs = Path(sys.executable).parent
    outside = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with open_ledger(Settings(home=folder / ".my-leads")):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks("sh"))],
            cwd=folder,
            env={**outside, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    return done.stdout


def test_every_command_runs_and_the_ledger_holds_afterwards(printed: str) -> None:
    assert "invariants hold" in printed.splitlines()[-1]


def test_the_excerpt_of_explain_is_what_explain_prints(printed: str) -> None:
    lines = {_plain(line) for line in printed.splitlines()}
    excerpt = next(block for block in blocks("text") if block.startswith("Lead "))

    shown = [_plain(line) for line in excerpt.splitlines() if line.strip() not in ("", "…")]

    assert len(shown) > 20
    assert [line for line in shown if line not in lines] == []


def _plain(line: str) -> str:
    """A line without what differs from run to run, and without the space that tables are aligned with."""
    return " ".join(_MOMENT.sub("MOMENT", line).split())


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = set(re.findall(r"\bmake ([a-z-]+)", "".join(blocks("text"))))

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
