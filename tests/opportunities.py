"""Opportunities as a ledger keeps them after their updates, for tests of what is read from them.

Belongs here: rows of ``record`` and ``record_version``, many at once. Does not belong here: how an update becomes a
version, which the stages' own tests are about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from leadgate.ledger import Ledger
from leadgate.ledger.bulk import copy_rows, make_ids

MONDAY_AT_0 = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)  # in Berlin, of the week of the tests' moment
FIGURES = ("owner", "sales_stage", "amount", "close_date", "category", "is_open", "outcome")


@dataclass(frozen=True)
class Told:
    """An update of the opportunity ``key`` that was stored at ``at``: its whole state after it."""

    key: str
    at: datetime
    owner: str | None = "ana"
    amount: float | None = 40_000
    close_date: date | None = date(2026, 3, 20)
    category: str = "best_case"
    sales_stage: str = "proposal"
    is_open: bool = True
    outcome: str | None = None
    late: bool = False
    changed_at: datetime | None = None
    received_at: datetime | None = None
    changed_by: str | None = "ana"
    name: str = ""
    account: str = "Acme"


def tell(ledger: Ledger, *told: Told) -> dict[str, int]:
    """Store the updates, in the order in which they became known. Returns the id of each opportunity by its key."""
    by_key: dict[str, list[Told]] = {}
    for each in told:
        by_key.setdefault(each.key, []).append(each)
    with ledger.transaction() as connection:
        ids = dict(zip(by_key, make_ids(connection, "record", len(by_key)), strict=True))
        records = [_build_record(ids[key], key, updates) for key, updates in by_key.items()]
        copy_rows(connection, "record", _RECORD, records)
        versions = [
            _build_version(ids[key], number, each, updates[number - 2] if number > 1 else None)
            for key, updates in by_key.items()
            for number, each in enumerate(updates, start=1)
        ]
        copy_rows(connection, "record_version", _VERSION, versions)
    return ids


def at(day: int, hour: int = 9) -> datetime:
    """A day of March 2026, or of February where it is negative: -1 is the 28th."""
    return datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day - (1 if day > 0 else 0))


def tell_a_week(ledger: Ledger) -> dict[str, int]:
    """One of everything that can move a forecast, between Monday's beginning and Wednesday."""
    return tell(
        ledger,
        Told("won", at(-3), amount=10_000), Told("won", at(3), amount=10_000, category="closed", is_open=False, outcome="won", sales_stage="closed_won"),
        Told("lost", at(-3), amount=5_000), Told("lost", at(2), amount=5_000, category="omitted", is_open=False, outcome="lost", sales_stage="closed_lost"),
        Told("pushed out", at(-3), amount=7_000), Told("pushed out", at(2), amount=7_000, close_date=date(2026, 4, 15)),
        Told("grew", at(-3), amount=20_000.50), Told("grew", at(3), amount=25_000, category="commit", sales_stage="negotiation"),
        Told("handed over", at(-3), amount=3_000), Told("handed over", at(3), amount=3_000, owner="bob", changed_by="mia"),
        Told("slips", at(-3), amount=1_000, close_date=date(2026, 3, 3)),
        Told("new", at(3), amount=None, owner="cyn"),
        Told("as it was", at(-3), amount=9_000, category="pipeline", owner=None),
        Told("overdue", at(-3), amount=2_000, close_date=date(2025, 12, 30)),
    )  # fmt: skip


_RECORD = (
    "id", "kind", "source", "key", "version", "values", "name", "account", *FIGURES, "created_at", "updated_at",
)  # fmt: skip
_VERSION = (
    "record_id", "number", "journey_id", "changed_at", "changed_by", "received_at", "stored_at", "values",
    "changes", "late", *FIGURES,
)  # fmt: skip


def _build_record(record_id: int, key: str, updates: Sequence[Told]) -> list[Any]:
    last = [each for each in updates if not each.late][-1]
    return [
        record_id, "opportunity", "crm", key, len(updates), _write(_list_values(last)), last.name or key, last.account,
        *_list_figures(last), updates[0].at, updates[-1].at,
    ]  # fmt: skip


def _build_version(record_id: int, number: int, each: Told, before: Told | None) -> list[Any]:
    values, earlier = _list_values(each), {} if before is None else _list_values(before)
    changes = {name: [earlier.get(name), value] for name, value in values.items() if earlier.get(name) != value}
    return [
        record_id, number, record_id * 1_000 + number, each.changed_at or each.at, each.changed_by, each.received_at or each.at, each.at,
        _write(values), _write(changes), each.late, *_list_figures(each),
    ]  # fmt: skip


def _list_values(each: Told) -> dict[str, Any]:
    close_date = None if each.close_date is None else each.close_date.isoformat()
    return {
        "name": each.name or each.key, "account": each.account, "owner": each.owner, "amount": each.amount,
        "close_date": close_date, "sales_stage": each.sales_stage, "forecast_category": each.category,
    }  # fmt: skip


def _list_figures(each: Told) -> list[Any]:
    return [getattr(each, name) for name in FIGURES]


def _write(values: Mapping[str, Any]) -> str:
    return orjson.dumps(values).decode()
