"""Enrichment providers: each looks a batch up and answers with the fields it knows.

Belongs here: the interface, and the providers that need no network. A provider that asks a service over
HTTP gets a file of its own beside this one. Does not belong here: which answer wins (``tasks.enrichment``).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import pandas as pd

from leadgate.fields import ENRICHED
from leadgate.playbook import AccountsFile, CompanyDomain, Loaded
from leadgate.values.figures import amount_of, employees_of


class ProviderError(Exception):
    """The provider could not answer for this batch; the message says why."""


class Provider(Protocol):
    """What enrichment asks of a provider."""

    @property
    def name(self) -> str: ...

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Answers aligned with ``frame``: a column for each lead field the provider knows, missing where not.

        ``frame`` has the validated fields and what earlier providers have filled in. Raises ``ProviderError``.
        """
        ...


def of(playbook: Loaded) -> list[Provider]:
    """The playbook's providers, in order."""
    made: list[Provider] = []
    for declared in playbook.playbook.enrichment.providers:
        if isinstance(declared, CompanyDomain):
            made.append(DomainProvider(declared.name))
        else:
            made.append(AccountsProvider(declared, (playbook.path.parent / declared.path)))
    return made


@dataclass(frozen=True)
class DomainProvider:
    """The company's domain: that of a business e-mail address, else that of the website."""

    name: str

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        business = frame["email_domain"].where(~frame["is_free_mail"].fillna(False).astype(bool), None)
        return pd.DataFrame({"company_domain": business.where(business.notna(), frame["website_domain"])})


@dataclass(frozen=True)
class AccountsProvider:
    """A reference file of companies, by domain. Its ``account_id`` is the domain unless a column gives one."""

    declared: AccountsFile
    path: Path

    @property
    def name(self) -> str:
        return self.declared.name

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        try:
            stamp = self.path.stat().st_mtime_ns
            accounts = _accounts(self.path, stamp, self.declared.domain, tuple(self.declared.fields.items()))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ProviderError(f"cannot read {self.path.name}: {error}") from error
        except KeyError as error:
            raise ProviderError(f"{self.path.name} has no column {error}") from error
        nothing: Mapping[str, object] = {}
        rows = [accounts.get(domain, nothing) for domain in frame["company_domain"]]
        fields = {*self.declared.fields, "account_id"}
        return pd.DataFrame(
            {
                field: pd.Series([row.get(field) for row in rows], index=frame.index, dtype=object)
                for field in sorted(fields)
            }
        )


@lru_cache(maxsize=8)
def _accounts(path: Path, stamp: int, domain: str, fields: tuple[tuple[str, str], ...]) -> dict[str, dict[str, object]]:
    """The file as domain -> lead field -> value. ``stamp``: a file that changed is read again."""
    del stamp
    accounts: dict[str, dict[str, object]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            key = row[domain].strip().casefold()
            if not key or key in accounts:
                continue
            values: dict[str, object] = {"account_id": key}
            for field, column in fields:
                value = (row[column] or "").strip()
                if value:
                    values[field] = _typed(field, value)
            accounts[key] = values
    return accounts


def _typed(field: str, value: str) -> object:
    kind = ENRICHED.get(field, "text")
    if kind == "integer":
        return employees_of(value)
    if kind == "number":
        return amount_of(value)
    return value
