"""Who a rep is in a CRM, and which rep an owner is: by the playbook's ``crm_ids``, else by e-mail address.

Belongs here: this one rule, both ways. Does not belong here: what follows when a rep is not found (``write``,
``check``), or an owner is none (``owner_changes``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leadgate.playbook import Rep
from tasks.crm.reading import ask_crm

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmOwner


class CrmOwners:
    """The owners of one CRM, as it lists them."""

    def __init__(self, crm: str, listed: Iterable[CrmOwner]) -> None:
        self._crm = crm
        self._active: dict[str, set[str]] = defaultdict(set)  # id, or address folded -> ids
        self._inactive: set[str] = set()
        for owner in listed:
            names = [owner.id]
            if owner.email and not owner.is_queue:
                names.append(_fold(owner.email))
            for name in names:
                if owner.is_active:
                    self._active[name].add(owner.id)
                else:
                    self._inactive.add(name)

    def find(self, rep: Rep) -> str | None:
        """The CRM's id of a rep; None when the CRM knows no active one, or cannot tell several apart."""
        ids = self._active.get(self._ask_for(rep) or "", set())
        return next(iter(ids)) if len(ids) == 1 else None

    def explain(self, rep: Rep) -> str:
        """Why a rep is not found."""
        asked = self._ask_for(rep)
        if asked is None:
            return "has no e-mail address in the playbook by which to be found"
        if len(ids := self._active.get(asked, ())) > 1:
            return f"is {len(ids)} users with one e-mail address"
        return "is not active" if asked in self._inactive else "is not known"

    def _ask_for(self, rep: Rep) -> str | None:
        return rep.crm_ids.get(self._crm) or _fold(rep.email or "") or None


class RepFinder:
    """Which rep an owner of a CRM is. The owners are asked for once, when they are needed."""

    def __init__(self, name: str, reps: Sequence[Rep], crm: Crm) -> None:
        self._name, self._crm = name, crm
        self._by_id = {rep.crm_ids[name]: rep.name for rep in reps if name in rep.crm_ids}
        by_id = set(self._by_id.values())
        self._by_email = {_fold(rep.email): rep.name for rep in reps if rep.email and rep.name not in by_id}
        self._listed: list[CrmOwner] | None = None

    def find(self, owner_id: str) -> CrmOwner | None:
        return next((owner for owner in self._list() if owner.id == owner_id), None)

    def find_user(self, user_id: str) -> CrmOwner | None:
        return next((owner for owner in self._list() if owner.user_id == user_id), None)

    def find_rep(self, owner_id: str) -> str | None:
        """The rep who has this id by the playbook, or else the owner's e-mail address."""
        if owner_id in self._by_id:
            return self._by_id[owner_id]
        owner = self.find(owner_id)
        return self._by_email.get(_fold(owner.email)) if owner is not None and owner.email else None

    def _list(self) -> list[CrmOwner]:
        if self._listed is None:
            self._listed = ask_crm(self._name, self._crm.list_owners)
        return self._listed


def _fold(address: str) -> str:
    return address.strip().casefold()
