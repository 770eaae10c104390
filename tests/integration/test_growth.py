"""A batch costs the same however large the ledger is, and however old PostgreSQL's statistics of it are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import databases
import pytest
from harness import KEY, Harness
from sqlalchemy import event, text
from stub_gates import pass_all

from benchmarks import growth, sample
from benchmarks.throughput import NOW
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, breakers, figures, lead_frames, lead_history, reports, upkeep
from leadgate.ledger.verify import verify
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks.batches import run_waiting

FEW, MANY = 5, 500

#: Rows of each table that this transaction has read so far.
_READ = """
    SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables
    WHERE schemaname = 'public' AND relname NOT IN ('batch', 'pool_state', 'breaker', 'playbook_version')"""


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    """Nobody counts the open leads of reps: that reads as many rows as they have."""
    found = sample.playbook()
    pools = tuple(pool.model_copy(update={"order": "turns"}) for pool in found.playbook.pools)
    return playbooks.parse(found.playbook.model_copy(update={"pools": pools}).model_dump_json(), path=found.path)


class RowsRead:
    """The statements that read more than ``most`` rows of one table of the ledger, while it listens."""

    def __init__(self, harness: Harness, most: int) -> None:
        self.found: list[str] = []
        self._engine = harness.ledger.engine
        self._most = most

    def __enter__(self) -> RowsRead:
        event.listen(self._engine, "before_cursor_execute", self._before)
        event.listen(self._engine, "after_cursor_execute", self._after)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._before)
        event.remove(self._engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("SET "):  # it must be the first statement of its transaction
            connection.info["rows"] = self._rows(connection)

    def _after(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SET "):
            return
        now, before = self._rows(connection), connection.info["rows"]
        for table, rows in now.items():
            if rows - before.get(table, 0) > self._most:
                self.found.append(f"{rows - before.get(table, 0)} of {table}: {' '.join(statement.split())[:300]}")

    @staticmethod
    def _rows(connection: Any) -> dict[str, int]:
        with connection.connection.driver_connection.cursor() as cursor:
            return dict(cursor.execute(_READ).fetchall())


def analyze(harness: Harness) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text("ANALYZE"))


def work(harness: Harness) -> None:
    run_waiting(harness.worker(), lambda: NOW, kinds=("intake",), check=pass_all)


@pytest.mark.parametrize("statistics", ["none", "of captured leads", "of a few leads with owners"])
def test_a_batch_reads_its_own_rows_of_a_large_ledger(harness: Harness, statistics: str) -> None:
    known = list(sample.people(3, seed=3, dirt=0))
    if statistics != "none":
        harness.capture(*known)
        if statistics == "of a few leads with owners":
            work(harness)
        analyze(harness)  # else no journey has a lead yet
    harness.capture(*sample.people(MANY, seed=3))
    work(harness)
    for number in range(3):
        if number == 2:
            analyze(harness)
        harness.capture(*sample.people(FEW, seed=11 + number), *(row | {"Message": f"again {number}"} for row in known))
        with RowsRead(harness, most=20 * FEW) as read:
            work(harness)
        assert read.found == [], "\n".join(read.found)


def test_a_batch_says_in_one_statement_how_its_transaction_is_planned_and_flushed(harness: Harness) -> None:
    said: list[str] = []
    asked = ", ".join(
        f"current_setting('{name}')" for name in ("enable_hashjoin", "enable_seqscan", "synchronous_commit")
    )

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(harness.ledger.engine, "before_cursor_execute", keep)
    try:
        for settings, count in (
            ({"plan_by_index": True, "flushed": False}, 2), ({"plan_by_index": True}, 2), ({"flushed": False}, 2), ({}, 1),
        ):  # fmt: skip
            said.clear()
            with harness.ledger.transaction(**settings) as connection:
                found = tuple(connection.execute(text(f"SELECT {asked}")).one())
            planned = "off" if settings.get("plan_by_index") else "on"
            assert found == (planned, planned, "on" if settings.get("flushed", True) else "off")
            assert len(said) == count
    finally:
        event.remove(harness.ledger.engine, "before_cursor_execute", keep)


def test_the_breaker_of_a_known_source_is_locked_in_one_statement(harness: Harness) -> None:
    said: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    with harness.ledger.transaction() as connection:
        first = breakers.lock_breakers(connection, "captured", ["website", "partner"])
    event.listen(harness.ledger.engine, "before_cursor_execute", keep)
    try:
        with harness.ledger.transaction() as connection:
            again = breakers.lock_breakers(connection, "captured", ["website", "partner"])
    finally:
        event.remove(harness.ledger.engine, "before_cursor_execute", keep)
    assert again == first == {"partner": ({}, None), "website": ({}, None)}
    assert len(said) == 1


def test_journeys_that_end_up_elsewhere_are_found_one_by_one(harness: Harness) -> None:
    """Not by comparing each of them with every journey of the batch, which takes quadratic time."""
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM moving m WHERE" in statement and statement.lstrip().startswith("UPDATE"):
            with connection.connection.driver_connection.cursor() as cursor:
                rows = cursor.execute(f"EXPLAIN {statement}", parameters).fetchall()
                plans.append("\n".join(row[0] for row in rows))

    harness.capture(*sample.people(MANY, seed=3))
    event.listen(harness.ledger.engine, "before_cursor_execute", explain)
    try:
        work(harness)
    finally:
        event.remove(harness.ledger.engine, "before_cursor_execute", explain)
    assert plans
    assert [plan for plan in plans if "Join Filter: ((m.journey_id = j.id)" in plan or "moving_pkey" not in plan] == []


def test_statistics_are_renewed_after_a_large_load(harness: Harness) -> None:
    assert upkeep.analyze_grown(harness.ledger) == []
    with harness.ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO signal (source, key, payload, received_at) "
                "SELECT 'website', CAST(n AS text), '{}', now() FROM generate_series(1, 6000) n"
            )
        )
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    assert upkeep.analyze_grown(harness.ledger) == ["signal"]
    assert harness.one("SELECT reltuples FROM pg_class WHERE relname = 'signal'") == 6000
    assert upkeep.analyze_grown(harness.ledger) == []


def test_no_assignment_and_no_work_item_of_another_lead_is_read_for_a_lead(harness: Harness) -> None:
    harness.capture(*sample.people(MANY, seed=3))
    work(harness)
    with harness.ledger.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO work_item (kind, reason, stage, journey_id, blocking, generation, message, route, due_at, "
                "opened_at, closed_at, resolution) SELECT 'exception', 'spam', 'validation', id, true, 0, 'spam', 'ops', "
                "now(), now(), now(), 'discarded' FROM journey"
            )
        )
    analyze(harness)
    owned = harness.one("SELECT max(journey_id) FROM assignment")
    asked = lead_history.AskedStory(lead_history.load_story(harness.ledger, owned).journey, [owned])
    # the work items of a test fit a few pages, which PostgreSQL would read as a whole
    with RowsRead(harness, most=FEW) as read, harness.ledger.transaction(plan_by_index=True) as connection:
        asked.counts(connection)
        for each in asked.list_reads():  # one by one: of reads that are sent together nobody can tell which read what
            each(connection)
        assert len(asked.assignments.rows) == 1
    assert [each for each in read.found if " of assignment:" in each or " of work_item:" in each] == []
    with RowsRead(harness, most=5 * MANY) as read:
        assert len(lead_frames.read_leads(harness.ledger)) > MANY / 2
    assert read.found == [], "\n".join(read.found)


def test_the_benchmark_takes_more_leads_on_a_large_ledger_and_on_an_empty_one_in_turn(
    postgres: Ledger, harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "run_waiting", partial(run_waiting, check=pass_all))
    with databases.fresh(postgres) as (url,):
        empty = Settings(home=tmp_path, database_url=url, key=KEY)
        monkeypatch.setattr(growth, "Settings", lambda home: empty)
        large = growth.Place(harness.ledger, harness.loaded, tmp_path)
        growth.fill(large, 40)
        found = growth.more_leads(large, tmp_path, sample.Size(2, 2))
    assert harness.one("SELECT count(*) FROM signal") == 44
    assert found["ratio"] == pytest.approx(found["seconds_large"] / found["seconds_empty"], rel=0.1)


def test_reading_the_whole_ledger_reads_each_table_a_few_times(harness: Harness) -> None:
    """And never once for each row of another table, which takes quadratic time."""
    harness.capture(*sample.people(MANY, seed=3))
    work(harness)
    analyze(harness)
    rows = max(harness.one(f"SELECT count(*) FROM {table}") for table in ("handoff", "outbox", "journey"))
    with RowsRead(harness, most=5 * rows) as read:
        assert [finding.name for finding in verify(harness.ledger) if finding.broken] == []
        reports.read_summary(harness.ledger, NOW)
        period = figures.ReportRequest(NOW - timedelta(days=1), NOW + timedelta(days=1), NOW)
        before = replace(period, since=NOW - timedelta(days=3), until=period.since)
        found, _ = figures.read(harness.ledger, period, before, list(figures.QUERIES), {}, {})
    assert sum(cell["n"] for cell in found["journeys"]) == MANY
    assert read.found == [], "\n".join(read.found)
