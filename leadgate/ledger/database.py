"""Open the ledger: the embedded PostgreSQL or a named one, its roles, its migrations, transactions.

Belongs here: connections and their lifetime. Does not belong here: any query about leads.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Engine, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError

from leadgate import data_folder
from leadgate.ledger import embedded, faults, keys, schema
from leadgate.ledger.errors import LedgerError, NoLedgerError
from leadgate.ledger.provision import provision
from leadgate.ledger.server_user import EmbeddedError
from leadgate.settings import Settings

#: An advisory lock, so that two processes do one thing after the other.
POOLS_LOCK = 7_283_003

#: Room for a batch in temporary tables; and no compiling of queries that run for milliseconds.
_OPTIONS = "-c timezone=UTC -c lock_timeout=60000 -c temp_buffers=64MB -c work_mem=32MB -c jit=off"


#: A batch is small beside the ledger, so finding each of its rows by an index costs the same however large the ledger
#: is. PostgreSQL's statistics are minutes behind a ledger that grows fast, and a join planned by them reads whole
#: tables: hash and merge joins, and scans of a table that has a fitting index, are ruled out.
_BY_INDEX = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off"}

#: How PostgreSQL's list of sessions names those of Leadgate, before the process and its host.
APPLICATION = "leadgate"
#: A host that vanished is noticed by both ends within this many seconds, sooner than a lease of 30 s runs out.
_HOST_GONE_AFTER = 20.0
_KEEPALIVE_SECONDS, _KEEPALIVES = 5, 3
_LEAST_IDLE = 10.0  # seconds
#: Connections of a process, opened as they are needed at a time, and kept: a new one costs PostgreSQL as much as a
#: page, and knows no prepared statement.
CONNECTIONS = 8


@dataclass(frozen=True)
class Ledger:
    """An open ledger. ``prefect_url`` is where a Prefect server may live, if PostgreSQL is the embedded one.

    ``key`` is that of the hashes by which leads are found (``leadgate.hashing``).
    """

    engine: Engine
    home: Path
    key: bytes = field(repr=False)
    prefect_url: str | None = None
    revive: Callable[[], None] | None = None  # start the embedded PostgreSQL again after it died

    @contextlib.contextmanager
    def transaction(self, *, flushed: bool = True, plan_by_index: bool = False) -> Iterator[Connection]:
        """One transaction: all of it is committed, or none.

        ``flushed``: it is on the disk when this ends. Otherwise it is there within a second, and before any later one
        that is flushed: a crash of PostgreSQL may take the last such transactions away, never one without those after
        it. That is for what is simply done again, and that nobody outside has heard of: who sends a message commits
        that first, flushed.

        ``plan_by_index``: for statements about the rows of one batch or of some requests, which are found by an index,
        however large PostgreSQL's statistics say that the ledger is (``_BY_INDEX``).
        """
        with self.engine.begin() as connection:
            settings = (_BY_INDEX if plan_by_index else {}) | ({} if flushed else {"synchronous_commit": "off"})
            if settings:  # in one statement: a batch of a few leads has a dozen transactions
                connection.execute(_set_locally(*settings.items()))
            yield connection

    @contextlib.contextmanager
    def statement(self) -> Iterator[Connection]:
        """For one statement, which is a transaction of its own: PostgreSQL is asked once, not three times."""
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def snapshot(
        self, snapshot: str | None = None, *, much: bool = True, plan_by_index: bool = False
    ) -> Iterator[Connection]:
        """A transaction that only reads: all of one moment of the ledger.

        ``much``: it has the memory to sort and group some hundred thousand rows without the disk. ``plan_by_index``: as
        in ``transaction``, for reading thousands of rows of millions, again and again. ``snapshot`` is the
        moment of another such transaction, which exported it (``pg_export_snapshot``) and is still open.
        """
        with self.engine.connect() as connection:
            # told with BEGIN: no statement of its own
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if snapshot is not None:  # PostgreSQL takes no parameter here
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            if much:
                connection.execute(text("SET LOCAL work_mem = '128MB'"))
            if plan_by_index:
                connection.execute(_set_locally(*_BY_INDEX.items()))
            yield connection
            connection.commit()  # after a rollback the driver has the connection forget every prepared statement

    @contextlib.contextmanager
    def pools_locked(self) -> Iterator[None]:
        """Nobody else takes a pool's turn until this ends. For an assignment that keeps losing the race."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": POOLS_LOCK})
            connection.commit()  # the lock is the session's, and no transaction is idle meanwhile
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": POOLS_LOCK})


@cache
def _set_locally(*settings: tuple[str, str]) -> TextClause:
    """The statement that gives each of ``settings`` its value until the transaction ends."""
    return text("SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings))


@contextlib.contextmanager
def open_ledger(settings: Settings, *, create: bool = True, connections: int = CONNECTIONS) -> Iterator[Ledger]:
    """Start PostgreSQL where needed, migrate, and yield the ledger. Raises ``LedgerError``.

    Without ``create`` nothing is made where there is no ledger: raises ``NoLedgerError``. Work of more threads than
    there are ``connections`` waits for them.
    """
    if not create and not settings.database_url and not embedded.is_in(settings.home):
        raise NoLedgerError(f"the data folder {settings.home}")
    with contextlib.ExitStack() as stack:
        if settings.database_url:
            data_folder.close_if_ours(settings.home)
            url, prefect_url, revive = _build_server_url(settings.database_url), None, None
        else:
            url, prefect_url, revive = stack.enter_context(_running_embedded(settings.home))
        engine = _create_engine(url, settings.lease_seconds, connections)
        stack.callback(engine.dispose)
        try:
            version = schema.read_version(engine)
            if version is None and not create:
                raise NoLedgerError(f"the database {make_url(url).render_as_string()}")
            key = keys.find_agreed(engine, settings) if version == schema.find_newest() else None
            if key is None:
                key = _set_up(url, settings, migrate=version != schema.find_newest())
        except OperationalError as error:
            raise LedgerError(_describe_unreachable(settings, error)) from error
        yield Ledger(engine=engine, home=settings.home, key=key, prefect_url=prefect_url, revive=revive)


def _set_up(url: str, settings: Settings, *, migrate: bool) -> bytes:
    """Bring the ledger up to date and agree on its key, which is returned.

    By connections of its own: computing new values for old rows may take longer than a transaction may be idle.
    """
    engine = _create_engine(url)
    try:
        if migrate:
            schema.migrate(engine)
        return keys.agree(engine, settings)
    finally:
        engine.dispose()


def explain_database_error(error: DBAPIError) -> str:
    """What a database error means for a person: what happened, that nothing is lost, what to do."""
    state = faults.find_sqlstate(error) or ""
    told = (
        faults.describe_server_error(error.orig) if isinstance(error.orig, psycopg.Error) else type(error.orig).__name__
    )
    fault = faults.judge(error)
    if state == "53100":
        return f"PostgreSQL's disk is full ({told}). What was stored stays; free some space and run again."
    if state.startswith("53"):
        return f"PostgreSQL has no room for this now ({told}). What was stored stays; run again later."
    if fault == "race":
        return f"Another run was in the way ({told}). Nothing of this step was stored; run again."
    if fault == "server":
        return (
            f"PostgreSQL is gone ({told}). What was stored stays; start it again, "
            "then `leadgate run` continues where this stopped."
        )
    return f"PostgreSQL refused a statement ({told}). Nothing of this step was stored."


def _build_server_url(url: str) -> str:
    """SQLAlchemy's spelling of a PostgreSQL address, with psycopg 3 as its driver."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("postgres"):
        raise LedgerError(
            f"LEADGATE_DATABASE_URL names a {parsed.drivername} database; Leadgate needs PostgreSQL: "
            "postgresql://user:password@host/database"
        )
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _describe_unreachable(settings: Settings, error: OperationalError) -> str:
    where = make_url(settings.database_url).render_as_string() if settings.database_url else str(settings.home)
    reason = str(error.orig).strip().splitlines()[0]
    return f"PostgreSQL at {where} does not answer: {reason}"


def _create_engine(url: str, lease_seconds: float | None = None, connections: int = CONNECTIONS) -> Engine:
    """``lease_seconds``: PostgreSQL ends a session whose process does nothing in a transaction for most of a lease."""
    idle = 0 if lease_seconds is None else max(_LEAST_IDLE, lease_seconds * 2 / 3)
    # an apply of 20,000 leads computes for some seconds between two of its statements
    limits = {
        "idle_in_transaction_session_timeout": int(idle * 1000),
        "tcp_user_timeout": int(_HOST_GONE_AFTER * 1000),
        "tcp_keepalives_idle": _KEEPALIVE_SECONDS,
        "tcp_keepalives_interval": _KEEPALIVE_SECONDS,
        "tcp_keepalives_count": _KEEPALIVES,
    }
    options = " ".join([_OPTIONS, *(f"-c {name}={value}" for name, value in limits.items())])
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # the one used last: it has the statements prepared, and PostgreSQL the rest at hand
        hide_parameters=True,  # an error is shown in the state of a flow run: a lead's values must not be in it
        connect_args={
            "options": options,
            "connect_timeout": 10,
            "application_name": f"{APPLICATION} {os.getpid()} on {socket.gethostname()}"[:63],
            "keepalives_idle": _KEEPALIVE_SECONDS,
            "keepalives_interval": _KEEPALIVE_SECONDS,
            "keepalives_count": _KEEPALIVES,
            "tcp_user_timeout": int(_HOST_GONE_AFTER * 1000),
        },
    )
    event.listen(engine, "connect", _read_json_fast)
    event.listen(engine, "checkout", partial(_replace_dead, engine))
    event.listen(engine, "handle_error", faults.remove_values)
    return engine


def _read_json_fast(connection: Any, _: Any) -> None:
    """A batch reads tens of thousands of JSON values; the standard library takes several times longer."""
    set_json_loads(orjson.loads, connection)


def _replace_dead(engine: Engine, connection: Any, *_: Any) -> None:
    """A connection that died while nobody used it is replaced without an error, and so are those that died with it.

    Where PostgreSQL or the way to it is gone, there is something to read: at least the end. Only then it is asked; the
    pool's own look would ask before each transaction.
    """
    try:
        looked = select.poll()
        looked.register(connection.fileno(), select.POLLIN)
        if looked.poll(0):
            engine.dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


@contextlib.contextmanager
def _running_embedded(home: Path) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """The addresses of the ledger and of Prefect's database on the embedded PostgreSQL, and how to start it again."""
    try:
        embedded.stop_outdated(home)
        data_folder.prepare(home)
    except (data_folder.DataFolderError, EmbeddedError) as error:
        raise LedgerError(str(error)) from error
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(embedded.running(home))
            ledger_url, prefect_url = provision(server.url())
        except (EmbeddedError, OperationalError, OSError) as error:
            reason = str(error.orig).splitlines()[0] if isinstance(error, OperationalError) else str(error)
            raise LedgerError(f"the embedded PostgreSQL in {home / 'postgresql'} cannot be used: {reason}") from error
        yield ledger_url, prefect_url, lambda: embedded.revive(server)
