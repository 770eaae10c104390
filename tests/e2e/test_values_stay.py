"""Values of leads stay in the ledger: not in files of the data folder, not in Prefect, whatever goes wrong. And those
files are their owner's alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import open_to_others, usual_umask
from harness import PLAYBOOK
from sqlalchemy import create_engine, text

from flows.runtime.server import open_prefect_server, wait_until_ready
from leadgate.ledger import Ledger, open_ledger
from leadgate.settings import Settings

MARKER = "zqmarker"
ROWS = [
    {
        "Email": f"{MARKER}{number}@{MARKER}.example",
        "First name": f"{MARKER}-first",
        "Last name": f"{MARKER}-last",
        "Company": f"{MARKER} company",
        "Phone": f"+49 30 {MARKER}" if number % 2 else f"+4930{1234000 + number}",
        "Message": f"{MARKER} message",
        "City": f"{MARKER} city",
        f"Column {MARKER}": f"{MARKER} other",
    }
    for number in range(6)
]


def environment(home: Path) -> dict[str, str]:
    """What commands on this data folder get: nothing of Leadgate or Prefect that other tests have set."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))}
    return outside | {
        "LEADGATE_HOME": str(home),
        "LEADGATE_PLAYBOOK": str(home.parent / "playbook.yaml"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


#: All commands in one process, as each by itself would import Prefect and Great Expectations again. For each file: its
#: leads are captured, and what waits is run while the table beside it refuses every row. Retries do not wait.
PROGRAM = """
import sys, traceback
from sqlalchemy import text
from console.cli.program import run
from leadgate.ledger import open_ledger
from leadgate.settings import Settings
from tasks import stage_task

stage_task.RETRY_AFTER = (0.0, 0.0)

def leadgate(*arguments):
    sys.argv = ["leadgate", *arguments]
    try:
        run()
    except SystemExit as end:
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1

def execute(statement):
    with ledger.transaction() as connection:
        connection.execute(text(statement))

with open_ledger(Settings.from_environment()) as ledger:
    for file, table in zip(sys.argv[1::2], sys.argv[2::2]):
        for stream in (sys.stdout, sys.stderr):
            print(f"-- {table}", file=stream, flush=True)
        assert leadgate("capture", file, "--source", "website") == 0
        if table != "none":
            execute(f"ALTER TABLE {table} ADD CONSTRAINT planted CHECK (false) NOT VALID")
        leadgate("run")
        if table != "none":
            execute(f"ALTER TABLE {table} DROP CONSTRAINT planted")
"""
#: A fault of the database has the whole row in its DETAIL. In the end there is none, and leads go through.
REFUSING = {"first": "lead", "second": "handoff", "third": "none"}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A data folder after runs that held leads, that failed in the database, and that could not read a line."""
    folder = tmp_path_factory.mktemp("used")
    home = folder / "home"
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    arguments = []
    for name, table in REFUSING.items():
        file = folder / f"{name}.jsonl"
        rows = [row | {"Email": f"{name}{row['Email']}"} for row in ROWS]
        file.write_text("\n".join([*map(json.dumps, rows), f'{{"Email": "{MARKER}', ""]))
        arguments += [str(file), table]
    with (
        usual_umask(),
        open_ledger(Settings(home=home)) as ledger,
        patch.dict(os.environ, environment(home), clear=True),
        open_prefect_server(ledger) as url,
    ):
        wait_until_ready(url)
        done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for said in (done.stdout, done.stderr):
            of_failures, end, _ = said.partition("-- none\n")
            assert end
            assert MARKER not in of_failures
        yield ledger


def test_the_leads_are_in_the_ledger(used: Ledger) -> None:
    with used.transaction() as connection:
        found = connection.execute(text("SELECT count(*) FROM lead WHERE email LIKE :m"), {"m": f"%{MARKER}%"})
        assert found.scalar_one() > 0


def test_no_file_but_the_servers_own_holds_a_value(used: Ledger) -> None:
    home = used.home
    files = [each for each in home.rglob("*") if each.is_file() and each.parts[len(home.parts)] != "postgresql"]
    files.append(home / "postgresql" / "log")
    assert len(files) > 3
    assert [str(each) for each in files if MARKER.encode() in each.read_bytes().lower()] == []


def test_everything_that_a_run_leaves_is_the_owners_alone(used: Ledger) -> None:
    home = used.home
    assert (home / "prefect" / "server.log").exists()
    assert open_to_others(home) == []


def test_prefect_knows_no_value(used: Ledger) -> None:
    ledger = used
    engine = create_engine(ledger.engine.url.set(username="prefect", database="prefect"))
    with engine.connect() as connection:
        columns = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND (data_type IN ('text', 'character varying', 'json', 'jsonb') OR udt_name ILIKE '%text%')"
            )
        ).all()
        states = connection.execute(text("SELECT count(*) FROM flow_run_state")).scalar_one()
        told = {
            (table, column): connection.execute(
                text(f'SELECT left("{column}"::text, 300) FROM "{table}" WHERE "{column}"::text ILIKE :m LIMIT 1'),
                {"m": f"%{MARKER}%"},
            ).scalar()
            for table, column in columns
        }
    engine.dispose()
    assert states > 3
    assert {place: value for place, value in told.items() if value is not None} == {}
