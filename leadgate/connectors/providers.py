"""The providers that a playbook names, made ready to be asked.

Belongs here: which class belongs to which type, and providers of other packages. Does not belong here: the interface
(``provider``), or any provider (a file each).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import pandas as pd

from leadgate import plug_ins
from leadgate.connectors.accounts_file import AccountsProvider
from leadgate.connectors.company_domain import DomainProvider
from leadgate.connectors.lookup_records import LookupRecords
from leadgate.connectors.provider import (
    ASK_AGAIN,
    PROBLEM,
    Provider,
    ProviderError,
    ProviderMaker,
)
from leadgate.fields import list_enrichable
from leadgate.mapping.answers import clean_answers
from leadgate.playbook import AccountsFile, CompanyDomain, HttpProvider, InstalledProvider, LoadedPlaybook, Playbook
from leadgate.values.addresses import Kinds
from leadgate.values.json_types import JsonValue

#: Columns of answers that are no field, and that a provider of another package may give.
_NO_FIELDS = frozenset({PROBLEM, ASK_AGAIN})
_LONGEST_PROBLEM = 300  # characters


@dataclass(frozen=True)
class Asking:
    """For whom providers are asked: ``now``, and where they keep what they heard, under hashes with ``key``."""

    now: datetime
    records: LookupRecords | None = None  # none: services are not asked
    key: bytes = b""


def build_providers(playbook: LoadedPlaybook, asking: Asking) -> list[Provider]:
    """The playbook's providers, in order."""
    rules = playbook.playbook
    free = Kinds.of(rules.validation).free
    made: list[Provider] = []
    for declared in rules.enrichment.providers:
        if isinstance(declared, CompanyDomain):
            made.append(DomainProvider(declared.name, free))
        elif isinstance(declared, AccountsFile):
            made.append(AccountsProvider(declared, playbook.folder, free, rules.matching.tie_breakers))
        elif isinstance(declared, HttpProvider):
            if asking.records is not None:
                from leadgate.connectors.http_provider import ServiceProvider  # slow to import: requests

                made.append(ServiceProvider(declared, rules, asking.records, asking.key, asking.now))
        else:
            made.append(_Installed(declared, rules, playbook.folder, asking.now))
    return made


@dataclass(frozen=True)
class _Installed:
    """A provider of another package. Whatever it raises is an answer that failed, and its values are cleaned."""

    declared: InstalledProvider
    rules: Playbook
    folder: Path
    now: datetime

    @property
    def name(self) -> str:
        return self.declared.name or self.declared.type

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        answers = self._ask(frame.copy())
        known = list_enrichable({name: each.type for name, each in self.rules.fields.items()})
        fields = [column for column in answers.columns if column in known]
        unknown = sorted(str(column) for column in answers.columns if column not in known and column not in _NO_FIELDS)
        rows = [
            {name: value for name, value in zip(fields, row, strict=True) if not _is_missing(value)}
            for row in zip(*(answers[name].tolist() for name in fields), strict=True)
        ] or [{}] * len(frame)
        cleaned = clean_answers(cast("list[Mapping[str, JsonValue]]", rows), self.rules, self.now)
        columns = {name: [each.values.get(name) for each in cleaned] for name in fields}
        columns |= {name: answers[name].tolist() for name in _NO_FIELDS & set(answers.columns)}
        said = [
            each[:_LONGEST_PROBLEM] if isinstance(each, str) else None
            for each in columns.get(PROBLEM, [None] * len(frame))
        ]
        wrong = [f"{name[:60]} is no field" for name in unknown[:3]]
        columns[PROBLEM] = [
            "; ".join([*([told] if told else []), *each.problems, *wrong]) or None
            for told, each in zip(said, cleaned, strict=True)
        ]
        return pd.DataFrame(columns, index=frame.index, dtype=object)

    def _ask(self, frame: pd.DataFrame) -> pd.DataFrame:
        try:
            make: ProviderMaker = plug_ins.load(plug_ins.PROVIDERS, self.declared.type)
            provider = make(name=self.name, settings=self.declared.settings, folder=self.folder)
            answers = provider.look_up(frame)
        except plug_ins.PlugInError as error:
            raise ProviderError(str(error)) from error
        except ProviderError:
            raise
        except Exception as error:  # another package's; its words may quote a lead's values
            raise ProviderError(f"it failed ({type(error).__name__})") from error
        if not isinstance(answers, pd.DataFrame) or len(answers) != len(frame) or answers.columns.has_duplicates:
            raise ProviderError("its answers are no frame with a row for each lead")
        return answers


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
