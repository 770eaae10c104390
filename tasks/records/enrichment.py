"""Enrichment of records: the account, by the playbook's files of accounts, and what else is open there.

Belongs here: what this stage loads, asks, decides and stores. Does not belong here: finding an account in a file
(``leadgate.connectors.accounts_file``). Services that sell facts about companies are not asked: an account is known.
"""

from __future__ import annotations

from typing import Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors.accounts_file import AccountsProvider
from leadgate.connectors.provider import ProviderError
from leadgate.connectors.providers import Asking, build_providers
from leadgate.fields import ENRICHED as LEAD_ENRICHED
from leadgate.fields import STANDARD as LEAD_FIELDS
from leadgate.fields import VALIDATED
from leadgate.ledger import Ledger, bulk, records
from leadgate.records.fields import ENRICHED
from leadgate.records.standing import make_account_key
from leadgate.vocabulary import JourneyKind, Outcome, StageName
from tasks.records.frames import add_values
from tasks.stage import Decided, Gathered, Stage, Work

_OF_ACCOUNTS: Final = ("account_id", "account_name", "account_owner", "account_tier")


def gather(connection: Connection, work: Work) -> Gathered:
    frame = add_values(records.read_at_stage(connection, work.batch.id, StageName.ENRICHMENT), work.rules)
    keys = [make_account_key(str(name)) if name else None for name in bulk.list_values(frame["account"])]
    counted = records.count_open_at_accounts(connection, JourneyKind.OPPORTUNITY, [key for key in keys if key])
    ids = bulk.list_values(frame["record_id"])
    itself = records.list_open_ids(connection, JourneyKind.OPPORTUNITY, ids)
    frame["open_opportunities"] = [
        0 if key is None else counted.get(key, 0) - (record in itself) for key, record in zip(keys, ids, strict=True)
    ]
    return Gathered(frame)


def ask(ledger: Ledger, gathered: Gathered, work: Work) -> Gathered:
    """Have the files of accounts fill in what they know. No transaction is open meanwhile."""
    frame = gathered.frame.copy()
    asked = pd.DataFrame(dict.fromkeys((*LEAD_FIELDS, *VALIDATED, *LEAD_ENRICHED)), index=frame.index, dtype=object)
    asked["company"], asked["country"] = frame["account"], frame["country"]
    for name in _OF_ACCOUNTS:
        frame[name] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    problems: list[str] = []
    for provider in build_providers(work.playbook, Asking(work.now)):
        if not isinstance(provider, AccountsProvider):
            continue
        try:
            answers = provider.look_up(asked)
        except ProviderError as error:
            problems.append(f"{provider.name}: {error}")
            continue
        for name in _OF_ACCOUNTS:
            if name in answers:
                frame[name] = frame[name].where(frame[name].notna(), answers[name].astype(object))
    frame["provider_problem"] = "; ".join(problems) or None
    return Gathered(frame)


def decide(gathered: Gathered, work: Work) -> Decided:
    frame = gathered.frame
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    frame = decided.frame
    if not frame.empty:
        columns = [bulk.list_values(frame[name]) for name in ENRICHED]
        enriched = [orjson.dumps(dict(zip(ENRICHED, row, strict=True))).decode() for row in zip(*columns, strict=True)]
        last = dict(zip(bulk.list_values(frame["record_id"]), enriched, strict=True))
        records.keep_enriched(connection, list(last), list(last.values()))
    return frame


STAGE: Final = Stage(name=StageName.ENRICHMENT, gather=gather, decide=decide, store=store, ask=ask)
