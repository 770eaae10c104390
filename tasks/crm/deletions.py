"""What follows when a record is deleted or merged in a CRM: its lead waits for a person, or is the other record.

Belongs here: which records are meant, and the work items' words and routes. Does not belong here: what is stored
(``ledger.crm_deletions``), or reading the CRM (``sync``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import crm_deletions
from leadgate.ledger.crm_deletions import Standing
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
class Deletions:
    """What came of deleted and merged records, in counts of leads."""

    held: int = 0
    moved: int = 0
    parted: int = 0  # whose record is another lead's now


def settle_deletions(
    connection: Connection,
    playbook: Playbook,
    crm: CrmConnection,
    records: Sequence[CrmRecord],
    now: datetime,
    *,
    private: Collection[str] = (),
    there: Collection[str] = (),
) -> Deletions:
    """Hold the leads of deleted ``records``, and move those of merged ones, in the transaction that stores the page.

    ``private``: the ids of records that were deleted for privacy. ``there``: the ids of records that others were merged
    into and that are records of leads themselves; one that is not there was converted.
    """
    gone = [record for record in records if record.is_deleted]
    if not gone:
        return Deletions()
    settling = _Settling(connection, playbook, crm, now)
    secret = {_clean(each) for each in private}
    merged = {_clean(each.id): _clean(each.follows) for each in gone if each.follows and _clean(each.id) not in secret}
    present = {_clean(each) for each in there}
    deleted = {_clean(each.id) for each in gone} - merged.keys() - secret
    result = Deletions()
    result.held += settling.hold(PRIVACY_DELETION, secret)
    result.held += settling.hold(RECORD_DELETED, deleted)
    settling.end({id_ for id_, stays in merged.items() if stays not in present})
    result.moved, result.parted = settling.follow({id_: to for id_, to in merged.items() if to in present})
    return result


def find_present(records: Sequence[CrmRecord], read: Callable[[Sequence[str]], Mapping[str, CrmRecord]]) -> set[str]:
    """The ids of records that others were merged into, and that are records of leads: ``read`` finds those that are
    not among ``records``. Raises ``ServiceError``."""
    wanted = {str(record.follows) for record in records if record.is_deleted and record.follows}
    present = {str(record.id) for record in records if not record.is_deleted}
    if missing := sorted(wanted - present):
        present |= {id_ for id_, record in read(missing).items() if not record.is_deleted}
    return wanted & present


def _clean(value: object) -> str:
    return make_storable(str(value).strip())


class _Settling:
    """The steps, each for a set of records."""

    def __init__(self, connection: Connection, playbook: Playbook, crm: CrmConnection, now: datetime) -> None:
        self._connection, self._playbook, self._name, self._now = connection, playbook, crm.name, now
        source = crm.reads.source if crm.reads is not None else None
        self._known_as = list_crm_sources(playbook.matching).get(source or "")

    def hold(self, reason: str, records: Collection[str]) -> int:
        """The leads of these deleted records wait for a person, each record once."""
        private = reason == PRIVACY_DELETION
        leads = self._find(records, gone_too=private)
        if not leads:
            return 0
        standings = crm_deletions.lock_standings(self._connection, set(leads.values()))
        lost = crm_deletions.end_links(self._connection, self._name, self._known_as, leads, self._now)
        meant = [each for each in standings if private or (each.lead_id in lost and each.is_open)]
        return self._hold(reason, meant)

    def end(self, records: Collection[str]) -> None:
        """These records were converted: their leads go on, and have no record."""
        leads = self._find(records, gone_too=False)
        if leads:
            crm_deletions.end_links(self._connection, self._name, self._known_as, leads, self._now)

    def follow(self, merged: dict[str, str]) -> tuple[int, int]:
        """The leads of merged records are the records that stay; where that is another lead, a person hears of it."""
        if not merged:
            return 0, 0
        leads = self._find([*merged, *merged.values()], gone_too=True)
        if not leads:
            return 0, 0
        standings = crm_deletions.lock_standings(self._connection, set(leads.values()))
        moved, parted = crm_deletions.follow_merged(self._connection, self._name, self._known_as, merged, self._now)
        self._hold(RECORDS_MERGED, [each for each in standings if each.lead_id in parted and each.is_open])
        return moved, len(parted)

    def _find(self, records: Collection[str], *, gone_too: bool) -> dict[str, int]:
        if not records:
            return {}
        return crm_deletions.find_leads(self._connection, self._name, self._known_as, records, gone_too=gone_too)

    def _hold(self, reason: str, standings: Sequence[Standing]) -> int:
        def build(standing: Standing, holds: bool) -> NewWorkItem:
            return self._build_item(reason, standing, holds=holds)

        words = f"deleted in {self._name}" if reason != RECORDS_MERGED else f"merged in {self._name}"
        by = f"{CRM_TARGET}{self._name}"
        return crm_deletions.hold(self._connection, standings, build, by=by, reason=words, now=self._now)

    def _build_item(self, reason: str, standing: Standing, *, holds: bool) -> NewWorkItem:
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
