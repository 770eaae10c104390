"""The tables ``provider_answer`` and ``provider_state``: what services answered about companies, and what that cost.

Belongs here: every statement that writes or reads these tables. Does not belong here: asking (``connectors``), or
filling a lead's fields (``tasks.enrichment``).

Each method is a short transaction of its own, and none is open while a service is asked. A day is one of UTC, by the
moment for which the batch works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import text

from leadgate.connectors.lookup_records import Closing, KeptAnswer, Permit
from leadgate.ledger.database import Ledger
from leadgate.values.json_types import JsonValue


@dataclass(frozen=True)
class Lookups:
    """The ``LookupRecords`` of providers, in the ledger."""

    ledger: Ledger

    def read_answers(self, provider: str, requests: Sequence[int], now: datetime) -> dict[int, KeptAnswer]:
        with self.ledger.transaction(plan_by_index=True) as connection:
            rows = connection.execute(
                text(
                    "SELECT request, values, answered_at FROM provider_answer "
                    "WHERE provider = :provider AND request = ANY(:requests) AND expires_at > :now"
                ),
                {"provider": provider, "requests": list(requests), "now": now},
            ).all()
        return {row.request: KeptAnswer(row.values, row.answered_at) for row in rows}

    def keep_answers(
        self, provider: str, answers: Mapping[int, Mapping[str, JsonValue] | None], now: datetime, until: datetime
    ) -> None:
        requests = sorted(answers)  # two processes that keep the same ones wait for each other in one order
        values = [None if answers[each] is None else orjson.dumps(answers[each]).decode() for each in requests]
        with self.ledger.transaction(plan_by_index=True) as connection:
            connection.execute(
                text(
                    "INSERT INTO provider_answer (provider, request, values, answered_at, expires_at) "
                    "SELECT :provider, a.request, CAST(a.answer AS jsonb), :now, :until "
                    "FROM unnest(CAST(:requests AS bigint[]), CAST(:values AS text[])) AS a (request, answer) "
                    "ON CONFLICT (provider, request) DO UPDATE SET values = excluded.values, "
                    "answered_at = excluded.answered_at, expires_at = excluded.expires_at"
                ),
                {"provider": provider, "requests": requests, "values": values, "now": now, "until": until},
            )

    def reserve(self, provider: str, units: int, daily_budget: int | None, now: datetime) -> Permit:
        with self.ledger.transaction(plan_by_index=True) as connection:
            connection.execute(
                text(
                    "INSERT INTO provider_state (provider, day) VALUES (:provider, CAST(:now AS date)) "
                    "ON CONFLICT (provider) DO NOTHING"
                ),
                {"provider": provider, "now": now},
            )
            state = connection.execute(
                text(
                    "SELECT CASE WHEN day = CAST(:now AS date) THEN spent ELSE 0 END AS spent, failures, pauses, "
                    "CASE WHEN closed_until > :now THEN closed_until END AS closed_until, why "
                    "FROM provider_state WHERE provider = :provider FOR UPDATE"
                ),
                {"provider": provider, "now": now},
            ).one()
            if state.closed_until is not None:
                return Permit(0, state.failures, state.pauses, state.closed_until, state.why)
            granted = units if daily_budget is None else max(0, min(units, daily_budget - state.spent))
            connection.execute(
                text(
                    "UPDATE provider_state SET day = CAST(:now AS date), spent = :spent, closed_until = NULL, "
                    "why = NULL WHERE provider = :provider"
                ),
                {"provider": provider, "now": now, "spent": state.spent + granted},
            )
        return Permit(granted, state.failures, state.pauses)

    def settle(
        self, provider: str, *, unspent: int, failures: int, answered: bool, closing: Closing | None, now: datetime
    ) -> None:
        with self.ledger.transaction(plan_by_index=True) as connection:
            connection.execute(
                text(
                    "UPDATE provider_state SET "
                    "spent = CASE WHEN day = CAST(:now AS date) THEN greatest(0, spent - :unspent) ELSE spent END, "
                    "failures = :failures, pauses = CASE WHEN :answered THEN 0 ELSE pauses END + :paused, "
                    "closed_until = CAST(:until AS timestamptz), why = :why WHERE provider = :provider"
                ),
                {
                    "provider": provider,
                    "unspent": unspent,
                    "failures": failures,
                    "answered": answered,
                    "paused": 1 if closing is not None and closing.is_pause else 0,
                    "until": None if closing is None else closing.until,
                    "why": None if closing is None else closing.why,
                    "now": now,
                },
            )


class ProviderUse(NamedTuple):
    """What a service was asked today, by UTC, and whether it is left alone until a moment, and why."""

    provider: str
    spent: int
    failures: int
    closed_until: datetime | None
    why: str | None


def list_uses(ledger: Ledger, now: datetime) -> list[ProviderUse]:
    """Every service that was ever asked, by name."""
    statement = text(
        "SELECT provider, CASE WHEN day = CAST(:now AS date) THEN spent ELSE 0 END AS spent, failures, "
        "CASE WHEN closed_until > :now THEN closed_until END AS closed_until, "
        "CASE WHEN closed_until > :now THEN why END AS why FROM provider_state ORDER BY provider"
    )
    with ledger.transaction() as connection:
        return [ProviderUse(*row) for row in connection.execute(statement, {"now": now})]


def count_waiting(ledger: Ledger) -> int:
    """How many leads passed without a provider and are to be looked up again."""
    with ledger.transaction() as connection:
        counted: int = connection.execute(text("SELECT count(*) FROM lead WHERE enrich_at IS NOT NULL")).scalar_one()
    return counted


def forget_old_answers(ledger: Ledger, now: datetime, at_most: int) -> int:
    """Delete answers that are too old to be used. Returns how many."""
    statement = text(
        "DELETE FROM provider_answer WHERE (provider, request) IN (SELECT provider, request FROM provider_answer "
        "WHERE expires_at <= :now ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED)"
    )
    with ledger.transaction() as connection:
        return connection.execute(statement, {"now": now, "most": at_most}).rowcount
