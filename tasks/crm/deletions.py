"""Records that were deleted or merged in a CRM: the lead of a deleted record is held, that of a merged one is moved.

Belongs here: choosing the records, and the words and routes of the work items. Does not belong here: storing
(``ledger.crm_deletions``), or reading the CRM (``sync``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import crm_deletions
from leadgate.ledger.crm_deletions import LeadStanding
from leadgate.ledger.outbox import PRIVACY_DELETION, RECORD_DELETED, RECORDS_MERGED
from leadgate.ledger.work_items import NewWorkItem
from leadgate.matching.resolving import list_crm_sources
from leadgate.plain_text import make_storable
from leadgate.playbook import CrmConnection, Playbook
from leadgate.playbook.crm import CRM_TARGET
from leadgate.vocabulary import JourneyStatus, StageName, WorkItemKind
from tasks.work_items import build_work_item

if TYPE_CHECKING:
    from leadgate.connectors.crm import CrmRecord

_WORDS: Final = {
    RECORD_DELETED: "{} has deleted this lead's record. Discard the lead, or rerun this work item to go on without it",
    PRIVACY_DELETION: (
        "{} has deleted this lead's record for privacy. Discard the lead unless something else allows to keep it; "
        "until then nobody is told of it, and nothing is written"
    ),
    RECORDS_MERGED: (
        "{} has merged this lead's record into that of another lead. This one has no record there any more; discard it "
        "if both are the same person"
    ),
}


@dataclass
class DeletionCounts:
    """How many leads were held, moved, or separated from their record."""

    held: int = 0
    moved: int = 0
    separated: int = 0  # leads whose record was merged into the record of another lead


def settle_deletions(
    connection: Connection,
    playbook: Playbook,
    crm: CrmConnection,
    records: Sequence[CrmRecord],
    now: datetime,
    *,
    private_ids: Collection[str] = (),
    present_ids: Collection[str] = (),
) -> DeletionCounts:
    """Hold the leads of deleted ``records``, and move those of merged ones, in the transaction that stores the page.

    ``private_ids``: the ids of records that were deleted for privacy. ``present_ids``: the ids of records of leads into
    which others were merged. A record that was merged into any other record was converted, and its lead goes on.
    """
    gone = [record for record in records if record.is_deleted]
    if not gone:
        return DeletionCounts()
    settler = _Settler(connection, playbook, crm, now)
    for_privacy = {_clean(each) for each in private_ids}
    merged = {
        _clean(each.id): _clean(each.follows) for each in gone if each.follows and _clean(each.id) not in for_privacy
    }
    present = {_clean(each) for each in present_ids}
    deleted = {_clean(each.id) for each in gone} - merged.keys() - for_privacy
    result = DeletionCounts()
    result.held += settler.hold(PRIVACY_DELETION, for_privacy)
    result.held += settler.hold(RECORD_DELETED, deleted)
    settler.end({id_ for id_, remaining in merged.items() if remaining not in present})
    result.moved, result.separated = settler.follow({id_: to for id_, to in merged.items() if to in present})
    return result


def find_present(records: Sequence[CrmRecord], read: Callable[[Sequence[str]], Mapping[str, CrmRecord]]) -> set[str]:
    """Find the ids of records of leads into which some of ``records`` were merged.

    ``read`` asks the CRM for the records that are not among ``records``. Raises ``ServiceError``.
    """
    wanted = {str(record.follows) for record in records if record.is_deleted and record.follows}
    present = {str(record.id) for record in records if not record.is_deleted}
    if missing := sorted(wanted - present):
        present |= {id_ for id_, record in read(missing).items() if not record.is_deleted}
    return wanted & present


def _clean(value: object) -> str:
    return make_storable(str(value).strip())


class _Settler:
    """Settles the records of one CRM in one transaction. Each method takes ids of records."""

    def __init__(self, connection: Connection, playbook: Playbook, crm: CrmConnection, now: datetime) -> None:
        self._connection, self._playbook, self._name, self._now = connection, playbook, crm.name, now
        source = crm.reads.source if crm.reads is not None else None
        self._matching_name = list_crm_sources(playbook.matching).get(source or "")

    def hold(self, reason: str, records: Collection[str]) -> int:
        """Hold the leads of these deleted records, each record once. Returns how many were held."""
        private = reason == PRIVACY_DELETION
        leads = self._find(records, include_ended=private)
        if not leads:
            return 0
        standings = crm_deletions.lock_standings(self._connection, set(leads.values()))
        lost = crm_deletions.end_links(self._connection, self._name, self._matching_name, leads, self._now)
        meant = [each for each in standings if private or (each.lead_id in lost and each.is_open)]
        return self._hold(reason, meant)

    def end(self, records: Collection[str]) -> None:
        """End the links to these converted records. Their leads go on without a record."""
        leads = self._find(records, include_ended=False)
        if leads:
            crm_deletions.end_links(self._connection, self._name, self._matching_name, leads, self._now)

    def follow(self, merged: dict[str, str]) -> tuple[int, int]:
        """Link the leads of merged records (merged id -> remaining id) to the remaining records.

        Returns how many leads were moved, and how many were separated because the remaining record is another lead's:
        the open ones of these are held.
        """
        if not merged:
            return 0, 0
        leads = self._find([*merged, *merged.values()], include_ended=True)
        if not leads:
            return 0, 0
        standings = crm_deletions.lock_standings(self._connection, set(leads.values()))
        moved, separated = crm_deletions.follow_merged(
            self._connection, self._name, self._matching_name, merged, self._now
        )
        self._hold(RECORDS_MERGED, [each for each in standings if each.lead_id in separated and each.is_open])
        return moved, len(separated)

    def _find(self, records: Collection[str], *, include_ended: bool) -> dict[str, int]:
        if not records:
            return {}
        return crm_deletions.find_leads(
            self._connection, self._name, self._matching_name, records, include_ended=include_ended
        )

    def _hold(self, reason: str, standings: Sequence[LeadStanding]) -> int:
        def build(standing: LeadStanding, holds: bool) -> NewWorkItem:
            return self._build_item(reason, standing, holds=holds)

        words = f"deleted in {self._name}" if reason != RECORDS_MERGED else f"merged in {self._name}"
        by = f"{CRM_TARGET}{self._name}"
        return crm_deletions.hold(self._connection, standings, build, by=by, reason=words, now=self._now)

    def _build_item(self, reason: str, standing: LeadStanding, *, holds: bool) -> NewWorkItem:
        owned = standing.status == JourneyStatus.OWNED
        stage = StageName.ASSIGNMENT if owned and holds else standing.stage
        return build_work_item(
            self._playbook,
            stage,
            self._now,
            kind=WorkItemKind.EXCEPTION,
            blocking=holds,
            reason=reason,
            promise=f"{CRM_TARGET}{self._name}"[:63],
            source=standing.source,
            journey_id=standing.id,
            generation=standing.generation + (1 if owned and holds else 0),
            message=_WORDS[reason].format(self._name),
        )
