"""Two ``leadgate run`` at once in a data folder that is not there yet: a scheduler may call it while a person does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_two_first_runs_at_once_do_no_harm(tmp_path: Path) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "console.cli", "run", "--json"],
            env={**others, "LEADGATE_HOME": str(tmp_path / "home")},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], [errors[-2_000:] for _, errors in ended]
    assert [json.loads(said)["batches"] for said, _ in ended] == [[], []]
