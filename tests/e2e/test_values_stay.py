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
#: A fault of the database whose DETAIL is the whole row.
REFUSES = "ALTER TABLE {table} ADD CONSTRAINT planted CHECK (false) NOT VALID"


def environment(home: Path) -> dict[str, str]:
    """What commands on this data folder get: nothing of Leadgate or Prefect that other tests have set."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "PREFECT_"))}
    return outside | {
        "LEADGATE_HOME": str(home),
        "LEADGATE_PLAYBOOK": str(home.parent / "playbook.yaml"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def leadgate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, str]]:
    """A data folder after runs that held leads, that failed in the database, and that could not read a line; and what
    the commands said of the failures."""
    folder = tmp_path_factory.mktemp("used")
    home = folder / "home"
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    said = ""
    with (
        usual_umask(),
        open_ledger(Settings(home=home)) as ledger,  # PostgreSQL and Prefect need not start for each command
        patch.dict(os.environ, environment(home), clear=True),
        open_prefect_server(ledger) as url,
    ):
        wait_until_ready(url)
        for name, table in (("first", "lead"), ("second", "handoff"), ("third", None)):
            file = folder / f"{name}.jsonl"
            rows = [row | {"Email": f"{name}{row['Email']}"} for row in ROWS]
            file.write_text("\n".join([*map(json.dumps, rows), f'{{"Email": "{MARKER}', ""]))
            assert leadgate("capture", str(file), "--source", "website").returncode == 0
            if table is not None:
                _execute(ledger, REFUSES.format(table=table))
            done = leadgate("run")
            assert table is None or MARKER not in done.stdout + done.stderr, done.stderr
            said += done.stderr
            if table is not None:
                _execute(ledger, f"ALTER TABLE {table} DROP CONSTRAINT planted")
        yield ledger, said


def _execute(ledger: Ledger, statement: str) -> None:
    with ledger.transaction() as connection:
        connection.execute(text(statement))


def test_the_leads_are_in_the_ledger(used: tuple[Ledger, str]) -> None:
    with used[0].transaction() as connection:
        found = connection.execute(text("SELECT count(*) FROM lead WHERE email LIKE :m"), {"m": f"%{MARKER}%"})
        assert found.scalar_one() > 0


def test_no_file_but_the_servers_own_holds_a_value(used: tuple[Ledger, str]) -> None:
    home = used[0].home
    files = [each for each in home.rglob("*") if each.is_file() and each.parts[len(home.parts)] != "postgresql"]
    files.append(home / "postgresql" / "log")
    assert len(files) > 3
    assert [str(each) for each in files if MARKER.encode() in each.read_bytes().lower()] == []


def test_everything_that_a_run_leaves_is_the_owners_alone(used: tuple[Ledger, str]) -> None:
    home = used[0].home
    assert (home / "prefect" / "server.log").exists()
    assert open_to_others(home) == []


def test_prefect_knows_no_value(used: tuple[Ledger, str]) -> None:
    ledger = used[0]
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
