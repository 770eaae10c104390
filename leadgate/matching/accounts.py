"""Which account a lead belongs to: by domain, by website, by the company's name.

Belongs here: the accounts as a directory, and every candidate with its score. Does not belong here: reading the
file (``connectors.providers``), or which of an account's values a lead gets (``tasks.enrichment``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from leadgate.matching.companies import build_company_key, compare_keys, compare_letters, spell_key
from leadgate.matching.ranking import Candidate, explain_ranking, rank_candidates
from leadgate.playbook import TieBreaker

DOMAIN: Final = 100
SAME_NAME: Final = 98
#: Names that are only alike reach at most this.
_ALIKE: Final = 97
#: Candidates that are kept with the lead.
KEPT: Final = 5
#: A block of more accounts than this shares a word like "bank", which tells nothing.
_BLOCK: Final = 200
#: Letters at the start and at the end of a name by which similar ones are found: the short for names that are rare,
#: the long for those of which many begin or end alike.
_EDGES: Final = (4, 7)
_REMEMBERED: Final = 100_000  # names that were looked for
_PARENTS: Final = 8  # steps up to a parent's parent; a circle ends there


@dataclass(frozen=True)
class Account:
    """A company of the reference file. ``values`` are the lead fields that it knows; ``domains`` are its own."""

    id: str
    name: str
    domains: tuple[str, ...]
    parent: str | None = None  # another account's id or domain, in lower case
    values: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        return build_company_key(self.name) if self.name else ""

    @cached_property
    def spelt(self) -> tuple[str, str]:
        return spell_key(self.key)


class Wanted(NamedTuple):
    """What is known of a lead's company. Domains of free-mail providers are no domains of a company."""

    domain: str | None = None
    website: str | None = None
    company: str | None = None
    country: str | None = None


class Found(NamedTuple):
    """An account that a lead may belong to; ``because`` says how it was found, ``taken`` whether it is the one."""

    account: Account
    score: int
    because: str
    taken: bool = False


class Directory:
    """The accounts, indexed once for many batches. Of two with one domain, the first of the file has it.

    ``free`` are domains that belong to nobody in particular: an account's are left out, and a lead's find nothing.
    """

    def __init__(self, accounts: Iterable[Account], free: frozenset[str] = frozenset()) -> None:
        self._free = free
        self._by_id: dict[str, Account] = {}
        self._by_domain: dict[str, Account] = {}
        self._by_name: dict[str, list[Account]] = defaultdict(list)
        self._blocks: dict[str, list[Account]] = defaultdict(list)
        self._named: dict[tuple[str, int], tuple[tuple[Account, int], ...]] = {}
        for account in accounts:
            self._by_id.setdefault(account.id.casefold(), account)
            for domain in account.domains:
                if domain not in free:
                    self._by_domain.setdefault(domain, account)
            if account.key:
                self._by_name[account.key].append(account)
                for block in _build_blocks(account.key):
                    self._blocks[block].append(account)

    def find(
        self, wanted: Wanted, *, threshold: int, shown_from: int, tie_breakers: Sequence[TieBreaker]
    ) -> list[Found]:
        """The accounts that a lead may belong to, the best first, at most ``KEPT``.

        The first is taken when it scores at least ``threshold``; names alike from ``shown_from`` on are candidates.
        """
        scored: dict[str, tuple[Account, int, str]] = {}
        for domain, because in ((wanted.domain, "its domain"), (wanted.website, "its website's domain")):
            account = self._by_domain.get(domain) if domain and domain not in self._free else None
            if account is not None:
                scored.setdefault(account.id, (account, DOMAIN, because))
        if wanted.company and (key := build_company_key(wanted.company)):
            for account, score in self._find_by_company(key, shown_from):
                because = "its name" if score == SAME_NAME else "a similar name"
                scored.setdefault(account.id, (account, score, because))
        if not scored:
            return []
        order = rank_candidates(
            (_build_candidate(account, score, wanted) for account, score, _ in scored.values()), tie_breakers
        )
        found = []
        for position, each in enumerate(order[:KEPT]):
            account, score, because = scored[str(each.id)]
            taken = position == 0 and score >= min(threshold, SAME_NAME)
            if taken and len(order) > 1 and order[1].score == each.score:
                because = f"{because}, and {explain_ranking(each, order[1], tie_breakers)}"
            found.append(Found(account, score, because, taken))
        return found

    def find_inherited(self, account: Account, names: Sequence[str]) -> dict[str, tuple[object, str]]:
        """What ``account`` lacks of the fields ``names`` and a parent has: field -> value, and that parent's name."""
        missing = [name for name in names if account.values.get(name) is None]
        given: dict[str, tuple[object, str]] = {}
        above = account
        for _ in range(_PARENTS):
            parent = self._by_id.get(above.parent or "") or self._by_domain.get(above.parent or "")
            if parent is None or parent is account or len(given) == len(missing):
                break
            for name in missing:
                if name not in given and (value := parent.values.get(name)) is not None:
                    given[name] = (value, parent.name or parent.id)
            above = parent
        return given

    def _find_by_company(self, key: str, shown_from: int) -> tuple[tuple[Account, int], ...]:
        """Accounts of this name, or of names alike; answered once for each name."""
        known = self._named.get((key, shown_from))
        if known is None:
            if len(self._named) >= _REMEMBERED:  # a process that runs for weeks hears of many companies
                self._named.clear()
            known = self._named[key, shown_from] = tuple(self._compare(key, shown_from))
        return known

    def _compare(self, key: str, shown_from: int) -> Iterable[tuple[Account, int]]:
        seen: dict[int, Account] = {}
        for block in _build_blocks(key):
            accounts = self._blocks.get(block, ())
            if len(accounts) <= _BLOCK:
                seen.update((id(account), account) for account in accounts)
        seen.update((id(account), account) for account in self._by_name.get(key, ()))
        letters = spell_key(key)
        for account in seen.values():
            if account.key == key:
                yield account, SAME_NAME
            elif compare_letters(letters, account.spelt, shown_from):  # fast, and leaves few
                score = min(compare_keys(key, account.key), _ALIKE)
                if score >= shown_from:
                    yield account, score


def _build_blocks(key: str) -> set[str]:
    """Keys of which two similar names share one: a word, the first or the last letters, or both of them."""
    joined = key.replace(" ", "")
    found = {f"w{word}" for word in key.split() if len(word) > 2} | {f"{joined[:3]}-{joined[-3:]}"}
    for edge in _EDGES:
        found |= {f"<{joined[:edge]}", f">{joined[-edge:]}"}
    return found


def _build_candidate(account: Account, score: int, wanted: Wanted) -> Candidate:
    values = account.values
    employees = values.get("employees")
    return Candidate(
        account.id,
        score,
        account.name or account.id,
        has_owner=values.get("account_owner") is not None,
        size=employees if isinstance(employees, int) else None,
        same_country=wanted.country is not None and values.get("country") == wanted.country,
    )
