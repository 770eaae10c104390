"""Enrichment: providers in order, the first answer wins for each field, and each answer says where from.

Belongs here: asking the providers and merging their answers. Does not belong here: how one provider
finds its answer (``leadgate.connectors``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors import providers
from leadgate.fields import ENRICHED, VALIDATED, find_contact
from leadgate.json_columns import ConsideredAccount, Origin
from leadgate.ledger import bulk, leads
from leadgate.values.figures import read_amount, read_employees
from leadgate.vocabulary import Outcome, StageName
from tasks.stage import Decided, Gathered, Stage, Work

_CONTACT: Final = ("email", "phone")
_WRITES: Final = (
    "company",
    "industry",
    "country",
    "state",
    "city",
    "website",
    *ENRICHED,
    "provenance",
    "account_candidates",
)
_READS: Final = (
    "email", "phone", "company", "website", "industry", "company_size", "annual_revenue", "country", "state",
    "city", *VALIDATED,
)  # fmt: skip


def gather(connection: Connection, work: Work) -> Gathered:
    return Gathered(leads.read_leads_at(connection, work.batch.id, StageName.ENRICHMENT, _READS))


def decide(gathered: Gathered, work: Work) -> Decided:
    """Fill what the lead did not state. A provider that fails leaves a problem behind, never a lead."""
    frame = gathered.frame.copy()
    before = {name: bulk.list_values(frame[name]) for name in _CONTACT}
    provenance: list[dict[str, Origin]] = [{} for _ in range(len(frame))]
    problems: list[list[str]] = [[] for _ in range(len(frame))]
    for name in ENRICHED:
        frame[name] = None
    considered: list[list[ConsideredAccount]] = [[] for _ in range(len(frame))]
    at = work.now.isoformat()
    for provider in providers.build_providers(work.playbook):
        try:
            answers = provider.look_up(frame)
        except providers.ProviderError as error:
            for row in problems:
                row.append(f"{provider.name}: {error}")
            continue
        if providers.CANDIDATES in answers:
            for known, found in zip(considered, answers.pop(providers.CANDIDATES), strict=True):
                known += found or ()
        for field in answers.columns:
            _take(frame, field, answers[field], provenance, {"provider": provider.name, "at": at})
    _take(
        frame,
        "employees",
        _parse_column(frame["company_size"], read_employees),
        provenance,
        {"provider": "stated", "at": at},
    )
    _take(
        frame,
        "revenue",
        _parse_column(frame["annual_revenue"], read_amount),
        provenance,
        {"provider": "stated", "at": at},
    )
    frame["account_candidates"] = pd.Series([row or None for row in considered], index=frame.index, dtype=object)
    frame["provenance"] = pd.Series(provenance, index=frame.index, dtype=object)
    frame["provider_problem"] = pd.Series(["; ".join(row) or None for row in problems], index=frame.index, dtype=object)
    frame["unattributed"] = _find_unattributed(frame, provenance)
    frame["contact"] = find_contact(frame)
    frame["contact_changed"] = [
        any(old != new for old, new in zip(row[::2], row[1::2], strict=True))
        for row in zip(
            *(side for name in _CONTACT for side in (before[name], bulk.list_values(frame[name]))), strict=True
        )
    ]
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    leads.update_leads(connection, decided.frame, _WRITES)
    return decided.frame


def _take(
    frame: pd.DataFrame,
    field: str,
    answers: pd.Series,
    provenance: list[dict[str, Origin]],
    origin: Origin,
) -> None:
    """Fill ``field`` where it is empty and there is an answer, and note where the answer is from."""
    current = frame[field] if field in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)
    filled = current.isna().to_numpy() & answers.notna().to_numpy()
    if not filled.any():
        return
    frame[field] = current.where(~filled, answers)
    for position in np.flatnonzero(filled).tolist():
        provenance[position][field] = origin


def _parse_column(stated: pd.Series, parse: Callable[[str], float | None]) -> pd.Series:
    known = {value: parse(value) for value in stated.dropna().unique()}
    return pd.Series([known.get(value) for value in stated], index=stated.index, dtype=object)


def _find_unattributed(frame: pd.DataFrame, provenance: list[dict[str, Origin]]) -> pd.Series:
    """Names of added values without an origin, or None: a fault of a provider that the gate stops."""
    columns = {name: frame[name].notna().to_numpy() for name in ENRICHED}
    missing: list[str | None] = [None] * len(frame)
    for name, filled in columns.items():
        for position in np.flatnonzero(filled).tolist():
            if name not in provenance[position]:
                missing[position] = name if missing[position] is None else f"{missing[position]}, {name}"
    return pd.Series(missing, index=frame.index, dtype=object)


STAGE: Final = Stage(name=StageName.ENRICHMENT, gather=gather, decide=decide, store=store)
