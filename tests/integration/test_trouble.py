"""When something breaks: a gate, PostgreSQL, its disk, the run itself, or what people type into forms."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import databases
import orjson
import psycopg
import pytest
from forked import Child
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from stub_gates import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, bulk, open_ledger, reruns
from leadgate.ledger.batches import Conflict, LeaseLost, applying
from leadgate.ledger.database import explain_database_error
from leadgate.ledger.leases import read_lease_remaining
from leadgate.ledger.verify import read_projection
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.values.text import clean_lines
from tasks.batches import run_waiting

UNCHECKABLE = """gates:
  {gate}:
    expect:
      - name: lawful
        expectation: expect_column_values_to_not_be_null
        arguments: {{column: lawful_basis}}
        severity: critical
        why: As the privacy officer asked
"""


def people() -> list[dict[str, Any] | None]:
    return [
        make_lead(1),
        make_lead(2, Phone="call me"),
        None,
        make_lead(3),
        make_lead(1, Message="again"),
        make_lead(4, Company=""),
    ]


@pytest.fixture(scope="module")
def undisturbed(postgres: Ledger, tmp_path_factory: pytest.TempPathFactory, loaded: LoadedPlaybook) -> list[str]:
    """What these people come to when nothing breaks."""
    home = tmp_path_factory.mktemp("undisturbed")
    with databases.fresh(postgres) as (url,), open_ledger(Settings(home, url)) as ledger:
        harness = Harness(ledger, loaded)
        harness.capture(*people())
        run_waiting(harness.worker(), lambda: NOW, check=pass_all)
        return read_projection(ledger)


# -- gates -------------------------------------------------------------------------------------------------


def test_a_gate_that_cannot_be_checked_holds_the_batch_until_it_can(harness: Harness) -> None:
    broken = playbooks.parse(
        PLAYBOOK.removesuffix(INSISTS) + UNCHECKABLE.format(gate="validated"), path=harness.loaded.path
    )
    sound, harness.loaded = harness.loaded, broken
    harness.capture(*people())
    harness.run()
    assert harness.rows("SELECT kind, reason, stage, blocking FROM work_item WHERE journey_id IS NULL") == [
        ("exception", "column_missing", "validation", True)
    ]
    assert harness.count_statuses() == {"held": 6}
    assert harness.one("SELECT count(*) FROM journey WHERE stage = 'validation'") == 5  # the unreadable row has its own
    assert harness.find_broken() == []

    harness.loaded = sound
    item = harness.one("SELECT id FROM work_item WHERE reason = 'column_missing'")
    report = reruns.rerun(harness.ledger, [item], by=make_actor("mia"), now=NOW, playbook=sound.playbook)
    assert report.released == 5
    harness.run()
    assert harness.count_statuses() == {"owned": 2, "joined": 1, "nurture": 1, "held": 2}
    assert harness.find_broken() == []


def test_owned_leads_whose_gate_cannot_be_checked_stay_owned_with_one_recovery_task(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    run_waiting(harness.worker(), lambda: NOW, check=pass_all)
    sound = harness.loaded
    harness.loaded = playbooks.parse(
        PLAYBOOK.removesuffix(INSISTS) + UNCHECKABLE.format(gate="followed_up"), path=sound.path
    )
    for hours in (3, 4, 5, 6):
        harness.run(NOW + timedelta(hours=hours))
        assert harness.rows("SELECT kind, reason, blocking FROM work_item") == [("recovery", "column_missing", False)]
        assert harness.count_statuses() == {"owned": 2}
    assert harness.one("SELECT count(*) FROM outbox WHERE kind <> 'lead_assigned'") == 0
    assert harness.find_broken() == []

    harness.loaded = sound
    harness.run(NOW + timedelta(hours=7))  # what was missed meanwhile is done now
    assert harness.rows("SELECT resolution FROM work_item WHERE kind = 'recovery'") == [("promise_kept",)]
    assert harness.one("SELECT count(*) FROM outbox WHERE kind = 'first_touch_overdue'") == 2
    assert harness.find_broken() == []


# -- PostgreSQL --------------------------------------------------------------------------------------------


def test_a_run_goes_on_after_postgresql_was_killed(
    loaded: LoadedPlaybook, tmp_path: Path, undisturbed: list[str]
) -> None:
    settings = Settings(home=tmp_path / "home")

    def interrupted() -> str:
        with open_ledger(settings) as ledger:
            harness = Harness(ledger, loaded)
            harness.capture(*people())
            pid = int((settings.home / "postgresql" / "postmaster.pid").read_text().split()[0])
            kill = act_at_gate("qualified", lambda: os.kill(pid, signal.SIGKILL))
            try:
                run_waiting(harness.worker("first", lease_seconds=0.5), lambda: NOW, check=kill)
            except DBAPIError as error:
                return explain_database_error(error)
        return "it noticed nothing"

    def continued() -> tuple[list[str], list[str]]:
        with open_ledger(settings) as ledger:
            harness = Harness(ledger, loaded)
            assert harness.one("SELECT count(*) FROM handoff WHERE stage = 'enrichment'") > 0
            assert harness.one("SELECT count(*) FROM handoff WHERE stage = 'qualification'") == 0
            time.sleep(read_lease_remaining(ledger, "intake") or 0)
            run_waiting(harness.worker("second"), lambda: NOW, check=pass_all)
            return read_projection(ledger), harness.find_broken()

    words = Child(interrupted).result()
    assert words.startswith("PostgreSQL is gone")
    assert "What was stored stays" in words
    assert Child(continued).result() == (undisturbed, [])


def test_a_full_disk_is_named_and_what_was_stored_stays(harness: Harness, postgres: Ledger) -> None:
    draw = random.Random(1)
    rows = [make_lead(number, Message=draw.randbytes(4_000).hex()) for number in range(600)]  # does not compress much
    with small_disk(postgres) as (tablespace, enlarge):
        with harness.ledger.transaction() as connection:
            connection.execute(text(f"ALTER TABLE signal SET TABLESPACE {tablespace}"))
        with pytest.raises(DBAPIError) as caught:
            capture_all(harness, rows)
        words = explain_database_error(caught.value)
        assert words.startswith("PostgreSQL's disk is full")
        assert "What was stored stays" in words
        stored = harness.one("SELECT count(*) FROM signal")
        assert 0 < stored < len(rows)
        run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
        assert harness.count_statuses() == {"owned": stored}
        enlarge()
        assert capture_all(harness, rows) == len(rows) - stored
        assert harness.count_statuses() == {"owned": stored, "ready": len(rows) - stored}
        assert harness.find_broken() == []
        with harness.ledger.transaction() as connection:
            connection.execute(text("ALTER TABLE signal SET TABLESPACE pg_default"))


def capture_all(harness: Harness, rows: list[dict[str, Any]]) -> int:
    """How many are new."""
    return sum(harness.capture(*rows[start : start + 20]) for start in range(0, len(rows), 20))


@contextlib.contextmanager
def small_disk(postgres: Ledger) -> Iterator[tuple[str, Any]]:
    """A tablespace on a disk of a few MB, and how to enlarge it. Skips where nobody may mount one."""
    place = Path(tempfile.mkdtemp())  # a tablespace is named by its path, which PostgreSQL's user must reach
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        inside = place / "tablespace"
        inside.mkdir()
        owner = (postgres.home / "postgresql").stat()  # PostgreSQL may run as a user of its own
        os.chown(inside, owner.st_uid, owner.st_gid)
        place.chmod(0o755)
        superuser = create_engine(
            postgres.engine.url.set(username="postgres", database="postgres"), isolation_level="AUTOCOMMIT"
        )
        with superuser.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small_disk OWNER leadgate LOCATION '{inside}'"))
            yield "small_disk", lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            connection.execute(text("DROP TABLESPACE small_disk"))
        superuser.dispose()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        place.rmdir()


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), "PostgreSQL is gone"),
        (psycopg.errors.AdminShutdown("terminating connection"), "PostgreSQL is gone"),
        (psycopg.errors.CannotConnectNow("the database system is starting up"), "PostgreSQL is gone"),
        (psycopg.errors.DiskFull("could not extend file"), "PostgreSQL's disk is full"),
        (psycopg.errors.TooManyConnections("sorry, too many clients already"), "PostgreSQL has no room"),
        (psycopg.errors.DeadlockDetected("deadlock detected"), "Another run was in the way"),
        (psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"), "Another run was in the way"),
        (psycopg.errors.QueryCanceled("canceling statement due to user request"), "PostgreSQL refused"),
        (psycopg.errors.NotNullViolation("null value"), "PostgreSQL refused"),
    ],
)
def test_a_database_error_is_told_as_what_it_means(error: psycopg.Error, begins: str) -> None:
    wrapped = DBAPIError.instance("SELECT 1", None, error, psycopg.Error)
    assert isinstance(wrapped, DBAPIError)
    words = explain_database_error(wrapped)
    assert words.startswith(begins)
    assert (error.sqlstate or str(error)) in words


def test_an_error_of_copy_is_an_error_like_any_other(harness: Harness) -> None:
    with pytest.raises(DBAPIError, match="22P02"), harness.ledger.transaction() as connection:
        bulk.copy_rows(connection, "identity", ["kind", "value", "lead_id"], [("email", "x", "not a number")])
    assert harness.one("SELECT count(*) FROM identity") == 0


# -- the run -----------------------------------------------------------------------------------------------


def test_an_interrupted_run_gives_its_batch_up_at_once(harness: Harness, undisturbed: list[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    harness.capture(*people())
    with pytest.raises(KeyboardInterrupt):
        run_waiting(harness.worker("first", lease_seconds=600), lambda: NOW, check=act_at_gate("enriched", interrupt))
    assert harness.one("SELECT count(*) FROM handoff WHERE stage = 'validation'") > 0
    assert read_lease_remaining(harness.ledger, "intake") == 0
    run_waiting(harness.worker("second", lease_seconds=600), lambda: NOW, check=pass_all)
    assert read_projection(harness.ledger) == undisturbed
    assert harness.find_broken() == []


def test_who_lost_the_lease_writes_nothing(harness: Harness, undisturbed: list[str]) -> None:
    def taken_over() -> None:
        with harness.ledger.transaction() as connection:
            connection.execute(text("UPDATE batch SET lease_until = '-infinity'"))
        run_waiting(harness.worker("second"), lambda: NOW, check=pass_all)

    harness.capture(*people())
    with pytest.raises(LeaseLost):
        run_waiting(harness.worker("first"), lambda: NOW, check=act_at_gate("qualified", taken_over))
    assert read_projection(harness.ledger) == undisturbed
    assert harness.find_broken() == []


def test_a_slow_stage_keeps_its_lease(harness: Harness) -> None:
    others: list[Any] = []

    def slow() -> None:
        """Until the lease with which it began would be over."""
        (begun,) = harness.rows("SELECT lease_until, id FROM batch WHERE kind = 'intake'")
        while harness.one("SELECT :until > clock_timestamp()", until=begun[0]):
            others.extend(run_waiting(harness.worker("second"), lambda: NOW, check=pass_all))
            time.sleep(0.1)
        others.extend(run_waiting(harness.worker("second"), lambda: NOW, check=pass_all))

    harness.capture(*people())
    run_waiting(harness.worker("first", lease_seconds=3.0), lambda: NOW, check=act_at_gate("qualified", slow))
    assert others == []
    assert harness.rows("SELECT holder, epoch FROM batch WHERE kind = 'intake'") == [("first", 1)]


def test_a_deadlock_is_a_lost_race_and_not_an_error(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    first, second = (journey for (journey,) in harness.rows("SELECT id FROM journey ORDER BY id"))
    both = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def lock(order: tuple[int, int]) -> None:
        try:
            with applying(harness.ledger) as connection:
                _lock(connection, order[0])
                both.wait()
                _lock(connection, order[1])
            ended.append("applied")
        except Conflict:
            ended.append("conflict")

    threads = [threading.Thread(target=lock, args=(order,)) for order in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["applied", "conflict"]


def test_other_database_errors_are_no_lost_races(harness: Harness) -> None:
    with pytest.raises(DBAPIError), applying(harness.ledger) as connection:
        connection.execute(text("INSERT INTO journey (trigger) VALUES ('signal')"))


def _lock(connection: Connection, journey: int) -> None:
    connection.execute(text("SELECT 1 FROM journey WHERE id = :id FOR UPDATE"), {"id": journey})


# -- what people type --------------------------------------------------------------------------------------

NASTY = {
    "novel": "word " * 20_000,
    "one_word": "a" * 100_000,
    "nul": "before\x00after",
    "formula": "=cmd|' /C calc'!A0",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "terminal": "\x1b[2J\x1b]0;owned\x07 red \x1b[31m",
    "rich": "[bold red]not markup[/] [link=file:///etc/passwd]x[/link]",
    "markdown": "[x](javascript:alert(1)) | a | b |",
    "sql": "'; DROP TABLE lead; --",
    "copy": "tab\there\nnew line \\N \\. end",
    "unicode": "\u202egnp.exe \ufeff \U0001f600 \u0000".replace("\u0000", ""),
}


def test_whatever_people_type_is_kept_as_text_and_stalls_nothing(harness: Harness) -> None:
    for number, (name, value) in enumerate(NASTY.items()):
        fields = {"Message": value, "City": value}
        if len(value) < 200:  # a longer name is none, and holds its lead
            fields |= {"Last name": value, "Company": value, "Title": value}
        harness.capture(make_lead(number, **fields) | {name: value, f"col {value[:50]}": "x"})
    started = time.process_time()
    harness.run()
    assert time.process_time() - started < 20
    assert sum(harness.count_statuses().values()) == len(NASTY)
    assert harness.one("SELECT count(*) FROM journey WHERE stage = 'capture'") == 0  # nothing of it is unreadable
    # what nobody can see is taken out of a lead's own fields, and nothing else
    kept = dict(harness.rows("SELECT email, message FROM lead"))
    for number, value in enumerate(NASTY.values()):
        assert kept[f"lead{number}@company{number}.example"] == clean_lines(value.replace("\x00", "␀"))
    raw = [payload for (payload,) in harness.rows("SELECT payload FROM signal ORDER BY id")]
    for value, payload in zip(NASTY.values(), raw, strict=True):
        assert orjson.loads(payload)["Message"] == value  # as received, to the last byte
    for number, (name, value) in enumerate(NASTY.items()):
        attributes = harness.one(
            "SELECT attributes FROM lead WHERE email = :e", e=f"lead{number}@company{number}.example"
        )
        assert attributes[name] == value.strip().replace("\x00", "␀")
    assert harness.find_broken() == []
