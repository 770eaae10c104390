"""Enrichment: providers in order, the first answer wins for each field, and each answer says where from.

Belongs here: asking the providers and merging their answers. Does not belong here: how one provider
finds its answer (``leadgate.connectors``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors.provider import ANSWERED, ASK_AGAIN, CANDIDATES, PROBLEM, Provider, ProviderError
from leadgate.connectors.providers import Asking, build_providers
from leadgate.fields import ENRICHABLE, ENRICHED, VALIDATED, find_contact
from leadgate.json_columns import ConsideredAccount, NotEnriched, Origin
from leadgate.ledger import Ledger, bulk, leads
from leadgate.ledger.lookups import Lookups
from leadgate.playbook import AccountsFile, HttpProvider, InstalledProvider, Playbook
from leadgate.values.figures import read_amount, read_employees
from leadgate.vocabulary import Outcome, StageName
from tasks.stage import Decided, Gathered, Stage, Work

_CONTACT: Final = ("email", "phone")
_WRITES: Final = (*ENRICHABLE, *ENRICHED, "provenance", "account_candidates", "not_enriched")
#: Providers that may be asked later where they could not be.
_MAY_ASK_AGAIN: Final = (HttpProvider, InstalledProvider)
_READS: Final = (
    "email", "phone", "company", "website", "industry", "company_size", "annual_revenue", "country", "state",
    "city", "custom", *VALIDATED,
)  # fmt: skip


@dataclass
class Said:
    """What providers said of each lead beside its fields: where a value is from, why there is none, which accounts."""

    provenance: list[dict[str, Origin]]
    problems: list[dict[str, NotEnriched]]
    accounts: list[list[ConsideredAccount]]
    contacts: dict[str, list[object]] = field(default_factory=dict)  # before anybody was asked

    @classmethod
    def about(cls, frame: pd.DataFrame, earlier: Mapping[int, Mapping[str, Origin]] | None = None) -> Said:
        """``earlier``: where values are from, by journey, that are filled in already, so that nobody is asked for them.
        What enrichment adds is asked for anew."""
        rows = frame["journey_id"].tolist()
        origins = [(earlier or {}).get(row, {}) for row in rows]
        kept = [{name: origin for name, origin in each.items() if name not in ENRICHED} for each in origins]
        before = {name: bulk.list_values(frame[name]) for name in _CONTACT}
        return cls(kept, [{} for _ in rows], [[] for _ in rows], before)


def gather(connection: Connection, work: Work) -> Gathered[Said]:
    frame = leads.read_leads_at(connection, work.batch.id, StageName.ENRICHMENT, (*_READS, *ENRICHED, "provenance"))
    frame = leads.expand_custom(frame, {name: each.type for name, each in work.rules.fields.items()})
    origins = leads.read_origins_at(connection, work.batch.id, StageName.ENRICHMENT)
    return Gathered(frame, Said.about(frame, origins))


def ask(ledger: Ledger, gathered: Gathered[Said], work: Work) -> Gathered[Said]:
    """Have the playbook's providers fill what the lead did not state. No transaction is open meanwhile."""
    asking = Asking(work.now, Lookups(ledger), work.key)
    asked = ask_providers(gathered, work.now, build_providers(work.playbook, asking))
    _keep_earlier(asked.frame, gathered.frame, asked.context)
    return asked


def ask_providers(gathered: Gathered[Said], now: datetime, providers: Sequence[Provider]) -> Gathered[Said]:
    """A provider that fails leaves a problem behind, never a lead."""
    frame, said = gathered.frame.copy(), gathered.context
    at = now.isoformat()
    for name in ENRICHED:
        frame[name] = None
    for provider in providers:
        try:
            answers = provider.look_up(frame)
        except ProviderError as error:
            for row in said.problems:
                row[provider.name] = {"why": str(error), "at": at}
            continue
        _note_problems(said, provider.name, answers, at)
        if CANDIDATES in answers:
            for known, found in zip(said.accounts, answers[CANDIDATES], strict=True):
                known += found or ()
        given = answers[ANSWERED].tolist() if ANSWERED in answers else [None] * len(frame)
        origins: list[Origin] = [
            {"provider": provider.name, "at": at}
            if moment is None
            else {"provider": provider.name, "at": moment, "kept": True}
            for moment in given
        ]
        for name in answers.columns:
            if name not in (CANDIDATES, PROBLEM, ASK_AGAIN, ANSWERED):
                _take(frame, name, answers[name], said.provenance, origins)
    return Gathered(frame, said)


def _keep_earlier(frame: pd.DataFrame, before: pd.DataFrame, said: Said) -> None:
    """What a provider gave before, and cannot be asked for now, stays, with where it was from."""
    if not any(said.problems):
        return
    earlier = bulk.list_values(before["provenance"])
    for name in ENRICHED:
        kept: list[object] = [None] * len(frame)
        origins: list[Origin] = [{}] * len(frame)
        for row, value in enumerate(bulk.list_values(before[name])):
            origin: Origin | None = (earlier[row] or {}).get(name)
            if value is not None and origin is not None and origin.get("provider") in said.problems[row]:
                kept[row] = value
                origins[row] = {**origin, "kept": True}
        _take(frame, name, pd.Series(kept, index=frame.index, dtype=object), said.provenance, origins)


def _note_problems(said: Said, provider: str, answers: pd.DataFrame, at: str) -> None:
    if PROBLEM not in answers:
        return
    again = answers[ASK_AGAIN].tolist() if ASK_AGAIN in answers else [None] * len(answers)
    for row, why, again_at in zip(said.problems, answers[PROBLEM].tolist(), again, strict=True):
        if not isinstance(why, str):
            continue
        row[provider] = {"why": why, "at": at}
        if isinstance(again_at, datetime) and again_at.tzinfo is not None:
            row[provider]["again_at"] = again_at.isoformat()


def decide(gathered: Gathered[Said], work: Work) -> Decided:
    """Merge what the lead stated, and tell what the gate asks."""
    frame, said = gathered.frame.copy(), gathered.context
    stated: list[Origin] = [{"provider": "stated", "at": work.now.isoformat()}] * len(frame)
    sizes = _parse_column(frame["company_size"], read_employees)
    _take(frame, "employees", sizes, said.provenance, stated)
    _take(frame, "revenue", _parse_column(frame["annual_revenue"], read_amount), said.provenance, stated)
    problems = ["; ".join(f"{name}: {each['why']}" for name, each in row.items()) or None for row in said.problems]
    told: dict[str, Sequence[Any]] = {
        "account_candidates": [row or None for row in said.accounts],
        "provenance": said.provenance,
        "not_enriched": [row or None for row in said.problems],
        "provider_problem": problems,
    }
    for name, values in told.items():
        frame[name] = pd.Series(values, index=frame.index, dtype=object)
    frame["unattributed"] = _find_unattributed(frame, said.provenance)
    frame["contact"] = find_contact(frame)
    frame["contact_changed"] = [
        any(old != new for old, new in zip(row[::2], row[1::2], strict=True))
        for row in zip(
            *(side for name in _CONTACT for side in (said.contacts[name], bulk.list_values(frame[name]))), strict=True
        )
    ]
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    frame = decided.frame
    own = list_own_fields(work.rules)
    if own and not frame.empty:
        filled = leads.pack_custom(frame, own)
        kept = [value or {} for value in bulk.list_values(frame["custom"])]
        merged = [before | after for before, after in zip(kept, filled.tolist(), strict=True)]
        frame = frame.assign(custom=pd.Series(merged, index=frame.index, dtype=object))
    leads.update_leads(connection, frame, (*_WRITES, "custom") if own else _WRITES)
    if not frame.empty and any(isinstance(each, _MAY_ASK_AGAIN) for each in work.rules.enrichment.providers):
        again = [_find_next_look(row) for row in bulk.list_values(frame["not_enriched"])]
        leads.look_up_again(connection, frame["lead_id"].tolist(), again)
    return decided.frame


def _find_next_look(problems: dict[str, NotEnriched] | None) -> datetime | None:
    """When a lead is looked up again: as soon as one of the providers may be asked that could not."""
    moments = [each["again_at"] for each in (problems or {}).values() if "again_at" in each]
    return datetime.fromisoformat(min(moments)) if moments else None


def list_own_fields(rules: Playbook) -> list[str]:
    """The playbook's own fields that one of its providers may fill."""
    given: set[str] = set()
    for provider in rules.enrichment.providers:
        if isinstance(provider, (AccountsFile, HttpProvider)):
            given |= provider.fields.keys()
        elif isinstance(provider, InstalledProvider):
            given |= rules.fields.keys()
    return [name for name in rules.fields if name in given]


def _take(
    frame: pd.DataFrame,
    field: str,
    answers: pd.Series,
    provenance: list[dict[str, Origin]],
    origins: Sequence[Origin],
) -> None:
    """Fill ``field`` where it is empty and there is an answer, and note where the answer is from."""
    current = frame[field] if field in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)
    filled = current.isna().to_numpy() & answers.notna().to_numpy()
    if not filled.any():
        return
    frame[field] = current.where(~filled, answers)
    for position in np.flatnonzero(filled).tolist():
        provenance[position][field] = origins[position]


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


STAGE: Final = Stage(name=StageName.ENRICHMENT, gather=gather, ask=ask, decide=decide, store=store)
