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
#: The modules of ``leadgate/ledger`` (or packages) that write each table. A table with two says why.
WRITERS: dict[str, set[str]] = {
    "journey": {"journeys"},
    "handoff": {"handoffs"},
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
            for each in _texts(ast.parse(path.read_text(encoding="utf-8"))):
                for table in _WRITES.findall(each):
                    if table in SQLModel.metadata.tables:
                        found.setdefault(table, set()).add(module)
    return found


def test_each_table_is_written_by_the_module_of_its_entity() -> None:
    found = _writers()
    assert {table: found[table] for table in WRITERS} == WRITERS
