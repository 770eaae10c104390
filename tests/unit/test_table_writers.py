"""Each table of the ledger is written by the module of its entity, and by no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import SQLModel

import leadgate.models  # noqa: F401 - declares the tables

ROOT = Path(__file__).parents[2]
FLOORS = ("console", "flows", "tasks", "expectations", "leadgate")
#: The module (or package) of ``leadgate/ledger`` that writes each table.
WRITER = {
    "absence": "absences",
    "account": "accounts",
    "action": "actions",
    "activity": "activities",
    "assignment": "assignments",
    "batch": "batches",
    "batch_holder": "batches",
    "breaker": "breakers",
    "consumer": "consumers",
    "correction": "actions",
    "crm_change": "crm_changes",
    "crm_connection": "crm_connections",
    "forecast_day": "forecasts",
    "forecast_snapshot": "forecasts",
    "crm_link": "crm_links",
    "crm_task": "crm_tasks",
    "crm_position": "crm_positions",
    "event_subscription": "event_subscriptions",
    "crm_record_state": "crm_record_states",
    "decision_input": "decision_inputs",
    "gate_result": "gates",
    "handoff": "handoffs",
    "hash_key": "keys",
    "host": "hosts",
    "identity": "identities",
    "journey": "journeys",
    "lead": "leads",
    "lead_join": "identities",
    "lead_verdict": "identities",
    "lookalike": "identities",
    "match_key": "match_keys",
    "missed": "assignments",
    "outbox": "outbox",
    "pause": "pauses",
    "playbook_activation": "playbook_activations",
    "playbook_file": "playbook_activations",
    "playbook_reason": "playbook_activations",
    "playbook_version": "playbook_versions",
    "pool_state": "pools",
    "provider_answer": "lookups",
    "provider_state": "lookups",
    "qualification": "qualifications",
    "record": "records",
    "record_deletion": "record_deletions",
    "record_judgement": "record_judgements",
    "record_slip": "records",
    "record_version": "records",
    "recorded_outcome": "recorded_outcomes",
    "report_mail": "report_mails",
    "reused_request": "requests",
    "saved_view": "saved_views",
    "score_model": "score_models",
    "score_role": "score_models",
    "shadow": "shadows",
    "shadow_journey": "shadows",
    "shadow_pass": "shadows",
    "sign_in_link": "sign_in_links",
    "signal": "signals",
    "unmasking": "unmaskings",
    "warned": "gates",
    "web_session": "web_sessions",
    "work_item": "work_items",
}
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|MERGE INTO|COPY)\s+(\w+)")
_COPIES = ("copy", "copy_rows")


def _texts(tree: ast.AST) -> Iterator[str]:
    """The string constants of a module; docstrings and comments name tables, too, so only statements count."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _COPIES and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                yield f"COPY {node.args[1].value}"


def _writers() -> dict[str, set[str]]:
    """Each table with the modules that have a statement which writes it: by the name below ``leadgate/ledger``."""
    found: dict[str, set[str]] = {}
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            where = path.relative_to(ROOT).with_suffix("").parts
            module = where[2] if where[:2] == ("leadgate", "ledger") else "/".join(where)
            source = path.read_text(encoding="utf-8")
            if not _WRITES.search(source) and "copy" not in source:
                continue  # most files: not worth parsing
            for each in _texts(ast.parse(source)):
                for table in _WRITES.findall(each):
                    if table in SQLModel.metadata.tables:
                        found.setdefault(table, set()).add(module)
    return found


def test_each_table_is_written_by_the_module_of_its_entity() -> None:
    assert set(WRITER) == set(SQLModel.metadata.tables)
    assert _writers() == {table: {module} for table, module in WRITER.items()}


def test_no_statement_writes_a_table_whose_name_is_not_in_it() -> None:
    """So that the test above finds every write. ``bulk`` alone gets the names of its tables from its callers."""
    unnamed = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|COPY)\s+$")
    found = set()
    for path in (ROOT / "leadgate" / "ledger").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                before = [part.value for part in node.values if isinstance(part, ast.Constant)]
                if any(unnamed.search(str(each)) for each in before):
                    found.add(path.stem)
    assert found == {"bulk"}
