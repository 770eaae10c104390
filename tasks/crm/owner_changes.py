"""An owner whom somebody has set in a CRM: the lead is theirs here, too, on record as the work of who set it.

Belongs here: which owners are followed, to whom, and by whom. Does not belong here: giving a lead to a rep
(``reassignments``), or writing an owner to a CRM (``write``).

**What is followed.** An owner that is neither what Leadgate wrote last nor what it found when it read that back: the
latter is another automation's, and has a work item of its own. The record is read again before, because a search may
be behind.

**Who was later.** Leadgate's owner stays when they were assigned after the field was set, by the clocks of the two, and
the CRM is told. A CRM that keeps the changes of each field tells when it was set; of another, the last
change of the record counts.

**Again.** Owners are followed before the page is stored. Killed in between, the page comes again, and finds the lead
with its new owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadgate.crm.writes import is_set_by_others
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_connections, crm_links, outbox, work_items
from leadgate.ledger.clock import ask_time, read_time
from leadgate.ledger.crm_links import OwnedRecord
from leadgate.ledger.faults import Conflict
from leadgate.ledger.outbox import CRM_OWNER_IS_NO_REP
from leadgate.plain_text import format_line, make_storable
from leadgate.playbook import CrmConnection, LoadedPlaybook
from tasks.crm.items import build_foreign_owner, name_owner
from tasks.crm.owners import RepFinder
from tasks.crm.reading import ask_crm

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmFieldChange, CrmRecord

_NAME: Final = 80  # characters of a name that a CRM gives
_LONGEST_ID: Final = 63  # characters of an owner's id


class OwnerFollower:
    """Follows the owners that are set in one CRM."""

    def __init__(
        self, ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, crm: Crm, now: datetime | None
    ) -> None:
        self._ledger, self._loaded, self._connection, self._crm, self._as_of = ledger, loaded, connection, crm, now
        self._field = connection.followed_field or ""
        self._owners = RepFinder(connection.name, loaded.playbook.reps, crm)
        self._has_begun = False

    def follow(self, records: Iterable[CrmRecord]) -> int:
        """Follow the owners of these records, where somebody has set them. Returns how many leads changed hands.

        Raises ``ServiceError`` when the CRM does not answer.
        """
        followed = 0 if self._has_begun else self._follow_new_reps()
        self._has_begun = True
        return followed + self._follow(records)

    def _follow(self, records: Iterable[CrmRecord]) -> int:
        from leadgate.connectors.crm import CrmObject

        set_now = {
            make_storable(record.id): record.values.get(self._field) for record in records if not record.is_deleted
        }
        with self._ledger.transaction() as connection:
            known = crm_links.read_owned(connection, self._connection.name, list(set_now))
        changed = [each for each in known if self._is_news(each, set_now.get(each.record_id))]
        if not changed:
            return 0
        ids = [each.record_id for each in changed]
        confirmed = ask_crm(
            self._connection.name, lambda: self._crm.read_last_changes(CrmObject.LEAD, ids, self._field)
        )
        failpoint("crm.owners.read")
        settled: dict[int, str] = {}
        overruled: list[int] = []
        followed = 0
        for each in changed:
            change = confirmed.get(each.record_id)
            if change is None or not self._is_news(each, change.value):
                continue
            owner_id = str(change.value).strip()
            rep = self._owners.find_rep(owner_id)
            if rep is None:
                self._tell_of_stranger(owner_id, each)
                continue
            settled[each.lead_id] = make_storable(owner_id)
            if rep != each.owner:
                was_followed = self._reassign(each, rep, change)
                followed += was_followed
                if not was_followed and each.journey_id is not None:
                    overruled.append(each.journey_id)
        failpoint("crm.owners.followed")
        if settled:
            name = self._connection.name
            with self._ledger.transaction() as connection:
                crm_links.keep_owners(connection, name, self._field, settled)
                outbox.tell_crms(connection, overruled, ask_time(self._ledger, self._as_of), crm=name)
        return followed

    def _follow_new_reps(self) -> int:
        """Follow owners who were no reps when they were set, and are by now."""
        from leadgate.connectors.crm import CrmObject

        name = self._connection.name
        start = name_owner(name, "")
        with self._ledger.transaction() as connection:
            promises = work_items.list_open_promises(connection, CRM_OWNER_IS_NO_REP, start)
        known = [each for each in promises if self._owners.find_rep(each.removeprefix(start)) is not None]
        if not known:
            return 0
        with self._ledger.transaction() as connection:
            ids = crm_links.list_owned(connection, name)
        records = ask_crm(name, lambda: self._crm.read(CrmObject.LEAD, ids, [self._field]))
        followed = self._follow(records.values())
        with self._ledger.transaction() as connection:
            for promise in known:
                now = read_time(connection, self._as_of)
                work_items.close_general(connection, (CRM_OWNER_IS_NO_REP,), promise, now)
        return followed

    def _is_news(self, known: OwnedRecord, value: object) -> bool:
        """Whether ``value`` is an owner of an owned lead whom somebody else has set."""
        written, read = known.written.get(self._field), (known.read or {}).get(self._field)
        return known.owner is not None and is_set_by_others(value, written, read)

    def _reassign(self, known: OwnedRecord, rep: str, change: CrmFieldChange) -> bool:
        from leadgate.connectors.service_session import ServiceError
        from tasks.reassignments import follow_owner

        if known.journey_id is None or known.assignment_id is None or known.assigned_at is None:
            return False
        if change.changed_at is not None and change.changed_at < known.assigned_at:
            return False
        try:
            handed = follow_owner(
                self._ledger,
                self._loaded,
                known.journey_id,
                known.assignment_id,
                rep,
                reason=f"set as the owner in {self._connection.name}",
                by=self._name_actor(change),
                now=ask_time(self._ledger, self._as_of),
            )
        except Conflict as error:
            raise ServiceError(f"leads of {self._connection.name} change hands too often now: {error}") from None
        return handed is not None

    def _name_actor(self, change: CrmFieldChange) -> str:
        """Who set the owner: a rep, another user of the CRM by name, or somebody there."""
        crm = self._connection.name
        user = self._owners.find_user(change.changed_by) if change.changed_by else None
        if user is None:
            return f"somebody in {crm}"
        return self._owners.find_rep(user.id) or f"{format_line(user.name, _NAME) or 'somebody'} in {crm}"

    def _tell_of_stranger(self, owner_id: str, known: OwnedRecord) -> None:
        from tasks.crm.delivery import open_once

        owner = self._owners.find(owner_id)
        who = "" if owner is None else f"{owner.name} {'(a queue)' if owner.is_queue else owner.email or ''}".strip()
        shown = make_storable(format_line(owner_id, _LONGEST_ID))
        now = ask_time(self._ledger, self._as_of)
        name = self._connection.name
        item = build_foreign_owner(name, shown, make_storable(who), known.lead_id, self._loaded.playbook, now)
        with self._ledger.transaction() as connection:
            crm_connections.lock(connection, name)
            open_once(connection, item)
