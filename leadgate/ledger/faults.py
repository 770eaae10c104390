"""Faults: whose an error is, and how it is told without a value of a lead.

Belongs here: the one judgement of errors, by SQLSTATE and never by exception class, because psycopg calls
``program_limit_exceeded`` and a lost connection alike an ``OperationalError``; and removing values from the
driver's errors. Does not belong here: what is done about a fault.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import PurePath
from typing import Any, Final, Literal

import psycopg
from psycopg.pq import DiagnosticField
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from leadgate.errors import ExitCode, LeadgateError
from leadgate.ledger.errors import LedgerError


class _RaceError(LeadgateError):
    exit_code = ExitCode.UNREACHABLE
    http_status = HTTPStatus.CONFLICT


class LeaseLost(_RaceError):  # noqa: N818 - the protocol's word
    """Another holder took the batch over: this one must write nothing more."""


class Conflict(_RaceError):  # noqa: N818 - the protocol's word
    """The ledger changed between gathering and applying: gather and decide again."""


#: ``server``: PostgreSQL is away, ends or has no room; the same succeeds later. ``race``: another transaction was in
#: the way; the same succeeds at once or soon. ``ours``: what was to be stored or computed; the same fails again.
Fault = Literal["server", "race", "ours"]

#: Connection lost, no room, shutting down; a server that accepts no writes, such as a standby after a failover; and a
#: transaction that the server ended because this process was frozen in it.
_SERVER: Final = ("08", "53", "57P", "25006", "25P03")
#: Deadlock and serialization failure (class 40), and a lock that was not granted in time.
_RACE: Final = ("40", "55P03")
#: A lead that has got another open journey meanwhile.
_RACED_FOR: Final = ("one_open_journey_per_lead",)
_CONNECTION: Final = (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError)


def judge(error: BaseException) -> Fault | None:
    """Whose fault ``error`` is; ``None`` when it is none: somebody stopped the work."""
    if not isinstance(error, Exception):
        return None
    if isinstance(error, (LeaseLost, Conflict)):
        return "race"
    if isinstance(error, (LedgerError, PoolTimeout)):
        return "server"
    state = find_sqlstate(error)
    if state is not None:
        if state.startswith(_SERVER):
            return "server"
        return "race" if state.startswith(_RACE) or find_constraint(error) in _RACED_FOR else "ours"
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "server"
    original = error.orig if isinstance(error, DBAPIError) else None
    return "server" if isinstance(error, _CONNECTION) or isinstance(original, _CONNECTION) else "ours"


def is_ours(error: BaseException) -> bool:
    """Whether the same work would fail again."""
    return judge(error) == "ours"


def find_sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that the server gave ``error``; ``None`` when it said nothing, or for an error of another kind."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None)
    return state if isinstance(state, str) and state else None


def find_constraint(error: BaseException) -> str | None:
    """The name of the constraint that refused a row."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return original.diag.constraint_name if isinstance(original, psycopg.Error) else None


class FaultError(Exception):
    """A fault of ours as it may be kept by others, such as Prefect in states and logs: its kind and place, in place of
    an error whose own words may hold a value."""

    def __init__(self, error: BaseException) -> None:
        self.kind, self.place = describe(error), format_place(error)
        super().__init__(f"{self.kind} at {self.place}")


@contextlib.contextmanager
def removing_values(*harmless: type[Exception]) -> Iterator[None]:
    """Faults of ours leave this as ``FaultError``, apart from those of the ledger, which hold no values, and
    ``harmless`` ones."""
    try:
        yield
    except Exception as error:
        if not is_ours(error) or isinstance(error, (DBAPIError, FaultError, *harmless)):
            raise
        raise FaultError(error) from None


def describe(error: BaseException) -> str:
    """The kind of ``error``, in words that never hold a value: ``program_limit_exceeded (SQLSTATE 54000)``."""
    if isinstance(error, FaultError):
        return error.kind
    original = error.orig if isinstance(error, DBAPIError) else error
    return describe_server_error(original) if isinstance(original, psycopg.Error) else type(error).__name__


def format_place(error: BaseException) -> str:
    """Where our code raised ``error``, innermost first: ``bulk.py:85 < people.py:41 < capture.py:190``."""
    if isinstance(error, FaultError):
        return error.place
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(own[-4:])) or "nowhere"


def describe_server_error(error: psycopg.Error) -> str:
    """What the server said of ``error`` apart from values: condition, SQLSTATE, names of constraint, table, column.

    An error without a SQLSTATE is the driver's. What it says of a connection is told, anything else may hold a value.
    """
    state = find_sqlstate(error)
    if state is None:
        if isinstance(error, _CONNECTION):
            return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        return f"{_name_condition(error)} (of the driver)"
    names = [
        f"{what} {name}"
        for what, name in (
            ("constraint", error.diag.constraint_name),
            ("table", error.diag.table_name),
            ("column", error.diag.column_name),
        )
        if name
    ]
    return ", ".join([f"{_name_condition(error)} (SQLSTATE {state})", *names])


def _name_condition(error: psycopg.Error) -> str:
    """PostgreSQL's name of the condition, by which the driver names its classes.

    >>> _name_condition(psycopg.errors.ProgramLimitExceeded())
    'program_limit_exceeded'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()


# -- errors that leave the ledger --------------------------------------------------------------------------

#: What remains of the server's answer. Its message, detail, hint and context quote values.
_KEPT: Final = (
    DiagnosticField.SEVERITY,
    DiagnosticField.SEVERITY_NONLOCALIZED,
    DiagnosticField.SQLSTATE,
    DiagnosticField.SCHEMA_NAME,
    DiagnosticField.TABLE_NAME,
    DiagnosticField.COLUMN_NAME,
    DiagnosticField.DATATYPE_NAME,
    DiagnosticField.CONSTRAINT_NAME,
)


def remove_values(context: ExceptionContext) -> None:
    """Remove every value from an error of the engine, in place: a listener of SQLAlchemy's ``handle_error``.

    In place, because SQLAlchemy makes the driver's error the cause of its own, and a traceback shows both.
    """
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    if isinstance(original, psycopg.Error):
        clean(original)
    if isinstance(wrapped, DBAPIError) and isinstance(original, psycopg.Error):
        kind = type(original)
        wrapped.args = (f"({kind.__module__}.{kind.__qualname__}) {original}",)
    if wrapped is not None:
        wrapped.params = None


def clean(error: psycopg.Error) -> None:
    """Remove every value from an error of the driver; its class, SQLSTATE and the names in ``diag`` stay."""
    error.args = (describe_server_error(error),)
    answer = error._info
    if answer is not None:
        field: Callable[[Any], bytes | None] = answer.get if isinstance(answer, dict) else answer.error_field
        error._info = {kept: field(kept) for kept in _KEPT}
    error.__cause__ = error.__context__ = None
    error.__suppress_context__ = True
