"""How much a day leaves in the databases, and what housekeeping takes away again.

Measured, on the embedded PostgreSQL and a real Prefect server: bytes that one intake flow run adds to Prefect's
database, table by table; bytes that one flow run adds which finds nothing to do; bytes of a lead and of a batch in
the ledger; how long housekeeping takes to delete it all through the API, how long the server's own vacuum takes,
and what is left then. Sizes are of tables with indexes, after a plain VACUUM, less what was there before.
Extrapolated, by multiplying alone: a day without a lead, a day of many, and how large that grows by the retention.
Prints a table and writes ``build/bench-day.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

from benchmarks import sample
from benchmarks.throughput import NOW, capture_leads
from flows.run import Runner
from flows.runtime.server import compute_event_retention
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import LoadedPlaybook, Retention
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind

#: Flow runs of a day without a lead: follow-up and delivery every 5 minutes, intake every 15, housekeeping daily.
SCHEDULED = 288 + 288 + 96 + 1
IDLE_RUNS = 40
LEADS_A_DAY, LEADS_A_BATCH = 50_000, 10
#: Tables of the ledger whose rows are of a batch, not of a lead.
OF_A_BATCH = ("batch", "batch_holder", "gate_result")
EVENTS = ("events", "event_resources")
OLD = "interval '30 days'"

Sizes = dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--batches", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", batch_limit=-(-arguments.leads // arguments.batches))
        with open_ledger(settings) as ledger:
            result = _measure(ledger, settings, sample.playbook(), arguments.leads, arguments.batches)
    result |= _extrapolate(result)
    _tell(result)
    path = Path("build/bench-day.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def _measure(ledger: Ledger, settings: Settings, loaded: LoadedPlaybook, leads: int, batches: int) -> dict[str, Any]:
    def work(runner: Runner, seed: int) -> int:
        capture_leads(ledger, loaded, sample.people(leads, seed=seed))
        return len(runner.run(now=NOW, kinds=(BatchKind.INTAKE,)).batches)

    superuser = ledger.engine.url.set(username="postgres")
    own = create_engine(superuser, isolation_level="AUTOCOMMIT")
    prefect = create_engine(superuser.set(database="prefect"), isolation_level="AUTOCOMMIT")

    # first without the server's vacuum of flow runs, so that what is seen is housekeeping's
    os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"] = "events"
    with Runner(ledger, settings, loaded) as runner:
        capture_leads(ledger, loaded, sample.people(settings.batch_limit, seed=99))
        runner.run(now=NOW, kinds=(BatchKind.INTAKE,))  # warm: first pages of every table and index
        start, ledger_start = _sizes(prefect), _sizes(own)
        runs = work(runner, seed=1)
        busy, ledger_end = _sizes(prefect), _sizes(own)
        _in_session(ledger, settings, loaded, lambda flows: flows.idle(IDLE_RUNS))
        idle = _sizes(prefect)
        rows = _rows(prefect)
        began = time.perf_counter()
        lines = _in_session(ledger, settings, loaded, lambda flows: flows.housekeeping())
        seconds = time.perf_counter() - began
        cleaned, rows_cleaned = _sizes(prefect), _rows(prefect)
        work(runner, seed=2)
        again, rows_again = _sizes(prefect), _rows(prefect)

    # the same once more, grown old, for the vacuum of a server that Leadgate starts
    del os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"]
    with prefect.connect() as connection:
        connection.execute(text(f"UPDATE flow_run SET end_time = end_time - {OLD}"))
        connection.execute(text(f"UPDATE events SET occurred = occurred - {OLD}"))
        connection.execute(text(f"UPDATE event_resources SET occurred = occurred - {OLD}"))
    with Runner(ledger, settings, loaded):
        began = time.perf_counter()
        while sum(_rows(prefect)[table] for table in ("flow_run", "artifact", "events", "event_resources")):
            if time.perf_counter() - began > 120:
                break
            time.sleep(0.2)
        vacuum_seconds = time.perf_counter() - began
        vacuumed, rows_vacuumed = _sizes(prefect), _rows(prefect)
    own.dispose()
    prefect.dispose()
    grown = _less(ledger_end, ledger_start)
    return {
        "measured": {
            "flow_runs": runs,
            "leads_a_batch": settings.batch_limit,
            "prefect_bytes_a_flow_run": _share(_less(busy, start), runs),
            "prefect_bytes_an_idle_run": _share(_less(idle, busy), IDLE_RUNS),
            "ledger_bytes_a_lead": _share({t: n for t, n in grown.items() if t not in OF_A_BATCH}, leads),
            "ledger_bytes_a_batch": _share({t: n for t, n in grown.items() if t in OF_A_BATCH}, runs),
            "housekeeping": {
                "seconds": round(seconds, 2),
                "lines": [[line.what, line.done, line.left] for line in lines],
                "rows_before": rows,
                "rows_after": rows_cleaned,
                "bytes_before": sum(idle.values()),
                "bytes_after": sum(cleaned.values()),
                "bytes_after_as_many_runs_again": sum(again.values()),
            },
            "server_vacuum": {
                "seconds": round(vacuum_seconds, 2),
                "rows_before": rows_again,
                "rows_after": rows_vacuumed,
                "bytes_after": sum(vacuumed.values()),
            },
        }
    }


class _Flows:
    """Flows as a schedule starts them, in this process."""

    async def idle(self, count: int) -> None:
        from flows.follow_up import follow_up

        for _ in range(count):
            await follow_up(now=NOW)

    async def housekeeping(self) -> Any:
        from flows.housekeeping import housekeeping

        return await housekeeping(now=datetime.now(UTC) + timedelta(days=30))


def _in_session(ledger: Ledger, settings: Settings, loaded: LoadedPlaybook, work: Callable[[_Flows], Any]) -> Any:
    from flows.runtime import session
    from tasks.batches import Worker

    worker = Worker(ledger, loaded, "bench", settings.lease_seconds, settings.batch_limit)
    token = session.current_session.set(session.Session(worker))
    try:
        return asyncio.run(work(_Flows()))
    finally:
        session.current_session.reset(token)


def _sizes(engine: Engine) -> Sizes:
    """Bytes of every table with its indexes, once nothing is written any more: Prefect writes events in the end."""
    with engine.connect() as connection:
        before = -1
        while (now := _written(connection)) != before:
            before = now
            time.sleep(6)  # longer than the server waits before it writes what it has
        connection.execute(text("VACUUM (ANALYZE)"))
        rows = connection.execute(
            text(
                "SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        )
        return {row.relname: row.bytes for row in rows}


def _written(connection: Any) -> int:
    return int(connection.execute(text("SELECT sum(n_tup_ins) FROM pg_stat_user_tables")).scalar() or 0)


def _rows(engine: Engine) -> dict[str, int]:
    tables = (
        "flow_run", "flow_run_state", "task_run", "task_run_state", "artifact", "artifact_collection", "log",
        "events", "event_resources", "csrf_token", "task_run_state_cache",
    )  # fmt: skip
    with engine.connect() as connection:
        return {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
            for table in tables
            if connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar()
        }


def _less(after: Sizes, before: Sizes) -> Sizes:
    return {table: size - before.get(table, 0) for table, size in after.items() if size != before.get(table, 0)}


def _share(sizes: Sizes, count: int) -> dict[str, int]:
    shares = {table: round(size / count) for table, size in sorted(sizes.items(), key=lambda item: -item[1])}
    return {"all": round(sum(sizes.values()) / count)} | shares


def _extrapolate(result: dict[str, Any]) -> dict[str, Any]:
    measured = result["measured"]
    batches = LEADS_A_DAY // LEADS_A_BATCH
    idle = SCHEDULED * measured["prefect_bytes_an_idle_run"]["all"]
    busy = batches * measured["prefect_bytes_a_flow_run"]["all"]
    ledger = LEADS_A_DAY * measured["ledger_bytes_a_lead"]["all"] + batches * measured["ledger_bytes_a_batch"]["all"]
    retention = Retention()
    days, days_of_events = (
        span / timedelta(days=1) for span in (retention.flow_runs, compute_event_retention(retention))
    )

    def of_events(sizes: Sizes) -> int:
        return sum(sizes.get(table, 0) for table in EVENTS)

    idle_events = SCHEDULED * of_events(measured["prefect_bytes_an_idle_run"])
    busy_events = idle_events + batches * of_events(measured["prefect_bytes_a_flow_run"])
    return {
        "extrapolated": {
            "idle_day_prefect_bytes": idle,
            "idle_day_flow_runs": SCHEDULED,
            "busy_day_leads": LEADS_A_DAY,
            "busy_day_flow_runs": batches + SCHEDULED,
            "busy_day_prefect_bytes": busy + idle,
            "busy_day_ledger_bytes": ledger,
            "busy_day_prefect_bytes_of_events": busy_events,
            "prefect_bytes_at_retention_idle": round((idle - idle_events) * days + idle_events * days_of_events),
            "prefect_bytes_at_retention_busy": round((busy + idle - busy_events) * days + busy_events * days_of_events),
        }
    }


def _tell(result: dict[str, Any]) -> None:
    measured, day = result["measured"], result["extrapolated"]
    print("measured")
    for name in (n for n in measured if "bytes" in n):
        sizes = dict(measured[name])
        print(f"  {name.replace('_', ' '):36}{sizes.pop('all') / 1000:10.1f} kB   {_largest(sizes)}")
    for name in ("housekeeping", "server_vacuum"):
        after = measured[name]["rows_after"]
        rows = ", ".join(f"{table} {n}→{after[table]}" for table, n in measured[name]["rows_before"].items() if n)
        print(f"  {name.replace('_', ' '):36}{measured[name]['seconds']:10.1f} s    {rows}")
    kept = measured["housekeeping"]
    then = [kept[name] / 1e6 for name in ("bytes_before", "bytes_after", "bytes_after_as_many_runs_again")]
    print(
        "  Prefect's tables: {:.1f} MB, after housekeeping {:.1f} MB, after as many runs again {:.1f} MB".format(*then)
    )
    print("extrapolated")
    for name, value in day.items():
        shown = f"{value / 1e6:,.1f} MB" if "bytes" in name else f"{value:,}"
        print(f"  {name.replace('_', ' '):36}{shown:>14}")


def _largest(sizes: Sizes) -> str:
    return ", ".join(f"{table} {size / 1000:.1f}" for table, size in list(sizes.items())[:7])


if __name__ == "__main__":
    main()
