"""Rows of the ledger that a test makes up: what it does not give is None."""

from __future__ import annotations

from typing import Any, TypeVar

from leadgate.ledger.typed_rows import list_fields

_Row = TypeVar("_Row")


def make_row(row_type: type[_Row], **columns: Any) -> _Row:
    missing = dict.fromkeys(set(list_fields(row_type)) - columns.keys())  # type: ignore[arg-type]
    return row_type(**missing, **columns)
