"""Work items about CRMs: what was refused or did not stand, unknown owners, limits, a CRM that cannot be read.

Belongs here: their words and routes, and that one is open at a time. Does not belong here: what they are opened for
(``write``, ``delivery``, ``reconcile``).

A vendor's message may quote values, so it is kept in erasable columns only (``detail``), and so are values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import pandas as pd
from sqlalchemy import Connection

from leadgate.crm.values import Difference, describe
from leadgate.ledger import work_items
from leadgate.ledger.outbox import (
    CRM_LIMIT_REACHED,
    CRM_NOT_KEPT,
    CRM_NOT_READ,
    CRM_OWNER_IS_NO_REP,
    CRM_OWNER_UNKNOWN,
    CRM_REFUSED,
    CRM_UNREACHABLE,
)
from leadgate.ledger.work_items import NewWorkItem
from leadgate.plain_text import format_line
from leadgate.playbook import Playbook
from leadgate.playbook.crm import CRM_TARGET
from leadgate.vocabulary import StageName
from tasks.work_items import build_work_item

_DETAIL: Final = 500  # characters of a vendor's message
#: What a work item says of a lead whose record is gone.
GONE: Final = "its record is not in the CRM any more. A rerun of this work item finds it again, or creates it"


class About(Protocol):
    """The journey that a work item is about."""

    @property
    def source(self) -> str | None: ...

    @property
    def journey_id(self) -> int: ...

    @property
    def generation(self) -> int: ...


def build_refusal(about: About, crm: str, words: str, detail: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM does not take a lead. ``detail`` is the vendor's own message."""
    item = _build(CRM_REFUSED, f"crm:{crm}", f"{crm} was not written: {words}", playbook, now, about)
    item["detail"] = format_line(detail, _DETAIL) or None
    return item


def build_not_kept(about: About, crm: str, difference: Difference, playbook: Playbook, now: datetime) -> NewWorkItem:
    """A field does not hold what was written: the CRM left it out, or another automation has changed it."""
    words = (
        f"{crm} does not keep what was written to {difference.field}: another automation or a rule in the CRM changes "
        "it. Mend that and rerun this work item, or let the CRM have the last word by the field's policy"
    )
    return _build_difference(about, crm, difference, words, playbook, now)


def build_drift(about: About, crm: str, difference: Difference, playbook: Playbook, now: datetime) -> NewWorkItem:
    """A field held what was written, and does not any more."""
    words = (
        f"{difference.field} was changed in {crm} since it was written there, and Leadgate has the last word about it. "
        "Rerun this work item to write again, or let the CRM have the last word by the field's policy"
    )
    return _build_difference(about, crm, difference, words, playbook, now)


def _build_difference(
    about: About, crm: str, difference: Difference, words: str, playbook: Playbook, now: datetime
) -> NewWorkItem:
    item = _build(CRM_NOT_KEPT, name_field(crm, difference.field), words, playbook, now, about)
    item["value"] = describe(difference.read)
    item["detail"] = format_line(difference.describe(), _DETAIL)
    return item


def name_field(crm: str, field: str) -> str:
    """The promise of the work item about a field that does not hold what was written."""
    return f"crm:{crm}:{field}"[:63]


def build_unknown_owner(crm: str, rep: str, why: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM knows no active user for a rep: one work item for all of their leads."""
    words = (
        f"{rep} {why} in {crm}, so their leads have no owner there. Add the user, or the rep's crm_ids, and rerun "
        "this work item"
    )
    return _build(CRM_OWNER_UNKNOWN, name_owner(crm, rep), words, playbook, now, None)


def name_owner(crm: str, rep: str) -> str:
    """The promise of the work item about a rep whom a CRM does not know."""
    return f"crm:{crm}:{rep}"[:63]


def build_foreign_owner(
    crm: str, owner_id: str, who: str, lead_id: int, playbook: Playbook, now: datetime
) -> NewWorkItem:
    """Somebody set an owner in the CRM who is no rep of the playbook: one work item for all that they were given."""
    words = (
        f"owner {owner_id} of {crm} was given leads there, such as L{lead_id}, and is no rep: the leads stay with whom "
        "they are. Add the rep, or their crm_ids, or give the leads to a rep in the CRM"
    )
    item = _build(CRM_OWNER_IS_NO_REP, name_owner(crm, owner_id), words, playbook, now, None)
    item["detail"] = format_line(who, _DETAIL) or None
    return item


def build_limit(crm: str, words: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM takes nothing for a longer time: one work item, however many leads wait."""
    return _build(CRM_LIMIT_REACHED, f"crm:{crm}", words, playbook, now, None)


def build_unreachable(crm: str, words: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM has not answered for a while: one work item, however many leads wait."""
    return _build(CRM_UNREACHABLE, f"crm:{crm}", words, playbook, now, None)


def build_connection_refusal(crm: str, words: str, detail: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM refuses whole requests, such as for its credentials: one work item, however many leads wait."""
    item = _build(CRM_REFUSED, f"crm:{crm}", f"{crm} refuses every request: {words}", playbook, now, None)
    item["detail"] = format_line(detail, _DETAIL) or None
    return item


def build_not_read(crm: str, words: str, detail: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """The CRM cannot be read: one work item, whatever was to be read. ``detail`` is the vendor's own message."""
    item = _build(CRM_NOT_READ, f"{CRM_TARGET}{crm}"[:63], words, playbook, now, None)
    item["detail"] = format_line(detail, _DETAIL) or None
    return item


def open_new(connection: Connection, items: Sequence[NewWorkItem]) -> int:
    """Open those work items about leads that are not open already. Returns how many."""
    journeys = [item["journey_id"] for item in items if item["journey_id"] is not None]
    known = work_items.list_open_about(connection, {item["reason"] for item in items}, journeys) if items else set()
    new = [item for item in items if (item["journey_id"], item["reason"], item["promise"]) not in known]
    if new:
        work_items.open_work_items(connection, pd.DataFrame(new))
    return len(new)


def _build(
    reason: str, promise: str, words: str, playbook: Playbook, now: datetime, about: About | None
) -> NewWorkItem:
    return build_work_item(
        playbook,
        StageName.FOLLOW_UP,
        now,
        reason=reason,
        promise=promise,
        message=words,
        source=about.source if about else None,
        journey_id=about.journey_id if about else None,
        generation=about.generation if about else 0,
    )
