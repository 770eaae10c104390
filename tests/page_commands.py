"""The commands of a page of the documentation, run as one shell script, as somebody would type them.

The pages promise that every command of theirs can be pasted, and that what they show is what is printed.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from shutil import copytree

from leadgate.ledger import open_ledger
from leadgate.settings import Settings

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def list_blocks(page: str, language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(page) if name == language]


def run_commands(page: str, folder: Path, home: str, programs: Path) -> str:
    """What all commands of ``page`` print, in a copy of ``examples/``. PostgreSQL serves ``home``, below ``folder``,
    meanwhile, so that it need not start for each. ``leadgate`` is that of the folder ``programs``."""
    copytree(ROOT / "examples", folder / "examples")
    outside = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with open_ledger(Settings(home=folder / home)):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(list_blocks(page, "sh"))],
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


def list_not_printed(excerpt: str, printed: str) -> list[str]:
    """The lines of an excerpt that were not printed, moments aside. An ellipsis stands for lines that are left out."""
    lines = {_plain(line) for line in printed.splitlines()}
    shown = [_plain(line) for line in excerpt.splitlines() if line.strip() not in ("", "…")]
    return [line for line in shown if line not in lines]


def _plain(line: str) -> str:
    """A line without what differs from run to run, and without the space that tables are aligned with."""
    return " ".join(_MOMENT.sub("MOMENT", line).split())
