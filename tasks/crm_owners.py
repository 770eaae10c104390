"""Who a rep is in a CRM: by the playbook's ``crm_ids``, else by e-mail address.

Belongs here: this one rule. Does not belong here: what follows when a rep is not found (``crm_write``, ``crm_check``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from leadgate.playbook import Rep

if TYPE_CHECKING:
    from leadgate.connectors.crm import CrmOwner


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


def _fold(address: str) -> str:
    return address.strip().casefold()
