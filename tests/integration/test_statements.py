"""Every statement of the ledger fits its tables: PostgreSQL prepares each, and each COPY names columns that are there.

The statements are found in the source: what is given to ``text``, ``bulk.select`` and the like, and constants that are
statements. An expression is evaluated in its module; what a function gets from its caller has a sample below.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from leadgate.fields import STANDARD
from leadgate.ledger import Ledger, bulk, figure_rows, figures, lead_list, message_facts, reports, story_rows
from leadgate.ledger.cohort import Query
from leadgate.ledger.journeys import person_moves, record_moves
from leadgate.ledger.journeys.locking import HeldJourney
from leadgate.ledger.queue_order import Place
from leadgate.ledger.reports import WorkItemFilter
from leadgate.ledger.row_filter import ALL
from leadgate.ledger.story_rows import HandoffRow
from leadgate.ledger.typed_rows import list_fields, read_rows
from leadgate.vocabulary import StageName

ROOT = Path(__file__).parents[2]
#: Calls that take a statement, with its place among their arguments.
TAKES_STATEMENT = {
    "text": 0,
    "select": 1,
    "_read_rows": 1,
    "read_rows": 2,
    "read_row": 2,
    "Read": 1,
    "fetch": 1,
    "read_accounts": 1,
    "read_statement": 0,
}
NOW = datetime(2026, 3, 4, tzinfo=UTC)
_EVERY_CONDITION = WorkItemFilter(
    ids=(1,), reason="r", stage="capture", route="r", assignee="a", source="s", batch_id=1, blocking=True,
    due_before=NOW, kinds=("review",), deciders=("d",), mine=("m",), after=Place(NOW, 1),
).build_conditions()[0]  # fmt: skip
#: Those of them that take the type of the rows before it.
TYPES_ROWS = {"read_rows", "read_row", "Read", "fetch"}
#: What functions get from their callers, by name; and what one function gets, where that is not enough.
SAMPLES: dict[str, Any] = {"only": ALL, "kind": "intake", "columns": [*STANDARD], "lock": True, "advanced": True}
SAMPLES_OF: dict[str, dict[str, Any]] = {
    "accounts._set_column": {"name": "email"},
    "assignments._update_assignments": {"name": "followed_up", "columns": ["next_check_at", "ended_at"]},
    "figures._execute": {"statement": "SELECT count(*) FROM signal"},  # of ``read_rows``
    "figures.read_rows": {  # whose queries are looked at one by one
        "tables": "s AS (SELECT id FROM signal)", "lists": ["(SELECT max(id) FROM s) AS last"], "query": figures._POOLS,
    },
    "forecasts._read_states": {"rows": "SELECT * FROM forecast_snapshot"},
    "lead_history.fetch": {"statement": "SELECT id FROM signal"},  # constants of the module
    "lead_history.fetch_table": {"row_type": HandoffRow, "table": "handoff", "order": "journey_id, generation, id"},
    "lead_history.__init__": {
        "statement": "SELECT id FROM signal", "row_type": HandoffRow, "table": "handoff", "order": "id",
        "main": SimpleNamespace(record_id=7),
    },
    "lead_list.list_leads": {"statement": lead_list._AMONG_OWNED},  # constants of the module
    "leads.correct": {"name": "email"},
    "leads.restore": {"changed": {"email": None}, "restored": ["email", "custom"]},
    "message_facts._read_facts": {"statement": message_facts._FACTS_OF_RECORDS},  # constants of the module
    "metrics._read_counts": {"statement": "SELECT status, count(*) FROM journey GROUP BY status"},
    "metrics._read_histogram": {"seconds": reports.TO_OWNER},
    "person_moves._move": {"statement": person_moves._RERUN},  # constants of the module
    "personal_values.list_windows": {"chosen": "WHERE id > 1 AND id < 9 ORDER BY id LIMIT 5"},
    "record_moves._move": {"statement": record_moves._SUPERSEDE_HELD},  # constants of the module
    "playbook_activations._read": {"which": "WHERE id = 1"},
    "reports.count_work_items": {"conditions": _EVERY_CONDITION},
    "work_queue.list_known_values": {"column": "reason"},
    "reports.list_work_items": {"conditions": _EVERY_CONDITION, "order": "w.due_at, w.id"},
    "saved_views._set": {"change": "paused_at = NULL"},
    "saved_views.change_view": {"row": ["name", "period"]},
    "saved_views.save_view": {"row": ["name", "period"]},
    "work_queue.count_groups": {"conditions": _EVERY_CONDITION},
    "stage_moves.advance": {
        "stage": "capture", "status": "ready", "batch": SimpleNamespace(journey_kind="opportunity"),
    },
    "starting._start_rescores": {"column": "rescore_at", "after": "last.status = 'done'"},
    "upkeep.analyze_grown": {"tables": [SimpleNamespace(columns="lead (email)")]},
}  # fmt: skip
#: Modules whose statements are about no table of the ledger, or come from their callers.
ABOUT_NO_TABLE = {"account_rows", "bulk", "database", "provision", "reads_together", "typed_rows"}
#: Constants that are parts of statements.
PARTS = {
    "activities._RECORD",
    "handoffs._INSERT",
    "leads.POSTPONE_ENRICHMENTS",
    "record_figures._CLOSED_AT",
    "records.CLEAR_DUE",
    "recorded_outcomes._RECORD",
    "recorded_outcomes._JOURNEY_AT",
    "report_mails._LAST",
    "starting.INSERT_SIGNAL_JOURNEYS",
    "starting._IN_NURTURE",
}
#: Types of parameters that PostgreSQL cannot tell from a statement alone; the driver sends them with the value.
TYPES = {"now": "timestamptz", "at": "timestamptz", "until": "timestamptz", "then": "timestamptz", "ended": "bigint"}
_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_LOOKED_AT_LEAST = 200  # statements: fewer means that they are not found any more


class Unknown(Exception):  # noqa: N818 - what a name is
    """The value of a name is not known without running the function."""


def _value(node: ast.expr, module: ModuleType, function: ast.FunctionDef, inside: frozenset[str] = frozenset()) -> Any:
    """The value of an expression in ``function``, met while the names ``inside`` are looked up. Raises ``Unknown``."""
    bound = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.id not in bound}
    known = {name: _named(name, module, function, inside) for name in names}
    return eval(compile(ast.Expression(node), module.__name__, "eval"), known)  # noqa: S307 - our own source


def _named(name: str, module: ModuleType, function: ast.FunctionDef, inside: frozenset[str]) -> Any:
    where = f"{module.__name__.split('.')[-1]}.{function.name}"
    if name in inside:
        raise Unknown(f"{where}: {name} is made from itself")
    if name in SAMPLES_OF.get(where, ()):
        return SAMPLES_OF[where][name]
    for node in ast.walk(function):
        for target, value in _assigned(node):
            if target == name:
                return _value(value, module, function, inside | {name})
    for names in (SAMPLES, vars(module), vars(builtins)):
        if name in names:
            return names[name]
    raise Unknown(f"{where}: {name}")


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
                yield from ((each.id, value) for each, value in pairs if isinstance(each, ast.Name))


def _calls(function: ast.FunctionDef) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node.args


def _functions() -> Iterator[tuple[ModuleType, ast.FunctionDef]]:
    for path in sorted((ROOT / "leadgate" / "ledger").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield module, node


def _constants(value: Any) -> Iterator[str]:
    if isinstance(value, str) and _STATEMENT.match(value):
        yield value
    elif isinstance(value, Query):
        yield f"WITH {value.tables} {value.select}" if value.tables else value.select
    elif isinstance(value, dict):
        for each in value.values():
            yield from _constants(each)


def _statements() -> tuple[dict[str, str], set[str]]:
    """Each statement with a place where it is; and the functions in which one cannot be evaluated."""
    found: dict[str, str] = {}
    unknown = set()
    for module, function in _functions():
        where = f"{module.__name__}.{function.name}"
        for name, value in vars(module).items():
            if f"{module.__name__.split('.')[-1]}.{name}" not in PARTS:
                found |= {each: f"{module.__name__}.{name}" for each in _constants(value) if "{}" not in each}
        for name, arguments in _calls(function):
            at = TAKES_STATEMENT.get(name)
            if at is not None and len(arguments) > at:
                try:
                    found[_value(arguments[at], module, function)] = where
                except Unknown:
                    unknown.add(".".join(where.split(".")[-2:]))
    return found, unknown


def _make_temporary_tables(connection: Connection, statements: dict[str, str]) -> None:
    for module, function in _functions():
        for name, arguments in _calls(function):
            if name == "fill_temporary":
                table, types = (_value(each, module, function) for each in arguments[1:3])
                columns = ", ".join(f"{column} {kind}" for column, kind in types.items())
                connection.execute(text(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns})"))
    for statement in statements:
        if statement.startswith("CREATE TEMP TABLE"):
            connection.execute(text(statement))


def _prepare(connection: Connection, statement: str) -> tuple[str | None, tuple[str, ...]]:
    """Why PostgreSQL cannot prepare ``statement``, and the columns of its rows where it can."""
    compiled = text(statement).compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
    names: list[str] = list(compiled.positiontup or ())
    refusal = None
    for kinds in ((), [TYPES.get(name, "unknown") for name in names]):
        declared = f"({', '.join(kinds)})" if kinds else ""
        trial = connection.begin_nested()
        try:
            connection.exec_driver_sql(f"PREPARE trial {declared} AS {compiled}".replace("%", "%%"))
            driver: Any = connection.connection.driver_connection
            described = driver.pgconn.describe_prepared(b"trial")
            connection.exec_driver_sql("DEALLOCATE trial")
        except DBAPIError as error:
            refusal = str(error.orig)
        else:
            return None, tuple(described.fname(at).decode() for at in range(described.nfields))
        finally:
            trial.rollback()
    return refusal, ()


def _rows_of_statements() -> Iterator[tuple[str, str, type[Any]]]:
    """Each statement whose rows are of a declared type, with its place and the type."""
    for module, function in _functions():
        for name, arguments in _calls(function):
            at = TAKES_STATEMENT.get(name, 0)
            passed_on = module.__name__.split(".")[-1] in ABOUT_NO_TABLE
            if (
                name in TYPES_ROWS
                and not passed_on
                and len(arguments) > at
                and getattr(arguments[at - 1], "id", "") != "row_type"
            ):
                row_type, statement = (_value(each, module, function) for each in arguments[at - 1 : at + 1])
                yield f"{module.__name__}.{function.name}", statement, row_type


def test_postgresql_can_prepare_every_statement_of_the_ledger(ledger: Ledger) -> None:
    statements, unknown = _statements()
    assert {each for each in unknown if each.split(".")[0] not in ABOUT_NO_TABLE} == set()
    with ledger.transaction() as connection:
        _make_temporary_tables(connection, statements)
        prepared = {each: where for each, where in statements.items() if _STATEMENT.match(each)}
        refused = {
            f"{where}: {refusal}"
            for each, where in prepared.items()
            if (refusal := _prepare(connection, each)[0]) is not None
        }
        connection.rollback()
    assert refused == set()
    assert len(prepared) > _LOOKED_AT_LEAST


def test_the_columns_of_each_statement_are_the_fields_of_its_rows(ledger: Ledger) -> None:
    """Else a statement that no test runs would fail when it is run."""
    looked_at = 0
    with ledger.transaction() as connection:
        for where, statement, row_type in _rows_of_statements():
            assert _prepare(connection, statement) == (None, list_fields(row_type)), where
            looked_at += 1
        connection.rollback()
    assert looked_at > 25


def test_every_copy_names_columns_of_its_table() -> None:
    looked_at = 0
    for module, function in _functions():
        for name, arguments in _calls(function) if module is not bulk else ():
            if name in ("copy", "copy_rows") and len(arguments) > 2:
                table = _value(arguments[1], module, function)
                if table in SQLModel.metadata.tables:
                    columns = set(_value(arguments[2], module, function))
                    assert columns <= set(SQLModel.metadata.tables[table].columns.keys()), (function.name, table)
                    looked_at += 1
    assert looked_at >= 8


#: Each class of ``story_rows`` with its table, and the fields that are no columns of it.
STORY: dict[type[Any], tuple[str, set[str]]] = {
    story_rows.JourneyRow: ("journey", set()), story_rows.LeadRow: ("lead", set()),
    story_rows.SignalRow: ("signal", {"journey_id"}), story_rows.HandoffRow: ("handoff", set()),
    story_rows.WarningRow: ("warned", set()), story_rows.QualificationRow: ("qualification", set()),
    story_rows.AssignmentRow: ("assignment", set()), story_rows.WorkItemRow: ("work_item", {"escalated_to"}),
    story_rows.CorrectionRow: ("correction", set()), story_rows.ActionRow: ("action", set()),
    story_rows.ActivityRow: ("activity", set()), story_rows.MessageRow: ("outbox", set()),
    story_rows.PauseRow: ("pause", set()), story_rows.MissedRow: ("missed", set()),
    story_rows.JoinRow: ("lead_join", set()), story_rows.LookalikeRow: ("lookalike", set()),
    story_rows.VerdictRow: ("lead_verdict", set()), story_rows.ReusedRow: ("reused_request", set()),
    story_rows.UnmaskingRow: ("unmasking", set()),
    story_rows.RecordedOutcomeRow: ("recorded_outcome", set()),
}  # fmt: skip


@pytest.mark.parametrize("row_type", STORY, ids=lambda each: each.__name__)
def test_the_rows_of_a_story_have_every_column_of_their_table(row_type: type[Any]) -> None:
    table, more = STORY[row_type]
    declared = {each.name: "None" in str(each.type) for each in fields(row_type) if each.name not in more}
    columns = SQLModel.metadata.tables[table].columns
    assert declared == {column.name: bool(column.nullable) for column in columns}


def test_rows_whose_columns_are_others_are_refused_even_where_there_are_none(ledger: Ledger) -> None:
    with ledger.transaction() as connection, pytest.raises(TypeError, match="HandoffRow"):
        read_rows(connection, HandoffRow, "SELECT id, stage FROM handoff WHERE false")


def test_each_query_finds_what_its_shape_declares(ledger: Ledger) -> None:
    """The rows of figures are plain dictionaries: mypy knows their names from ``figure_rows`` alone."""
    shapes = {name: get_args(hint)[0] for name, hint in get_type_hints(figure_rows.FigureRows).items()}
    queries = {"captured": figures._CAPTURED["captured"]}
    for of_section in figures.QUERIES.values():
        queries |= of_section
    assert shapes.keys() == queries.keys() | {"recent"}
    asked = {
        "since": NOW,
        "until": NOW,
        "now": NOW,
        "zone": "UTC",
        "source": None,
        "rep": None,
        "bucket": "day",
        "stages": [],
        "lost": [],
        "outcomes": [],
    }
    with ledger.transaction() as connection:
        for name, query in queries.items():
            statement = f"WITH {query.tables} {query.select}" if query.tables else query.select
            used = {each: value for each, value in asked.items() if f":{each}" in statement}
            assert set(connection.execute(text(statement), used).keys()) == set(shapes[name].__annotations__), name


def test_a_column_that_is_declared_as_a_word_is_read_as_a_member(ledger: Ledger) -> None:
    statement = (
        "SELECT 7 AS id, NULL AS lead_id, '{}' AS stage, 0 AS generation, 3 AS work_item_id, 'lead' AS kind, "
        "false AS by_time"
    )
    with ledger.transaction() as connection:
        (row,) = read_rows(connection, HeldJourney, statement.format("capture"))
        assert row.stage is StageName.CAPTURE
        with pytest.raises(ValueError, match="StageName"):
            read_rows(connection, HeldJourney, statement.format("no_stage"))
