"""Expansions that begin with a lead: somebody at a customer's account asks, so that customer may buy more.

Belongs here: which leads start one, and the update that does. Does not belong here: what an expansion means
(``leadgate.records.expansion``), who gets it (the routes of its kind), or storing signals (``ledger.signals``).

The update is a signal as any other, of the source that the playbook names. Its key is of the lead and the account, so
whatever lead comes by again (a run that is repeated, a rerun, another owner) starts no second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.expressions import rules
from leadgate.ledger import signals
from leadgate.ledger.signals import NewSignal
from leadgate.limits import shorten_key
from leadgate.playbook import NewLeads
from leadgate.playbook.kinds import NEW_LEAD
from leadgate.records.standing import make_account_key
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import JourneyKind, Outcome, StageName
from tasks.capture import encode
from tasks.stage import Work

_STARTS: Final = (Outcome.OWNED, Outcome.WAIT)
#: What the update says of the lead: nothing personal.
_TOLD: Final = ("product", "country", "language")


def start_expansions(connection: Connection, work: Work, frame: pd.DataFrame) -> None:
    """Store the update that starts an expansion for each lead of ``frame``, as assignment left it, whose account is a
    customer's. Does nothing unless the playbook says which those are."""
    section = work.playbook.playbook.kinds.expansion
    wanted = None if section is None else section.new_leads
    if wanted is None or wanted.source not in work.playbook.playbook.sources:
        return
    known = frame["account_id"].notna() | frame["account_name"].notna()
    leads = frame[known & frame["lead_id"].notna() & frame["outcome"].isin(_STARTS)]
    columns = work.rules.columns_at(StageName.ASSIGNMENT)
    customers = leads[rules.match_rows({"customer": wanted.when}, leads, columns)["customer"]]
    new = list(_build_signals(customers, wanted, work))
    if new:
        signals.store_signals(connection, new, work.now)


def _build_signals(customers: pd.DataFrame, wanted: NewLeads, work: Work) -> Iterator[NewSignal]:
    rows: list[Any] = list(customers.itertuples())
    for number, row in enumerate(rows):
        account = _read(row, "account_name") or _read(row, "account_id")
        identity = _read(row, "account_id") or make_account_key(str(account))
        lead = f"L{int(row.lead_id)}"
        id_ = shorten_key(f"{lead}:{identity}")
        told: JsonObject = {
            "external_id": id_,
            "name": f"New lead at {account}",
            "account": account,
            "owner": _read(row, "account_owner"),
            "trigger": NEW_LEAD,
            "lead": lead,
            "occurred_at": work.now.isoformat(),
            **{name: _read(row, name) for name in _TOLD},
        }
        payload = encode({name: value for name, value in told.items() if value is not None}).decode()
        yield NewSignal(number, wanted.source, f"lead:{id_}", payload, None, lead, journey_kind=JourneyKind.EXPANSION)


def _read(row: Any, name: str) -> str | None:
    value = getattr(row, name, None)
    return value if isinstance(value, str) and value.strip() else None
