"""The provider ``accounts_file``: companies that a CSV knows.

Belongs here: reading the file, and answering from it. Does not belong here: finding a company among them
(``matching.accounts``).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from leadgate.connectors.provider import CANDIDATES, ProviderError
from leadgate.fields import ENRICHED
from leadgate.json_columns import ConsideredAccount
from leadgate.matching.accounts import Account, Directory, Found, Wanted
from leadgate.playbook import MOST_ACCOUNTS_BYTES, AccountsFile, TieBreaker
from leadgate.regular_files import open_text_below
from leadgate.values.domains import find_website_domain
from leadgate.values.figures import read_amount, read_employees


@dataclass(frozen=True)
class AccountsProvider:
    """A reference file of companies. Their ``account_id`` is the domain unless a column gives one.

    Its answers come with ``CANDIDATES``: every account that was considered, a list of plain data, or None.
    """

    declared: AccountsFile
    folder: Path  # below which the file is
    free: frozenset[str] = frozenset()
    tie_breakers: tuple[TieBreaker, ...] = ()

    @property
    def name(self) -> str:
        return self.declared.name

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        name = Path(self.declared.path).name
        try:
            stamp = (self.folder / self.declared.path).stat().st_mtime_ns
            directory = _load_directory(self.folder, stamp, self.declared.model_dump_json(), self.free)
        except OSError as error:
            raise ProviderError(f"cannot read {name}: {error.strerror}") from error
        except (UnicodeDecodeError, csv.Error) as error:  # whose words quote the file
            raise ProviderError(f"cannot read {name}: it is not a CSV file in UTF-8; save it as one") from error
        except KeyError as error:
            raise ProviderError(
                f"{name} has no column {error}; add it to the file, or correct its name in the playbook"
            ) from error
        answers: dict[Wanted, tuple[Mapping[str, object], list[ConsideredAccount] | None]] = {}
        rows = []
        names = ("company_domain", "website_domain", "company", "country")
        for values in zip(*(frame[name].where(frame[name].notna(), None) for name in names), strict=True):
            wanted = Wanted(*values) if self.declared.company is not None else Wanted(values[0])
            if wanted not in answers:
                answers[wanted] = self._answer(directory, wanted)
            rows.append(answers[wanted])
        fields = sorted({*self.declared.fields, "account_id"})
        columns = {field: [values.get(field) for values, _ in rows] for field in fields}
        columns[CANDIDATES] = [candidates for _, candidates in rows]
        return pd.DataFrame(columns, index=frame.index, dtype=object)

    def _answer(
        self, directory: Directory, wanted: Wanted
    ) -> tuple[Mapping[str, object], list[ConsideredAccount] | None]:
        found = directory.find(
            wanted,
            threshold=self.declared.alike,
            shown_from=self.declared.shown_from,
            tie_breakers=self.tie_breakers,
        )
        if not found:
            return {}, None
        told = [_considered(each) for each in found]
        if not found[0].taken:
            return {}, told
        account = found[0].account
        inherited = directory.find_inherited(account, self.declared.inherit)
        if inherited:
            told[0]["inherited"] = {name: parent for name, (_, parent) in inherited.items()}
        return {**account.values, **{name: value for name, (value, _) in inherited.items()}}, told


def _considered(found: Found) -> ConsideredAccount:
    account = found.account
    told: ConsideredAccount = {
        "account_id": account.id, "name": account.name, "score": found.score, "because": found.because,
    }  # fmt: skip
    return {**told, "taken": True} if found.taken else told


@lru_cache(maxsize=8)
def _load_directory(folder: Path, stamp: int, declared: str, free: frozenset[str]) -> Directory:
    """The file's accounts. ``stamp``: a file that changed is read again. ``declared``: how it is to be read."""
    del stamp
    rules = AccountsFile.model_validate_json(declared)
    accounts: list[Account] = []
    with open_text_below(folder, rules.path, max_bytes=MOST_ACCOUNTS_BYTES) as file:
        for row in csv.DictReader(file):
            domain = _read_text(row, rules.domain).casefold()
            websites = _read_text(row, rules.website).replace(";", " ").split()
            domains = [domain, *(find_website_domain(text) for text in websites)]
            name = _read_text(row, rules.company)
            values: dict[str, object] = {"account_id": domain or name} if domain or name else {}
            for field, column in rules.fields.items():
                if value := (row[column] or "").strip():
                    values[field] = _parse_value(field, value)
            if not values.get("account_id"):
                continue
            own = tuple(dict.fromkeys(each for each in domains if each))
            parent = _read_text(row, rules.parent).casefold() or None
            accounts.append(Account(str(values["account_id"]), name, own, parent, values))
    return Directory(accounts, free)


def _read_text(row: Mapping[str, str], column: str | None) -> str:
    return "" if column is None else (row[column] or "").strip()


def _parse_value(field: str, value: str) -> object:
    kind = ENRICHED.get(field, "text")
    if kind == "integer":
        return read_employees(value)
    if kind == "number":
        return read_amount(value)
    return value
